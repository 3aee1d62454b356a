"""The door of license_sync: read license counts on for one run; the caller calls again until it is done."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup import bootstrap
from trueup.api.deadlines import stop_at_seconds
from trueup.api.events import SyncEvent
from trueup.api.sync_reply import synced_unless_it_fails
from trueup.domain.integrations import Side
from trueup.usecases.license_sync import sync_licenses

logger = Logger()
metrics = EphemeralMetrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)  # type: ignore[untyped-decorator]  # Powertools has no types here.
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    order = SyncEvent.read(event)
    state, clock = bootstrap.state(), bootstrap.clock()
    logger.append_keys(run_id=order.run_id)
    metrics.add_metadata(key="run_id", value=order.run_id)
    reply = synced_unless_it_fails(
        order,
        Side.LICENSES,
        lambda read: sync_licenses(
            read,
            integrations=state.integrations,
            vault=bootstrap.vault(),
            connections=bootstrap.connections(),
            snapshots=state.snapshots,
            checkpoints=state.checkpoints,
            clock=clock,
        ),
        runs=state.runs,
        clock=clock,
        stop_at_seconds=stop_at_seconds(context, clock),
    )
    metrics.add_metric(name="TenantsRead", unit=MetricUnit.Count, value=reply["progress"]["accounts"])
    metrics.add_metric(name="LicenseReadsFailed", unit=MetricUnit.Count, value=1 if "problem" in reply else 0)
    logger.info("licenses read", extra=reply)
    return reply
