"""Account and service mappings: list, decide, take back, in bulk and as CSV.

API Gateway decodes the path before it calls the function, so path parameters are taken as they come.
"""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from trueup import bootstrap
from trueup.api.access import Caller, Role
from trueup.api.account_decisions import bulk_rows, decided, imported, listed, one, taken_back
from trueup.api.inputs import AccountDecisionBody, BulkBody, ServiceDecisionBody
from trueup.api.replies import allowed, page_view, position, written
from trueup.api.run_routes import Cursor, LongLimit
from trueup.api.spreadsheets import read_mappings, read_services
from trueup.api.views import product_view, psa_account_view, service_view
from trueup.domain.integrations import Side
from trueup.domain.mapping import MappingState
from trueup.usecases.mapping import ACCOUNT, clear_service, exclude_service, map_service, set_per_user
from trueup.usecases.mapping_import import ServiceRow, import_services
from trueup.usecases.opening import connected, open_psa
from trueup.usecases.psa_accounts import list_psa_accounts

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.


@router.get("/v1/account-mappings", tags=["mappings"], summary="Vendor accounts with their mapping and suggestions")
def list_accounts(
    mapping: Annotated[MappingState | None, Query(description="Only accounts in this state")] = None,
    cursor: Cursor = None,
    limit: LongLimit = 100,
) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return listed(ACCOUNT, mapping, cursor, limit)


@router.post("/v1/account-mappings", tags=["mappings"], summary="Many decisions at once: all of them or none")
def bulk_accounts(body: Annotated[BulkBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    return written(router, caller, lambda: imported(ACCOUNT, bulk_rows(body), caller))


@router.post("/v1/account-mappings/import", tags=["mappings"], summary="A mapping file (CSV): all rows or none")
def import_accounts() -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    content = (router.current_event.decoded_body or "").encode()
    return written(router, caller, lambda: imported(ACCOUNT, read_mappings(content), caller))


@router.get("/v1/account-mappings/<vendor_account_id>", tags=["mappings"], summary="One vendor account")
def get_account(vendor_account_id: Annotated[str, Path(max_length=256)]) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return one(ACCOUNT, vendor_account_id)


@router.put("/v1/account-mappings/<vendor_account_id>", tags=["mappings"], summary="Map or exclude one account")
def put_account(
    vendor_account_id: Annotated[str, Path(max_length=256)], body: Annotated[AccountDecisionBody, Body()]
) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    return written(router, caller, lambda: decided(ACCOUNT, vendor_account_id, body, caller))


@router.delete("/v1/account-mappings/<vendor_account_id>", tags=["mappings"], summary="Take a decision back")
def delete_account(
    vendor_account_id: Annotated[str, Path(max_length=256)],
    version: Annotated[int | None, Query(description="The entry's version that this is based on")] = None,
) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    return written(router, caller, lambda: taken_back(ACCOUNT, vendor_account_id, version, caller))


@router.get("/v1/psa-accounts", tags=["mappings"], summary="Clients of the PSA as last read, by name")
def list_clients(
    search: Annotated[str, Query(max_length=100, description="Part of a name, a short code or an id")] = "",
    cursor: Cursor = None,
    limit: LongLimit = 100,
) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    name = f"psa-accounts {search}"
    page = list_psa_accounts(
        search=search,
        cursor=position(cursor, list_name=name),
        limit=limit,
        snapshots=bootstrap.state().snapshots,
    )
    return page_view(page, psa_account_view, list_name=name)


@router.get("/v1/service-mappings", tags=["mappings"], summary="Vendor services with their product")
def list_services() -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return {"items": [service_view(entry) for entry in bootstrap.state().services.all()], "next_cursor": None}


@router.post("/v1/service-mappings/import", tags=["mappings"], summary="A service-mapping file (CSV): all rows or none")
def import_service_mappings() -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    content = (router.current_event.decoded_body or "").encode()
    return written(router, caller, lambda: _import_services(read_services(content), caller))


@router.put(
    "/v1/service-mappings/<service_id>",
    tags=["mappings"],
    summary="Map or exclude one service, or say whether it is sold by the user",
)
def put_service(
    service_id: Annotated[str, Path(max_length=256)], body: Annotated[ServiceDecisionBody, Body()]
) -> Response[str]:
    caller = allowed(router, Role.PREPARER)

    def write() -> dict[str, Any]:
        services, clock = bootstrap.state().services, bootstrap.clock()
        if body.is_per_user is not None:
            entry = set_per_user(service_id, body.is_per_user, actor=caller.name, services=services, clock=clock)
        elif body.product_id is not None:
            psa = open_psa(
                integrations=bootstrap.state().integrations,
                vault=bootstrap.vault(),
                connections=bootstrap.connections(),
            )
            entry = map_service(
                service_id,
                body.product_id,
                actor=caller.name,
                services=services,
                psa=psa,
                psa_integration=connected(Side.PSA, bootstrap.state().integrations),
                clock=clock,
            )
        else:
            entry = exclude_service(
                service_id, reason=body.exclude_reason or "", actor=caller.name, services=services, clock=clock
            )
        return service_view(entry)

    return written(router, caller, write)


@router.delete("/v1/service-mappings/<service_id>", tags=["mappings"], summary="Take a service's decision back")
def delete_service(service_id: Annotated[str, Path(max_length=256)]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)

    def write() -> dict[str, Any]:
        services = bootstrap.state().services
        return service_view(clear_service(service_id, actor=caller.name, services=services, clock=bootstrap.clock()))

    return written(router, caller, write)


@router.get("/v1/products", tags=["mappings"], summary="Search the PSA's catalog by Product ID or name")
def search_products(
    search: Annotated[str, Query(min_length=1, max_length=100)], limit: Annotated[int, Query(ge=1, le=100)] = 25
) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    psa = open_psa(
        integrations=bootstrap.state().integrations, vault=bootstrap.vault(), connections=bootstrap.connections()
    )
    return {"items": [product_view(item) for item in psa.search_products(search, limit=limit)], "next_cursor": None}


def _import_services(rows: list[ServiceRow], caller: Caller) -> dict[str, Any]:
    state = bootstrap.state()
    changed = import_services(
        rows,
        actor=caller.name,
        services=state.services,
        psa=open_psa(integrations=state.integrations, vault=bootstrap.vault(), connections=bootstrap.connections()),
        psa_integration=connected(Side.PSA, state.integrations),
        clock=bootstrap.clock(),
    )
    return {"rows": len(rows), "changed": changed}
