"""The proposed writes as a value: what changes from what to what, when, why, and what holds it back.

The checksum is over everything that will be written and every guard with its release, and over no clock reading: the
same proposal has the same checksum, and what was approved can be told from anything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from trueup.domain.billing import AgreementId, Line, LineId, LineReference, ProductId, PsaAccountId, WriteOutcome
from trueup.domain.canonical import Plain, canonical_bytes, decimal_text, sha256
from trueup.domain.counts import Known, Seats
from trueup.domain.errors import ChecksumMismatch, Conflict, InputInvalid, NotFound, PlanNotReady
from trueup.domain.guards import GuardPolicy, Hold, holds_for
from trueup.domain.verdicts import Reconciliation, Row, Verdict


@dataclass(frozen=True, slots=True)
class Release:
    """A person's word that a held change may go: who, when, why."""

    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """One write. ``expected`` and ``expected_version`` are what the line was when it was read.

    ``effective`` is the day the new quantity counts from, or None when it counts from the moment it is written (a plain
    quantity change in ConnectWise counts at once, for whatever is not invoiced yet). ``evidence`` is the hash of what
    the target was derived from.
    """

    id: str
    row_id: str
    vendor_ids: tuple[str, ...]
    psa_account_id: PsaAccountId
    psa_account_name: str
    agreement_id: AgreementId
    agreement_name: str
    line_id: LineId
    product_id: ProductId
    product_code: str
    expected: Decimal
    expected_version: str
    target: Seats
    effective: date | None
    monthly_money: Decimal | None
    currency: str
    reasons: tuple[str, ...]
    evidence: str
    holds: tuple[Hold, ...] = ()
    release: Release | None = None

    @property
    def is_held(self) -> bool:
        return bool(self.holds) and self.release is None

    @property
    def reference(self) -> LineReference:
        return LineReference(self.agreement_id, self.line_id, self.product_id)

    def content(self) -> dict[str, Plain]:
        """What the checksum is over. The release counts with who and why, not with the minute."""
        return {
            "id": self.id,
            "vendor_ids": list(self.vendor_ids),
            "psa_account_id": self.psa_account_id,
            "agreement_id": self.agreement_id,
            "line_id": self.line_id,
            "product_id": self.product_id,
            "from": decimal_text(self.expected),
            "from_version": self.expected_version,
            "to": self.target,
            "effective": "now" if self.effective is None else self.effective.isoformat(),
            "monthly_money": None if self.monthly_money is None else decimal_text(self.monthly_money),
            "currency": self.currency,
            "evidence": self.evidence,
            "holds": [[hold.guard, hold.figures] for hold in self.holds],
            "release": None if self.release is None else [self.release.by, self.release.reason],
        }


