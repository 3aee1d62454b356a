"""Every state port in memory, held to the same contract suite as the table. For use-case tests.

Method: one lock and one set of dictionaries; a write checks everything before it changes anything, so that it is whole.
``FakeState.switches`` makes a chosen call fail before or after its effect, and lists every call, so that a test can
crash a use case at each of its effects in turn. Must not: know how the table keeps things.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from tests.fakes.state_lists import cut, cut_rows
from trueup.domain.accounts import ServiceId, VendorAccountId, VendorPage
from trueup.domain.audit import GENESIS, Audit, AuditEvent, chained
from trueup.domain.billing import PsaPage, WriteOutcome
from trueup.domain.canonical import sha256
from trueup.domain.errors import Conflict, InputInvalid, LeaseHeld, NotFound, StateUnavailable, VersionConflict
from trueup.domain.integrations import Integration, IntegrationName, Side
from trueup.domain.mapping import AccountEntry, MappingState, ServiceEntry
from trueup.domain.plan import Change, ChangeResult, Plan, PlanState
from trueup.domain.runs import Run, RunState, Snapshot
from trueup.domain.verdicts import Reconciliation, Row, Verdict
from trueup.ports.clock import Clock
from trueup.ports.state import Page
from trueup.ports.state_bundle import State

RUN_LEASE_SECONDS = 7200
CLAIM_SECONDS = 120
GROUP = 40


@dataclass(slots=True)
class _Switch:
    call: str
    error: BaseException
    when: Literal["before", "after"]
    skip: int
    times: int


@dataclass(slots=True)
class Switches:
    """Failures on demand. A call is named by its port and method: ``plans.record``, ``accounts.save``.

    ``calls`` lists the writing calls in order, those that failed too.
    """

    calls: list[str] = field(default_factory=list)
    _set: list[_Switch] = field(default_factory=list)

    def fail(
        self,
        call: str,
        error: BaseException | None = None,
        *,
        when: Literal["before", "after"] = "before",
        skip: int = 0,
        times: int = 1,
    ) -> None:
        """Raise the error at that call: ``before`` nothing is stored, ``after`` it is stored but the reply is lost.

        ``skip`` lets so many such calls pass first; ``*`` stands for every writing call.
        """
        self._set.append(_Switch(call, error or StateUnavailable("the store is away"), when, skip, times))

    def meet(self, call: str, when: Literal["before", "after"]) -> None:
        if when == "before":
            self.calls.append(call)
        for switch in self._set:
            if switch.when != when or switch.call not in {call, "*"} or not switch.times:
                continue
            if switch.skip:
                switch.skip -= 1
                continue
            switch.times -= 1
            raise switch.error


@dataclass(slots=True)
class _Memory:
    clock: Clock
    switches: Switches = field(default_factory=Switches)
    lock: threading.RLock = field(default_factory=threading.RLock)
    integrations: dict[IntegrationName, Integration] = field(default_factory=dict)
    pages: dict[str, VendorPage | PsaPage] = field(default_factory=dict)
    headers: dict[str, Snapshot] = field(default_factory=dict)
    latest: dict[Side, Snapshot] = field(default_factory=dict)
    accounts: dict[str, AccountEntry] = field(default_factory=dict)
    services: dict[str, ServiceEntry] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    comparisons: dict[str, Reconciliation] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    current: dict[str, str] = field(default_factory=dict)
    intents: dict[str, set[str]] = field(default_factory=dict)
    events: list[AuditEvent] = field(default_factory=list)
    leases: dict[str, tuple[str, int, datetime]] = field(default_factory=dict)
    checkpoints: dict[tuple[str, Side], bytes] = field(default_factory=dict)
    claims: dict[str, _Claim] = field(default_factory=dict)

    def log(self, *audits: Audit | None) -> None:
        for audit in audits:
            if audit is not None:
                utc = replace(audit, at=audit.at.astimezone(UTC))
                previous = self.events[-1].hash if self.events else GENESIS
                self.events.append(chained(utc, number=len(self.events) + 1, previous_hash=previous))


@dataclass(slots=True)
class _Claim:
    fingerprint: str
    busy_until: datetime
    until: datetime
    reply: bytes | None = None


class _Store:
    def __init__(self, memory: _Memory) -> None:
        self._memory = memory


def _effect[**P, R](call: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The method under the lock, with the switches of that call around it."""

    def around(method: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(method)
        def run(*arguments: P.args, **named: P.kwargs) -> R:
            memory = cast(_Store, arguments[0])._memory
            with memory.lock:
                memory.switches.meet(call, "before")
                result = method(*arguments, **named)
                memory.switches.meet(call, "after")
                return result

        return run

    return around


def _require_version(name: str, given: int, stored: int) -> None:
    if given != stored:
        raise VersionConflict(f"{name} was changed by somebody else since it was read")


class FakeIntegrations(_Store):
    def get(self, name: IntegrationName) -> Integration:
        return self._memory.integrations.get(name, Integration(name))

    def all(self) -> tuple[Integration, ...]:
        return tuple(self.get(name) for name in IntegrationName)

    @_effect("integrations.save")
    def save(self, integration: Integration, audit: Audit | None) -> Integration:
        _require_version(f"integration {integration.name}", integration.version, self.get(integration.name).version)
        stored = replace(integration, version=integration.version + 1)
        self._memory.integrations[integration.name] = stored
        self._memory.log(audit)
        return stored


class FakeSnapshots(_Store):
    @_effect("snapshots.add_page")
    def add_page(self, side: Side, page: VendorPage | PsaPage) -> str:
        address = sha256([side.value, repr(page)])
        self._memory.pages[address] = page
        return address

    @_effect("snapshots.complete")
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

    def _pages(self, snapshot: Snapshot) -> Iterator[VendorPage | PsaPage]:
        for address in snapshot.pages:
            if address not in self._memory.pages:
                raise StateUnavailable(f"page {address} of snapshot {snapshot.id} is gone")
            yield self._memory.pages[address]


class FakeAccounts(_Store):
    def all(self) -> Iterator[AccountEntry]:
        with self._memory.lock:
            entries = sorted(self._memory.accounts.items())
        return iter([entry for _, entry in entries])

    def get(self, vendor_id: VendorAccountId) -> AccountEntry:
        entry = self._memory.accounts.get(vendor_id)
        if entry is None:
            raise NotFound(f"there is no vendor account {vendor_id!r}")
        return entry

    def page(self, *, state: MappingState | None, cursor: str | None, limit: int) -> Page[AccountEntry]:
        entries = list(self.all())
        if state is not None:
            entries = [entry for entry in entries if entry.state is state]
            entries.sort(key=lambda entry: (entry.vendor_name.casefold(), entry.vendor_id))
        return cut(entries, cursor=cursor, limit=limit, name=f"accounts {state}")

    def save(self, entries: Sequence[AccountEntry], audits: Sequence[Audit]) -> tuple[AccountEntry, ...]:
        places = {str(entry.vendor_id): place // GROUP for place, entry in enumerate(entries)}
        if not entries and audits:
            FakeHistory(self._memory).append(audits)
        stored: list[AccountEntry] = []
        for number, start in enumerate(range(0, len(entries), GROUP)):
            mine = [audit for audit in audits if places.get(audit.subject, 0) == number]
            stored.extend(self._save_group(entries[start : start + GROUP], mine))
        return tuple(stored)

    @_effect("accounts.save")
    def _save_group(self, entries: Sequence[AccountEntry], audits: Sequence[Audit]) -> list[AccountEntry]:
        seen: set[str] = set()
        for entry in entries:
            known = self._memory.accounts.get(entry.vendor_id)
            version = -1 if entry.vendor_id in seen else known.version if known else 0
            _require_version(f"vendor account {entry.vendor_id!r}", entry.version, version)
            seen.add(entry.vendor_id)
        stored = [replace(entry, version=entry.version + 1) for entry in entries]
        self._memory.accounts.update({str(entry.vendor_id): entry for entry in stored})
        self._memory.log(*audits)
        return stored


class FakeServices(_Store):
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

    @_effect("services.save")
    def _save_group(self, entries: Sequence[ServiceEntry], audits: Sequence[Audit]) -> list[ServiceEntry]:
        seen: set[str] = set()
        for entry in entries:
            known = self._memory.services.get(entry.service_id)
            version = -1 if entry.service_id in seen else known.version if known else 0
            _require_version(f"vendor service {entry.service_id!r}", entry.version, version)
            seen.add(entry.service_id)
        stored = [replace(entry, version=entry.version + 1) for entry in entries]
        self._memory.services.update({str(entry.service_id): entry for entry in stored})
        self._memory.log(*audits)
        return stored


class FakeRuns(_Store):
    @_effect("runs.start")
    def start(self, run: Run, audit: Audit | None) -> Run:
        now = self._memory.clock.now()
        for other in list(self._memory.runs.values()):
            if not other.holds_place:
                continue
            if other.updated_at + timedelta(seconds=RUN_LEASE_SECONDS) > now or other.id == run.id:
                raise LeaseHeld(f"run {other.id} is not finished", holder=other.id)
            self._memory.runs[other.id] = replace(
                other,
                state=RunState.FAILED,
                problem_code="run_abandoned",
                problem=f"nothing heard since {other.updated_at.isoformat()}; run {run.id} took its place",
                remedy="Nothing to do: the newer run reads both sides again.",
                updated_at=now,
                ended_at=now,
                version=other.version + 1,
            )
        known = self._memory.runs.get(run.id)
        _require_version(f"run {run.id}", run.version, known.version if known else 0)
        stored = replace(run, version=run.version + 1)
        self._memory.runs[run.id] = stored
        self._memory.log(audit)
        return stored

    def get(self, run_id: str) -> Run:
        run = self._memory.runs.get(run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id!r}")
        return run

    @_effect("runs.save")
    def save(self, run: Run, audit: Audit | None) -> Run:
        known = self._memory.runs.get(run.id)
        _require_version(f"run {run.id}", run.version, known.version if known else 0)
        if known is None or (known.is_over and not run.is_over):
            raise VersionConflict(f"run {run.id} is over or was never started")
        stored = replace(run, version=run.version + 1)
        self._memory.runs[run.id] = stored
        self._memory.log(audit)
        return stored

    def latest(self, limit: int = 20) -> tuple[Run, ...]:
        with self._memory.lock:
            runs = sorted(self._memory.runs.values(), key=lambda run: (run.started_at, run.id), reverse=True)
        return tuple(runs[:limit])


class FakeReconciliations(_Store):
    @_effect("reconciliations.save")
    def save(self, reconciliation: Reconciliation, *, run_id: str, at: datetime) -> None:
        self._memory.comparisons[reconciliation.period] = reconciliation

    def get(self, period: str) -> Reconciliation:
        found = self._memory.comparisons.get(period)
        if found is None:
            raise NotFound(f"period {period} was never compared")
        return found

    def page(self, period: str, *, verdict: Verdict | None, cursor: str | None, limit: int) -> Page[Row]:
        return cut_rows(self.get(period), verdict=verdict, cursor=cursor, limit=limit)


class FakePlans(_Store):
    """Both plan ports: Plans and PlanIndex."""

    @_effect("plans.propose")
    def propose(self, plan: Plan, audit: Audit) -> Plan:
        known = self._memory.plans.get(plan.id)
        stands = known is not None and known.state is not PlanState.SUPERSEDED
        if stands and self._memory.current.get(plan.period) == plan.id:
            return cast(Plan, known)
        for other in list(self._memory.plans.values()):
            if other.period == plan.period and other.id != plan.id and other.state in _OPEN:
                superseded = replace(other, state=PlanState.SUPERSEDED, version=other.version + 1)
                self._memory.plans[other.id] = superseded
        if not stands:
            version = known.version + 1 if known else 1
            self._memory.plans[plan.id] = replace(plan, state=PlanState.PROPOSED, results=(), version=version)
        self._memory.current[plan.period] = plan.id
        self._memory.log(audit)
        return self._memory.plans[plan.id]

    def get(self, plan_id: str) -> Plan:
        plan = self._memory.plans.get(plan_id)
        if plan is None:
            raise NotFound(f"there is no plan {plan_id!r}")
        return plan

    @_effect("plans.save")
    def save(self, plan: Plan, audit: Audit) -> Plan:
        known = self.get(plan.id)
        _require_version(f"plan {plan.id}", plan.version, known.version)
        stored = replace(plan, results=known.results, version=plan.version + 1)
        self._memory.plans[plan.id] = stored
        self._memory.log(audit)
        return stored

    @_effect("plans.intend")
    def intend(self, plan: Plan, change: Change, audit: Audit) -> None:
        known = self.get(plan.id)
        _require_version(f"plan {plan.id}", plan.version, known.version)
        known.change(change.id)
        intents = self._memory.intents.setdefault(plan.id, set())
        if change.id not in intents:
            intents.add(change.id)
            self._memory.log(audit)

    @_effect("plans.record")
    def record(self, plan: Plan, result: ChangeResult, audit: Audit) -> Plan:
        known = self.get(plan.id)
        known.change(result.change_id)
        earlier = known.result(result.change_id)
        if earlier is not None and earlier.outcome is not WriteOutcome.UNKNOWN:
            return known
        updated = known.with_result(result)
        state = known.state if known.state is PlanState.SUPERSEDED else updated.state
        stored = replace(updated, state=state, version=known.version + 1)
        self._memory.plans[plan.id] = stored
        self._memory.log(audit)
        return stored

    def latest(self, limit: int = 20) -> tuple[Plan, ...]:
        with self._memory.lock:
            plans = sorted(self._memory.plans.values(), key=lambda plan: (plan.created_at, plan.id), reverse=True)
        return tuple(plans[:limit])

    def current(self, period: str) -> Plan | None:
        plan_id = self._memory.current.get(period)
        return None if plan_id is None else self.get(plan_id)

    def intended(self, plan_id: str) -> frozenset[str]:
        with self._memory.lock:
            return frozenset(self._memory.intents.get(plan_id, set()))


_OPEN = frozenset({PlanState.PROPOSED, PlanState.APPROVED})


class FakeHistory(_Store):
    @_effect("history.append")
    def append(self, audits: Sequence[Audit]) -> None:
        self._memory.log(*audits)

    def page(self, *, cursor: str | None, limit: int) -> Page[AuditEvent]:
        with self._memory.lock:
            events = list(reversed(self._memory.events))
        return cut(events, cursor=cursor, limit=limit, name="history", key=lambda event: -event.number)

    def all(self) -> Iterator[AuditEvent]:
        with self._memory.lock:
            return iter(list(self._memory.events))


class FakeLeases(_Store):
    @_effect("leases.acquire")
    def acquire(self, name: str, *, owner: str, seconds: int) -> int:
        now = self._memory.clock.now()
        holder, fence, until = self._memory.leases.get(name, ("", 0, now))
        live = bool(holder) and until > now
        if live and holder != owner:
            raise LeaseHeld(f"{name} is held by {holder}", holder=holder)
        fence = fence if live else fence + 1
        self._memory.leases[name] = (owner, fence, now + timedelta(seconds=seconds))
        return fence

    @_effect("leases.release")
    def release(self, name: str, *, owner: str) -> None:
        holder, fence, until = self._memory.leases.get(name, ("", 0, self._memory.clock.now()))
        if holder == owner:
            self._memory.leases[name] = ("", fence, until)


class FakeCheckpoints(_Store):
    def load(self, run_id: str, side: Side) -> bytes | None:
        return self._memory.checkpoints.get((run_id, side))

    @_effect("checkpoints.save")
    def save(self, run_id: str, side: Side, content: bytes) -> None:
        self._memory.checkpoints[run_id, side] = bytes(content)

    @_effect("checkpoints.clear")
    def clear(self, run_id: str, side: Side) -> None:
        self._memory.checkpoints.pop((run_id, side), None)


class FakeIdempotency(_Store):
    @_effect("idempotency.begin")
    def begin(self, key: str, *, fingerprint: str, seconds: int) -> bytes | None:
        now = self._memory.clock.now()
        claim = self._memory.claims.get(key)
        if claim is not None and claim.until > now:
            if claim.fingerprint != fingerprint:
                raise InputInvalid("this key came with another request before", field="Idempotency-Key")
            if claim.reply is not None:
                return claim.reply
            if claim.busy_until > now:
                raise Conflict("a request with this key is being answered right now")
        until = now + timedelta(seconds=seconds) if claim is None or claim.until <= now else claim.until
        busy_until = min(until, now + timedelta(seconds=CLAIM_SECONDS))
        self._memory.claims[key] = _Claim(fingerprint, busy_until, until)
        return None

    @_effect("idempotency.finish")
    def finish(self, key: str, reply: bytes) -> None:
        claim = self._memory.claims.get(key)
        if claim is not None and claim.reply is None and claim.until > self._memory.clock.now():
            claim.reply = bytes(reply)

    @_effect("idempotency.abandon")
    def abandon(self, key: str) -> None:
        claim = self._memory.claims.get(key)
        if claim is not None and claim.reply is None:
            del self._memory.claims[key]


@dataclass(frozen=True, slots=True)
class FakeState(State):
    """The bundle with its switches."""

    switches: Switches


def fake_state(clock: Clock) -> FakeState:
    """An empty state of one tenant."""
    memory = _Memory(clock)
    plans = FakePlans(memory)
    stores: dict[str, Any] = {
        "integrations": FakeIntegrations(memory),
        "snapshots": FakeSnapshots(memory),
        "accounts": FakeAccounts(memory),
        "services": FakeServices(memory),
        "runs": FakeRuns(memory),
        "reconciliations": FakeReconciliations(memory),
        "plans": plans,
        "plan_index": plans,
        "history": FakeHistory(memory),
        "leases": FakeLeases(memory),
        "checkpoints": FakeCheckpoints(memory),
        "idempotency": FakeIdempotency(memory),
    }
    return FakeState(**stores, switches=memory.switches)
