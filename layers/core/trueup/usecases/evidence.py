"""The evidence pack of a client: all of one closed month that concerns it, from what was sealed and nothing else.

Must not: add a word that is not in the sealed parts; the same month gives the same pack for ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from trueup.domain.change_orders import ChangeOrder
from trueup.domain.comparison import client_of
from trueup.domain.errors import NotFound
from trueup.domain.mapping import AccountEntry, MappingState, ServiceEntry
from trueup.domain.periods import Period
from trueup.domain.plan import Change, Plan
from trueup.domain.runs import Snapshot
from trueup.domain.sealed_contents import SealedContents
from trueup.domain.sealing import SealLink
from trueup.domain.verdicts import Row
from trueup.ports.sealing import SealedStore
from trueup.usecases.monthly_report import contents_of
from trueup.usecases.sealed_proof import newest_sealing


@dataclass(frozen=True, slots=True)
class EvidencePack:
    """One client in one closed month. ``changes`` come with their plan, which holds approval and result; ``reads`` are
    what the counts were read in; ``link`` carries the hashes of every part."""

    link: SealLink
    client_id: str
    client_name: str
    rows: tuple[Row, ...]
    accounts: tuple[AccountEntry, ...]
    services: tuple[ServiceEntry, ...]
    changes: tuple[tuple[Plan, Change], ...]
    orders: tuple[ChangeOrder, ...]
    reads: tuple[Snapshot, ...]


@dataclass(slots=True)
class _Client:
    name: str = ""
    rows: list[Row] = field(default_factory=list)
    accounts: list[AccountEntry] = field(default_factory=list)
    changes: list[tuple[Plan, Change]] = field(default_factory=list)
    orders: list[ChangeOrder] = field(default_factory=list)


def evidence_packs(period: str, *, client_id: str = "", store: SealedStore) -> Iterator[EvidencePack]:
    """The pack of that client, or of each client that the month knows, by id.

    A client is one of the PSA, or the vendor accounts where none is mapped. Raises InputInvalid (``period``), NotFound
    when the month was never closed or does not know the client, StateUnavailable when a part is gone or damaged.
    """
    Period.parse(period)
    link = newest_sealing(period, store.links())
    contents = contents_of(link, store, only=("reads", "accounts", "services", "rows", "plans", "orders"))
    clients = _by_client(contents)
    if client_id and client_id not in clients:
        raise NotFound(f"{period} knows no client {client_id!r}", remedy="Take the id from the month's rows.")
    return _packs([client_id] if client_id else sorted(clients), clients, contents, link)


def _packs(
    chosen: Iterable[str], clients: dict[str, _Client], contents: SealedContents, link: SealLink
) -> Iterator[EvidencePack]:
    for client_id in chosen:
        client = clients[client_id]
        sold = {str(member.service_id) for row in client.rows for member in row.members}
        yield EvidencePack(
            link=link,
            client_id=client_id,
            client_name=client.name,
            rows=tuple(client.rows),
            accounts=tuple(client.accounts),
            services=tuple(service for service in contents.services if str(service.service_id) in sold),
            changes=tuple(client.changes),
            orders=tuple(client.orders),
            reads=contents.reads,
        )


def _by_client(contents: SealedContents) -> dict[str, _Client]:
    clients: dict[str, _Client] = defaultdict(_Client)
    owners: dict[str, str] = {}
    for row in contents.comparison.rows:
        owner, name = client_of(row)
        client = clients[owner]
        client.rows.append(row)
        client.name = client.name or name
        owners.update({str(member.vendor_id): owner for member in row.members})
    for entry in contents.accounts:
        owner = str(entry.psa_id) if entry.state is MappingState.MAPPED else owners.get(str(entry.vendor_id), "")
        owner = owner or str(entry.vendor_id)
        clients[owner].accounts.append(entry)
        clients[owner].name = clients[owner].name or entry.psa_name or entry.vendor_name
        owners.setdefault(str(entry.vendor_id), owner)
    for plan in contents.plans:
        for change in plan.changes:
            clients[str(change.psa_account_id)].changes.append((plan, change))
    for order in contents.orders:
        owner = str(order.psa_account_id) if order.psa_account_id is not None else str(order.vendor_id)
        clients[owners.get(str(order.vendor_id), owner)].orders.append(order)
    return dict(clients)
