"""The chain of closed months: whatever byte is changed, added or taken away, the first broken link is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.audit import GENESIS, Audit, AuditEvent
from trueup.domain.audit import chained as chained_event
from trueup.domain.errors import Conflict, MonthSealed, StateUnavailable
from trueup.domain.sealing import (
    HistoryRange,
    LinkKind,
    SealedPart,
    SealLink,
    chained,
    first_broken_link,
    first_contradiction,
    is_closed,
    part_of,
    require_open,
)

NOW = datetime(2026, 10, 1, 6, 0, tzinfo=UTC)


def sealing(period: str, parts: tuple[SealedPart, ...] = (), history: HistoryRange | None = None) -> SealLink:
    return SealLink(
        0, LinkKind.SEALED, period, 0, "acme", NOW, "ann", run_id="r", parts=parts, outstanding=("x",), history=history
    )


def reopening(period: str) -> SealLink:
    return SealLink(0, LinkKind.REOPENED, period, 0, "acme", NOW, "bob", reason="late credit")


class Months:
    """A chain with its parts by their address, as a store holds them: equal parts are stored once."""

    def __init__(self, contents: Sequence[Sequence[bytes]]) -> None:
        self.stored: dict[str, bytes] = {}
        self.links: list[SealLink] = []
        for number, pieces in enumerate(contents, start=1):
            parts = tuple(part_of(f"part {place}", piece) for place, piece in enumerate(pieces))
            self.stored.update({part.sha256: piece for part, piece in zip(parts, pieces, strict=True)})
            self.links.append(chained(sealing(f"2026-{number:02d}", parts), self.links))

    def broken(self, links: Sequence[SealLink] | None = None) -> tuple[int, str, str] | None:
        found = first_broken_link(self.links if links is None else links, lambda part: self.stored[part.sha256])
        return None if found is None else (found.number, found.period, found.part)

    def first_with(self, address: str) -> tuple[int, str, str]:
        """The first link and part that has those bytes."""
        return next(
            (link.number, link.period, part.name)
            for link in self.links
            for part in link.parts
            if part.sha256 == address
        )


chains = st.lists(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=3), min_size=1, max_size=5)


@given(chains, st.data())
def test_any_flipped_bit_of_any_part_is_found_and_named(contents: list[list[bytes]], data: st.DataObject) -> None:
    months = Months(contents)
    assert months.broken() is None
    address = data.draw(st.sampled_from(sorted(months.stored)))
    content = bytearray(months.stored[address])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    months.stored[address] = bytes(content)
    assert months.broken() == months.first_with(address)


CHANGES: dict[str, object] = {
    "number": 9,
    "kind": LinkKind.REOPENED,
    "period": "2031-01",
    "version": 7,
    "tenant": "other",
    "at": NOW + timedelta(microseconds=1),
    "by": "mallory",
    "reason": "because",
    "run_id": "r2",
    "replaces": 3,
    "parts": (),
    "outstanding": (),
    "history": HistoryRange(1, 2, "a" * 64),
    "previous_hash": "f" * 64,
    "hash": "e" * 64,
}


def test_every_field_of_a_link_is_looked_at() -> None:
    assert set(CHANGES) == {field.name for field in fields(SealLink)}


@pytest.mark.parametrize("name", sorted(CHANGES))
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_changed_word_of_a_link_is_found_there(name: str, place: int) -> None:
    months = Months([[b"a"], [b"b"], [b"c"]])
    forged = list(months.links)
    forged[place] = replace(forged[place], **{name: CHANGES[name]})  # type: ignore[arg-type]
    found = months.broken(forged)
    assert found is not None
    assert found[0] == place + 1


@pytest.mark.parametrize("name", sorted(set(CHANGES) - {"hash", "number", "previous_hash"}))
def test_a_link_that_was_made_anew_breaks_the_one_after_it(name: str) -> None:
    months = Months([[b"a"], [b"b"], [b"c"]])
    forged = list(months.links)
    changed = replace(forged[1], **{name: CHANGES[name]})  # type: ignore[arg-type]
    forged[1] = replace(changed, hash=changed.computed_hash)
    found = months.broken(forged)
    assert found is not None
    assert found[0] in (2, 3)


@given(st.integers(2, 5), st.data())
def test_a_link_that_is_taken_out_or_moved_is_found(many: int, data: st.DataObject) -> None:
    months = Months([[b"x"]] * many)
    place = data.draw(st.integers(0, many - 2))
    without = [*months.links[:place], *months.links[place + 1 :]]
    found = months.broken(without)
    assert found is not None
    assert found[0] == place + 1
    swapped = list(months.links)
    swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    found = months.broken(swapped)
    assert found is not None
    assert found[0] == place + 1


def test_a_part_that_cannot_be_read_or_is_cut_is_named() -> None:
    months = Months([[b"ab"], [b"cd"]])

    def gone(part: SealedPart) -> bytes:
        raise StateUnavailable("it is gone")

    found = first_broken_link(months.links, gone)
    assert found is not None
    assert (found.number, found.period, found.part, found.words) == (1, "2026-01", "part 0", "it is gone")
    found = first_broken_link(months.links, lambda part: b"ab" if part == months.links[0].parts[0] else b"c")
    assert found is not None
    assert "1 bytes and had 2" in found.words


def test_with_a_period_only_that_months_parts_are_read() -> None:
    months = Months([[b"ab"], [b"cd"]])
    read: list[str] = []

    def reading(part: SealedPart) -> bytes:
        read.append(part.sha256)
        return b"cd"

    assert first_broken_link(months.links, reading, period="2026-02") is None
    assert read == [months.links[1].parts[0].sha256]


class TestOpenAndClosed:
    def test_a_month_is_closed_opened_and_closed_again(self) -> None:
        links: list[SealLink] = []
        require_open("2026-09", links)
        for link, version, replaces, closed in (
            (sealing("2026-09"), 1, 0, True),
            (reopening("2026-09"), 1, 1, False),
            (sealing("2026-09"), 2, 2, True),
        ):
            placed = chained(link, links)
            links.append(placed)
            assert (placed.version, placed.replaces, is_closed("2026-09", links)) == (version, replaces, closed)
        with pytest.raises(MonthSealed, match="2026-09 was closed by ann on 2026-10-01 and is read-only"):
            require_open("2026-09", links)
        require_open("2026-10", links)

    def test_what_is_closed_is_not_closed_and_what_is_open_not_opened(self) -> None:
        links = [chained(sealing("2026-09"), [])]
        with pytest.raises(Conflict, match="closed already"):
            chained(sealing("2026-09"), links)
        with pytest.raises(Conflict, match="not closed"):
            chained(reopening("2026-10"), links)


class TestWithTheHistory:
    def events(self, links: Sequence[SealLink], more: int = 0) -> list[AuditEvent]:
        audits = [Audit(NOW, "ann", "thing done", f"{number}") for number in range(more)]
        audits += [Audit(NOW, "ann", f"month {link.kind.value}", link.period, evidence=link.hash) for link in links]
        found: list[AuditEvent] = []
        for number, audit in enumerate(audits, start=1):
            found.append(chained_event(audit, number=number, previous_hash=found[-1].hash if found else GENESIS))
        return found

    def test_both_tell_the_same(self) -> None:
        links = Months([[b"a"], [b"b"]]).links
        assert first_contradiction(links, self.events(links, more=2)) is None
        assert first_contradiction([], []) is None

    def test_a_link_that_was_cut_off_at_the_end_is_missed(self) -> None:
        links = Months([[b"a"], [b"b"]]).links
        found = first_contradiction(links[:1], self.events(links))
        assert found is not None
        assert (found.number, found.period) == (2, "2026-02")

    def test_a_chain_that_was_made_anew_is_not_the_one_the_history_tells_of(self) -> None:
        links = Months([[b"a"], [b"b"]]).links
        other = Months([[b"a"], [b"c"]]).links
        found = first_contradiction(other, self.events(links))
        assert found is not None
        assert (found.number, found.part) == (2, "history")

    def test_the_last_event_of_a_month_still_has_its_hash(self) -> None:
        events = self.events([], more=3)
        for last_hash, holds in ((events[2].hash, True), ("0" * 64, False)):
            link = chained(sealing("2026-09", history=HistoryRange(1, 3, last_hash)), [])
            told = Audit(NOW, "ann", "month sealed", link.period, evidence=link.hash)
            more = [*events, chained_event(told, number=4, previous_hash=events[-1].hash)]
            assert (first_contradiction([link], more) is None) is holds
        assert first_contradiction([link], []) is not None
