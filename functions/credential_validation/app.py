"""The door of credential_validation: try the stored credentials once a day, and say when a month's run is overdue."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup import bootstrap
from trueup.api.events import ValidateEvent
from trueup.api.notice_views import delivery_view
from trueup.domain.integrations import ConnectionState, Integration
from trueup.domain.notices import Delivery
from trueup.settings import settings
from trueup.usecases.credential_validation import validate
from trueup.usecases.monthly_run import days_overdue
from trueup.usecases.notification import check_overdue, send_for_credentials

logger = Logger()
metrics = EphemeralMetrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics(capture_cold_start_metric=True)  # type: ignore[untyped-decorator]  # Powertools has no types here.
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    order = ValidateEvent.read(event)
    state, clock = bootstrap.state(), bootstrap.clock()
    connected = [item for item in state.integrations.all() if item.state is not ConnectionState.NOT_CONNECTED]
    wanted = [item.name for item in connected if order.name in {None, item.name}]
    checked = [
        validate(
            name,
            actor=order.trigger,
            integrations=state.integrations,
            vault=bootstrap.vault(),
            connections=bootstrap.connections(),
            clock=clock,
        )
        for name in wanted
    ]
    failing = [item.name.value for item in checked if item.cause]
    overdue = days_overdue(
        active=any(item.state is ConnectionState.ACTIVE for item in checked or connected),
        run_day=settings().monthly_run_day,
        time_zone=settings().time_zone,
        runs=state.runs,
        clock=clock,
    )
    metrics.add_metric(name="CredentialsFailing", unit=MetricUnit.Count, value=len(failing))
    metrics.add_metric(name="MonthlyRunOverdueDays", unit=MetricUnit.Count, value=overdue)
    told = _tell(checked, overdue)
    reply = {"checked": [item.name.value for item in checked], "failing": failing, "monthly_run_overdue_days": overdue}
    reply |= {"notices": [delivery_view(one) for one in told]}
    logger.info("credentials checked", extra=reply)
    return reply


def _tell(checked: list[Integration], overdue_days: int) -> tuple[Delivery, ...]:
    systems, zone = bootstrap.notice_systems(), settings().time_zone
    told = send_for_credentials(checked, time_zone=zone, systems=systems)
    return told + check_overdue(overdue_days, run_day=settings().monthly_run_day, time_zone=zone, systems=systems)
