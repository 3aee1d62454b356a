"""Several sources say how many seats; the most trusted one that speaks is the count, the others are kept as evidence.

It must not turn silence or nonsense into a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from trueup.domain.counts import Basis, Count, Evidence, Failed, Known, Missing, Seats

_NAMES = {
    Basis.CONTRACT: "the contract",
    Basis.PARTNER_CUSTOMER: "the partner's customer list",
    Basis.ACCOUNT_USER_COUNT: "the account itself",
    Basis.MANUAL_FILE: "the exported customer file",
}


@dataclass(frozen=True, slots=True)
class SourceCount:
    """What one source says: one or more evidences, the first one being its number, or a problem, or neither (silence).

    ``summed`` says that the evidences are parts of one number rather than several words for it.
    ``comparable`` is false where another source counts something else, so that a difference means nothing. ``as_of`` is
    when it was said, where that is not the time of this read.
    """

    basis: Basis
    evidence: tuple[Evidence, ...] = ()
    problem: str | None = None
    summed: bool = False
    comparable: bool = True
    as_of: datetime | None = None

    @property
    def seats(self) -> int | None:
        """The number, or None when the source is silent or what it says cannot be used."""
        if self.problem is not None or not self.evidence:
            return None
        return sum(one.seats for one in self.evidence) if self.summed else self.evidence[0].seats

    @property
    def name(self) -> str:
        return _NAMES[self.basis]


def combined(sources: Sequence[SourceCount], *, as_of: datetime, silence: str) -> Count:
    """One count from sources in falling order of trust; ``silence`` is the reason when none says anything.

    The first source that speaks decides, also when what it says cannot be used: a lower source is not asked to cover
    up for it. Differences are told in ``conflict``.
    """
    speaking = [source for source in sources if source.problem is not None or source.evidence]
    if not speaking:
        return Missing(silence)
    first = speaking[0]
    number = first.seats
    if number is None:
        return Failed(first.problem or silence)
    return Known(
        seats=Seats(number),
        basis=first.basis,
        as_of=first.as_of or as_of,
        evidence=tuple(one for source in speaking for one in source.evidence),
        conflict=_conflict(first, number, speaking[1:]),
    )


def _conflict(first: SourceCount, number: int, others: Sequence[SourceCount]) -> str | None:
    said = [
        f"its field {one.key} says {one.seats}" for one in first.evidence if not first.summed and one.seats != number
    ]
    for other in others:
        if not (first.comparable and other.comparable):
            continue
        if other.problem is not None:
            said.append(f"{other.name} says something that cannot be used ({other.problem})")
        elif other.seats is not None and other.seats != number:
            said.append(f"{other.name} says {other.seats}")
    return f"{first.name} says {number}, but {'; '.join(said)}" if said else None
