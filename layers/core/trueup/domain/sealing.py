"""The sealed month: links of a hash chain, each over the parts of one closed month or the word that reopened it.

Method: a part is canonical bytes under its SHA-256; a link's ``seal`` is over the list of (name, hash, length), its
``hash`` over everything in the link and the hash of the link before. So no byte of a part and no word of a link can be
changed, added or left out without the first broken link being named. Must not: read a clock or a store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from trueup.domain.audit import GENESIS, AuditEvent
from trueup.domain.canonical import sha256
from trueup.domain.errors import Conflict, MonthSealed, TrueupError


class LinkKind(StrEnum):
    """sealed: the month is closed with its parts. reopened: a person opened it again, with a reason."""

    SEALED = "sealed"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class SealedPart:
    """One part of a sealed month: its name, the SHA-256 of its bytes, and how many bytes they are."""

    name: str
    sha256: str
    length_bytes: int


@dataclass(frozen=True, slots=True)
class HistoryRange:
    """The events that belong to the month: from the one after the last sealed month's to the newest at the sealing.

    ``last_hash`` is the hash of event ``last_number``. Empty (``last_number`` = ``first_number`` - 1) when nothing
    happened in between.
    """

    first_number: int
    last_number: int
    last_hash: str


NO_HISTORY = HistoryRange(1, 0, GENESIS)


@dataclass(frozen=True, slots=True)
class SealLink:
    """One link. ``number`` counts all links from 1, ``version`` how often this period was sealed.

    ``replaces`` is the number of the link that this one comes after for the same period, 0 for the first: the sealing
    that a reopening opens, or the reopening that a new sealing closes. ``outstanding`` says in words what was not
    finished when the month was closed. A reopening has no ``parts``, no ``history`` and always a ``reason``; a sealing
    has a reason only where it was forced.
    """

    number: int
    kind: LinkKind
    period: str
    version: int
    tenant: str
    at: datetime
    by: str
    reason: str = ""
    run_id: str = ""
    replaces: int = 0
    parts: tuple[SealedPart, ...] = ()
    outstanding: tuple[str, ...] = ()
    history: HistoryRange | None = None
    previous_hash: str = GENESIS
    hash: str = ""

    @property
    def seal(self) -> str:
        """The hash over the parts: name, hash and length of each, in order."""
        return sha256([[part.name, part.sha256, part.length_bytes] for part in self.parts])

    @property
    def computed_hash(self) -> str:
        """What ``hash`` must be."""
        history = self.history
        return sha256(
            {
                "number": self.number,
                "kind": self.kind,
                "period": self.period,
                "version": self.version,
                "tenant": self.tenant,
                "at": self.at,
                "by": self.by,
                "reason": self.reason,
                "run_id": self.run_id,
                "replaces": self.replaces,
                "seal": self.seal,
                "outstanding": self.outstanding,
                "history": None if history is None else [history.first_number, history.last_number, history.last_hash],
                "previous": self.previous_hash,
            }
        )


type ReadPart = Callable[[SealedPart], bytes]
"""The bytes of a part. Raises TrueupError when they are gone or damaged."""


def part_of(name: str, content: bytes) -> SealedPart:
    return SealedPart(name, hashlib.sha256(content).hexdigest(), len(content))


def standing(period: str, links: Sequence[SealLink]) -> SealLink | None:
    """The newest link of that period: whether it is closed, and by which."""
    return next((link for link in reversed(links) if link.period == period), None)


def is_closed(period: str, links: Sequence[SealLink]) -> bool:
    link = standing(period, links)
    return link is not None and link.kind is LinkKind.SEALED


def require_open(period: str, links: Sequence[SealLink]) -> None:
    """The one rule of a closed month: raises MonthSealed when that period is closed and was not reopened."""
    link = standing(period, links)
    if link is not None and link.kind is LinkKind.SEALED:
        raise month_sealed(period, by=link.by, at=link.at)


def month_sealed(period: str, *, by: str, at: datetime) -> MonthSealed:
    """The refusal of whatever would change a closed month."""
    return MonthSealed(
        f"{period} was closed by {by} on {at:%Y-%m-%d} and is read-only",
        remedy=f"Use the present month; or reopen it with a reason: trueup reopen {period} --reason TEXT.",
    )


def chained(link: SealLink, links: Sequence[SealLink]) -> SealLink:
    """The link in its place behind the others. Raises Conflict for a sealing of a closed month or a reopening of one
    that is open."""
    earlier = standing(link.period, links)
    closed = earlier is not None and earlier.kind is LinkKind.SEALED
    if closed is (link.kind is LinkKind.SEALED):
        state = "closed already" if closed else "not closed"
        raise Conflict(f"{link.period} is {state}", remedy="See which months are closed: trueup months.")
    version = (earlier.version if earlier is not None else 0) + (link.kind is LinkKind.SEALED)
    placed = replace(
        link,
        number=len(links) + 1,
        version=version,
        replaces=earlier.number if earlier is not None else 0,
        previous_hash=links[-1].hash if links else GENESIS,
    )
    return replace(placed, hash=placed.computed_hash)


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """The first place where the chain does not hold. ``part`` is empty when it is the link itself; ``words`` say what
    is wrong."""

    number: int
    period: str
    part: str
    words: str


def first_broken_link(links: Sequence[SealLink], read_part: ReadPart, *, period: str = "") -> BrokenLink | None:
    """The first link that does not follow from the one before or does not have its parts, or None when all hold.

    With a ``period`` only that month's parts are read; the chain is proven whole in any case.
    """
    earlier: list[SealLink] = []
    for link in links:
        words = _chain_fault(link, earlier)
        if words:
            return BrokenLink(len(earlier) + 1, link.period, "", words)
        if period in ("", link.period):
            broken = _broken_part(link, read_part)
            if broken is not None:
                return broken
        earlier.append(link)
    return None


def _chain_fault(link: SealLink, earlier: Sequence[SealLink]) -> str:
    expected = len(earlier) + 1
    if link.number != expected:
        return f"link {expected} is missing; link {link.number} is in its place"
    if link.previous_hash != (earlier[-1].hash if earlier else GENESIS):
        return "it does not name the hash of the link before"
    if link.hash != link.computed_hash:
        return "what it says is not what its hash was made of"
    try:
        again = chained(link, earlier)
    except Conflict as fault:
        return fault.message
    return "" if again == link else "its version or the link that it replaces is not what the chain says"


def _broken_part(link: SealLink, read_part: ReadPart) -> BrokenLink | None:
    for part in link.parts:
        try:
            content = read_part(part)
        except TrueupError as fault:
            return BrokenLink(link.number, link.period, part.name, fault.message)
        if len(content) != part.length_bytes:
            words = f"it has {len(content)} bytes and had {part.length_bytes} when the month was closed"
            return BrokenLink(link.number, link.period, part.name, words)
        if part_of(part.name, content) != part:
            return BrokenLink(link.number, link.period, part.name, "its bytes do not have the hash they were sealed by")
    return None


SEALED_ACTION, REOPENED_ACTION = "month sealed", "month reopened"


def first_contradiction(links: Sequence[SealLink], events: Sequence[AuditEvent]) -> BrokenLink | None:
    """Where the history and the sealed months tell of two pasts, or None.

    Every link has its event with its hash and the other way round, so that a link that was cut off at the end is found
    too; and the last event of each sealed month still has the hash it had.
    """
    told = [event.audit for event in events if event.audit.action in (SEALED_ACTION, REOPENED_ACTION)]
    for number, link in enumerate(links, start=1):
        action = SEALED_ACTION if link.kind is LinkKind.SEALED else REOPENED_ACTION
        audit = told[number - 1] if number <= len(told) else None
        if audit is None or (audit.action, audit.subject, audit.evidence) != (action, link.period, link.hash):
            return BrokenLink(number, link.period, "history", "the history does not tell of this link")
        history = link.history
        if history is not None and history.last_number and not _has_event(events, history):
            words = f"event {history.last_number} of the history is not the one it was when the month was closed"
            return BrokenLink(number, link.period, "history", words)
    if len(told) > len(links):
        missing = told[len(links)]
        words = f"the history tells of link {len(links) + 1} ({missing.action}), and there is no such link"
        return BrokenLink(len(links) + 1, missing.subject, "", words)
    return None


def _has_event(events: Sequence[AuditEvent], history: HistoryRange) -> bool:
    place = history.last_number - 1
    return place < len(events) and events[place].hash == history.last_hash
