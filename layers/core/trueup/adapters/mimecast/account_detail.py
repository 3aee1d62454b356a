"""What one account says of itself: name, users, packages, main product, read on its behalf.

``get-account`` also returns secrets (a passphrase, a support code, contacts): a white list of fields is kept and the
rest is dropped before anything looks at it. Mimecast does not say whether ``userCount`` is licensed or counted users;
it is the last of the vendor's numbers to be believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trueup.adapters.mimecast.calls import Refused
from trueup.adapters.mimecast.on_behalf import (
    GET_ACCOUNT_PATH,
    AccountSwitch,
    OnBehalf,
    account_code_of,
    require_account,
)
from trueup.adapters.mimecast.packages import Package, parse_packages
from trueup.adapters.mimecast.reading import display_text, read_seats, schema_unknown
from trueup.adapters.mimecast.source_counts import SourceCount
from trueup.domain.counts import Basis

SUPPORT_INFO_PATH: Final = "/api/account/get-support-info"
KEPT_FIELDS: Final = ("accountCode", "accountName", "userCount", "packages", "type", "region")
ACCOUNT_LEVEL: Final = " (account-level count)"


@dataclass(frozen=True, slots=True)
class AccountDetail:
    """``unreadable`` tells why the account could not be asked; then everything else is empty."""

    seats: SourceCount
    main_product: str = ""
    packages: frozenset[Package] = frozenset()
    unreadable: str | None = None


def read_account_detail(switch: AccountSwitch, account_code: str) -> AccountDetail:
    """Ask the account for its users, its packages and its main product.

    An account that may not be seen or is gone (it may have moved to another partner) is unreadable, not empty. Raises
    TenantScopeMismatch when the answer is about another account, and VendorTrouble when no answer came.
    """
    silent = SourceCount(Basis.ACCOUNT_USER_COUNT)
    if switch.form(account_code) is OnBehalf.UNAVAILABLE:
        return AccountDetail(silent, unreadable="the credential cannot ask on behalf of accounts")
    try:
        document = switch.ask(GET_ACCOUNT_PATH, account_code)
    except Refused as error:
        told = error.vendor_code or error.status or error.code
        return AccountDetail(silent, unreadable=f"the account itself cannot be read ({told})")
    record = _kept(document)
    require_account(account_code_of({"data": [record]}), account_code)
    seats = read_seats(
        record,
        ("userCount",),
        basis=Basis.ACCOUNT_USER_COUNT,
        source=f"POST {GET_ACCOUNT_PATH}",
        reference=account_code,
        label=ACCOUNT_LEVEL,
    )
    return AccountDetail(seats, _main_product(switch, account_code), parse_packages(record.get("packages")))


def _kept(document: object) -> dict[str, object]:
    """The white-listed fields of the one record of an envelope."""
    data = document.get("data") if isinstance(document, Mapping) else None
    record = data[0] if isinstance(data, list) and len(data) == 1 else None
    if not isinstance(record, Mapping):
        raise schema_unknown("the account reply does not hold one record", document, "none")
    return {name: record[name] for name in KEPT_FIELDS if name in record}


def _main_product(switch: AccountSwitch, account_code: str) -> str:
    """The name of the plan; "" when it is not told or may not be asked.

    This reply names no account, so it is only asked for after get-account has proved that the switch is obeyed for it.
    """
    try:
        document = switch.ask(SUPPORT_INFO_PATH, account_code)
    except Refused:
        return ""
    data = document.get("data") if isinstance(document, Mapping) else None
    record = data[0] if isinstance(data, list) and data else None
    product = record.get("mainProduct") if isinstance(record, Mapping) else None
    return display_text(product).strip() if isinstance(product, str) else ""
