"""Sends a whole recurring invoice back once, and says how that was answered. It must not send anything twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final

from trueup.adapters.halopsa.document import RawLine, posted
from trueup.adapters.halopsa.replies import INVOICES_EDIT_PERMISSION, said_by
from trueup.adapters.halopsa.session import HaloSession
from trueup.adapters.halopsa.wire import InvoiceWire, parse
from trueup.adapters.http import HttpReply, RetryRule
from trueup.domain.errors import (
    RateLimited,
    ReplyUnreadable,
    UnsafeAddress,
    VendorUnavailable,
    WriteOutcomeUnknown,
)
from trueup.ports.clock import Clock

SENDS_MAXIMUM: Final = 2
"""The first POST and one more: after an unclear answer, with the line unchanged between."""

WAITS_MAXIMUM: Final = 4
WAIT_BUDGET_SECONDS: Final = 60.0
"""How often and how long one change waits for HaloPSA to take a POST at all; beyond it the caller waits."""

_FIRST_WAIT_SECONDS = 2.0
"""HaloPSA's 429 has been seen without a word of how long to wait; others begin with five seconds."""


class Answer(Enum):
    ACCEPTED = auto()
    REFUSED = auto()
    STALE = auto()
    FAILED = auto()
    UNCLEAR = auto()
    UNSENT = auto()


@dataclass(frozen=True, slots=True)
class Sent:
    """How a POST was answered: FAILED is a 5xx, UNCLEAR no whole answer; either may have been carried out.

    UNSENT surely was not: HaloPSA asked to wait or could not be reached, which ``trouble`` says. ``edited_at`` is the
    invoice's mark of the last edit in the answer, where it gives one.
    """

    answer: Answer
    reason: str
    trouble: RateLimited | VendorUnavailable | None = None
    edited_at: datetime | None = None


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

    def wait(self, trouble: RateLimited | VendorUnavailable, clock: Clock) -> bool:
        """Wait before HaloPSA is asked once more; False when it is to be asked no more."""
        doubled_seconds: float = _FIRST_WAIT_SECONDS * 2.0**self.waits
        seconds = trouble.wait_seconds if isinstance(trouble, RateLimited) else doubled_seconds
        if self.waits >= WAITS_MAXIMUM or self.waited_seconds + seconds > WAIT_BUDGET_SECONDS:
            return False
        self.waits += 1
        self.waited_seconds += seconds
        clock.sleep(seconds)
        return True


def post_lines(session: HaloSession, invoice_id: int, lines: Sequence[RawLine]) -> Sent:
    """Send all lines once. Raises VendorTrouble other than a wait or an outage when it surely was not sent."""
    body = posted(invoice_id, lines)
    try:
        reply = session.send("POST", "/RecurringInvoice", json_body=body, retry=RetryRule.ONCE)
    except WriteOutcomeUnknown as trouble:
        return Sent(Answer.UNCLEAR if trouble.status is None else Answer.FAILED, trouble.message)
    except ReplyUnreadable as trouble:
        return Sent(Answer.UNCLEAR, trouble.message)
    except UnsafeAddress as trouble:
        return Sent(Answer.REFUSED, trouble.message)
    except (RateLimited, VendorUnavailable) as trouble:
        return Sent(Answer.UNSENT, trouble.message, trouble)
    return _judged(session, reply, invoice_id)


def _judged(session: HaloSession, reply: HttpReply, invoice_id: int) -> Sent:
    if reply.succeeded:
        return Sent(
            Answer.ACCEPTED, f"HaloPSA answered with status {reply.status}", edited_at=_edited_at(reply, invoice_id)
        )
    said = said_by(reply, secrets=session.secrets)
    if reply.status in (409, 412):
        return Sent(Answer.STALE, f"HaloPSA says the invoice is being edited: {said} (status {reply.status})")
    meaning = {
        401: "HaloPSA does not accept the credential",
        403: f"the application or its agent lacks {INVOICES_EDIT_PERMISSION}",
        404: "the recurring invoice is gone",
    }.get(reply.status, "HaloPSA refused the change")
    return Sent(Answer.REFUSED, f"{meaning}: {said} (status {reply.status})")


def _edited_at(reply: HttpReply, invoice_id: int) -> datetime | None:
    """The mark of the last edit in the answer, which is the header, alone or in an array; None when it shows none."""
    try:
        document = reply.json()
        first = document[0] if isinstance(document, list) and len(document) == 1 else document
        if not isinstance(first, Mapping):
            return None
        header = parse(InvoiceWire, first, source="the answer to a write")
    except ReplyUnreadable:
        return None
    return header.last_modified if header.id == invoice_id else None
