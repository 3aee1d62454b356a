"""Puts right what a whole-document write did besides its purpose, and says loudly what it found.

Two things can happen: HaloPSA drops or changes a line that was posted as it was read, or the POST overwrites what
somebody saved between our reading and our posting. Either is put right by posting once more, but only while nobody else
has edited the invoice since; else it is only told. It must never overwrite an edit it did not see.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from trueup.adapters.halopsa.changes import QUANTITY_FIELD, ChangesSince, changes_since, number_of
from trueup.adapters.halopsa.document import Invoice, RawLine
from trueup.adapters.halopsa.judging import Difference, differences, is_like, with_quantity
from trueup.adapters.halopsa.posting import Answer, Sent, post_lines
from trueup.adapters.halopsa.reading import BillingReader
from trueup.adapters.halopsa.session import HaloSession
from trueup.adapters.halopsa.wire import ChangeWire, is_text_line, plain
from trueup.domain.billing import WriteOutcome, WriteResult
from trueup.domain.errors import TrueupError

ALARM: Final = "ALARM"
LOOK: Final = "look at the recurring invoice in HaloPSA before anything else is written to it"
UNCHECKED_NOTE: Final = (
    "HaloPSA's record of changes could not be read, so an edit that somebody saved in that very moment cannot be ruled "
    "out"
)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is known after a write: what was written, the changes HaloPSA recorded since, how the POST was answered."""

    line_id: str
    target: Decimal
    changes: ChangesSince
    sent: Sent | None

    def is_last_edit(self, after: Invoice) -> bool:
        """Whether our own save is the last edit of the invoice: by its mark in the answer, else by the record.

        A mark in an answer may be finer than the one that is stored (databases round), so a mark that is off by less
        than a second counts where the record knows of nobody else.
        """
        ours = self.changes.ours(self.line_id, self.target)
        is_last_recorded = ours is not None and self.changes.nobody_after(ours)
        answered = self.sent.edited_at if self.sent is not None else None
        stored = after.header.last_modified
        if answered is None or answered == stored:
            return is_last_recorded or answered is not None
        return is_last_recorded and stored is not None and abs(stored - answered) < timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Repaired:
    """What putting back an overwritten edit came to: an alarm for a person, or notes when all is well."""

    alarm: str = ""
    notes: tuple[str, ...] = ()


def put_back(
    session: HaloSession, reader: BillingReader, before: Invoice, after: Invoice, aftermath: Aftermath
) -> WriteResult:
    """Post what was read before the write, when our save is the last edit; the result says what happened.

    REJECTED when the invoice is as it was read again, UNKNOWN when it is not or must not be touched.
    """
    found = differences(before, after, besides=aftermath.line_id)
    said = f"{ALARM}: after posting all lines of recurring invoice {before.header.id}, " + " and ".join(
        difference.sentence() for difference in found
    )
    if not aftermath.is_last_edit(after):
        return _unknown(
            after, aftermath, f"{said}. Somebody else has edited the invoice since, so nothing was put back; {LOOK}."
        )
    problem, restored = _post_and_read(session, reader, before.header.id, _lines_to_restore(before, found))
    if restored is None:
        return _unknown(after, aftermath, f"{said}. Putting the invoice back failed: {problem}; {LOOK}.")
    left = _left_after_restoring(before, restored, found)
    if left:
        still = " and ".join(difference.sentence() for difference in left)
        return _unknown(restored, aftermath, f"{said}. After putting it back, {still}; {LOOK}.")
    made = _made_again(before, restored, found)
    line = restored.line(aftermath.line_id)
    return WriteResult(
        WriteOutcome.REJECTED,
        f"{said}. The invoice was put back as it was read{made}, and the change was not made; {LOOK}.",
        quantity_seen=line.quantity if line else None,
        version_seen=line.version if line else None,
    )


def alarm_of_lost_lines(before: Invoice, after: Invoice, line_id: str, sent: Sent) -> WriteResult | None:
    """UNKNOWN when lines are gone after a POST that failed or was not answered and did not reach its target; else None.

    Whether the POST took them or a person did cannot be told then, so nothing is put back and nothing is sent again.
    """
    gone = [difference for difference in differences(before, after, besides=line_id) if difference.is_gone]
    if not gone:
        return None
    said = " and ".join(difference.sentence() for difference in gone)
    reason = f"{ALARM}: {sent.reason}, and in recurring invoice {before.header.id} {said}; {LOOK}"
    line = after.line(line_id)
    return WriteResult(
        WriteOutcome.UNKNOWN,
        reason,
        quantity_seen=line.quantity if line else None,
        version_seen=line.version if line else None,
    )


