"""Opens the Microsoft 365 adapter on a running simulator, and reads it whole. For the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from local.simulators.directory import ClientTenant
from local.simulators.microsoft365 import Microsoft365Simulator
from local.simulators.server import running
from tests.contracts.license_subjects import FIELDS, KeptReads, Tenant, world_of
from tests.fakes.clock import FakeClock
from trueup.adapters.microsoft365.licenses import Microsoft365Licenses, open_microsoft365
from trueup.adapters.pace import HttpLimits
from trueup.domain.licenses import LicensedUser, TenantLicenses

HARBOR = Tenant(1, "Harbor Dental Group", 5)
QUAY = Tenant(2, "Quay Legal", 4)
PIER = Tenant(3, "Pier Foods", 3)
SCENE = (HARBOR, QUAY, PIER)

SHORT_READS = HttpLimits(read_timeout_seconds=0.2, attempts=2)
TOKEN = "/*/oauth2/v2.0/token"  # noqa: S105 - an address, not a secret
CUSTOMERS = "/v1.0/tenantRelationships/delegatedAdminCustomers"
SKUS = "/v1.0/subscribedSkus"
DELTA = "/v1.0/users/delta"
BATCH = "/v1.0/$batch"
MAILBOX = "/v1.0/users/*/mailboxSettings"


def of(tenant: Tenant, path: str) -> str:
    """The path of a fault that is to hit one tenant only."""
    return f"/{tenant.id}{path}"


@dataclass(slots=True)
class Connected:
    """The simulator, the adapter on it, the clock that the adapter waits by, and what it may go on from."""

    simulator: Microsoft365Simulator
    source: Microsoft365Licenses
    clock: FakeClock
    earlier: KeptReads = field(default_factory=KeptReads)

    def tenant(self, tenant: Tenant) -> ClientTenant:
        """The tenant as the simulator has it."""
        return self.simulator.directory.tenants[tenant.id]

    def read(self) -> dict[str, TenantLicenses]:
        """Every tenant of one whole read, by name."""
        found, cursor = {}, None
        while True:
            page = self.source.read_page(cursor)
            found.update({tenant.name: tenant for tenant in page.accounts})
            cursor = page.next_cursor
            if cursor is None:
                return found

    def read_harbor(self) -> TenantLicenses:
        return self.read()[HARBOR.name]

    def users(self, tenant: Tenant = HARBOR) -> list[LicensedUser]:
        """The users of one tenant, which must not have failed."""
        read = self.read()[tenant.name]
        assert read.failure == ""
        return list(read.users)

    def keep(self) -> None:
        """Let the next read go on from how things are now."""
        self.earlier.kept = {tenant.id: tenant for tenant in self.read().values()}
        self.simulator.requests.clear()

    def asked(self, part: str, method: str = "GET") -> int:
        """How many requests went to paths that hold this text."""
        return self.simulator.requests.count(method, part)


@contextmanager
def connected(
    scene: tuple[Tenant, ...] = SCENE,
    *,
    limits: HttpLimits | None = None,
    credential: Mapping[str, str] = FIELDS,
) -> Iterator[Connected]:
    """A running simulator that holds the scene, and the adapter on it. Nothing is asked yet."""
    with running(Microsoft365Simulator(world_of(scene))) as simulator:
        clock, earlier = FakeClock(), KeptReads()
        simulator.world.clock = clock.now
        source = open_microsoft365(
            simulator.url, credential, clock=clock, allow_loopback=True, earlier=earlier, limits=limits
        )
        yield Connected(simulator, source, clock, earlier)
        source.close()
