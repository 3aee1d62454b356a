"""What is kept of comparisons beside their rows; apart from Reconciliations because nothing here changes one."""

from __future__ import annotations

from typing import Protocol

from trueup.domain.comparison import ComparisonInputs, Findings


class ComparisonRecords(Protocol):
    def inputs(self, period: str) -> ComparisonInputs | None:
        """What the period's newest comparison was made of, None when that was not kept. Raises NotFound when there is
        no comparison."""
        ...

    def findings(self, period: str) -> tuple[Findings, ...]:
        """What each comparison of the period found, the first one first; none when it was never compared."""
        ...