def put_back_overwritten(session: HaloSession, reader: BillingReader, after: Invoice, aftermath: Aftermath) -> Repaired:
    """Give back the quantities that somebody saved on other lines in the moment before our POST overwrote them."""
    if not aftermath.changes.is_known:
        return Repaired(notes=(UNCHECKED_NOTE,))
    ours = aftermath.changes.ours(aftermath.line_id, aftermath.target)
    if ours is None:
        return Repaired(notes=(UNCHECKED_NOTE.replace("could not be read", "does not show this write"),))
    lost = [row for row in aftermath.changes.overwritten(ours, aftermath.line_id) if not _counts_itself(after, row)]
    if not lost:
        return Repaired()
    said = f"{ALARM}: this write overwrote what somebody else had just saved: " + " and ".join(map(_told, lost))
    quantities = _quantities(lost)
    if quantities is None or not aftermath.is_last_edit(after):
        return Repaired(alarm=f"{said}; it was not given back, {LOOK}")
    lines = [
        with_quantity(raw, quantities[str(raw.get("id"))]) if str(raw.get("id")) in quantities else raw
        for raw in after.raw_lines
    ]
    problem, now = _post_and_read(session, reader, after.header.id, lines)
    wrong = now is None or any(_quantity(now, line_id) != wanted for line_id, wanted in quantities.items())
    others = () if now is None else differences(after, now, besides=None)
    if wrong or any(one.line_id not in quantities for one in others):
        return Repaired(alarm=f"{said}; giving it back failed: {problem or 'the invoice reads otherwise'}, {LOOK}")
    newest = max(row.id for row in aftermath.changes.rows)
    later = changes_since(session, after.header.id, newest)
    if not later.is_known or any(_is_anothers(row, ours, quantities, now) for row in later.rows):
        # Giving it back posted all lines too, and somebody was faster once more.
        return Repaired(alarm=f"{said}; it was given back while somebody edited the invoice again, {LOOK}")
    given = " and ".join(f"line {line_id} has {plain(wanted)} again" for line_id, wanted in quantities.items())
    return Repaired(notes=(f"somebody else edited the invoice in that moment, and {given}",))


def _lines_to_restore(before: Invoice, found: Sequence[Difference]) -> list[RawLine]:
    """What was read. A line that is gone is posted without its id, as HaloPSA may not know that any more."""
    gone = {difference.line_id for difference in found if difference.is_gone}
    return [
        {name: value for name, value in raw.items() if name != "id"} if str(raw.get("id")) in gone else raw
        for raw in before.raw_lines
    ]


def _left_after_restoring(before: Invoice, restored: Invoice, found: Sequence[Difference]) -> list[Difference]:
    gone = {difference.line_id for difference in found if difference.is_gone}
    left = [one for one in differences(before, restored, besides=None) if one.line_id not in gone]
    return left + [one for one in found if one.is_gone and _made_line(before, restored, one) is None]


def _made_line(before: Invoice, restored: Invoice, gone: Difference) -> str | None:
    """The id under which a line that was gone is there again."""
    raw = before.raw(gone.line_id)
    known = {str(one.get("id")) for one in before.raw_lines}
    return next(
        (
            str(one.get("id"))
            for one in restored.raw_lines
            if raw is not None
            and (str(one.get("id")) == gone.line_id or str(one.get("id")) not in known)
            and is_like(raw, one)
        ),
        None,
    )


def _made_again(before: Invoice, restored: Invoice, found: Sequence[Difference]) -> str:
    made = [f"line {one.line_id} as line {_made_line(before, restored, one)}" for one in found if one.is_gone]
    return f", {' and '.join(made)}" if made else ""


def _post_and_read(
    session: HaloSession, reader: BillingReader, invoice_id: int, lines: Sequence[RawLine]
) -> tuple[str, Invoice | None]:
    """Post once and read back, whatever the answer: the reading decides. A problem, or the invoice as it is now."""
    try:
        sent = post_lines(session, invoice_id, lines)
        if sent.answer in (Answer.REFUSED, Answer.UNSENT, Answer.STALE):
            return sent.reason, None
        return "", reader.read_invoice(str(invoice_id))
    except TrueupError as trouble:
        return trouble.message, None


def _quantities(lost: Sequence[ChangeWire]) -> dict[str, Decimal] | None:
    """What to give back by line; None when something else than a quantity was overwritten."""
    found: dict[str, Decimal] = {}
    for row in lost:
        quantity = number_of(row.old_value)
        if row.field_name != QUANTITY_FIELD or quantity is None or quantity < 0:
            return None
        found.setdefault(str(row.invoice_line_id), quantity)
    return found


def _is_anothers(row: ChangeWire, ours: ChangeWire, given: Collection[str], now: Invoice | None) -> bool:
    """Whether a row since the giving back is not of it: by somebody else, or on a line that was not given back."""
    if row.who != ours.who:
        return True
    return str(row.invoice_line_id) not in given and (now is None or not _counts_itself(now, row))


def _counts_itself(invoice: Invoice, row: ChangeWire) -> bool:
    """Whether HaloPSA works that line out: then it moves on any save, and nobody's edit was lost."""
    raw = invoice.raw(str(row.invoice_line_id))
    return raw is not None and not is_text_line(raw) and invoice.wire(raw).counts_itself()


def _quantity(invoice: Invoice, line_id: str) -> Decimal | None:
    line = invoice.line(line_id)
    return None if line is None else line.quantity


def _told(row: ChangeWire) -> str:
    old, new = row.old_value[:40] or "nothing", row.new_value[:40] or "nothing"
    return f"on line {row.invoice_line_id}, {row.field_name[:40]} went back from {old} to {new}"


def _unknown(invoice: Invoice, aftermath: Aftermath, reason: str) -> WriteResult:
    line = invoice.line(aftermath.line_id)
    return WriteResult(
        WriteOutcome.UNKNOWN,
        reason,
        quantity_seen=line.quantity if line else None,
        version_seen=line.version if line else None,
    )
