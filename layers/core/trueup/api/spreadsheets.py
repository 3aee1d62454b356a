"""CSV in and out. Every cell that a spreadsheet would take for a formula is neutralized; a bad row names its line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence

from trueup.api.review_cells import review_cells, review_day
from trueup.api.views import money_text, time_text
from trueup.domain.counts import Count, Known
from trueup.domain.errors import InputInvalid
from trueup.domain.mapping import AccountEntry, FormerTarget, MappingState, ServiceEntry
from trueup.domain.verdicts import OrderNeed, Reconciliation, Row, Verdict
from trueup.usecases.mapping_import import MappingRow, ServiceRow

FORMULA_LEADS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What makes a spreadsheet read a cell as a formula, full-width forms included."""

FILE_BYTES_MAXIMUM = 5 * 1024 * 1024
ROWS_MAXIMUM = 100_000

ROW_COLUMNS = (
    "vendor_account_id",
    "vendor_account_name",
    "psa_account_id",
    "psa_account_name",
    "service_id",
    "product_id",
    "product_code",
    "agreement",
    "licensed",
    "billed",
    "verdict",
    "monthly_money",
    "currency",
    "line_id",
    "reasons",
    "agreement_basis",
    "agreement_as_of",
    "licensed_basis",
    "licensed_as_of",
    "billed_basis",
    "billed_as_of",
    "bill_target",
    "order_target",
    "order_delta",
    "order_obstacle",
)

MAPPING_COLUMNS = (
    "vendor_account_id",
    "vendor_account_name",
    "psa_account_id",
    "psa_account_name",
    "mapping",
    "reason",
    "psa",
    "psa_system",
    "former_psa",
    "former_psa_system",
    "former_account_id",
    "former_account_name",
    "owner",
    "review_on",
)

RESULT_COLUMNS = (
    "client_id",
    "client",
    "product",
    "agreement",
    "licensed",
    "billed",
    "difference",
    "order",
    "verdict",
    "monthly_money",
    "currency",
    "billed_on",
    "what_to_do",
    "vendor_account_ids",
)

SERVICE_COLUMNS = (
    "service_id",
    "service_name",
    "kind",
    "product_id",
    "product_code",
    "product_name",
    "mapping",
    "reason",
    "psa",
    "psa_system",
    "former_psa",
    "former_psa_system",
    "former_product_id",
    "former_product_code",
)

_OTHER_NAMES = {"vendor_id": "vendor_account_id", "tenant_id": "vendor_account_id", "psa_id": "psa_account_id"}
_OPEN = (MappingState.UNMAPPED, MappingState.AMBIGUOUS)
"""States in which a row asks for a decision; what an export says of one is no decision."""


def safe_cell(text: str) -> str:
    """The text as a spreadsheet shows it, never runs it. Quotes and spaces before a lead do not hide it."""
    visible = text.lstrip(" '\"")
    cleaned = text.replace("\x00", "")
    return f"'{cleaned}" if visible.startswith(FORMULA_LEADS) or text.startswith(FORMULA_LEADS) else cleaned


def reconciliation_csv(found: Reconciliation) -> str:
    """One line a row, in the table's order. An unknown count is an empty cell: the reasons say why."""
    return csv_table(ROW_COLUMNS, (_row_cells(found, index) for index in range(len(found.rows))))


def result_csv(found: Reconciliation) -> str:
    """One line a row for a person who carries the result over by hand: the two counts and what to enter."""
    return csv_table(RESULT_COLUMNS, (_result_cells(row) for row in found.rows))


def _result_cells(row: Row) -> tuple[str, ...]:
    wanted, billed = row.to_bill, row.counts.billed
    difference = ""
    if isinstance(wanted, Known) and isinstance(billed, Known):
        difference = str(wanted.seats - billed.seats)
    names = dict.fromkeys(member.vendor_name for member in row.members)
    services = dict.fromkeys(member.service_name or str(member.service_id) for member in row.members)
    return (
        row.psa_account_id or "",
        row.psa_account_name or " + ".join(names),
        row.product_code or " + ".join(services),
        _seats(row.counts.agreement),
        _seats(row.counts.licensed),
        _seats(billed),
        difference,
        "" if row.order is None else f"{row.order.delta:+d}",
        row.verdict.words,
        money_text(row.monthly_money) or "",
        row.currency,
        row.agreement.name if row.agreement else "",
        _to_do(row),
        " + ".join(dict.fromkeys(str(member.vendor_id) for member in row.members)),
    )


