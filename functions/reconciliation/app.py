"""The door of reconciliation: the legs of a run to verdicts and a plan."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup import bootstrap
from trueup.api.events import ReconcileEvent
from trueup.api.plan_views import plan_totals_view
from trueup.api.views import totals_view
from trueup.usecases.monthly_run import note_plan
from trueup.usecases.reconciliation import reconcile_reads

logger = Logger()
metrics = EphemeralMetrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)  # type: ignore[untyped-decorator]  # Powertools has no types here.
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    order = ReconcileEvent.read(event)
    logger.append_keys(run_id=order.run_id)
    metrics.add_metadata(key="run_id", value=order.run_id)
    state = bootstrap.state()
    outcome = reconcile_reads(
        state.runs.get(order.run_id),
        actor=order.actor,
        policy=bootstrap.reconciliation_policy(),
        state=state,
        clock=bootstrap.clock(),
    )
    note_plan(order.run_id, outcome.plan, runs=state.runs, clock=bootstrap.clock(), waits_by_callback=True)
    reply = {
        "plan_id": outcome.plan.id,
        "checksum": outcome.plan.checksum,
        "waits_for_approval": outcome.plan.waits,
        "plan": plan_totals_view(outcome.plan),
    }
    metrics.add_metric(name="ChangesProposed", unit=MetricUnit.Count, value=len(outcome.plan.changes))
    logger.info("period reconciled", extra={**reply, "totals": totals_view(outcome.reconciliation.totals)})
    return reply
