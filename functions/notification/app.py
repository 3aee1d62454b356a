"""The door of notification: tell people what a run asks of them. A channel that fails is in the reply, and no error."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup import bootstrap
from trueup.api.events import NotifyEvent
from trueup.api.notice_views import delivery_view
from trueup.domain.notices import DeliveryState
from trueup.settings import settings
from trueup.usecases.notification import send_for_run

logger = Logger()
metrics = EphemeralMetrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)  # type: ignore[untyped-decorator]  # Powertools has no types here.
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    order = NotifyEvent.read(event)
    logger.append_keys(run_id=order.run_id)
    metrics.add_metadata(key="run_id", value=order.run_id)
    state = bootstrap.state()
    deliveries = send_for_run(
        order.kind,
        order.run_id,
        runs=state.runs,
        plans=state.plans,
        reconciliations=state.reconciliations,
        change_orders=state.change_orders,
        patience=settings().order_patience,
        sealed_months=state.sealed_months,
        systems=bootstrap.notice_systems(),
    )
    missed = [one for one in deliveries if one.state is not DeliveryState.SENT]
    reply = {"kind": order.kind.value, "deliveries": [delivery_view(one) for one in deliveries]}
    metrics.add_metric(name="NoticesNotDelivered", unit=MetricUnit.Count, value=len(missed))
    logger.info("people told", extra=reply)
    return reply
