"""Legs to verdicts to plan, on the latest complete read of both sides. An incomplete read yields no plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from trueup.domain.audit import Audit
from trueup.domain.comparison import ComparisonInputs, without_facts
from trueup.domain.counts import BillingBasis, Known
from trueup.domain.effective import AS_THE_PSA_DOES, EffectiveWish, PsaCapabilities
from trueup.domain.errors import NotFound, ReadIncomplete, RunReplaced
from trueup.domain.facts import psa_facts, vendor_facts
from trueup.domain.guards import GuardPolicy
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.mapping import in_system
from trueup.domain.periods import local_day
from trueup.domain.plan import ChangeKind, Plan, PlanState
from trueup.domain.plan_building import PlanTerms, build_plan
from trueup.domain.reconcile import Legs, reconcile
from trueup.domain.runs import Run, Snapshot, is_later
from trueup.domain.verdicts import Reconciliation, Verdict
from trueup.ports.clock import Clock
from trueup.ports.state import Accounts, Allocations, Plans, Reconciliations, Services, Snapshots
from trueup.ports.state_bundle import State
from trueup.usecases.opening import psa_capabilities


@dataclass(frozen=True, slots=True)
class ReconciliationPolicy:
    """What the tenant decided: whose name is on the plan, how far guards let it go, which day and currency it is in.

    ``billing_basis`` is which count the PSA bills; ``bills_on_order`` whether ordered seats count as agreed at once.
    """

    tenant: str
    time_zone: ZoneInfo
    currency: str
    guards: GuardPolicy
    billing_basis: BillingBasis = BillingBasis.AGREEMENT
    bills_on_order: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    reconciliation: Reconciliation
    plan: Plan


def reconcile_period(
    *,
    period: str,
    run_id: str,
    actor: str,
    policy: ReconciliationPolicy,
    snapshots: Snapshots,
    accounts: Accounts,
    services: Services,
    allocations: Allocations,
    capabilities: PsaCapabilities,
    reconciliations: Reconciliations,
    plans: Plans,
    clock: Clock,
    wish: EffectiveWish = AS_THE_PSA_DOES,
) -> Outcome:
    """Compare, store the comparison, propose the plan. Safe to repeat: the same facts give the same plan.

    ``capabilities`` are those of the connected PSA; ``wish`` is from when the changes are to count. Lines are judged
    by the day on which the reads began, so that a run over midnight means one day all along. Raises ReadIncomplete
    when a side has no complete read from this run: a plan is never made on an older one. Raises RunReplaced when a
    newer run has read a side since: a plan is not made on what is no longer the newest either. Raises InputInvalid
    (``effective``) for a wish that the connected PSA cannot grant.
    """
    vendor_read = _of_this_run(snapshots, Side.VENDOR, period, run_id)
    psa_read = _of_this_run(snapshots, Side.PSA, period, run_id)
    now = clock.now()
    on = local_day(min(vendor_read.started_at, psa_read.started_at), policy.time_zone)
    wish.require_possible(capabilities, on)
    legs = Legs(
        period=period,
        on=on,
        vendor=vendor_facts(snapshots.vendor_pages(vendor_read)),
        psa=psa_facts(snapshots.psa_pages(psa_read)),
        psa_read_at=psa_read.accounts_as_of or psa_read.completed_at,
        # What is mapped in another PSA than the one that was read is open here: its ids mean other clients.
        accounts=in_system(accounts.all(), psa_read.system),
        services=in_system(services.all(), psa_read.system),
        currency=policy.currency,
        allocations=tuple(one for one in allocations.all() if one.psa_system in ("", psa_read.system)),
    )
    found = reconcile(legs)
    reads = (vendor_read, psa_read)
    inputs = ComparisonInputs(
        legs=without_facts(legs),
        terms=PlanTerms(policy.tenant, period, on, policy.guards, capabilities, wish, psa_read.system),
        reads=reads,
        run_id=run_id,
        created_at=now,
        # From the start: what came first in a read that was interrupted for a day is a day old.
        read_ages_hours=tuple(
            Decimal((now - read.started_at) / timedelta(hours=1)).quantize(Decimal("0.1")) for read in reads
        ),
        snapshots=tuple(read.digest for read in reads),
        prepared_by=actor,
    )
    plan = plan_on(inputs, found)
    plan = unused_plan(plan, plans, lambda stored: _stands_for(stored, plan, found))
    reconciliations.save(found, run_id=run_id, at=now, inputs=inputs)
    return Outcome(found, plans.propose(plan, _proposed(plan)))


def plan_on(inputs: ComparisonInputs, found: Reconciliation) -> Plan:
    """The plan of a comparison that was made of these inputs: the same whenever it is built."""
    return build_plan(
        found,
        terms=inputs.terms,
        run_id=inputs.run_id,
        created_at=inputs.created_at,
        read_ages_hours=inputs.read_ages_hours,
        snapshots=inputs.snapshots,
        prepared_by=inputs.prepared_by,
    )


def reconcile_reads(run: Run, *, actor: str, policy: ReconciliationPolicy, state: State, clock: Clock) -> Outcome:
    """``reconcile_period`` on what this run has read: for the connected PSA, from when the run was asked to count."""
    return reconcile_period(
        period=run.period,
        run_id=run.id,
        actor=actor,
        policy=policy,
        snapshots=state.snapshots,
        accounts=state.accounts,
        services=state.services,
        allocations=state.allocations,
        capabilities=psa_capabilities(state.integrations),
        wish=EffectiveWish.parse(run.effective),
        reconciliations=state.reconciliations,
        plans=state.plans,
        clock=clock,
    )


def _proposed(plan: Plan) -> Audit:
    return Audit(
        at=plan.created_at,
        actor=plan.prepared_by,
        action="plan proposed",
        subject=plan.id,
        after=f"{len(plan.changes)} changes, {len(plan.held)} held",
        evidence=plan.checksum,
        run_id=plan.run_id,
    )


def unused_plan(plan: Plan, plans: Plans, stands_for: Callable[[Plan], bool]) -> Plan:
    """The plan under an id that no plan has, but for one that stands for it or was superseded."""
    number = 1
    wanted = plan
    while True:
        try:
            stored = plans.get(wanted.id)
        except NotFound:
            return wanted
        if stored.state is PlanState.SUPERSEDED or stands_for(stored):
            return wanted
        number += 1
        wanted = replace(plan, id=f"{plan.id}-{number}")


def _stands_for(stored: Plan, plan: Plan, found: Reconciliation) -> bool:
    """Whether the plan that is kept is the proposal.

    An equal proposal after one was applied is another plan: a change was refused then, or somebody set the line back.
    """
    is_used = stored.state is PlanState.APPLIED and stored.run_id != plan.run_id
    return not is_used and _lines_still_missing(stored, found)


def _lines_still_missing(stored: Plan, found: Reconciliation) -> bool:
    """Whether each line that a person added is missing as it was then: with the same seats, and its agreement there.

    A line that was made since is missing no more, and its result stands for it.
    """
    rows = {row.id: row for row in found.rows}
    for change in stored.changes:
        result = stored.result(change.id)
        if change.kind is not ChangeKind.CREATE_LINE or (result is not None and result.is_final):
            continue
        row = rows.get(change.row_id)
        seats = row.to_bill if row is not None else None
        if row is None or row.verdict is not Verdict.NEW_REVENUE or not isinstance(seats, Known):
            return False
        if seats.seats != change.target or change.agreement_id not in {one.id for one in row.choices}:
            return False
    return True


def _of_this_run(snapshots: Snapshots, side: Side, period: str, run_id: str) -> Snapshot:
    snapshot = snapshots.latest(side)
    if snapshot is not None and snapshot.run_id == run_id and snapshot.period == period:
        return snapshot
    if snapshot is not None and is_later(snapshot.run_id, run_id):
        newer = snapshot.run_id
        raise RunReplaced(f"the {side.value} was read again by run {newer} since run {run_id}", newer_run=newer)
    integration = next(name for name in IntegrationName if name.side is side)
    raise ReadIncomplete(f"the {side.value} was not read in full in run {run_id}", integration=integration)
