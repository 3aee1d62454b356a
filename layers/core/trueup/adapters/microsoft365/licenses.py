"""Microsoft 365 behind the LicenseReading port: the list of tenants, a page of them at a time, each read by itself.

Method: a few tenants are read at once, because the limits of Graph are kept by tenant; a page holds no more than their
users. A tenant that cannot be read is told as failed and stops nobody else. It writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Self

from trueup.adapters.http import HttpClient, HttpLimits
from trueup.adapters.microsoft365.address import CloudAddress, GraphCredential, parse_address, parse_credential
from trueup.adapters.microsoft365.checking import check_credential
from trueup.adapters.microsoft365.customers import ClientList, list_clients
from trueup.adapters.microsoft365.mailboxes import BATCHES_AT_ONCE
from trueup.adapters.microsoft365.session import GraphSession
from trueup.adapters.microsoft365.tenant import read_tenant
from trueup.adapters.microsoft365.tokens import TenantToken
from trueup.adapters.microsoft365.wire import INTEGRATION, VENDOR
from trueup.adapters.read_positions import not_a_cursor
from trueup.domain.billing import CapabilityReport
from trueup.domain.errors import (
    CredentialRejected,
    RateLimited,
    ReadIncomplete,
    TenantScopeMismatch,
    TrueupError,
    UnsafeAddress,
    VendorTrouble,
    VendorUnavailable,
)
from trueup.domain.licenses import LicensePage, TenantId, TenantLicenses
from trueup.ports.clock import Clock
from trueup.ports.licenses import EarlierReads

TENANTS_AT_ONCE: Final = 8
"""How many tenants are in a page and are read at the same time. Graph limits an application by tenant first, and over
all tenants to far more than so many readers ask for (documented), so more of them only cost memory.
"""

LONG_WAIT_SECONDS: Final = 30.0
"""A wait this long is told to the caller, who waits and reads the page again. Where a tenant keeps asking for short
waits until the call has no time left, waiting does not help: that tenant failed, and the others are read.
"""

THROTTLED_REMEDY: Final = "Read again later: Microsoft is limiting calls to this tenant, perhaps for another program's."

_CURSOR = re.compile(r"1:(?P<next>[1-9][0-9]{0,6}):(?P<digest>[0-9a-f]{16})", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Position:
    """How many tenants of which list were read."""

    next: int
    digest: str

    @property
    def cursor(self) -> str:
        return f"1:{self.next}:{self.digest}"

    @classmethod
    def of(cls, cursor: str) -> Self:
        found = _CURSOR.fullmatch(cursor)
        if found is None:
            raise not_a_cursor("a Microsoft 365 read")
        return cls(int(found["next"]), found["digest"])


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One tenant as read, and what kept it from being read."""

    tenant: TenantLicenses
    error: TrueupError | None = None


