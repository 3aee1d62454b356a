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
from functools import cache, partial

from trueup.domain.audit import Audit
from trueup.domain.billing import NewLine, WriteOutcome, WriteResult
from trueup.domain.canonical import decimal_text
from trueup.domain.effective import PsaCapabilities
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

SETTLING_SECONDS = 130.0
"""How long after an interrupted apply nothing it had begun may be sent again where two of the same would double: a
difference of units, or a line that is made.

A process that is killed right after sending has not watched what became of it, and the PSA says nothing until a slow
server has committed: read at once it would ask for the same difference, or the same line, again. The Autotask adapter
itself watches an unanswered adjustment for 127 seconds, because such a server is assumed to give a request up after
110.
"""

OnResult = Callable[[Change, ChangeResult], None]
OnWait = Callable[[float], None]


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
    capabilities: PsaCapabilities,
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
    on_wait: OnWait | None = None,
) -> Applied:
    """Apply the approved changes that have no final result yet. Calling it again goes on and repeats nothing.

    ``owner`` names this very execution: two at once are refused. ``psa_system`` is what ``psa`` was opened on, and
    ``capabilities`` what that PSA can do: a plan for the lines of another PSA is refused. ``open_line_creation`` is
    asked for when there is a line to make. ``on_wait`` is told how long is waited for what an interrupted apply may
    have under way; where that does not fit before ``stop_at_seconds``, the rest waits for the next call. Raises
    ChecksumMismatch, PlanNotReady, LeaseHeld, RateLimited or CredentialRejected when the PSA lets nothing through, and
    VendorUnavailable when it is away; what was recorded before stays. A plan that is replaced by a newer one meanwhile
    stops before its next change: what it says is no longer true.
    """
    plan = plans.get(plan_id)
    plan.require_approved(checksum)
    _require_open(plan, psa_system, period_now, clock.now())
    writer = _Writer(psa, open_line_creation)
    hold = partial(leases.acquire, APPLY_LEASE, owner=owner, seconds=LEASE_SECONDS)
    hold()
    try:
        time = _Time(clock, stop_at_seconds, on_wait)
        # Whoever held the lease before may have got further than what was read above.
        plan = plans.get(plan_id)
        plan.require_approved(checksum)
        intended = plan_index.intended(plan_id)
        still_true = StillTrue(plan, accounts, services, snapshots)
        for change in _unfinished(plan):
            may_double = change.id in intended and _doubles(change, capabilities)
            if not time.allows(hold, may_double=may_double):
                return Applied(plan, is_done=False)
            _require_still_wanted(plan, checksum, period_now, plan_index)
            plans.intend(plan, change, _audit(plan, change, actor, clock.now(), "change begun", ""))
            # A change that was begun before may be in the PSA already: then the line is read, whatever was decided.
            objection = "" if change.id in intended else still_true.objection(change)
            written = WriteResult(WriteOutcome.CONFLICT, objection) if objection else writer.write(change)
            plan = _recorded(plan, change, written, change.id in intended, actor, plans, clock)
            if on_result is not None:
                on_result(change, next(one for one in plan.results if one.change_id == change.id))
    finally:
        leases.release(APPLY_LEASE, owner=owner)
    return Applied(plan, is_done=True)


def _doubles(change: Change, capabilities: PsaCapabilities) -> bool:
    """Whether a write that is still under way and one more of the same would come to two: a difference, or a line that
    is made. Any other write sets a value, which setting twice leaves as it is.
    """
    makes_line = change.kind is ChangeKind.CREATE_LINE or (
        change.effective is not None and capabilities.dated_change_makes_line
    )
    return capabilities.delta_write or makes_line


def _unfinished(plan: Plan) -> list[Change]:
    """The changes that may be written and have no final result yet."""
    final = {result.change_id for result in plan.results if result.is_final}
    return [change for change in plan.ready if change.id not in final]


def _require_open(plan: Plan, psa_system: str, period_now: str, now: datetime) -> None:
    """A plan belongs to its PSA and its month: approved and forgotten, it must not be written into a later one."""
    require_fresh(plan, now)
    plan.require_psa(psa_system)
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


class _Time:
    """How long this apply may go on, and what an interrupted one may have under way, which was sent before this one
    began. One wait is enough for all of that: what this apply sends itself is watched by the adapter.
    """

    def __init__(self, clock: Clock, stop_at_seconds: float | None, on_wait: OnWait | None) -> None:
        self._clock = clock
        self._stop_at_seconds = stop_at_seconds
        self._on_wait = on_wait
        self._settled_at_seconds = clock.monotonic_seconds() + SETTLING_SECONDS

    def allows(self, hold: Callable[[], object], *, may_double: bool) -> bool:
        """Whether the next change may be taken up now; waits for one that was begun before and ``may_double``.
        ``hold`` keeps the lease, before and after the wait: together with what the adapter waits for itself it is
        longer than the lease.
        """
        if self._is_over(self._clock.monotonic_seconds()):
            return False
        hold()
        wait_seconds = self._settled_at_seconds - self._clock.monotonic_seconds()
        if not may_double or wait_seconds <= 0:
            return True
        if self._is_over(self._settled_at_seconds):
            return False
        if self._on_wait is not None:
            self._on_wait(wait_seconds)
        self._clock.sleep(wait_seconds)
        hold()
        return True

    def _is_over(self, at_seconds: float) -> bool:
        return self._stop_at_seconds is not None and at_seconds >= self._stop_at_seconds


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
