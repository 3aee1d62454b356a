"""The fake state fails on demand: before its effect nothing is stored, after it everything is."""

from __future__ import annotations

import pytest

from tests.contracts.state_samples import audit, entry
from tests.fakes.clock import FakeClock
from tests.fakes.state import FakeState, fake_state
from trueup.domain.errors import RecordTooLarge, StateUnavailable


@pytest.fixture
def fake(clock: FakeClock) -> FakeState:
    return fake_state(clock)


def test_before_the_effect_nothing_is_stored(fake: FakeState) -> None:
    fake.switches.fail("accounts.save")
    with pytest.raises(StateUnavailable):
        fake.accounts.save([entry("A")], [audit()])
    assert list(fake.accounts.all()) == []
    assert list(fake.history.all()) == []
    assert len(fake.accounts.save([entry("A")], [audit()])) == 1


def test_after_the_effect_everything_is_stored(fake: FakeState) -> None:
    fake.switches.fail("accounts.save", RecordTooLarge("from the test"), when="after")
    with pytest.raises(RecordTooLarge):
        fake.accounts.save([entry("A")], [audit()])
    assert len(list(fake.accounts.all())) == len(list(fake.history.all())) == 1


def test_calls_can_pass_first_and_any_call_can_be_meant(fake: FakeState) -> None:
    fake.switches.fail("*", skip=1, times=2)
    fake.history.append([audit()])
    for _ in range(2):
        with pytest.raises(StateUnavailable):
            fake.leases.acquire("x", owner="a", seconds=1)
    fake.leases.acquire("x", owner="a", seconds=1)
    assert fake.switches.calls == ["history.append", "leases.acquire", "leases.acquire", "leases.acquire"]
