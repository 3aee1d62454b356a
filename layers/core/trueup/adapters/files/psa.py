"""PSA exports behind the PsaBilling port: clients, agreements and lines as the files say. Nothing can be written.

What carries no id is known by its name: an export without client ids is of clients that differ in name. An agreement
that a file lists lines of is taken to be active, because exports of what is billed say no more.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from functools import cached_property

from trueup.adapters.files.kept import PAGE_RECORDS, KeptFiles
from trueup.adapters.files.records import FileRecord
from trueup.domain.billing import (
    Agreement,
    AgreementId,
    AgreementState,
    CapabilityReport,
    Line,
    LineId,
    LineReference,
    LineState,
    Product,
    ProductId,
    PsaAccount,
    PsaAccountId,
    PsaPage,
    WriteOutcome,
    WriteResult,
)
from trueup.domain.canonical import decimal_text
from trueup.domain.counts import Seats
from trueup.domain.errors import InputInvalid, ResourceAbsent
from trueup.domain.exported_files import FileKind
from trueup.domain.integrations import IntegrationName
from trueup.ports.clock import Clock
from trueup.ports.state import Uploads

_UNNAMED_AGREEMENT = "all lines"


class PsaFiles:
    """Implements PsaBilling over the files that are kept when it is opened."""

    def __init__(self, uploads: Uploads, clock: Clock, *, home_currency: str, page_size: int = PAGE_RECORDS) -> None:
        kinds = (FileKind.LINES, FileKind.CLIENTS, FileKind.PRODUCTS)
        self._files = KeptFiles(IntegrationName.PSA_FILES, kinds, uploads, home_currency=home_currency)
        self._clock = clock
        self._page_size = page_size

    def check(self) -> CapabilityReport:
        """See PsaBilling.check. Only the lines are needed; the other files are told of where they were given."""
        now = self._clock.now()
        given = [kind for kind in (FileKind.CLIENTS, FileKind.PRODUCTS) if kind in self._files.files]
        capabilities = [self._files.capability(kind, kind.value, now) for kind in (FileKind.LINES, *given)]
        notes = ("a plan is a list of what to enter in the PSA by hand", *self._files.notes(self._clock))
        return CapabilityReport("exported files, given by hand", tuple(capabilities), notes)

    def read_page(self, cursor: str | None) -> PsaPage:
        """See PsaBilling.read_page: clients with all that is theirs. Raises ResourceAbsent while there are no lines."""
        self._files.require(FileKind.LINES)
        start = self._files.place(cursor)
        clients = list(self._clients.values())
        page = clients[start : start + self._page_size]
        wanted = {client.id for client in page}
        agreements = self._agreements
        return PsaPage(
            accounts=tuple(page),
            agreements=tuple(one for one in agreements.values() if one.account_id in wanted),
            lines=tuple(line for line in self._lines if line.account_id in wanted),
            next_cursor=self._files.mark(start + self._page_size, len(clients)),
            accounts_total=len(clients),
            agreements_total=len(agreements),
            accounts_as_of=self._files.as_of,
        )

    def search_products(self, text: str, *, limit: int = 25) -> tuple[Product, ...]:
        """See PsaBilling.search_products: over the products of the lines, and of the file of products."""
        wanted = text.strip()
        if not wanted or limit < 1:
            raise InputInvalid("a product search needs a text and a limit", field="search", remedy="Type a Product ID.")
        folded = wanted.casefold()
        found = [
            one for one in self._products.values() if folded in one.code.casefold() or folded in one.name.casefold()
        ]
        found.sort(key=lambda one: (one.code != wanted, one.code.casefold() != folded, one.code.casefold(), one.code))
        return tuple(found[:limit])

    def read_line(self, reference: LineReference) -> LineState:
        """See PsaBilling.read_line: the line as the file has it."""
        for line in self._lines:
            if (line.id, line.agreement_id) == (reference.line_id, reference.agreement_id):
                return LineState(line, self._agreements[line.agreement_id], self._clock.now())
        raise ResourceAbsent("the line is not in the file that is kept", integration=IntegrationName.PSA_FILES)

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
        """Always ``rejected`` with what to do instead, or ``already`` where the file shows the target."""
        try:
            seen = self.read_line(reference).line.quantity
        except ResourceAbsent as gone:
            return WriteResult(WriteOutcome.REJECTED, gone.message)
        if seen == target:
            return WriteResult(WriteOutcome.ALREADY, "the file that is kept shows this quantity", seen)
        counts = f", counting from {effective}" if effective is not None else ""
        reason = (
            f"nothing was sent: enter it in the PSA by hand ({decimal_text(seen)} -> {target}{counts}), then export"
        )
        return WriteResult(WriteOutcome.REJECTED, f"{reason} the lines again", seen)

    # What the files say.

    @cached_property
    def _clients(self) -> dict[PsaAccountId, PsaAccount]:
        """Every client that a file names; a client without lines is one all the same."""
        found: dict[PsaAccountId, PsaAccount] = {}
        for kind in (FileKind.CLIENTS, FileKind.LINES):
            for record in self._files.records(kind):
                key = self._client_id(record)
                found.setdefault(key, PsaAccount(key, record.text("client_id"), record.text("client_name")))
        return found

    def _client_id(self, record: FileRecord) -> PsaAccountId:
        """The client's id; where the lines tell none, that of the client of that name in the file of clients."""
        if record.text("client_id"):
            return PsaAccountId(record.text("client_id"))
        name = record.text("client_name")
        ids = self._ids_by_name.get(name, ())
        if len(ids) > 1:
            raise InputInvalid(
                f"the file of clients has more than one client of the name on line {record.line} of the lines",
                field="file",
                remedy="Export the lines with the id of the client.",
            )
        return PsaAccountId(ids[0] if ids else name)

    @cached_property
    def _ids_by_name(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for record in self._files.records(FileKind.CLIENTS):
            if record.text("client_id"):
                found.setdefault(record.text("client_name"), []).append(record.text("client_id"))
        return found

    @cached_property
    def _agreements(self) -> dict[AgreementId, Agreement]:
        found: dict[AgreementId, Agreement] = {}
        for record in self._files.records(FileKind.LINES):
            key, name = self._agreement_id(record), record.text("agreement_name") or _UNNAMED_AGREEMENT
            known = found.get(key)
            if known is None or (known.currency is None and record.currency is not None):
                found[key] = Agreement(
                    key, self._client_id(record), name, "from a file", AgreementState.ACTIVE, currency=record.currency
                )
        return found

    def _agreement_id(self, record: FileRecord) -> AgreementId:
        own = record.text("agreement_id")
        name = record.text("agreement_name") or _UNNAMED_AGREEMENT
        return AgreementId(own or f"{self._client_id(record)} / {name}")

    @cached_property
    def _lines(self) -> list[Line]:
        lines: list[Line] = []
        fellows: dict[str, int] = {}
        for record in self._files.records(FileKind.LINES):
            agreement_id, code = self._agreement_id(record), record.text("product_code")
            made = f"{agreement_id} / {code}"
            fellows[made] = fellows.get(made, 0) + 1
            line_id = record.text("line_id") or (made if fellows[made] == 1 else f"{made} / {fellows[made]}")
            lines.append(
                Line(
                    id=LineId(line_id),
                    agreement_id=agreement_id,
                    account_id=self._client_id(record),
                    product_id=ProductId(code),
                    product_code=code,
                    description=record.text("product_name"),
                    quantity=record.numbers["quantity"],
                    version="",
                    unit_price=record.numbers.get("unit_price"),
                    effective_from=record.days.get("starts_on"),
                    effective_to=record.days.get("ends_on"),
                )
            )
        return lines

    @cached_property
    def _products(self) -> dict[str, Product]:
        found: dict[str, Product] = {}
        for record in self._files.records(FileKind.PRODUCTS):
            code = record.text("product_code")
            price, cost = record.numbers.get("price"), record.numbers.get("cost")
            found[code] = Product(ProductId(code), code, record.text("product_name") or code, price, cost)
        for record in self._files.records(FileKind.LINES):
            code = record.text("product_code")
            found.setdefault(code, Product(ProductId(code), code, record.text("product_name") or code))
        return found


def open_psa_files(uploads: Uploads, *, clock: Clock, home_currency: str) -> PsaFiles:
    """The files that are kept now; ``home_currency`` is the MSP's own."""
    return PsaFiles(uploads, clock, home_currency=home_currency)
