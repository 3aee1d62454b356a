"""The simulator's world as HaloPSA records: names and types as published, the empty values as seen in the field.

What the world knows and HaloPSA cannot say: a line that is not billed has the price 0, units free of charge are not
told, a serialized product's line is a calculated line, an ended agreement has an end date.
"""

from datetime import UTC, datetime
from typing import Any

from local.simulators.world import CatalogItem, PsaAddition, PsaAgreement, PsaCompany, World

EMPTY_DATE = "1899-12-30T00:00:00"
"""What stands for no date; seen in the field."""

CALCULATED_TYPE = 3
"""Which numbers HaloPSA gives to the kinds of calculated quantity is not published; 0 was seen on manual lines."""

NEXT_CREATION = "2026-12-01T00:00:00"

COMPUTED = frozenset(
    {
        "id",
        "ihid",
        "_itemid",
        "item_code",
        "item_shortdescription",
        "qty_order",
        "unit_price",
        "unit_cost",
        "net_amount",
        "startdate",
        "enddate",
        "sequenceid",
        "recurring_invoice_quantity_type",
        "_is_calculated_line",
        "quantity_licences",
    }
)
"""Fields of a line that come from the world; whatever else is posted is kept beside it and sent back as it came."""

_MANUAL_LINE: dict[str, Any] = {
    "customfields": [],
    "tax_code": "5",
    "asset_id": -1,
    "contract_id": -1,
    "isinactive": False,
    "group_id": 0,
    "isgroupdesc": False,
    "onetimecharge": False,
    "prorata_next_invoice": False,
    "prorata_quantity": 0.0,
    "prorata_data": [],
    "quantity_users": [],
    "quantity_assets": [],
    "quantity_subscriptions": [],
    "discount_perc": 0.0,
}


def memory(world: World) -> dict[str, Any]:
    """What this PSA keeps beside the shared world: fields of lines and invoices, changes, webhooks."""
    kept = world.vendor_state.setdefault("halopsa", {})
    for name in ("lines", "invoices", "clients"):
        kept.setdefault(name, {})
    for name in ("changes", "webhooks"):
        kept.setdefault(name, [])
    return kept


def halo_time(moment: datetime) -> str:
    """``YYYY-MM-DDTHH:MM:SS``, without a zone, as HaloPSA writes every moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def client_record(world: World, company: PsaCompany) -> dict[str, Any]:
    """One client (Area)."""
    return {
        "id": company.id,
        "name": company.name,
        "toplevel_id": 1,
        "toplevel_name": "Acme MSP",
        "inactive": company.deleted,
        "ref": company.identifier,
        "accountsid": "",
        "client_to_invoice": 0,
        "customertype": 0,
        "stopped": 0,
        "connectwiseid": 0,
        "autotaskid": -1,
        "syncroid": 0,
        "customfields": [],
        "external_links": [],
        **memory(world)["clients"].get(str(company.id), {}),
    }


def invoice_record(world: World, agreement: PsaAgreement, *, with_lines: bool) -> dict[str, Any]:
    """One recurring invoice (InvoiceHeader)."""
    company = world.companies[agreement.company_id]
    lines = world.lines_of(agreement.id)
    record = {
        "disabled": agreement.status in ("Inactive", "Cancelled"),
        "customfields": [],
        "id": agreement.id,
        "client_id": company.id,
        "client_name": company.name,
        "name": company.name,
        "reference": agreement.name,
        "invoicenumber": "0",
        "last_modified": _last_modified(world, agreement),
        "contract_id": -1,
        "contract_ref": "",
        "currency": "$",
        "currency_code": 1,
        "currency_code_name": "USD",
        "is_recurring_invoice": True,
        "period": 1,
        "periodname": "Monthly",
        "lastcreated": "2026-11-01T00:05:00",
        "nextcreationdate": NEXT_CREATION,
        "startdate": _moment(agreement.start_date),
        "enddate": _moment(_end_of(agreement)),
        "reviewrequired": False,
        "approval_status": 0,
        "requires_approval": True,
        "contains_calculated_quantity": any(world.catalog[line.product_id].serialized for line in lines),
        "total": round(sum(line.quantity * _price(line) for line in lines), 2),
        **memory(world)["invoices"].get(str(agreement.id), {}),
    }
    if with_lines:
        record["lines"] = [line_record(world, line) for line in lines]
    return record


def line_record(world: World, line: PsaAddition) -> dict[str, Any]:
    """One line (InvoiceDetail); the amount follows the quantity."""
    item = world.catalog[line.product_id]
    licence = {"id": line.id + 1, "invoice_line_id": line.id, "licence_id": 5, "qty_free": 0, "minimum_qty": 0}
    return {
        **_MANUAL_LINE,
        "id": line.id,
        "ihid": line.agreement_id,
        "_itemid": item.id,
        "item_code": item.identifier,
        "item_shortdescription": line.description,
        "qty_order": line.quantity,
        "unit_price": _price(line),
        "unit_cost": line.unit_cost,
        "net_amount": round(line.quantity * _price(line), 2),
        "startdate": _moment(line.effective_date),
        "enddate": _moment(line.cancelled_date),
        "sequenceid": int(line.sequence_number),
        "recurring_invoice_quantity_type": CALCULATED_TYPE if item.serialized else 0,
        "_is_calculated_line": item.serialized,
        "quantity_licences": [licence] if item.serialized else [],
        **memory(world)["lines"].get(str(line.id), {}),
    }


def item_record(item: CatalogItem) -> dict[str, Any]:
    """One product; the published shape has no mark for inactive ones, the list is asked for one kind or the other."""
    return {
        "id": item.id,
        "name": item.identifier,
        "description": item.description,
        "assetgroup_name": "Security",
        "supplier_part_code": item.vendor_sku,
        "baseprice": item.price,
        "costprice": item.cost,
        "recurringprice": item.price,
        "recurringcost": item.cost,
        "isrecurringitem": item.product_class == "Agreement",
        "accountsid": "",
        "third_party_id": "",
        "autotaskserviceid": 0,
    }


def _price(line: PsaAddition) -> float:
    return line.unit_price if line.bill_customer == "Billable" else 0.0


def _end_of(agreement: PsaAgreement) -> str | None:
    if agreement.end_date is None and agreement.status in ("Cancelled", "Expired"):
        return agreement.last_updated
    return agreement.end_date


def _moment(text: str | None) -> str:
    return f"{text[:10]}T00:00:00" if text else EMPTY_DATE


def _last_modified(world: World, agreement: PsaAgreement) -> str:
    """The newest edit of the invoice or a line of it, with milliseconds that differ after every edit.

    HaloPSA counts milliseconds; the world counts seconds, and may put two edits of different lines into the same one.
    """
    stamps = [agreement.last_updated, *(line.last_updated for line in world.lines_of(agreement.id))]
    moments = [datetime.fromisoformat(stamp) for stamp in stamps]
    thousandths = sum(int(moment.timestamp()) for moment in moments) % 1000
    return f"{halo_time(max(moments))}.{thousandths:03d}"
