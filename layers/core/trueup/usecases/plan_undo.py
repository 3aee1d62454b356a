"""A person takes back what a plan wrote: a plan of the opposite changes is proposed. Nothing is written here.

It is released, approved and applied like any other, and takes the place of the plan that is open in this month.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trueup.domain.audit import Audit
from trueup.domain.billing import Agreement, Line, LineId
from trueup.domain.facts import psa_facts
from trueup.domain.integrations import Side
from trueup.domain.periods import Period, local_day
from trueup.domain.plan import Plan, PlanState
from trueup.domain.plan_building import PlanTerms
from trueup.domain.undoing import undo_plan, undone_by
from trueup.ports.clock import Clock
from trueup.ports.state import Integrations, PlanIndex, Plans, Snapshots
from trueup.usecases.mapping import require_reason
from trueup.usecases.opening import connected, psa_capabilities
from trueup.usecases.reconciliation import ReconciliationPolicy, unused_plan

PLANS_LOOKED_AT = 200
"""How many of the newest plans are asked whether they took the same change back before."""


@dataclass(frozen=True, slots=True)
class ProposedUndo:
    """The plan that takes another back; what of that one stays, as (change id, why); the id of the open plan that it
    takes the place of, empty when none was open.
    """

    plan: Plan
    left_out: tuple[tuple[str, str], ...]
    superseded: str = ""


def propose_undo(
    plan_id: str,
    change_ids: Sequence[str],
    *,
    reason: str,
    actor: str,
    policy: ReconciliationPolicy,
    integrations: Integrations,
    snapshots: Snapshots,
    plans: Plans,
    plan_index: PlanIndex,
    clock: Clock,
) -> ProposedUndo:
    """Propose to take back what the plan wrote: the named changes, or all of it that can be.

    The same undo asked for again is the same plan, until it was applied. Raises NotFound, InputInvalid (``reason``),
    and PlanNotReady when there is nothing to take back, with the reason.
    """
    why = require_reason(reason)
    plan = plans.get(plan_id)
    psa = connected(Side.PSA, integrations)
    now = clock.now()
    later = [one for one in plan_index.latest(PLANS_LOOKED_AT) if one.created_at >= plan.created_at]
    on = local_day(now, policy.time_zone)
    undo = undo_plan(
        plan,
        change_ids,
        reason=why,
        terms=PlanTerms(
            policy.tenant,
            str(Period.at(now, policy.time_zone)),
            on,
            policy.guards,
            psa_capabilities(integrations),
            psa_system=psa.system,
        ),
        created_at=now,
        prepared_by=actor,
        undone=undone_by(plan, later),
        lines=_lines(snapshots, psa.system),
    )
    proposal = unused_plan(undo.plan, plans, lambda stored: stored.state is not PlanState.APPLIED)
    current = plan_index.current(proposal.period)
    is_open = current is not None and current.state in {PlanState.PROPOSED, PlanState.APPROVED}
    superseded = current.id if current is not None and is_open and current.id != proposal.id else ""
    audit = Audit(
        at=now,
        actor=actor,
        action="undo proposed",
        subject=proposal.id,
        before=plan.id,
        after=f"{len(proposal.changes)} changes",
        why=why,
        evidence=proposal.checksum,
        run_id=proposal.run_id,
    )
    return ProposedUndo(plans.propose(proposal, audit), undo.left_out, superseded)


def _lines(snapshots: Snapshots, system: str) -> dict[LineId, tuple[Line, Agreement]]:
    """The lines of the latest read, for what the next invoice will say; none when it is of another PSA."""
    read = snapshots.latest(Side.PSA)
    if read is None or read.system not in ("", system):
        return {}
    facts = psa_facts(snapshots.psa_pages(read))
    agreements = {agreement.id: agreement for agreement in facts.agreements}
    return {line.id: (line, agreements[line.agreement_id]) for line in facts.lines if line.agreement_id in agreements}
