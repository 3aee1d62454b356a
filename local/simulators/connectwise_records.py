"""The simulator's world as ConnectWise PSA records: field names, types and nesting as in the published description."""

from collections.abc import Iterable, Mapping
from typing import Any

from local.simulators.world import CatalogItem, PsaAddition, PsaAgreement, PsaCompany, World


def company_record(company: PsaCompany) -> dict[str, Any]:
    """One company."""
    return {
        "id": company.id,
        "identifier": company.identifier,
        "name": company.name,
        "status": {"id": 1 if company.status == "Active" else 2, "name": company.status},
        "types": [{"id": 1, "name": "Customer"}],
        "city": "Springfield",
        "phoneNumber": "5550100",
        "deletedFlag": company.deleted,
        "_info": {"lastUpdated": company.last_updated, "updatedBy": company.updated_by},
    }


def agreement_record(world: World, agreement: PsaAgreement) -> dict[str, Any]:
    """One agreement."""
    company = world.companies[agreement.company_id]
    return {
        "id": agreement.id,
        "name": agreement.name,
        "type": {"id": 4, "name": "Managed Services"},
        "company": {"id": company.id, "identifier": company.identifier, "name": company.name},
        "contact": {"id": company.id + 4_000, "name": "Accounts Payable"},
        "startDate": agreement.start_date,
        "endDate": agreement.end_date,
        "noEndingDateFlag": agreement.end_date is None,
        "cancelledFlag": agreement.status == "Cancelled",
        "billingCycle": {"id": 2, "name": "Monthly"},
        "billStartDate": agreement.start_date,
        "nextInvoiceDate": "2026-12-01",
        "periodType": "Current",
        "invoicingCycle": "CalendarYear",
        "prorateFlag": agreement.prorate,
        "invoiceProratedAdditionsFlag": agreement.prorate,
        "currency": {"id": 7, "name": "US Dollars"},
        "agreementStatus": agreement.status,
        "_info": {"lastUpdated": agreement.last_updated, "updatedBy": agreement.updated_by},
    }


MORE_FIELDS = (
    "taxableFlag",
    "serialNumber",
    "purchaseItemFlag",
    "specialOrderFlag",
    "uom",
    "prorateCurrentPeriodFlag",
    "invoiceGrouping",
    "customFields",
)
"""Fields of an addition that the shared world does not know; kept beside it where somebody sets them."""


def keep_more(world: World, line_id: int, given: Mapping[str, Any]) -> None:
    """Keep those fields of an addition."""
    kept = world.vendor_state.setdefault("connectwise", {}).setdefault("additions", {})
    kept[str(line_id)] = {name: given[name] for name in MORE_FIELDS if name in given}


def addition_record(world: World, line: PsaAddition) -> dict[str, Any]:
    """One addition; the extended amounts follow the quantity, as they do in the PSA."""
    more = world.vendor_state.get("connectwise", {}).get("additions", {}).get(str(line.id), {})
    item = world.catalog[line.product_id]
    price, cost = round(line.quantity * line.unit_price, 2), round(line.quantity * line.unit_cost, 2)
    return {
        "id": line.id,
        "product": {"id": item.id, "identifier": item.identifier, "serializedFlag": item.serialized},
        "quantity": line.quantity,
        "lessIncluded": line.less_included,
        "billedQuantity": line.quantity - line.less_included,
        "unitPrice": line.unit_price,
        "unitCost": line.unit_cost,
        "extPrice": price,
        "extCost": cost,
        "margin": round(price - cost, 2),
        "billCustomer": line.bill_customer,
        "effectiveDate": line.effective_date,
        "cancelledDate": line.cancelled_date,
        "taxableFlag": True,
        "prorateCurrentPeriodFlag": False,
        "description": line.description,
        "invoiceDescription": line.invoice_description,
        "uom": "Each",
        "sequenceNumber": line.sequence_number,
        "agreementId": line.agreement_id,
        "agreementStatus": world.agreements[line.agreement_id].status,
        **more,
        "_info": {"lastUpdated": line.last_updated, "updatedBy": line.updated_by},
    }


def catalog_record(item: CatalogItem) -> dict[str, Any]:
    """One product of the catalog."""
    return {
        "id": item.id,
        "identifier": item.identifier,
        "description": item.description,
        "inactiveFlag": item.inactive,
        "productClass": item.product_class,
        "serializedFlag": item.serialized,
        "price": item.price,
        "cost": item.cost,
        "recurringFlag": item.product_class == "Agreement",
        "recurringRevenue": item.price,
        "recurringCost": item.cost,
        "subcategory": {"id": 12, "name": "Security"},
        "type": {"id": 3, "name": "Cloud"},
        "customerDescription": item.description,
        "vendorSku": item.vendor_sku,
        "_info": {"lastUpdated": item.last_updated},
    }


def only_fields(record: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """The record cut to `fields=`: whole fields, or parts of a reference (`company/id`). Unknown names are ignored.

    `_info` comes only when it is listed, which was observed and is easily forgotten. That unknown names are ignored
    is a guess.
    """
    cut: dict[str, Any] = {}
    for path in fields:
        _copy(record, cut, path.strip().split("/"))
    return cut


def _copy(source: Mapping[str, Any], target: dict[str, Any], path: list[str]) -> None:
    name, rest = path[0], path[1:]
    if name not in source:
        return
    value = source[name]
    if rest and isinstance(value, Mapping):
        inner = target.setdefault(name, {})
        _copy(value, inner, rest)
    else:
        target[name] = value
