"""Decisions on accounts over the API: on those of the vendor, and on tenants whose licenses are counted.

One piece of code for both. In what is shown and taken, ``vendor_account_id`` of a tenant is the tenant id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trueup import bootstrap
from trueup.api.access import Caller
from trueup.api.inputs import AccountDecisionBody, BulkBody
from trueup.api.replies import page_view, position
from trueup.api.views import account_view
from trueup.domain.accounts import VendorAccountId
from trueup.domain.errors import VersionConflict
from trueup.domain.mapping import MappingState
from trueup.ports.state import Accounts
from trueup.usecases.mapping import TENANT, clear_account, exclude_account, map_account
from trueup.usecases.mapping_import import MappingRow, import_mappings

View = dict[str, Any]


def entries_of(what: str) -> Accounts:
    """Where the entries lie: ``what`` is ACCOUNT or TENANT."""
    state = bootstrap.state()
    return state.license_accounts if what == TENANT else state.accounts


def listed(what: str, mapping: MappingState | None, cursor: str | None, limit: int) -> View:
    """One page of the entries in that state, or of all."""
    name = f"{what}s {mapping or ''}"
    page = entries_of(what).page(state=mapping, cursor=position(cursor, list_name=name), limit=limit)
    return page_view(page, account_view, list_name=name)


def one(what: str, entry_id: str) -> View:
    """Raises NotFound."""
    return account_view(entries_of(what).get(VendorAccountId(entry_id)))


def decided(what: str, entry_id: str, body: AccountDecisionBody, caller: Caller) -> View:
    """Map or exclude one entry."""
    accounts, clock = entries_of(what), bootstrap.clock()
    _require_version(what, entry_id, body.version)
    if body.psa_account_id is not None:
        snapshots = bootstrap.state().snapshots
        return account_view(
            map_account(
                entry_id,
                body.psa_account_id,
                actor=caller.name,
                accounts=accounts,
                snapshots=snapshots,
                clock=clock,
                what=what,
            )
        )
    why = body.exclude_reason or ""
    return account_view(
        exclude_account(
            entry_id,
            reason=why,
            actor=caller.name,
            accounts=accounts,
            clock=clock,
            what=what,
            owner=body.owner,
            review_on=body.review_on,
        )
    )


def taken_back(what: str, entry_id: str, version: int | None, caller: Caller) -> View:
    """Take a decision back."""
    _require_version(what, entry_id, version)
    return account_view(
        clear_account(entry_id, actor=caller.name, accounts=entries_of(what), clock=bootstrap.clock(), what=what)
    )


def bulk_rows(body: BulkBody) -> list[MappingRow]:
    """The rows of a bulk edit, numbered from 1."""
    return [
        MappingRow(
            number,
            item.vendor_account_id,
            item.psa_account_id,
            item.reason,
            owner=item.owner,
            review_on=item.review_on,
        )
        for number, item in enumerate(body.decisions, start=1)
    ]


def imported(what: str, rows: Sequence[MappingRow], caller: Caller) -> View:
    """Take over all rows or none."""
    changed = import_mappings(
        rows,
        actor=caller.name,
        accounts=entries_of(what),
        snapshots=bootstrap.state().snapshots,
        clock=bootstrap.clock(),
        what=what,
    )
    return {"rows": len(rows), "changed": changed}


def _require_version(what: str, entry_id: str, version: int | None) -> None:
    """Two people at one row: the second one is told instead of overwriting the first."""
    if version is None:
        return
    entry = entries_of(what).get(VendorAccountId(entry_id))
    if entry.version != version:
        raise VersionConflict(f"{what} {entry_id} was changed meanwhile; its version is {entry.version}")
