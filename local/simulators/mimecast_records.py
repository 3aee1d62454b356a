"""The simulator's world as Mimecast records, and the page tokens and bodies of its routes."""

import base64
import json
import re
from typing import Any

from local.simulators.credentials import PASSPHRASE_CANARY, SUPPORT_CODE_CANARY
from local.simulators.world import VendorAccount, VendorContract, VendorProduct


def customer_record(account: VendorAccount) -> dict[str, Any]:
    """One row of the partner's customer list."""
    record = {
        "accountCode": account.code,
        "accountName": account.name,
        "status": account.status,
        "region": account.region,
    }
    # A count that is not told is left out; it is never a zero.
    return record if account.partner_seats is None else {**record, "userCount": account.partner_seats}


def contract_record(contract: VendorContract) -> dict[str, Any]:
    """One agreement with its lines."""
    return {
        "id": contract.id,
        "accountCode": contract.account_code,
        "organizationId": contract.organization_id,
        "status": contract.status,
        "startDate": contract.start_date,
        "renewalDate": contract.renewal_date,
        "nextBillingDate": contract.next_billing_date,
        "lines": [
            {"productId": line.product_id, "productName": line.product_name, "quantity": line.quantity}
            for line in contract.lines
        ],
    }


def product_record(product: VendorProduct) -> dict[str, Any]:
    """One product of the price list."""
    return {"id": product.id, "name": product.name, "type": product.type}


def page_token(offset: int, serial: str = "null") -> str:
    """An opaque page token; the serial makes two tokens for one place differ."""
    return base64.b64encode(f"{offset}:{serial}".encode()).decode()


def page_offset(token: str) -> int | None:
    """The offset in a page token; 0 without a token, None for a token this server never gave out."""
    if not token:
        return 0
    try:
        text = base64.b64decode(token, validate=True).decode("ascii")
    except ValueError:
        return None
    number, separator, _serial = text.partition(":")
    return int(number) if separator and number.isdecimal() and len(number) < 12 else None


def json_object(body: bytes) -> dict[str, Any] | None:
    """The JSON object of a POST body; an empty body counts as `{}`, None stands for anything else."""
    if not body:
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def account_record(account: VendorAccount, packages: list[Any]) -> dict[str, Any]:
    """What get-account tells, secrets included: a client must keep a white list of fields."""
    record: dict[str, Any] = {
        "region": account.region, "archive": False, "gateway": True, "passphrase": PASSPHRASE_CANARY,
        "supportCode": SUPPORT_CODE_CANARY, "maxRetention": 30, "maxRetentionConfirmed": True,
        "minRetentionEnabled": False, "automatedSegmentPurge": True, "type": "full", "policyInheritance": False,
        "databaseCode": "simdb1", "searchReason": False, "adminSessionTimeout": 60, "exportApi": False,
        "exgestAllowQuery": False, "accountCode": account.code, "accountName": account.name, "adminEmail": "",
        "contactEmail": account.contact_email, "domain": "", "userCount": account.account_seats,
        "mimecastId": f"01-0099-{int(re.sub('[^0-9]', '', account.code) or 0) % 100_000:05d}",
        "contactName": "Front Desk", "telephone": "", "packages": packages,
    }  # fmt: skip
    if account.account_seats is None:
        del record["userCount"]
    return record
