"""Mimecast behind the VendorBilling port: one page of customer accounts with their services and counts at a time.

Seats in falling order of trust: contract, partner customer list, the account itself (asked on its behalf, only where
there is no contract), the exported file. Whatever is missing or unusable is told as such and is never a zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Final

from trueup.adapters.http import BaseAddress, HttpClient, HttpLimits, Pace, parse_base_address
from trueup.adapters.mimecast.account_detail import AccountDetail, read_account_detail
from trueup.adapters.mimecast.calls import MimecastCalls, PermissionRefused, ResourceUnknown
from trueup.adapters.mimecast.checking import CheckParts, check_credential
from trueup.adapters.mimecast.contracts import ContractIndex, Contracts
from trueup.adapters.mimecast.customer_file import CustomerFile, open_customer_file
from trueup.adapters.mimecast.customers import Customer, CustomerList, CustomerPage
from trueup.adapters.mimecast.field_mapping import FieldMapping, shipped_mapping
from trueup.adapters.mimecast.on_behalf import AccountSwitch, OnBehalf
from trueup.adapters.mimecast.paging import PAGES_MAXIMUM
from trueup.adapters.mimecast.reading import INTEGRATION
from trueup.adapters.mimecast.services import AccountSources, account_services
from trueup.adapters.mimecast.source_counts import SourceCount
from trueup.adapters.mimecast.tokens import MimecastCredential, TokenSource, parse_credential
from trueup.domain.accounts import Service, ServiceCount, ServiceId, VendorPage
from trueup.domain.billing import CapabilityReport
from trueup.domain.counts import Basis
from trueup.domain.errors import InputInvalid, ReadIncomplete, SchemaUnknown
from trueup.domain.uploads import Upload
from trueup.ports.clock import Clock

ALLOWED_SUFFIXES: Final = ("services.mimecast.com",)
"""The zone of the API 2.0 gateways, global and regional. Hosts of API 1.0 lie outside it and take no OAuth."""

PARALLEL_CALLS: Final = 3
REQUESTS_PER_SECOND: Final = 20
"""Mimecast's limits differ by function and are told in headers only; for partner credentials none is published."""

PAGE_SIZE: Final = 100
_API_CURSOR = "api:"
_FILE_CURSOR = "file:"


