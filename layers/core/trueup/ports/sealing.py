"""Closed months: a chain of links, and the parts they are over. Nothing of either can be changed or taken away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from trueup.domain.audit import Audit
from trueup.domain.sealed_contents import SealedContents
from trueup.domain.sealing import SealedPart, SealLink


class SealedMonths(Protocol):
    """The links and the bytes of the parts."""

    def links(self) -> tuple[SealLink, ...]:
        """All links, the first one first. Raises StateUnavailable naming the link that cannot be read."""
        ...

    def append(self, link: SealLink, audit: Audit) -> None:
        """Store the next link with its audit, and close or open its period with it, in one transaction.

        Raises VersionConflict when another link took the place, or the link before is not the one it names. Appending
        the very same link again changes nothing.
        """
        ...

    def put(self, content: bytes) -> None:
        """Keep the bytes of a part under their SHA-256; storing them again stores them once."""
        ...

    def part(self, part: SealedPart) -> bytes:
        """The bytes of a part. Raises StateUnavailable when they are gone or are not what they were."""
        ...

    def is_closed(self, period: str) -> bool:
        """Whether the stores refuse to change that period now."""
        ...


class SealedForms(Protocol):
    """The one byte form of what is sealed."""

    def parts(self, contents: SealedContents) -> Iterator[tuple[str, bytes]]:
        """(name, bytes) of each part, in order. The same contents always have the same bytes. Long lists come in
        several parts, so that no more than one of them need be held in memory."""
        ...

    def items(self, name: str, content: bytes) -> tuple[Any, ...]:
        """The items of one part of a list. ``figures`` and ``report_rows`` are ordered by client over all their parts.

        Raises as ``contents``.
        """
        ...

    def contents(self, parts: Iterable[tuple[str, bytes]]) -> SealedContents:
        """The contents that these parts were made of. Raises StateUnavailable when a part lacks or misstates
        something, StateTrouble when later code wrote it."""
        ...


class SealedStore(SealedMonths, SealedForms, Protocol):
    """Both, as one store has them."""
