"""One message of the PSA: proven or refused with one and the same answer, queued once, never lost when it was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.usecases.office import PSA_HOST, Office
from trueup.domain.callbacks import CallbackHint, CallbackSecrets, CallbackSubject
from trueup.domain.errors import CallbackForged, QueueUnavailable, StateUnavailable, VendorUnavailable
from trueup.domain.integrations import IntegrationName
from trueup.usecases.callbacks import secrets_name
from trueup.usecases.psa_callback import REPEAT_SECONDS, Callback, Taken, take_callback

TOKEN = "a-path-token-nobody-guesses"
FIELDS = {"path_token": TOKEN, "signing_secret": "s" * 43, "basic_user": "trueup", "basic_password": "p" * 43}
HINT = CallbackHint(IntegrationName.CONNECTWISE, "m-1", CallbackSubject.AGREEMENT, "1201")
GOOD = Callback("connectwise", TOKEN, {"x-content-signature": "good"}, b"body", {"recordId": "1201"})


@dataclass
class Verification:
    """Believes one signature over one body."""

    hints: tuple[CallbackHint, ...] = (HINT,)
    seen: list[tuple[dict[str, str], bytes, dict[str, str]]] = field(default_factory=list)
    error: Exception | None = None

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> tuple[CallbackHint, ...]:
        self.seen.append((dict(headers), body, dict(query)))
        if self.error is not None:
            raise self.error
        if headers.get("x-content-signature") != "good" or body != b"body":
            raise CallbackForged("wrong")
        return self.hints


@dataclass
class Queue:
    hints: list[CallbackHint] = field(default_factory=list)
    error: Exception | None = None

    def put(self, hints: tuple[CallbackHint, ...]) -> None:
        if self.error is not None:
            raise self.error
        self.hints += hints


@dataclass
class Door:
    office: Office
    verification: Verification
    queue: Queue = field(default_factory=Queue)

    def take(self, callback: Callback = GOOD) -> Taken:
        return take_callback(
            callback,
            integrations=self.office.state.integrations,
            vault=self.office.vault,
            connections=self.office.connections,
            counters=self.office.state.counters,
            queue=self.queue,
        )


@pytest.fixture
def door(month: Office) -> Door:
    verification = Verification()
    month.connections.verification = verification
    month.vault.put(secrets_name(IntegrationName.CONNECTWISE), host=PSA_HOST, fields=FIELDS)
    return Door(month, verification)


def test_a_proven_message_is_queued(door: Door) -> None:
    assert door.take() == Taken(IntegrationName.CONNECTWISE, queued=1, repeated=0)
    assert door.queue.hints == [HINT]
    assert door.verification.seen == [(dict(GOOD.headers), b"body", {"recordId": "1201"})]
    assert door.office.psa.calls["read_account"] == 0, "what the hint is about is read by the consumer"


@pytest.mark.fault("P16")
@pytest.mark.parametrize(
    "change",
    [
        {"path_token": "another"},
        {"path_token": ""},
        {"path_token": TOKEN.upper()},
        {"path_token": TOKEN + "\udcff"},
        {"psa": "autotask"},
        {"psa": "halopsa"},
        {"psa": "syncro"},
        {"psa": "mimecast"},
        {"psa": "CONNECTWISE"},
        {"psa": ""},
        {"psa": "no-such-psa"},
    ],
)
def test_P16_a_message_that_is_not_for_this_connection_is_refused_before_it_is_looked_at(
    door: Door, change: dict[str, str]
) -> None:
    with pytest.raises(CallbackForged) as refused:
        door.take(replace(GOOD, **change))  # type: ignore[arg-type]
    assert refused.value.message == "the message is not proven to be from the PSA"
    assert TOKEN not in repr(refused.value) + str(refused.value.__cause__)
    assert door.verification.seen == door.queue.hints == []


def not_connected(door: Door) -> None:
    from trueup.usecases.credential_validation import disconnect

    office = door.office
    disconnect(
        IntegrationName.CONNECTWISE,
        actor="dana",
        integrations=office.state.integrations,
        vault=office.vault,
        clock=office.clock,
    )


def never_registered(door: Door) -> None:
    door.office.vault.delete(secrets_name(IntegrationName.CONNECTWISE))


def made_for_another_host(door: Door) -> None:
    door.office.vault.put(secrets_name(IntegrationName.CONNECTWISE), host="https://elsewhere", fields=FIELDS)


@pytest.mark.fault("P16")
@pytest.mark.parametrize("state", [not_connected, never_registered, made_for_another_host])
def test_P16_nothing_is_believed_without_a_connection_and_its_own_secrets(door: Door, state: Any) -> None:
    state(door)
    with pytest.raises(CallbackForged):
        door.take()
    assert door.verification.seen == door.queue.hints == []


def test_what_is_not_proven_is_not_queued(door: Door) -> None:
    for change in ({"headers": {}}, {"body": b"other"}, {"headers": {"x-content-signature": "GOOD"}}):
        with pytest.raises(CallbackForged):
            door.take(replace(GOOD, **change))  # type: ignore[arg-type]
    assert door.queue.hints == []


@pytest.mark.fault("P15")
def test_P15_a_repeat_is_dropped_for_longer_than_a_week(door: Door) -> None:
    door.take()
    for seconds in (0, 1, 7 * 24 * 3600):
        door.office.clock.advance(seconds)
        assert door.take() == Taken(IntegrationName.CONNECTWISE, queued=0, repeated=1)
    door.office.clock.advance(REPEAT_SECONDS)
    assert door.take().queued == 1, "later it is read once more, which changes nothing"
    assert door.queue.hints == [HINT, HINT]


def test_other_messages_of_the_same_record_are_no_repeats(door: Door) -> None:
    door.take()
    door.verification.hints = (replace(HINT, message_id="m-2"), replace(HINT, record_id="1202"), HINT)
    assert door.take() == Taken(IntegrationName.CONNECTWISE, queued=2, repeated=1)


def test_a_message_that_tells_of_nothing_we_use_is_taken_and_forgotten(door: Door) -> None:
    door.verification.hints = ()
    assert door.take() == Taken(IntegrationName.CONNECTWISE, queued=0, repeated=0)


def test_one_that_could_not_be_kept_is_not_taken_for_a_repeat_when_it_comes_again(door: Door) -> None:
    door.queue.error = QueueUnavailable("away")
    with pytest.raises(QueueUnavailable):
        door.take()
    door.queue.error = None
    assert door.take().queued == 1


def test_a_store_that_goes_away_after_the_queue_took_it_only_costs_a_repeat(door: Door) -> None:
    door.office.state.switches.fail("counters.add", StateUnavailable("away"))
    with pytest.raises(StateUnavailable):
        door.take()
    assert door.take().queued == 1
    assert door.queue.hints == [HINT, HINT]


def test_trouble_at_the_psa_while_it_is_proven_is_told_apart_from_a_forgery(door: Door) -> None:
    door.verification.error = VendorUnavailable("no key", integration="connectwise")
    with pytest.raises(VendorUnavailable):
        door.take()


def test_the_secrets_are_not_in_any_representation() -> None:
    assert "hidden" in repr(CallbackSecrets(**FIELDS))
    assert TOKEN not in repr(CallbackSecrets(**FIELDS))
