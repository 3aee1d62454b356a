"""Who answers for an exclusion and when it is looked at again, as two cells of the mapping file."""

from __future__ import annotations

from datetime import date

from trueup.domain.errors import InputInvalid
from trueup.domain.mapping import AccountEntry, MappingState


def review_cells(entry: AccountEntry) -> tuple[str, str]:
    """The owner and the day, each empty where none was said or the account is not excluded."""
    if entry.state is not MappingState.EXCLUDED or entry.decision is None:
        return ("", "")
    day = entry.decision.review_on
    return (entry.decision.owner, "" if day is None else day.isoformat())


def review_day(text: str, line: int) -> date | None:
    """The day that a cell names. Raises InputInvalid (``file``) naming the line."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as bad:
        raise InputInvalid(
            f"line {line}: {text[:40]!r} is no day", field="file", remedy="Write it as YYYY-MM-DD."
        ) from bad
