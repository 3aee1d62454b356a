"""The door of change_orders: look whether Mimecast shows what was ordered; the caller calls again until it is done."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup import bootstrap
from trueup.api.deadlines import stop_at_seconds
from trueup.api.events import RunEvent
from trueup.api.order_reply import followed

logger = Logger()
metrics = EphemeralMetrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)  # type: ignore[untyped-decorator]  # Powertools has no types here.
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    order = RunEvent.read(event)
    logger.append_keys(run_id=order.run_id)
    metrics.add_metadata(key="run_id", value=order.run_id)
    reply = followed(order, stop_at_seconds=stop_at_seconds(context, bootstrap.clock()))
    metrics.add_metric(name="OrdersOutstanding", unit=MetricUnit.Count, value=reply["outstanding"])
    metrics.add_metric(name="OrdersLate", unit=MetricUnit.Count, value=reply["late"])
    logger.info("orders followed", extra=reply)
    return reply
