"""Sends one write, once, and says how it was answered; and how long one change may wait for ConnectWise.

Whether to send again is for the caller, who looks at the records first. It must never repeat anything by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from trueup.adapters.connectwise.replies import (
    AGREEMENTS_ADD_PERMISSION,
    AGREEMENTS_EDIT_PERMISSION,
    vendor_message,
)
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.http import HttpReply, RetryRule
from trueup.domain.errors import (
    RateLimited,
    ReplyUnreadable,
    UnsafeAddress,
    VendorUnavailable,
    WriteOutcomeUnknown,
)

WAITS_MAXIMUM: Final = 4
WAIT_BUDGET_SECONDS: Final = 60.0
"""How often and how long one change waits for ConnectWise to take a write at all; beyond it the caller waits."""

_FIRST_WAIT_SECONDS = 0.5
_PERMISSIONS = {"PATCH": AGREEMENTS_EDIT_PERMISSION, "POST": AGREEMENTS_ADD_PERMISSION}


class Answer(Enum):
    ACCEPTED = auto()
    REFUSED = auto()
    STALE = auto()
    FAILED = auto()
    UNCLEAR = auto()
    UNSENT = auto()


@dataclass(frozen=True, slots=True)
class Sent:
    """How a write was answered: FAILED is a 5xx, UNCLEAR no whole answer; either may have been carried out.

    UNSENT surely was not: ConnectWise asked to wait or could not be reached, which ``trouble`` says.
    """

    answer: Answer
    reason: str
    trouble: RateLimited | VendorUnavailable | None = None


@dataclass(slots=True)
class Attempts:
    """What was tried so far for one change."""

    sends: int = 0
    waits: int = 0
    waited_seconds: float = 0.0
    maybe_carried_out: bool = False
    unanswered: str = ""
    """Why one attempt has no answer: it may be carried out late, so nobody can say that it was not."""

    def note(self, sent: Sent) -> None:
        if sent.answer is Answer.UNSENT:
            return
        self.sends += 1
        self.maybe_carried_out = self.maybe_carried_out or sent.answer not in (Answer.STALE, Answer.REFUSED)
        if sent.answer is Answer.UNCLEAR:
            self.unanswered = sent.reason

    def wait_seconds(self, trouble: RateLimited | VendorUnavailable) -> float | None:
        """How long to wait before ConnectWise is asked once more, or None when it is not."""
        doubled_seconds: float = _FIRST_WAIT_SECONDS * 2.0**self.waits
        wait = trouble.wait_seconds if isinstance(trouble, RateLimited) else doubled_seconds
        if self.waits >= WAITS_MAXIMUM or self.waited_seconds + wait > WAIT_BUDGET_SECONDS:
            return None
        self.waits += 1
        self.waited_seconds += wait
        return wait


def send_once(session: ConnectWiseSession, method: str, path: str, body: object) -> Sent:
    """Send a write once. Raises VendorTrouble other than a wait or an outage when it surely was not sent."""
    try:
        reply = session.send(method, path, json_body=body, retry=RetryRule.ONCE)
    except WriteOutcomeUnknown as trouble:
        return Sent(Answer.UNCLEAR if trouble.status is None else Answer.FAILED, trouble.message)
    except ReplyUnreadable as trouble:
        return Sent(Answer.UNCLEAR, trouble.message)
    except UnsafeAddress as trouble:
        return Sent(Answer.REFUSED, trouble.message)
    except (RateLimited, VendorUnavailable) as trouble:
        return Sent(Answer.UNSENT, trouble.message, trouble)
    return _judged(session, method, reply)


def _judged(session: ConnectWiseSession, method: str, reply: HttpReply) -> Sent:
    if reply.succeeded:
        return Sent(Answer.ACCEPTED, f"ConnectWise answered with status {reply.status}")
    said = vendor_message(reply, secrets=session.secrets).sentence()
    if reply.status in (409, 412):
        return Sent(Answer.STALE, f"ConnectWise says the line is being edited: {said} (status {reply.status})")
    meaning = {
        401: "ConnectWise does not accept the credential",
        403: f"the API member's security role lacks {_PERMISSIONS[method]}",
        404: "the line or its agreement is gone",
    }.get(reply.status, "ConnectWise refused the change")
    return Sent(Answer.REFUSED, f"{meaning}: {said} (status {reply.status})")
