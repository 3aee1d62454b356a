"""HaloPSA behind the PSA ports: session, reader, writer, catalog and check together. No rules live here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from trueup.adapters.halopsa.address import parse_address, parse_credential
from trueup.adapters.halopsa.catalog import search_items
from trueup.adapters.halopsa.checking import check_credential
from trueup.adapters.halopsa.creating import LineMaker
from trueup.adapters.halopsa.reading import BillingReader
from trueup.adapters.halopsa.session import HaloSession
from trueup.adapters.halopsa.tokens import TokenSource
from trueup.adapters.halopsa.wire import INTEGRATION
from trueup.adapters.halopsa.writing import InvoiceLocks, QuantityWriter
from trueup.adapters.http import BaseAddress, HttpClient, HttpLimits, Pace
from trueup.domain.billing import (
    CapabilityReport,
    LineId,
    LineReference,
    LineState,
    NewLine,
    Product,
    PsaAccountId,
    PsaPage,
    WriteResult,
)
from trueup.domain.counts import Seats
from trueup.ports.clock import Clock

REQUESTS_PER_SECOND: Final = 2
PARALLEL_CALLS: Final = 2
"""No official limit is known; 429 has been seen. This is the budget that field reports suggest to stay under it."""

LOOPBACK_REQUESTS_PER_SECOND: Final = 200
"""For a stand-in on this machine, which limits nobody unless it is told to."""


class HaloPsaBilling:
    """Implements PsaBilling, PsaLineCreation and PsaAccountReading; safe to share between threads."""

    def __init__(self, session: HaloSession, clock: Clock) -> None:
        self._session = session
        self._reader = BillingReader(session, clock)
        locks = InvoiceLocks()
        self._writer = QuantityWriter(session, self._reader, clock, locks)
        self._maker = LineMaker(session, self._reader, clock, locks)

    def close(self) -> None:
        """Close idle connections; it may still be used and opens new ones."""
        self._session.close()

    def check(self) -> CapabilityReport:
        """See PsaBilling.check. Raises CredentialRejected when Client ID or secret are wrong."""
        return check_credential(self._session)

    def read_page(self, cursor: str | None) -> PsaPage:
        """See PsaBilling.read_page: clients first, then recurring invoices with their lines."""
        return self._reader.read_page(cursor)

    def search_products(self, text: str, *, limit: int = 25) -> tuple[Product, ...]:
        """See PsaBilling.search_products."""
        return search_items(self._session, text, limit)

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
        """See PsaBilling.set_quantity. RateLimited is raised also while HaloPSA may be making the invoice."""
        return self._writer.set_quantity(
            reference,
            expected=expected,
            expected_version=expected_version,
            target=target,
            effective=effective,
            siblings=siblings,
        )

    def create_line(self, order: NewLine) -> WriteResult:
        """See PsaLineCreation.create_line."""
        return self._maker.create_line(order)

    def read_account(self, account_id: PsaAccountId) -> PsaPage:
        """See PsaAccountReading.read_account."""
        return self._reader.read_account(account_id)


def open_halopsa(
    address: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    additional_hosts: Collection[str] = (),
    limits: HttpLimits | None = None,
    pace: Pace | None = None,
) -> HaloPsaBilling:
    """A HaloPSA tenant ready to be called; nothing is sent yet.

    ``fields`` holds client_id and client_secret. ``additional_hosts`` are exact names of servers with a name of their
    own that whoever deploys has allowed. ``pace`` replaces the budget of two calls a second. Raises UnsafeAddress and
    InputInvalid, each with the fix.
    """
    return HaloPsaBilling(
        open_session(
            address,
            fields,
            clock=clock,
            allow_loopback=allow_loopback,
            additional_hosts=additional_hosts,
            limits=limits,
            pace=pace,
        ),
        clock,
    )


def open_session(
    address: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    additional_hosts: Collection[str] = (),
    limits: HttpLimits | None = None,
    pace: Pace | None = None,
) -> HaloSession:
    """The authenticated session alone. Raises as open_halopsa."""
    base = parse_address(address, allow_loopback=allow_loopback, additional_hosts=additional_hosts)
    credential = parse_credential(fields)
    shared = pace or Pace(
        REQUESTS_PER_SECOND if base.scheme == "https" else LOOPBACK_REQUESTS_PER_SECOND, PARALLEL_CALLS
    )

    def open_client(server: BaseAddress) -> HttpClient:
        return HttpClient(server, integration=INTEGRATION, clock=clock, limits=limits, pace=shared, reset_headers=())

    client = open_client(base)
    return HaloSession(client, TokenSource(client, open_client, credential, clock, additional_hosts))
