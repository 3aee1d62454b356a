"""The report of a month, and the trend of the last months."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from trueup import bootstrap
from trueup.api.access import Role
from trueup.api.html_document import html_file
from trueup.api.replies import allowed
from trueup.api.report_documents import report_csv, report_html
from trueup.api.report_views import report_view, trend_view
from trueup.api.run_routes import PeriodText, chosen_period, csv_file
from trueup.usecases.monthly_report import TREND_MONTHS_MAXIMUM, report_of, trend

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.


@router.get("/v1/reports/<period>", tags=["reports"], summary="What a month found, corrected and left outstanding")
def get_report(
    period: Annotated[str, Path(max_length=7, description="Billing month, YYYY-MM")],
    format: Annotated[Literal["json", "html", "csv"], Query(description="json, html or csv")] = "json",  # noqa: A002
) -> Response[Any]:
    allowed(router, Role.VIEWER)
    report = report_of(period, state=bootstrap.state())
    match format:
        case "html":
            return html_file(f"report-{period}.html", report_html(report))
        case "csv":
            return csv_file(f"report-{period}.csv", report_csv(report))
    return Response(status_code=200, content_type="application/json", body=report_view(report))


@router.get("/v1/trend", tags=["reports"], summary="Counts and money of the last months, of all or of one client")
def get_trend(
    months: Annotated[int, Query(ge=1, le=TREND_MONTHS_MAXIMUM, description="How many months")] = 12,
    account: Annotated[str, Query(max_length=256, description="Only this client, by its id")] = "",
    service: Annotated[str, Query(max_length=256, description="Only this service, as the report names it")] = "",
    period: PeriodText = None,
) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    points = trend(
        months=months, until=chosen_period(period), client_id=account, service=service, state=bootstrap.state()
    )
    return trend_view(points, client_id=account, service=service)