class MimecastBilling:
    """Implements VendorBilling; safe to share between threads.

    ``on_behalf`` sets how accounts are asked on their behalf (None finds it out); ``mapping`` replaces the shipped
    field mapping; ``customer_file`` is used where the customer list may not be read, and for seats that nobody else
    tells. Where the list can be read the file never contradicts another source: it may be months old.
    """

    def __init__(
        self,
        client: HttpClient,
        credential: MimecastCredential,
        clock: Clock,
        *,
        customer_file: CustomerFile | None = None,
        page_size: int = PAGE_SIZE,
        parallel: int = PARALLEL_CALLS,
        on_behalf: OnBehalf | None = None,
        mapping: FieldMapping | None = None,
        pages_maximum: int = PAGES_MAXIMUM,
    ) -> None:
        mapping = mapping or shipped_mapping()
        self._clock = clock
        self._page_size = page_size
        self._parallel = parallel
        self._client_id_end = credential.client_id[-4:]
        self._file = customer_file
        self._file_as_of = customer_file.as_of if customer_file else None
        self._file_rows = {one.code: one for one in customer_file.customers} if customer_file else {}
        self._calls = MimecastCalls(client, TokenSource(client, credential, clock))
        self._customers = CustomerList(self._calls, mapping, page_size, pages_maximum)
        self._contracts = Contracts(self._calls, mapping, clock, page_size, pages_maximum)
        self._switch = AccountSwitch(self._calls, on_behalf)

    def close(self) -> None:
        """Close idle connections; it may still be used and opens new ones."""
        self._calls.close()

    def check(self) -> CapabilityReport:
        """See VendorBilling.check. Raises CredentialRejected when Mimecast does not accept the credential."""
        parts = CheckParts(
            self._calls, self._customers, self._contracts, self._switch, self._client_id_end, self._file is not None
        )
        return check_credential(parts)

    def read_page(self, cursor: str | None) -> VendorPage:
        """See VendorBilling.read_page. A first page forgets what an earlier read had learned of the contracts.

        Accounts that only the exported file knows are not added to a list that Mimecast itself gave: they may have
        left.
        """
        if cursor is None:
            self._contracts.forget()
        prefix, page = self._page(cursor)
        next_cursor = None if page.next_token is None else f"{prefix}{page.next_token}"
        told = self._told(page.customers, next_cursor, page.total, by_file=prefix == _FILE_CURSOR)
        if prefix == _FILE_CURSOR and self._file is not None:
            return replace(told, accounts_as_of=self._file.as_of)
        return told

    def _page(self, cursor: str | None) -> tuple[str, CustomerPage]:
        """The customers at the cursor and the prefix of the next cursor."""
        if cursor is not None and cursor.startswith(_FILE_CURSOR):
            return _FILE_CURSOR, self._file_page(cursor.removeprefix(_FILE_CURSOR))
        if cursor is not None and not cursor.startswith(_API_CURSOR):
            raise InputInvalid("this page mark is not one of Mimecast's", field="cursor")
        token = None if cursor is None else cursor.removeprefix(_API_CURSOR)
        try:
            return _API_CURSOR, self._customers.read(token)
        except (PermissionRefused, ResourceUnknown):
            if cursor is not None or self._file is None:
                raise
            return _FILE_CURSOR, self._file_page(f"{self._file.digest}:0")

    def _file_page(self, mark: str) -> CustomerPage:
        """A page of the exported file. The mark names the file, so that one read never mixes two of them."""
        digest, _, offset_text = mark.partition(":")
        if not offset_text.isdecimal():
            raise InputInvalid("this page mark does not fit the customer file", field="cursor")
        if self._file is None or digest != self._file.digest:
            raise ReadIncomplete(
                "the customer file was replaced or forgotten while it was read",
                integration=INTEGRATION,
                remedy="Run again; it begins with the file that is kept now, if there is one.",
            )
        rows, start = self._file.customers, int(offset_text)
        if start >= len(rows):
            raise InputInvalid("this page mark does not fit the customer file", field="cursor")
        end = start + self._page_size
        customers = tuple(Customer(one.account, SourceCount(Basis.PARTNER_CUSTOMER)) for one in rows[start:end])
        return CustomerPage(customers, f"{digest}:{end}" if end < len(rows) else None, len(rows))

    def _told(
        self, customers: Sequence[Customer], next_cursor: str | None, total: int | None, *, by_file: bool
    ) -> VendorPage:
        contracts = self._contracts.index()
        codes = {str(one.account.id) for one in customers}
        if contracts.doubtful_key and codes and codes.isdisjoint({*contracts.by_account, *contracts.not_in_force}):
            raise SchemaUnknown(
                f"the contracts name their accounts in {contracts.doubtful_key}, and no customer has such a code",
                integration=INTEGRATION,
            )
        details = self._details([one for one in customers if not contracts.by_account.get(str(one.account.id))])
        services: dict[ServiceId, Service] = {}
        counts: list[ServiceCount] = []
        as_of = self._clock.now()
        for customer in customers:
            told = account_services(self._sources(customer, contracts, details, by_file=by_file), as_of=as_of)
            services.update((service.id, service) for service in told.services if service.id not in services)
            counts.extend(told.counts)
        return VendorPage(
            accounts=tuple(one.account for one in customers),
            services=tuple(services.values()),
            counts=tuple(counts),
            next_cursor=next_cursor,
            accounts_total=total,
        )

    def _sources(
        self, customer: Customer, contracts: ContractIndex, details: Mapping[str, AccountDetail], *, by_file: bool
    ) -> AccountSources:
        code = str(customer.account.id)
        detail, row = details.get(code), self._file_rows.get(code)
        return AccountSources(
            account=customer.account,
            contracted=contracts.by_account.get(code, ()),
            account_level=[
                customer.seats,
                *([detail.seats] if detail is not None else []),
                *([replace(row.source_count, as_of=self._file_as_of, comparable=by_file)] if row is not None else []),
            ],
            detail=detail,
            notes=[note for note in (contracts.unavailable, contracts.not_in_force.get(code)) if note],
        )

    def _details(self, customers: Sequence[Customer]) -> dict[str, AccountDetail]:
        """What the accounts say of themselves, a few at a time. The first trouble is raised: a page is whole or not."""
        codes = [str(customer.account.id) for customer in customers]
        if not codes:
            return {}
        with ThreadPoolExecutor(max_workers=min(self._parallel, len(codes)), thread_name_prefix="mimecast") as pool:
            asked = {code: pool.submit(read_account_detail, self._switch, code) for code in codes}
            finished, _ = wait(asked.values(), return_when=FIRST_EXCEPTION)
            # What has not begun is not asked any more after a failure, so that a refused token causes no storm.
            pool.shutdown(wait=True, cancel_futures=True)
            for answer in finished:
                answer.result()
        return {code: answer.result() for code, answer in asked.items()}


def parse_mimecast_address(url: str, *, allow_loopback: bool) -> BaseAddress:
    """The checked gateway. Raises UnsafeAddress with the fix."""
    return parse_base_address(
        url, allowed_suffixes=ALLOWED_SUFFIXES, integration="Mimecast", allow_loopback=allow_loopback
    )


def open_mimecast(
    url: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    customer_file: Upload | None = None,
    on_behalf: OnBehalf | None = None,
    mapping: FieldMapping | None = None,
    limits: HttpLimits | None = None,
    page_size: int = PAGE_SIZE,
) -> MimecastBilling:
    """A Mimecast gateway ready to be called; nothing is sent yet.

    ``fields`` holds client_id and client_secret; ``customer_file`` is the portal's export as it was downloaded. Raises
    UnsafeAddress and InputInvalid, each with the fix.
    """
    base = parse_mimecast_address(url, allow_loopback=allow_loopback)
    credential = parse_credential(fields)
    file = open_customer_file(customer_file) if customer_file is not None else None
    pace = Pace(REQUESTS_PER_SECOND, PARALLEL_CALLS)
    client = HttpClient(base, integration=INTEGRATION, clock=clock, limits=limits, pace=pace)
    return MimecastBilling(
        client, credential, clock, customer_file=file, on_behalf=on_behalf, mapping=mapping, page_size=page_size
    )
