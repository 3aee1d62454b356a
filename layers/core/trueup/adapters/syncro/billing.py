"""Syncro behind the PsaBilling port: session, reader, writer, catalog and check together. No rules live here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from trueup.adapters.http import HttpClient, HttpLimits, Pace
from trueup.adapters.syncro.address import parse_address, parse_credential
from trueup.adapters.syncro.catalog import search_products
from trueup.adapters.syncro.checking import check_credential
from trueup.adapters.syncro.reading import PARALLEL_CALLS, BillingReader
from trueup.adapters.syncro.session import SyncroSession
from trueup.adapters.syncro.wire import INTEGRATION
from trueup.adapters.syncro.writing import QuantityWriter
from trueup.domain.billing import (
    CapabilityReport,
    LineId,
    LineReference,
    LineState,
    Product,
    PsaPage,
    WriteOutcome,
    WriteResult,
)
from trueup.domain.counts import Seats
from trueup.ports.clock import Clock

REQUESTS_PER_MINUTE: Final = 120
BURST: Final = 40
"""Syncro allows 180 requests a minute for one IP address (published). These two come to 160 at most in any minute of
one process; where several run at once, a 429 is waited out."""


class SyncroBilling:
    """Implements PsaBilling; safe to share between threads."""

    def __init__(self, session: SyncroSession, clock: Clock) -> None:
        self._session = session
        self._reader = BillingReader(session, clock)
        self._writer = QuantityWriter(session, self._reader, clock)

    def close(self) -> None:
        """Close idle connections; it may still be used and opens new ones."""
        self._session.close()

    def check(self) -> CapabilityReport:
        """See PsaBilling.check. Raises CredentialRejected when the token or the address is wrong."""
        return check_credential(self._session)

    def read_page(self, cursor: str | None) -> PsaPage:
        """See PsaBilling.read_page: customers first, then recurring invoices with their lines."""
        return self._reader.read_page(cursor)

    def search_products(self, text: str, *, limit: int = 25) -> tuple[Product, ...]:
        """See PsaBilling.search_products."""
        return search_products(self._session, text, limit)

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
        """See PsaBilling.set_quantity. Syncro keeps one quantity, which counts from the next invoice it makes."""
        if effective is not None:
            return WriteResult(WriteOutcome.REJECTED, "nothing was sent: Syncro lets no change count from a given day")
        return self._writer.set_quantity(
            reference, expected=expected, expected_version=expected_version, target=target, siblings=siblings
        )


def open_syncro(
    address: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    limits: HttpLimits | None = None,
    pace: Pace | None = None,
) -> SyncroBilling:
    """A Syncro account ready to be called; nothing is sent yet.

    ``fields`` holds api_key. ``pace`` None keeps below what Syncro allows. Raises UnsafeAddress and InputInvalid, each
    with the fix.
    """
    base = parse_address(address, allow_loopback=allow_loopback)
    credential = parse_credential(fields)
    client = HttpClient(
        base,
        integration=INTEGRATION,
        clock=clock,
        limits=limits,
        pace=pace or Pace(REQUESTS_PER_MINUTE / 60, PARALLEL_CALLS, burst=BURST),
        reset_headers=(),
    )
    return SyncroBilling(SyncroSession(client, credential), clock)
