"""What every state must do for machines that call: their keys, numbers that forget themselves, and refreshed reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contracts.state_samples import HOSTILE_NAMES, NOW, audit, psa_page, snapshot
from tests.contracts.test_state_contract import actions, interleaved
from tests.store_fixture import StateSubject
from trueup.domain.api_keys import ApiKey, KeyScope, secret_hash
from trueup.domain.errors import NotFound, VersionConflict
from trueup.domain.integrations import Side
from trueup.domain.runs import Snapshot
from trueup.ports.state_bundle import State


def api_key(key_id: str = "0a1b2c3d4e5f", minutes: int = 0, name: str = "ConnectWise rule") -> ApiKey:
    return ApiKey(
        id=key_id,
        name=name,
        scopes=frozenset({KeyScope.RUNS_START, KeyScope.COUNTS_READ}),
        secret_hash=secret_hash("secret"),
        created_at=NOW + timedelta(minutes=minutes),
        created_by="ann@example.com",
        calls_a_minute=30,
    )


class TestApiKeys:
    def test_a_key_comes_back_whole(self, subject: StateSubject) -> None:
        saved = subject.state.api_keys.save(api_key(), audit("key made"))
        assert saved == replace(api_key(), version=1)
        assert subject.reopen().api_keys.get(saved.id) == saved
        assert actions(subject.state) == ["key made"]

    @pytest.mark.parametrize("key_id", ["nobody", "", "a#b", *HOSTILE_NAMES])
    def test_an_unknown_one_is_not_found_and_not_repeated(self, state: State, key_id: str) -> None:
        state.api_keys.save(api_key(), audit())
        with pytest.raises(NotFound) as refused:
            state.api_keys.get(key_id)
        assert not key_id or key_id not in refused.value.message

    def test_all_come_newest_first_with_the_revoked_ones(self, state: State) -> None:
        for number, key_id in enumerate(("b", "c", "a")):
            state.api_keys.save(api_key(key_id, minutes=number), audit())
        revoked = replace(state.api_keys.get("c"), revoked_at=NOW, revoked_by="bob")
        state.api_keys.save(revoked, audit("key revoked"))
        assert [key.id for key in state.api_keys.all()] == ["a", "c", "b"]
        assert state.api_keys.get("c").revoked_by == "bob"

    def test_one_that_moved_is_refused_and_nothing_is_stored(self, state: State) -> None:
        first = state.api_keys.save(api_key(), audit("made"))
        for stale in (replace(first, version=0), replace(first, version=9)):
            with pytest.raises(VersionConflict):
                state.api_keys.save(replace(stale, revoked_at=NOW), audit("lost"))
        assert state.api_keys.get(first.id) == first
        assert actions(state) == ["made"]


class TestCounters:
    def test_each_one_counts_and_names_are_apart(self, state: State) -> None:
        assert [state.counters.add("calls", seconds=60) for _ in range(3)] == [1, 2, 3]
        assert state.counters.add("other", seconds=60) == 1
        assert [state.counters.value(name) for name in ("calls", "other", "never")] == [3, 1, 0]

    def test_the_first_one_opens_a_window_that_the_others_do_not_move(self, subject: StateSubject) -> None:
        counters = subject.state.counters
        counters.add("calls", seconds=60)
        subject.clock.advance(59)
        assert counters.add("calls", seconds=60) == 2
        subject.clock.advance(1)
        assert counters.value("calls") == 0
        assert counters.add("calls", seconds=60) == 1
        subject.clock.advance(59)
        assert counters.value("calls") == 1

    def test_of_many_at_once_each_gets_a_number_of_its_own(self, state: State) -> None:
        numbers = interleaved([lambda: state.counters.add("calls", seconds=60) for _ in range(8)])
        assert sorted(numbers, key=str) == sorted(range(1, 9), key=str)

    def test_of_many_that_find_a_window_over_one_opens_the_next(self, subject: StateSubject) -> None:
        subject.state.counters.add("calls", seconds=60)
        subject.clock.advance(60)
        numbers = interleaved([lambda: subject.state.counters.add("calls", seconds=60) for _ in range(8)])
        assert sorted(numbers, key=str) == sorted(range(1, 9), key=str)

    @pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
    def test_any_text_is_a_name(self, state: State, name: str) -> None:
        assert state.counters.add(name, seconds=60) == state.counters.value(name) == 1

    def test_another_process_goes_on_counting(self, subject: StateSubject) -> None:
        subject.state.counters.add("calls", seconds=60)
        assert subject.reopen().counters.add("calls", seconds=60) == 2

    def test_the_table_is_told_when_to_tidy_up(self, subject: StateSubject) -> None:
        if subject.client is None:
            pytest.skip("the fake keeps nothing that outlives it")
        subject.state.counters.add("calls", seconds=60)
        values = subject.client.requests[-1]["ExpressionAttributeValues"]
        assert int(values[":expiry"]["N"]) * 1000 > int(values[":ends"]["N"])


class TestRefreshedReads:
    def complete(self, state: State, number: int = 1, minutes: int = 0) -> Snapshot:
        made = snapshot((state.snapshots.add_page(Side.PSA, psa_page()),), Side.PSA, number, minutes)
        state.snapshots.complete(made, None)
        return made

    def derived(self, state: State, base: Snapshot, name: str = "derived") -> Snapshot:
        page = state.snapshots.add_page(Side.PSA, psa_page(2))
        return replace(base, id=f"{base.id}-{name}", pages=(page,), refreshed=(("19", NOW),))

    def test_it_takes_the_place_of_the_read_it_is_made_of(self, subject: StateSubject) -> None:
        state = subject.state
        base = self.complete(state)
        derived = self.derived(state, base)
        state.snapshots.refresh(base, derived, audit("refreshed"))
        reopened = subject.reopen()
        assert reopened.snapshots.latest(Side.PSA) == derived
        assert list(reopened.snapshots.psa_pages(derived)) == [psa_page(2)]
        assert list(reopened.snapshots.psa_pages(base)) == [psa_page()]
        assert actions(state) == ["refreshed"]

    def test_a_read_that_is_not_the_latest_any_more_is_not_refreshed(self, state: State) -> None:
        base = self.complete(state)
        derived = self.derived(state, base)
        newer = self.complete(state, number=2, minutes=5)
        with pytest.raises(VersionConflict):
            state.snapshots.refresh(base, derived, audit("lost"))
        assert state.snapshots.latest(Side.PSA) == newer
        assert actions(state) == []

    def test_there_must_be_one(self, state: State) -> None:
        base = snapshot((), Side.PSA)
        with pytest.raises(VersionConflict):
            state.snapshots.refresh(base, replace(base, id="derived"), audit("lost"))
        assert state.snapshots.latest(Side.PSA) is None

    def test_refreshing_again_after_a_lost_reply_changes_nothing(self, state: State) -> None:
        base = self.complete(state)
        derived = self.derived(state, base)
        for _ in range(2):
            state.snapshots.refresh(base, derived, audit("refreshed"))
        assert state.snapshots.latest(Side.PSA) == derived
        assert actions(state) == ["refreshed"]

    def test_the_next_complete_read_takes_its_place(self, state: State) -> None:
        base = self.complete(state)
        state.snapshots.refresh(base, self.derived(state, base), audit("refreshed"))
        newer = self.complete(state, number=2, minutes=5)
        assert state.snapshots.latest(Side.PSA) == newer

    def test_of_several_upon_the_same_read_one_wins(self, state: State) -> None:
        base = self.complete(state)
        wanted = [self.derived(state, base, f"d{number}") for number in range(4)]
        outcomes = interleaved(
            [lambda one=one: state.snapshots.refresh(base, one, audit(one.id)) for one in wanted]  # type: ignore[misc]
        )
        assert sum(outcome is None for outcome in outcomes) == 1
        assert all(isinstance(outcome, VersionConflict) for outcome in outcomes if outcome is not None)
        assert actions(state) == [one.id for one in wanted if state.snapshots.latest(Side.PSA) == one]
