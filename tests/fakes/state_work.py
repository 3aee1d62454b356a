"""Runs, comparisons, leases, checkpoints, kept files and kept replies in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from tests.fakes.state_lists import cut_rows
from tests.fakes.state_memory import Claim, Store, effect, require_version
from trueup.domain.allocation import Allocation
from trueup.domain.api_keys import ApiKey
from trueup.domain.audit import Audit
from trueup.domain.comparison import ComparisonInputs, Findings, findings_of
from trueup.domain.errors import Conflict, InputInvalid, LeaseHeld, NotFound, VersionConflict
from trueup.domain.integrations import Side
from trueup.domain.runs import Run, RunState
from trueup.domain.sealing import require_open
from trueup.domain.uploads import Upload
from trueup.domain.verdicts import Reconciliation, Row, Verdict
from trueup.ports.state import ComparisonSummary, Page

RUN_LEASE_SECONDS = 7200
CLAIM_SECONDS = 120


class FakeRuns(Store):
    @effect("runs.start")
    def start(self, run: Run, audit: Audit | None) -> Run:
        require_open(run.period, self._memory.links)
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
        require_version(f"run {run.id}", run.version, known.version if known else 0)
        stored = replace(run, version=run.version + 1)
        self._memory.runs[run.id] = stored
        self._memory.log(audit)
        return stored

    def get(self, run_id: str) -> Run:
        run = self._memory.runs.get(run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id!r}")
        return run

    @effect("runs.save")
    def save(self, run: Run, audit: Audit | None) -> Run:
        known = self._memory.runs.get(run.id)
        require_version(f"run {run.id}", run.version, known.version if known else 0)
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


class FakeReconciliations(Store):
    @effect("reconciliations.save")
    def save(
        self, reconciliation: Reconciliation, *, run_id: str, at: datetime, inputs: ComparisonInputs | None = None
    ) -> None:
        period = reconciliation.period
        require_open(period, self._memory.links)
        self._memory.comparisons[period] = reconciliation
        self._memory.summaries[period] = ComparisonSummary(run_id, at, reconciliation.totals)
        self._memory.inputs[period] = inputs
        found = Findings(run_id, at, findings_of(reconciliation.rows))
        self._memory.findings.setdefault(period, []).append(found)

    def inputs(self, period: str) -> ComparisonInputs | None:
        self.get(period)
        return self._memory.inputs[period]

    def findings(self, period: str) -> tuple[Findings, ...]:
        kept = self._memory.findings.get(period, [])
        return tuple(sorted(kept, key=lambda found: (found.at, found.run_id)))

    def get(self, period: str) -> Reconciliation:
        found = self._memory.comparisons.get(period)
        if found is None:
            raise NotFound(f"period {period} was never compared")
        return found

    def summary(self, period: str) -> ComparisonSummary:
        self.get(period)
        return self._memory.summaries[period]

    def page(self, period: str, *, verdict: Verdict | None, cursor: str | None, limit: int) -> Page[Row]:
        return cut_rows(self.get(period), verdict=verdict, cursor=cursor, limit=limit)


class FakeLeases(Store):
    @effect("leases.acquire")
    def acquire(self, name: str, *, owner: str, seconds: int) -> int:
        now = self._memory.clock.now()
        holder, fence, until = self._memory.leases.get(name, ("", 0, now))
        live = bool(holder) and until > now
        if live and holder != owner:
            raise LeaseHeld(f"{name} is held by {holder}", holder=holder)
        fence = fence if live else fence + 1
        self._memory.leases[name] = (owner, fence, now + timedelta(seconds=seconds))
        return fence

    @effect("leases.release")
    def release(self, name: str, *, owner: str) -> None:
        holder, fence, until = self._memory.leases.get(name, ("", 0, self._memory.clock.now()))
        if holder == owner:
            self._memory.leases[name] = ("", fence, until)


class FakeCheckpoints(Store):
    def load(self, run_id: str, side: Side) -> bytes | None:
        return self._memory.checkpoints.get((run_id, side))

    @effect("checkpoints.save")
    def save(self, run_id: str, side: Side, content: bytes) -> None:
        self._memory.checkpoints[run_id, side] = bytes(content)

    @effect("checkpoints.clear")
    def clear(self, run_id: str, side: Side) -> None:
        self._memory.checkpoints.pop((run_id, side), None)


class FakeAllocations(Store):
    def all(self) -> tuple[Allocation, ...]:
        return tuple(one for _, one in sorted(self._memory.allocations.items()))

    @effect("allocations.save")
    def save(self, allocation: Allocation, audit: Audit) -> Allocation:
        key = _place(allocation)
        before = self._memory.allocations.get(key)
        if (before.version if before is not None else 0) != allocation.version:
            raise VersionConflict("the division was changed by somebody else")
        stored = replace(allocation, version=allocation.version + 1)
        self._memory.allocations[key] = stored
        self._memory.log(audit)
        return stored

    @effect("allocations.remove")
    def remove(self, allocation: Allocation, audit: Audit) -> bool:
        if self._memory.allocations.pop(_place(allocation), None) is None:
            return False
        self._memory.log(audit)
        return True


def _place(allocation: Allocation) -> tuple[str, str, str]:
    return allocation.psa_system, str(allocation.psa_account_id), str(allocation.product_id)


class FakeUploads(Store):
    @effect("uploads.put")
    def put(self, upload: Upload, audit: Audit) -> None:
        upload.require_size()
        self._memory.uploads[upload.name] = replace(upload, content=bytes(upload.content))
        self._memory.log(audit)

    def get(self, name: str) -> Upload | None:
        return self._memory.uploads.get(name)

    @effect("uploads.remove")
    def remove(self, name: str, audit: Audit) -> bool:
        if self._memory.uploads.pop(name, None) is None:
            return False
        self._memory.log(audit)
        return True


class FakeIdempotency(Store):
    @effect("idempotency.begin")
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
        self._memory.claims[key] = Claim(fingerprint, busy_until, until)
        return None

    @effect("idempotency.finish")
    def finish(self, key: str, reply: bytes) -> None:
        claim = self._memory.claims.get(key)
        if claim is not None and claim.reply is None and claim.until > self._memory.clock.now():
            claim.reply = bytes(reply)

    @effect("idempotency.abandon")
    def abandon(self, key: str) -> None:
        claim = self._memory.claims.get(key)
        if claim is not None and claim.reply is None:
            del self._memory.claims[key]


class FakeApiKeys(Store):
    def all(self) -> tuple[ApiKey, ...]:
        with self._memory.lock:
            keys = sorted(self._memory.api_keys.values(), key=lambda key: (key.created_at, key.id), reverse=True)
        return tuple(keys)

    def get(self, key_id: str) -> ApiKey:
        key = self._memory.api_keys.get(key_id)
        if key is None:
            raise NotFound("there is no such API key")
        return key

    @effect("api_keys.save")
    def save(self, key: ApiKey, audit: Audit) -> ApiKey:
        known = self._memory.api_keys.get(key.id)
        require_version(f"API key {key.id}", key.version, known.version if known else 0)
        stored = replace(key, version=key.version + 1)
        self._memory.api_keys[key.id] = stored
        self._memory.log(audit)
        return stored


class FakeCounters(Store):
    @effect("counters.add")
    def add(self, name: str, *, seconds: int) -> int:
        now = self._memory.clock.now()
        tally, ends_at = self._memory.counters.get(name, (0, now))
        if ends_at <= now:
            tally, ends_at = 0, now + timedelta(seconds=seconds)
        self._memory.counters[name] = (tally + 1, ends_at)
        return tally + 1

    def value(self, name: str) -> int:
        now = self._memory.clock.now()
        tally, ends_at = self._memory.counters.get(name, (0, now))
        return tally if ends_at > now else 0
