"""How seats are divided among several lines of one product: list, say, forget. Nothing here writes to the PSA."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from trueup import bootstrap
from trueup.api.access import Role
from trueup.api.inputs import LineDivisionBody
from trueup.api.replies import allowed, written
from trueup.api.views import View, time_text
from trueup.domain.allocation import Allocation
from trueup.domain.canonical import decimal_text
from trueup.settings import settings
from trueup.usecases.allocation import Division, divide_lines, forget_division, list_divisions

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.
ClientId = Annotated[str, Path(max_length=256)]
ProductName = Annotated[str, Path(max_length=256, description="internal id or Product ID")]


@router.get("/v1/line-divisions", tags=["mappings"], summary="How seats are divided among several lines of a product")
def divisions() -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    state = bootstrap.state()
    found = list_divisions(
        time_zone=settings().time_zone,
        integrations=state.integrations,
        snapshots=state.snapshots,
        allocations=state.allocations,
        clock=bootstrap.clock(),
    )
    return {"items": [division_view(one) for one in found], "next_cursor": None}


@router.put("/v1/line-divisions/<psa_account_id>/<product_id>", tags=["mappings"], summary="Divide the seats, for good")
def divide(
    psa_account_id: ClientId, product_id: ProductName, body: Annotated[LineDivisionBody, Body()]
) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    state = bootstrap.state()
    return written(
        router,
        caller,
        lambda: division_view(
            divide_lines(
                psa_account_id,
                product_id,
                fixed=[(one.line_id, one.seats) for one in body.fixed],
                balance=body.balance,
                reason=body.reason,
                actor=caller.name,
                time_zone=settings().time_zone,
                integrations=state.integrations,
                snapshots=state.snapshots,
                allocations=state.allocations,
                clock=bootstrap.clock(),
            )
        ),
    )


@router.delete("/v1/line-divisions/<psa_account_id>/<product_id>", tags=["mappings"], summary="Forget how")
def forget(psa_account_id: ClientId, product_id: ProductName) -> Response[str]:
    caller = allowed(router, Role.PREPARER)
    state = bootstrap.state()
    return written(
        router,
        caller,
        lambda: allocation_view(
            forget_division(
                psa_account_id,
                product_id,
                actor=caller.name,
                time_zone=settings().time_zone,
                integrations=state.integrations,
                snapshots=state.snapshots,
                allocations=state.allocations,
                clock=bootstrap.clock(),
            )
        ),
    )


def allocation_view(allocation: Allocation) -> View:
    return {
        "psa_account_id": allocation.psa_account_id,
        "product_id": allocation.product_id,
        "fixed": [{"line_id": line, "seats": seats} for line, seats in allocation.fixed],
        "balance": allocation.balancing,
        "by": allocation.by,
        "at": time_text(allocation.at),
        "reason": allocation.reason,
        "psa_system": allocation.psa_system or None,
        "version": allocation.version,
    }


def division_view(division: Division) -> View:
    """``fits`` is False when the live lines of the last read are not the ones the division names."""
    return {
        **allocation_view(division.allocation),
        "psa_account_name": division.client_name or None,
        "product_code": division.product_code or None,
        "fits": division.fits,
        "lines": [
            {"line_id": line.id, "agreement_id": line.agreement_id, "billed": decimal_text(line.quantity)}
            for line in division.lines
        ],
    }
