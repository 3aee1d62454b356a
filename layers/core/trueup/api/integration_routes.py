"""Connect, check, finish and disconnect the outside systems."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from trueup import bootstrap
from trueup.api.access import Role
from trueup.api.file_views import kept_mappings_view
from trueup.api.inputs import ConnectBody
from trueup.api.replies import allowed, written
from trueup.api.spreadsheets import mapping_sheets
from trueup.api.views import customer_file_view, integration_view, run_view, time_text
from trueup.domain.integrations import ConnectionState, Integration, IntegrationName
from trueup.domain.periods import next_monthly_run
from trueup.settings import settings
from trueup.usecases.credential_validation import disconnect, validate
from trueup.usecases.customer_file import forget_customer_file, keep_customer_file, kept_customer_file
from trueup.usecases.integrations import finish
from trueup.usecases.monthly_run import begin_run
from trueup.usecases.opening import connected_sides
from trueup.usecases.psa_switch import connect_system

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.


@router.get("/v1/integrations", tags=["integrations"], summary="Every integration and how it stands")
def list_integrations() -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    items = [_with_next_read(item) for item in bootstrap.state().integrations.all()]
    return {"items": items, "next_cursor": None}


@router.get("/v1/integrations/<name>", tags=["integrations"], summary="One integration; a secret is never in it")
def get_integration(name: Annotated[IntegrationName, Path()]) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return _with_next_read(bootstrap.state().integrations.get(name))


def _with_next_read(integration: Integration) -> dict[str, Any]:
    """The integration with when the schedule reads it next; null until it is connected."""
    chosen = settings()
    next_read = next_monthly_run(
        bootstrap.clock().now(), day=chosen.monthly_run_day, hour=chosen.monthly_run_hour, time_zone=chosen.time_zone
    )
    shown = integration_view(integration)
    is_read = integration.state is not ConnectionState.NOT_CONNECTED
    return {**shown, "next_read_at": time_text(next_read) if is_read else None}


@router.put("/v1/integrations/<name>", tags=["integrations"], summary="Try a credential and store it when it works")
def put_integration(name: Annotated[IntegrationName, Path()], body: Annotated[ConnectBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.ADMIN)
    fields = {key: secret.get_secret_value() for key, secret in body.fields.items()}

    def write() -> dict[str, Any]:
        state = bootstrap.state()
        done = connect_system(
            name,
            address=body.address,
            fields=fields,
            switch=body.switch,
            ends_on=body.credential_ends_on,
            sheets=mapping_sheets,
            actor=caller.name,
            integrations=state.integrations,
            vault=bootstrap.vault(),
            connections=bootstrap.connections(),
            snapshots=state.snapshots,
            accounts=state.accounts,
            services=state.services,
            uploads=state.uploads,
            clock=bootstrap.clock(),
        )
        kept = None if done.kept is None else kept_mappings_view(done.kept)
        return {**integration_view(done.integration), "to_be_matched_again": kept}

    return written(router, caller, write)


@router.delete("/v1/integrations/<name>", tags=["integrations"], summary="Forget the credential; mappings stay")
def delete_integration(name: Annotated[IntegrationName, Path()]) -> Response[str]:
    caller = allowed(router, Role.ADMIN)
    return written(
        router,
        caller,
        lambda: integration_view(
            disconnect(
                name,
                actor=caller.name,
                integrations=bootstrap.state().integrations,
                vault=bootstrap.vault(),
                clock=bootstrap.clock(),
            )
        ),
    )


@router.post("/v1/integrations/<name>/authenticate", tags=["integrations"], summary="Try the stored credential now")
def authenticate_integration(name: Annotated[IntegrationName, Path()]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    return written(
        router,
        caller,
        lambda: integration_view(
            validate(
                name,
                actor=caller.name,
                integrations=bootstrap.state().integrations,
                vault=bootstrap.vault(),
                connections=bootstrap.connections(),
                clock=bootstrap.clock(),
            )
        ),
    )


@router.post("/v1/integrations/<name>/finish", tags=["integrations"], summary="Finish the mapping; a sync starts")
def finish_integration(name: Annotated[IntegrationName, Path()]) -> Response[str]:
    """Both sides are finished together: a comparison needs both, whichever of the two is named."""
    caller = allowed(router, Role.PREPARER)

    def write() -> dict[str, Any]:
        state = bootstrap.state()
        done = finish(
            actor=caller.name,
            integrations=state.integrations,
            accounts=state.accounts,
            services=state.services,
            clock=bootstrap.clock(),
        )
        run = begin_run(
            actor=caller.name,
            time_zone=settings().time_zone,
            runs=state.runs,
            clock=bootstrap.clock(),
            sides=connected_sides(state.integrations),
        )
        bootstrap.workflow().start(run.id)
        return {"items": [integration_view(item) for item in done], "run": run_view(run)}

    return written(router, caller, write, status=202)


@router.get(
    "/v1/integrations/<name>/customer-file",
    tags=["integrations"],
    summary="Whether a customer file is kept, how many customers it lists and how old it is",
)
def get_customer_file(name: Annotated[IntegrationName, Path()]) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return customer_file_view(name, kept_customer_file(name, uploads=bootstrap.state().uploads))


@router.put(
    "/v1/integrations/<name>/customer-file",
    tags=["integrations"],
    summary="Keep the customer file that the portal exports: all rows or none",
    description="The body is the file as it was downloaded (text/csv, 5 MB at most). Later syncs use it where the API "
    "may not list the customers; what it tells is as old as the file.",
)
def put_customer_file(name: Annotated[IntegrationName, Path()]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    content = (router.current_event.decoded_body or "").encode()

    def write() -> dict[str, Any]:
        kept = keep_customer_file(
            name,
            content,
            actor=caller.name,
            connections=bootstrap.connections(),
            uploads=bootstrap.state().uploads,
            clock=bootstrap.clock(),
        )
        return customer_file_view(name, kept)

    return written(router, caller, write)


@router.delete("/v1/integrations/<name>/customer-file", tags=["integrations"], summary="Forget the customer file")
def delete_customer_file(name: Annotated[IntegrationName, Path()]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)

    def write() -> dict[str, Any]:
        forget_customer_file(name, actor=caller.name, uploads=bootstrap.state().uploads, clock=bootstrap.clock())
        return customer_file_view(name, None)

    return written(router, caller, write)
