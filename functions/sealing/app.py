"""The door of sealing: close the months that are over."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup import bootstrap
from trueup.api.events import RunEvent
from trueup.settings import settings
from trueup.usecases.month_closing import close_months

logger = Logger()
metrics = EphemeralMetrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)  # type: ignore[untyped-decorator]  # Powertools has no types here.
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    order = RunEvent.read(event)
    logger.append_keys(run_id=order.run_id)
    metrics.add_metadata(key="run_id", value=order.run_id)
    closed = close_months(
        order.run_id,
        actor=order.actor,
        tenant=settings().tenant,
        time_zone=settings().time_zone,
        state=bootstrap.state(),
        clock=bootstrap.clock(),
    )
    reply = {"sealed": list(closed.sealed), "refused": [{"period": one, "why": why} for one, why in closed.refused]}
    metrics.add_metric(name="MonthsSealed", unit=MetricUnit.Count, value=len(closed.sealed))
    metrics.add_metric(name="MonthsNotSealed", unit=MetricUnit.Count, value=len(closed.refused))
    logger.info("months closed", extra=reply)
    return reply
