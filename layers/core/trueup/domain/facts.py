"""From the pages of one complete read to the facts it says, each id once."""

from __future__ import annotations

from collections.abc import Iterable

from trueup.domain.accounts import (
    Service,
    ServiceCount,
    ServiceId,
    VendorAccount,
    VendorAccountId,
    VendorFacts,
    VendorPage,
)
from trueup.domain.billing import Agreement, AgreementId, Line, LineId, PsaAccount, PsaAccountId, PsaFacts, PsaPage
from trueup.domain.counts import Failed, Known


def vendor_facts(pages: Iterable[VendorPage]) -> VendorFacts:
    """Join the pages. An account listed twice is kept once; two different counts of one service are a failure.

    A page may come twice when records move between pages during the read, so equal repeats are harmless.
    """
    accounts: dict[VendorAccountId, VendorAccount] = {}
    services: dict[ServiceId, Service] = {}
    counts: dict[tuple[VendorAccountId, ServiceId], ServiceCount] = {}
    for page in pages:
        for account in page.accounts:
            accounts.setdefault(account.id, account)
        for service in page.services:
            services.setdefault(service.id, service)
        for count in page.counts:
            key = (count.account_id, count.service_id)
            counts[key] = _joined(counts[key], count) if key in counts else count
    return VendorFacts(
        accounts=tuple(accounts[key] for key in sorted(accounts)),
        services=tuple(services[key] for key in sorted(services)),
        counts=tuple(counts[key] for key in sorted(counts)),
    )


def psa_facts(pages: Iterable[PsaPage]) -> PsaFacts:
    """Join the pages; a record that came twice is kept as it came last, which is the newer read."""
    accounts: dict[PsaAccountId, PsaAccount] = {}
    agreements: dict[AgreementId, Agreement] = {}
    lines: dict[LineId, Line] = {}
    for page in pages:
        accounts.update((account.id, account) for account in page.accounts)
        agreements.update((agreement.id, agreement) for agreement in page.agreements)
        lines.update((line.id, line) for line in page.lines)
    return PsaFacts(
        accounts=tuple(accounts[key] for key in sorted(accounts)),
        agreements=tuple(agreements[key] for key in sorted(agreements)),
        lines=tuple(lines[key] for key in sorted(lines)),
    )


def _joined(first: ServiceCount, second: ServiceCount) -> ServiceCount:
    """One count of two: whichever came first, a failure stays one, and two that disagree are one."""
    for item in (first, second):
        if isinstance(item.count, Failed):
            return item
    said = sorted(
        f"{item.count.seats} seats" if isinstance(item.count, Known) else "nothing" for item in (first, second)
    )
    if said[0] == said[1]:
        return first
    return ServiceCount(first.account_id, first.service_id, Failed(f"the vendor says both {said[0]} and {said[1]}"))
