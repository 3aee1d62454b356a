"""Paging for the fakes of the state: cursors that name the last entry given, as the real ones do.

Must not: hand out positions, which would skip or repeat entries when the list changes between two pages.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

from trueup.domain.errors import InputInvalid
from trueup.domain.mapping import AccountEntry
from trueup.domain.verdicts import Reconciliation, Row, Verdict
from trueup.ports.state import Page


def _require_limit(limit: int) -> None:
    if limit < 1:
        raise InputInvalid("the limit must be at least 1", field="limit")


def _write_cursor(name: str, key: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps([name, key]).encode()).decode()


def _read_cursor(cursor: str, name: str) -> Any:
    try:
        found, key = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, TypeError) as error:
        raise InputInvalid("the cursor is not one of this list", field="cursor") from error
    if found != name:
        raise InputInvalid("the cursor is not one of this list", field="cursor")
    return key


def _by_id(entry: AccountEntry) -> str:
    return entry.vendor_id


def _by_state_and_name(entry: AccountEntry) -> list[str]:
    return [entry.vendor_name.casefold(), entry.vendor_id]


def cut[Item](
    items: Sequence[Item],
    *,
    cursor: str | None,
    limit: int,
    name: str,
    key: Callable[[Item], Any] | None = None,
) -> Page[Item]:
    """The next items of an ordered list after the one the cursor names."""
    _require_limit(limit)
    key_of: Callable[[Any], Any] = key or (_by_id if name.endswith("None") else _by_state_and_name)
    after = None if cursor is None else _read_cursor(cursor, name)
    left = [item for item in items if after is None or key_of(item) > after]
    shown = tuple(left[:limit])
    return Page(shown, _write_cursor(name, key_of(shown[-1])) if len(left) > limit else None)


def cut_rows(reconciliation: Reconciliation, *, verdict: Verdict | None, cursor: str | None, limit: int) -> Page[Row]:
    """The next rows of that verdict, in the table's order."""
    _require_limit(limit)
    name = f"rows {reconciliation.period} {verdict}"
    after = -1 if cursor is None else _read_cursor(cursor, name)
    left = [
        (place, row)
        for place, row in enumerate(reconciliation.rows)
        if place > after and (verdict is None or row.verdict is verdict)
    ]
    shown = left[:limit]
    rows = tuple(row for _, row in shown)
    return Page(rows, _write_cursor(name, shown[-1][0]) if len(left) > limit else None)
