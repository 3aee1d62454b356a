"""The control routes of a simulator, under `/_control/`: set faults, read the counts, see and edit the world.

They are for tests and for a person at the demo; they need no vendor credential, because the server is on loopback.

    GET|DELETE      /_control/requests   counts by route and status, widest concurrency, last requests (?entries=no)
    GET|POST|DELETE /_control/faults     list, add (one object or a list of them), clear
    GET             /_control/state      the whole world
    POST            /_control/state      one edit: {"operation": NAME, ...} (see OPERATIONS)
    GET|POST        /_control/settings   the switches of this simulator
"""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from local.simulators.directory import ACCESSES
from local.simulators.messages import Reply, Request, json_reply
from local.simulators.mimecast_orders import type_order
from local.simulators.world import World

if TYPE_CHECKING:
    from local.simulators.server import Simulator


def _edit_addition(world: World, edit: dict[str, Any]) -> None:
    world.edit_addition(int(edit.pop("id")), **edit)


def _edit_agreement(world: World, edit: dict[str, Any]) -> None:
    world.edit_agreement(int(edit.pop("id")), **edit)


def _edit_company(world: World, edit: dict[str, Any]) -> None:
    world.edit_company(int(edit.pop("id")), **edit)


def _edit_account(world: World, edit: dict[str, Any]) -> None:
    world.edit_account(str(edit.pop("code")), **edit)


def _rename(world: World, edit: dict[str, Any]) -> None:
    side = edit["side"]
    if side not in ("vendor", "psa"):
        raise ValueError("side is vendor or psa")
    world.rename(side, str(edit["id"]), str(edit["name"]))


def _set_agreed_seats(world: World, edit: dict[str, Any]) -> None:
    world.set_agreed_seats(str(edit["code"]), int(edit["seats"]), str(edit.get("product_id", "9702")))


def _type_order(world: World, edit: dict[str, Any]) -> None:
    type_order(
        world,
        str(edit["code"]),
        int(edit["seats"]),
        product_id=str(edit.get("product_id", "9702")),
        reads=int(edit.get("reads", 1)),
        lost=bool(edit.get("lost", False)),
    )


def _remove_account(world: World, edit: dict[str, Any]) -> None:
    world.remove_account(str(edit["code"]))


def _set_licensed_users(world: World, edit: dict[str, Any]) -> None:
    code, count = str(edit["code"]), int(edit["count"])
    world.edit_directory(lambda directory: directory.of_account(code).set_licensed(count))


def _set_tenant_access(world: World, edit: dict[str, Any]) -> None:
    code, access = str(edit["code"]), edit["access"]
    if access not in ACCESSES:
        raise ValueError(f"access is one of {', '.join(ACCESSES)}")
    world.edit_directory(lambda directory: setattr(directory.of_account(code), "access", access))


def _drift_licenses(world: World, edit: dict[str, Any]) -> None:
    seed, share = int(edit["seed"]), float(edit.get("share", 0.2))
    world.edit_directory(lambda directory: directory.drift(seed, share))


OPERATIONS: Mapping[str, Callable[[World, dict[str, Any]], None]] = {
    "edit_addition": _edit_addition,
    "edit_agreement": _edit_agreement,
    "edit_company": _edit_company,
    "edit_account": _edit_account,
    "rename": _rename,
    "set_agreed_seats": _set_agreed_seats,
    "remove_account": _remove_account,
    "type_order": _type_order,
    "set_licensed_users": _set_licensed_users,
    "set_tenant_access": _set_tenant_access,
    "drift_licenses": _drift_licenses,
}
"""What a person can do at the vendors' own screens, by name."""


def answer(simulator: "Simulator", request: Request) -> Reply:
    """Answer a control route; 400 with the reason for a bad body, 404 for an unknown route."""
    routes: Mapping[str, Callable[[], Reply]] = {
        "GET /_control/requests": lambda: json_reply(
            200, simulator.requests.as_json(entries=request.query.get("entries") != "no")
        ),
        "DELETE /_control/requests": lambda: _done(simulator.requests.clear),
        "GET /_control/faults": lambda: json_reply(200, [fault.as_json() for fault in simulator.faults]),
        "POST /_control/faults": lambda: _add_faults(simulator, request),
        "DELETE /_control/faults": lambda: _done(simulator.faults.clear),
        "GET /_control/state": lambda: json_reply(200, simulator.world.as_json()),
        "POST /_control/state": lambda: _edit_state(simulator, request),
        "GET /_control/settings": lambda: json_reply(200, _settings(simulator)),
        "POST /_control/settings": lambda: _change_settings(simulator, request),
    }
    route = routes.get(f"{request.method} {request.path}")
    if route is None:
        return json_reply(404, {"error": "no such control route", "routes": sorted(routes)})
    try:
        return route()
    except (KeyError, TypeError, ValueError) as error:
        return json_reply(400, {"error": f"{type(error).__name__}: {error}"})


def _done(action: Callable[[], None]) -> Reply:
    action()
    return Reply(204)


def _body(request: Request) -> Any:
    return json.loads(request.body)


def _add_faults(simulator: "Simulator", request: Request) -> Reply:
    value = _body(request)
    wanted = value if isinstance(value, list) else [value]
    faults = []
    for one in wanted:
        options = dict(one.pop("options", {}))
        faults.append(simulator.faults.add(one.pop("kind"), **one, **options))
    return json_reply(201, [fault.as_json() for fault in faults])


def _edit_state(simulator: "Simulator", request: Request) -> Reply:
    edit = dict(_body(request))
    name = edit.pop("operation", "")
    if name in simulator.operations:
        simulator.operations[name]()
    elif name in OPERATIONS:
        OPERATIONS[name](simulator.world, edit)
    else:
        raise ValueError(f"operation is one of {', '.join(sorted([*OPERATIONS, *simulator.operations]))}")
    return Reply(204)


def _settings(simulator: "Simulator") -> dict[str, Any]:
    values = {name: getattr(simulator, name) for name in simulator.settable}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in values.items()}


def _change_settings(simulator: "Simulator", request: Request) -> Reply:
    changes = dict(_body(request))
    unknown = sorted(set(changes) - set(simulator.settable))
    if unknown:
        raise ValueError(f"no setting {', '.join(unknown)}; there is {', '.join(simulator.settable)}")
    for name, value in changes.items():
        present = getattr(simulator, name)
        fitting = {bool: bool, str: str, frozenset: list}.get(type(present), (int, float))
        if not isinstance(value, fitting) or (isinstance(value, bool) and not isinstance(present, bool)):
            raise ValueError(f"{name} does not take {value!r}")
        setattr(simulator, name, frozenset(value) if isinstance(value, list) else value)
    return json_reply(200, _settings(simulator))
