"""What every state must do for work in progress: runs, leases, checkpoints, kept replies, comparisons."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contracts.state_samples import NOW, PERIOD, audit, finished, reconciliation, row, run, upload
from tests.contracts.test_state_contract import actions, interleaved
from tests.store_fixture import StateSubject
from trueup.domain.errors import Conflict, InputInvalid, LeaseHeld, NotFound, VersionConflict
from trueup.domain.integrations import Side
from trueup.domain.runs import Run, RunState, SideProgress
from trueup.domain.verdicts import Row, Verdict
from trueup.ports.state import ComparisonSummary, Page
from trueup.ports.state_bundle import State

HOUR = timedelta(hours=1)


class TestRuns:
    def test_a_started_run_comes_back(self, subject: StateSubject) -> None:
        wanted = replace(run(), sides=(SideProgress(Side.VENDOR, 3, 20, 40),))
        started = subject.state.runs.start(wanted, audit("run started"))
        assert started == replace(wanted, version=1)
        assert subject.reopen().runs.get(started.id) == started
        assert actions(subject.state) == ["run started"]
        with pytest.raises(NotFound):
            subject.state.runs.get("run-2026-09-9")

    def test_an_unfinished_run_holds_the_place(self, state: State) -> None:
        first = state.runs.start(run(1), None)
        for other in (run(2), run(1)):
            with pytest.raises(LeaseHeld) as refused:
                state.runs.start(other, audit("started"))
            assert refused.value.holder == first.id
            assert first.id in refused.value.message
        assert state.runs.get(first.id) == first
        assert actions(state) == []

    def test_a_run_that_waits_for_a_person_frees_the_place_until_it_goes_on(self, state: State) -> None:
        first = state.runs.start(run(1), None)
        waiting = state.runs.save(replace(first, state=RunState.WAITING_FOR_APPROVAL), None)
        second = state.runs.start(run(2), None)
        assert state.runs.get(first.id) == waiting
        state.runs.save(finished(second), None)
        state.runs.save(replace(waiting, state=RunState.RUNNING), None)
        with pytest.raises(LeaseHeld) as refused:
            state.runs.start(run(3), None)
        assert refused.value.holder == first.id

    @pytest.mark.parametrize("end", [RunState.DONE, RunState.FAILED])
    def test_a_run_that_is_over_frees_the_place(self, state: State, end: RunState) -> None:
        first = state.runs.start(run(1), None)
        state.runs.save(replace(first, state=end, ended_at=NOW), audit("over"))
        assert state.runs.start(run(2), audit("second")).version == 1
        assert actions(state) == ["over", "second"]

    def test_a_run_must_not_exist_yet(self, state: State) -> None:
        state.runs.save(finished(state.runs.start(run(1), None)), None)
        with pytest.raises(VersionConflict):
            state.runs.start(run(1), audit("again"))
        assert actions(state) == []

    def test_a_run_that_moved_is_refused(self, state: State) -> None:
        first = state.runs.start(run(1), None)
        second = state.runs.save(replace(first, plan_id="p"), None)
        with pytest.raises(VersionConflict):
            state.runs.save(replace(first, plan_id="q"), audit("lost"))
        assert state.runs.get(first.id) == second
        with pytest.raises(VersionConflict):
            state.runs.save(run(7), audit("lost"))
        assert actions(state) == []

    def test_a_run_that_is_over_stays_over(self, state: State) -> None:
        over = state.runs.save(finished(state.runs.start(run(1), None)), None)
        with pytest.raises(VersionConflict):
            state.runs.save(replace(over, state=RunState.RUNNING), None)
        assert state.runs.save(replace(over, problem="a note"), None).version == 3

    def test_a_dead_run_is_replaced_and_marked(self, subject: StateSubject) -> None:
        state, clock = subject.state, subject.clock
        dead = state.runs.start(run(1), None)
        clock.advance(2 * 3600 - 1)
        with pytest.raises(LeaseHeld):
            state.runs.start(run(2), None)
        clock.advance(1)
        state.runs.start(run(2, at=clock.now()), audit("second"))
        marked = state.runs.get(dead.id)
        assert marked.state is RunState.FAILED
        assert marked.ended_at == clock.now()
        assert "run-2026-09-2" in marked.problem
        assert marked.remedy
        with pytest.raises(VersionConflict):
            state.runs.save(replace(dead, plan_id="late"), audit("late"))
        with pytest.raises(LeaseHeld):
            state.runs.start(run(3), None)
        assert actions(state) == ["second"]

    def test_progress_keeps_a_run_alive(self, subject: StateSubject) -> None:
        alive = subject.state.runs.start(run(1), None)
        for _ in range(3):
            subject.clock.advance(3600)
            alive = subject.state.runs.save(replace(alive, updated_at=subject.clock.now()), None)
            with pytest.raises(LeaseHeld):
                subject.state.runs.start(run(2), None)

    def test_the_newest_first(self, state: State) -> None:
        for number in (1, 2, 3):
            at = NOW + number * HOUR
            state.runs.save(finished(state.runs.start(run(number, at=at), None), at), None)
        assert [one.id[-1] for one in state.runs.latest()] == ["3", "2", "1"]
        assert [one.id[-1] for one in state.runs.latest(2)] == ["3", "2"]

    def test_of_interleaved_starts_one_wins(self, state: State) -> None:
        outcomes = interleaved(
            [lambda number=number: state.runs.start(run(number), audit(f"s{number}")) for number in range(6)]
        )
        winners = [outcome for outcome in outcomes if isinstance(outcome, Run)]
        assert len(winners) == 1
        for outcome in outcomes:
            assert outcome is winners[0] or (isinstance(outcome, LeaseHeld) and outcome.holder == winners[0].id)
        assert actions(state) == [f"s{winners[0].id[-1]}"]
        assert len(state.runs.latest()) == 1

    def test_of_interleaved_saves_one_wins(self, state: State) -> None:
        first = state.runs.start(run(1), None)
        work = [
            lambda number=number: state.runs.save(replace(first, plan_id=f"p{number}"), None) for number in range(4)
        ]
        winners = [outcome for outcome in interleaved(work) if isinstance(outcome, Run)]
        assert [state.runs.get(first.id)] == winners


class TestLeases:
    def test_one_owner_at_a_time(self, state: State) -> None:
        fence = state.leases.acquire("apply", owner="a", seconds=60)
        with pytest.raises(LeaseHeld) as refused:
            state.leases.acquire("apply", owner="b", seconds=60)
        assert refused.value.holder == "a"
        assert state.leases.acquire("apply", owner="a", seconds=60) == fence
        assert state.leases.acquire("other", owner="b", seconds=60) >= 1

    def test_giving_back_lets_the_next_one_in_with_a_higher_number(self, state: State) -> None:
        first = state.leases.acquire("apply", owner="a", seconds=60)
        state.leases.release("apply", owner="a")
        second = state.leases.acquire("apply", owner="b", seconds=60)
        state.leases.release("apply", owner="b")
        third = state.leases.acquire("apply", owner="a", seconds=60)
        assert first < second < third

    def test_renewing_moves_the_end(self, subject: StateSubject) -> None:
        leases = subject.state.leases
        fence = leases.acquire("apply", owner="a", seconds=60)
        subject.clock.advance(50)
        assert leases.acquire("apply", owner="a", seconds=60) == fence
        subject.clock.advance(50)
        with pytest.raises(LeaseHeld):
            leases.acquire("apply", owner="b", seconds=60)

    @pytest.mark.fault("A3")
    def test_A3_an_owner_that_was_killed_frees_the_lease_by_time(self, subject: StateSubject) -> None:
        first = subject.state.leases.acquire("apply", owner="killed", seconds=60)
        subject.clock.advance(60)
        assert subject.reopen().leases.acquire("apply", owner="next", seconds=60) > first

    @pytest.mark.fault("A5")
    def test_A5_a_stale_owner_is_refused_and_cannot_free_the_new_one(self, subject: StateSubject) -> None:
        leases = subject.state.leases
        stale = leases.acquire("apply", owner="scheduled", seconds=60)
        subject.clock.advance(61)
        fresh = leases.acquire("apply", owner="manual", seconds=60)
        assert fresh > stale
        with pytest.raises(LeaseHeld):
            leases.acquire("apply", owner="scheduled", seconds=60)
        leases.release("apply", owner="scheduled")
        with pytest.raises(LeaseHeld):
            leases.acquire("apply", owner="third", seconds=60)

    def test_an_own_lease_that_ended_gets_a_new_number(self, subject: StateSubject) -> None:
        first = subject.state.leases.acquire("apply", owner="a", seconds=60)
        subject.clock.advance(60)
        assert subject.state.leases.acquire("apply", owner="a", seconds=60) > first

    def test_giving_back_what_nobody_has_is_no_error(self, state: State) -> None:
        state.leases.release("never", owner="a")

    def test_of_interleaved_owners_one_wins(self, state: State) -> None:
        outcomes = interleaved(
            [lambda name=name: state.leases.acquire("apply", owner=name, seconds=600) for name in "abcdef"]
        )
        assert len([outcome for outcome in outcomes if isinstance(outcome, int)]) == 1
        assert len([outcome for outcome in outcomes if isinstance(outcome, LeaseHeld)]) == 5


class TestCheckpoints:
    def test_saved_loaded_replaced_cleared(self, subject: StateSubject) -> None:
        checkpoints = subject.state.checkpoints
        assert checkpoints.load("run-1", Side.VENDOR) is None
        checkpoints.clear("run-1", Side.VENDOR)
        checkpoints.save("run-1", Side.VENDOR, b"one")
        checkpoints.save("run-1", Side.PSA, b"psa")
        checkpoints.save("run-1", Side.VENDOR, b"\x00\xfftwo")
        assert subject.reopen().checkpoints.load("run-1", Side.VENDOR) == b"\x00\xfftwo"
        assert checkpoints.load("run-2", Side.VENDOR) is None
        checkpoints.clear("run-1", Side.VENDOR)
        assert checkpoints.load("run-1", Side.VENDOR) is None
        assert checkpoints.load("run-1", Side.PSA) == b"psa"

    def test_a_large_one_is_kept_whole(self, subject: StateSubject) -> None:
        large = bytes(range(256)) * 5 + random.Random(1).randbytes(900_000)
        subject.state.checkpoints.save("run-1", Side.VENDOR, large)
        assert subject.reopen().checkpoints.load("run-1", Side.VENDOR) == large


class TestUploads:
    def test_kept_replaced_forgotten(self, subject: StateSubject) -> None:
        uploads = subject.state.uploads
        first, second = upload(), upload(b"other \x00\xff bytes", rows=2, hours=1)
        assert uploads.get(first.name) is None
        uploads.put(first, audit("kept"))
        assert subject.reopen().uploads.get(first.name) == first
        uploads.put(second, audit("kept again"))
        assert subject.reopen().uploads.get(first.name) == second
        assert uploads.get("another name") is None
        assert uploads.remove(first.name, audit("forgotten"))
        assert subject.reopen().uploads.get(first.name) is None
        assert actions(subject.state) == ["kept", "kept again", "forgotten"]

    def test_forgetting_what_is_not_there_is_no_error_and_no_event(self, state: State) -> None:
        assert not state.uploads.remove("never", audit("forgotten"))
        state.uploads.put(upload(), audit("kept"))
        assert state.uploads.remove(upload().name, audit("forgotten"))
        assert not state.uploads.remove(upload().name, audit("forgotten twice"))
        state.uploads.put(upload(hours=2), audit("kept again"))
        assert state.uploads.get(upload().name) == upload(hours=2)
        assert actions(state) == ["kept", "forgotten", "kept again"]

    @pytest.mark.parametrize("size", [0, 1, 350 * 1024, 350 * 1024 + 1, 5 * 1024 * 1024])
    def test_every_size_up_to_the_limit_is_kept_whole(self, subject: StateSubject, size: int) -> None:
        large = upload(random.Random(size).randbytes(size), rows=size)
        subject.state.uploads.put(large, audit("kept"))
        assert subject.reopen().uploads.get(large.name) == large

    def test_a_larger_one_is_refused_and_the_one_before_stays(self, state: State) -> None:
        state.uploads.put(upload(), audit("kept"))
        with pytest.raises(InputInvalid) as refused:
            state.uploads.put(upload(bytes(5 * 1024 * 1024 + 1)), audit("too large"))
        assert refused.value.field == "file"
        assert state.uploads.get(upload().name) == upload()
        assert actions(state) == ["kept"]

    def test_what_it_holds_is_in_no_representation(self) -> None:
        assert "Acme" not in repr(upload())

    def test_of_interleaved_ones_the_last_one_stays_whole(self, state: State) -> None:
        made = [upload(random.Random(number).randbytes(400_000), number, number) for number in range(5)]
        outcomes = interleaved([lambda one=one: state.uploads.put(one, audit(f"kept {one.rows}")) for one in made])
        assert outcomes == [None] * 5
        kept = state.uploads.get(made[0].name)
        assert kept is not None
        assert actions(state)[-1] == f"kept {kept.rows}"
        assert kept == made[kept.rows]


class TestIdempotency:
    def test_the_same_request_gets_the_stored_reply(self, subject: StateSubject) -> None:
        keys = subject.state.idempotency
        assert keys.begin("k", fingerprint="f", seconds=3600) is None
        keys.finish("k", b"reply")
        assert subject.reopen().idempotency.begin("k", fingerprint="f", seconds=3600) == b"reply"
        keys.finish("k", b"second")
        assert keys.begin("k", fingerprint="f", seconds=3600) == b"reply"

    def test_a_key_in_use_is_a_conflict(self, state: State) -> None:
        state.idempotency.begin("k", fingerprint="f", seconds=3600)
        with pytest.raises(Conflict):
            state.idempotency.begin("k", fingerprint="f", seconds=3600)

    def test_another_request_with_the_key_is_refused(self, state: State) -> None:
        state.idempotency.begin("k", fingerprint="f", seconds=3600)
        for _ in range(2):
            with pytest.raises(InputInvalid) as refused:
                state.idempotency.begin("k", fingerprint="other", seconds=3600)
            assert refused.value.field == "Idempotency-Key"
            state.idempotency.finish("k", b"reply")

    def test_an_abandoned_key_is_free(self, state: State) -> None:
        state.idempotency.abandon("never")
        state.idempotency.begin("k", fingerprint="f", seconds=3600)
        state.idempotency.abandon("k")
        assert state.idempotency.begin("k", fingerprint="other", seconds=3600) is None
        state.idempotency.finish("k", b"reply")
        state.idempotency.abandon("k")
        assert state.idempotency.begin("k", fingerprint="other", seconds=3600) == b"reply"

    def test_a_key_is_forgotten_after_its_time(self, subject: StateSubject) -> None:
        keys = subject.state.idempotency
        keys.begin("k", fingerprint="f", seconds=3600)
        subject.clock.advance(1800)
        keys.finish("k", b"reply")
        subject.clock.advance(1799)
        assert keys.begin("k", fingerprint="f", seconds=3600) == b"reply"
        subject.clock.advance(1)
        assert keys.begin("k", fingerprint="other", seconds=3600) is None
        keys.begin("late", fingerprint="f", seconds=10)
        subject.clock.advance(10)
        keys.finish("late", b"too late")
        assert keys.begin("late", fingerprint="f", seconds=10) is None

    @pytest.mark.fault("A3")
    def test_A3_a_claim_of_a_killed_process_does_not_stick(self, subject: StateSubject) -> None:
        keys = subject.state.idempotency
        keys.begin("k", fingerprint="f", seconds=86_400)
        subject.clock.advance(119)
        with pytest.raises(Conflict):
            keys.begin("k", fingerprint="f", seconds=86_400)
        subject.clock.advance(1)
        with pytest.raises(InputInvalid):
            keys.begin("k", fingerprint="other", seconds=86_400)
        assert keys.begin("k", fingerprint="f", seconds=86_400) is None
        keys.finish("k", b"reply")
        assert keys.begin("k", fingerprint="f", seconds=86_400) == b"reply"

    def test_a_large_reply_is_kept_whole(self, state: State) -> None:
        large = random.Random(2).randbytes(800_000)
        state.idempotency.begin("k", fingerprint="f", seconds=60)
        state.idempotency.finish("k", large)
        assert state.idempotency.begin("k", fingerprint="f", seconds=60) == large

    def test_of_interleaved_claims_one_wins(self, state: State) -> None:
        work: list[Callable[[], object]] = [
            lambda: state.idempotency.begin("k", fingerprint="f", seconds=600) for _ in range(6)
        ]
        outcomes = interleaved(work)
        assert outcomes.count(None) == 1
        assert len([outcome for outcome in outcomes if isinstance(outcome, Conflict)]) == 5


VERDICTS = (Verdict.BILL_MORE, Verdict.BILL_MORE, Verdict.HELD, Verdict.IN_LINE, Verdict.IN_LINE, Verdict.IN_LINE)


class TestReconciliations:
    def test_a_period_never_compared_is_not_found(self, state: State) -> None:
        with pytest.raises(NotFound):
            state.reconciliations.get(PERIOD)
        with pytest.raises(NotFound):
            state.reconciliations.page(PERIOD, verdict=None, cursor=None, limit=5)
        with pytest.raises(NotFound):
            state.reconciliations.summary(PERIOD)

    def test_its_totals_are_told_without_its_rows(self, subject: StateSubject) -> None:
        for number in (1, 2):
            made = reconciliation(tuple(row(place, Verdict.HELD) for place in range(number * 3)))
            subject.state.reconciliations.save(made, run_id=f"run-{number}", at=NOW + number * HOUR)
            state = subject.reopen()
            asked = len(subject.client.calls) if subject.client else 0
            summary = state.reconciliations.summary(PERIOD)
            assert summary == ComparisonSummary(f"run-{number}", NOW + number * HOUR, made.totals)
            if subject.client:
                assert subject.client.calls[asked:] == ["get_item"]

    def test_comes_back_whole(self, subject: StateSubject) -> None:
        made = reconciliation(tuple(row(place, verdict) for place, verdict in enumerate(VERDICTS)))
        subject.state.reconciliations.save(made, run_id="run-1", at=NOW)
        assert subject.reopen().reconciliations.get(PERIOD) == made
        with pytest.raises(NotFound):
            subject.state.reconciliations.get("2026-10")

    def test_the_last_one_replaces_all_before(self, state: State) -> None:
        for many in (6, 3, 0, 4, 1):
            made = reconciliation(tuple(row(many * 10 + place, Verdict.HELD) for place in range(many)))
            state.reconciliations.save(made, run_id=f"run-{many}", at=NOW)
            assert state.reconciliations.get(PERIOD) == made
            page = state.reconciliations.page(PERIOD, verdict=None, cursor=None, limit=10)
            assert page == Page(made.rows, None)

    @pytest.mark.parametrize("limit", [1, 2, 5, 6, 7])
    def test_pages_are_in_the_tables_order(self, state: State, limit: int) -> None:
        made = reconciliation(tuple(row(place, verdict) for place, verdict in enumerate(VERDICTS)))
        state.reconciliations.save(made, run_id="run-1", at=NOW)
        assert rows_of(state, None, limit) == list(made.rows)
        for verdict in Verdict:
            wanted = [one for one in made.rows if one.verdict is verdict]
            assert rows_of(state, verdict, limit) == wanted

    def test_a_verdict_whose_rows_lie_apart_is_found_whole(self, state: State) -> None:
        mixed = (Verdict.HELD, Verdict.IN_LINE, Verdict.HELD, Verdict.HELD, Verdict.IN_LINE, Verdict.HELD)
        made = reconciliation(tuple(row(place, verdict) for place, verdict in enumerate(mixed)))
        state.reconciliations.save(made, run_id="run-1", at=NOW)
        assert [one.id for one in rows_of(state, Verdict.HELD, 2)] == ["row-0", "row-2", "row-3", "row-5"]

    def test_a_cursor_of_another_list_is_refused(self, state: State) -> None:
        made = reconciliation(tuple(row(place, verdict) for place, verdict in enumerate(VERDICTS)))
        state.reconciliations.save(made, run_id="run-1", at=NOW)
        cursor = state.reconciliations.page(PERIOD, verdict=None, cursor=None, limit=1).next_cursor
        for wrong in (cursor, "rubbish"):
            with pytest.raises(InputInvalid):
                state.reconciliations.page(PERIOD, verdict=Verdict.HELD, cursor=wrong, limit=1)
        with pytest.raises(InputInvalid):
            state.reconciliations.page(PERIOD, verdict=None, cursor=None, limit=0)

    def test_readers_never_see_a_mix(self, state: State) -> None:
        def made(name: str) -> Callable[[], None]:
            rows = tuple(row(place, VERDICTS[place % 6], reason=name) for place in range(30 + len(name) * 5))
            return lambda: state.reconciliations.save(reconciliation(rows), run_id=name, at=NOW)

        def read() -> list[set[str]]:
            seen: list[set[str]] = []
            for _ in range(15):
                whole = state.reconciliations.get(PERIOD)
                assert len(whole.rows) == 30 + len(whole.rows[0].reasons[0]) * 5
                seen.append({reason for one in whole.rows for reason in one.reasons})
                page = state.reconciliations.page(PERIOD, verdict=None, cursor=None, limit=50)
                seen.append({reason for one in page.items for reason in one.reasons})
            return seen

        made("a")()
        outcomes = interleaved([read, made("bb"), made("ccc"), read, made("dddd"), made("eeeee")])
        for outcome in outcomes:
            assert outcome is None or isinstance(outcome, list), outcome
            assert all(len(names) == 1 for names in outcome or [])


def rows_of(state: State, verdict: Verdict | None, limit: int) -> list[Row]:
    found: list[Row] = []
    cursor: str | None = None
    while True:
        page = state.reconciliations.page(PERIOD, verdict=verdict, cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        found.extend(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return found
