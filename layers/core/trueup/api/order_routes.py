"""Change orders: list, show with what to type into the portal, and every step that a person takes with one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from pydantic import Field, StrictBool

from trueup import bootstrap
from trueup.api import inputs
from trueup.api.access import Caller, Role
from trueup.api.order_views import order_view, order_with_work_view
from trueup.api.replies import allowed, page_view, position, written
from trueup.api.run_routes import Cursor, LongLimit
from trueup.domain.change_orders import TEXT_CHARACTERS_MAXIMUM, ChangeOrder
from trueup.domain.errors import InputInvalid, NotFound
from trueup.domain.order_parts import OrderState
from trueup.domain.periods import Period
from trueup.ports.state import Page
from trueup.settings import settings
from trueup.usecases import order_decisions
from trueup.usecases.order_submission import open_order_gate, send_order

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.

OrderId = Annotated[str, Path(max_length=64)]
Action = Annotated[str, Path(max_length=40, description="Which step: terms, release, approve, submitted, ... or send")]
Line = Annotated[str, Field(max_length=TEXT_CHARACTERS_MAXIMUM)]

MEMBERS: dict[str, frozenset[str]] = {
    "terms": frozenset({"implementation_lead", "po_number", "product_change", "contract_starts_on"}),
    "release": frozenset({"reason"}),
    "approve": frozenset({"checksum"}),
    "submitted": frozenset({"order_number", "agreement_acknowledged", "downsell_deadline", "effective_on"}),
    "cancel": frozenset({"reason"}),
    "reject": frozenset({"reason"}),
    "resolve": frozenset({"outcome", "reason"}),
    "send": frozenset({"agreement_acknowledged"}),
}
"""What each action takes of the body; anything else is refused."""

_WAIT_SECONDS_MAXIMUM = 3.0
"""The gateway waits for half a minute at most; whoever is asked to wait longer sends the request again."""

FOR_APPROVERS = frozenset({"release", "approve", "reject", "resolve", "send"})
"""What decides or orders; the rest is for preparers."""


class OrderActionBody(inputs.Body):
    """terms: implementation_lead, po_number, product_change, contract_starts_on. release, cancel, reject: reason.
    approve: checksum. submitted: order_number, agreement_acknowledged, downsell_deadline, effective_on. resolve:
    outcome (submitted, rejected or cancelled), reason. send: agreement_acknowledged.
    """

    implementation_lead: Line | None = None
    po_number: Line | None = None
    product_change: Line | None = None
    contract_starts_on: date | None = None
    reason: Annotated[str, Field(max_length=500)] = ""
    checksum: Annotated[str, Field(max_length=64)] = ""
    order_number: Line = ""
    agreement_acknowledged: StrictBool = False
    downsell_deadline: date | None = None
    effective_on: date | None = None
    outcome: Annotated[str, Field(max_length=40)] = ""


@router.get("/v1/change-orders", tags=["change orders"], summary="Change orders, newest month first")
def list_orders(
    period: Annotated[str | None, Query(description="Billing month, YYYY-MM; all when left out")] = None,
    state: Annotated[
        OrderState | Literal["open"] | None,
        Query(description="Only this state, or all that are open; a page may then hold fewer than the limit"),
    ] = None,
    cursor: Cursor = None,
    limit: LongLimit = 100,
) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    chosen = None if period is None else str(Period.parse(period))
    name = f"change orders {chosen or ''} {state or ''}"
    store = bootstrap.state().change_orders
    page = store.page(period=chosen, cursor=position(cursor, list_name=name), limit=limit)
    fitting = tuple(order for order in page.items if _fits(order, state))
    return page_view(Page(fitting, page.next_cursor), _shown, list_name=name)


@router.get("/v1/change-orders/<order_id>", tags=["change orders"], summary="One order with its work item")
def get_order(order_id: OrderId) -> dict[str, Any]:
    allowed(router, Role.VIEWER)
    return _shown_with_work(bootstrap.state().change_orders.get(order_id))


@router.post(
    "/v1/change-orders/<order_id>/<action>",
    tags=["change orders"],
    summary="Take a step with an order: terms, release, approve, submitted, cancel, reject, resolve or send",
)
def act(order_id: OrderId, action: Action, body: Annotated[OrderActionBody | None, Body()] = None) -> Response[str]:
    caller = allowed(router, Role.APPROVER if action in FOR_APPROVERS else Role.PREPARER)
    said = body or OrderActionBody()
    if action not in MEMBERS:
        raise NotFound(f"there is no step {action[:40]!r}", remedy=f"The steps are {', '.join(MEMBERS)}.")
    foreign = sorted(said.model_fields_set - MEMBERS[action])
    if foreign:
        raise InputInvalid(
            f"{action} takes no {foreign[0]}",
            field=foreign[0],
            remedy=f"It takes {', '.join(sorted(MEMBERS[action]))}.",
        )
    step = _STEPS[action]
    return written(router, caller, lambda: _shown_with_work(step(order_id, said, caller)))


def _terms(order_id: str, body: OrderActionBody, caller: Caller) -> ChangeOrder:
    return order_decisions.set_terms(
        order_id,
        actor=caller.name,
        policy=settings().orders,
        time_zone=settings().time_zone,
        change_orders=bootstrap.state().change_orders,
        clock=bootstrap.clock(),
        implementation_lead=body.implementation_lead,
        po_number=body.po_number,
        product_change=body.product_change,
        contract_starts_on=body.contract_starts_on,
    )


def _approve(order_id: str, body: OrderActionBody, caller: Caller) -> ChangeOrder:
    return order_decisions.approve_order(
        order_id,
        checksum=body.checksum,
        actor=caller.name,
        two_person_approval=settings().two_person_approval,
        change_orders=bootstrap.state().change_orders,
        api_keys=bootstrap.state().api_keys,
        clock=bootstrap.clock(),
    )


def _submitted(order_id: str, body: OrderActionBody, caller: Caller) -> ChangeOrder:
    return order_decisions.mark_submitted(
        order_id,
        order_number=body.order_number,
        actor=caller.name,
        agreement_acknowledged=body.agreement_acknowledged,
        change_orders=bootstrap.state().change_orders,
        snapshots=bootstrap.state().snapshots,
        clock=bootstrap.clock(),
        downsell_deadline=body.downsell_deadline,
        effective_on=body.effective_on,
    )


def _with_reason(step: Callable[..., ChangeOrder]) -> Callable[[str, OrderActionBody, Caller], ChangeOrder]:
    def act_on(order_id: str, body: OrderActionBody, caller: Caller) -> ChangeOrder:
        store = bootstrap.state().change_orders
        return step(order_id, reason=body.reason, actor=caller.name, change_orders=store, clock=bootstrap.clock())

    return act_on


def _resolve(order_id: str, body: OrderActionBody, caller: Caller) -> ChangeOrder:
    return order_decisions.resolve_order(
        order_id,
        outcome=body.outcome,
        reason=body.reason,
        actor=caller.name,
        change_orders=bootstrap.state().change_orders,
        clock=bootstrap.clock(),
    )


def _send(order_id: str, body: OrderActionBody, caller: Caller) -> ChangeOrder:
    """Each request is an execution of its own, so two at once are refused by the lease."""
    state = bootstrap.state()
    return send_order(
        order_id,
        actor=caller.name,
        agreement_acknowledged=body.agreement_acknowledged,
        owner=str(router.current_event.raw_event.get("requestContext", {}).get("requestId", "")) or caller.name,
        gate=open_order_gate(
            enabled=settings().orders_api,
            integrations=state.integrations,
            vault=bootstrap.vault(),
            connections=bootstrap.connections(),
            uploads=state.uploads,
        ),
        change_orders=state.change_orders,
        leases=state.leases,
        clock=bootstrap.clock(),
        wait_seconds_maximum=_WAIT_SECONDS_MAXIMUM,
    )


_STEPS: dict[str, Callable[[str, OrderActionBody, Caller], ChangeOrder]] = {
    "terms": _terms,
    "release": _with_reason(order_decisions.release_order),
    "approve": _approve,
    "submitted": _submitted,
    "cancel": _with_reason(order_decisions.cancel_order),
    "reject": _with_reason(order_decisions.reject_order),
    "resolve": _resolve,
    "send": _send,
}


def _fits(order: ChangeOrder, state: OrderState | str | None) -> bool:
    if state is None:
        return True
    return order.is_open if state == "open" else order.state == state


def _shown(order: ChangeOrder) -> dict[str, Any]:
    return order_view(order, patience=settings().orders.patience, now=bootstrap.clock().now())


def _shown_with_work(order: ChangeOrder) -> dict[str, Any]:
    return order_with_work_view(order, patience=settings().orders.patience, now=bootstrap.clock().now())
