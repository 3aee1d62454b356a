"""The door of plan_apply, the only function that may write to the PSA: apply an approved plan by its checksum."""

from __future__ import annotations

from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup import bootstrap
from trueup.api.deadlines import stop_at_seconds
from trueup.api.events import ApplyEvent
from trueup.api.plan_views import plan_totals_view
from trueup.domain.errors import LeaseHeld, RateLimited
from trueup.domain.integrations import Side
from trueup.domain.periods import Period
from trueup.settings import settings
from trueup.usecases.opening import connected, open_line_creation, open_psa, psa_capabilities
from trueup.usecases.plan_apply import apply_plan

logger = Logger()
metrics = EphemeralMetrics()

LOOK_AGAIN_SECONDS = 20
"""When somebody else applies right now; what they write is then found to be done."""


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)  # type: ignore[untyped-decorator]  # Powertools has no types here.
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    order = ApplyEvent.read(event)
    state, clock = bootstrap.state(), bootstrap.clock()
    run_id = state.plans.get(order.plan_id).run_id
    logger.append_keys(plan_id=order.plan_id, run_id=run_id)
    metrics.add_metadata(key="run_id", value=run_id)
    done, wait_seconds = False, 0
    try:
        done = apply_plan(
            order.plan_id,
            checksum=order.checksum,
            actor=order.actor,
            owner=order.owner or context.aws_request_id,
            period_now=str(Period.at(clock.now(), settings().time_zone)),
            psa=open_psa(integrations=state.integrations, vault=bootstrap.vault(), connections=bootstrap.connections()),
            psa_system=connected(Side.PSA, state.integrations).system,
            capabilities=psa_capabilities(state.integrations),
            open_line_creation=partial(
                open_line_creation,
                integrations=state.integrations,
                vault=bootstrap.vault(),
                connections=bootstrap.connections(),
            ),
            accounts=state.accounts,
            services=state.services,
            snapshots=state.snapshots,
            plans=state.plans,
            plan_index=state.plan_index,
            leases=state.leases,
            clock=clock,
            stop_at_seconds=stop_at_seconds(context, clock),
        ).is_done
    except RateLimited as limited:
        wait_seconds = max(1, round(limited.wait_seconds))
    except LeaseHeld:
        wait_seconds = LOOK_AGAIN_SECONDS
    totals = plan_totals_view(state.plans.get(order.plan_id))
    for outcome, count in totals["results"].items():
        metrics.add_metric(name=f"Changes{outcome.capitalize()}", unit=MetricUnit.Count, value=count)
    reply = {"done": done, "wait_seconds": wait_seconds, "plan": totals}
    logger.info("plan applied", extra=reply)
    return reply