def _to_do(row: Row) -> str:
    wanted, billed = _seats(row.to_bill), _seats(row.counts.billed)
    order = [] if row.order is None else [_to_order(row.order)]
    if row.verdict is Verdict.IN_LINE:
        return "nothing"
    if row.verdict.is_billing_change:
        return "; ".join([f"set the quantity to {wanted} (it is {billed})", *order])
    if row.verdict is Verdict.NEW_REVENUE:
        return "; ".join([f"add {row.product_code} with quantity {wanted}", *order])
    return "; ".join(order) if row.verdict in _TO_ORDER else "; ".join(row.reasons)


_TO_ORDER = (Verdict.ORDER_MORE, Verdict.ORDER_LESS)


def _to_order(need: OrderNeed) -> str:
    words = f"{need.words} (agreement {need.agreement}, licensed {need.target})"
    return f"{words}: first, {need.obstacle}" if need.obstacle else words


def mappings_csv(entries: Iterable[AccountEntry]) -> str:
    """Every vendor account with its decision, in the shape that the import reads."""
    return csv_table(
        MAPPING_COLUMNS,
        (
            (
                entry.vendor_id,
                entry.vendor_name,
                entry.psa_id or "",
                entry.psa_name,
                entry.state.value,
                _reason(entry),
                entry.psa_integration,
                entry.psa_system,
                *_former(entry.former),
                *review_cells(entry),
            )
            for entry in entries
        ),
    )


def services_csv(entries: Iterable[ServiceEntry]) -> str:
    """Every service with its decision, in the shape that the import of services reads."""
    return csv_table(
        SERVICE_COLUMNS,
        (
            (
                entry.service_id,
                entry.name,
                entry.kind.value,
                entry.product_id or "",
                entry.product_code,
                entry.product_name,
                entry.state.value,
                _reason(entry),
                entry.psa_integration,
                entry.psa_system,
                *_former(entry.former, with_code=True),
            )
            for entry in entries
        ),
    )


def mapping_sheets(accounts: Iterable[AccountEntry], services: Iterable[ServiceEntry]) -> tuple[str, str]:
    """Both, as they are kept when another PSA is connected."""
    return mappings_csv(accounts), services_csv(services)


def _reason(entry: AccountEntry | ServiceEntry) -> str:
    return entry.decision.reason if entry.decision is not None and entry.state not in _OPEN else ""


def _former(former: tuple[FormerTarget, ...], *, with_code: bool = False) -> tuple[str, ...]:
    """The last mapping in another PSA."""
    if not former:
        return ("", "", "", "")
    last = former[0]
    return (last.integration, last.system, last.target_id, last.code if with_code else last.target_name)


def read_mappings(content: bytes) -> list[MappingRow]:
    """Rows of a mapping file: ``vendor_account_id`` and ``psa_account_id`` (or ``psa_account_name``), or neither with a
    ``reason`` to exclude.

    A row whose ``mapping`` column says unmapped or ambiguous is skipped unless somebody filled in a client or a reason,
    so that an export can be edited and imported again. The columns may also be called as on the command line, vendor_id
    (or tenant_id, in a file of tenants) and psa_id. Raises InputInvalid (``file``) naming the line.
    """
    return [
        MappingRow(
            line=line,
            vendor_id=values["vendor_account_id"],
            psa_id=values["psa_account_id"],
            reason=values.get("reason", ""),
            psa_name=values.get("psa_account_name", ""),
            psa_system=values.get("psa_system", ""),
            psa=values.get("psa", ""),
            owner=values.get("owner", "" if "review_on" in values else None),
            review_on=review_day(values.get("review_on", ""), line),
        )
        for line, values in _decided_rows(
            content, ("vendor_account_id", "psa_account_id"), ("psa_account_id", "psa_account_name", "reason")
        )
    ]


def read_services(content: bytes) -> list[ServiceRow]:
    """Rows of a service-mapping file: ``service_id`` with ``product_code`` or ``product_id``, or neither with a
    ``reason`` to exclude. As ``read_mappings`` otherwise.
    """
    return [
        ServiceRow(
            line=line,
            service_id=values["service_id"],
            product_id=values.get("product_id", ""),
            product_code=values["product_code"],
            reason=values.get("reason", ""),
            psa_system=values.get("psa_system", ""),
        )
        for line, values in _decided_rows(
            content, ("service_id", "product_code"), ("product_code", "product_id", "reason")
        )
    ]