class Microsoft365Licenses:
    """Implements LicenseReading; safe to share between threads."""

    def __init__(
        self,
        graph: HttpClient,
        login: HttpClient,
        address: CloudAddress,
        credential: GraphCredential,
        *,
        clock: Clock,
        earlier: EarlierReads | None,
    ) -> None:
        self._graph = graph
        self._login = login
        self._address = address
        self._credential = credential
        self._clock = clock
        self._earlier = earlier
        self._own = self._session(credential.tenant_id)
        self._listed: ClientList | None = None

    def close(self) -> None:
        """Close idle connections; it may still be used and opens new ones."""
        self._graph.close()
        if self._login is not self._graph:
            self._login.close()

    def check(self) -> CapabilityReport:
        """See LicenseReading.check."""
        identity = f"application {self._credential.client_id} of the tenant {self._credential.tenant_id}"
        return check_credential(self._own, self._session, identity=identity)

    def read_page(self, cursor: str | None) -> LicensePage:
        """See LicenseReading.read_page. Raises ReadIncomplete when the list of clients changed during the read."""
        position = None if cursor is None else _Position.of(cursor)
        clients = self._clients(position)
        start = 0 if position is None else position.next
        wanted = clients.ids[start : start + TENANTS_AT_ONCE]
        outcomes = self._read(wanted, clients)
        end = start + len(wanted)
        return LicensePage(
            tuple(outcome.tenant for outcome in outcomes),
            _Position(end, clients.digest).cursor if end < len(clients.ids) else None,
            accounts_total=len(clients.ids),
        )

    # Inside.

    def _session(self, tenant_id: str) -> GraphSession:
        token = TenantToken(self._login, self._address, self._credential, tenant_id, self._clock)
        return GraphSession(self._graph, token)

    def _clients(self, position: _Position | None) -> ClientList:
        """The list that the position is in. A read in one process asks for it once."""
        kept = self._listed
        if position is not None and kept is not None and kept.digest == position.digest:
            return kept
        clients = list_clients(self._own)
        if position is not None and clients.digest != position.digest:
            raise ReadIncomplete(
                f"{VENDOR}: the list of clients changed while they were read",
                integration=INTEGRATION,
                remedy="Nothing was changed. Read again from the start.",
            )
        self._listed = clients
        return clients

    def _read(self, tenant_ids: Sequence[str], clients: ClientList) -> list[_Outcome]:
        if not tenant_ids:
            return []
        given = self._earlier
        # Asked for in order and by one thread, which is what is promised to who keeps them.
        earlier = [given.of(TenantId(one)) if given is not None else None for one in tenant_ids]
        names = [clients.names[one] for one in tenant_ids]
        with ThreadPoolExecutor(max_workers=len(tenant_ids), thread_name_prefix="microsoft365") as pool:
            outcomes = list(pool.map(self._read_one, tenant_ids, names, earlier))
        self._raise_what_concerns_all([outcome.error for outcome in outcomes])
        return _without_mixed(outcomes)

    def _read_one(self, tenant_id: str, name: str, earlier: TenantLicenses | None) -> _Outcome:
        """One tenant, or why it cannot be read. Only what Trueup raises on purpose is an outcome; a bug is not."""
        begun_at = self._clock.now()
        try:
            return _Outcome(read_tenant(self._session(tenant_id), name, earlier))
        except (VendorTrouble, UnsafeAddress) as error:
            remedy = THROTTLED_REMEDY if isinstance(error, RateLimited) else error.remedy
            failed = TenantLicenses(TenantId(tenant_id), name, begun_at, failure=error.message, remedy=remedy)
            return _Outcome(failed, error)

    def _raise_what_concerns_all(self, errors: Sequence[TrueupError | None]) -> None:
        """Raise what is not one tenant's own trouble: a long wait, our own credential, Graph being away."""
        long_waits = [
            error for error in errors if isinstance(error, RateLimited) and error.wait_seconds >= LONG_WAIT_SECONDS
        ]
        if long_waits:
            raise max(long_waits, key=lambda error: error.wait_seconds)
        if any(isinstance(error, CredentialRejected) for error in errors):
            # A secret that expired is refused in every tenant. The MSP's own tenant says which it is.
            self._own.sign_in_again()
        away = [error for error in errors if isinstance(error, VendorUnavailable)]
        if len(away) == len(errors) > 1:
            raise away[0]


def _without_mixed(outcomes: Sequence[_Outcome]) -> list[_Outcome]:
    """The outcomes, those failed that show a user who is in another tenant too: a user's id is one tenant's only.

    Pages of users do not name their tenant, so this is all that can be seen of a mix-up, and it is seen within a page.
    """
    holders: dict[str, int] = {}
    mixed: set[int] = set()
    for number, outcome in enumerate(outcomes):
        for user in outcome.tenant.users:
            other = holders.setdefault(user.id, number)
            if other != number:
                mixed |= {other, number}
    return [_mixed(outcome) if number in mixed else outcome for number, outcome in enumerate(outcomes)]


def _mixed(outcome: _Outcome) -> _Outcome:
    error = TenantScopeMismatch(
        f"{VENDOR}, reading users: two tenants were answered with the same users; both answers were thrown away",
        integration=INTEGRATION,
        remedy="Read again; if it lasts, ask Microsoft.",
    )
    tenant = outcome.tenant
    failed = TenantLicenses(tenant.id, tenant.name, tenant.read_at, failure=error.message, remedy=error.remedy)
    return _Outcome(failed, error)


def open_microsoft365(
    address: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    earlier: EarlierReads | None = None,
    limits: HttpLimits | None = None,
) -> Microsoft365Licenses:
    """Microsoft 365 ready to be called; nothing is sent yet.

    ``fields`` holds tenant_id, client_id and client_secret. ``earlier`` is what the last read left, to go on from.
    Raises UnsafeAddress and InputInvalid, each with the fix.
    """
    cloud = parse_address(address, allow_loopback=allow_loopback)
    credential = parse_credential(fields)
    bounds = limits or HttpLimits(connections=TENANTS_AT_ONCE * BATCHES_AT_ONCE)
    graph = HttpClient(cloud.graph, integration=INTEGRATION, clock=clock, limits=bounds, reset_headers=())
    login = graph
    if cloud.login != cloud.graph:
        login = HttpClient(cloud.login, integration=INTEGRATION, clock=clock, limits=bounds, reset_headers=())
    return Microsoft365Licenses(graph, login, cloud, credential, clock=clock, earlier=earlier)
