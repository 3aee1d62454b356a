"""The door of psa_sync: read the PSA on for one run; the caller calls again until it is done."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup import bootstrap
from trueup.api.deadlines import stop_at_seconds
from trueup.api.events import SyncEvent
from trueup.api.sync_reply import synced
from trueup.usecases.psa_sync import sync_psa

logger = Logger()
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    order = SyncEvent.read(event)
    logger.append_keys(run_id=order.run_id, side="psa")
    state, clock = bootstrap.state(), bootstrap.clock()
    reply = synced(
        order,
        lambda read: sync_psa(
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
    metrics.add_metric(name="PsaAccountsRead", unit=MetricUnit.Count, value=reply["progress"]["accounts"])
    logger.info("psa read", extra=reply)
    return reply
