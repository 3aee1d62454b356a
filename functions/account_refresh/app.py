"""The door of account_refresh: hints of callbacks out of the queue; one client each is read again."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup import bootstrap
from trueup.api.events import QueuedHints
from trueup.domain.errors import TrueupError
from trueup.usecases.account_refresh import RefreshOutcome, refresh_account

logger = Logger()
metrics = EphemeralMetrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)  # type: ignore[untyped-decorator]  # Powertools has no types here.
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Names the messages that failed, so that only those come again. What is told of one record is read once."""
    state = bootstrap.state()
    batch = QueuedHints.read(event)
    failed = list(batch.unreadable)
    for hint, message_ids in batch.by_record():
        try:
            done = refresh_account(
                hint,
                integrations=state.integrations,
                vault=bootstrap.vault(),
                connections=bootstrap.connections(),
                snapshots=state.snapshots,
                accounts=state.accounts,
                clock=bootstrap.clock(),
            )
        except TrueupError as trouble:
            failed += message_ids
            logger.warning("client not read again", extra={"code": trouble.code, "detail": trouble.message})
            continue
        left = int(done.outcome is RefreshOutcome.LEFT)
        metrics.add_metric(name="RefreshesLeftForACompleteRead", unit=MetricUnit.Count, value=left)
        logger.info("hint done", extra={"outcome": done.outcome.value, "why": done.reason, "client": done.account_id})
    metrics.add_metric(name="HintsFailed", unit=MetricUnit.Count, value=len(failed))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
