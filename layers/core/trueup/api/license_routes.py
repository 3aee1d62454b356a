"""License counts: which client each tenant is, by which rules users count, and who of a client counts and why."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from trueup import bootstrap
from trueup.api.access import Role
from trueup.api.account_decisions import bulk_rows, decided, imported, listed, one, taken_back
from trueup.api.inputs import AccountDecisionBody, BulkBody, CountingPolicyBody
from trueup.api.license_views import people_view, policies_view, policy_in_force_view, policy_view, user_view
from trueup.api.replies import allowed, page_view, position, written
from trueup.api.run_routes import Cursor, LongLimit
from trueup.api.spreadsheets import read_mappings
from trueup.domain.mapping import MappingState
from trueup.ports.state import Page
from trueup.usecases.counting import clear_policy, licensed_people, policy_book, policy_in_force, set_policy
from trueup.usecases.mapping import TENANT

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.

MSP = "msp"
"""Stands for the whole MSP where a client's id would stand."""

TenantIdPath = Annotated[str, Path(max_length=256)]
Scope = Annotated[str, Path(max_length=256, description=f"PSA account id of a client, or {MSP} for all clients")]
Reason = Annotated[str, Query(max_length=500, description="Why; it is kept in the history")]


@router.get(
    "/v1/license-mappings",
    tags=["licenses"],
    summary="Tenants with their client and suggestions; vendor_account_id is the tenant id",
)
def list_tenants(
    mapping: Annotated[MappingState | None, Query(description="Only tenants in this state")] = None,
    cursor: Cursor = None,
    limit: LongLimit = 100,
) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return listed(TENANT, mapping, cursor, limit)


@router.post("/v1/license-mappings", tags=["licenses"], summary="Many decisions at once: all of them or none")
def bulk_tenants(body: Annotated[BulkBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    return written(router, caller, lambda: imported(TENANT, bulk_rows(body), caller))


@router.post("/v1/license-mappings/import", tags=["licenses"], summary="A mapping file (CSV): all rows or none")
def import_tenants() -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    content = (router.current_event.decoded_body or "").encode()
    return written(router, caller, lambda: imported(TENANT, read_mappings(content), caller))


@router.get("/v1/license-mappings/<tenant_id>", tags=["licenses"], summary="One tenant")
def get_tenant(tenant_id: TenantIdPath) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return one(TENANT, tenant_id)


@router.put("/v1/license-mappings/<tenant_id>", tags=["licenses"], summary="Map or exclude one tenant")
def put_tenant(tenant_id: TenantIdPath, body: Annotated[AccountDecisionBody, Body()]) -> Response[str]:
    """Several tenants may be one client; their users add up."""
    caller = allowed(router, Role.PREPARER)
    return written(router, caller, lambda: decided(TENANT, tenant_id, body, caller))


@router.delete("/v1/license-mappings/<tenant_id>", tags=["licenses"], summary="Take a decision back")
def delete_tenant(
    tenant_id: TenantIdPath,
    version: Annotated[int | None, Query(description="The entry's version that this is based on")] = None,
) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    return written(router, caller, lambda: taken_back(TENANT, tenant_id, version, caller))


@router.get(
    "/v1/licensed-users", tags=["licenses"], summary="Who of a client is counted and who is not, each with the reason"
)
def list_users(
    account: Annotated[str, Query(max_length=256, description="PSA account id of the client; it has to be given")] = "",
    cursor: Cursor = None,
    limit: LongLimit = 500,
) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    state = bootstrap.state()
    found = licensed_people(
        account,
        integrations=state.integrations,
        snapshots=state.snapshots,
        license_accounts=state.license_accounts,
        counting_policies=state.counting_policies,
    )
    # The list is made anew for each page: a cursor is good for this read and this policy only.
    name = f"licensed-users {account} {found.read.id} {found.counted.policy.name}"
    start = int(position(cursor, list_name=name) or 0)
    rest = found.counted.users[start:]
    page = Page(rest[:limit], str(start + limit) if len(rest) > limit else None)
    return {**people_view(found), **page_view(page, user_view, list_name=name)}


@router.get(
    "/v1/counting-policies",
    tags=["licenses"],
    summary="The policy of the MSP, and those of clients that have one",
)
def list_policies() -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    state = bootstrap.state()
    return policies_view(policy_book(counting_policies=state.counting_policies, snapshots=state.snapshots))


@router.get(
    "/v1/counting-policies/<scope>",
    tags=["licenses"],
    summary="The policy that holds for a client, and every version that was said for it",
)
def get_policy(scope: Scope) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    state = bootstrap.state()
    return policy_in_force_view(
        policy_in_force(_client(scope), counting_policies=state.counting_policies, snapshots=state.snapshots)
    )


@router.put("/v1/counting-policies/<scope>", tags=["licenses"], summary="Say by which rules users count; a new version")
def put_policy(scope: Scope, body: Annotated[CountingPolicyBody, Body()]) -> Response[str]:
    """What is left out stays as it is in force for that client now."""
    caller = allowed(router, Role.ADMIN)

    def write() -> dict[str, Any]:
        state = bootstrap.state()
        return policy_view(
            set_policy(
                _client(scope),
                body.changes,
                reason=body.reason,
                actor=caller.name,
                counting_policies=state.counting_policies,
                snapshots=state.snapshots,
                clock=bootstrap.clock(),
            )
        )

    return written(router, caller, write)


@router.delete("/v1/counting-policies/<scope>", tags=["licenses"], summary="Take a policy back; its versions stay")
def delete_policy(scope: Scope, reason: Reason = "") -> Response[str]:
    caller = allowed(router, Role.ADMIN)

    def write() -> dict[str, Any]:
        state = bootstrap.state()
        return policy_view(
            clear_policy(
                _client(scope),
                reason=reason,
                actor=caller.name,
                counting_policies=state.counting_policies,
                snapshots=state.snapshots,
                clock=bootstrap.clock(),
            )
        )

    return written(router, caller, write)


def _client(scope: str) -> str:
    """The client, or nothing for the MSP."""
    return "" if scope == MSP else scope
