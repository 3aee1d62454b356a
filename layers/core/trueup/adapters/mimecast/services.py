"""From what the sources say of one account to its services and their counts.

Services are the products under contract; without a contract the main product; without one the packages and the account
as a whole. It must not call anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from trueup.adapters.mimecast.account_detail import AccountDetail
from trueup.adapters.mimecast.contracts import ContractedService
from trueup.adapters.mimecast.packages import normalized
from trueup.adapters.mimecast.products import WHOLE_ACCOUNT
from trueup.adapters.mimecast.source_counts import SourceCount, combined
from trueup.domain.accounts import Service, ServiceCount, ServiceId, ServiceKind, VendorAccount


@dataclass(frozen=True, slots=True)
class AccountSources:
    """What is known of one account, each in falling order of trust. ``detail`` is None where it was not asked for."""

    account: VendorAccount
    contracted: Sequence[ContractedService]
    account_level: Sequence[SourceCount]
    detail: AccountDetail | None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class AccountServices:
    services: tuple[Service, ...]
    counts: tuple[ServiceCount, ...]


def account_services(sources: AccountSources, *, as_of: datetime) -> AccountServices:
    """The services of one account with one count each."""
    return _contracted(sources, as_of) if sources.contracted else _uncontracted(sources, as_of)


def _contracted(sources: AccountSources, as_of: datetime) -> AccountServices:
    """Products under contract.

    A number for the whole account is compared with the contract's only for a lone plan, or a contract that names no
    product: several plans may share the users between them, and an add-on may be sold to some of them.
    """
    plans = [one for one in sources.contracted if one.service.kind in (ServiceKind.PLAN, ServiceKind.ACCOUNT)]
    services, counts = [], []
    for contracted in sources.contracted:
        comparable = len(plans) == 1 and contracted is plans[0]
        others = [replace(one, comparable=comparable and one.comparable) for one in sources.account_level]
        silence = _silence("the contract tells no seats for this product, and no other source does", sources)
        count = combined([contracted.seats, *others], as_of=as_of, silence=silence)
        services.append(contracted.service)
        counts.append(ServiceCount(sources.account.id, contracted.service.id, count))
    return AccountServices(tuple(services), tuple(counts))


def _uncontracted(sources: AccountSources, as_of: datetime) -> AccountServices:
    """Main product, else packages with the whole account beside them; the one count of the account stands for each."""
    detail = sources.detail
    if detail is not None and detail.main_product:
        title = detail.main_product
        services = [Service(ServiceId(f"main:{normalized(title)}"), title, ServiceKind.PLAN)]
    else:
        packages = sorted(detail.packages) if detail is not None else []
        services = [
            WHOLE_ACCOUNT,
            *(Service(ServiceId(f"package:{one.key}"), one.title, ServiceKind.PACKAGE) for one in packages),
        ]
    silence = _silence("no source tells the seats of this account", sources)
    count = combined(sources.account_level, as_of=as_of, silence=silence)
    return AccountServices(
        tuple(services), tuple(ServiceCount(sources.account.id, service.id, count) for service in services)
    )


def _silence(reason: str, sources: AccountSources) -> str:
    unreadable = sources.detail.unreadable if sources.detail is not None else None
    notes = [*sources.notes, *([unreadable] if unreadable else [])]
    return f"{reason} ({'; '.join(notes)})" if notes else reason
