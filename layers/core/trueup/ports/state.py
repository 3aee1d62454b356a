"""What Trueup remembers. One Protocol for each question the use cases ask, at most five methods each.

Every write is conditional on the integer ``version`` that was read (0 means "must not exist yet") and stores ``version
+ 1``; a record that moved raises VersionConflict and nothing of that call is stored. Writes that decide something take
the audit that belongs to them and store both or neither. All reads are consistent unless they say otherwise. Any method
may raise StateUnavailable after bounded retries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from trueup.domain.accounts import ServiceId, VendorAccountId, VendorPage
from trueup.domain.allocation import Allocation
from trueup.domain.api_keys import ApiKey
from trueup.domain.audit import Audit, AuditEvent
from trueup.domain.billing import PsaPage
from trueup.domain.comparison import ComparisonInputs
from trueup.domain.integrations import Integration, IntegrationName, Side
from trueup.domain.licenses import LicensePage
from trueup.domain.mapping import AccountEntry, MappingState, ServiceEntry
from trueup.domain.plan import Change, ChangeResult, Plan
from trueup.domain.runs import Run, Snapshot
from trueup.domain.uploads import Upload
from trueup.domain.verdicts import Reconciliation, Row, Totals, Verdict


@dataclass(frozen=True, slots=True)
class Page[Item]:
    """One page of a list; ``next_cursor`` is opaque and None on the last page."""

    items: tuple[Item, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ComparisonSummary:
    """A comparison without its rows: whose reads were compared, when, and what the rows add up to."""

    run_id: str
    at: datetime
    totals: Totals


class Integrations(Protocol):
    def get(self, name: IntegrationName) -> Integration:
        """The connection, or a fresh one that is not connected (version 0)."""
        ...

    def all(self) -> tuple[Integration, ...]:
        """One entry for each integration Trueup knows, connected or not."""
        ...

    def save(self, integration: Integration, audit: Audit | None) -> Integration:
        """Store it; returns it with its new version."""
        ...


class Snapshots(Protocol):
    """Complete reads. Pages are content-addressed, so storing the same page twice stores it once."""

    def add_page(self, side: Side, page: VendorPage | PsaPage | LicensePage) -> str:
        """Store one page; returns its content address. A page without a header belongs to no snapshot."""
        ...

    def complete(self, snapshot: Snapshot, audit: Audit | None) -> None:
        """Write the header last: from now on this is the latest complete snapshot of its side."""
        ...

    def refresh(self, base: Snapshot, derived: Snapshot, audit: Audit) -> None:
        """Make ``derived``, which is ``base`` with some records read again, the latest, if ``base`` still is.

        Raises VersionConflict when another snapshot took its place; then nothing is stored, and the records have to be
        read again upon that one. Refreshing to the very same snapshot again changes nothing.
        """
        ...

    def latest(self, side: Side) -> Snapshot | None:
        """The newest complete snapshot of a side, or None when there never was one."""
        ...

    def vendor_pages(self, snapshot: Snapshot) -> Iterator[VendorPage]:
        """The pages in order. Raises StateUnavailable when a page is gone or its bytes do not have its address."""
        ...

    def psa_pages(self, snapshot: Snapshot) -> Iterator[PsaPage]: ...

    def license_pages(self, snapshot: Snapshot) -> Iterator[LicensePage]: ...


class Accounts(Protocol):
    """Accounts of one side with their mapping: those of the vendor, or tenants whose licenses are counted, whose
    ``vendor_id`` is the tenant id.
    """

    def all(self) -> Iterator[AccountEntry]:
        """Every entry, ordered by vendor id."""
        ...

    def get(self, vendor_id: VendorAccountId) -> AccountEntry:
        """Raises NotFound."""
        ...

    def page(self, *, state: MappingState | None, cursor: str | None, limit: int) -> Page[AccountEntry]:
        """Entries ordered by name within their state (all states: by id), one query a page. May be read from an
        index.
        """
        ...

    def save(self, entries: Sequence[AccountEntry], audits: Sequence[Audit]) -> tuple[AccountEntry, ...]:
        """Store all entries and audits, or none when there are at most 40 entries; larger sets go in groups of 40, each
        whole (repeating the call after a failure is safe because the conditions are on the versions)."""
        ...


class Services(Protocol):
    """Vendor services with their product."""

    def all(self) -> tuple[ServiceEntry, ...]: ...

    def get(self, service_id: ServiceId) -> ServiceEntry:
        """Raises NotFound."""
        ...

    def save(self, entries: Sequence[ServiceEntry], audits: Sequence[Audit]) -> tuple[ServiceEntry, ...]: ...


class Runs(Protocol):
    def start(self, run: Run, audit: Audit | None) -> Run:
        """Store a run that must not exist yet, unless another holds the place: raises LeaseHeld with that run's id, and
        MonthSealed when its period is closed."""
        ...

    def get(self, run_id: str) -> Run:
        """Raises NotFound."""
        ...

    def save(self, run: Run, audit: Audit | None) -> Run:
        """Store progress or the end; a run that no longer ``holds_place`` frees it for the next."""
        ...

    def latest(self, limit: int = 20) -> tuple[Run, ...]:
        """The newest first."""
        ...


class Reconciliations(Protocol):
    """The last comparison of each period. Rows can be listed page by page without reading all."""

    def save(
        self, reconciliation: Reconciliation, *, run_id: str, at: datetime, inputs: ComparisonInputs | None = None
    ) -> None:
        """Replace the period's comparison; readers see the old one or the new one, never a mix.

        What it found is kept beside what earlier ones found, and ``inputs``, what it was made of, in place of the last
        one's. Raises MonthSealed when the period is closed.
        """
        ...

    def get(self, period: str) -> Reconciliation:
        """The whole comparison. Raises NotFound."""
        ...

    def summary(self, period: str) -> ComparisonSummary:
        """What the period's newest comparison adds up to, without reading a row. Raises NotFound."""
        ...

    def page(self, period: str, *, verdict: Verdict | None, cursor: str | None, limit: int) -> Page[Row]:
        """Rows in the table's order, one query a page. Raises NotFound when the period was never compared."""
        ...