class PlanState(StrEnum):
    """proposed -> approved -> applied; superseded when a newer reconciliation of the period proposes something else."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    APPLIED = "applied"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """What became of one change, when, and what was last seen on the line."""

    change_id: str
    outcome: WriteOutcome
    reason: str
    at: datetime
    quantity_seen: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes of one period. ``id`` is made of the period and the first checksum, so an equal proposal is the same
    plan. ``changes`` are sorted by id. ``psa_system`` is the PSA whose lines they are; empty in records of before it
    was kept."""

    id: str
    tenant: str
    period: str
    run_id: str
    created_at: datetime
    changes: tuple[Change, ...]
    state: PlanState = PlanState.PROPOSED
    prepared_by: str = ""
    approved_by: str = ""
    approved_at: datetime | None = None
    approved_checksum: str = ""
    results: tuple[ChangeResult, ...] = ()
    snapshots: tuple[str, ...] = ()
    version: int = 0
    psa_system: str = ""

    @property
    def checksum(self) -> str:
        return sha256(self.content())

    def content(self) -> dict[str, Plain]:
        content: dict[str, Plain] = {
            "tenant": self.tenant,
            "period": self.period,
            "changes": [change.content() for change in self.changes],
        }
        # Left out when it is not known, so that plans from before it was kept have the checksum they were approved by.
        return content | {"psa_system": self.psa_system} if self.psa_system else content

    def canonical(self) -> bytes:
        """The bytes that the checksum is over."""
        return canonical_bytes(self.content())

    @property
    def ready(self) -> tuple[Change, ...]:
        """The changes that would be written: not held, or released."""
        return tuple(change for change in self.changes if not change.is_held)

    @property
    def held(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.is_held)

    def change(self, change_id: str) -> Change:
        for change in self.changes:
            if change.id == change_id:
                return change
        raise NotFound(f"plan {self.id} has no change {change_id}")

    def result(self, change_id: str) -> ChangeResult | None:
        for result in self.results:
            if result.change_id == change_id:
                return result
        return None

    def require_checksum(self, checksum: str) -> None:
        """Fail closed: raises ChecksumMismatch unless the checksum is exactly what the plan has now."""
        if not checksum or checksum != self.checksum:
            raise ChecksumMismatch(f"plan {self.id} does not have the checksum that was given")

    def released(self, change_id: str, release: Release) -> Plan:
        """The plan with one held change released. Raises PlanNotReady once it is approved, Conflict if nothing
        holds it, InputInvalid when no reason is given.
        """
        if not release.reason.strip():
            raise InputInvalid(
                "a release needs a reason", field="reason", remedy="Say in a few words why the change is right."
            )
        self._require(PlanState.PROPOSED, "only a plan that is not approved yet can be changed")
        change = self.change(change_id)
        if not change.is_held:
            raise Conflict(f"change {change_id} is not held", remedy="It will be applied with the plan as it is.")
        changes = tuple(replace(item, release=release) if item.id == change_id else item for item in self.changes)
        return replace(self, changes=changes)

    def approved(self, checksum: str, *, by: str, at: datetime) -> Plan:
        """The plan approved as it is. Raises ChecksumMismatch, PlanNotReady."""
        self._require(PlanState.PROPOSED, "the plan is not waiting for approval")
        self.require_checksum(checksum)
        if not self.ready:
            raise PlanNotReady(
                f"plan {self.id} has nothing to apply",
                remedy="Release a held change first, or leave the plan as it is.",
            )
        return replace(self, state=PlanState.APPROVED, approved_by=by, approved_at=at, approved_checksum=checksum)

    def require_approved(self, checksum: str) -> None:
        """Raises unless the plan was approved by exactly this checksum and still has it."""
        if self.state is PlanState.SUPERSEDED:
            raise PlanNotReady(f"plan {self.id} was replaced by a newer one", remedy="Look at the newest plan instead.")
        if self.state not in {PlanState.APPROVED, PlanState.APPLIED}:
            raise PlanNotReady(f"plan {self.id} is not approved", remedy="Approve it by its checksum first.")
        self.require_checksum(checksum)
        if self.approved_checksum != checksum:
            raise ChecksumMismatch(f"plan {self.id} was approved with another checksum")

    def require_psa(self, system: str) -> None:
        """Raises PlanNotReady when another PSA is connected than the one whose lines the changes are."""
        if self.psa_system and self.psa_system != system:
            raise PlanNotReady(
                f"plan {self.id} is for {self.psa_system}, and {system} is connected now",
                remedy="Run again and use the new plan.",
            )

    def with_result(self, result: ChangeResult) -> Plan:
        """The plan with that result, and applied once every change that may be written has a final one.

        Only ``unknown`` is not final: a later look may replace it, while a final result is kept as it is. A superseded
        plan takes results (what was sent was sent) and stays superseded. Raises NotFound for a change that the plan
        does not have, PlanNotReady when the plan was never approved or the change is held.
        """
        if self.state is PlanState.PROPOSED:
            raise PlanNotReady(f"plan {self.id} is not approved", remedy="Approve it by its checksum first.")
        if self.change(result.change_id).is_held:
            raise PlanNotReady(f"change {result.change_id} is held", remedy="Release it before it is applied.")
        earlier = self.result(result.change_id)
        if earlier is not None and earlier.outcome is not WriteOutcome.UNKNOWN:
            return self
        others = tuple(item for item in self.results if item is not earlier)
        results = tuple(sorted((*others, result), key=lambda item: item.change_id))
        settled = {item.change_id for item in results if item.outcome is not WriteOutcome.UNKNOWN}
        done = self.state is PlanState.APPROVED and all(change.id in settled for change in self.ready)
        return replace(self, results=results, state=PlanState.APPLIED if done else self.state)

    def _require(self, state: PlanState, message: str) -> None:
        if self.state is not state:
            raise PlanNotReady(f"{message}: plan {self.id} is {self.state.value}")


