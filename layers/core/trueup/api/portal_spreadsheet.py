"""Portal users as CSV, in and out. A bad row names its line; every cell that goes out is safe in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

from trueup.api.spreadsheets import csv_table, read_csv, unguarded
from trueup.api.views import time_text
from trueup.domain.errors import InputInvalid
from trueup.domain.portal_users import ChecklistItem, PortalUser
from trueup.usecases.portal_readiness import PortalUserRow

PORTAL_COLUMNS = (
    "name",
    "address",
    "state",
    "reason",
    "fix",
    "permission",
    "role",
    "cloud_password",
    "warnings",
    "checked_at",
    *(item.value for item in ChecklistItem),
    "invited_at",
    "invited_by",
)
ROWS_MAXIMUM = 1000
_OTHER_NAMES = {"email": "address", "e_mail": "address", "email_address": "address", "full_name": "name"}


def portal_users_csv(users: Iterable[PortalUser]) -> str:
    """One line a user. Name and address are what the import reads; the rest it passes over."""
    return csv_table(PORTAL_COLUMNS, (_cells(user) for user in users))


def _cells(user: PortalUser) -> tuple[str, ...]:
    found = user.checked.readiness if user.checked is not None else None
    password = {True: "yes", False: "no", None: ""}[found.has_cloud_password if found else None]
    ticks = (user.tick(item) for item in ChecklistItem)
    return (
        user.name,
        user.address,
        user.state,
        found.words if found else "",
        found.fix if found else "",
        found.permission if found else "",
        found.role if found else "",
        password,
        " ".join(found.warnings) if found else "",
        (time_text(user.checked.at) if user.checked else None) or "",
        *(f"{tick.by} {time_text(tick.at)}" if tick is not None else "" for tick in ticks),
        time_text(user.invited_at) or "",
        user.invited_by,
    )


def read_portal_users(content: bytes) -> list[PortalUserRow]:
    """The rows of a file with the columns ``name`` and ``address`` (or ``email``); other columns are passed over.

    What a row says is not judged here. Raises InputInvalid (``file``) when it is no such table.
    """
    return read_csv(content, _rows)


def _rows(text: str) -> list[PortalUserRow]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = next(reader, [])
    names = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in header]
    names = [_OTHER_NAMES.get(name, name) for name in names]
    for wanted in ("name", "address"):
        if names.count(wanted) != 1:
            how_many = "no column" if wanted not in names else "more than one column"
            raise InputInvalid(
                f"line 1: there is {how_many} {wanted}",
                field="file",
                remedy="The first line names the columns: name, address.",
            )
    name, address = names.index("name"), names.index("address")
    rows: list[PortalUserRow] = []
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(names):
            raise InputInvalid(
                f"line {reader.line_num}: more cells than columns",
                field="file",
                remedy="Quote cells that hold commas.",
            )
        filled = [*cells, *("" for _ in range(len(names) - len(cells)))]
        rows.append(PortalUserRow(reader.line_num, unguarded(filled[name]), unguarded(filled[address])))
        if len(rows) > ROWS_MAXIMUM:
            raise InputInvalid(f"more than {ROWS_MAXIMUM} rows", field="file", remedy="Split the file.")
    return rows
