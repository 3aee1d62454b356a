"""Reads clients, recurring invoices and lines: page by page for a snapshot, and one invoice as it is right now.

A page of recurring invoices is asked for with its lines, so a whole read takes few calls; an invoice that came without
is read by itself. It must not turn an unreadable record into a missing one, nor take another client's record for the
one that was asked for.
"""

from __future__ import annotations

import re
from typing import Final

from trueup.adapters.halopsa.document import Invoice, invoice_of
from trueup.adapters.halopsa.paging import Listing, Page, Position, read_numbered
from trueup.adapters.halopsa.replies import CLIENTS_PERMISSION, INVOICES_PERMISSION
from trueup.adapters.halopsa.session import HaloSession, Query
from trueup.adapters.halopsa.wire import INTEGRATION, ClientWire, InvoiceWire, parse
from trueup.domain.billing import LineReference, LineState, PsaAccountId, PsaPage
from trueup.domain.errors import InputInvalid, ReadIncomplete, ReplyUnreadable, ResourceAbsent, TenantScopeMismatch
from trueup.ports.clock import Clock

CLIENTS_PAGE_SIZE: Final = 100
INVOICES_PAGE_SIZE: Final = 50
"""A line has been seen to take four kilobytes: a page of this size stays well under the cap of a reply."""

CLIENTS: Final = Listing(
    "/Client",
    "clients",
    (("includeactive", "true"), ("includeinactive", "true"), ("order", "id")),
    CLIENTS_PAGE_SIZE,
    "reading clients",
    CLIENTS_PERMISSION,
)
INVOICES: Final = Listing(
    "/RecurringInvoice",
    "invoices",
    (("includelines", "true"), ("order", "id")),
    INVOICES_PAGE_SIZE,
    "reading recurring invoices",
    INVOICES_PERMISSION,
)

_CLIENTS_PHASE = "clients"
_INVOICES_PHASE = "invoices"
_RECORD_ID = re.compile(r"-?[0-9]{1,12}", re.ASCII)


class BillingReader:
    """The read side. Stateless between pages: all that a read needs to go on is in its cursor."""

    def __init__(self, session: HaloSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def read_page(self, cursor: str | None) -> PsaPage:
        """One page: first all clients, then recurring invoices with their lines.

        Totals come on the first page of each kind, and again where they moved; whether all were seen is for the caller
        to compare, because records may come and go while a read runs and numbered pages shift then.
        """
        if cursor is None:
            return self._clients(Position(_CLIENTS_PHASE))
        position = Position.of(cursor, phases=(_CLIENTS_PHASE, _INVOICES_PHASE))
        return self._clients(position) if position.phase == _CLIENTS_PHASE else self._invoices(position)

    def read_line(self, reference: LineReference) -> LineState:
        """The line and its agreement as they are now. Raises ResourceAbsent when either is gone."""
        record_id(reference.line_id, "line_id")
        invoice = self.read_invoice(reference.agreement_id)
        line = invoice.line(reference.line_id)
        if line is None:
            raise ResourceAbsent(
                f"HaloPSA's recurring invoice {reference.agreement_id} has no line {reference.line_id}",
                integration=INTEGRATION,
                status=None,
            )
        return LineState(line, invoice.header.agreement(self._clock.now().date()), self._clock.now())

    def read_invoice(self, invoice_id: str) -> Invoice:
        """One recurring invoice with all its lines, as sent. Raises ResourceAbsent when it is gone."""
        reply = self._session.read(
            f"/RecurringInvoice/{record_id(invoice_id, 'agreement_id')}",
            query=(("includedetails", "true"),),
            doing=f"reading recurring invoice {invoice_id}",
            permission=INVOICES_PERMISSION,
        )
        invoice = invoice_of(reply.json(), source="reading a recurring invoice")
        if str(invoice.header.id) != invoice_id:
            raise ReplyUnreadable(
                f"HaloPSA answered with recurring invoice {invoice.header.id} when asked for {invoice_id}",
                integration=INTEGRATION,
            )
        return invoice

    def read_account(self, account_id: PsaAccountId) -> PsaPage:
        """The client with all its recurring invoices and lines. Raises ResourceAbsent when it is gone."""
        wanted = record_id(account_id, "account_id")
        reply = self._session.read(
            f"/Client/{wanted}",
            query=(("includedetails", "true"),),
            doing=f"reading client {wanted}",
            permission=CLIENTS_PERMISSION,
        )
        client = parse(ClientWire, reply.json(), source="reading a client")
        if str(client.id) != wanted:
            raise TenantScopeMismatch(
                f"HaloPSA answered with client {client.id} when asked for {wanted}", integration=INTEGRATION
            )
        pages: list[PsaPage] = []
        position: Position | None = Position(_INVOICES_PHASE)
        while position is not None:
            page = self._invoice_page(position, query=(("client_id", wanted),))
            stranger = next((one for one in page.records if one.client_id != client.id), None)
            if stranger is not None:
                raise TenantScopeMismatch(
                    f"HaloPSA sent a recurring invoice of client {stranger.client_id} when asked for those of {wanted}",
                    integration=INTEGRATION,
                )
            pages.append(self._psa_page(page.records))
            position = page.following
        return PsaPage(
            accounts=(client.account(),),
            agreements=tuple(agreement for page in pages for agreement in page.agreements),
            lines=tuple(line for page in pages for line in page.lines),
            next_cursor=None,
        )

    def _clients(self, position: Position) -> PsaPage:
        page = read_numbered(self._session, CLIENTS, ClientWire, position)
        return PsaPage(
            accounts=tuple(record.account() for record in page.records),
            agreements=(),
            lines=(),
            next_cursor=(page.following or Position(_INVOICES_PHASE)).cursor(),
            accounts_total=page.told_total,
        )

    def _invoices(self, position: Position) -> PsaPage:
        page = self._invoice_page(position)
        read = self._psa_page(page.records)
        return PsaPage(
            accounts=(),
            agreements=read.agreements,
            lines=read.lines,
            next_cursor=page.following.cursor() if page.following else None,
            agreements_total=page.told_total,
        )

    def _invoice_page(self, position: Position, *, query: Query = ()) -> Page[InvoiceWire]:
        return read_numbered(self._session, INVOICES, InvoiceWire, position, query=query)

    def _psa_page(self, headers: tuple[InvoiceWire, ...]) -> PsaPage:
        today = self._clock.now().date()
        invoices = [self._with_lines(header) for header in headers]
        return PsaPage(
            accounts=(),
            agreements=tuple(invoice.header.agreement(today) for invoice in invoices),
            lines=tuple(line for invoice in invoices for line in invoice.lines()),
            next_cursor=None,
        )

    def _with_lines(self, header: InvoiceWire) -> Invoice:
        """The invoice with its lines: those of the list, or read by itself where the list brought none."""
        if header.lines is not None:
            return Invoice(header, tuple(header.lines))
        try:
            return self.read_invoice(str(header.id))
        except ResourceAbsent as absent:
            raise ReadIncomplete(
                f"HaloPSA's recurring invoice {header.id} went away while its lines were read", integration=INTEGRATION
            ) from absent


def record_id(text: str, field_name: str) -> str:
    """The id if it is a whole number, as all ids of HaloPSA are; it goes into an address. Raises InputInvalid.

    Those of recurring invoices have been seen to be negative.
    """
    if _RECORD_ID.fullmatch(text) is None:
        raise InputInvalid(f"{field_name} is not a HaloPSA id, which is a whole number", field=field_name)
    return text
