"""Read who is licensed, tenant by tenant: a complete snapshot or nothing; and the licensed count of each client of it.

A tenant that cannot be read is in the snapshot with its failure. Must not: let a license side that was to be read and
was not look as if there were none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from trueup.domain.billing import PsaAccountId
from trueup.domain.counting import failed_counts, licensed_counts
from trueup.domain.counting_policy import PolicyBook, policies_in
from trueup.domain.counts import Count
from trueup.domain.errors import RunReplaced
from trueup.domain.integrations import Integration, IntegrationName, Side
from trueup.domain.licenses import FILE_TENANT, TenantId, TenantLicenses
from trueup.domain.mapping import AccountEntry, MappingState, in_system
from trueup.domain.runs import Run, Snapshot, is_later
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.counting_policies import CountingPolicies
from trueup.ports.state import Accounts, Checkpoints, Integrations, Snapshots
from trueup.ports.vault import Vault
from trueup.usecases.opening import connected, connected_sides, open_licenses
from trueup.usecases.reading import ReadOrder, ReadResult, read_side


def sync_licenses(
    order: ReadOrder,
    *,
    integrations: Integrations,
    vault: Vault,
    connections: Connections,
    snapshots: Snapshots,
    checkpoints: Checkpoints,
    clock: Clock,
) -> ReadResult:
    """Read on until done or out of time; see ``read_side`` for what is raised. Raises NotConnected without licenses."""
    integration = connected(Side.LICENSES, integrations)
    licenses = open_licenses(
        integrations=integrations,
        vault=vault,
        connections=connections,
        earlier=earlier_reads(integration, snapshots),
    )
    return read_side(
        order,
        integration=integration.name,
        system=integration.system,
        read_page=licenses.read_page,
        snapshots=snapshots,
        checkpoints=checkpoints,
        clock=clock,
    )


def reads_licenses(run: Run) -> bool:
    """Whether the run was begun with licenses connected, so that it reads them."""
    return any(side.side is Side.LICENSES for side in run.sides)


def earlier_reads(integration: Integration, snapshots: Snapshots) -> EarlierTenants | None:
    """What the last complete read of this very system said, or None when there is none."""
    last = snapshots.latest(Side.LICENSES)
    return EarlierTenants(last, snapshots) if last is not None and last.system == integration.system else None


class EarlierTenants:
    """The EarlierReads port over a snapshot, whose tenants are in the order in which they are asked for: one page of it
    is in memory at a time. Whoever asks for an earlier one again makes it begin from the start.
    """

    def __init__(self, snapshot: Snapshot, snapshots: Snapshots) -> None:
        self._snapshot = snapshot
        self._snapshots = snapshots
        self._lock = threading.Lock()
        self._left: Iterator[TenantLicenses] = iter(())
        self._next: TenantLicenses | None = None
        self._asked: TenantId | None = None

    def of(self, tenant_id: TenantId) -> TenantLicenses | None:
        with self._lock:
            if self._asked is None or tenant_id < self._asked:
                self._left = _tenants(self._snapshot, self._snapshots)
                self._next = next(self._left, None)
            self._asked = tenant_id
            while self._next is not None and self._next.id < tenant_id:
                self._next = next(self._left, None)
            return self._next if self._next is not None and self._next.id == tenant_id else None


@dataclass(frozen=True, slots=True)
class LicensedLegs:
    """The licensed count of each client that a tenant is mapped to, and what it was made of.

    ``snapshot`` is the read that was counted; None when licenses are not connected (no client has a count then) or
    were not read in this run (each has a failed one, and ``problem`` tells why). ``policies`` are those it was counted
    by, ``mapped`` the tenants that were counted and for whom.
    """

    counts: Mapping[PsaAccountId, Count] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    policies: PolicyBook = field(default_factory=lambda: policies_in((), ""))
    problem: str = ""
    mapped: Mapping[TenantId, PsaAccountId] = field(default_factory=dict)

    @property
    def is_connected(self) -> bool:
        """Whether anything that counts licenses is connected, be it that it could not be read."""
        return self.snapshot is not None or bool(self.problem)


def licensed_legs(
    run: Run,
    *,
    psa_system: str,
    integrations: Integrations,
    snapshots: Snapshots,
    license_accounts: Accounts,
    counting_policies: CountingPolicies,
) -> LicensedLegs:
    """The third leg of a run's comparison, for the clients of that PSA (Integration.system).

    Licenses that are connected and were not read in this run make the counts failed, never missing: somebody said that
    they should be known. Raises RunReplaced when a newer run has read licenses since.
    """
    if Side.LICENSES not in connected_sides(integrations):
        return LicensedLegs()
    integration = connected(Side.LICENSES, integrations)
    policies = policies_in(counting_policies.all(), psa_system)
    mapped = mapped_tenants(license_accounts.all(), psa_system, integration.name)
    snapshot = snapshots.latest(Side.LICENSES)
    if snapshot is not None and is_later(snapshot.run_id, run.id):
        newer = snapshot.run_id
        raise RunReplaced(f"licenses were read again by run {newer} since run {run.id}", newer_run=newer)
    if snapshot is None or (snapshot.run_id, snapshot.system) != (run.id, integration.system):
        why = next((side.problem for side in run.sides if side.side is Side.LICENSES), "")
        problem = f"{integration.name.label} was not read in run {run.id}" + (f": {why}" if why else "")
        return LicensedLegs(failed_counts(mapped, problem), None, policies, problem)
    counts = licensed_counts(_tenants(snapshot, snapshots), mapped, policies)
    return LicensedLegs(counts, snapshot, policies, mapped=mapped)


def latest_licensed_legs(
    client: PsaAccountId,
    *,
    psa_system: str,
    integrations: Integrations,
    snapshots: Snapshots,
    license_accounts: Accounts,
    counting_policies: CountingPolicies,
) -> LicensedLegs:
    """The third leg of one client as the last complete read says, whichever run it was of."""
    if Side.LICENSES not in connected_sides(integrations):
        return LicensedLegs()
    integration = connected(Side.LICENSES, integrations)
    policies = policies_in(counting_policies.all(), psa_system)
    mapped = {
        tenant: owner
        for tenant, owner in mapped_tenants(license_accounts.all(), psa_system, integration.name).items()
        if owner == client
    }
    snapshot = snapshots.latest(Side.LICENSES)
    if snapshot is None or snapshot.system != integration.system:
        problem = f"{integration.name.label} was never read in full"
        return LicensedLegs(failed_counts(mapped, problem), None, policies, problem)
    return LicensedLegs(licensed_counts(_tenants(snapshot, snapshots), mapped, policies), snapshot, policies)


def mapped_tenants(
    entries: Iterable[AccountEntry], psa_system: str, integration: IntegrationName
) -> dict[TenantId, PsaAccountId]:
    """Which client each tenant is, as far as it holds in that PSA and is a tenant of that source of licenses."""
    return {
        TenantId(entry.vendor_id): entry.psa_id
        for entry in in_system(entries, psa_system)
        if entry.state is MappingState.MAPPED and entry.psa_id is not None and is_told_by(entry.vendor_id, integration)
    }


def is_told_by(tenant_id: str, integration: IntegrationName) -> bool:
    """Whether a tenant with that id comes from that source: files have their own kind of ids."""
    return tenant_id.startswith(FILE_TENANT) == (integration is IntegrationName.LICENSE_FILES)


def _tenants(snapshot: Snapshot, snapshots: Snapshots) -> Iterator[TenantLicenses]:
    return (tenant for page in snapshots.license_pages(snapshot) for tenant in page.accounts)
