"""Reads clients, agreements and lines: page by page for a snapshot, and one line as it is right now.

ConnectWise has no list of additions over all agreements, so every agreement costs one call; these run in parallel, no
wider than the pace of the session allows. It must not turn an unreadable record into a missing one.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import Final

from trueup.adapters.connectwise.paging import (
    PAGE_SIZE_MAXIMUM,
    Listing,
    Position,
    read_positioned,
    read_whole_list,
)
from trueup.adapters.connectwise.replies import (
    AGREEMENTS_PERMISSION,
    CLOUD_404_HINT,
    COMPANIES_PERMISSION,
    raise_refusal,
)
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.connectwise.wire import (
    ADDITION_FIELDS,
    AGREEMENT_FIELDS,
    COMPANY_FIELDS,
    INTEGRATION,
    AdditionWire,
    AgreementWire,
    CompanyWire,
    CountWire,
    RecordWire,
    parse,
)
from trueup.adapters.http import RetryRule
from trueup.domain.billing import (
    Agreement,
    AgreementId,
    AgreementState,
    Line,
    LineReference,
    LineState,
    PsaAccountId,
    PsaPage,
)
from trueup.domain.errors import CredentialRejected, InputInvalid, ReadIncomplete, ReplyUnreadable, ResourceAbsent
from trueup.ports.clock import Clock

PARALLEL_CALLS: Final = 4
AGREEMENTS_PAGE_SIZE: Final = 200
"""Each agreement of a page costs a call: at 8 a second a page takes 25 seconds, well inside one step of a run."""

COMPANIES: Final = Listing(
    "/company/companies", COMPANY_FIELDS, PAGE_SIZE_MAXIMUM, "reading companies", COMPANIES_PERMISSION
)
AGREEMENTS: Final = Listing(
    "/finance/agreements", AGREEMENT_FIELDS, AGREEMENTS_PAGE_SIZE, "reading agreements", AGREEMENTS_PERMISSION
)

_COMPANIES_PHASE = "companies"
_AGREEMENTS_PHASE = "agreements"


class BillingReader:
    """The read side. Stateless between pages: all that a read needs to go on is in its cursor."""

    def __init__(self, session: ConnectWiseSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def read_page(self, cursor: str | None) -> PsaPage:
        """One page: first all companies, then agreements with the lines of each.

        Totals come on the first page of each kind, where the site can count; whether all were seen is for the caller to
        compare, because records may come and go while a read runs. Forward-only pages go by rising id, so rows added
        meanwhile do not shift them.
        """
        if cursor is None:
            return self._companies(Position(_COMPANIES_PHASE, total=self._count(COMPANIES)))
        position = Position.of(cursor, phases=(_COMPANIES_PHASE, _AGREEMENTS_PHASE))
        if position.phase == _COMPANIES_PHASE:
            return self._companies(position)
        if position.page == 1:
            position = replace(position, total=self._count(AGREEMENTS))
        return self._agreements(position)

    def read_line(self, reference: LineReference) -> LineState:
        """The line and its agreement as they are now. Raises ResourceAbsent when either is gone."""
        record_id(reference.line_id, "line_id")
        agreement = self.read_agreement(reference.agreement_id)
        return LineState(self.read_line_of(agreement, reference), agreement, self._clock.now())

    def read_line_of(self, agreement: Agreement, reference: LineReference) -> Line:
        """The line alone, on an agreement read before. Raises ResourceAbsent when it is gone."""
        reply = self._session.read(
            addition_path(reference),
            query=(("fields", ADDITION_FIELDS),),
            doing=f"reading addition {reference.line_id} of agreement {reference.agreement_id}",
            permission=AGREEMENTS_PERMISSION,
        )
        return _line_as_asked(reply.json(), agreement, reference)

    def read_whole_addition(self, agreement: Agreement, reference: LineReference) -> tuple[Line, Mapping[str, object]]:
        """The line and its whole record as ConnectWise has it. Raises ResourceAbsent when it is gone."""
        reply = self._session.read(
            addition_path(reference),
            doing=f"reading addition {reference.line_id} of agreement {reference.agreement_id}",
            permission=AGREEMENTS_PERMISSION,
        )
        document = reply.json()
        line = _line_as_asked(document, agreement, reference)
        return line, document if isinstance(document, Mapping) else {}

    def read_account(self, account_id: PsaAccountId) -> PsaPage:
        """See PsaAccountReading.read_account."""
        number = record_id(account_id, "account_id")
        reply = self._session.read(
            f"{COMPANIES.path}/{number}",
            query=(("fields", COMPANY_FIELDS),),
            doing=f"reading company {number}",
            permission=COMPANIES_PERMISSION,
        )
        account = parse(CompanyWire, reply.json(), source="reading a company").account()
        listing = replace(
            AGREEMENTS, doing=f"reading the agreements of company {number}", conditions=f"company/id={number}"
        )
        agreements = tuple(one.agreement() for one in read_whole_list(self._session, listing, AgreementWire))
        foreign = next((one for one in agreements if one.account_id != account_id), None)
        if account.id != account_id or foreign is not None:
            raise ReplyUnreadable(
                f"ConnectWise answered with another client's records when asked for company {number}",
                integration=INTEGRATION,
            )
        return PsaPage((account,), agreements, self._lines_of_all(agreements, cap=0), None)

    def read_agreement(self, agreement_id: AgreementId) -> Agreement:
        """One agreement as it is now. Raises ResourceAbsent when it is gone."""
        reply = self._session.read(
            f"/finance/agreements/{record_id(agreement_id, 'agreement_id')}",
            query=(("fields", AGREEMENT_FIELDS),),
            doing=f"reading agreement {agreement_id}",
            permission=AGREEMENTS_PERMISSION,
        )
        agreement = parse(AgreementWire, reply.json(), source="reading an agreement").agreement()
        if agreement.id != agreement_id:
            raise ReplyUnreadable(
                f"ConnectWise answered with agreement {agreement.id} when asked for {agreement_id}",
                integration=INTEGRATION,
            )
        return agreement

    def _companies(self, position: Position) -> PsaPage:
        records, following = self._page(COMPANIES, CompanyWire, position)
        return PsaPage(
            accounts=tuple(record.account() for record in records),
            agreements=(),
            lines=(),
            next_cursor=(following or Position(_AGREEMENTS_PHASE, cap=position.cap)).cursor(),
            accounts_total=position.total if position.page == 1 else None,
        )

    def _agreements(self, position: Position) -> PsaPage:
        records, following = self._page(AGREEMENTS, AgreementWire, position)
        agreements = tuple(record.agreement() for record in records)
        return PsaPage(
            accounts=(),
            agreements=agreements,
            lines=self._lines_of_all(agreements, position.cap),
            next_cursor=following.cursor() if following else None,
            agreements_total=position.total if position.page == 1 else None,
        )

    def _page[Record: RecordWire](
        self, listing: Listing, kind: type[Record], position: Position
    ) -> tuple[list[Record], Position | None]:
        try:
            return read_positioned(self._session, listing, kind, position)
        except ResourceAbsent as absent:
            # Every site has these lists, so a 404 is never about the list.
            raise CredentialRejected(
                absent.message, integration=INTEGRATION, status=absent.status, remedy=CLOUD_404_HINT
            ) from absent

    def _lines_of_all(self, agreements: tuple[Agreement, ...], cap: int) -> tuple[Line, ...]:
        """The lines of the agreements that may bill, in their order; the first trouble ends the page.

        Agreements that are cancelled or expired by now are kept without their lines: they bill nothing, nothing may be
        written to them, and a site keeps many years of them, each of which would cost a call. One whose end is still to
        come bills until then, so its lines are read.
        """
        today = self._clock.now().date()
        billing = [agreement for agreement in agreements if not _is_over(agreement, today)]
        with ThreadPoolExecutor(max_workers=PARALLEL_CALLS, thread_name_prefix="connectwise") as pool:
            return tuple(line for lines in pool.map(lambda one: self.lines_of(one, cap=cap), billing) for line in lines)

    def lines_of(self, agreement: Agreement, *, cap: int = 0) -> tuple[Line, ...]:
        """Every line of one agreement; ``cap`` is as in Position.

        Raises ReadIncomplete when the list does not end well or is gone.
        """
        listing = Listing(
            f"/finance/agreements/{agreement.id}/additions",
            ADDITION_FIELDS,
            PAGE_SIZE_MAXIMUM,
            f"reading the additions of agreement {agreement.id}",
            AGREEMENTS_PERMISSION,
            is_one_of_many=True,
        )
        try:
            found = read_whole_list(self._session, listing, AdditionWire, cap=cap)
            return tuple(_line(wire, agreement) for wire in found)
        except ResourceAbsent as absent:
            raise ReadIncomplete(
                f"ConnectWise agreement {agreement.id} went away while its additions were read", integration=INTEGRATION
            ) from absent

    def _count(self, listing: Listing) -> int | None:
        """How many records the site says there are; None where it cannot count."""
        reply = self._session.send("GET", f"{listing.path}/count", retry=RetryRule.SAFE)
        if reply.status == 404:
            return None
        if reply.status != 200:
            raise_refusal(
                reply, doing=f"{listing.doing} (count)", permission=listing.permission, secrets=self._session.secrets
            )
        count = parse(CountWire, reply.json(), source=f"{listing.doing} (count)").count
        if count < 0:
            raise ReplyUnreadable(f"ConnectWise counts {count} records, {listing.doing}", integration=INTEGRATION)
        return count


def addition_path(reference: LineReference) -> str:
    """Where one addition is read and written. Raises InputInvalid for ids that ConnectWise cannot have given."""
    agreement_id = record_id(reference.agreement_id, "agreement_id")
    return f"/finance/agreements/{agreement_id}/additions/{record_id(reference.line_id, 'line_id')}"


def record_id(text: str, field_name: str) -> str:
    """The id if it is a whole number, as all ids of ConnectWise are; it goes into an address. Raises InputInvalid."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise InputInvalid(f"{field_name} is not a ConnectWise id, which is a whole number", field=field_name)
    return text


def _line_as_asked(document: object, agreement: Agreement, reference: LineReference) -> Line:
    addition = parse(AdditionWire, document, source="reading an addition")
    if str(addition.id) != reference.line_id:
        raise ReplyUnreadable(
            f"ConnectWise answered with addition {addition.id} when asked for {reference.line_id}",
            integration=INTEGRATION,
        )
    return _line(addition, agreement)


def _line(addition: AdditionWire, agreement: Agreement) -> Line:
    if addition.agreementId is not None and str(addition.agreementId) != agreement.id:
        raise ReplyUnreadable(
            f"ConnectWise sent an addition of agreement {addition.agreementId} when asked for those of {agreement.id}",
            integration=INTEGRATION,
        )
    return addition.line(agreement)


def _is_over(agreement: Agreement, today: date) -> bool:
    ended = agreement.state in (AgreementState.CANCELLED, AgreementState.EXPIRED)
    return ended and (agreement.ends_on is None or agreement.ends_on <= today)