PLAN_AGE_MAXIMUM = timedelta(days=14)
"""A plan older than this is stale: what it was derived from has had time to change."""


def require_fresh(plan: Plan, now: datetime) -> None:
    """Raises PlanNotReady for a plan that is too old to be approved or applied."""
    if now - plan.created_at > PLAN_AGE_MAXIMUM:
        raise PlanNotReady(
            f"plan {plan.id} is more than {PLAN_AGE_MAXIMUM.days} days old", remedy="Run again and use the new plan."
        )


def build_plan(
    reconciliation: Reconciliation,
    *,
    tenant: str,
    run_id: str,
    created_at: datetime,
    effective: date | None,
    policy: GuardPolicy,
    read_ages_hours: Iterable[Decimal],
    snapshots: tuple[str, ...],
    prepared_by: str,
    psa_system: str = "",
) -> Plan:
    """A plan of the rows that a changed quantity corrects; everything else is left to a person."""
    ages = tuple(read_ages_hours)
    changes = [
        _change(row, row.line, period=reconciliation.period, effective=effective, policy=policy, ages=ages)
        for row in reconciliation.rows
        if row.verdict in {Verdict.BILL_MORE, Verdict.BILL_LESS} and row.line is not None
    ]
    changes.sort(key=lambda change: change.id)
    draft = Plan(
        id="",
        tenant=tenant,
        period=reconciliation.period,
        run_id=run_id,
        created_at=created_at,
        changes=tuple(changes),
        snapshots=snapshots,
        prepared_by=prepared_by,
        psa_system=psa_system,
    )
    return replace(draft, id=f"plan-{reconciliation.period}-{draft.checksum[:12]}")


def _change(
    row: Row, line: Line, *, period: str, effective: date | None, policy: GuardPolicy, ages: tuple[Decimal, ...]
) -> Change:
    agreement = row.counts.agreement
    assert isinstance(agreement, Known) and row.agreement is not None and row.psa_account_id is not None
    evidence = sha256(
        {
            "agreement": [[piece.source, piece.key, piece.reference, piece.seats] for piece in agreement.evidence],
            "seats": agreement.seats,
            "basis": agreement.basis,
            "line": [line.id, line.quantity, line.version],
        }
    )
    identity = sha256([period, line.agreement_id, line.id, line.quantity, line.version, agreement.seats])
    return Change(
        id=f"chg-{identity[:12]}",
        row_id=row.id,
        vendor_ids=tuple(sorted({str(member.vendor_id) for member in row.members})),
        psa_account_id=row.psa_account_id,
        psa_account_name=row.psa_account_name,
        agreement_id=line.agreement_id,
        agreement_name=row.agreement.name,
        line_id=line.id,
        product_id=line.product_id,
        product_code=line.product_code,
        expected=line.quantity,
        expected_version=line.version,
        target=agreement.seats,
        effective=effective,
        monthly_money=row.monthly_money,
        currency=row.currency,
        reasons=row.reasons,
        evidence=evidence,
        holds=holds_for(row, policy=policy, read_ages_hours=ages),
    )
