"""Autotask behind the PsaBilling port: session, reader, writer, catalog and check together. No rules live here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from trueup.adapters.autotask.address import parse_address, parse_credential
from trueup.adapters.autotask.budget import SHARE_DEFAULT, CallBudget
from trueup.adapters.autotask.catalog import search_services
from trueup.adapters.autotask.checking import check_credential
from trueup.adapters.autotask.reading import BillingReader
from trueup.adapters.autotask.session import AutotaskSession
from trueup.adapters.autotask.writing import UnitsWriter
from trueup.adapters.http import HttpLimits
from trueup.domain.billing import (
    CapabilityReport,
    LineId,
    LineReference,
    LineState,
    Product,
    PsaAccountId,
    PsaPage,
    WriteResult,
)
from trueup.domain.counts import Seats
from trueup.domain.line_writes import Wish
from trueup.ports.clock import Clock


class AutotaskBilling:
    """Implements PsaBilling and PsaAccountReading; safe to share between threads."""

    def __init__(self, session: AutotaskSession, clock: Clock, time_zone: ZoneInfo) -> None:
        self._session = session
        self._reader = BillingReader(session, clock, time_zone)
        self._writer = UnitsWriter(session, self._reader, clock)

    def close(self) -> None:
        """Close idle connections; it may still be used and opens new ones."""
        self._session.close()

    def check(self) -> CapabilityReport:
        """See PsaBilling.check. Raises CredentialRejected when user, secret or integration code are wrong."""
        return check_credential(self._session)

    def read_page(self, cursor: str | None) -> PsaPage:
        """See PsaBilling.read_page: companies first, then recurring contracts with their lines."""
        return self._reader.read_page(cursor)

    def read_account(self, account_id: PsaAccountId) -> PsaPage:
        """See PsaAccountReading.read_account."""
        return self._reader.read_account(account_id)

    def search_products(self, text: str, *, limit: int = 25) -> tuple[Product, ...]:
        """See PsaBilling.search_products."""
        return search_services(self._session, text, limit)

    def read_line(self, reference: LineReference) -> LineState:
        """See PsaBilling.read_line."""
        return self._reader.read_line(reference)

    def set_quantity(
        self,
        reference: LineReference,
        *,
        expected: Decimal,
        expected_version: str,
        target: Seats,
        effective: date | None = None,
        siblings: Collection[LineId] = (),
    ) -> WriteResult:
        """See PsaBilling.set_quantity. ``expected`` is compared with the units on the day of ``effective``."""
        wish = Wish(expected, expected_version, Decimal(target), reference.product_id)
        return self._writer.set_quantity(reference, wish, effective, siblings)


def open_autotask(
    address: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    time_zone: ZoneInfo,
    limits: HttpLimits | None = None,
    share: float = SHARE_DEFAULT,
) -> AutotaskBilling:
    """An Autotask tenant ready to be called; nothing is sent yet.

    ``fields`` holds user_name, secret and integration_code. ``time_zone`` is the MSP's: it decides which day it is and
    when the next billing month begins. ``share`` is how much of the shared hourly limit may be used. Raises
    UnsafeAddress and InputInvalid, each with the fix.
    """
    session = open_session(address, fields, clock=clock, allow_loopback=allow_loopback, limits=limits, share=share)
    return AutotaskBilling(session, clock, time_zone)


def open_session(
    address: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    limits: HttpLimits | None = None,
    share: float = SHARE_DEFAULT,
) -> AutotaskSession:
    """The calls of one tenant, checked and not begun."""
    base = parse_address(address, allow_loopback=allow_loopback)
    credential = parse_credential(fields)
    return AutotaskSession(base, credential, clock=clock, budget=CallBudget(clock, share), limits=limits)
