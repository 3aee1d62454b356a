"""How the seats of one client and product are divided among several live lines, as a person said once.

All lines but one get a fixed quantity; the balancing line gets the rest. Without such a word several lines of one
product are ambiguous, and so are lines that came or went since: nobody has said what they are for.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from trueup.domain.billing import LineId, ProductId, PsaAccountId
from trueup.domain.errors import InputInvalid


@dataclass(frozen=True, slots=True)
class Allocation:
    """One division. ``fixed`` is (line, seats) for every line but ``balancing``, ordered by line; ``psa_system`` is the
    PSA whose lines they are (Integration.system).
    """

    psa_account_id: PsaAccountId
    product_id: ProductId
    fixed: tuple[tuple[LineId, int], ...]
    balancing: LineId
    by: str
    at: datetime
    reason: str = ""
    psa_system: str = ""
    version: int = 0

    @property
    def lines(self) -> frozenset[LineId]:
        return frozenset({self.balancing, *(line for line, _ in self.fixed)})

    def require_sound(self) -> None:
        """Raises InputInvalid when a line is named twice, a number is no seats, or nothing is fixed."""
        named = [line for line, _ in self.fixed]
        if not named:
            raise InputInvalid("no line has a fixed quantity", field="fixed", remedy="Fix all lines but one.")
        if len(set(named)) != len(named) or self.balancing in named:
            raise InputInvalid("a line is named twice", field="fixed", remedy="Name each line once.")
        for line, seats in self.fixed:
            if isinstance(seats, bool) or seats < 0:
                raise InputInvalid(f"line {line}: {seats} is no number of seats", field="fixed")

    def targets(self, seats: int) -> tuple[tuple[LineId, int], ...] | None:
        """What each line should bill when the client has that many seats, by line; None when the fixed ones alone are
        more than that.
        """
        rest = seats - sum(quantity for _, quantity in self.fixed)
        if rest < 0:
            return None
        return tuple(sorted((*self.fixed, (self.balancing, rest))))

    def covers(self, lines: Collection[LineId]) -> bool:
        """Whether it speaks of exactly these lines."""
        return self.lines == frozenset(lines)
