"""Decides about a write from what was read before and after it. Nothing here makes a call."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from trueup.adapters.halopsa.document import Invoice, RawLine
from trueup.adapters.halopsa.versions import is_same_version
from trueup.adapters.halopsa.wire import InvoiceWire, is_text_line, plain
from trueup.domain import line_writes
from trueup.domain.billing import Line, LineId, LineReference, LineState, ProductId, WriteOutcome, WriteResult
from trueup.domain.line_writes import obstacle_of_agreement, result_of, twin_of

RUN_MARGIN: Final = timedelta(minutes=15)
"""How long before and after ``nextcreationdate`` nothing is written: HaloPSA may be making the invoice just then. When
exactly its run comes is not documented."""

SETTLED_APPROVAL_STATUSES: Final = frozenset({None, 0})
"""The one number that was seen on recurring invoices that nobody had to decide about; the others are not documented, so
any of them counts as pending."""

_GUARDED_FIELDS: Final = (
    "_itemid",
    "item_code",
    "item_shortdescription",
    "qty_order",
    "unit_price",
    "unit_cost",
    "tax_code",
    "discount_perc",
    "startdate",
    "enddate",
    "isinactive",
    "onetimecharge",
    "group_id",
    "contract_id",
    "recurring_invoice_quantity_type",
    "prorata_data",
    "quantity_users",
    "quantity_assets",
    "quantity_licences",
    "quantity_subscriptions",
)
"""What a line bills. Amounts that HaloPSA works out, and fields that are only shown, may differ after a save."""

_WORKED_OUT: Final = frozenset({"qty_order", "unit_price", "unit_cost", *_GUARDED_FIELDS[-4:]})
"""What may move on a calculated line without anybody having touched it."""


@dataclass(frozen=True, slots=True)
class Wish(line_writes.Wish):
    """What was approved for that line, beside the ``siblings`` that a person divided the seats among."""

    reference: LineReference
    siblings: frozenset[LineId]

    def has_version(self, line: Line) -> bool:
        return not self.version or is_same_version(self.version, line.version)

    def edited(self, line: Line) -> str:
        # A version is a digest of each field, which tells a person nothing.
        return f"line {line.id} was edited in its item, price, text or dates after it was read for the plan"


@dataclass(frozen=True, slots=True)
class Difference:
    """A line that is not as it was: gone, or with other values in ``fields``."""

    line_id: str
    product: str
    fields: tuple[str, ...] = ()
    before: str = ""
    after: str = ""

    @property
    def is_gone(self) -> bool:
        return not self.fields

    def sentence(self) -> str:
        if self.is_gone:
            return f"line {self.line_id} ({self.product}, quantity {self.before}) is gone"
        moved = f" from {self.before} to {self.after}" if "qty_order" in self.fields else ""
        return f"line {self.line_id} ({self.product}) changed in {', '.join(self.fields)}{moved}"


def decide_before(invoice: Invoice, wish: Wish, now: datetime) -> WriteResult | None:
    """The outcome when nothing is to be sent, else None: the rules of every PSA, and those of a recurring invoice."""
    line, today = invoice.line(wish.reference.line_id), now.date()
    if line is None:
        reason = f"the line is gone: recurring invoice {invoice.header.id} has no line {wish.reference.line_id}"
        return WriteResult(WriteOutcome.REJECTED, reason)
    early = line_writes.decide_before(LineState(line, invoice.header.agreement(today), now), wish, today)
    if early is not None:
        return early
    obstacle = obstacle_of_invoice(invoice.header, today)
    if obstacle is not None:
        return result_of(WriteOutcome.REJECTED, f"nothing was sent: {obstacle}", line)
    return twin_of(line, invoice.lines(), wish.siblings, today)


def obstacle_of_invoice(header: InvoiceWire, today: date) -> str | None:
    """Why a program may not write to this recurring invoice today, or None."""
    if header.reviewrequired:
        return "the recurring invoice waits for a review in HaloPSA"
    if header.approval_status not in SETTLED_APPROVAL_STATUSES:
        return f"the recurring invoice waits for an approval in HaloPSA (approval status {header.approval_status})"
    return obstacle_of_agreement(header.agreement(today), today)


def live_lines_of(invoice: Invoice, product_id: ProductId, today: date) -> list[Line]:
    """The lines of the product that bill on that day."""
    return [one for one in invoice.lines() if one.product_id == product_id and one.is_live(today)]


def run_wait(header: InvoiceWire, now: datetime) -> timedelta:
    """How long to wait because HaloPSA may be making the invoice; zero outside that time or when it is made."""
    due = header.nextcreationdate
    if due is None or not due - RUN_MARGIN <= now < due + RUN_MARGIN:
        return timedelta()
    if header.lastcreated is not None and header.lastcreated >= due:
        return timedelta()
    return due + RUN_MARGIN - now


def with_quantity(raw: RawLine, target: Decimal) -> dict[str, object]:
    """The line as it came with another quantity. Amounts stay as read: HaloPSA works them out (assumed; checked)."""
    return {**raw, "qty_order": int(target) if target == target.to_integral_value() else target}


def differences(before: Invoice, after: Invoice, *, besides: str | None) -> tuple[Difference, ...]:
    """What moved or went, but for the quantity of the line ``besides``."""
    found = []
    for raw in before.raw_lines:
        line_id = str(raw.get("id"))
        now = after.raw(line_id)
        product = str(raw.get("item_code") or raw.get("item_shortdescription") or "no item")[:80]
        quantity = _shown(raw.get("qty_order"))
        if now is None:
            found.append(Difference(line_id, product, before=quantity))
            continue
        fields = tuple(name for name in _compared(before, raw, line_id == besides) if not _same(raw, now, name))
        if fields:
            found.append(Difference(line_id, product, fields, quantity, _shown(now.get("qty_order"))))
    return tuple(found)


def is_like(raw: RawLine, other: RawLine) -> bool:
    """Whether two lines bill the same, whatever their ids."""
    return all(_same(raw, other, name) for name in _GUARDED_FIELDS if name not in _WORKED_OUT or name == "qty_order")


def _compared(invoice: Invoice, raw: RawLine, is_target: bool) -> list[str]:
    skipped: Collection[str] = ("qty_order",) if is_target else ()
    if not is_text_line(raw) and invoice.wire(raw).counts_itself():
        skipped = _WORKED_OUT
    return [name for name in _GUARDED_FIELDS if name not in skipped]


def _same(one: RawLine, other: RawLine, name: str) -> bool:
    return _meaning(one.get(name)) == _meaning(other.get(name))


def _meaning(value: object) -> object:
    """Nothing at all and an empty list or text are the same; pro-rata and counted entries compare by their values."""
    if isinstance(value, Mapping):
        return {name: _meaning(one) for name, one in value.items() if _meaning(one) is not None}
    if isinstance(value, list | tuple):
        return [_meaning(one) for one in value] or None
    return None if value == "" else value


def amount_problem(before: Invoice, after: Invoice, line_id: str) -> str:
    """A sentence when the line's amount does not follow its quantity although it did before; else empty."""
    old, new = before.raw(line_id), after.raw(line_id)
    if old is None or new is None or not _amount_follows(old) or _amount_follows(new):
        return ""
    return (
        f"ALARM: HaloPSA shows the amount {_shown(new.get('net_amount'))} on line {line_id} for a quantity of "
        f"{_shown(new.get('qty_order'))} at {_shown(new.get('unit_price'))}; look at the invoice in HaloPSA"
    )


def _amount_follows(raw: RawLine) -> bool:
    values = [raw.get(name) for name in ("qty_order", "unit_price", "net_amount")]
    numbers = [Decimal(value) for value in values if isinstance(value, int | Decimal) and not isinstance(value, bool)]
    if len(numbers) != len(values):
        return False
    quantity, price, amount = numbers
    return abs(quantity * price - amount) < Decimal("0.01")


def _shown(value: object) -> str:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return plain(Decimal(value))
    return "nothing" if value is None else "no number"
