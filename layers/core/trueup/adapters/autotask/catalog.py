"""Searches the list of services by what a person types; its name is what people call its Product ID."""

from __future__ import annotations

import re
from typing import Final

from trueup.adapters.autotask.querying import MAX_RECORDS, Condition, Listing, Position, query_page
from trueup.adapters.autotask.replies import SERVICES_PERMISSION
from trueup.adapters.autotask.session import AutotaskSession
from trueup.adapters.autotask.wire import SERVICE_FIELDS, ServiceWire
from trueup.domain.billing import Product
from trueup.domain.product_search import found_products, searched_text

SEARCH: Final = Listing("Services", SERVICE_FIELDS, "searching services", SERVICES_PERMISSION, MAX_RECORDS)

_INTERNAL_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


def search_services(session: AutotaskSession, text: str, limit: int) -> tuple[Product, ...]:
    """Services whose name or description contains the text or whose id it is. Raises InputInvalid for an empty text.

    The text goes into a value of the query and cannot change what the query means. When a full page came, exact hits
    are asked for by themselves, as they may have been left out.
    """
    wanted = searched_text(text, limit)
    conditions: list[Condition] = [
        {"op": "contains", "field": "name", "value": wanted},
        {"op": "contains", "field": "description", "value": wanted},
    ]
    if _INTERNAL_ID.fullmatch(wanted):
        conditions.append({"op": "eq", "field": "id", "value": int(wanted)})
    found, following = _query(session, conditions)
    if following is not None:
        exact = [{"op": "eq", "field": "name", "value": wanted}, *conditions[2:]]
        found += _query(session, exact)[0]
    return found_products((service.product() for service in found), wanted, limit=limit)


def _query(session: AutotaskSession, conditions: list[Condition]) -> tuple[list[ServiceWire], Position | None]:
    return query_page(session, SEARCH, ServiceWire, [{"op": "or", "items": conditions}], Position("search"))
