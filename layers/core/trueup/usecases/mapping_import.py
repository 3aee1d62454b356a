"""Many decisions at once from a file: all of them or, when any row is bad, none.

A row names its client by the id it has in the PSA that was read last, or by its name. The ids of a file that was
exported while another PSA was connected say nothing here, so such rows are found by stored ids and names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from trueup.domain.accounts import ServiceId, VendorAccountId
from trueup.domain.billing import PsaAccount
from trueup.domain.errors import InputInvalid, NotFound
from trueup.domain.integrations import Integration
from trueup.domain.mapping import AccountEntry, Decision, Exclusion, MappingState, ServiceEntry, is_of
from trueup.domain.matching import MatchRule, Named, match_names
from trueup.ports.clock import Clock
from trueup.ports.psa import PsaBilling
from trueup.ports.state import Accounts, Services, Snapshots
from trueup.usecases.mapping import (
    ACCOUNT,
    Clients,
    account_audit,
    bound_service,
    chosen_product,
    excluded_account,
    excluded_service,
    mapped_account,
    read_clients,
    require_reason,
    service_audit,
    sound_exclusion,
)

TOLD_PROBLEMS = 20

_NOUNS = {ACCOUNT: "vendor account"}


@dataclass(frozen=True, slots=True)
class MappingRow:
    """One row of an imported mapping file; ``line`` is its line in the file.

    It excludes when it names no client. ``psa_system`` and ``psa`` say of which PSA ``psa_id`` is an id (empty: of the
    one that was read last), as Integration.system and kind. ``owner`` None is a file without owners and days of review:
    what is known of an account that is excluded already stays.
    """

    line: int
    vendor_id: str
    psa_id: str
    reason: str
    psa_name: str = ""
    psa_system: str = ""
    psa: str = ""
    owner: str | None = None
    review_on: date | None = None


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """One row of an imported service-mapping file: exclude when it names no product."""

    line: int
    service_id: str
    product_id: str
    product_code: str
    reason: str
    psa_system: str = ""


def import_mappings(
    rows: Sequence[MappingRow],
    *,
    actor: str,
    accounts: Accounts,
    snapshots: Snapshots,
    clock: Clock,
    what: str = ACCOUNT,
) -> int:
    """Take over all rows or, when any is bad, none. Returns how many decisions changed. ``what`` as in ``map_account``.

    Raises InputInvalid (``file``) naming every bad line: an id that is unknown, deleted or there twice, a name that no
    client or more than one has, or an exclusion without a reason.
    """
    entries = {entry.vendor_id: entry for entry in accounts.all()}
    clients = read_clients(snapshots)
    finder = _Finder(clients, rows)
    changed: list[AccountEntry] = []

    def take(row: MappingRow) -> None:
        entry = entries.get(VendorAccountId(row.vendor_id))
        if entry is None:
            raise NotFound(f"there is no {_NOUNS.get(what, what)} {row.vendor_id!r}")
        if not row.psa_id and not row.psa_name:
            said = sound_exclusion(Exclusion(row.reason, row.owner or "", row.review_on))
            new = excluded_account(entry, said, actor, clock, MatchRule.IMPORT)
        else:
            why = require_reason(row.reason) if row.reason.strip() else "imported"
            client = finder.find(row)
            new = mapped_account(entry, client, clients.system, actor, clock, MatchRule.IMPORT, why)
        same_system = is_of(entry.psa_system, clients.system)
        is_new = (new.state, new.psa_id) != (entry.state, entry.psa_id) or not same_system
        if is_new or (row.owner is not None and _review_of(new) != _review_of(entry)):
            changed.append(new)

    _take_all([(row.line, row.vendor_id) for row in rows], [partial(take, row) for row in rows])
    accounts.save(changed, [account_audit(new, entries[new.vendor_id].psa_id or "", what) for new in changed])
    return len(changed)


def _review_of(entry: AccountEntry) -> tuple[str, date | None] | None:
    if entry.state is not MappingState.EXCLUDED or entry.decision is None:
        return None
    return entry.decision.owner, entry.decision.review_on


def import_services(
    rows: Sequence[ServiceRow],
    *,
    actor: str,
    services: Services,
    psa: PsaBilling,
    psa_integration: Integration,
    clock: Clock,
) -> int:
    """As ``import_mappings``, for services: a product is found by its Product ID, or by its internal id where the row
    is of the connected PSA.
    """
    entries = {entry.service_id: entry for entry in services.all()}
    changed: list[ServiceEntry] = []

    def take(row: ServiceRow) -> None:
        entry = entries.get(ServiceId(row.service_id))
        if entry is None:
            raise NotFound(f"there is no service {row.service_id!r}")
        here = is_of(row.psa_system, psa_integration.system)
        wanted = row.product_code or (row.product_id if here else "")
        if not wanted and not row.product_id:
            why = require_reason(row.reason)
            decision = Decision(actor, clock.now(), MatchRule.IMPORT, why, entry.product_id or "")
            new = excluded_service(entry, decision)
        else:
            why = require_reason(row.reason) if row.reason.strip() else "imported"
            decision = Decision(actor, clock.now(), MatchRule.IMPORT, why, entry.product_id or "")
            new = bound_service(entry, chosen_product(wanted, psa), psa_integration, decision)
        if (new.state, new.product_id) != (entry.state, entry.product_id) or new.psa_system != entry.psa_system:
            changed.append(new)

    _take_all([(row.line, row.service_id) for row in rows], [partial(take, row) for row in rows])
    services.save(changed, [service_audit(new, entries[new.service_id].product_id or "") for new in changed])
    return len(changed)


def _take_all(named: Sequence[tuple[int, str]], takes: Sequence[Callable[[], None]]) -> None:
    """Take each row. Raises InputInvalid (``file``) naming all that are bad or decide on something a second time."""
    problems: list[str] = []
    seen: dict[str, int] = {}
    for (line, wanted_id), take in zip(named, takes, strict=True):
        if wanted_id in seen:
            problems.append(f"line {line}: {wanted_id!r} is there already, on line {seen[wanted_id]}")
            continue
        seen[wanted_id] = line
        try:
            take()
        except (InputInvalid, NotFound) as bad:
            problems.append(f"line {line}: {bad.message}")
    if problems:
        more = f"; and {len(problems) - TOLD_PROBLEMS} more" if len(problems) > TOLD_PROBLEMS else ""
        raise InputInvalid(
            "; ".join(problems[:TOLD_PROBLEMS]) + more,
            field="file",
            remedy="Correct these lines and import the file again; nothing was taken.",
        )


class _Finder:
    """Finds the client that a row means; names are compared once for all rows."""

    def __init__(self, clients: Clients, rows: Iterable[MappingRow]) -> None:
        self._clients = clients
        living = [client for client in clients.by_id.values() if not client.deleted]
        self._stored: dict[tuple[str, str], list[PsaAccount]] = {}
        for client in living:
            for stored in client.stored_ids:
                self._stored.setdefault(stored, []).append(client)
        by_name = sorted({row.psa_name for row in rows if row.psa_name and not self._is_id_of_here(row)})
        self._named: Mapping[str, str] = {}
        if by_name:
            outcome = match_names(
                [Named(name, name) for name in by_name], [Named(client.id, client.name) for client in living]
            )
            self._named = {match.vendor_id: match.psa_id for match in outcome.matches}

    def find(self, row: MappingRow) -> PsaAccount:
        """Raises InputInvalid (``psa_account_id``)."""
        if self._is_id_of_here(row):
            return self._clients.get(row.psa_id)
        kept = self._stored.get((row.psa, row.psa_id), []) if row.psa and row.psa_id else []
        if len(kept) == 1:
            return kept[0]
        if row.psa_name in self._named:
            return self._clients.get(self._named[row.psa_name])
        what = f"{row.psa_id!r} of another PSA" if row.psa_id else "no id"
        raise InputInvalid(
            f"{what}, and not exactly one client is called {row.psa_name!r} here",
            field="psa_account_id",
            remedy="Give the id that the client has in the connected PSA.",
        )

    def _is_id_of_here(self, row: MappingRow) -> bool:
        return bool(row.psa_id) and is_of(row.psa_system, self._clients.system)
