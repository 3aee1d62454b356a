"""Whether an approved quantity may be written to a line as it is right now: one set of rules for every PSA.

An adapter reads the line, asks here, and only then sends anything; after sending it reads the line again. What is never
done here: a call, a look at the clock, or a rule that one PSA alone has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trueup.domain.billing import (
    Agreement,
    AgreementState,
    Line,
    LineId,
    LineState,
    ProductId,
    WriteOutcome,
    WriteResult,
)
from trueup.domain.canonical import decimal_text


@dataclass(frozen=True, slots=True)
class Wish:
    """What was approved: from ``expected`` at ``version`` (empty: any) to ``target``, on a line of that product (None:
    any).
    """

    expected: Decimal
    version: str
    target: Decimal
    product_id: ProductId | None

    def still_holds(self, line: Line) -> bool:
        """Whether the line is what it was when the change was approved."""
        return line.quantity == self.expected and self.has_version(line) and self.is_for(line)

    def has_version(self, line: Line) -> bool:
        """Whether nobody has edited the line; an adapter whose versions say more than equal or not overrides this."""
        return self.version in ("", line.version)

    def is_for(self, line: Line) -> bool:
        return self.product_id in (None, line.product_id)

    def moved(self, line: Line) -> str:
        """In what the line is not what was approved."""
        if not self.is_for(line):
            return f"the line bills product {line.product_code} ({line.product_id}) now, not {self.product_id}"
        if line.quantity != self.expected:
            found, before = decimal_text(line.quantity), decimal_text(self.expected)
            return f"the line has {found}; the change was approved from {before}"
        return self.edited(line)

    def edited(self, line: Line) -> str:
        """The sentence for a line that was edited without its quantity moving."""
        return f"the line was edited after it was read for the plan: at {line.version} now, at {self.version} then"


def decide_before(state: LineState, wish: Wish, today: date) -> WriteResult | None:
    """The outcome when nothing is to be sent, else None.

    A line that has the target already needs nothing; one that is not what was approved is somebody else's business now;
    one that does not bill today, or that a program may not write, is refused.
    """
    line = state.line
    if not wish.is_for(line):
        return result_of(WriteOutcome.CONFLICT, wish.moved(line), line)
    if line.quantity == wish.target:
        return result_of(WriteOutcome.ALREADY, f"the line already has {decimal_text(wish.target)}", line)
    if not wish.still_holds(line):
        return result_of(WriteOutcome.CONFLICT, wish.moved(line), line)
    obstacle = obstacle_of(state, today)
    return None if obstacle is None else result_of(WriteOutcome.REJECTED, f"nothing was sent: {obstacle}", line)


def obstacle_of(state: LineState, today: date) -> str | None:
    """Why a program may not write this line today, or None."""
    line = state.line
    closed = obstacle_of_agreement(state.agreement, today)
    if closed is not None:
        return closed
    if line.is_future(today):
        return f"the line does not bill before {line.effective_from}"
    if not line.is_live(today):
        return f"the line ended on {line.effective_to}"
    return line.not_writable_reason


def obstacle_of_agreement(agreement: Agreement, today: date) -> str | None:
    """Why nothing may be written to any line of this agreement today, or None."""
    if agreement.ends_on is not None and agreement.ends_on < today:
        return f"the agreement ended on {agreement.ends_on.isoformat()}"
    if agreement.state is not AgreementState.ACTIVE:
        return f"the agreement is {agreement.state.value}, not active"
    return None


def twin_of(line: Line, beside: Iterable[Line], siblings: Collection[LineId], today: date) -> WriteResult | None:
    """A refusal when another live line of the agreement bills the same product and nobody divided the seats among them:
    nobody can say then which of the two the change is for.
    """
    for other in beside:
        same = other.agreement_id == line.agreement_id and other.product_id == line.product_id
        if same and other.id != line.id and other.id not in siblings and other.is_live(today):
            reason = f"nothing was sent: line {other.id} of the agreement bills the same product; end all but one"
            return result_of(WriteOutcome.REJECTED, reason, line)
    return None


def result_of(outcome: WriteOutcome, reason: str, line: Line) -> WriteResult:
    """The outcome with the line as it was last seen."""
    return WriteResult(outcome, reason, quantity_seen=line.quantity, version_seen=line.version)
