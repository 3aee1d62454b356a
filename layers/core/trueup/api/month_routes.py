"""Closed months: list, close, reopen, make again, and the evidence of one client."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from pydantic import Field

from trueup import bootstrap
from trueup.api import inputs
from trueup.api.access import Role
from trueup.api.evidence_documents import evidence_csv, evidence_html
from trueup.api.html_document import html_file
from trueup.api.month_views import link_view, months_view, replay_view
from trueup.api.replies import allowed, written
from trueup.api.run_routes import csv_file
from trueup.domain.errors import InputInvalid
from trueup.settings import settings
from trueup.usecases.evidence import evidence_packs
from trueup.usecases.sealed_proof import replay_month
from trueup.usecases.sealing import reopen_month, seal_month

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.

PeriodInPath = Annotated[str, Path(max_length=7, description="Billing month, YYYY-MM")]


class SealBody(inputs.Body):
    """A reason closes a month although something of it is under way; what that is stands in the link."""

    reason: Annotated[str, Field(max_length=500)] = ""


class ReopenBody(inputs.Body):
    """Why a closed month has to be opened again."""

    reason: inputs.ShortText


@router.get("/v1/months", tags=["months"], summary="The months that were closed, with every link of the chain")
def list_months() -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return months_view(bootstrap.state().sealed_months.links())


@router.post("/v1/months/<period>/seal", tags=["months"], summary="Close a month; a closed one stays as it is")
def seal(period: PeriodInPath, body: Annotated[SealBody | None, Body()] = None) -> Response[str]:
    caller = allowed(router, Role.APPROVER)
    reason = "" if body is None else body.reason

    def write() -> dict[str, Any]:
        link = seal_month(
            period,
            actor=caller.name,
            run_id="",
            tenant=settings().tenant,
            state=bootstrap.state(),
            clock=bootstrap.clock(),
            reason=reason,
        )
        return link_view(link)

    return written(router, caller, write)


@router.post("/v1/months/<period>/reopen", tags=["months"], summary="Open a closed month again, with a reason")
def reopen(period: PeriodInPath, body: Annotated[ReopenBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.APPROVER)

    def write() -> dict[str, Any]:
        link = reopen_month(
            period,
            reason=body.reason,
            actor=caller.name,
            tenant=settings().tenant,
            state=bootstrap.state(),
            clock=bootstrap.clock(),
        )
        return link_view(link)

    return written(router, caller, write)


@router.get(
    "/v1/months/<period>/replay", tags=["months"], summary="Make a closed month again from its parts, and compare bytes"
)
def replay(period: PeriodInPath) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return replay_view(replay_month(period, state=bootstrap.state()))


@router.get("/v1/months/<period>/evidence", tags=["months"], summary="The evidence pack of one client, as HTML or CSV")
def evidence(
    period: PeriodInPath,
    account: Annotated[str, Query(max_length=256, description="Id of the client; it is needed")] = "",
    format: Annotated[Literal["html", "csv"], Query(description="html or csv")] = "html",  # noqa: A002 - its name there
) -> Response[Any]:
    allowed(router, Role.VIEWER)
    if not account:
        raise InputInvalid("whose evidence?", field="account", remedy="Give the id of one client: account=ID.")
    (pack,) = evidence_packs(period, client_id=account, store=bootstrap.state().sealed_months)
    if format == "csv":
        return csv_file(f"evidence-{period}.csv", evidence_csv(pack))
    return html_file(f"evidence-{period}.html", evidence_html(pack))
