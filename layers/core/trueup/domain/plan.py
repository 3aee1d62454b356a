"""The proposed writes as a value: what changes from what to what, when, why, and what holds it back.

The checksum is over everything that will be written and every guard with its release, and over no clock reading: the
same proposal has the same checksum, and what was approved can be told from anything else.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from trueup.domain.billing import AgreementId, LineId, LineReference, ProductId, PsaAccountId, WriteOutcome
from trueup.domain.canonical import Plain, canonical_bytes, decimal_text, sha256
from trueup.domain.counts import Seats
from trueup.domain.effective import EffectiveRule, NextInvoiceLine
from trueup.domain.errors import ChecksumMismatch, Conflict, InputInvalid, NotFound, PlanNotReady
from trueup.domain.guards import Hold


@dataclass(frozen=True, slots=True)
class Release:
    """A person's word that a held change may go: who, when, why."""

    by: str
    at: datetime
    reason: str


class ChangeKind(StrEnum):
    """set_quantity: a line gets another quantity. create_line: an agreement gets a line that a person asked for."""

    SET_QUANTITY = "set_quantity"
    CREATE_LINE = "create_line"


@dataclass(frozen=True, slots=True)
class Change:
    """One write. ``expected`` and ``expected_version`` are what the line was when it was read; a line to be made has no
    ``line_id`` yet, nothing expected and no version.

    ``effective`` is the day the new quantity counts from, or None when it counts by ``effective_rule`` alone: now (a
    plain quantity change in ConnectWise counts at once, for whatever is not invoiced yet) or from the next invoice.
    ``next_invoice`` is what the line will say on its next invoice. ``siblings`` are the other lines that a person
    divided the seats among. ``undoes`` is the plan and change, ``PLAN/CHANGE``, that this one takes back. ``evidence``
    is the hash of what the target was derived from.
    ``service_ids`` are the vendor's services that were counted, ``added_by`` who asked for a line to be made.
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
    kind: ChangeKind = ChangeKind.SET_QUANTITY
    effective_rule: EffectiveRule = EffectiveRule.NOW
    next_invoice: NextInvoiceLine | None = None
    siblings: tuple[LineId, ...] = ()
    undoes: str = ""
    service_ids: tuple[str, ...] = ()
    added_by: str = ""

    @property
    def is_held(self) -> bool:
        return bool(self.holds) and self.release is None

    @property
    def reference(self) -> LineReference:
        return LineReference(self.agreement_id, self.line_id, self.product_id)

    @property
    def effective_text(self) -> str:
        """From when it counts: a day, ``now`` or ``next_invoice``."""
        return self.effective_rule.value if self.effective is None else self.effective.isoformat()

    def content(self) -> dict[str, Plain]:
        """What the checksum is over. The release counts with who and why, not with the minute."""
        content: dict[str, Plain] = {
            "id": self.id,
            "vendor_ids": list(self.vendor_ids),
            "psa_account_id": self.psa_account_id,
            "agreement_id": self.agreement_id,
            "line_id": self.line_id,
            "product_id": self.product_id,
            "from": decimal_text(self.expected),
            "from_version": self.expected_version,
            "to": self.target,
            "effective": self.effective_text,
            "monthly_money": None if self.monthly_money is None else decimal_text(self.monthly_money),
            "currency": self.currency,
            "evidence": self.evidence,
            "holds": [[hold.guard, hold.figures] for hold in self.holds],
            "release": None if self.release is None else [self.release.by, self.release.reason],
        }
        # What a plain change does not have is left out, so that plans from before keep the checksum of their approval.
        if self.kind is not ChangeKind.SET_QUANTITY:
            content["kind"] = self.kind.value
        if self.siblings:
            content["siblings"] = list(self.siblings)
        if self.undoes:
            content["undoes"] = self.undoes
        if self.added_by:
            content["added_by"] = self.added_by
        return content


class PlanState(StrEnum):
    """proposed -> approved -> applied; superseded when a newer reconciliation of the period proposes something else."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    APPLIED = "applied"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class ChangeResult:
    """What became of one change, when, and what was last seen on the line. ``line_id`` is set where another line than
    the one of the change bills it now.
    """

    change_id: str
    outcome: WriteOutcome
    reason: str
    at: datetime
    quantity_seen: Decimal | None = None
    line_id: LineId | None = None

    @property
    def is_final(self) -> bool:
        """Unknown is no end: a later look may settle it."""
        return self.outcome is not WriteOutcome.UNKNOWN


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
    def hands(self) -> frozenset[str]:
        """Who had a hand in it before it is approved: who prepared it, released a change of it or added a line."""
        found = {self.prepared_by, *(change.added_by for change in self.changes)}
        found |= {change.release.by for change in self.changes if change.release is not None}
        return frozenset(found - {""})

    @property
    def waits(self) -> bool:
        """Whether there is something in it that a person may still approve or have applied."""
        return self.state in {PlanState.PROPOSED, PlanState.APPROVED} and bool(self.changes)

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

    def with_change(self, change: Change) -> Plan:
        """The plan with one change more. Raises PlanNotReady once it is approved, Conflict when it has it already."""
        self._require(PlanState.PROPOSED, "only a plan that is not approved yet can be changed")
        if any(item.id == change.id for item in self.changes):
            raise Conflict(f"plan {self.id} has change {change.id} already", remedy="It will be applied with the plan.")
        for item in self.changes:
            if item.kind is change.kind is ChangeKind.CREATE_LINE and item.row_id == change.row_id:
                raise Conflict(
                    f"plan {self.id} makes a line for this row by change {item.id} already",
                    remedy=f"To choose another agreement, drop it first: trueup plan drop-line {self.id} {item.id}.",
                )
        return replace(self, changes=tuple(sorted((*self.changes, change), key=lambda item: item.id)))

    def without_change(self, change_id: str) -> Plan:
        """The plan without a line that a person had added to it. Raises PlanNotReady, NotFound, Conflict for a change
        that the comparison proposed: that one is left out by not releasing it, or by excluding its account.
        """
        self._require(PlanState.PROPOSED, "only a plan that is not approved yet can be changed")
        if self.change(change_id).kind is not ChangeKind.CREATE_LINE:
            raise Conflict(
                f"change {change_id} was proposed by the comparison and not added by a person",
                remedy="Exclude its account with a reason, or correct the line in the PSA, and run again.",
            )
        return replace(self, changes=tuple(item for item in self.changes if item.id != change_id))

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
