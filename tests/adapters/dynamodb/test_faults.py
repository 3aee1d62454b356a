"""The table's own faults: throttling, refusals, things left undone, crashes between any two calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tests.contracts.state_samples import (
    NOW,
    PERIOD,
    approved,
    audit,
    entry,
    finished,
    plan,
    reconciliation,
    result,
    row,
    run,
    snapshot,
    upload,
    vendor_page,
)
from tests.contracts.test_state_contract import actions
from tests.fakes.clock import FakeClock
from tests.store_fixture import TABLE_NAME, RecordingClient
from trueup.adapters.dynamodb.state import open_state
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.billing import WriteOutcome
from trueup.domain.errors import (
    ConfigurationInvalid,
    RecordTooLarge,
    StateTrouble,
    StateUnavailable,
    TrueupError,
    VersionConflict,
)
from trueup.domain.integrations import Integration, IntegrationName, Side
from trueup.domain.plan import Plan, PlanState
from trueup.domain.verdicts import Verdict
from trueup.ports.state_bundle import State

ATTEMPTS = 8


class Killed(BaseException):
    """The process ends here."""


def aws_error(code: str, operation: str = "Any", status: int = 400, **more: Any) -> ClientError:
    response: dict[str, Any] = {
        "Error": {"Code": code, "Message": more.pop("message", "from the test")},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return ClientError(response, operation)  # type: ignore[arg-type]


def cancelled(*reasons: str) -> ClientError:
    return aws_error(
        "TransactionCanceledException",
        "TransactWriteItems",
        CancellationReasons=[{"Code": reason, "Message": "why"} for reason in reasons],
    )


def failing(times: int, error: Exception, operation: str | None = None) -> Callable[[str, dict[str, Any]], None]:
    """A ``before`` that raises so many times and then lets every call through."""
    left = [times]

    def before(called: str, request: dict[str, Any]) -> None:
        if left[0] and operation in {None, called}:
            left[0] -= 1
            raise error

    return before


@pytest.fixture
def reopened(dynamodb_client: Any, tenant: str, clock: FakeClock) -> State:
    """The same tenant through a client that does not fail."""
    return open_state(dynamodb_client, table_name=TABLE_NAME, tenant=tenant, clock=clock)


def kill_at(client: RecordingClient, call: int, when: str) -> None:
    """End the process at that call: before it reaches the table, or after it did and before the reply is seen."""
    seen = [0]

    def before(operation: str, request: dict[str, Any]) -> None:
        seen[0] += 1
        if when == "before" and seen[0] == call:
            raise Killed

    def after(operation: str) -> None:
        if when == "after" and seen[0] == call:
            raise Killed

    client.before, client.after = before, after


class TestA1:
    @pytest.mark.fault("A1")
    def test_A1_killed_between_the_write_at_the_psa_and_its_record(
        self, client: RecordingClient, stored: State, reopened: State
    ) -> None:
        sealed = stored.plans.save(approved(stored.plans.propose(plan(changes=1), audit())), audit())
        stored.plans.intend(sealed, sealed.changes[0], audit("intended"))
        kill_at(client, 1, "before")
        with pytest.raises(Killed):
            stored.plans.record(sealed, result(1), audit("applied"))
        found = reopened.plans.get(sealed.id)
        assert (found.state, found.results) == (PlanState.APPROVED, ())
        assert reopened.plan_index.intended(sealed.id) == {"chg-00001"}
        done = reopened.plans.record(found, result(1, WriteOutcome.ALREADY), audit("already"))
        assert done.state is PlanState.APPLIED
        assert actions(reopened)[-2:] == ["intended", "already"]

    @pytest.mark.fault("A1")
    @pytest.mark.parametrize("lost", [ReadTimeoutError(endpoint_url="x"), aws_error("InternalServerError", status=500)])
    def test_A1_a_lost_reply_is_not_taken_for_somebody_elses_change(
        self, client: RecordingClient, stored: State, lost: Exception
    ) -> None:
        sealed = stored.plans.save(approved(stored.plans.propose(plan(changes=1), audit())), audit())
        left = [1]

        def after(operation: str) -> None:
            if operation == "transact_write_items" and left[0]:
                left[0] -= 1
                raise lost

        client.after = after
        done = stored.plans.record(sealed, result(1), audit("applied"))
        assert done.state is PlanState.APPLIED
        assert stored.plans.get(sealed.id) == done
        assert actions(stored).count("applied") == 1

    @pytest.mark.fault("A1")
    @pytest.mark.fault("A13")
    def test_A1_an_own_write_is_known_again_when_the_table_forgot_its_token(
        self, client: RecordingClient, stored: State
    ) -> None:
        """A store that is killed after it wrote and before it answered does not know the token any more."""
        sealed = stored.plans.save(approved(stored.plans.propose(plan(changes=1), audit())), audit())
        sent = [0]

        def another_token(operation: str, request: dict[str, Any]) -> None:
            if operation == "transact_write_items":
                sent[0] += 1
                request["ClientRequestToken"] = f"token-{sent[0]}"

        def lost_once(operation: str) -> None:
            if operation == "transact_write_items" and sent[0] == 1:
                raise ReadTimeoutError(endpoint_url="x")

        client.before, client.after = another_token, lost_once
        done = stored.plans.record(sealed, result(1), audit("applied"))
        assert sent == [2]
        assert stored.plans.get(sealed.id) == done
        assert actions(stored).count("applied") == 1

    @pytest.mark.fault("A1")
    def test_A1_somebody_elses_write_is_not_taken_for_an_own_one(
        self, client: RecordingClient, stored: State, reopened: State
    ) -> None:
        first = stored.integrations.save(Integration(IntegrationName.MIMECAST), None)

        def lost_and_overtaken(operation: str, request: dict[str, Any]) -> None:
            if operation == "transact_write_items":
                client.before = lambda operation, request: None
                reopened.integrations.save(first, audit("theirs"))
                raise ReadTimeoutError(endpoint_url="x")

        client.before = lost_and_overtaken
        with pytest.raises(VersionConflict):
            stored.integrations.save(first, audit("ours"))
        assert actions(reopened) == ["theirs"]


def _prepare_plan(state: State) -> Plan:
    return state.plans.save(approved(state.plans.propose(plan(changes=1), audit("before"))), audit("before"))


def _prepare_nothing(state: State) -> None:
    return None


def _prepare_run(state: State) -> Any:
    return state.runs.start(run(1), audit("before"))


STEPS: dict[str, tuple[Callable[[State], Any], Callable[[State, Any], object], Callable[[State], bool]]] = {
    "propose": (
        _prepare_plan,
        lambda state, _: state.plans.propose(plan("b"), audit("told")),
        lambda state: state.plan_index.current(PERIOD).id == plan("b").id,  # type: ignore[union-attr]
    ),
    "approve": (
        lambda state: state.plans.propose(plan(), audit("before")),
        lambda state, made: state.plans.save(approved(made), audit("told")),
        lambda state: state.plans.get(plan().id).state is PlanState.APPROVED,
    ),
    "intend": (
        _prepare_plan,
        lambda state, made: state.plans.intend(made, made.changes[0], audit("told")),
        lambda state: bool(state.plan_index.intended(plan().id)),
    ),
    "record": (
        _prepare_plan,
        lambda state, made: state.plans.record(made, result(1), audit("told")),
        lambda state: state.plans.get(plan().id).state is PlanState.APPLIED,
    ),
    "map": (
        _prepare_nothing,
        lambda state, _: state.accounts.save([entry("A"), entry("B")], [audit("told")]),
        lambda state: len(list(state.accounts.all())) == 2,
    ),
    "connect": (
        _prepare_nothing,
        lambda state, _: state.integrations.save(Integration(IntegrationName.MIMECAST), audit("told")),
        lambda state: state.integrations.get(IntegrationName.MIMECAST).version == 1,
    ),
    "complete": (
        lambda state: state.snapshots.add_page(Side.VENDOR, vendor_page()),
        lambda state, address: state.snapshots.complete(snapshot((address,)), audit("told")),
        lambda state: state.snapshots.latest(Side.VENDOR) is not None,
    ),
    "keep a file": (
        lambda state: state.uploads.put(upload(), audit("before")),
        lambda state, _: state.uploads.put(upload(b"new", hours=1), audit("told")),
        lambda state: state.uploads.get(upload().name).content == b"new",  # type: ignore[union-attr]
    ),
    "forget a file": (
        lambda state: state.uploads.put(upload(), audit("before")),
        lambda state, _: state.uploads.remove(upload().name, audit("told")),
        lambda state: state.uploads.get(upload().name) is None,
    ),
    "start": (
        _prepare_nothing,
        lambda state, _: state.runs.start(run(1), audit("told")),
        lambda state: len(state.runs.latest()) == 1,
    ),
    "end": (
        _prepare_run,
        lambda state, started: state.runs.save(finished(started), audit("told")),
        lambda state: state.runs.latest()[0].is_over,
    ),
}


@pytest.mark.fault("A2")
@pytest.mark.parametrize("step", STEPS)
def test_A2_a_crash_at_any_call_leaves_record_and_audit_or_neither(
    client: RecordingClient, clock: FakeClock, tenant: str, dynamodb_client: Any, step: str
) -> None:
    prepare, act, is_done = STEPS[step]
    call, outcomes = 0, set()
    while True:
        call += 1
        for when in ("before", "after"):
            mine = f"{tenant}-{call}-{when}"
            good = open_state(dynamodb_client, table_name=TABLE_NAME, tenant=mine, clock=clock)
            made = prepare(good)
            kill_at(client, call, when)
            crashing: Any = client
            try:
                act(open_state(crashing, table_name=TABLE_NAME, tenant=mine, clock=clock), made)
            except Killed:
                stored = is_done(good)
                assert actions(good).count("told") == int(stored), f"{step} killed {when} call {call}"
                outcomes.add(stored)
            else:
                assert outcomes == {False, True}
                assert call > 2
                return


class TestA10:
    @pytest.mark.fault("A10")
    def test_A10_what_is_left_unwritten_is_sent_again_and_none_is_lost(
        self, client: RecordingClient, stored: State, reopened: State
    ) -> None:
        rounds = [0]

        def before(operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
            if operation != "batch_write_item" or rounds[0] >= 5:
                return None
            rounds[0] += 1
            items = request["RequestItems"][TABLE_NAME]
            taken, left = items[: len(items) // 2], items[len(items) // 2 :]
            if taken:
                client.client.batch_write_item(RequestItems={TABLE_NAME: taken})
            return {"UnprocessedItems": {TABLE_NAME: left}}

        client.before = before
        made = reconciliation(tuple(row(number, Verdict.HELD) for number in range(60)))
        stored.reconciliations.save(made, run_id="run-1", at=NOW)
        assert rounds[0] == 5
        assert reopened.reconciliations.get(PERIOD) == made

    @pytest.mark.fault("A10")
    def test_A10_left_unwritten_for_ever_is_an_error_and_nothing_is_switched(
        self, client: RecordingClient, clock: FakeClock, stored: State, reopened: State
    ) -> None:
        old = reconciliation((row(1, Verdict.HELD),))
        stored.reconciliations.save(old, run_id="run-1", at=NOW)
        client.calls.clear()

        def never(operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
            return {"UnprocessedItems": request["RequestItems"]} if operation == "batch_write_item" else None

        client.before = never
        with pytest.raises(StateUnavailable, match="unwritten"):
            stored.reconciliations.save(reconciliation((row(2, Verdict.HELD),)), run_id="run-2", at=NOW)
        assert client.calls == ["batch_write_item"] * ATTEMPTS
        longest = [min(0.05 * 2.0**attempt, 2.0) for attempt in range(len(clock.sleeps))]
        assert len(longest) >= ATTEMPTS - 1
        assert all(wait / 2 <= slept < wait for slept, wait in zip(clock.sleeps, longest, strict=True))
        with pytest.raises(StateUnavailable):
            stored.snapshots.add_page(Side.VENDOR, vendor_page())
        assert reopened.reconciliations.get(PERIOD) == old
        assert reopened.snapshots.latest(Side.VENDOR) is None

    @pytest.mark.fault("A10")
    def test_A10_what_is_left_unread_is_asked_for_again(
        self, client: RecordingClient, stored: State, reopened: State
    ) -> None:
        pages = [vendor_page(number) for number in range(8)]
        made = snapshot(tuple(reopened.snapshots.add_page(Side.VENDOR, page) for page in pages))
        rounds = [0]

        def before(operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
            if operation != "batch_get_item" or rounds[0] >= 5:
                return None
            rounds[0] += 1
            wanted = request["RequestItems"][TABLE_NAME]
            first = {**wanted, "Keys": wanted["Keys"][:1]}
            reply: Any = client.client.batch_get_item(RequestItems={TABLE_NAME: first})
            return {**reply, "UnprocessedKeys": {TABLE_NAME: {**wanted, "Keys": wanted["Keys"][1:]}}}

        client.before = before
        assert list(stored.snapshots.vendor_pages(made)) == pages

        def never(operation: str, request: dict[str, Any]) -> dict[str, Any] | None:
            return {"Responses": {}, "UnprocessedKeys": request["RequestItems"]}

        client.before = never
        with pytest.raises(StateUnavailable, match="unread"):
            list(stored.snapshots.vendor_pages(made))


class TestA11:
    @pytest.mark.fault("A11")
    @pytest.mark.parametrize(
        "error",
        [
            aws_error("ThrottlingException"),
            aws_error("ProvisionedThroughputExceededException"),
            aws_error("RequestLimitExceeded"),
            aws_error("InternalServerError", status=500),
            aws_error("Whatever", status=503),
            aws_error("TransactionInProgressException"),
            EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
        ],
        ids=str,
    )
    def test_A11_throttled_is_slower_and_never_wrong(
        self, client: RecordingClient, clock: FakeClock, stored: State, reopened: State, error: Exception
    ) -> None:
        client.before = failing(3, error)
        saved = stored.accounts.save([entry("A")], [audit("told")])
        assert list(reopened.accounts.all()) == list(saved)
        assert actions(reopened) == ["told"]
        assert len(clock.sleeps) == 3
        assert clock.sleeps == sorted(clock.sleeps)

        client.calls.clear()
        client.before = failing(10_000, error)
        with pytest.raises(StateUnavailable):
            stored.accounts.save([entry("B")], [audit("lost")])
        assert len(client.calls) == ATTEMPTS
        assert max(clock.sleeps) <= 2.0
        assert list(reopened.accounts.all()) == list(saved)

    def test_the_wait_stays_within_seconds(self, client: RecordingClient, clock: FakeClock, stored: State) -> None:
        client.before = failing(10_000, aws_error("ThrottlingException"))
        with pytest.raises(StateUnavailable, match="ThrottlingException"):
            stored.integrations.all()
        assert sum(clock.sleeps) < 6


class TestA12:
    @pytest.mark.fault("A12")
    @pytest.mark.parametrize(
        "reasons",
        [("TransactionConflict", "None"), ("ThrottlingError", "None"), ("None", "ProvisionedThroughputExceeded")],
    )
    def test_A12_a_passing_reason_is_tried_again(
        self, client: RecordingClient, stored: State, reopened: State, reasons: tuple[str, ...]
    ) -> None:
        client.before = failing(3, cancelled(*reasons), "transact_write_items")
        stored.integrations.save(Integration(IntegrationName.MIMECAST), None)
        assert reopened.integrations.get(IntegrationName.MIMECAST).version == 1
        assert client.calls == ["transact_write_items"] * 4
        tokens = {request["ClientRequestToken"] for request in client.requests}
        assert len(tokens) == 1

    @pytest.mark.fault("A12")
    @pytest.mark.parametrize(
        ("reasons", "expected"),
        [
            (("ConditionalCheckFailed",), VersionConflict),
            (("ConditionalCheckFailed", "TransactionConflict"), VersionConflict),
            (("ThrottlingError", "ValidationError"), StateTrouble),
            (("ConditionalCheckFailed", "ValidationError"), StateTrouble),
            (("ItemCollectionSizeLimitExceeded", "TransactionConflict"), RecordTooLarge),
            (("DuplicateItem",), StateTrouble),
            ((), StateTrouble),
        ],
    )
    def test_A12_a_lasting_reason_is_raised_at_once(
        self, client: RecordingClient, stored: State, reasons: tuple[str, ...], expected: type[TrueupError]
    ) -> None:
        client.before = failing(10_000, cancelled(*reasons), "transact_write_items")
        with pytest.raises(expected) as refused:
            stored.integrations.save(Integration(IntegrationName.MIMECAST), None)
        if expected is StateTrouble:
            assert type(refused.value) is StateTrouble
        assert client.calls == ["transact_write_items"]

    @pytest.mark.fault("A12")
    def test_A12_each_failed_condition_is_told_for_what_it_is(self, client: RecordingClient, stored: State) -> None:
        """The head of the history moving is no conflict of the record; a record that moved is."""
        first = stored.integrations.save(Integration(IntegrationName.MIMECAST), audit("one"))

        def somebody_else_writes_history(operation: str, request: dict[str, Any]) -> None:
            if operation == "transact_write_items":
                client.before = lambda operation, request: None
                stored.history.append([audit("other")])

        client.before = somebody_else_writes_history
        second = stored.integrations.save(first, audit("two"))
        assert second.version == 2
        assert actions(stored) == ["one", "other", "two"]

        def somebody_else_saves(operation: str, request: dict[str, Any]) -> None:
            if operation == "transact_write_items":
                client.before = lambda operation, request: None
                stored.integrations.save(replace(second, address="other"), audit("other"))

        client.before = somebody_else_saves
        with pytest.raises(VersionConflict):
            stored.integrations.save(second, audit("lost"))
        assert actions(stored) == ["one", "other", "two", "other"]

    def test_history_that_is_always_moved_by_others_ends_in_an_error(
        self, client: RecordingClient, stored: State
    ) -> None:
        def always(operation: str, request: dict[str, Any]) -> None:
            if operation == "transact_write_items":
                many = len(request["TransactItems"])
                raise cancelled(*["None"] * (many - 1), "ConditionalCheckFailed")

        client.before = always
        with pytest.raises(StateUnavailable, match="history"):
            stored.integrations.save(Integration(IntegrationName.MIMECAST), audit("one"))
        assert client.calls.count("transact_write_items") < 50


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (aws_error("ResourceNotFoundException"), ConfigurationInvalid),
        (aws_error("AccessDeniedException"), ConfigurationInvalid),
        (aws_error("ExpiredTokenException"), ConfigurationInvalid),
        (aws_error("KMSDisabledException"), StateUnavailable),
        (aws_error("ValidationException", message="Item size has exceeded the maximum"), RecordTooLarge),
        (aws_error("ItemCollectionSizeLimitExceededException"), RecordTooLarge),
        (aws_error("ValidationException", message="bad expression"), StateTrouble),
        (aws_error("SomethingNew"), StateTrouble),
    ],
    ids=str,
)
def test_what_cannot_succeed_is_not_tried_again(
    client: RecordingClient, table: DynamoDbTable, error: ClientError, expected: type[TrueupError]
) -> None:
    client.before = failing(10_000, error)
    with pytest.raises(TrueupError) as refused:
        table.get(table.keys.history_head())
    assert type(refused.value) is expected
    assert refused.value.remedy
    assert len(client.calls) == 1
