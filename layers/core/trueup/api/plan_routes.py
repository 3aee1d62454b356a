"""Plans: show, release, approve by checksum, have applied. Nothing here writes to the PSA."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from trueup import bootstrap
from trueup.api.access import Role
from trueup.api.inputs import AddLineBody, ChecksumBody, ReleaseBody, RunReference, UndoBody
from trueup.api.plan_views import plan_totals_view, plan_view, undo_view
from trueup.api.replies import allowed, written
from trueup.api.run_routes import Limit
from trueup.api.views import View
from trueup.domain.plan import Plan
from trueup.settings import settings
from trueup.usecases.plan_lines import add_line, drop_line
from trueup.usecases.plan_undo import propose_undo
from trueup.usecases.plans import approve_plan, ask_to_apply, release_change
from trueup.usecases.reconciliation import reconcile_reads

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.
PlanId = Annotated[str, Path(max_length=64)]


@router.get("/v1/plans", tags=["plans"], summary="The newest plans, without their changes")
def list_plans(limit: Limit = 20) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return {"items": [_short(plan) for plan in bootstrap.state().plan_index.latest(limit)], "next_cursor": None}


@router.post("/v1/plans", tags=["plans"], summary="Propose again on what a run has read, after a mapping was corrected")
def propose_plan(body: Annotated[RunReference, Body()]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)

    def write() -> View:
        state = bootstrap.state()
        outcome = reconcile_reads(
            state.runs.get(body.run_id),
            actor=caller.name,
            policy=bootstrap.reconciliation_policy(),
            state=state,
            clock=bootstrap.clock(),
        )
        return plan_view(outcome.plan)

    return written(router, caller, write, status=201)


@router.get("/v1/plans/<plan_id>", tags=["plans"], summary="One plan with every change, guard and result")
def get_plan(plan_id: PlanId) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return plan_view(bootstrap.state().plans.get(plan_id))


@router.post("/v1/plans/<plan_id>/changes/<change_id>/release", tags=["plans"], summary="Let a held change go")
def release(
    plan_id: PlanId, change_id: Annotated[str, Path(max_length=64)], body: Annotated[ReleaseBody, Body()]
) -> Response[str]:
    caller = allowed(router, Role.APPROVER)
    return written(
        router,
        caller,
        lambda: plan_view(
            release_change(
                plan_id,
                change_id,
                reason=body.reason,
                actor=caller.name,
                plans=bootstrap.state().plans,
                clock=bootstrap.clock(),
            )
        ),
    )


@router.post("/v1/plans/<plan_id>/approve", tags=["plans"], summary="Approve exactly what this checksum is of")
def approve(plan_id: PlanId, body: Annotated[ChecksumBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.APPROVER)
    return written(
        router,
        caller,
        lambda: plan_view(
            approve_plan(
                plan_id,
                checksum=body.checksum,
                actor=caller.name,
                two_person_approval=settings().two_person_approval,
                plans=bootstrap.state().plans,
                api_keys=bootstrap.state().api_keys,
                clock=bootstrap.clock(),
            )
        ),
    )


@router.post("/v1/plans/<plan_id>/apply", tags=["plans"], summary="Have the approved plan applied")
def apply(plan_id: PlanId, body: Annotated[ChecksumBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.APPROVER)
    state = bootstrap.state()
    return written(
        router,
        caller,
        lambda: plan_view(
            ask_to_apply(
                plan_id,
                checksum=body.checksum,
                actor=caller.name,
                plans=state.plans,
                runs=state.runs,
                workflow=bootstrap.workflow(),
                clock=bootstrap.clock(),
            )
        ),
        status=202,
    )


@router.post("/v1/plans/<plan_id>/lines", tags=["plans"], summary="Add the line that a new-revenue row lacks")
def add_missing_line(plan_id: PlanId, body: Annotated[AddLineBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    state = bootstrap.state()
    return written(
        router,
        caller,
        lambda: plan_view(
            add_line(
                plan_id,
                body.row_id,
                agreement_id=body.agreement_id,
                effective=body.effective,
                actor=caller.name,
                policy=bootstrap.reconciliation_policy(),
                integrations=state.integrations,
                snapshots=state.snapshots,
                services=state.services,
                reconciliations=state.reconciliations,
                runs=state.runs,
                plans=state.plans,
                clock=bootstrap.clock(),
            )
        ),
        status=201,
    )


@router.delete("/v1/plans/<plan_id>/lines/<change_id>", tags=["plans"], summary="Take an added line out again")
def drop_added_line(plan_id: PlanId, change_id: Annotated[str, Path(max_length=64)]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    return written(
        router,
        caller,
        lambda: plan_view(
            drop_line(plan_id, change_id, actor=caller.name, plans=bootstrap.state().plans, clock=bootstrap.clock())
        ),
    )


@router.post("/v1/plans/<plan_id>/undo", tags=["plans"], summary="Propose a plan that takes back what this one wrote")
def undo(plan_id: PlanId, body: Annotated[UndoBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    state = bootstrap.state()
    return written(
        router,
        caller,
        lambda: undo_view(
            propose_undo(
                plan_id,
                body.change_ids,
                reason=body.reason,
                actor=caller.name,
                policy=bootstrap.reconciliation_policy(),
                integrations=state.integrations,
                snapshots=state.snapshots,
                plans=state.plans,
                plan_index=state.plan_index,
                clock=bootstrap.clock(),
            )
        ),
        status=201,
    )


def _short(plan: Plan) -> View:
    return {
        "id": plan.id,
        "checksum": plan.checksum,
        "state": plan.state.value,
        "period": plan.period,
        "run_id": plan.run_id,
        "totals": plan_totals_view(plan),
    }
