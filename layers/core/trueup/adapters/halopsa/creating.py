"""Makes a line that is missing: posts all lines of the invoice with one more, then finds it and reads it back.

A line without an id is a new one (inferred; HaloPSA's own screens post so). Sent once: after an unclear answer the line
is looked for and never sent again blindly. It must not make a second line of a product.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from trueup.adapters.halopsa.catalog import read_item
from trueup.adapters.halopsa.changes import changes_since, newest_change
from trueup.adapters.halopsa.document import Invoice, RawLine
from trueup.adapters.halopsa.judging import differences, live_lines_of, obstacle_of_invoice
from trueup.adapters.halopsa.posting import Answer, Attempts, Sent, post_lines
from trueup.adapters.halopsa.reading import BillingReader, record_id
from trueup.adapters.halopsa.restoring import Aftermath, put_back, put_back_overwritten
from trueup.adapters.halopsa.session import HaloSession
from trueup.adapters.halopsa.wire import ItemWire, plain
from trueup.adapters.halopsa.writing import InvoiceLocks, require_no_day, wait_out_run
from trueup.domain.billing import Line, NewLine, WriteOutcome, WriteResult
from trueup.domain.errors import ResourceAbsent, TrueupError
from trueup.ports.clock import Clock


class LineMaker:
    """The write side for new lines."""

    def __init__(self, session: HaloSession, reader: BillingReader, clock: Clock, locks: InvoiceLocks) -> None:
        self._session = session
        self._reader = reader
        self._clock = clock
        self._locks = locks

    def create_line(self, order: NewLine) -> WriteResult:
        """See PsaLineCreation.create_line. Raises VendorTrouble only when nothing was sent."""
        require_no_day(order.effective)
        record_id(order.agreement_id, "agreement_id")
        item_id = record_id(order.product_id, "product_id")
        with self._locks.held(order.agreement_id):
            newest = newest_change(self._session, int(order.agreement_id))
            try:
                invoice = self._reader.read_invoice(order.agreement_id)
                early = self._decide_before(invoice, order)
                if early is not None:
                    return early
                item = read_item(self._session, item_id)
            except ResourceAbsent as absent:
                return WriteResult(WriteOutcome.REJECTED, f"nothing was sent: {absent.message}")
            return self._make(invoice, order, item, newest)

    def _make(self, invoice: Invoice, order: NewLine, item: ItemWire, newest: int | None) -> WriteResult:
        attempts = Attempts()
        while True:
            if wait_out_run(self._clock, invoice.header, may_raise=True):
                invoice = self._reader.read_invoice(order.agreement_id)
                early = self._decide_before(invoice, order)
                if early is not None:
                    return early
            lines: list[RawLine] = [*invoice.raw_lines, _new_line(invoice, order, item)]
            sent = post_lines(self._session, invoice.header.id, lines)
            attempts.note(sent)
            if sent.answer is Answer.REFUSED:
                return WriteResult(WriteOutcome.REJECTED, sent.reason)
            if sent.trouble is None:
                return self._settled(invoice, order, sent, newest)
            if not attempts.wait(sent.trouble, self._clock):
                raise sent.trouble
            # Surely not carried out: look again, since lines may have come and gone during the wait.
            invoice = self._reader.read_invoice(order.agreement_id)
            early = self._decide_before(invoice, order)
            if early is not None:
                return early

    def _settled(self, before: Invoice, order: NewLine, sent: Sent, newest: int | None) -> WriteResult:
        """What became of the POST, by looking for the line."""
        try:
            after = self._reader.read_invoice(order.agreement_id)
        except TrueupError as trouble:
            reason = f"{sent.reason}; the invoice could not be read back: {trouble.message}"
            return WriteResult(WriteOutcome.UNKNOWN, reason)
        known = {str(raw.get("id")) for raw in before.raw_lines}
        made = [line for line in live_lines_of(after, order.product_id, self._today()) if line.id not in known]
        changes = changes_since(self._session, before.header.id, newest)
        aftermath = Aftermath(made[0].id if made else "", Decimal(order.quantity), changes, sent)
        if differences(before, after, besides=None) and (made or sent.answer is Answer.ACCEPTED):
            return put_back(self._session, self._reader, before, after, aftermath)
        if not made:
            return _not_made(sent)
        line = made[0]
        if line.quantity != order.quantity:
            reason = f"the line was made with {plain(line.quantity)}, not {order.quantity}; look at it in HaloPSA"
            return _named(WriteOutcome.REJECTED, reason, line)
        repaired = put_back_overwritten(self._session, self._reader, after, aftermath)
        made_as = f"made as line {line.id} and read back as {order.quantity}"
        if repaired.alarm:
            return _named(WriteOutcome.UNKNOWN, f"{repaired.alarm}. The line itself was {made_as}.", line)
        return _named(WriteOutcome.APPLIED, "; ".join((made_as, *repaired.notes)), line)

    def _decide_before(self, invoice: Invoice, order: NewLine) -> WriteResult | None:
        """The outcome when nothing is to be sent, else None."""
        if str(invoice.header.client_id) != order.account_id:
            reason = f"the recurring invoice is of client {invoice.header.client_id} now, not {order.account_id}"
            return WriteResult(WriteOutcome.CONFLICT, reason)
        live = live_lines_of(invoice, order.product_id, self._today())
        if live:
            same = next((line for line in live if line.quantity == order.quantity), None)
            if same is not None and len(live) == 1:
                return _named(WriteOutcome.ALREADY, f"line {same.id} bills {order.quantity} already", same)
            reason = f"line {live[0].id} bills this product already, with {plain(live[0].quantity)}"
            return _named(WriteOutcome.CONFLICT, reason, live[0])
        obstacle = obstacle_of_invoice(invoice.header, self._today())
        return None if obstacle is None else WriteResult(WriteOutcome.REJECTED, f"nothing was sent: {obstacle}")

    def _today(self) -> date:
        return self._clock.now().date()


def _new_line(invoice: Invoice, order: NewLine, item: ItemWire) -> dict[str, object]:
    """A plain line of the item at the item's own price: whether HaloPSA would fill the price in is not documented."""
    sequence = [value for raw in invoice.raw_lines if isinstance(value := raw.get("sequenceid"), int)]
    line: dict[str, object] = {
        "ihid": invoice.header.id,
        "_itemid": item.id,
        "item_code": item.name,
        "item_shortdescription": item.description or item.name,
        "qty_order": order.quantity,
        "unit_price": item.price(),
        "unit_cost": item.product(inactive=False).cost,
        "recurring_invoice_quantity_type": 0,
        "sequenceid": max(sequence, default=0) + 1,
    }
    return {name: value for name, value in line.items() if value is not None}


def _not_made(sent: Sent) -> WriteResult:
    if sent.answer is Answer.UNCLEAR:
        reason = f"{sent.reason}; the line was not there right after, and may still be made"
        return WriteResult(WriteOutcome.UNKNOWN, reason)
    if sent.answer is Answer.ACCEPTED:
        return WriteResult(WriteOutcome.REJECTED, "HaloPSA accepted the line but it is not there")
    return WriteResult(WriteOutcome.REJECTED, f"{sent.reason}; the line is not there")


def _named(outcome: WriteOutcome, reason: str, line: Line) -> WriteResult:
    return WriteResult(outcome, reason, quantity_seen=line.quantity, version_seen=line.version, line_id=line.id)
