"""What every state must do: versions, audits, snapshots, accounts, services, history."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from tests.contracts.state_samples import (
    HOSTILE_NAMES,
    NOW,
    audit,
    entry,
    psa_page,
    service,
    snapshot,
    vendor_page,
)
from tests.fakes.clock import FakeClock
from tests.store_fixture import StateSubject
from trueup.domain.accounts import ServiceId, VendorAccountId
from trueup.domain.audit import first_broken
from trueup.domain.billing import Capability, CapabilityReport
from trueup.domain.errors import InputInvalid, NotFound, StateUnavailable, TrueupError, VersionConflict
from trueup.domain.integrations import ConnectionState, Integration, IntegrationName, Side
from trueup.domain.mapping import AccountEntry, MappingState
from trueup.ports.state import Page
from trueup.ports.state_bundle import State


def interleaved(work: Sequence[Callable[[], object]]) -> list[object]:
    """Runs all at once; what each returned or the error that Trueup raised."""
    outcomes: list[object] = [None] * len(work)
    gate = threading.Barrier(len(work))

    def run(place: int) -> None:
        gate.wait()
        try:
            outcomes[place] = work[place]()
        except TrueupError as error:
            outcomes[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return outcomes


def actions(state: State) -> list[str]:
    """What the history tells, oldest first; the chain must hold whenever it is looked at."""
    events = list(state.history.all())
    assert first_broken(events) is None
    return [event.audit.action for event in events]


class TestIntegrations:
    def test_one_that_was_never_connected_is_fresh(self, state: State) -> None:
        assert state.integrations.get(IntegrationName.MIMECAST) == Integration(IntegrationName.MIMECAST)
        assert state.integrations.all() == tuple(Integration(name) for name in IntegrationName)

    def test_comes_back_whole_with_its_new_version(self, subject: StateSubject) -> None:
        report = CapabilityReport("key ..1234", (Capability("accounts", True, "Account | Read"),), ("a note",))
        wanted = Integration(
            IntegrationName.CONNECTWISE,
            state=ConnectionState.PENDING,
            address="https://api-na.myconnectwise.net",
            settings=(("company", "acme"), ("company", "twice")),
            identifier_tail="1234",
            report=report,
            checked_at=NOW,
            first_failed_at=NOW,
            failures_in_a_row=1,
        )
        saved = subject.state.integrations.save(wanted, audit("connected"))
        assert saved == replace(wanted, version=1)
        assert subject.reopen().integrations.get(IntegrationName.CONNECTWISE) == saved
        assert subject.reopen().integrations.all() == tuple(
            saved if name is saved.name else Integration(name) for name in IntegrationName
        )
        assert actions(subject.state) == ["connected"]

    def test_one_that_moved_is_refused_and_nothing_is_stored(self, state: State) -> None:
        first = state.integrations.save(Integration(IntegrationName.MIMECAST), audit("first"))
        for stale in (replace(first, version=0), replace(first, version=7)):
            with pytest.raises(VersionConflict):
                state.integrations.save(replace(stale, address="x"), audit("second"))
        assert state.integrations.get(IntegrationName.MIMECAST) == first
        assert actions(state) == ["first"]

    def test_an_audit_is_not_needed(self, state: State) -> None:
        state.integrations.save(Integration(IntegrationName.MIMECAST), None)
        assert actions(state) == []

    def test_of_interleaved_writers_one_wins(self, state: State) -> None:
        stored = state.integrations.save(Integration(IntegrationName.MIMECAST), None)
        outcomes = interleaved(
            [
                lambda number=number: state.integrations.save(
                    replace(stored, address=f"a{number}"), audit(f"w{number}")
                )
                for number in range(6)
            ]
        )
        winners = [outcome for outcome in outcomes if isinstance(outcome, Integration)]
        assert len(winners) == 1
        assert all(isinstance(outcome, VersionConflict) for outcome in outcomes if outcome not in winners)
        assert state.integrations.get(IntegrationName.MIMECAST) == winners[0]
        assert actions(state) == [f"w{winners[0].address[1:]}"]


class TestSnapshots:
    def test_there_is_none_before_the_first(self, state: State) -> None:
        assert state.snapshots.latest(Side.VENDOR) is None

    def test_pages_come_back_in_order_and_whole(self, subject: StateSubject) -> None:
        pages = [vendor_page(2, "next"), vendor_page(1, "more"), vendor_page(3)]
        made = snapshot(tuple(subject.state.snapshots.add_page(Side.VENDOR, page) for page in pages))
        assert subject.state.snapshots.latest(Side.VENDOR) is None
        subject.state.snapshots.complete(made, audit("vendor read"))
        reopened = subject.reopen()
        assert reopened.snapshots.latest(Side.VENDOR) == made
        assert reopened.snapshots.latest(Side.PSA) is None
        assert list(reopened.snapshots.vendor_pages(made)) == pages
        assert actions(reopened) == ["vendor read"]

    def test_both_sides_are_kept(self, state: State) -> None:
        page = psa_page()
        made = snapshot((state.snapshots.add_page(Side.PSA, page),), Side.PSA)
        state.snapshots.complete(made, None)
        assert list(state.snapshots.psa_pages(made)) == [page]
        assert state.snapshots.latest(Side.PSA) == made

    def test_the_same_page_has_the_same_address(self, state: State) -> None:
        first, again = (state.snapshots.add_page(Side.VENDOR, vendor_page(1)) for _ in range(2))
        other = state.snapshots.add_page(Side.VENDOR, vendor_page(1, name="Other"))
        assert first == again != other

    def test_an_older_read_never_takes_the_place_of_a_newer_one(self, state: State) -> None:
        newer, older = snapshot((), number=2, minutes=10), snapshot((), number=1, minutes=5)
        state.snapshots.complete(newer, audit("newer"))
        state.snapshots.complete(older, audit("older"))
        assert state.snapshots.latest(Side.VENDOR) == newer
        assert actions(state) == ["newer", "older"]

    def test_completing_again_after_a_lost_reply_changes_nothing(self, state: State) -> None:
        made = snapshot(())
        for _ in range(2):
            state.snapshots.complete(made, audit("read"))
        assert actions(state) == ["read"]
        with pytest.raises(VersionConflict):
            state.snapshots.complete(replace(made, records=99), audit("other"))
        state.snapshots.complete(snapshot((), number=2, minutes=10), None)
        state.snapshots.complete(made, audit("read"))
        with pytest.raises(VersionConflict):
            state.snapshots.complete(replace(made, records=99), audit("other"))
        assert actions(state) == ["read"]

    def test_a_page_that_is_gone_is_told(self, state: State) -> None:
        kept = state.snapshots.add_page(Side.VENDOR, vendor_page(1))
        with pytest.raises(StateUnavailable):
            list(state.snapshots.vendor_pages(snapshot((kept, "0" * 64))))


class TestAccounts:
    def test_an_unknown_one_is_not_found(self, state: State) -> None:
        with pytest.raises(NotFound):
            state.accounts.get(VendorAccountId("nobody"))
        assert list(state.accounts.all()) == []

    def test_all_are_ordered_by_id_and_whole(self, subject: StateSubject) -> None:
        entries = [entry(vendor_id) for vendor_id in ("C3", "007", "7", "C10", "c1")]
        saved = subject.state.accounts.save(entries, [audit("mapped", "C3")])
        assert saved == tuple(replace(one, version=1) for one in entries)
        reopened = subject.reopen()
        assert list(reopened.accounts.all()) == sorted(saved, key=lambda one: one.vendor_id)
        assert reopened.accounts.get(VendorAccountId("007")) == saved[1]
        assert actions(reopened) == ["mapped"]

    def test_one_that_moved_stops_the_whole_group(self, state: State) -> None:
        first, second = state.accounts.save([entry("A"), entry("B")], [])
        state.accounts.save([replace(second, vendor_name="Newer")], [])
        for stale in ([first, second], [first, entry("C"), second], [first, first]):
            with pytest.raises(VersionConflict):
                state.accounts.save([replace(one, vendor_name="Lost") for one in stale], [audit("lost", "A")])
        assert [one.vendor_name for one in state.accounts.all()] == ["Client A", "Newer"]
        assert actions(state) == []

    def test_groups_of_forty_are_each_whole(self, state: State) -> None:
        entries = [entry(f"C{number:03d}") for number in range(100)]
        state.accounts.save([entry("C050")], [])
        audits = [audit(f"a{number}", f"C{number:03d}") for number in range(0, 100, 10)]
        with pytest.raises(VersionConflict):
            state.accounts.save(entries, audits)
        assert [str(one.vendor_id) for one in state.accounts.all()] == [f"C{number:03d}" for number in range(40)] + [
            "C050"
        ]
        assert actions(state) == ["a0", "a10", "a20", "a30"]
        with pytest.raises(VersionConflict):
            state.accounts.save(entries, audits)
        assert actions(state) == ["a0", "a10", "a20", "a30"]

    def test_audits_without_entries_are_stored_too(self, state: State) -> None:
        assert state.accounts.save([], [audit("matching done")]) == ()
        assert actions(state) == ["matching done"]

    def test_a_list_of_one_state_is_ordered_by_name(self, state: State) -> None:
        names = ["beta", "Alpha", "alpha", "\u00c4rzte", "Zeta", "alpha two"]
        state.accounts.save([entry(f"C{place}", name) for place, name in enumerate(names)], [])
        state.accounts.save([entry("M1", "Aa", MappingState.MAPPED)], [])
        page = state.accounts.page(state=MappingState.UNMAPPED, cursor=None, limit=10)
        assert [one.vendor_name for one in page.items] == ["Alpha", "alpha", "alpha two", "beta", "Zeta", "\u00c4rzte"]
        assert page.next_cursor is None
        assert [one.vendor_id for one in all_pages(state, MappingState.MAPPED, 10)] == ["M1"]
        assert all_pages(state, MappingState.EXCLUDED, 10) == []

    @pytest.mark.parametrize("wanted", [None, MappingState.UNMAPPED])
    @pytest.mark.parametrize("limit", [1, 3, 7, 8])
    def test_pages_join_without_gap_or_repeat(self, state: State, wanted: MappingState | None, limit: int) -> None:
        state.accounts.save([entry(f"C{number}", f"Same {number % 2}") for number in range(7)], [])
        found = all_pages(state, wanted, limit)
        assert sorted(str(one.vendor_id) for one in found) == [f"C{number}" for number in range(7)]

    def test_a_decision_moves_an_entry_to_the_other_list(self, state: State) -> None:
        (saved,) = state.accounts.save([entry("A")], [])
        state.accounts.save([replace(saved, state=MappingState.EXCLUDED)], [])
        assert all_pages(state, MappingState.UNMAPPED, 5) == []
        assert [one.vendor_id for one in all_pages(state, MappingState.EXCLUDED, 5)] == ["A"]

    def test_a_cursor_of_another_list_is_refused(self, state: State) -> None:
        state.accounts.save([entry("A"), entry("B")], [])
        cursor = state.accounts.page(state=None, cursor=None, limit=1).next_cursor
        for wrong in (cursor, "rubbish", "", "W10", "\u00e4", "eyJhIjoxfQ"):
            with pytest.raises(InputInvalid) as refused:
                state.accounts.page(state=MappingState.UNMAPPED, cursor=wrong, limit=1)
            assert refused.value.field == "cursor"
        with pytest.raises(InputInvalid):
            state.accounts.page(state=None, cursor=None, limit=0)

    @pytest.mark.fault("C18")
    def test_C18_hostile_names_are_stored_as_they_are(self, subject: StateSubject) -> None:
        entries = [
            replace(entry(f"{state.value}{place}-{name[:900]}", state=state), vendor_name=name)
            for place, name in enumerate(HOSTILE_NAMES)
            for state in (MappingState.UNMAPPED, MappingState.AMBIGUOUS)
        ]
        saved = subject.state.accounts.save(entries, [audit("seen " + name[:50]) for name in HOSTILE_NAMES])
        reopened = subject.reopen()
        by_id = {one.vendor_id: one for one in reopened.accounts.all()}
        assert by_id == {one.vendor_id: one for one in saved}
        assert [reopened.accounts.get(one.vendor_id) for one in saved] == list(saved)
        listed = all_pages(reopened, MappingState.AMBIGUOUS, 3)
        assert sorted(one.vendor_name for one in listed) == sorted(HOSTILE_NAMES)
        assert actions(reopened) == ["seen " + name[:50] for name in HOSTILE_NAMES]

    def test_of_interleaved_writers_every_entry_has_one_winner(self, state: State) -> None:
        entries = state.accounts.save([entry(f"C{number}") for number in range(5)], [])

        def write(name: str) -> tuple[AccountEntry, ...]:
            mixed = list(entries)
            random.Random(name).shuffle(mixed)
            return state.accounts.save([replace(one, vendor_name=name) for one in mixed], [audit(name)])

        outcomes = interleaved([lambda name=name: write(name) for name in ("one", "two", "three", "four")])
        winners = [outcome for outcome in outcomes if isinstance(outcome, tuple)]
        assert len(winners) == 1
        assert {one.vendor_name for one in state.accounts.all()} == {winners[0][0].vendor_name}
        assert actions(state) == [winners[0][0].vendor_name]


def all_pages(state: State, wanted: MappingState | None, limit: int) -> list[AccountEntry]:
    found: list[AccountEntry] = []
    cursor: str | None = None
    while True:
        page: Page[AccountEntry] = state.accounts.page(state=wanted, cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        found.extend(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return found
        assert page.items


class TestServices:
    def test_come_back_whole_and_conditional(self, subject: StateSubject) -> None:
        saved = subject.state.services.save([service("b"), service("a")], [audit("service mapped", "a")])
        assert [one.version for one in saved] == [1, 1]
        assert [one.service_id for one in subject.reopen().services.all()] == ["a", "b"]
        assert subject.reopen().services.get(ServiceId("b")) == saved[0]
        with pytest.raises(VersionConflict):
            subject.state.services.save([saved[0], service("a")], [audit("lost", "a")])
        assert actions(subject.state) == ["service mapped"]
        assert subject.state.services.get(ServiceId("b")) == saved[0]
        with pytest.raises(NotFound):
            subject.state.services.get(ServiceId("c"))


class TestHistory:
    def test_newest_first_by_page_and_oldest_first_as_a_whole(self, state: State) -> None:
        for number in range(7):
            state.history.append([audit(f"a{number}")])
        seen: list[str] = []
        cursor: str | None = None
        while True:
            page = state.history.page(cursor=cursor, limit=3)
            seen.extend(event.audit.action for event in page.items)
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == [f"a{number}" for number in reversed(range(7))]
        assert actions(state) == list(reversed(seen))
        assert [event.number for event in state.history.all()] == list(range(1, 8))

    def test_empty(self, state: State) -> None:
        assert state.history.page(cursor=None, limit=5) == Page((), None)
        assert list(state.history.all()) == []
        state.history.append([])
        with pytest.raises(InputInvalid):
            state.history.page(cursor="rubbish", limit=5)

    def test_more_events_than_one_transaction_holds(self, state: State) -> None:
        state.history.append([audit(f"a{number}") for number in range(230)])
        assert actions(state) == [f"a{number}" for number in range(230)]

    def test_every_field_is_kept_and_the_chain_holds_in_any_time_zone(self, subject: StateSubject) -> None:
        at = NOW.astimezone(timezone(timedelta(hours=2)))
        told = audit("a", "b", at, before="1", after="2 \ud800", why="w", evidence="e", run_id="r")
        subject.state.history.append([told])
        (event,) = subject.reopen().history.all()
        assert event.audit == told
        assert actions(subject.reopen()) == ["a"]

    def test_interleaved_writers_make_one_chain(self, state: State) -> None:
        def write(name: str) -> None:
            for number in range(5):
                state.history.append([audit(f"{name}{number}"), audit(f"{name}{number}+")])

        assert interleaved([lambda name=name: write(name) for name in "abcde"]) == [None] * 5
        told = actions(state)
        assert len(told) == 50
        for name in "abcde":
            mine = [action for action in told if action.startswith(name)]
            assert mine == [f"{name}{number}{mark}" for number in range(5) for mark in ("", "+")]


def test_the_clock_of_the_tests_stands_still(clock: FakeClock) -> None:
    """The suites below lean on it: no test waits."""
    assert clock.now() == NOW
