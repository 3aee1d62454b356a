"""Finishing needs both sides, one account and one service; it is safe to repeat and to interrupt."""

from __future__ import annotations

import pytest

from tests.usecases.office import Office, open_office
from trueup.domain.errors import Conflict, StateUnavailable
from trueup.domain.integrations import ConnectionState, IntegrationName
from trueup.usecases.credential_validation import disconnect
from trueup.usecases.mapping import exclude_service


def states(office: Office) -> list[ConnectionState]:
    return [
        office.state.integrations.get(name).state for name in (IntegrationName.MIMECAST, IntegrationName.CONNECTWISE)
    ]


def ready_office() -> Office:
    office = open_office()
    office.client(1, "Harbor Dental Group", 12, "12")
    office.connect_both()
    office.sync()
    office.map_service()
    return office


def test_finishing_makes_both_integrations_active() -> None:
    office = ready_office()
    done = office.finish()
    assert [item.state for item in done] == [ConnectionState.ACTIVE] * 2
    assert all(item.finished_at == office.clock.now() for item in done)
    assert office.actions()[-2:] == ["mapping finished"] * 2


def test_finishing_again_changes_nothing() -> None:
    office = ready_office()
    done = office.finish()
    events = office.actions()
    office.clock.advance(60)
    assert office.finish() == done
    assert office.actions() == events


def test_everything_that_is_missing_is_told_at_once(office: Office) -> None:
    with pytest.raises(Conflict) as caught:
        office.finish()
    for words in ("a vendor and a PSA must be connected", "one account must be mapped", "one service must be mapped"):
        assert words in str(caught.value)
    assert states(office) == [ConnectionState.NOT_CONNECTED] * 2


@pytest.mark.parametrize("lacking", ["account", "service", "psa"])
def test_each_condition_stands_alone(lacking: str) -> None:
    office = ready_office()
    if lacking == "account":
        office.clear("V1")
    elif lacking == "service":
        exclude_service("plan", reason="not sold", actor="dana", services=office.state.services, clock=office.clock)
    else:
        disconnect(
            IntegrationName.CONNECTWISE,
            actor="dana",
            integrations=office.state.integrations,
            vault=office.vault,
            clock=office.clock,
        )
    with pytest.raises(Conflict) as caught:
        office.finish()
    assert str(caught.value).count("must be") == 1
    assert ConnectionState.ACTIVE not in states(office)


def test_a_crash_between_the_two_is_mended_by_finishing_again() -> None:
    office = ready_office()
    office.state.switches.fail("integrations.save", skip=1)
    with pytest.raises(StateUnavailable):
        office.finish()
    assert sorted(states(office)) == [ConnectionState.ACTIVE, ConnectionState.PENDING]
    office.finish()
    assert states(office) == [ConnectionState.ACTIVE] * 2
    assert office.actions().count("mapping finished") == 2
