"""The simulator's world as Syncro records: names and types as in the published description's own samples.

What the world knows and Syncro cannot say: a line that is not billed has the price 0, units free of charge are not
told, an agreement that is not active is a paused schedule, one that has ended is gone, and so is a line that has ended
or has not begun. The line of a serialized product is one whose quantity follows a count of assets.
"""

from datetime import datetime
from typing import Any

from local.simulators.world import CatalogItem, PsaAddition, PsaAgreement, PsaCompany, World

ACCOUNT_ID = 7_001
CALCULATED_RECURRING_TYPE = 1
"""The description gives the numbers 1 to 6 without saying what each counts."""

NEXT_RUN = "2026-12-01T00:00:00.000Z"
LINE_DEFAULTS: dict[str, Any] = {"taxable": True, "one_time_charge": False}

_STORED_PAST = "2019-10-21T08:33:21.053Z"


def memory(world: World) -> dict[str, Any]:
    """What Syncro keeps of its lines beside the shared world, by line id: fields that the world does not know."""
    kept = world.vendor_state.setdefault("syncro", {})
    kept.setdefault("lines", {})
    return kept


def customer_record(company: PsaCompany) -> dict[str, Any]:
    """One customer: a business here, so it has no first and last name."""
    return {
        "id": company.id,
        "firstname": None,
        "lastname": None,
        "fullname": "",
        "business_name": company.name,
        "email": f"billing@customer{company.id}.example",
        "phone": None,
        "mobile": None,
        "created_at": _STORED_PAST,
        "updated_at": company.last_updated,
        "pdf_url": None,
        "address": None,
        "address_2": None,
        "city": None,
        "state": None,
        "zip": None,
        "latitude": None,
        "longitude": None,
        "notes": None,
        "get_sms": False,
        "opt_out": False,
        "disabled": company.deleted,
        "no_email": False,
        "location_name": None,
        "location_id": None,
        "properties": {},
        "online_profile_url": f"http://simulated.example/my_profile/v2/index?portal_key=sim{company.id}",
        "tax_rate_id": None,
        "notification_email": None,
        "invoice_cc_emails": None,
        "invoice_term_id": None,
        "referred_by": None,
        "ref_customer_id": None,
        "business_and_full_name": company.name,
        "business_then_name": company.name,
        "contacts": [],
    }


def is_listed(agreement: PsaAgreement) -> bool:
    """Whether there is a schedule for it: ended ones are deleted in Syncro, which has no state for them."""
    return agreement.status in ("Active", "Inactive")


def schedule_record(world: World, agreement: PsaAgreement) -> dict[str, Any]:
    """One recurring invoice with its lines."""
    lines = [line_record(world, line) for line in lines_of(world, agreement.id)]
    cents = sum(round(float(line["quantity"]) * line["retail_cents"]) for line in lines)
    return {
        "id": agreement.id,
        "account_id": ACCOUNT_ID,
        "customer_id": agreement.company_id,
        "email_customer": True,
        "frequency": "Monthly",
        "name": agreement.name,
        "next_run": NEXT_RUN,
        "snail_mail": False,
        "charge_mop": False,
        "subtotal": cents / 100,
        "invoice_unbilled_ticket_charges": False,
        "paused": agreement.status == "Inactive",
        "last_invoice_paid": None,
        "lines": lines,
    }


def lines_of(world: World, agreement_id: int) -> list[PsaAddition]:
    """The lines that Syncro has: those that bill today."""
    today = world.clock()
    return [line for line in world.lines_of(agreement_id) if _bills(line, today)]


def _bills(line: PsaAddition, today: datetime) -> bool:
    ended = line.cancelled_date is not None and datetime.fromisoformat(line.cancelled_date) <= today
    return not ended and datetime.fromisoformat(line.effective_date) <= today


def line_record(world: World, line: PsaAddition) -> dict[str, Any]:
    """One schedule line item. Its name is a copy of the product's; prices come in cents and in whole units."""
    item = world.catalog[line.product_id]
    price = line.unit_price if line.bill_customer == "Billable" else 0.0
    record: dict[str, Any] = {
        "id": line.id,
        "cost_cents": round(line.unit_cost * 100),
        "description": line.description,
        "name": item.identifier,
        "position": int(line.sequence_number),
        "product_id": line.product_id,
        "quantity": str(float(line.quantity)),
        "retail_cents": round(price * 100),
        "schedule_id": line.agreement_id,
        "user_id": 1,
        "price_cost": line.unit_cost,
        "price_retail": price,
        "product_category": None,
        "asset_type_id": 3 if item.serialized else None,
        "recurring_type_id": CALCULATED_RECURRING_TYPE if item.serialized else None,
        "device_ids": [],
        **LINE_DEFAULTS,
    }
    kept: dict[str, Any] = memory(world)["lines"].get(str(line.id), {})
    return record | kept


def product_record(item: CatalogItem) -> dict[str, Any]:
    """One product. What the world calls its identifier is its name here."""
    skus = [{"id": item.id, "vendor_name": "Mimecast", "sku": item.vendor_sku}] if item.vendor_sku else []
    return {
        "id": item.id,
        "price_cost": item.cost,
        "price_retail": item.price,
        "condition": None,
        "description": item.description,
        "maintain_stock": False,
        "name": item.identifier,
        "quantity": 0,
        "warranty": None,
        "sort_order": None,
        "reorder_at": None,
        "disabled": item.inactive,
        "taxable": True,
        "product_category": None,
        "category_path": None,
        "upc_code": None,
        "discount_percent": None,
        "warranty_template_id": None,
        "qb_item_id": item.id,
        "desired_stock_level": None,
        "price_wholesale": 0,
        "notes": None,
        "tax_rate_id": None,
        "physical_location": None,
        "serialized": item.serialized,
        "vendor_ids": [],
        "product_skus": skus,
        "long_description": None,
        "location_quantities": [],
        "photos": [],
    }
