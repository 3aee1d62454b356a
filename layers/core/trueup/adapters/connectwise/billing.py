"""ConnectWise behind the PSA ports: session, reader, writers, catalog and check together. No rules live here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from trueup.adapters.connectwise.adding import AdditionMaker
from trueup.adapters.connectwise.address import parse_address, parse_credential
from trueup.adapters.connectwise.catalog import search_catalog
from trueup.adapters.connectwise.checking import check_credential
from trueup.adapters.connectwise.dating import DatedWriter
from trueup.adapters.connectwise.reading import PARALLEL_CALLS, BillingReader
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.connectwise.wire import INTEGRATION
from trueup.adapters.connectwise.writing import QuantityWriter
from trueup.adapters.http import HttpClient, HttpLimits, Pace
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
from trueup.domain.line_writes import Wish
from trueup.ports.clock import Clock

REQUESTS_PER_SECOND: Final = 8
BURST: Final = 60
"""ConnectWise documents throttling above 1,000 requests a minute per integration. These two come to 540 at most in any
minute of one process, so that a small provider is read in seconds.
"""


class ConnectWiseBilling:
    """Implements PsaBilling, PsaLineCreation and PsaAccountReading; safe to share between threads."""

    def __init__(self, session: ConnectWiseSession, clock: Clock) -> None:
        self._session = session
        self._reader = BillingReader(session, clock)
        self._writer = QuantityWriter(session, self._reader, clock)
        self._maker = AdditionMaker(session, self._reader, clock)
        self._dated_writer = DatedWriter(session, self._reader, self._maker, clock)

    def close(self) -> None:
        """Close idle connections; it may still be used and opens new ones."""
        self._session.close()

    def check(self) -> CapabilityReport:
        """See PsaBilling.check. Raises CredentialRejected when the keys, the company id or the address are wrong."""
        return check_credential(self._session)

    def read_page(self, cursor: str | None) -> PsaPage:
        """See PsaBilling.read_page: companies first, then agreements with their lines."""
        return self._reader.read_page(cursor)

    def search_products(self, text: str, *, limit: int = 25) -> tuple[Product, ...]:
        """See PsaBilling.search_products."""
        return search_catalog(self._session, text, limit)

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
        """See PsaBilling.set_quantity."""
        wish = Wish(expected, expected_version, Decimal(target), reference.product_id)
        if effective is not None:
            return self._dated_writer.set_quantity(reference, wish, effective, siblings)
        return self._writer.set_quantity(reference, wish, siblings)

    def create_line(self, order: NewLine) -> WriteResult:
        """See PsaLineCreation.create_line."""
        return self._maker.create_line(order)

    def read_account(self, account_id: PsaAccountId) -> PsaPage:
        """See PsaAccountReading.read_account."""
        return self._reader.read_account(account_id)


def open_connectwise(
    url: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    additional_hosts: Collection[str] = (),
    limits: HttpLimits | None = None,
) -> ConnectWiseBilling:
    """A ConnectWise site ready to be called; nothing is sent yet.

    ``fields`` holds company_id, public_key, private_key and client_id. ``additional_hosts`` are exact names of
    on-premise servers that whoever deploys has allowed. Raises UnsafeAddress and InputInvalid, each with the fix.
    """
    base = parse_address(url, allow_loopback=allow_loopback, additional_hosts=additional_hosts)
    credential = parse_credential(fields)
    client = HttpClient(
        base,
        integration=INTEGRATION,
        clock=clock,
        limits=limits,
        pace=Pace(REQUESTS_PER_SECOND, PARALLEL_CALLS, burst=BURST),
        reset_headers=(),
    )
    return ConnectWiseBilling(ConnectWiseSession(client, credential), clock)
