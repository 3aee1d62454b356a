"""Whose key it is, and how often it may call: nothing but the very key of this very tenant opens anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.clock import FakeClock
from tests.fakes.state import FakeState, fake_state
from trueup.domain.api_keys import KeyScope
from trueup.domain.errors import TooManyRequests
from trueup.usecases.api_keys import NewKey, create_key, revoke_key
from trueup.usecases.machine_access import count_call, key_of


def made_in(state: FakeState, clock: FakeClock) -> NewKey:
    return create_key("Rule", [KeyScope.RUNS_START], actor="ada", api_keys=state.api_keys, clock=clock)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def state(clock: FakeClock) -> FakeState:
    return fake_state(clock)


@pytest.fixture
def made(state: FakeState, clock: FakeClock) -> NewKey:
    return made_in(state, clock)


def test_the_key_is_found_by_what_was_shown(state: FakeState, made: NewKey) -> None:
    assert key_of(made.text, api_keys=state.api_keys) == made.key
    assert key_of(f" {made.text}\n", api_keys=state.api_keys) == made.key


@pytest.mark.fault("S3")
def test_S3_a_key_of_another_tenant_is_no_key(clock: FakeClock, made: NewKey) -> None:
    assert key_of(made.text, api_keys=fake_state(clock).api_keys) is None


def test_the_secret_of_one_key_does_not_open_another(state: FakeState, clock: FakeClock, made: NewKey) -> None:
    other = made_in(state, clock)
    mixed = f"tu_{other.key.id}_{made.text.split('_', 2)[2]}"
    assert key_of(mixed, api_keys=state.api_keys) is None


def test_a_revoked_key_opens_nothing(state: FakeState, clock: FakeClock, made: NewKey) -> None:
    revoke_key(made.key.id, actor="ada", api_keys=state.api_keys, clock=clock)
    assert key_of(made.text, api_keys=state.api_keys) is None


@pytest.mark.parametrize("wrong", ["upper", "cut", "longer", "hash", "twice", "empty", "id only"])
def test_whatever_is_near_the_key_is_not_the_key(state: FakeState, made: NewKey, wrong: str) -> None:
    text = {
        "upper": made.text.upper(),
        "cut": made.text[:-1],
        "longer": made.text + "A",
        "hash": f"tu_{made.key.id}_{made.key.secret_hash}",
        "twice": f"{made.text},{made.text}",
        "empty": "",
        "id only": f"tu_{made.key.id}_",
    }[wrong]
    assert key_of(text, api_keys=state.api_keys) is None


@given(st.text())
def test_no_text_that_was_not_shown_opens_anything(text: str) -> None:
    clock = FakeClock()
    state = fake_state(clock)
    made_in(state, clock)
    assert key_of(text, api_keys=state.api_keys) is None
    assert key_of(f"tu_{text}", api_keys=state.api_keys) is None


def test_calls_are_counted_by_the_minute_of_the_clock(state: FakeState, clock: FakeClock) -> None:
    def call(key_id: str = "a") -> None:
        count_call(key_id, calls_a_minute=3, counters=state.counters, clock=clock)

    clock.advance(45)
    for _ in range(3):
        call()
    with pytest.raises(TooManyRequests) as refused:
        call()
    assert 0 < refused.value.wait_seconds <= 60
    call("b")
    clock.advance(refused.value.wait_seconds)
    call()
