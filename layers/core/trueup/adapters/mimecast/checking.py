"""Tries a credential for everything a month needs and says what it may do. It must not change anything."""

from __future__ import annotations

from dataclasses import dataclass

from trueup.adapters.mimecast.account_detail import read_account_detail
from trueup.adapters.mimecast.calls import MimecastCalls, Refused
from trueup.adapters.mimecast.contracts import Contracts
from trueup.adapters.mimecast.customers import CustomerList
from trueup.adapters.mimecast.on_behalf import AccountSwitch, OnBehalf
from trueup.adapters.mimecast.permissions import ACCOUNT, PARTNER
from trueup.domain.billing import Capability, CapabilityReport
from trueup.domain.errors import TenantScopeMismatch


@dataclass(frozen=True, slots=True)
class CheckParts:
    """What a check goes through. ``client_id_end`` are the last characters of the client id, to name the credential."""

    calls: MimecastCalls
    customers: CustomerList
    contracts: Contracts
    switch: AccountSwitch
    client_id_end: str
    has_customer_file: bool


def check_credential(parts: CheckParts) -> CapabilityReport:
    """See VendorBilling.check. A refusal of one thing is a capability not granted; of the credential, an error."""
    parts.calls.sign_in()
    notes: list[str] = []
    identity = f"credential ending in {parts.client_id_end}"
    try:
        home = parts.switch.whoami().home_codes
        identity = f"account {', '.join(sorted(home))}, {identity}" if home else identity
    except Refused as error:
        notes.append(f"Mimecast does not say whom the credential belongs to (status {error.status})")
    customers, first_account = _customers(parts)
    contracts = _contracts(parts)
    if not contracts.granted:
        notes.append("without contracts, seats come from the customer list or from each account")
    if parts.has_customer_file:
        notes.append("the exported customer file is used where the customer list cannot be read")
    return CapabilityReport(
        identity, (customers, contracts, *_account_capabilities(parts.switch, first_account)), tuple(notes)
    )


def _customers(parts: CheckParts) -> tuple[Capability, str | None]:
    try:
        page = parts.customers.read(None, page_size=1)
    except Refused as error:
        return Capability("customers", granted=False, permission=PARTNER, detail=error.message), None
    first = str(page.customers[0].account.id) if page.customers else None
    told = f"{page.total} customer accounts" if page.total is not None else "readable"
    return Capability("customers", granted=True, permission=PARTNER, detail=told), first


def _contracts(parts: CheckParts) -> Capability:
    try:
        parts.contracts.try_reading()
    except Refused as error:
        return Capability("contracts", granted=False, permission=PARTNER, detail=error.message)
    return Capability("contracts", granted=True, permission=PARTNER, detail="readable")


def _account_capabilities(switch: AccountSwitch, account_code: str | None) -> tuple[Capability, Capability]:
    if account_code is None:
        detail = "not tried: there is no customer account to try it with"
        return (
            Capability("on_behalf", granted=False, permission=PARTNER, detail=detail),
            Capability("account_detail", granted=False, permission=ACCOUNT, detail=detail),
        )
    form = switch.form(account_code)
    if form is OnBehalf.UNAVAILABLE:
        detail = "the gateway obeys neither form of the account switch"
        return (
            Capability("on_behalf", granted=False, permission=PARTNER, detail=detail),
            Capability("account_detail", granted=False, permission=ACCOUNT, detail=detail),
        )
    on_behalf = Capability("on_behalf", granted=True, permission=PARTNER, detail=f"by {form.value}")
    try:
        unreadable = read_account_detail(switch, account_code).unreadable
    except TenantScopeMismatch as error:
        unreadable = error.message
    detail = unreadable or "readable"
    return on_behalf, Capability("account_detail", granted=unreadable is None, permission=ACCOUNT, detail=detail)