class Plans(Protocol):
    """Plans of a closed period can be read and are not changed any more: what would raises MonthSealed, but for the
    result of what was sent before."""

    def propose(self, plan: Plan, audit: Audit) -> Plan:
        """Store a new plan and supersede any other plan of its period that is proposed or approved, in one step.

        A plan with the same id that is still proposed, approved or applied is returned as it stands: an equal proposal
        keeps its releases and its approval. A superseded plan with the same id is proposed afresh.
        """
        ...

    def get(self, plan_id: str) -> Plan:
        """Raises NotFound."""
        ...

    def save(self, plan: Plan, audit: Audit) -> Plan:
        """Store a release or an approval."""
        ...

    def intend(self, plan: Plan, change: Change, audit: Audit) -> None:
        """Record, before anything is sent, that this change is about to be written. Repeating it is no error."""
        ...

    def record(self, plan: Plan, result: ChangeResult, audit: Audit) -> Plan:
        """Store the result of one change with its audit row, in one transaction; returns the plan as it is now.

        A change that already has a final result (anything but unknown) keeps it.
        """
        ...


class PlanIndex(Protocol):
    """Looking plans up; apart from Plans because nothing here changes one."""

    def latest(self, limit: int = 20) -> tuple[Plan, ...]:
        """The newest first."""
        ...

    def current(self, period: str) -> Plan | None:
        """The plan of the period that is not superseded, if there is one."""
        ...

    def intended(self, plan_id: str) -> frozenset[str]:
        """Ids of changes that were about to be written, whether or not they have a result."""
        ...


class History(Protocol):
    """The append-only, hash-chained record of what was decided and done."""

    def append(self, audits: Sequence[Audit]) -> None:
        """Append events that have no other record to be stored with."""
        ...

    def page(self, *, cursor: str | None, limit: int) -> Page[AuditEvent]:
        """The newest first."""
        ...

    def all(self) -> Iterator[AuditEvent]:
        """The oldest first, to prove the chain."""
        ...


class Leases(Protocol):
    """At most one owner at a time, with a fencing number that grows: a stale owner's writes can be refused."""

    def acquire(self, name: str, *, owner: str, seconds: int) -> int:
        """Take the lease or renew one's own; returns the fencing number. Raises LeaseHeld naming the owner."""
        ...

    def release(self, name: str, *, owner: str) -> None:
        """Give it back; no error when it is another's by now."""
        ...


class Checkpoints(Protocol):
    """Where an unfinished read of one side is, so that the next invocation goes on and repeats nothing."""

    def load(self, run_id: str, side: Side) -> bytes | None: ...

    def save(self, run_id: str, side: Side, content: bytes) -> None: ...

    def clear(self, run_id: str, side: Side) -> None: ...


class Uploads(Protocol):
    """Files that people gave to be kept, one under each name: the last one given, whole, or none."""

    def put(self, upload: Upload, audit: Audit) -> None:
        """Keep this one in place of the one before. Raises InputInvalid when it is larger than 5 MB."""
        ...

    def get(self, name: str) -> Upload | None:
        """The file that is kept under that name. Raises StateUnavailable when its bytes are gone or damaged."""
        ...

    def remove(self, name: str, audit: Audit) -> bool:
        """Forget it, its bytes included; False, and nothing is recorded, when there is none."""
        ...


class Allocations(Protocol):
    """How seats are divided among several lines: one word of a person for each PSA, client and product."""

    def all(self) -> tuple[Allocation, ...]: ...

    def save(self, allocation: Allocation, audit: Audit) -> Allocation:
        """Store it in place of the one before for the same client and product of that PSA; returns it with its new
        version."""
        ...

    def remove(self, allocation: Allocation, audit: Audit) -> bool:
        """Forget it; False, and nothing is recorded, when there is none."""
        ...


class ApiKeys(Protocol):
    """Keys of machines, by id."""

    def all(self) -> tuple[ApiKey, ...]:
        """The newest first, revoked ones too."""
        ...

    def get(self, key_id: str) -> ApiKey:
        """Raises NotFound."""
        ...

    def save(self, key: ApiKey, audit: Audit) -> ApiKey: ...


class Counters(Protocol):
    """Numbers that forget themselves: how often something happened in a window of time."""

    def add(self, name: str, *, seconds: int) -> int:
        """Count one more and return how many there are now, this one included; the first one opens a window that ends
        after ``seconds``. Atomic: of two at once one gets the lower number.
        """
        ...

    def value(self, name: str) -> int:
        """How many there are in the window that is open, 0 when none is."""
        ...


class Idempotency(Protocol):
    """Replies of API writes by the caller's Idempotency-Key."""

    def begin(self, key: str, *, fingerprint: str, seconds: int) -> bytes | None:
        """Claim the key; returns the stored reply when this very request was answered before.

        Raises Conflict when the key is in use right now, InputInvalid (field ``Idempotency-Key``) when it came with
        another request.
        """
        ...

    def finish(self, key: str, reply: bytes) -> None:
        """Store the reply for the key's remaining time."""
        ...

    def abandon(self, key: str) -> None:
        """Free a claimed key whose request failed before anything was changed."""
        ...
