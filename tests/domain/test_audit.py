"""The history is a chain: whatever is changed, left out, swapped or slipped in is found at its place."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.audit import GENESIS, Audit, AuditEvent, chained, first_broken

TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=10)
AUDITS = st.builds(
    Audit,
    at=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    **{name: TEXT for name in ("actor", "action", "subject", "before", "after", "why", "evidence", "run_id")},
)
HISTORIES = st.lists(AUDITS, min_size=1, max_size=6)


def _chain(audits: list[Audit]) -> list[AuditEvent]:
    events: list[AuditEvent] = []
    for number, audit in enumerate(audits, start=1):
        events.append(chained(audit, number=number, previous_hash=events[-1].hash if events else GENESIS))
    return events


def _flipped(value: Any, at: int, bit: int) -> Any:
    """The value with one bit of one character, number or moment turned over."""
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1 << bit)
    if isinstance(value, int):
        return value ^ (1 << bit)
    if not value:
        return chr(97 + bit)
    place = at % len(value)
    return value[:place] + chr(ord(value[place]) ^ (1 << bit)) + value[place + 1 :]


@given(HISTORIES)
def test_an_untouched_chain_holds(audits: list[Audit]) -> None:
    assert first_broken(_chain(audits)) is None
    assert first_broken([]) is None


@given(HISTORIES, st.data())
def test_one_flipped_bit_in_any_field_of_any_event_is_found_there(audits: list[Audit], data: st.DataObject) -> None:
    events = _chain(audits)
    place = data.draw(st.integers(0, len(events) - 1))
    at, bit = data.draw(st.integers(0, 63)), data.draw(st.integers(0, 6))
    event = events[place]
    for name in [item.name for item in fields(Audit)]:
        audit = replace(event.audit, **{name: _flipped(getattr(event.audit, name), at, bit)})
        assert first_broken([*events[:place], replace(event, audit=audit), *events[place + 1 :]]) == place + 1
    for name in ("number", "previous_hash", "hash"):
        changed = replace(event, **{name: _flipped(getattr(event, name), at, bit)})
        assert first_broken([*events[:place], changed, *events[place + 1 :]]) == place + 1


@given(st.lists(AUDITS, min_size=2, max_size=6, unique_by=lambda audit: audit.facts()["at"]), st.data())
def test_an_event_left_out_or_swapped_or_slipped_in_is_found(audits: list[Audit], data: st.DataObject) -> None:
    events = _chain(audits)
    place = data.draw(st.integers(0, len(events) - 2))
    left_out = [*events[:place], *events[place + 1 :]]
    assert first_broken(left_out) == place + 1
    swapped = [*events[:place], events[place + 1], events[place], *events[place + 2 :]]
    assert first_broken(swapped) == place + 1
    twice = [*events[: place + 1], *events[place:]]
    assert first_broken(twice) == place + 2


@given(HISTORIES, st.data())
def test_an_event_rewritten_with_its_hash_is_found_at_the_next_one(audits: list[Audit], data: st.DataObject) -> None:
    """Who rewrites one event well must rewrite all after it: the next one still carries the old hash."""
    events = _chain([*audits, audits[0]])
    place = data.draw(st.integers(0, len(events) - 2))
    event = events[place]
    forged = chained(
        replace(event.audit, after="99 seats or so"), number=event.number, previous_hash=event.previous_hash
    )
    if forged.hash != event.hash:
        assert first_broken([*events[:place], forged, *events[place + 1 :]]) == place + 2


def test_text_moved_from_one_field_to_the_next_has_another_hash() -> None:
    at = datetime(2026, 11, 15, tzinfo=UTC)
    one = Audit(at, "dana", "change applied", "line 5", before="10", after="12")
    other = Audit(at, "dana", "change applied", "line 5", before="1012", after="")
    hashes = {chained(audit, number=1, previous_hash=GENESIS).hash for audit in (one, other)}
    assert len(hashes) == 2
