"""Start a run, watch it, read what it found."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from trueup import bootstrap
from trueup.api.access import Role
from trueup.api.file_views import kept_mappings_view
from trueup.api.inputs import NoteBody, RunBody
from trueup.api.month_views import proof_view
from trueup.api.order_spreadsheet import all_orders, orders_csv
from trueup.api.plan_spreadsheet import plan_csv
from trueup.api.portal_spreadsheet import portal_users_csv
from trueup.api.replies import allowed, page_view, position, written
from trueup.api.spreadsheets import mappings_csv, reconciliation_csv, result_csv, services_csv
from trueup.api.views import (
    event_view,
    reconciliation_view,
    row_view,
    run_view,
    time_text,
    totals_view,
)
from trueup.domain.errors import InputInvalid
from trueup.domain.periods import Period
from trueup.domain.runs import Run
from trueup.domain.verdicts import Verdict
from trueup.settings import settings
from trueup.usecases.monthly_run import begin_run, chosen_wish
from trueup.usecases.notes import write_note
from trueup.usecases.opening import connected_sides
from trueup.usecases.plans import plan_of_period
from trueup.usecases.psa_switch import kept_file, kept_mappings
from trueup.usecases.sealed_proof import verify_months

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.

Limit = Annotated[int, Query(ge=1, le=200, description="How many at most")]
LongLimit = Annotated[int, Query(ge=1, le=1000, description="How many at most; a page of long entries may hold fewer")]
Cursor = Annotated[str | None, Query(max_length=2000, description="next_cursor of the page before")]
PeriodText = Annotated[str | None, Query(description="Billing month, YYYY-MM; the present one when left out")]


def chosen_period(text: str | None) -> str:
    """The period that was asked for, or the present one. Raises InputInvalid."""
    return str(Period.parse(text) if text else Period.at(bootstrap.clock().now(), settings().time_zone))


def begun_run(body: RunBody | None, actor: str) -> Run:
    """The run that a request asks for. Raises InputInvalid (``effective``), NotConnected, LeaseHeld."""
    order = body or RunBody()
    state, clock, time_zone = bootstrap.state(), bootstrap.clock(), settings().time_zone
    wish = chosen_wish(order.effective, integrations=state.integrations, time_zone=time_zone, clock=clock)
    return begin_run(
        actor=actor,
        time_zone=time_zone,
        runs=state.runs,
        clock=clock,
        accept_drop=order.accept_drop,
        wish=wish,
        sides=connected_sides(state.integrations),
    )


@router.post("/v1/runs", tags=["runs"], summary="Start a run, or learn which one runs already")
def start_run(body: Annotated[RunBody | None, Body()] = None) -> Response[str]:
    caller = allowed(router, Role.PREPARER)

    def write() -> dict[str, Any]:
        run = begun_run(body, caller.name)
        bootstrap.workflow().start(run.id)
        return run_view(run)

    return written(router, caller, write, status=202)


@router.get("/v1/runs", tags=["runs"], summary="The newest runs")
def list_runs(limit: Limit = 20) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return {"items": [run_view(run) for run in bootstrap.state().runs.latest(limit)], "next_cursor": None}


@router.get("/v1/runs/<run_id>", tags=["runs"], summary="One run with its progress")
def get_run(run_id: Annotated[str, Path(max_length=64)]) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return run_view(bootstrap.state().runs.get(run_id))


@router.get(
    "/v1/reconciliation", tags=["reconciliation"], summary="Rows of a period, most pressing first, with its totals"
)
def list_rows(
    period: PeriodText = None,
    verdict: Annotated[Verdict | None, Query(description="Only rows with this verdict")] = None,
    cursor: Cursor = None,
    limit: LongLimit = 100,
) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    chosen = chosen_period(period)
    name = f"reconciliation {chosen} {verdict or ''}"
    reconciliations = bootstrap.state().reconciliations
    summary = reconciliations.summary(chosen)
    page = reconciliations.page(chosen, verdict=verdict, cursor=position(cursor, list_name=name), limit=limit)
    return {
        "period": chosen,
        "run_id": summary.run_id,
        "at": time_text(summary.at),
        "totals": totals_view(summary.totals),
        **page_view(page, row_view, list_name=name),
    }


@router.get("/v1/history", tags=["history"], summary="What was decided and done, newest first")
def list_history(cursor: Cursor = None, limit: Limit = 100) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    page = bootstrap.state().history.page(cursor=position(cursor, list_name="history"), limit=limit)
    return page_view(page, event_view, list_name="history")


@router.post(
    "/v1/account-mappings/<vendor_account_id>/notes", tags=["history"], summary="Write a note about an account"
)
def note(vendor_account_id: Annotated[str, Path(max_length=256)], body: Annotated[NoteBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    state = bootstrap.state()

    def write() -> dict[str, Any]:
        kept = write_note(
            vendor_account_id,
            body.text,
            actor=caller.name,
            accounts=state.accounts,
            history=state.history,
            clock=bootstrap.clock(),
        )
        return {"vendor_account_id": kept.subject, "text": kept.why, "by": kept.actor, "at": time_text(kept.at)}

    return written(router, caller, write, status=201)


@router.get(
    "/v1/history/verification", tags=["history"], summary="Whether any event or any closed month was changed or removed"
)
def verify_history(
    period: Annotated[str | None, Query(max_length=7, description="Only this closed month's parts, YYYY-MM")] = None,
    kept_hash: Annotated[str, Query(max_length=64, description="Hash of a link that was kept elsewhere")] = "",
) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return proof_view(verify_months(period, state=bootstrap.state(), kept_hash=kept_hash))


EXPORTS = "reconciliation.csv, reconciliation.json, result.csv, plan.csv, mappings.csv, license-mappings.csv, "
EXPORTS += "service-mappings.csv, change-orders.csv or portal-users.csv"


@router.get("/v1/exports/<name>", tags=["exports"], summary=EXPORTS)
def export(name: Annotated[str, Path(max_length=64)], period: PeriodText = None) -> Response[Any]:
    allowed(router, Role.VIEWER)
    state = bootstrap.state()
    match name:
        case "reconciliation.csv":
            return csv_file(name, reconciliation_csv(state.reconciliations.get(chosen_period(period))))
        case "result.csv":
            return csv_file(name, result_csv(state.reconciliations.get(chosen_period(period))))
        case "reconciliation.json":
            found = state.reconciliations.get(chosen_period(period))
            return Response(status_code=200, content_type="application/json", body=reconciliation_view(found))
        case "plan.csv":
            return csv_file(name, plan_csv(plan_of_period(chosen_period(period), bootstrap.state().plan_index)))
        case "mappings.csv":
            return csv_file(name, mappings_csv(state.accounts.all()))
        case "license-mappings.csv":
            return csv_file(name, mappings_csv(state.license_accounts.all()))
        case "service-mappings.csv":
            return csv_file(name, services_csv(state.services.all()))
        case "change-orders.csv":
            month = None if period is None else chosen_period(period)
            return csv_file(name, orders_csv(all_orders(state.change_orders, month)))
        case "portal-users.csv":
            return csv_file(name, portal_users_csv(state.portal_users.get().users))
        case _:
            raise InputInvalid("there is no such export", field="name", remedy=f"Use {EXPORTS}.")


@router.get("/v1/kept-mappings", tags=["exports"], summary="What was mapped each time another PSA was connected")
def list_kept_mappings() -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    kept = kept_mappings(uploads=bootstrap.state().uploads)
    return {"items": [kept_mappings_view(one) for one in kept], "next_cursor": None}


@router.get("/v1/kept-mappings/<kept_id>/<what>", tags=["exports"], summary="One of its files: accounts or services")
def get_kept_mappings(
    kept_id: Annotated[str, Path(max_length=64)], what: Annotated[str, Path(max_length=20)]
) -> Response[Any]:
    allowed(router, Role.VIEWER)
    return csv_file(f"{what}.csv", kept_file(kept_id, what, uploads=bootstrap.state().uploads))


def csv_file(name: str, content: str) -> Response[Any]:
    """A download. ``content`` comes from api.spreadsheets, where every cell is made safe."""
    return Response(
        status_code=200,
        content_type="text/csv; charset=utf-8",
        body=content,
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )
