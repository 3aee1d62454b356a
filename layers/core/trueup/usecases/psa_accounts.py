"""The clients of the PSA as the last complete read lists them: what a person picks from when mapping an account.

Method: the snapshot, never the PSA itself, so that what is offered is what a mapping is checked against.
Must not: offer a client that a mapping would refuse.
"""

from __future__ import annotations

from trueup.domain.billing import PsaAccount
from trueup.domain.facts import psa_facts
from trueup.domain.integrations import Side
from trueup.ports.state import Page, Snapshots


def list_psa_accounts(*, search: str, cursor: str | None, limit: int, snapshots: Snapshots) -> Page[PsaAccount]:
    """Clients that are not deleted, by name, a page at a time; none before the first complete read.

    ``search`` is looked for in names, short codes and ids, whatever the case. A cursor is a position in that list: a
    read that ends between two pages may show a client twice or, until the list is begun again, not at all.
    """
    read = snapshots.latest(Side.PSA)
    if read is None:
        return Page((), None)
    wanted = search.strip().casefold()
    found = [account for account in psa_facts(snapshots.psa_pages(read)).accounts if _is_wanted(account, wanted)]
    found.sort(key=lambda account: (account.name.casefold(), account.id))
    start = int(cursor or 0)
    end = start + limit
    return Page(tuple(found[start:end]), str(end) if end < len(found) else None)


def _is_wanted(account: PsaAccount, wanted: str) -> bool:
    texts = (account.name, account.identifier, account.id)
    return not account.deleted and (not wanted or any(wanted in text.casefold() for text in texts))
