"""The door of psa_callback: a message of the PSA comes in, is proven, and its hints wait in the queue."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup import bootstrap
from trueup.api.callback_door import AGAIN, FORGED, TAKEN, callback_of, reply
from trueup.domain.errors import CallbackForged, TrueupError
from trueup.usecases.psa_callback import take_callback

bootstrap.load()
logger = Logger()
metrics = EphemeralMetrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)  # type: ignore[untyped-decorator]  # Powertools has no types here.
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """One answer to everything that is not proven; what goes wrong here is no reason not to send it again.

    Nothing of the message is logged, proven or not.
    """
    state = bootstrap.state()
    try:
        taken = take_callback(
            callback_of(event),
            integrations=state.integrations,
            vault=bootstrap.vault(),
            connections=bootstrap.connections(),
            counters=state.counters,
            queue=bootstrap.callback_queue(),
        )
    except CallbackForged:
        metrics.add_metric(name="CallbacksRefused", unit=MetricUnit.Count, value=1)
        logger.warning("callback refused")
        return reply(FORGED)
    except TrueupError as trouble:
        metrics.add_metric(name="CallbacksAskedAgain", unit=MetricUnit.Count, value=1)
        logger.error("callback not kept", extra={"code": trouble.code})
        return reply(AGAIN)
    metrics.add_metric(name="CallbacksTaken", unit=MetricUnit.Count, value=1)
    logger.info("callback taken", extra={"psa": taken.psa.value, "queued": taken.queued, "repeated": taken.repeated})
    return reply(TAKEN)
