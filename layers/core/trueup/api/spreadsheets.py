"""CSV in and out. Every cell that a spreadsheet would take for a formula is neutralized; a bad row names its line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

from trueup.api.views import money_text
from trueup.domain.counts import Count, Known
from trueup.domain.errors import InputInvalid
from trueup.domain.mapping import AccountEntry, MappingState
from trueup.domain.verdicts import Reconciliation
from trueup.usecases.mapping import MappingRow

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
)

MAPPING_COLUMNS = (
    "vendor_account_id",
    "vendor_account_name",
    "psa_account_id",
    "psa_account_name",
    "mapping",
    "reason",
)

_OTHER_NAMES = {"vendor_id": "vendor_account_id", "psa_id": "psa_account_id"}
_OPEN = (MappingState.UNMAPPED, MappingState.AMBIGUOUS)
"""States in which a row asks for a decision; what an export says of one is no decision."""


def safe_cell(text: str) -> str:
    """The text as a spreadsheet shows it, never runs it. Quotes and spaces before a lead do not hide it."""
    visible = text.lstrip(" '\"")
    cleaned = text.replace("\x00", "")
    return f"'{cleaned}" if visible.startswith(FORMULA_LEADS) or text.startswith(FORMULA_LEADS) else cleaned


def reconciliation_csv(found: Reconciliation) -> str:
    """One line a row, in the table's order. An unknown count is an empty cell: the reasons say why."""
    return _table(ROW_COLUMNS, (_row_cells(found, index) for index in range(len(found.rows))))


def mappings_csv(entries: Iterable[AccountEntry]) -> str:
    """Every vendor account with its decision, in the shape that the import reads."""
    return _table(
        MAPPING_COLUMNS,
        (
            (
                entry.vendor_id,
                entry.vendor_name,
                entry.psa_id or "",
                entry.psa_name,
                entry.state.value,
                entry.decision.reason if entry.decision is not None and entry.state not in _OPEN else "",
            )
            for entry in entries
        ),
    )


def read_mappings(content: bytes) -> list[MappingRow]:
    """Rows of a mapping file: ``vendor_account_id`` and ``psa_account_id``, or an empty one with a ``reason`` to
    exclude.

    A row whose ``mapping`` column says unmapped or ambiguous is skipped unless somebody filled in a client or a reason,
    so that an export can be edited and imported again. The columns may also be called as on the command line, vendor_id
    and psa_id. Raises InputInvalid (``file``) naming the line.
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
        return _mapping_rows(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as bad:
        raise InputInvalid(f"the file is not CSV: {bad}", field="file", remedy="Save it as CSV UTF-8.") from bad


def _mapping_rows(reader: csv.DictReader[str]) -> list[MappingRow]:
    told = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in reader.fieldnames or ()]
    reader.fieldnames = [_OTHER_NAMES.get(name, name) if _OTHER_NAMES.get(name) not in told else name for name in told]
    missing = [name for name in ("vendor_account_id", "psa_account_id") if name not in reader.fieldnames]
    if missing:
        raise InputInvalid(
            f"line 1: there is no column {missing[0]}",
            field="file",
            remedy="The first line names the columns: vendor_account_id, psa_account_id and, to exclude, reason.",
        )
    rows: list[MappingRow] = []
    for cells in reader:
        values = {key: _unguarded((value or "").strip()) for key, value in cells.items() if isinstance(key, str)}
        if None in cells:
            raise InputInvalid(
                f"line {reader.line_num}: more cells than columns", field="file", remedy="Quote cells that hold commas."
            )
        is_decided = bool(values["psa_account_id"] or values.get("reason"))
        if not any(values.values()) or (values.get("mapping") in _OPEN and not is_decided):
            continue
        rows.append(
            MappingRow(
                line=reader.line_num,
                vendor_id=values["vendor_account_id"],
                psa_id=values["psa_account_id"],
                reason=values.get("reason", ""),
            )
        )
        if len(rows) > ROWS_MAXIMUM:
            raise InputInvalid(f"more than {ROWS_MAXIMUM} rows", field="file", remedy="Split the file.")
    if not rows:
        raise InputInvalid("the file holds no decision", field="file", remedy="Fill in psa_account_id on some rows.")
    return rows


def _unguarded(cell: str) -> str:
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
    )


def _seats(count: Count) -> str:
    return str(count.seats) if isinstance(count, Known) else ""


NUMBER_COLUMNS = frozenset({"monthly_money"})
"""Columns that hold our own numbers: a negative amount is a number, not a formula."""


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for cells in rows:
        writer.writerow(
            cell if column in NUMBER_COLUMNS else safe_cell(str(cell))
            for column, cell in zip(columns, cells, strict=True)
        )
    return out.getvalue()