def _decided_rows(content: bytes, needed: Sequence[str], deciding: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Line number and cells by column of each row that says something. Raises InputInvalid (``file``)."""
    return read_csv(
        content,
        lambda text: _rows_of(csv.DictReader(io.StringIO(text, newline=""), strict=True), needed, deciding),
    )


def read_csv[Rows](content: bytes, read: Callable[[str], Rows]) -> Rows:
    """What ``read`` makes of the text of a file that a person gave.

    Raises InputInvalid (``file``) when it is too large, no text, or no CSV.
    """
    if len(content) > FILE_BYTES_MAXIMUM:
        raise InputInvalid("the file is larger than 5 MB", field="file", remedy="Split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        raise InputInvalid(
            f"the file is not UTF-8 (byte {bad.start})", field="file", remedy="Save it as CSV UTF-8."
        ) from bad
    if "\x00" in text:
        raise InputInvalid("the file holds NUL characters", field="file", remedy="Save it as CSV UTF-8.")
    try:
        return read(text)
    except csv.Error as bad:
        raise InputInvalid(f"the file is not CSV: {bad}", field="file", remedy="Save it as CSV UTF-8.") from bad


def _rows_of(
    reader: csv.DictReader[str], needed: Sequence[str], deciding: Sequence[str]
) -> list[tuple[int, dict[str, str]]]:
    told = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in reader.fieldnames or ()]
    reader.fieldnames = [_OTHER_NAMES.get(name, name) if _OTHER_NAMES.get(name) not in told else name for name in told]
    missing = [name for name in needed if name not in reader.fieldnames]
    if missing:
        raise InputInvalid(
            f"line 1: there is no column {missing[0]}",
            field="file",
            remedy=f"The first line names the columns: {', '.join(needed)} and, to exclude, reason.",
        )
    rows: list[tuple[int, dict[str, str]]] = []
    for cells in reader:
        values = {key: unguarded((value or "").strip()) for key, value in cells.items() if isinstance(key, str)}
        if None in cells:
            raise InputInvalid(
                f"line {reader.line_num}: more cells than columns", field="file", remedy="Quote cells that hold commas."
            )
        is_decided = any(values.get(name) for name in deciding)
        if not any(values.values()) or (values.get("mapping") in _OPEN and not is_decided):
            continue
        rows.append((reader.line_num, values))
        if len(rows) > ROWS_MAXIMUM:
            raise InputInvalid(f"more than {ROWS_MAXIMUM} rows", field="file", remedy="Split the file.")
    if not rows:
        raise InputInvalid("the file holds no decision", field="file", remedy=f"Fill in {deciding[0]} on some rows.")
    return rows


def unguarded(cell: str) -> str:
    """A cell as it was before ``safe_cell`` guarded it."""
    return cell[1:] if cell.startswith("'") and safe_cell(cell[1:]) == cell else cell


def _row_cells(found: Reconciliation, index: int) -> tuple[str, ...]:
    row = found.rows[index]
    first = row.members[0] if row.members else None
    return (
        " + ".join(dict.fromkeys(str(member.vendor_id) for member in row.members)),
        first.vendor_name if first else "",
        row.psa_account_id or "",
        row.psa_account_name,
        " + ".join(dict.fromkeys(str(member.service_id) for member in row.members)),
        row.product_id or "",
        row.product_code,
        _seats(row.counts.agreement),
        _seats(row.counts.licensed),
        _seats(row.counts.billed),
        row.verdict.value,
        money_text(row.monthly_money) or "",
        row.currency,
        row.line.id if row.line else "",
        "; ".join(row.reasons),
        *_basis_cells(row.counts.agreement),
        *_basis_cells(row.counts.licensed),
        *_basis_cells(row.counts.billed),
        "" if row.bill_target is None else str(row.bill_target),
        *_order_cells(row.order),
    )


def _basis_cells(count: Count) -> tuple[str, str]:
    """What the count was read from and when; for one that is not known, which of missing and failed it is."""
    if isinstance(count, Known):
        return count.basis.value, time_text(count.as_of) or ""
    return count.state, ""


def _order_cells(need: OrderNeed | None) -> tuple[str, str, str]:
    return ("", "", "") if need is None else (str(need.target), f"{need.delta:+d}", need.obstacle)


def _seats(count: Count) -> str:
    return str(count.seats) if isinstance(count, Known) else ""


NUMBER_COLUMNS = frozenset({"monthly_money", "difference", "order", "order_delta"})
"""Columns that hold our own numbers: a negative amount is a number, not a formula."""


def csv_table(
    columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, numbers: frozenset[str] = NUMBER_COLUMNS
) -> str:
    """The table as CSV, no cell of it a formula; the columns in ``numbers`` are written as they are."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for cells in rows:
        writer.writerow(
            cell if column in numbers else safe_cell(str(cell)) for column, cell in zip(columns, cells, strict=True)
        )
    return out.getvalue()
