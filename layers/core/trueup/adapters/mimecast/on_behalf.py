"""Asking on behalf of a customer account, and making sure that the answer is about that account.

That it is possible is documented for Tenant API credentials; how is not. Two forms were seen: the header
``x-mc-accountcode`` (one public script) and ``meta.accountCode`` in the body (a summary of the vendor's portal). Which
one a gateway obeys is found out once; it can also be set. A form that is silently ignored answers for the partner's own
account, so every answer that names an account is compared with the account asked for.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from trueup.adapters.mimecast.calls import ACCOUNT_SWITCH_HEADER, CallRefused, MimecastCalls, Refused
from trueup.adapters.mimecast.permissions import ACCOUNT, IDENTITY
from trueup.adapters.mimecast.reading import INTEGRATION, identifier
from trueup.domain.errors import TenantScopeMismatch

WHOAMI_PATH: Final = "/identity/whoami"
GET_ACCOUNT_PATH: Final = "/api/account/get-account"
_PROBES_MAXIMUM = 3
_SENDABLE_CODE = re.compile(r"[!-~]{1,100}")


class OnBehalf(StrEnum):
    """How the account switch is sent; ``unavailable`` means that it is not used at all."""

    HEADER = "header"
    BODY = "body"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Identity:
    """What whoami says: the codes of the account the call is for, and of the one the credential belongs to."""

    target_codes: frozenset[str]
    home_codes: frozenset[str]


class AccountSwitch:
    """Sends calls on behalf of accounts. Safe to share between threads."""

    def __init__(self, calls: MimecastCalls, fixed: OnBehalf | None = None) -> None:
        self._calls = calls
        self._lock = threading.Lock()
        self._form = fixed
        self._probes = 0

    def form(self, account_code: str) -> OnBehalf:
        """The form this gateway obeys, found out with this account when it is not known yet.

        An account that the credential may not see proves nothing; after three of those the switch counts as
        unavailable.
        """
        with self._lock:
            if self._form is None and not is_sendable(account_code):
                return OnBehalf.UNAVAILABLE
            if self._form is None:
                self._probes += 1
                self._form = self._probe(account_code)
                if self._form is None and self._probes >= _PROBES_MAXIMUM:
                    self._form = OnBehalf.UNAVAILABLE
            return self._form or OnBehalf.UNAVAILABLE

    def ask(self, path: str, account_code: str) -> object:
        """The reply of an account route about the account. Raises as MimecastCalls; CallRefused if it cannot ask."""
        form = self.form(account_code)
        if form is OnBehalf.UNAVAILABLE or not is_sendable(account_code):
            raise CallRefused("Mimecast cannot be asked on behalf of this account", integration=INTEGRATION)
        return self._ask(path, account_code, form)

    def whoami(self, account_code: str | None = None) -> Identity:
        """Whom the gateway takes the call for. Raises as MimecastCalls."""
        headers = {} if account_code is None else {ACCOUNT_SWITCH_HEADER: account_code}
        document = self._calls.get(WHOAMI_PATH, headers=headers, permission=IDENTITY)
        return Identity(_codes(document, "account-codes"), _codes(document, "home-account"))

    def _ask(self, path: str, account_code: str, form: OnBehalf) -> object:
        if form is OnBehalf.HEADER:
            headers = {ACCOUNT_SWITCH_HEADER: account_code}
            return self._calls.post(path, {"data": []}, headers=headers, permission=ACCOUNT)
        return self._calls.post(path, {"meta": {"accountCode": account_code}, "data": []}, permission=ACCOUNT)

    def _probe(self, account_code: str) -> OnBehalf | None:
        """Try both forms once with one account; None when neither could be tried."""
        header_obeyed = self._header_obeyed(account_code)
        if header_obeyed:
            return OnBehalf.HEADER
        body_obeyed = self._echoed(account_code, OnBehalf.BODY)
        if body_obeyed:
            return OnBehalf.BODY
        return None if header_obeyed is None or body_obeyed is None else OnBehalf.UNAVAILABLE

    def _header_obeyed(self, account_code: str) -> bool | None:
        """Ask whoami, which names the account it answers for; where it is not allowed, ask get-account."""
        try:
            home = self.whoami().home_codes
        except Refused:
            return self._echoed(account_code, OnBehalf.HEADER)
        if account_code in home:
            # The partner's own account answers the same with and without a switch.
            return None
        try:
            return account_code in self.whoami(account_code).target_codes
        except Refused:
            return None

    def _echoed(self, account_code: str, form: OnBehalf) -> bool | None:
        try:
            answered = account_code_of(self._ask(GET_ACCOUNT_PATH, account_code, form))
        except Refused:
            return None
        return answered == account_code


def is_sendable(account_code: str) -> bool:
    """Whether a code can stand in a header as it is: visible ASCII, of a length that codes have."""
    return _SENDABLE_CODE.fullmatch(account_code) is not None


def account_code_of(document: object) -> str | None:
    """The account code that a get-account reply is about, or None when it names none."""
    data = document.get("data") if isinstance(document, Mapping) else None
    first = data[0] if isinstance(data, list) and data else None
    return identifier(first.get("accountCode")) if isinstance(first, Mapping) else None


def require_account(answered: str | None, asked: str) -> None:
    """Raises TenantScopeMismatch when the reply is about another account than the one asked for."""
    if answered != asked:
        raise TenantScopeMismatch(
            f"Mimecast was asked for account {asked} and answered for another one; the answer was thrown away",
            integration=INTEGRATION,
        )


def _codes(document: object, key: str) -> frozenset[str]:
    codes = document.get(key) if isinstance(document, Mapping) else None
    values = codes.values() if isinstance(codes, Mapping) else ()
    return frozenset(value for value in values if isinstance(value, str) and value)
