"""One client of a complete read, read again alone: its records take the place of the old ones, and nothing else moves.

A refresh may change, add and end what a client is billed. It never makes a client or an agreement vanish and never
takes away more than half of a client's lines, because a permission that was narrowed looks just like that: such a
change is left for the next complete read, which is compared as a whole before it is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from trueup.domain.billing import Agreement, AgreementId, Line, PsaAccount, PsaAccountId, PsaPage

LINES_DROP_SHARE = 2
"""Fewer than one line in this many of those before is not believed of one client either."""


@dataclass(frozen=True, slots=True)
class ClientRecords:
    """Everything that is known of one client; ``account`` is None when a read does not list it."""

    account: PsaAccount | None
    agreements: tuple[Agreement, ...]
    lines: tuple[Line, ...]

    @property
    def count(self) -> int:
        return (self.account is not None) + len(self.agreements) + len(self.lines)

    @property
    def gone(self) -> ClientRecords:
        """The same, with the client marked as deleted: every row of it is then held, and nothing is forgotten."""
        account = None if self.account is None else replace(self.account, deleted=True)
        return replace(self, account=account)


def records_of(pages: Iterable[PsaPage], account_id: PsaAccountId) -> ClientRecords:
    """What the pages say of that client; a record that came twice counts as it came last."""
    account: PsaAccount | None = None
    agreements: dict[str, Agreement] = {}
    lines: dict[str, Line] = {}
    for page in pages:
        account = next((item for item in page.accounts if item.id == account_id), account)
        agreements.update((item.id, item) for item in page.agreements if item.account_id == account_id)
        lines.update((item.id, item) for item in page.lines if item.account_id == account_id)
    return ClientRecords(
        account,
        tuple(agreements[key] for key in sorted(agreements)),
        tuple(lines[key] for key in sorted(lines)),
    )


def client_of_agreement(pages: Iterable[PsaPage], agreement_id: AgreementId) -> PsaAccountId | None:
    """Whose agreement that is, as the pages say; None when none of them has it."""
    owners = [item.account_id for page in pages for item in page.agreements if item.id == agreement_id]
    return owners[-1] if owners else None


def strange(fresh: PsaPage, account_id: PsaAccountId) -> str | None:
    """Why the answer is not a read of that one client, or None when it is."""
    if [item.id for item in fresh.accounts] != [account_id] or fresh.next_cursor is not None:
        return "it is not the one client that was asked for"
    owners = {item.account_id for item in fresh.agreements} | {item.account_id for item in fresh.lines}
    if owners - {account_id}:
        return "it holds records of another client"
    agreements = {item.id for item in fresh.agreements}
    if len(agreements) != len(fresh.agreements) or any(item.agreement_id not in agreements for item in fresh.lines):
        return "its lines and agreements do not belong together"
    return None


def doubtful(before: ClientRecords, fresh: ClientRecords) -> str | None:
    """Why the fresh records are left for a complete read, or None when they may take the place of the old ones."""
    missing = {item.id for item in before.agreements} - {item.id for item in fresh.agreements}
    if missing:
        return f"agreement {min(missing)} is not listed any more"
    if len(fresh.lines) * LINES_DROP_SHARE < len(before.lines):
        return f"{len(fresh.lines)} lines are listed, {len(before.lines)} were before"
    return None


def refreshed_pages(pages: Iterable[PsaPage], fresh: ClientRecords, account_id: PsaAccountId) -> dict[int, PsaPage]:
    """The pages that change, by their place; every other page of the read stays as it is.

    The fresh records lie where the client's records lay, or on the last page. Page marks stay; totals follow, for they
    are what the PSA would say now.
    """
    read = tuple(pages)
    agreements = {item.id for item in fresh.agreements}
    before = records_of(read, account_id)
    changed = {place: _without(page, account_id, agreements) for place, page in enumerate(read)}
    home = _place(read, lambda page: any(item.id == account_id for item in page.accounts))
    shelf = _place(read, lambda page: any(item.account_id == account_id for item in page.agreements))
    if fresh.account is not None:
        page = changed[home]
        changed[home] = replace(page, accounts=(*page.accounts, fresh.account))
    page = changed[shelf]
    changed[shelf] = replace(page, agreements=(*page.agreements, *fresh.agreements), lines=(*page.lines, *fresh.lines))
    more_accounts = (fresh.account is not None) - (before.account is not None)
    more_agreements = len(agreements) - len({item.id for page in read for item in page.agreements} & agreements)
    counted = {place: _counted(page, more_accounts, more_agreements) for place, page in changed.items()}
    return {place: page for place, page in counted.items() if page != read[place]}


def _without(page: PsaPage, account_id: PsaAccountId, agreements: set[AgreementId]) -> PsaPage:
    """The page without that client's records, and without agreements that are that client's now."""
    return replace(
        page,
        accounts=tuple(item for item in page.accounts if item.id != account_id),
        agreements=tuple(
            item for item in page.agreements if item.account_id != account_id and item.id not in agreements
        ),
        lines=tuple(
            item for item in page.lines if item.account_id != account_id and item.agreement_id not in agreements
        ),
    )


def _place(read: tuple[PsaPage, ...], holds: Callable[[PsaPage], bool]) -> int:
    return next((place for place, page in enumerate(read) if holds(page)), len(read) - 1)


def _counted(page: PsaPage, accounts: int, agreements: int) -> PsaPage:
    return replace(
        page,
        accounts_total=None if page.accounts_total is None else page.accounts_total + accounts,
        agreements_total=None if page.agreements_total is None else page.agreements_total + agreements,
    )
