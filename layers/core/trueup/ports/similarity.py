"""Ranks the PSA accounts that a person may want to map to a vendor account. A suggestion is never a mapping."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from trueup.domain.matching import Named, Suggestion


class NameSimilarity(Protocol):
    """Finds names that are alike without being the same."""

    def suggest(
        self, vendor: Sequence[Named], psa: Sequence[Named], *, limit: int = 3
    ) -> Iterator[tuple[str, tuple[Suggestion, ...]]]:
        """For each vendor account, in the order given, its id and at most ``limit`` suggestions, best first.

        Yields one by one, so that the caller can store and forget. An account with nothing alike gets an empty tuple.
        The suggestions do not depend on the order of ``psa``. Give only PSA accounts that may still be mapped.
        """
        ...
