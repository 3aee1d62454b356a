"""What the PSA and other machines may ask with an API key: start a run, one client's counts, the plan, its approval."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from trueup import bootstrap
from trueup.api.inputs import ChecksumBody, RunBody
from trueup.api.machine_callers import permitted
from trueup.api.machine_views import client_view, plan_summary_view
from trueup.api.replies import written
from trueup.api.run_routes import begun_run, chosen_period
from trueup.api.views import View, run_view
from trueup.domain.api_keys import KeyScope
from trueup.domain.billing import PsaAccountId
from trueup.domain.errors import NotFound
from trueup.domain.plan import Plan
from trueup.settings import settings
from trueup.usecases.client_counts import client_counts
from trueup.usecases.plans import approve_plan

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.


@router.post("/v1/psa/runs", tags=["psa"], summary="Start a run, or learn which one runs already (scope runs:start)")
def start_run(body: Annotated[RunBody | None, Body()] = None) -> Response[str]:
    caller = permitted(router, KeyScope.RUNS_START)

    def write() -> View:
        run = begun_run(body, caller.name)
        bootstrap.workflow().start(run.id)
        return run_view(run)

    return written(router, caller, write, status=202)


@router.get(
    "/v1/psa/clients/<psa_account_id>",
    tags=["psa"],
    summary="One client's three counts, verdicts and money, live on the latest complete reads (scope counts:read)",
)
def get_client(psa_account_id: Annotated[str, Path(max_length=256)]) -> dict[str, Any]:
    permitted(router, KeyScope.COUNTS_READ)
    state = bootstrap.state()
    return client_view(
        client_counts(
            PsaAccountId(psa_account_id),
            policy=bootstrap.reconciliation_policy(),
            integrations=state.integrations,
            snapshots=state.snapshots,
            accounts=state.accounts,
            services=state.services,
            allocations=state.allocations,
            license_accounts=state.license_accounts,
            counting_policies=state.counting_policies,
            change_orders=state.change_orders,
            clock=bootstrap.clock(),
        )
    )


@router.get("/v1/psa/plan", tags=["psa"], summary="The plan of this month: state, figures, checksum (scope plan:read)")
def get_plan() -> dict[str, Any]:
    permitted(router, KeyScope.PLAN_READ)
    return plan_summary_view(_current())


@router.post("/v1/psa/plan/approve", tags=["psa"], summary="Approve the plan by its checksum (scope plan:approve)")
def approve(body: Annotated[ChecksumBody, Body()]) -> Response[str]:
    """With two-person approval the key is the hand of whoever made it, who must not have prepared the plan."""
    caller = permitted(router, KeyScope.PLAN_APPROVE)
    return written(
        router,
        caller,
        lambda: plan_summary_view(
            approve_plan(
                _current().id,
                checksum=body.checksum,
                actor=caller.name,
                two_person_approval=settings().two_person_approval,
                plans=bootstrap.state().plans,
                api_keys=bootstrap.state().api_keys,
                clock=bootstrap.clock(),
            )
        ),
    )


def _current() -> Plan:
    period = chosen_period(None)
    plan = bootstrap.state().plan_index.current(period)
    if plan is None:
        raise NotFound(f"there is no plan for {period}", remedy="Start a run first.")
    return plan
