"""Joins a contract service with its units by period to one line, as it bills on one day and as it is set to bill later.

Units are told for each period, with a row of its own from where an adjustment takes effect. What no row says is never a
zero that bills: a service without units on the day in question has ended, has not begun, or bills nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from trueup.adapters.autotask.wire import INTEGRATION, ContractServiceWire, UnitsWire
from trueup.domain.billing import Agreement, Line, LineId, ProductId, QuantityStep
from trueup.domain.canonical import decimal_text
from trueup.domain.errors import ReplyUnreadable

NO_UNITS_REASON: Final = "Autotask has no units of this contract service in any period"
GAP_REASON: Final = "Autotask has units of this contract service before and after, but none on"
POSTED_REASON: Final = "its billing period is approved and posted already, and Autotask changes no posted period"

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Days:
    """The MSP's day today, and the first of its next billing month, from when a change of today counts."""

    today: date
    counts_from: date


def rows_in_order(rows: Iterable[UnitsWire], service: ContractServiceWire) -> tuple[UnitsWire, ...]:
    """The rows of one contract service by day. Raises ReplyUnreadable when two of them say something of one day."""
    ordered = tuple(sorted((row for row in rows if row.contractServiceID == service.id), key=lambda row: row.startDate))
    for row, following in zip(ordered, ordered[1:], strict=False):
        if row.endDate >= following.startDate:
            raise ReplyUnreadable(
                f"Autotask tells two numbers of units of contract service {service.id} for {following.startDate}",
                integration=INTEGRATION,
            )
    for row in ordered:
        if row.endDate < row.startDate or row.contractID != service.contractID:
            raise ReplyUnreadable(
                f"Autotask tells units of contract service {service.id} that cannot be its own", integration=INTEGRATION
            )
    return ordered


def row_on(rows: Sequence[UnitsWire], day: date) -> UnitsWire | None:
    """The row that says how many units there are on a day."""
    return next((row for row in rows if row.holds(day)), None)


def line_of(
    service: ContractServiceWire, rows: Sequence[UnitsWire], agreement: Agreement, *, product_code: str, days: Days
) -> Line:
    """The line as it will bill from ``days.counts_from``; ``rows`` are in order and cover today and later."""
    found = row_on(rows, days.counts_from)
    before = [row for row in rows if row.endDate < days.counts_from]
    after = [row for row in rows if row.startDate > days.counts_from]
    shown = found or (before[-1] if before else after[0] if after else None)
    price = service.unitPrice if service.adjustedPrice is None else service.adjustedPrice
    line = Line(
        id=LineId(str(service.id)),
        agreement_id=agreement.id,
        account_id=agreement.account_id,
        product_id=ProductId(str(service.serviceID)),
        product_code=product_code,
        description=service.invoiceDescription or service.internalDescription,
        quantity=shown.units if shown is not None else Decimal(0),
        version=shown.version if shown is not None else "",
        unit_price=price,
        unit_cost=service.unitCost,
        # A price of nothing is the only way in which a contract service can be one that is not billed.
        billable=price != 0,
        steps=_steps(rows, days.today),
    )
    if shown is None:
        # Ended on the day it began: it bills on no day, and nobody is told that it will.
        never = agreement.starts_on or days.today
        return replace(line, effective_from=never, effective_to=never, not_writable_reason=NO_UNITS_REASON)
    begins = rows[0].startDate if rows[0].startDate > days.today else None
    if found is not None:
        return replace(line, effective_from=begins)
    if before and after:
        reason = f"{GAP_REASON} {days.counts_from}"
        return replace(line, effective_from=begins, effective_to=before[-1].endDate + _DAY, not_writable_reason=reason)
    if before:
        return replace(line, effective_from=begins, effective_to=before[-1].endDate + _DAY)
    return replace(line, effective_from=begins)


def later_units(rows: Sequence[UnitsWire], day: date) -> str:
    """In words, the units of periods after the one of a day, where they differ from its own; empty when none do."""
    at = row_on(rows, day)
    later = [row for row in rows if row.startDate > day]
    if at is None or all(row.units == at.units for row in later):
        return ""
    steps = _collapsed([at, *later])[1:]
    return ", ".join(f"{decimal_text(step.quantity)} from {step.starts_on}" for step in steps)


def _steps(rows: Sequence[UnitsWire], today: date) -> tuple[QuantityStep, ...]:
    """The quantities from today on, where there is more than one."""
    steps = _collapsed([row for row in rows if row.endDate >= today])
    return steps if len(steps) > 1 else ()


def _collapsed(rows: Sequence[UnitsWire]) -> tuple[QuantityStep, ...]:
    """Periods with equal units one after another as one step."""
    steps: list[QuantityStep] = []
    for row in rows:
        if not steps or steps[-1].quantity != row.units:
            steps.append(QuantityStep(row.startDate, row.units))
    return tuple(steps)
