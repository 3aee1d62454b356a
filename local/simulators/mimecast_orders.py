"""Change orders at the simulated Mimecast: quotes, orders and request status, and orders that a person types in.

The bodies are invented, as nobody publishes them. An order is in the agreement from a later read of the customers on,
and it adds a difference, so that the same order taken twice is seen. Must not: refuse a second order of an account;
that there is none is for the other side to see to.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from local.simulators.messages import Reply, Request, json_reply
from local.simulators.mimecast_records import json_object
from local.simulators.world import World

if TYPE_CHECKING:
    from local.simulators.mimecast import MimecastSimulator

_STATE = "mimecast_orders"
_WHOLE_ACCOUNT_PRODUCT = "9702"


def orders_of(world: World) -> list[dict[str, Any]]:
    """Every order that was taken, by the API or typed in, oldest first."""
    found: list[dict[str, Any]] = _kept(world)["orders"]
    return found


def type_order(
    world: World, code: str, seats: int, *, product_id: str = _WHOLE_ACCOUNT_PRODUCT, reads: int = 1, lost: bool = False
) -> dict[str, Any]:
    """A person submits the portal's form: the agreement has these seats from the ``reads``-th read on, or never."""
    with world.lock:
        before = _agreed(world, code, product_id)
        return _take(world, code, product_id, before, seats, reads=reads, fate="lost" if lost else "")


def note_read(world: World) -> None:
    """A new read of the customers begins: orders whose time has come are in the agreement from here on."""
    waiting = [order for order in orders_of(world) if order["status"] == "in_progress" and order["fate"] != "lost"]
    for order in waiting:
        order["reads_left"] -= 1
        if order["reads_left"] > 0:
            continue
        if order["fate"] == "rejected":
            order["status"] = "rejected"
            continue
        now = _agreed(world, order["account_code"], order["product_id"])
        world.set_agreed_seats(order["account_code"], now + order["delta"], order["product_id"])
        order["status"] = "completed"
    if waiting:
        world.persist()


def _post_quote(simulator: "MimecastSimulator", request: Request) -> Reply:
    body = json_object(request.body) or {}
    line = _line(body)
    world = simulator.world
    if line is None or body.get("accountCode") not in world.accounts:
        return _invalid("lines[0].newQuantity", "newQuantity must be a positive integer")
    kept = _kept(world)
    quote_id = f"qt-{8801 + len(kept['quotes'])}"
    kept["quotes"][quote_id] = {"accountCode": body["accountCode"], **line}
    world.persist()
    return json_reply(
        201, {"quoteId": quote_id, "accountCode": body["accountCode"], "lines": [line], "status": "draft"}
    )


def _post_order(simulator: "MimecastSimulator", request: Request) -> Reply:
    body = json_object(request.body) or {}
    quote = _kept(simulator.world)["quotes"].get(body.get("quoteId"))
    if quote is None:
        return _invalid("quoteId", "quoteId is not known")
    fate = "lost" if request.fault("order_lost") else "rejected" if request.fault("order_rejected") else ""
    order = _take(
        simulator.world,
        quote["accountCode"],
        quote["productId"],
        quote["currentQuantity"],
        quote["newQuantity"],
        reads=simulator.order_reads,
        fate=fate,
    )
    return json_reply(202, {"requestId": order["request_id"], "status": "submitted"})


def _get_status(simulator: "MimecastSimulator", _request: Request, request_id: str) -> Reply:
    for order in orders_of(simulator.world):
        if order["request_id"] != request_id:
            continue
        reply: dict[str, Any] = {"requestId": request_id, "status": order["status"]}
        if order["status"] == "completed":
            reply["orderNumber"] = order["order_number"]
        return json_reply(200, reply)
    return simulator.error_reply(404, "not_found", "Request was not found")


def _take(
    world: World, code: str, product_id: str, before: int, seats: int, *, reads: int, fate: str
) -> dict[str, Any]:
    orders = orders_of(world)
    order = {
        "request_id": f"req-{len(orders) + 1:04d}",
        "order_number": f"SO-{100431 + len(orders)}",
        "account_code": code,
        "product_id": product_id,
        "delta": seats - before,
        "seats": seats,
        "status": "in_progress",
        "reads_left": reads,
        "fate": fate,
    }
    orders.append(order)
    world.persist()
    return order


def _line(body: Mapping[str, Any]) -> dict[str, Any] | None:
    lines = body.get("lines")
    line = lines[0] if isinstance(lines, list) and len(lines) == 1 and isinstance(lines[0], dict) else {}
    numbers = [line.get("currentQuantity"), line.get("newQuantity")]
    fits = all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in numbers)
    return line if fits and isinstance(line.get("productId"), str) else None


def _invalid(field: str, message: str) -> Reply:
    return json_reply(400, {"errors": [{"code": "validation_error", "message": message, "field": field}]})


def _agreed(world: World, code: str, product_id: str) -> int:
    """What the contract says, else the account as a whole."""
    contract = world.contract_of(code)
    for line in contract.lines if contract else ():
        if line.product_id == product_id:
            return line.quantity
    account = world.accounts[code]
    return account.partner_seats or account.account_seats or 0


def _kept(world: World) -> dict[str, Any]:
    kept = world.vendor_state.setdefault(_STATE, {})
    kept.setdefault("quotes", {})
    kept.setdefault("orders", [])
    return kept


ORDER_ROUTES: Mapping[str, tuple[str, Callable[..., Reply]]] = {
    "/partner/v1/msp/quotes": ("POST", _post_quote),
    "/partner/v1/msp/orders": ("POST", _post_order),
    "/partner/v1/msp/request-status/{id}": ("GET", _get_status),
}
