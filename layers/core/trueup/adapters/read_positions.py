"""How far a long read has come: the opaque cursor of a read by page number, and the marks that tell a page seen before.

Each PSA's paging decides what its pages mean. Here must be no call and no rule of when a list ends.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from trueup.domain.errors import InputInvalid

MARKS_PATTERN: Final = r"[A-Za-z0-9_-]{0,12000}"
_MARK_CHARACTERS = 6
_CURSOR = re.compile(
    r"1:(?P<phase>[a-z]+):(?P<page>[1-9][0-9]{0,4}):(?P<seen>[0-9]{1,9}):(?P<total>[0-9]{0,9}):"
    rf"(?P<marks>{MARKS_PATTERN})",
    re.ASCII,
)


def mark_of(ids: Iterable[int]) -> str:
    """A short digest of the ids of one page, in their order."""
    digest = hashlib.sha256(",".join(map(str, ids)).encode()).digest()
    return base64.urlsafe_b64encode(digest)[:_MARK_CHARACTERS].decode("ascii")


def marks_in(marks: str) -> frozenset[str]:
    """The marks that were written one after the other."""
    return frozenset(marks[at : at + _MARK_CHARACTERS] for at in range(0, len(marks), _MARK_CHARACTERS))


def are_marks(text: str) -> bool:
    """Whether a text of those letters holds whole marks only."""
    return len(text) % _MARK_CHARACTERS == 0


def not_a_cursor(of_read: str) -> InputInvalid:
    """The error for a text that is no cursor of ``of_read``, such as "a Syncro read"."""
    return InputInvalid(
        f"this is not a cursor of {of_read}", field="cursor", remedy="Start the read anew, without one."
    )


@dataclass(frozen=True, slots=True)
class NumberedPosition:
    """How far a read by page number has come. ``marks`` holds a digest of every page so far.

    ``total`` is what the list told, None where it has not told yet. A PSA's own class gives ``of_read`` its name.
    """

    of_read: ClassVar[str]

    phase: str
    page: int = 1
    seen: int = 0
    total: int | None = None
    marks: str = ""

    def cursor(self) -> str:
        total = "" if self.total is None else str(self.total)
        return f"1:{self.phase}:{self.page}:{self.seen}:{total}:{self.marks}"

    @classmethod
    def of(cls, cursor: str, *, phases: Iterable[str]) -> Self:
        """The position that a cursor of ours names. Raises InputInvalid for any other text."""
        found = _CURSOR.fullmatch(cursor)
        if found is None or found["phase"] not in phases or not are_marks(found["marks"]):
            raise not_a_cursor(cls.of_read)
        total = int(found["total"]) if found["total"] else None
        return cls(found["phase"], int(found["page"]), int(found["seen"]), total, found["marks"])
