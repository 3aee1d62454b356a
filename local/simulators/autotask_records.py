"""The simulator's world as Autotask records: field names and types as documented, from the shared companies and lines.

What the world knows and Autotask cannot say: a line that is not billed costs nothing here, units free of charge do not
exist, an agreement without an end gets a far one, and only "in effect" or not is kept of its status.
"""

from collections.abc import Mapping
from typing import Any

from local.simulators.autotask_periods import PERIOD_LABELS
from local.simulators.world import CatalogItem, PsaAddition, PsaAgreement, PsaCompany

RECURRING_SERVICE = 7
FAR_END = "2099-12-31"

ACCESS_FIELDS = ("userAccessForCreate", "userAccessForDelete", "userAccessForQuery", "userAccessForUpdate")

CONTRACT_FIELDS: tuple[dict[str, Any], ...] = (
    {"name": "id", "dataType": "long"},
    {"name": "companyID", "dataType": "integer", "isReference": True, "referenceEntityType": "Company"},
    {"name": "contractName", "dataType": "string"},
    {
        "name": "contractType",
        "dataType": "integer",
        "picklist": (
            ("1", "Time & Materials"),
            ("3", "Fixed Price"),
            ("4", "Block Hours"),
            ("6", "Retainer"),
            ("7", "Recurring Service"),
            ("8", "Per Ticket"),
        ),
    },
    {"name": "status", "dataType": "integer", "picklist": (("0", "Inactive"), ("1", "In Effect"))},
    {"name": "startDate", "dataType": "datetime"},
    {"name": "endDate", "dataType": "datetime"},
    {
        "name": "contractPeriodType",
        "dataType": "integer",
        "picklist": tuple((str(value), label) for value, label in PERIOD_LABELS.items()),
    },
)
WEBHOOK_FIELD_FIELDS: tuple[dict[str, Any], ...] = (
    {"name": "id", "dataType": "long"},
    {"name": "webhookID", "dataType": "integer"},
    {
        "name": "fieldID",
        "dataType": "integer",
        "picklist": (("14", "Company Name"), ("19", "Company Number"), ("27", "Active"), ("31", "Phone")),
    },
)


def company_record(company: PsaCompany) -> dict[str, Any]:
    """One company. Autotask deletes no company that was billed: it is made inactive."""
    return {
        "id": company.id,
        "companyName": company.name,
        "companyNumber": company.identifier,
        "companyType": 1,
        "isActive": not company.deleted,
        "parentCompanyID": None,
        "phone": "5550100",
        "city": "Springfield",
        "lastTrackedModifiedDateTime": company.last_updated,
        "userDefinedFields": [],
    }


def contract_record(agreement: PsaAgreement, period_type: int) -> dict[str, Any]:
    """One recurring service contract."""
    return {
        "id": agreement.id,
        "companyID": agreement.company_id,
        "contractName": agreement.name,
        "contractType": RECURRING_SERVICE,
        "contractCategory": None,
        "status": 1 if agreement.status == "Active" else 0,
        "startDate": f"{agreement.start_date[:10]}T00:00:00",
        "endDate": f"{(agreement.end_date or FAR_END)[:10]}T00:00:00",
        "contractPeriodType": period_type,
        "billToCompanyID": None,
        "isDefaultContract": False,
        "userDefinedFields": [],
    }


def price_of(line: PsaAddition) -> float:
    """What one unit is billed at: nothing when the line is not to be billed."""
    return line.unit_price if line.bill_customer == "Billable" else 0.0


def contract_service_record(line: PsaAddition) -> dict[str, Any]:
    """One service of a contract. How many units it has is not here."""
    return {
        "id": line.id,
        "contractID": line.agreement_id,
        "serviceID": line.product_id,
        "unitPrice": price_of(line),
        "unitCost": line.unit_cost,
        "internalCurrencyUnitPrice": price_of(line),
        "internalCurrencyAdjustedPrice": None,
        "adjustedPrice": None,
        "invoiceDescription": line.invoice_description or line.description,
        "internalDescription": line.description,
        "quoteItemID": None,
    }


def service_record(item: CatalogItem) -> dict[str, Any]:
    """One service of the list of products; its name is what people call its Product ID."""
    return {
        "id": item.id,
        "name": item.identifier,
        "description": item.description,
        "unitPrice": item.price,
        "unitCost": item.cost,
        "periodType": 1,
        "isActive": not item.inactive,
        "billingCodeID": 29_680_000 + item.id,
        "vendorCompanyID": None,
        "invoiceDescription": item.description,
        "lastModifiedDate": item.last_updated,
    }


def access_record(name: str, *, can_create: bool, can_query: bool, seen: bool) -> dict[str, Any]:
    """What an entity lets be done, and what the user may do. Which words the levels are told in is a guess."""
    return {
        "info": {
            "name": name,
            "canCreate": can_create,
            "canDelete": False,
            "canQuery": can_query,
            "canUpdate": False,
            "userAccessForCreate": "All" if can_create and seen else "None",
            "userAccessForDelete": "None",
            "userAccessForQuery": "All" if can_query and seen else "None",
            "userAccessForUpdate": "None",
            "hasUserDefinedFields": False,
            "supportsWebhookCallouts": name == "Company",
        }
    }


def field_record(field: Mapping[str, Any]) -> dict[str, Any]:
    """One field of an entity as `entityInformation/fields` tells it."""
    values = [
        {"value": value, "label": label, "isDefaultValue": False, "sortOrder": at, "isActive": True, "isSystem": True}
        for at, (value, label) in enumerate(field.get("picklist", ()), start=1)
    ]
    return {
        "name": field["name"],
        "dataType": field["dataType"],
        "length": 0,
        "isRequired": field["name"] != "id",
        "isReadOnly": field["name"] == "id",
        "isQueryable": True,
        "isReference": field.get("isReference", False),
        "referenceEntityType": field.get("referenceEntityType", ""),
        "isPickList": bool(values),
        "picklistValues": values or None,
        "picklistParentValueField": "",
        "isSupportedWebhookField": False,
    }


def only_fields(record: Mapping[str, Any], names: Any) -> dict[str, Any]:
    """The record cut to IncludeFields; everything when none are named. Names compare without case."""
    if not isinstance(names, list) or not names:
        return dict(record)
    wanted = {str(name).casefold() for name in names}
    return {key: value for key, value in record.items() if key.casefold() in wanted}
