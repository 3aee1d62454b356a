"""Keys of machines: shown once, kept as a hash, revoked for good."""

from __future__ import annotations

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.state import FakeState, fake_state
from trueup.domain.api_keys import ApiKey, KeyScope
from trueup.domain.errors import InputInvalid, NotFound
from trueup.usecases.api_keys import CALLS_A_MINUTE, NewKey, create_key, revoke_key

ALL = tuple(KeyScope)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def state(clock: FakeClock) -> FakeState:
    return fake_state(clock)


def make(state: FakeState, clock: FakeClock, name: str = "Rule", **named: object) -> NewKey:
    scopes = named.pop("scopes", ALL)
    return create_key(name, scopes, actor="ada", api_keys=state.api_keys, clock=clock, **named)  # type: ignore[arg-type]


def test_only_the_hash_is_stored(state: FakeState, clock: FakeClock) -> None:
    made = make(state, clock)
    prefix, key_id, secret = made.text.split("_", 2)
    assert (prefix, key_id) == ("tu", made.key.id)
    assert len(secret) >= 43
    stored = state.api_keys.get(made.key.id)
    assert stored == made.key
    assert stored.accepts(secret)
    assert stored.calls_a_minute == CALLS_A_MINUTE
    for text in (repr(stored), repr(made), repr(list(state.history.all()))):
        assert secret not in text
    assert [event.audit.action for event in state.history.all()] == ["API key made"]


def test_no_two_keys_are_alike(state: FakeState, clock: FakeClock) -> None:
    texts = {make(state, clock).text for _ in range(20)}
    assert len(texts) == 20


@pytest.mark.parametrize(
    ("named", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "n" * 61}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"scopes": ()}, "scopes"),
        ({"calls_a_minute": 0}, "calls_a_minute"),
        ({"calls_a_minute": 601}, "calls_a_minute"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(
    state: FakeState, clock: FakeClock, named: dict[str, object], field: str
) -> None:
    with pytest.raises(InputInvalid) as refused:
        make(state, clock, **named)  # type: ignore[arg-type]
    assert refused.value.field == field
    assert state.api_keys.all() == ()


def test_a_revoked_key_stays_revoked(state: FakeState, clock: FakeClock) -> None:
    made = make(state, clock)
    secret = made.text.split("_", 2)[2]
    revoked = revoke_key(made.key.id, actor="bob", api_keys=state.api_keys, clock=clock)
    assert (revoked.revoked_by, revoked.accepts(secret)) == ("bob", False)
    assert not any(revoked.allows(scope) for scope in KeyScope)
    clock.advance(60)
    again: ApiKey = revoke_key(made.key.id, actor="eve", api_keys=state.api_keys, clock=clock)
    assert again == revoked
    assert [event.audit.action for event in state.history.all()] == ["API key made", "API key revoked"]
    with pytest.raises(NotFound):
        revoke_key("nobody", actor="bob", api_keys=state.api_keys, clock=clock)
