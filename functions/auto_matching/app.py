"""The door of auto_matching: map equal names on the latest complete reads, rank suggestions for the rest."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup import bootstrap
from trueup.api.events import MatchEvent
from trueup.api.views import mapping_totals_view
from trueup.usecases.auto_matching import auto_match, match_tenants

logger = Logger()
metrics = EphemeralMetrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)  # type: ignore[untyped-decorator]  # Powertools has no types here.
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    order = MatchEvent.read(event)
    logger.append_keys(run_id=order.run_id)
    metrics.add_metadata(key="run_id", value=order.run_id)
    state = bootstrap.state()
    summary = auto_match(
        run_id=order.run_id,
        snapshots=state.snapshots,
        accounts=state.accounts,
        services=state.services,
        integrations=state.integrations,
        similarity=bootstrap.similarity(),
        clock=bootstrap.clock(),
    )
    tenants = match_tenants(
        run_id=order.run_id,
        snapshots=state.snapshots,
        license_accounts=state.license_accounts,
        integrations=state.integrations,
        similarity=bootstrap.similarity(),
        clock=bootstrap.clock(),
    )
    reply = {"accounts": mapping_totals_view(summary.totals), "newly_mapped": summary.newly_mapped}
    if tenants is not None:
        reply["tenants"] = mapping_totals_view(tenants.totals)
        reply["tenants_newly_mapped"] = tenants.newly_mapped
        metrics.add_metric(name="TenantsUnmapped", unit=MetricUnit.Count, value=tenants.totals.unmapped)
    metrics.add_metric(name="AccountsUnmapped", unit=MetricUnit.Count, value=summary.totals.unmapped)
    logger.info("accounts matched", extra=reply)
    return reply
