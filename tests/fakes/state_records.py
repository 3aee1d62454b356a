"""Integrations, snapshots, accounts, services and history in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.fakes.state_lists import cut
from tests.fakes.state_memory import Store, effect, require_version
from trueup.domain.accounts import ServiceId, VendorAccountId, VendorPage
from trueup.domain.audit import Audit, AuditEvent
from trueup.domain.billing import PsaPage
from trueup.domain.canonical import sha256
from trueup.domain.counting_policy import CountingPolicy
from trueup.domain.errors import NotFound, StateUnavailable, VersionConflict
from trueup.domain.integrations import Integration, IntegrationName, Side
from trueup.domain.licenses import LicensePage
from trueup.domain.mapping import AccountEntry, MappingState, ServiceEntry
from trueup.domain.runs import Snapshot
from trueup.ports.state import Page

GROUP = 40


class FakeIntegrations(Store):
    def get(self, name: IntegrationName) -> Integration:
        return self._memory.integrations.get(name, Integration(name))

    def all(self) -> tuple[Integration, ...]:
        return tuple(self.get(name) for name in IntegrationName)

    @effect("integrations.save")
    def save(self, integration: Integration, audit: Audit | None) -> Integration:
        require_version(f"integration {integration.name}", integration.version, self.get(integration.name).version)
        stored = replace(integration, version=integration.version + 1)
        self._memory.integrations[integration.name] = stored
        self._memory.log(audit)
        return stored


class FakeSnapshots(Store):
    @effect("snapshots.add_page")
    def add_page(self, side: Side, page: VendorPage | PsaPage | LicensePage) -> str:
        address = sha256([side.value, repr(page)])
        self._memory.pages[address] = page
        return address

    @effect("snapshots.complete")
    def complete(self, snapshot: Snapshot, audit: Audit | None) -> None:
        stored = self._memory.headers.get(snapshot.id)
        if stored is not None:
            if stored != snapshot:
                raise VersionConflict(f"snapshot {snapshot.id} is complete already, with other content")
            return
        self._memory.headers[snapshot.id] = snapshot
        latest = self._memory.latest.get(snapshot.side)
        if latest is None or latest.completed_at <= snapshot.completed_at:
            self._memory.latest[snapshot.side] = snapshot
        self._memory.log(audit)

    @effect("snapshots.refresh")
    def refresh(self, base: Snapshot, derived: Snapshot, audit: Audit) -> None:
        latest = self._memory.latest.get(derived.side)
        if latest is not None and latest == derived:
            return
        if latest is None or latest.id != base.id or derived.id in self._memory.headers:
            raise VersionConflict(f"snapshot {base.id} is not the latest any more")
        self._memory.headers[derived.id] = derived
        self._memory.latest[derived.side] = derived
        self._memory.log(audit)

    def latest(self, side: Side) -> Snapshot | None:
        return self._memory.latest.get(side)

    def vendor_pages(self, snapshot: Snapshot) -> Iterator[VendorPage]:
        for page in self._pages(snapshot):
            if not isinstance(page, VendorPage):
                raise StateUnavailable(f"snapshot {snapshot.id} does not hold pages of the vendor")
            yield page

    def psa_pages(self, snapshot: Snapshot) -> Iterator[PsaPage]:
        for page in self._pages(snapshot):
            if not isinstance(page, PsaPage):
                raise StateUnavailable(f"snapshot {snapshot.id} does not hold pages of the PSA")
            yield page

    def license_pages(self, snapshot: Snapshot) -> Iterator[LicensePage]:
        for page in self._pages(snapshot):
            if not isinstance(page, LicensePage):
                raise StateUnavailable(f"snapshot {snapshot.id} does not hold pages of licenses")
            yield page

    def _pages(self, snapshot: Snapshot) -> Iterator[VendorPage | PsaPage | LicensePage]:
        for address in snapshot.pages:
            if address not in self._memory.pages:
                raise StateUnavailable(f"page {address} of snapshot {snapshot.id} is gone")
            yield self._memory.pages[address]


class FakeAccounts(Store):
    """Accounts of the vendor; ``FakeLicenseAccounts`` is the same for tenants."""

    noun = "vendor account"

    @property
    def _kept(self) -> dict[str, AccountEntry]:
        return self._memory.accounts

    def all(self) -> Iterator[AccountEntry]:
        with self._memory.lock:
            entries = sorted(self._kept.items())
        return iter([entry for _, entry in entries])

    def get(self, vendor_id: VendorAccountId) -> AccountEntry:
        entry = self._kept.get(vendor_id)
        if entry is None:
            raise NotFound(f"there is no {self.noun} {vendor_id!r}")
        return entry

    def page(self, *, state: MappingState | None, cursor: str | None, limit: int) -> Page[AccountEntry]:
        entries = list(self.all())
        if state is not None:
            entries = [entry for entry in entries if entry.state is state]
            entries.sort(key=lambda entry: (entry.vendor_name.casefold(), entry.vendor_id))
        return cut(entries, cursor=cursor, limit=limit, name=f"{self.noun} {state}")

    def save(self, entries: Sequence[AccountEntry], audits: Sequence[Audit]) -> tuple[AccountEntry, ...]:
        places = {str(entry.vendor_id): place // GROUP for place, entry in enumerate(entries)}
        if not entries and audits:
            FakeHistory(self._memory).append(audits)
        stored: list[AccountEntry] = []
        for number, start in enumerate(range(0, len(entries), GROUP)):
            mine = [audit for audit in audits if places.get(audit.subject, 0) == number]
            stored.extend(self._save_group(entries[start : start + GROUP], mine))
        return tuple(stored)

    @effect("accounts.save")
    def _save_group(self, entries: Sequence[AccountEntry], audits: Sequence[Audit]) -> list[AccountEntry]:
        return self._store(entries, audits)

    def _store(self, entries: Sequence[AccountEntry], audits: Sequence[Audit]) -> list[AccountEntry]:
        seen: set[str] = set()
        for entry in entries:
            known = self._kept.get(entry.vendor_id)
            version = -1 if entry.vendor_id in seen else known.version if known else 0
            require_version(f"{self.noun} {entry.vendor_id!r}", entry.version, version)
            seen.add(entry.vendor_id)
        stored = [replace(entry, version=entry.version + 1) for entry in entries]
        self._kept.update({str(entry.vendor_id): entry for entry in stored})
        self._memory.log(*audits)
        return stored


class FakeLicenseAccounts(FakeAccounts):
    noun = "tenant"

    @property
    def _kept(self) -> dict[str, AccountEntry]:
        return self._memory.license_accounts

    @effect("license_accounts.save")
    def _save_group(self, entries: Sequence[AccountEntry], audits: Sequence[Audit]) -> list[AccountEntry]:
        return self._store(entries, audits)


class FakeCountingPolicies(Store):
    def all(self) -> tuple[CountingPolicy, ...]:
        with self._memory.lock:
            return tuple(versions[-1] for _, versions in sorted(self._memory.counting_policies.items()))

    def get(self, psa_system: str, scope: str) -> CountingPolicy:
        return next(iter(self.versions(psa_system, scope)), CountingPolicy(scope=scope, psa_system=psa_system))

    def versions(self, psa_system: str, scope: str) -> tuple[CountingPolicy, ...]:
        return tuple(reversed(self._memory.counting_policies.get((psa_system, scope), [])))

    @effect("counting_policies.save")
    def save(self, policy: CountingPolicy, audit: Audit) -> CountingPolicy:
        require_version(f"the {policy.name}", policy.version, self.get(*policy.key).version)
        stored = replace(policy, version=policy.version + 1)
        self._memory.counting_policies.setdefault(policy.key, []).append(stored)
        self._memory.log(audit)
        return stored


class FakeServices(Store):
    def all(self) -> tuple[ServiceEntry, ...]:
        with self._memory.lock:
            return tuple(entry for _, entry in sorted(self._memory.services.items()))

    def get(self, service_id: ServiceId) -> ServiceEntry:
        entry = self._memory.services.get(service_id)
        if entry is None:
            raise NotFound(f"there is no vendor service {service_id!r}")
        return entry

    def save(self, entries: Sequence[ServiceEntry], audits: Sequence[Audit]) -> tuple[ServiceEntry, ...]:
        places = {str(entry.service_id): place // GROUP for place, entry in enumerate(entries)}
        if not entries and audits:
            FakeHistory(self._memory).append(audits)
        stored: list[ServiceEntry] = []
        for number, start in enumerate(range(0, len(entries), GROUP)):
            mine = [audit for audit in audits if places.get(audit.subject, 0) == number]
            stored.extend(self._save_group(entries[start : start + GROUP], mine))
        return tuple(stored)

    @effect("services.save")
    def _save_group(self, entries: Sequence[ServiceEntry], audits: Sequence[Audit]) -> list[ServiceEntry]:
        seen: set[str] = set()
        for entry in entries:
            known = self._memory.services.get(entry.service_id)
            version = -1 if entry.service_id in seen else known.version if known else 0
            require_version(f"vendor service {entry.service_id!r}", entry.version, version)
            seen.add(entry.service_id)
        stored = [replace(entry, version=entry.version + 1) for entry in entries]
        self._memory.services.update({str(entry.service_id): entry for entry in stored})
        self._memory.log(*audits)
        return stored


class FakeHistory(Store):
    @effect("history.append")
    def append(self, audits: Sequence[Audit]) -> None:
        self._memory.log(*audits)

    def page(self, *, cursor: str | None, limit: int) -> Page[AuditEvent]:
        with self._memory.lock:
            events = list(reversed(self._memory.events))
        return cut(events, cursor=cursor, limit=limit, name="history", key=lambda event: -event.number)

    def all(self) -> Iterator[AuditEvent]:
        with self._memory.lock:
            return iter(list(self._memory.events))
