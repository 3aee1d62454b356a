"""Microsoft 365 as the product opens it: by name, with the addresses that the environment allows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.simulators.microsoft365 import Microsoft365Simulator
from local.simulators.server import running
from tests.contracts.license_subjects import FIELDS, KeptReads, Tenant, world_of
from trueup import bootstrap
from trueup.domain.errors import InputInvalid, UnsafeAddress
from trueup.domain.integrations import DEFAULT_ADDRESS, IntegrationName
from trueup.ports.connections import Connections

MICROSOFT365 = IntegrationName.MICROSOFT365


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connections]:
    monkeypatch.setenv("TRUEUP_TENANT", "t1")
    monkeypatch.setenv("TRUEUP_TABLE", "trueup")
    monkeypatch.setenv("TRUEUP_ALLOW_LOOPBACK", "1")
    bootstrap.reset()
    yield bootstrap.connections()
    bootstrap.reset()


def test_it_is_opened_by_its_name_and_goes_on_from_what_is_given(connections: Connections) -> None:
    earlier = KeptReads()
    with running(Microsoft365Simulator(world_of((Tenant(1, "Harbor", 3), Tenant(2, "Quay", None))))) as simulator:
        address = connections.address(MICROSOFT365, simulator.url)
        source = connections.licenses(MICROSOFT365, address, FIELDS, earlier=earlier)
        assert source.check().missing == ()
        page = source.read_page(None)
    assert [(tenant.name, len(tenant.users), bool(tenant.failure)) for tenant in page.accounts] == [
        ("Harbor", 3, False),
        ("Quay", 0, True),
    ]
    assert earlier.asked == [tenant.id for tenant in page.accounts]


def test_its_addresses_are_its_own(connections: Connections) -> None:
    default = DEFAULT_ADDRESS[MICROSOFT365]
    assert connections.address(MICROSOFT365, default) == default
    for other in ("https://api.services.mimecast.com", "https://login.microsoftonline.com"):
        with pytest.raises(UnsafeAddress):
            connections.address(MICROSOFT365, other)


@pytest.mark.parametrize("name", [IntegrationName.MIMECAST, IntegrationName.HALOPSA, IntegrationName.PSA_FILES])
def test_what_tells_no_license_counts_is_refused(connections: Connections, name: IntegrationName) -> None:
    with pytest.raises(InputInvalid, match="no license counts"):
        connections.licenses(name, DEFAULT_ADDRESS.get(name, ""), FIELDS)
