"""Legs to verdicts to plan, on the latest complete read of both sides. An incomplete read yields no plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
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
from trueup.domain.legs_view import OrderedSeats
from trueup.domain.mapping import in_system
from trueup.domain.order_checks import OrderPolicy
from trueup.domain.periods import local_day
from trueup.domain.plan import ChangeKind, Plan, PlanState
from trueup.domain.plan_building import PlanTerms, build_plan
from trueup.domain.reconcile import Legs, reconcile
from trueup.domain.runs import Run, Snapshot, is_later
from trueup.domain.verdicts import Reconciliation, Verdict
from trueup.ports.change_orders import ChangeOrders
from trueup.ports.clock import Clock
from trueup.ports.state import Accounts, Allocations, Plans, Reconciliations, Services, Snapshots
from trueup.ports.state_bundle import State
from trueup.usecases.change_orders import draft_orders, note_run_read, open_ordered_seats, sent_order_seats
from trueup.usecases.license_sync import LicensedLegs, licensed_legs
from trueup.usecases.opening import connected, psa_capabilities


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
    orders: OrderPolicy = OrderPolicy()


@dataclass(frozen=True, slots=True)
class SentOrders:
    """What the vendor was asked for and does not show yet; ``counted`` are those that count as agreed already."""

    open: tuple[OrderedSeats, ...] = ()
    counted: tuple[OrderedSeats, ...] = ()


NO_ORDERS = SentOrders()
NO_LICENSES = LicensedLegs()


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
    licensed: LicensedLegs = NO_LICENSES,
    orders: SentOrders = NO_ORDERS,
) -> Outcome:
    """Compare, store the comparison, propose the plan. Safe to repeat: the same facts give the same plan.

    ``capabilities`` are those of the connected PSA; ``wish`` is from when the changes are to count. Lines are judged
    by the day on which the reads began, so that a run over midnight means one day all along. ``licensed`` is the third
    leg and the read it was counted from, ``orders`` what the vendor was asked for. Raises ReadIncomplete when a side
    has no complete read from this run, RunReplaced when a newer run has read a side since: a plan is made neither on an
    older read nor on one that is not the newest. Raises InputInvalid (``effective``) for a wish that the connected PSA
    cannot grant.
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
        licensed=licensed.counts,
        ordered=orders.counted,
        basis=policy.billing_basis,
        open_orders=orders.open,
        licenses_are_connected=licensed.is_connected,
    )
    found = reconcile(legs)
    reads = tuple(read for read in (vendor_read, psa_read, licensed.snapshot) if read is not None)
    terms = PlanTerms(policy.tenant, period, on, policy.guards, capabilities, wish, psa_read.system)
    inputs = _inputs(legs, terms, reads, licensed, run_id=run_id, at=now, actor=actor)
    plan = plan_on(inputs, found)
    plan = unused_plan(plan, plans, lambda stored: _stands_for(stored, plan, found))
    reconciliations.save(found, run_id=run_id, at=now, inputs=inputs)
    return Outcome(found, plans.propose(plan, _proposed(plan)))


def _inputs(
    legs: Legs,
    terms: PlanTerms,
    reads: tuple[Snapshot, ...],
    licensed: LicensedLegs,
    *,
    run_id: str,
    at: datetime,
    actor: str,
) -> ComparisonInputs:
    return ComparisonInputs(
        legs=without_facts(legs),
        terms=terms,
        reads=reads,
        run_id=run_id,
        created_at=at,
        # From the start: what came first in a read that was interrupted for a day is a day old. Who bills the
        # agreement need not wait for fresh licenses.
        read_ages_hours=tuple(
            Decimal((at - read.started_at) / timedelta(hours=1)).quantize(Decimal("0.1"))
            for read in reads
            if read.side.is_required or legs.basis is not BillingBasis.AGREEMENT
        ),
        snapshots=tuple(read.digest for read in reads),
        prepared_by=actor,
        tenants=licensed.mapped,
        policies=(licensed.policies.general, *licensed.policies.own),
    )


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
    """``reconcile_period`` on what this run has read: for the connected PSA, from when the run was asked to count.

    What the read of the vendor shows of sent orders is noted before, and what is to be ordered is drafted after.
    """
    psa = connected(Side.PSA, state.integrations)
    note_run_read(run.id, state, policy.orders.patience, clock)
    outcome = reconcile_period(
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
        licensed=licensed_legs(
            run,
            psa_system=psa.system,
            integrations=state.integrations,
            snapshots=state.snapshots,
            license_accounts=state.license_accounts,
            counting_policies=state.counting_policies,
        ),
        orders=sent_orders(policy, state.change_orders),
    )
    draft_orders(
        outcome.reconciliation,
        run_id=run.id,
        actor=actor,
        policy=policy.orders,
        time_zone=policy.time_zone,
        change_orders=state.change_orders,
        clock=clock,
    )
    return outcome


def sent_orders(policy: ReconciliationPolicy, change_orders: ChangeOrders) -> SentOrders:
    """The orders that are on their way now, and which of them count as agreed by the tenant's choice."""
    return SentOrders(
        open=sent_order_seats(change_orders=change_orders),
        counted=open_ordered_seats(change_orders=change_orders, bills_on_order=policy.bills_on_order),
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
