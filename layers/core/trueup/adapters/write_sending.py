"""Sends one write once, says how it was answered, and for how long a change may wait for a PSA to take it at all.

The same for every PSA; the words for its statuses are the adapter's. Whether to send again is for the caller, who looks
at the records first. It must never repeat anything by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Final

from trueup.adapters.http import HttpReply
from trueup.domain.billing import Line, WriteOutcome, WriteResult
from trueup.domain.canonical import decimal_text
from trueup.domain.errors import (
    RateLimited,
    ReplyUnreadable,
    UnsafeAddress,
    VendorUnavailable,
    WriteOutcomeUnknown,
)
from trueup.domain.line_writes import Wish, result_of
from trueup.ports.clock import Clock

WAITS_MAXIMUM: Final = 4
WAIT_BUDGET_SECONDS: Final = 60.0
"""How often and how long one change waits for a PSA to take a write at all; beyond it the caller waits."""


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

    STALE and REFUSED surely were not. UNSENT surely was not either: the PSA asked to wait or could not be reached,
    which ``trouble`` says. ``edited_at`` is the record's mark of its last edit, where the answer gives one.
    """

    answer: Answer
    reason: str
    trouble: RateLimited | VendorUnavailable | None = None
    edited_at: datetime | None = None


@dataclass(slots=True)
class Attempts:
    """What was tried so far for one change. ``first_wait_seconds`` doubles with every wait where the PSA names none."""

    first_wait_seconds: float = 0.5
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
        """Wait before the PSA is asked once more; False, without a wait, when it is to be asked no more."""
        doubled_seconds: float = self.first_wait_seconds * 2.0**self.waits
        seconds = trouble.wait_seconds if isinstance(trouble, RateLimited) else doubled_seconds
        if self.waits >= WAITS_MAXIMUM or self.waited_seconds + seconds > WAIT_BUDGET_SECONDS:
            return False
        self.waits += 1
        self.waited_seconds += seconds
        clock.sleep(seconds)
        return True


@dataclass(frozen=True, slots=True)
class AnswerWords:
    """How the answers of one PSA to one kind of write read.

    ``meanings`` says what a status means there. ``edited`` names what somebody is editing when it answers 409 or 412;
    empty where a PSA is not known to answer so, and these are refusals like any other.
    """

    psa: str
    meanings: Mapping[int, str]
    edited: str = ""


def send_once(send: Callable[[], HttpReply], judge: Callable[[HttpReply], Sent]) -> Sent:
    """Send a write once. Raises VendorTrouble other than a wait or an outage when it surely was not sent.

    ``send`` makes the one call, under a rule that does not repeat it, and ``judge`` reads a whole answer.
    """
    try:
        reply = send()
    except WriteOutcomeUnknown as trouble:
        return Sent(Answer.UNCLEAR if trouble.status is None else Answer.FAILED, trouble.message)
    except ReplyUnreadable as trouble:
        return Sent(Answer.UNCLEAR, trouble.message)
    except UnsafeAddress as trouble:
        return Sent(Answer.REFUSED, trouble.message)
    except (RateLimited, VendorUnavailable) as trouble:
        return Sent(Answer.UNSENT, trouble.message, trouble)
    return judge(reply)


def judged(reply: HttpReply, words: AnswerWords, said_by: Callable[[HttpReply], str]) -> Sent:
    """What a whole answer means. ``said_by`` gives the PSA's own words in it, short, printable and without secrets."""
    if reply.succeeded:
        return Sent(Answer.ACCEPTED, f"{words.psa} answered with status {reply.status}")
    said = f"{said_by(reply)} (status {reply.status})"
    if words.edited and reply.status in (409, 412):
        return Sent(Answer.STALE, f"{words.psa} says {words.edited} is being edited: {said}")
    meaning = words.meanings.get(reply.status, f"{words.psa} refused the change")
    return Sent(Answer.REFUSED, f"{meaning}: {said}")


def refused(sent: Sent, attempts: Attempts, line: Line | None) -> WriteResult:
    """A refusal is final, unless an attempt before it may still be carried out."""
    if attempts.unanswered:
        reason = f"{sent.reason}; an earlier attempt was not answered and may still be carried out"
        return _with_line(WriteOutcome.UNKNOWN, reason, line)
    return _with_line(WriteOutcome.REJECTED, sent.reason, line)


def waited_in_vain(sent: Sent, line: Line | None) -> WriteResult:
    """The PSA takes no further attempt, and one before may have been carried out."""
    return _with_line(WriteOutcome.UNKNOWN, f"an earlier attempt was not answered; now: {sent.reason}", line)


def given_up(sent: Sent, attempts: Attempts, line: Line | None) -> WriteResult:
    """Every attempt failed and the line still is what it was."""
    if attempts.unanswered:
        reason = f"{attempts.unanswered}; the line was still unchanged right after"
        return _with_line(WriteOutcome.UNKNOWN, reason, line)
    if sent.answer is Answer.STALE:
        return _with_line(WriteOutcome.CONFLICT, sent.reason, line)
    return _with_line(WriteOutcome.REJECTED, f"{sent.reason}; the line is unchanged", line)


def not_taken_over(psa: str, wish: Wish, line: Line) -> str:
    """Why a write that was accepted counts as none: the line read back shows another quantity."""
    found, wanted = decimal_text(line.quantity), decimal_text(wish.target)
    if line.quantity == wish.expected:
        return f"{psa} accepted {wanted} but the line still has {found}"
    return (
        f"{psa} accepted {wanted} but the line now has {found}: "
        "a rule of the PSA changed the value, or somebody edited it at that moment"
    )


def _with_line(outcome: WriteOutcome, reason: str, line: Line | None) -> WriteResult:
    return WriteResult(outcome, reason) if line is None else result_of(outcome, reason, line)
