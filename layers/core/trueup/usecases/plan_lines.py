"""A person adds the line that a client lacks to a proposed plan, on an agreement they choose, or takes it out again.

Method: the row comes from the comparison the plan was made of, the agreement from the latest complete read. Must not:
choose an agreement, or add a line nobody asked for: a new line is money that a client has not been told of.
"""

from __future__ import annotations

from trueup.domain.audit import Audit
from trueup.domain.billing import Agreement, PsaFacts
from trueup.domain.effective import AS_THE_PSA_DOES
from trueup.domain.errors import Conflict, InputInvalid, NotFound, PlanNotReady
from trueup.domain.facts import psa_facts
from trueup.domain.integrations import Side
from trueup.domain.mapping import MappingState
from trueup.domain.periods import local_day
from trueup.domain.plan import Change, Plan, PlanState
from trueup.domain.plan_building import PlanTerms, line_to_create
from trueup.domain.runs import Snapshot
from trueup.domain.verdicts import Row
from trueup.ports.clock import Clock
from trueup.ports.state import Integrations, Plans, Reconciliations, Runs, Services, Snapshots
from trueup.usecases.monthly_run import chosen_wish
from trueup.usecases.opening import connected, psa_capabilities
from trueup.usecases.reconciliation import ReconciliationPolicy


def row_of_plan(plan_id: str, row_id: str, *, plans: Plans, reconciliations: Reconciliations) -> Row:
    """The row of the comparison that the plan was made of; ``choices`` are the agreements its line could be made on.

    Raises NotFound, PlanNotReady for a plan that is not waiting for approval: its comparison may be gone.
    """
    plan = plans.get(plan_id)
    if plan.state is not PlanState.PROPOSED:
        raise PlanNotReady(f"only a plan that is not approved yet can be changed: plan {plan.id} is {plan.state.value}")
    for row in reconciliations.get(plan.period).rows:
        if row.id == row_id:
            return row
    raise NotFound(f"the comparison of {plan.period} has no row {row_id!r}", remedy="See the rows: trueup run.")


def add_line(
    plan_id: str,
    row_id: str,
    *,
    agreement_id: str,
    effective: str = "",
    actor: str,
    policy: ReconciliationPolicy,
    integrations: Integrations,
    snapshots: Snapshots,
    services: Services,
    reconciliations: Reconciliations,
    runs: Runs,
    plans: Plans,
    clock: Clock,
) -> Plan:
    """Add the line that a new-revenue row lacks. The plan has a new checksum after it.

    ``effective`` is from when it is to count; empty, as the run was asked. Raises NotFound for an unknown plan or row,
    PlanNotReady when the plan is approved or of another PSA, the row lacks no line, or the PSA makes none,
    InputInvalid (``agreement``, ``effective``), and Conflict when there is such a line by now.
    """
    row = row_of_plan(plan_id, row_id, plans=plans, reconciliations=reconciliations)
    plan = plans.get(plan_id)
    system = connected(Side.PSA, integrations).system
    plan.require_psa(system)
    on = local_day(clock.now(), policy.time_zone)
    text = effective or _wish_of_run(plan, runs)
    wish = chosen_wish(text, integrations=integrations, time_zone=policy.time_zone, clock=clock)
    read, facts = _latest(snapshots, system)
    change = line_to_create(
        row,
        _agreement(facts, agreement_id),
        product_name=_product_name(row, services),
        added_by=actor,
        psa_read_at=read.completed_at,
        terms=PlanTerms(
            policy.tenant, plan.period, on, policy.guards, psa_capabilities(integrations), wish, plan.psa_system
        ),
    )
    for line in facts.lines:
        same = (line.account_id, line.product_id) == (change.psa_account_id, change.product_id)
        if same and (line.is_live(on) or line.is_future(on)):
            raise Conflict(f"line {line.id} bills this product by now", remedy="Run again and use the new plan.")
    larger = plan.with_change(change)
    why = change.reasons[0]
    return plans.save(larger, _audit(larger, change, "line added", actor, clock, why=why, after=larger.checksum))


def drop_line(plan_id: str, change_id: str, *, actor: str, plans: Plans, clock: Clock) -> Plan:
    """Take an added line out of a proposed plan again. Raises NotFound, PlanNotReady, Conflict for another change."""
    plan = plans.get(plan_id)
    change = plan.change(change_id)
    smaller = plan.without_change(change_id)
    why = f"added by {change.added_by}"
    return plans.save(smaller, _audit(smaller, change, "line dropped", actor, clock, why=why, after=smaller.checksum))


def _wish_of_run(plan: Plan, runs: Runs) -> str:
    try:
        return runs.get(plan.run_id).effective
    except NotFound:
        return AS_THE_PSA_DOES.text


def _latest(snapshots: Snapshots, system: str) -> tuple[Snapshot, PsaFacts]:
    read = snapshots.latest(Side.PSA)
    if read is None or read.system not in ("", system):
        raise NotFound("the PSA was never read in full", remedy="Sync first: trueup sync.")
    return read, psa_facts(snapshots.psa_pages(read))


def _agreement(facts: PsaFacts, agreement_id: str) -> Agreement:
    found = next((one for one in facts.agreements if one.id == agreement_id), None)
    if found is None:
        raise InputInvalid(
            f"{agreement_id!r} is not an agreement that the last complete read listed",
            field="agreement",
            remedy="Choose one that is listed for the row, or sync first.",
        )
    account = next((one for one in facts.accounts if one.id == found.account_id), None)
    if account is None or account.deleted:
        raise InputInvalid(f"the client of agreement {agreement_id} is deleted in the PSA", field="agreement")
    return found


def _product_name(row: Row, services: Services) -> str:
    for entry in services.all():
        if entry.state is MappingState.MAPPED and entry.product_id == row.product_id:
            return entry.product_name
    raise PlanNotReady(f"no service is mapped to product {row.product_id} any more", remedy="Run again.")


def _audit(plan: Plan, change: Change, action: str, actor: str, clock: Clock, *, why: str, after: str) -> Audit:
    return Audit(
        at=clock.now(),
        actor=actor,
        action=action,
        subject=f"{plan.id} {change.id} agreement {change.agreement_id}",
        before="",
        after=after,
        why=why,
        evidence=change.evidence,
        run_id=plan.run_id,
    )
