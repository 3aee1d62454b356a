"""The routes of the simulated ConnectWise: which path and method leads where, and what each one reads or writes.

The PATCH rules are the documented ones: an array of operations, a bare field name, and a sub-path that is answered
200 and changes nothing.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.simulators import connectwise_callbacks as callbacks
from local.simulators.connectwise_records import (
    addition_record,
    agreement_record,
    catalog_record,
    company_record,
    keep_more,
)
from local.simulators.messages import Reply, Request, json_reply, wire_time
from local.simulators.tickets import CONNECTWISE_ROUTES
from local.simulators.world import PsaAddition, WriteRecord

if TYPE_CHECKING:
    from local.simulators.connectwise import ConnectWiseSimulator

type Handler = Callable[..., Reply]

MAX_QUANTITY = 999_999
_PATCHABLE = {
    "quantity": "quantity",
    "lessIncluded": "less_included",
    "unitPrice": "unit_price",
    "unitCost": "unit_cost",
    "billCustomer": "bill_customer",
    "cancelledDate": "cancelled_date",
    "effectiveDate": "effective_date",
    "description": "description",
    "invoiceDescription": "invoice_description",
}
_NUMBERS = {"quantity", "lessIncluded", "unitPrice", "unitCost", "sequenceNumber"}


@dataclass(frozen=True, slots=True)
class Found:
    """A route that fits a path, with the ids from the path."""

    template: str
    handlers: Mapping[str, Handler]
    numbers: tuple[int, ...]


def find(resource: str) -> Found | None:
    """The route for a resource path, or None."""
    for template, handlers in ROUTES.items():
        match = _PATTERNS[template].fullmatch(resource)
        if match:
            return Found(template, handlers, tuple(int(one) for one in match.groups()))
    return None


# Companies, agreements, catalog: read only.


def _companies(simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    world = simulator.world
    return simulator.page_of(request, sorted(world.companies), lambda key: company_record(world.companies[key]))


def _companies_count(simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    world = simulator.world
    return simulator.count_of(request, world.companies, lambda key: company_record(world.companies[key]))


def _company(simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None, key: int) -> Reply:
    company = simulator.world.companies.get(key)
    return simulator.one(request, company_record(company) if company else None, f"Company {key}")


def _agreements(simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    world = simulator.world
    return simulator.page_of(
        request, sorted(world.agreements), lambda key: agreement_record(world, world.agreements[key])
    )


def _agreements_count(simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    world = simulator.world
    return simulator.count_of(request, world.agreements, lambda key: agreement_record(world, world.agreements[key]))


def _agreement(simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None, key: int) -> Reply:
    agreement = simulator.world.agreements.get(key)
    record = agreement_record(simulator.world, agreement) if agreement else None
    return simulator.one(request, record, f"Agreement {key}")


def _catalog(simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    catalog = simulator.world.catalog
    return simulator.page_of(request, sorted(catalog), lambda key: catalog_record(catalog[key]))


def _catalog_count(simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    catalog = simulator.world.catalog
    return simulator.count_of(request, catalog, lambda key: catalog_record(catalog[key]))


def _catalog_item(simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None, key: int) -> Reply:
    item = simulator.world.catalog.get(key)
    return simulator.one(request, catalog_record(item) if item else None, f"CatalogItem {key}")


# Additions.


def _additions(simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None, parent: int) -> Reply:
    world = simulator.world
    if parent not in world.agreements:
        return simulator.error_reply(404, "NotFound", f"Agreement {parent} not found")
    ids = [line.id for line in world.lines_of(parent)]
    return simulator.page_of(request, ids, lambda key: addition_record(world, world.additions[key]))


def _additions_count(
    simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None, parent: int
) -> Reply:
    world = simulator.world
    if parent not in world.agreements:
        return simulator.error_reply(404, "NotFound", f"Agreement {parent} not found")
    ids = [line.id for line in world.lines_of(parent)]
    return simulator.count_of(request, ids, lambda key: addition_record(world, world.additions[key]))


def _line(simulator: "ConnectWiseSimulator", parent: int, key: int) -> PsaAddition | None:
    line = simulator.world.additions.get(key)
    return line if line is not None and line.agreement_id == parent else None


def _addition(
    simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None, parent: int, key: int
) -> Reply:
    line = _line(simulator, parent, key)
    record = addition_record(simulator.world, line) if line else None
    return simulator.one(request, record, f"Addition {key}")


def _patch_addition(
    simulator: "ConnectWiseSimulator", request: Request, record: WriteRecord, parent: int, key: int
) -> Reply:
    world, line = simulator.world, _line(simulator, parent, key)
    if line is None:
        return simulator.error_reply(404, "NotFound", f"Addition {key} not found")
    operations = _json(request.body)
    if not isinstance(operations, list) or not operations:
        return simulator.error_reply(400, "InvalidObject", "The body must be an array of patch operations.")
    changes: dict[str, Any] = {}
    for operation in operations:
        problem = _read_operation(operation, changes)
        if problem is not None:
            return _invalid(problem.field, problem.message)
    clamp = request.fault("clamped_quantity")
    if clamp and "quantity" in changes:
        changes["quantity"] = min(changes["quantity"], float(clamp.option("maximum", line.quantity)))
    if changes and not request.fault("false_success"):
        line = world.commit_write(record, key, **changes)
    return json_reply(200, addition_record(world, line))


@dataclass(frozen=True, slots=True)
class _Problem:
    field: str
    message: str


def _read_operation(operation: Any, changes: dict[str, Any]) -> _Problem | None:
    """Add what one operation asks for to `changes`; a problem when the vendor would refuse it.

    That an unknown or wrongly cased bare name is refused is a guess; the vendor says only that case matters.
    """
    if not isinstance(operation, dict) or operation.get("op") not in ("add", "replace", "remove"):
        return _Problem("op", "The operation must be add, replace or remove.")
    path = operation.get("path")
    if not isinstance(path, str) or not path or path.startswith("/"):
        return _Problem("path", f"The path {path!r} is not the name of a field.")
    if "/" in path:
        # Documented trap: a path below a reference may be answered 200 while nothing changes.
        return None
    if path not in _PATCHABLE and operation["op"] != "add":
        return _Problem(path, f"The field {path} cannot be changed.")
    value = None if operation["op"] == "remove" else operation.get("value")
    if path in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return _Problem(path, f"The field {path} must be a number.")
        if not 0 <= value <= MAX_QUANTITY:
            return _Problem(path, f"The field {path} must be between 0 and {MAX_QUANTITY}.")
        value = float(value)
    elif path == "billCustomer":
        if value not in ("Billable", "DoNotBill", "NoCharge"):
            return _Problem(path, "The field billCustomer must be Billable, DoNotBill or NoCharge.")
    elif not isinstance(value, str) and not (value is None and path == "cancelledDate"):
        return _Problem(path, f"The field {path} must be text.")
    changes[_PATCHABLE.get(path, "sequence_number")] = value
    return None


def _post_addition(simulator: "ConnectWiseSimulator", request: Request, record: WriteRecord, parent: int) -> Reply:
    world = simulator.world
    if parent not in world.agreements:
        return simulator.error_reply(404, "NotFound", f"Agreement {parent} not found")
    body = _json(request.body)
    product = body.get("product") if isinstance(body, dict) else None
    item = world.catalog.get(product.get("id", 0)) if isinstance(product, dict) else None
    if item is None or item.product_class == "Bundle":
        return _invalid("product", "The field product is required and must name a product that is not a bundle.")
    if body.get("billCustomer") not in ("Billable", "DoNotBill", "NoCharge"):
        return _invalid("billCustomer", "The field billCustomer is required.")
    changes: dict[str, Any] = {}
    for name in (*_PATCHABLE, "sequenceNumber"):
        if name in body:
            problem = _read_operation({"op": "add", "path": name, "value": body[name]}, changes)
            if problem is not None:
                return _invalid(problem.field, problem.message)
    clamp = request.fault("clamped_quantity")
    if clamp and "quantity" in changes:
        changes["quantity"] = min(changes["quantity"], float(clamp.option("maximum", 1)))
    line = PsaAddition(
        id=max(world.additions, default=88_430) + 1,
        agreement_id=parent,
        product_id=item.id,
        **{
            "quantity": 1.0,
            "unit_price": item.price,
            "unit_cost": item.cost,
            "effective_date": wire_time(world.clock()),
            "description": item.description,
            "invoice_description": item.description,
            **changes,
        },
        last_updated=wire_time(world.clock()),
        updated_by="ApiMimecast",
    )

    def work() -> None:
        record.before, record.after, record.line_id = 0.0, line.quantity, line.id
        world.add_addition(line)
        keep_more(world, line.id, body)

    world.commit(record, line.id, work)
    location = f"{request.base_url}{request.path}/{line.id}"
    return json_reply(201, addition_record(world, line), headers=[("Location", location)])


# Audit trail.


def _audit_trail(simulator: "ConnectWiseSimulator", request: Request, _record: WriteRecord | None) -> Reply:
    # Which values `type` takes is not documented; only the one of the sample is served.
    query = request.query
    wanted = query.get("id", "")
    if query.get("type") != "Agreement" or not wanted.isdecimal():
        return simulator.error_reply(400, "InvalidObject", "type must be Agreement and id a number")
    rows = [dict(one) for one in simulator.world.audit if one["agreement_id"] == int(wanted)]
    for row in rows:
        del row["agreement_id"]
    return json_reply(200, rows)


def _json(body: bytes) -> Any:
    """The body as JSON; None when it is not JSON (which no route accepts either)."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _invalid(field: str, message: str, resource: str = "addition") -> Reply:
    inner = {"code": "OutOfRange", "message": message, "resource": resource, "field": field}
    return json_reply(400, {"code": "InvalidObject", "message": f"{resource} object is invalid", "errors": [inner]})


