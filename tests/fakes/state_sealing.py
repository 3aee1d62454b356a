"""Closed months in memory. The byte forms are the real ones: they are no store, and have one shape only."""

from __future__ import annotations

from tests.fakes.state_memory import Memory, effect
from trueup.adapters.dynamodb.sealed_forms import SealedPartForms
from trueup.domain.audit import GENESIS, Audit
from trueup.domain.errors import StateUnavailable, VersionConflict
from trueup.domain.sealing import SealedPart, SealLink, is_closed, part_of


class FakeSealedMonths(SealedPartForms):
    """The SealedStore port."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def links(self) -> tuple[SealLink, ...]:
        with self._memory.lock:
            return tuple(self._memory.links)

    @effect("sealed_months.append")
    def append(self, link: SealLink, audit: Audit) -> None:
        links = self._memory.links
        if len(links) >= link.number and links[link.number - 1] == link:
            return
        previous = links[-1].hash if links else GENESIS
        if link.number != len(links) + 1 or link.previous_hash != previous:
            raise VersionConflict(f"another link took place {link.number} of the sealed months")
        links.append(link)
        self._memory.log(audit)

    @effect("sealed_months.put")
    def put(self, content: bytes) -> None:
        self._memory.parts[part_of("", content).sha256] = content

    def part(self, part: SealedPart) -> bytes:
        if part.sha256 not in self._memory.parts:
            raise StateUnavailable(f"stored content {part.sha256} is gone")
        return self._memory.parts[part.sha256]

    def is_closed(self, period: str) -> bool:
        return is_closed(period, self.links())
