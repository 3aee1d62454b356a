"""The sources of license counts that the contract suite is run against, with the same tenants and the same trouble."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from local.simulators import credentials
from local.simulators.directory import ClientTenant, Directory
from local.simulators.microsoft365 import Microsoft365Simulator
from local.simulators.server import running
from local.simulators.world import VendorAccount, World
from tests.fakes.clock import FakeClock
from tests.fakes.licenses import FakeLicenses
from trueup.adapters.microsoft365.licenses import Microsoft365Licenses, open_microsoft365
from trueup.adapters.pace import HttpLimits
from trueup.domain.errors import (
    CredentialRejected,
    PermissionMissing,
    RateLimited,
    SchemaUnknown,
    VendorUnavailable,
)
from trueup.domain.licenses import TenantId, TenantLicenses
from trueup.ports.licenses import LicenseReading

FIELDS = credentials.MICROSOFT365_FIELDS
CUSTOMERS = "/v1.0/tenantRelationships/delegatedAdminCustomers"
HASTE = HttpLimits(connect_timeout_seconds=2.0, read_timeout_seconds=0.3, attempts=2)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant of the scene; ``licensed`` None is one that cannot be read."""

    number: int
    name: str
    licensed: int | None = 3

    @property
    def id(self) -> str:
        return f"{self.number:08x}-0000-4000-8000-{self.number:012x}"


@dataclass(slots=True)
class KeptReads:
    """Implements EarlierReads; ``asked`` lists the tenants that were asked for, in order."""

    kept: dict[str, TenantLicenses] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def of(self, tenant_id: TenantId) -> TenantLicenses | None:
        self.asked.append(tenant_id)
        return self.kept.get(tenant_id)


class Subject(Protocol):
    """A source under test and what can be done to it from outside. ``earlier`` is what it may go on from."""

    clock: FakeClock
    earlier: KeptReads

    @property
    def licenses(self) -> LicenseReading: ...
    def set_licensed(self, tenant: Tenant, licensed: int) -> None: ...
    def remove_tenant(self, tenant: Tenant) -> None: ...
    def reject_credential(self) -> None: ...
    def forbid_tenants(self) -> None: ...
    def limit_list(self, seconds: float) -> None: ...
    def be_away(self) -> None: ...
    def never_answer(self) -> None: ...
    def add_unknown_fields(self) -> None: ...
    def leave_out_tenant_ids(self) -> None: ...


class FakeSubject:
    """The fake in memory."""

    def __init__(self, scene: tuple[Tenant, ...]) -> None:
        self.clock = FakeClock()
        self.earlier = KeptReads()
        self.fake = FakeLicenses(self.clock, earlier=self.earlier)
        for tenant in scene:
            self.fake.add_tenant(tenant.id, tenant.name, tenant.licensed or 0)
            if tenant.licensed is None:
                self.fake.fails(tenant.id)

    @property
    def licenses(self) -> LicenseReading:
        return self.fake

    def set_licensed(self, tenant: Tenant, licensed: int) -> None:
        self.fake.sets(tenant.id, licensed)

    def remove_tenant(self, tenant: Tenant) -> None:
        self.fake.removes(tenant.id)

    def reject_credential(self) -> None:
        for method in ("check", "read_page"):
            self.fake.fail_always(method, CredentialRejected("it says no", integration="microsoft365", status=401))

    def forbid_tenants(self) -> None:
        self.fake.revoke("tenants")
        error = PermissionMissing("forbidden", integration="microsoft365", permission="DelegatedAdminRelationship")
        self.fake.fail_always("read_page", error)

    def limit_list(self, seconds: float) -> None:
        self.fake.fail_next("read_page", RateLimited("wait", integration="microsoft365", wait_seconds=seconds))

    def be_away(self) -> None:
        self.fake.fail_next("read_page", VendorUnavailable("no answer", integration="microsoft365", status=503))

    def never_answer(self) -> None:
        self.fake.fail_always("read_page", VendorUnavailable("no answer in time", integration="microsoft365"))

    def add_unknown_fields(self) -> None:
        """Nothing to do: the fake gives what the port promises, and no fields."""

    def leave_out_tenant_ids(self) -> None:
        self.fake.fail_always("read_page", SchemaUnknown("a client has no tenantId", integration="microsoft365"))


class Microsoft365Subject:
    """The Microsoft 365 adapter over a real socket to the simulator."""

    def __init__(self, simulator: Microsoft365Simulator) -> None:
        self.clock = FakeClock()
        self.earlier = KeptReads()
        self.simulator = simulator
        self.microsoft365: Microsoft365Licenses = open_microsoft365(
            simulator.url, FIELDS, clock=self.clock, allow_loopback=True, earlier=self.earlier, limits=HASTE
        )

    @property
    def licenses(self) -> LicenseReading:
        return self.microsoft365

    def set_licensed(self, tenant: Tenant, licensed: int) -> None:
        self.simulator.world.edit_directory(lambda directory: directory.tenants[tenant.id].set_licensed(licensed))

    def remove_tenant(self, tenant: Tenant) -> None:
        self.simulator.world.edit_directory(lambda directory: directory.tenants.pop(tenant.id))

    def reject_credential(self) -> None:
        body = '{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided."}'
        self.simulator.faults.add("raw", path="/*/oauth2/v2.0/token", times=0, status=401, body=body)

    def forbid_tenants(self) -> None:
        self.simulator.gdap_allowed = self.simulator.contracts_allowed = False

    def limit_list(self, seconds: float) -> None:
        self.simulator.faults.add("rate_limited", path=CUSTOMERS, retry_after=str(seconds))

    def be_away(self) -> None:
        self.simulator.faults.add("status", path=CUSTOMERS, status=503)

    def never_answer(self) -> None:
        self.simulator.faults.add("late_reply", path=CUSTOMERS, times=0, seconds=5)

    def add_unknown_fields(self) -> None:
        self.simulator.faults.add("unknown_fields", times=0)

    def leave_out_tenant_ids(self) -> None:
        self.simulator.faults.add("set_field", path=CUSTOMERS, times=0, field="tenantId", remove=True)


@contextmanager
def microsoft365_subject(scene: tuple[Tenant, ...]) -> Iterator[Microsoft365Subject]:
    """A running simulator that holds the scene, with the adapter connected to it."""
    with running(Microsoft365Simulator(world_of(scene))) as simulator:
        subject = Microsoft365Subject(simulator)
        yield subject
        subject.microsoft365.close()


def world_of(scene: tuple[Tenant, ...]) -> World:
    """A world that has these tenants and nothing else."""
    world = World("scene", 0, VendorAccount(credentials.PARTNER_ACCOUNT_CODE, "Acme MSP"))
    world.set_directory(Directory(_client_tenant(tenant) for tenant in scene))
    return world


def _client_tenant(tenant: Tenant) -> ClientTenant:
    made = ClientTenant(tenant.id, tenant.name, f"client{tenant.number}.example")
    if tenant.licensed is None:
        made.access = "no_consent"
    made.add(tenant.licensed or 0)
    made.add(2, "unlicensed")
    return made
