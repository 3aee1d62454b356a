"""Reads clients, recurring contracts and lines: page by page for a snapshot, and one line as it is right now.

Contract services and units are queried for many contracts at once, so a read of everything takes few calls: it is done
in full each time, which needs no bookkeeping of what changed and misses nothing. It must not turn an empty answer into
an empty tenant before Autotask has said that the user may see everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from trueup.adapters.autotask.entities import fields_of, require_sight
from trueup.adapters.autotask.lines import Days, line_of, rows_in_order
from trueup.adapters.autotask.querying import (
    MAX_RECORDS,
    Condition,
    Listing,
    Position,
    among,
    batches,
    count,
    equal,
    everything,
    query_all,
    query_page,
)
from trueup.adapters.autotask.replies import COMPANIES_PERMISSION, CONTRACTS_PERMISSION, SERVICES_PERMISSION
from trueup.adapters.autotask.session import AutotaskSession
from trueup.adapters.autotask.wire import (
    COMPANY_FIELDS,
    CONTRACT_FIELDS,
    CONTRACT_SERVICE_FIELDS,
    INTEGRATION,
    SERVICE_FIELDS,
    UNITS_FIELDS,
    CompanyWire,
    ContractServiceWire,
    ContractWire,
    ContractWords,
    ServiceWire,
    UnitsWire,
)
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
from trueup.domain.errors import InputInvalid, ReplyUnreadable, ResourceAbsent, TenantScopeMismatch
from trueup.domain.periods import Period
from trueup.ports.clock import Clock

CONTRACTS_PAGE_SIZE: Final = 200
"""Services and units of a page are asked for together; so many contracts fit one query each."""

UNITS_AHEAD: Final = timedelta(days=400)
"""How far ahead dated units are looked for in a snapshot. Before a write every later row is read."""

COMPANIES: Final = Listing("Companies", COMPANY_FIELDS, "reading companies", COMPANIES_PERMISSION)
CONTRACTS: Final = Listing("Contracts", CONTRACT_FIELDS, "reading contracts", CONTRACTS_PERMISSION, CONTRACTS_PAGE_SIZE)
CONTRACT_SERVICES: Final = Listing(
    "ContractServices", CONTRACT_SERVICE_FIELDS, "reading contract services", CONTRACTS_PERMISSION
)
UNITS: Final = Listing("ContractServiceUnits", UNITS_FIELDS, "reading units", CONTRACTS_PERMISSION)
SERVICES: Final = Listing("Services", SERVICE_FIELDS, "reading services", SERVICES_PERMISSION, MAX_RECORDS)

_COMPANIES_PHASE = "companies"
_CONTRACTS_PHASE = "contracts"


class BillingReader:
    """The read side. Between pages it keeps nothing but what the picklists say and that empty lists were checked."""

    def __init__(self, session: AutotaskSession, clock: Clock, time_zone: ZoneInfo) -> None:
        self._session = session
        self._clock = clock
        self._time_zone = time_zone
        self._words: ContractWords | None = None
        self._seen: set[str] = set()

    def days(self) -> Days:
        """Today and the day from which a change of today counts, for the MSP."""
        now = self._clock.now()
        return Days(now.astimezone(self._time_zone).date(), Period.at(now, self._time_zone).next().first_day)

    def read_page(self, cursor: str | None) -> PsaPage:
        """One page: first all companies, then recurring contracts with their lines. Totals come on the first page of
        each kind; whether all were seen is for the caller to compare.

        Raises PermissionMissing for a list that is empty because the user may not see what is in it.
        """
        if cursor is None:
            return self._companies(Position(_COMPANIES_PHASE))
        position = Position.of(cursor, phases=(_COMPANIES_PHASE, _CONTRACTS_PHASE))
        return self._companies(position) if position.phase == _COMPANIES_PHASE else self._contracts(position)

    def read_account(self, account_id: PsaAccountId) -> PsaPage:
        """The company with its recurring contracts and lines. Raises ResourceAbsent when it is gone."""
        company_id = record_id(account_id, "account_id")
        company = self._one(COMPANIES, CompanyWire, company_id)
        conditions = [equal("companyID", company_id), self._recurring()]
        contracts = list(query_all(self._session, CONTRACTS, ContractWire, conditions))
        if any(contract.companyID != company_id for contract in contracts):
            raise TenantScopeMismatch(
                f"Autotask sent a contract of another company when asked for those of {company_id}",
                integration=INTEGRATION,
            )
        if not contracts:
            self._require_sight(CONTRACTS)
        agreements = self._agreements(contracts)
        return PsaPage((company.account(),), agreements, self.lines_of(agreements), None)

    def read_line(self, reference: LineReference) -> LineState:
        """The line and its agreement as they are now. Raises ResourceAbsent when either is gone."""
        service_id = record_id(reference.line_id, "line_id")
        agreement = self.read_agreement(reference.agreement_id)
        service = self.service_on(agreement, service_id, self.services_of([agreement]))
        lines = self._joined([service], [agreement])
        return LineState(lines[0], agreement, self._clock.now())

    def read_agreement(self, agreement_id: AgreementId) -> Agreement:
        """One contract as it is now. Raises ResourceAbsent when it is gone."""
        contract = self._one(CONTRACTS, ContractWire, record_id(agreement_id, "agreement_id"))
        return self._agreements([contract])[0]

    def services_of(self, agreements: Iterable[Agreement]) -> list[ContractServiceWire]:
        """The services of contracts, without units. Raises PermissionMissing for an empty list that is no truth."""
        services: list[ContractServiceWire] = []
        for ids in batches(int(agreement.id) for agreement in agreements):
            conditions = [among("contractID", ids)]
            found = list(query_all(self._session, CONTRACT_SERVICES, ContractServiceWire, conditions))
            if any(service.contractID not in ids for service in found):
                raise TenantScopeMismatch(
                    "Autotask sent a service of another contract than those it was asked for", integration=INTEGRATION
                )
            services += found
            if not found:
                self._require_sight(CONTRACT_SERVICES)
        return services

    def service_on(
        self, agreement: Agreement, service_id: int, services: Iterable[ContractServiceWire]
    ) -> ContractServiceWire:
        """That service of the contract. Raises ResourceAbsent when it is not there."""
        for service in services:
            if service.id == service_id:
                return service
        raise ResourceAbsent(
            f"Autotask's contract {agreement.id} has no contract service {service_id}",
            integration=INTEGRATION,
            status=None,
        )

    def units_from(self, contract_ids: Sequence[int], first: date, last: date | None = None) -> list[UnitsWire]:
        """Every row of those contracts that touches the days from the first to the last."""
        conditions: list[Condition] = [
            among("contractID", contract_ids),
            {"op": "gte", "field": "endDate", "value": _wire_day(first)},
        ]
        if last is not None:
            conditions.append({"op": "lte", "field": "startDate", "value": _wire_day(last)})
        return self._rows(conditions)

    def units_of(self, service_ids: Sequence[int]) -> list[UnitsWire]:
        """Every row there is of those contract services."""
        return self._rows([among("contractServiceID", service_ids)])

    def lines_of(self, agreements: Sequence[Agreement]) -> tuple[Line, ...]:
        """The lines of the contracts that may bill, by id. One whose end date is over bills nothing and is left out."""
        billing = [agreement for agreement in agreements if agreement.state is not AgreementState.EXPIRED]
        return self._joined(self.services_of(billing), billing)

    def _companies(self, position: Position) -> PsaPage:
        total = count(self._session, COMPANIES, [everything()]) if position.page == 1 else None
        records, following = query_page(self._session, COMPANIES, CompanyWire, [everything()], position)
        if not records and position.page == 1:
            self._require_sight(COMPANIES)
        return PsaPage(
            accounts=tuple(record.account() for record in records),
            agreements=(),
            lines=(),
            next_cursor=(following or Position(_CONTRACTS_PHASE)).cursor(),
            accounts_total=total,
        )

    def _contracts(self, position: Position) -> PsaPage:
        conditions = [self._recurring()]
        total = count(self._session, CONTRACTS, conditions) if position.page == 1 else None
        records, following = query_page(self._session, CONTRACTS, ContractWire, conditions, position)
        if not records and position.page == 1:
            self._require_sight(CONTRACTS)
        agreements = self._agreements(records)
        return PsaPage(
            accounts=(),
            agreements=agreements,
            lines=self.lines_of(agreements),
            next_cursor=following.cursor() if following else None,
            agreements_total=total,
        )

    def _joined(self, services: Sequence[ContractServiceWire], agreements: Sequence[Agreement]) -> tuple[Line, ...]:
        days = self.days()
        by_service: dict[int, list[UnitsWire]] = defaultdict(list)
        for ids in batches(service.contractID for service in services):
            for row in self.units_from(ids, days.today, days.today + UNITS_AHEAD):
                by_service[row.contractServiceID].append(row)
        # What has no units now has ended, begins much later, or never billed: which of them, its other rows say.
        for ids in batches(service.id for service in services if service.id not in by_service):
            for row in self.units_of(ids):
                by_service[row.contractServiceID].append(row)
        if services and not by_service:
            self._require_sight(UNITS)
        names = self._names(services)
        agreement_of = {int(agreement.id): agreement for agreement in agreements}
        return tuple(
            line_of(
                service,
                rows_in_order(by_service[service.id], service),
                agreement_of[service.contractID],
                product_code=names.get(service.serviceID, str(service.serviceID)),
                days=days,
            )
            for service in sorted(services, key=lambda one: one.id)
        )

    def _names(self, services: Iterable[ContractServiceWire]) -> dict[int, str]:
        """What people call each service; one that the user may not see is shown by its id."""
        found: dict[int, str] = {}
        for ids in batches(service.serviceID for service in services):
            named = query_all(self._session, SERVICES, ServiceWire, [among("id", ids)])
            found |= {service.id: service.name for service in named}
        return found

    def _rows(self, conditions: Sequence[Condition]) -> list[UnitsWire]:
        return list(query_all(self._session, UNITS, UnitsWire, conditions))

    def _agreements(self, contracts: Iterable[ContractWire]) -> tuple[Agreement, ...]:
        words, today = self._contract_words(), self.days().today
        return tuple(contract.agreement(words, today) for contract in contracts)

    def _recurring(self) -> Condition:
        return equal("contractType", self._contract_words().recurring)

    def _contract_words(self) -> ContractWords:
        if self._words is None:
            fields = fields_of(self._session, CONTRACTS.entity, permission=CONTRACTS.permission)
            self._words = ContractWords.of(list(fields))
        return self._words

    def _require_sight(self, listing: Listing) -> None:
        """An empty list is believed once Autotask has said that the user may see all there is."""
        if listing.entity in self._seen:
            return
        require_sight(self._session, listing.entity, permission=listing.permission)
        self._seen.add(listing.entity)

    def _one[Record: CompanyWire | ContractWire](self, listing: Listing, kind: type[Record], wanted: int) -> Record:
        records, _ = query_page(self._session, listing, kind, [equal("id", wanted)], Position("one"))
        if not records:
            raise ResourceAbsent(
                f"Autotask, {listing.doing}: there is none with the id {wanted}", integration=INTEGRATION, status=None
            )
        if records[0].id != wanted or len(records) > 1:
            raise ReplyUnreadable(
                f"Autotask answered with record {records[0].id} when asked for {wanted}, {listing.doing}",
                integration=INTEGRATION,
            )
        return records[0]


def record_id(text: str, field_name: str) -> int:
    """The id if it is a whole number, as all ids of Autotask are. Raises InputInvalid."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise InputInvalid(f"{field_name} is not an Autotask id, which is a whole number", field=field_name)
    return int(text)


def _wire_day(day: date) -> str:
    return f"{day.isoformat()}T00:00:00"
