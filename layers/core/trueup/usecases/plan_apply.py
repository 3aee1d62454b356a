"""Write what was approved, once, and prove it by reading back. The only use case that writes to the PSA.

For each change: record the intent, let the adapter compare, write and read back, record what became of it together with
its audit row. A crash anywhere is mended by calling again: the line is read before anything is sent, so a change that
went through is recognized and never sent twice. A change whose accounts or services were decided anew since the plan
was made is not sent at all. A PSA that is plainly away ends the apply; it goes on when it is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from trueup.domain.audit import Audit
from trueup.domain.billing import NewLine, WriteOutcome, WriteResult
from trueup.domain.canonical import decimal_text
from trueup.domain.errors import (
    CredentialRejected,
    PlanNotReady,
    RateLimited,
    ResourceAbsent,
    VendorTrouble,
    VendorUnavailable,
)
from trueup.domain.periods import Period
from trueup.domain.plan import Change, ChangeKind, ChangeResult, Plan, PlanState, require_fresh
from trueup.ports.clock import Clock
from trueup.ports.psa import PsaBilling, PsaLineCreation
from trueup.ports.state import Accounts, Leases, PlanIndex, Plans, Services, Snapshots
from trueup.usecases.plan_recheck import StillTrue

LEASE_SECONDS = 300
"""How long a killed apply keeps others out; a live one renews it with every change."""

APPLY_LEASE = "apply"
"""One for all plans: at the turn of a month plans of two periods may hold changes of the same line."""

AWAY_AFTER_CHANGES = 3
"""So many changes in a row that the PSA could not be asked about mean that it is away, not that they are unclear."""

OnResult = Callable[[Change, ChangeResult], None]


@dataclass(frozen=True, slots=True)
class Applied:
    """The plan as it is now. ``is_done`` is False when time ran out and the rest waits for the next call."""

    plan: Plan
    is_done: bool


def apply_plan(
    plan_id: str,
    *,
    checksum: str,
    actor: str,
    owner: str,
    period_now: str,
    psa: PsaBilling,
    psa_system: str,
    open_line_creation: Callable[[], PsaLineCreation],
    accounts: Accounts,
    services: Services,
    snapshots: Snapshots,
    plans: Plans,
    plan_index: PlanIndex,
    leases: Leases,
    clock: Clock,
    stop_at_seconds: float | None = None,
    on_result: OnResult | None = None,
) -> Applied:
    """Apply the approved changes that have no final result yet. Calling it again goes on and repeats nothing.

    ``owner`` names this very execution: two at once are refused. ``psa_system`` is what ``psa`` was opened on: a plan
    for the lines of another PSA is refused. ``open_line_creation`` is asked for when there is a line to make. Raises
    ChecksumMismatch, PlanNotReady, LeaseHeld, RateLimited or CredentialRejected when the PSA lets nothing through, and
    VendorUnavailable when it is away; what was recorded before stays. A plan that is replaced by a newer one meanwhile
    stops before its next change: what it says is no longer true.
    """
    plan = plans.get(plan_id)
    plan.require_approved(checksum)
    require_fresh(plan, clock.now())
    plan.require_psa(psa_system)
    _require_open(plan, period_now)
    writer = _Writer(psa, open_line_creation)
    leases.acquire(APPLY_LEASE, owner=owner, seconds=LEASE_SECONDS)
    try:
        # Whoever held the lease before may have got further than what was read above.
        plan = plans.get(plan_id)
        plan.require_approved(checksum)
        intended = plan_index.intended(plan_id)
        still_true = StillTrue(plan, accounts, services, snapshots)
        for change in plan.ready:
            earlier = plan.result(change.id)
            if earlier is not None and earlier.is_final:
                continue
            if stop_at_seconds is not None and clock.monotonic_seconds() >= stop_at_seconds:
                return Applied(plan, is_done=False)
            leases.acquire(APPLY_LEASE, owner=owner, seconds=LEASE_SECONDS)
            _require_still_wanted(plan, checksum, period_now, plan_index)
            plans.intend(plan, change, _audit(plan, change, actor, clock.now(), "change begun", ""))
            # A change that was begun before may be in the PSA already: then the line is read, whatever was decided.
            objection = "" if change.id in intended else still_true.objection(change)
            written = WriteResult(WriteOutcome.CONFLICT, objection) if objection else writer.write(change)
            plan = _recorded(plan, change, written, change.id in intended, actor, plans, clock)
            result = plan.result(change.id)
            if on_result is not None and result is not None:
                on_result(change, result)
    finally:
        leases.release(APPLY_LEASE, owner=owner)
    return Applied(plan, is_done=True)


def _require_open(plan: Plan, period_now: str) -> None:
    """A plan belongs to its month: approved and forgotten, it must not be written into a later one."""
    if Period.parse(period_now) > Period.parse(plan.period).next():
        raise PlanNotReady(
            f"plan {plan.id} is of {plan.period} and it is {period_now} now", remedy="Run this month and use its plan."
        )


def _require_still_wanted(plan: Plan, checksum: str, period_now: str, plan_index: PlanIndex) -> None:
    """Raises PlanNotReady when a newer plan has taken this one's place since the last change was recorded.

    Recording a result reads a plan that moved again, so that what was sent is kept; nothing more may be sent then. Once
    this month has a plan, last month's is not written any more either: it was made on older reads of the same lines.
    """
    if plan.state is PlanState.SUPERSEDED or plan.approved_checksum != checksum:
        plan.require_approved(checksum)
    if Period.parse(plan.period) >= Period.parse(period_now):
        return
    newer = plan_index.current(period_now)
    if newer is not None:
        raise PlanNotReady(
            f"plan {plan.id} is of {plan.period}, and plan {newer.id} of {period_now} was made on newer reads",
            remedy="Look at the newest plan instead.",
        )


class _Writer:
    """Both ways to write; lines are made through a port of their own, which not every PSA has."""

    def __init__(self, psa: PsaBilling, open_line_creation: Callable[[], PsaLineCreation]) -> None:
        self._psa = psa
        self._line_creation = cache(open_line_creation)
        self._away_in_a_row = 0

    def write(self, change: Change) -> WriteResult:
        """What became of it. Raises RateLimited, CredentialRejected, and VendorUnavailable when the PSA is away."""
        try:
            written = self._create(change) if change.kind is ChangeKind.CREATE_LINE else self._set(change)
        except (RateLimited, CredentialRejected):
            raise
        except ResourceAbsent as gone:
            written = WriteResult(WriteOutcome.REJECTED, gone.message)
        except VendorUnavailable as away:
            self._away_in_a_row += 1
            if self._away_in_a_row >= AWAY_AFTER_CHANGES:
                raise
            return WriteResult(WriteOutcome.UNKNOWN, away.message)
        except VendorTrouble as trouble:
            written = WriteResult(WriteOutcome.UNKNOWN, trouble.message)
        self._away_in_a_row = 0
        return written

    def _create(self, change: Change) -> WriteResult:
        return self._line_creation().create_line(
            NewLine(
                change.psa_account_id,
                change.agreement_id,
                change.product_id,
                change.product_code,
                change.target,
                change.effective,
            )
        )

    def _set(self, change: Change) -> WriteResult:
        return self._psa.set_quantity(
            change.reference,
            expected=change.expected,
            expected_version=change.expected_version,
            target=change.target,
            effective=change.effective,
            siblings=change.siblings,
        )


def _recorded(
    plan: Plan, change: Change, written: WriteResult, was_intended: bool, actor: str, plans: Plans, clock: Clock
) -> Plan:
    outcome = written.outcome
    if outcome is WriteOutcome.ALREADY and was_intended:
        # This plan was about to write the line when it was interrupted, and the line has the approved value now.
        outcome = WriteOutcome.APPLIED
    now = clock.now()
    result = ChangeResult(change.id, outcome, written.reason, now, written.quantity_seen, written.line_id)
    seen = "" if written.quantity_seen is None else decimal_text(written.quantity_seen)
    return plans.record(plan, result, _audit(plan, change, actor, now, f"change {outcome.value}", seen, written.reason))


def _audit(plan: Plan, change: Change, actor: str, at: datetime, action: str, seen: str, why: str = "") -> Audit:
    return Audit(
        at=at,
        actor=actor,
        action=action,
        subject=f"{plan.id} {change.id} line {change.line_id}",
        before=decimal_text(change.expected),
        after=seen or str(change.target),
        why=why or "; ".join(change.reasons[:1]),
        evidence=change.evidence,
        run_id=plan.run_id,
    )
