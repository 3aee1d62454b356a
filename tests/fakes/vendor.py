"""A vendor in memory behind the VendorBilling port, with switches that make it misbehave.

It passes the same contract suite as the real adapter, so a use case tested on it meets the same outcomes. Change what
it knows between two pages with ``on_page``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from tests.fakes.misbehaving import Misbehaving
from trueup.domain.accounts import (
    AccountState,
    Service,
    ServiceCount,
    ServiceId,
    ServiceKind,
    VendorAccount,
    VendorAccountId,
    VendorPage,
)
from trueup.domain.billing import Capability, CapabilityReport
from trueup.domain.counts import Basis, Count, Evidence, Known, Missing, Seats
from trueup.domain.errors import InputInvalid
from trueup.ports.clock import Clock

INTEGRATION = "mimecast"
CAPABILITIES = (
    Capability("customers", True, "Partner: read"),
    Capability("contracts", True, "Partner: read"),
    Capability("account_detail", True, "Account: read"),
)


class FakeVendor(Misbehaving):
    """Implements VendorBilling. Safe to use from several threads.

    ``calls`` counts calls by method. ``told_total`` replaces the total that pages tell, ``repeats_marks`` makes every
    page but the first lead to itself, ``repeats_pages`` sends each page's accounts with those of the page before.
    """

    def __init__(self, clock: Clock, *, page_size: int = 100) -> None:
        super().__init__(CAPABILITIES)
        self.accounts: dict[str, VendorAccount] = {}
        self.services: dict[str, Service] = {}
        self.counts: dict[tuple[str, str], Count] = {}
        self.page_size = page_size
        self.told_total: Callable[[int], int | None] = lambda actual: actual
        self.repeats_marks = False
        self.repeats_pages = False
        self.on_page: Callable[[int], None] | None = None
        self._clock = clock

    # What a test may make happen.

    def add_service(self, service_id: str, name: str = "", kind: ServiceKind = ServiceKind.PLAN) -> None:
        """Begin to sell something."""
        self.services[service_id] = Service(ServiceId(service_id), name or f"Service {service_id}", kind)

    def add_account(
        self,
        account_id: str,
        name: str,
        seats: int | None = None,
        *,
        service_id: str = "plan",
        state: AccountState = AccountState.ACTIVE,
    ) -> None:
        """A customer account, with that many seats of the service; None is an account nobody counts."""
        self.accounts[account_id] = VendorAccount(VendorAccountId(account_id), name, state, state.value)
        if service_id not in self.services:
            self.add_service(service_id)
        self.sets(account_id, Missing("no source tells the seats") if seats is None else seats, service_id)

    def sets(self, account_id: str, count: int | Count, service_id: str = "plan") -> None:
        """The agreement of an account has another number, or none that can be used, from now on."""
        if isinstance(count, int):
            evidence = Evidence("fake vendor", "seats", f"{account_id} {service_id}", count)
            count = Known(Seats(count), Basis.CONTRACT, self._clock.now(), (evidence,))
        self.counts[account_id, service_id] = count

    def renames(self, account_id: str, name: str) -> None:
        """The account has another name; its id stays."""
        self.accounts[account_id] = replace(self.accounts[account_id], name=name)

    def removes(self, account_id: str) -> None:
        """The account is no longer listed."""
        del self.accounts[account_id]
        self.counts = {key: count for key, count in self.counts.items() if key[0] != account_id}

    # The port.

    def check(self) -> CapabilityReport:
        """The capabilities as they stand."""
        self._enter("check")
        return CapabilityReport("Fake vendor (in memory)", self.capabilities)

    def read_page(self, cursor: str | None) -> VendorPage:
        """Accounts by id, ``page_size`` at a time, each with its counts."""
        self._enter("read_page")
        found = re.fullmatch(r"fake:([0-9]{1,9})", "fake:0" if cursor is None else cursor, re.ASCII)
        if found is None:
            raise InputInvalid("this is not a cursor of this vendor", field="cursor")
        start = int(found[1])
        with self._lock:
            if self.on_page is not None:
                self.on_page(start)
            return self._page(start)

    # Inside.

    def _page(self, start: int) -> VendorPage:
        everyone = [self.accounts[key] for key in sorted(self.accounts)]
        end = start + self.page_size
        begin = max(start - self.page_size, 0) if self.repeats_pages else start
        shown = everyone[begin:end]
        codes = {str(account.id) for account in shown}
        counts = tuple(
            ServiceCount(VendorAccountId(account_id), ServiceId(service_id), count)
            for (account_id, service_id), count in sorted(self.counts.items(), key=lambda item: item[0])
            if account_id in codes
        )
        next_cursor = f"fake:{end}" if end < len(everyone) else None
        if self.repeats_marks and start > 0:
            next_cursor = f"fake:{start}"
        return VendorPage(
            accounts=tuple(shown),
            services=tuple(self._sold(counts)),
            counts=counts,
            next_cursor=next_cursor,
            accounts_total=self.told_total(len(everyone)),
        )

    def _sold(self, counts: Iterable[ServiceCount]) -> list[Service]:
        wanted = {str(count.service_id) for count in counts}
        return [service for key, service in sorted(self.services.items()) if key in wanted]