ROUTES: Mapping[str, Mapping[str, Handler]] = {
    "/company/companies": {"GET": _companies},
    "/company/companies/count": {"GET": _companies_count},
    "/company/companies/{id}": {"GET": _company},
    "/finance/agreements": {"GET": _agreements},
    "/finance/agreements/count": {"GET": _agreements_count},
    "/finance/agreements/{id}": {"GET": _agreement},
    "/finance/agreements/{id}/additions": {"GET": _additions, "POST": _post_addition},
    "/finance/agreements/{id}/additions/count": {"GET": _additions_count},
    "/finance/agreements/{id}/additions/{id}": {"GET": _addition, "PATCH": _patch_addition},
    "/procurement/catalog": {"GET": _catalog},
    "/procurement/catalog/count": {"GET": _catalog_count},
    "/procurement/catalog/{id}": {"GET": _catalog_item},
    **CONNECTWISE_ROUTES,
    "/system/audittrail": {"GET": _audit_trail},
    "/system/callbacks": {"GET": callbacks.list_callbacks, "POST": callbacks.post_callback},
    "/system/callbacks/{id}": {
        "GET": callbacks.one_callback,
        "PATCH": callbacks.patch_callback,
        "DELETE": callbacks.delete_callback,
    },
}
_PATTERNS = {template: re.compile(template.replace("{id}", r"(\d{1,12})")) for template in ROUTES}
