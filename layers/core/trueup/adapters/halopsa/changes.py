"""HaloPSA's own record of who changed what on an invoice, read before and after a write.

Posting all lines overwrites what somebody else saved between our reading and our posting, and reading back cannot show
it. HaloPSA's record can: in one save of ours it holds a second line that went back to what we had read. The route is in
the published description and was seen to work; whether it is an array or wrapped is unverified, so both are read. What
cannot be read here never stops a write; it is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final

from trueup.adapters.halopsa.session import HaloSession
from trueup.adapters.halopsa.wire import ChangeWire, parse
from trueup.adapters.http import RetryRule
from trueup.domain.errors import VendorTrouble

CHANGES_PATH: Final = "/InvoiceChange"
ROWS_MAXIMUM: Final = 200
QUANTITY_FIELD: Final = "qty_order"


@dataclass(frozen=True, slots=True)
class ChangesSince:
    """The rows that were not there before, oldest first. ``is_known`` is False when the record could not be read."""

    rows: tuple[ChangeWire, ...] = ()
    is_known: bool = True

    def ours(self, line_id: str, target: Decimal) -> ChangeWire | None:
        """The row of our own write, or None when the record shows none."""
        return next(
            (
                row
                for row in reversed(self.rows)
                if str(row.invoice_line_id) == line_id and number_of(row.new_value) == target
            ),
            None,
        )

    def nobody_after(self, ours: ChangeWire) -> bool:
        """Whether our own save is the last that the record knows of."""
        return self.is_known and all(row.who == ours.who for row in self.rows if row.id >= ours.id)

    def overwritten(self, ours: ChangeWire, line_id: str) -> tuple[ChangeWire, ...]:
        """What our save put back on other lines: rows of ours that undo an earlier row of the same field.

        Whose that earlier row is does not matter: it may be a person's, or that of another process of Trueup.
        """
        return tuple(
            row
            for row in self.rows
            if row.who == ours.who
            and str(row.invoice_line_id) != line_id
            and any(earlier.id < row.id and _undoes(row, earlier) for earlier in self.rows)
        )


def _undoes(row: ChangeWire, earlier: ChangeWire) -> bool:
    return (
        row.invoice_line_id == earlier.invoice_line_id
        and _value(row.new_value) == _value(earlier.old_value)
        and _value(row.old_value) == _value(earlier.new_value)
    )


def _value(text: str) -> Decimal | str:
    number = number_of(text)
    return text.strip() if number is None else number


def newest_change(session: HaloSession, invoice_id: int) -> int | None:
    """The id of the last row there is, 0 for none, None when the record cannot be read."""
    rows = _rows(session, invoice_id)
    return None if rows is None else max((row.id for row in rows), default=0)


def changes_since(session: HaloSession, invoice_id: int, newest: int | None) -> ChangesSince:
    """The rows after ``newest``; unknown when either reading failed."""
    rows = None if newest is None else _rows(session, invoice_id)
    if rows is None or newest is None:
        return ChangesSince(is_known=False)
    return ChangesSince(tuple(sorted((row for row in rows if row.id > newest), key=lambda row: row.id)))


def number_of(text: str) -> Decimal | None:
    """A value of the record as a number, or None when it is none."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _rows(session: HaloSession, invoice_id: int) -> list[ChangeWire] | None:
    try:
        reply = session.send(
            "GET",
            CHANGES_PATH,
            query=(
                ("invoice_id", str(invoice_id)),
                ("count", str(ROWS_MAXIMUM)),
                ("order", "id"),
                ("orderdesc", "true"),
            ),
            retry=RetryRule.NEVER,
        )
        document = reply.json() if reply.status == 200 else None
        found: object = document
        if isinstance(document, Mapping):
            found = next((value for value in document.values() if isinstance(value, list)), None)
        if not isinstance(found, list):
            return None
        rows = [parse(ChangeWire, row, source="reading changes") for row in found]
    except VendorTrouble:
        return None
    return [row for row in rows if row.invoice_id in (None, invoice_id)]
