"""From one PSA to another: nothing is deleted, and nothing that was true of the one is taken for true of the other.

Before the change what is mapped is kept as files. Accounts are matched again by the next run (auto_matching), services
as soon as the new PSA was read, here. Must not: change a mapping before the new PSA was read in full.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime

from trueup.domain.audit import Audit
from trueup.domain.billing import Product
from trueup.domain.errors import InputInvalid, NotFound, PermissionMissing, VersionConflict
from trueup.domain.integrations import Integration, IntegrationName, Side
from trueup.domain.mapping import AccountEntry, Decision, FormerTarget, MappingState, ServiceEntry, kinds_of_systems
from trueup.domain.matching import MatchRule
from trueup.domain.rematching import former_in
from trueup.domain.uploads import Upload
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.psa import PsaBilling
from trueup.ports.state import Accounts, Integrations, Services, Snapshots, Uploads
from trueup.ports.vault import Vault
from trueup.usecases.credential_validation import connect
from trueup.usecases.mapping import bound_service, service_audit

REMATCHING = "automatic re-matching"
"""The actor of what no person decided."""

ATTEMPTS = 3
"""A person may decide on a service while products are looked for; then all is looked at again."""

INDEX = "mappings kept at switches"
KEPT_MAXIMUM = 20
"""Switches whose files are kept; an older one's are forgotten."""

Sheets = Callable[[Sequence[AccountEntry], Sequence[ServiceEntry]], tuple[str, str]]
"""Writes the account mappings and the service mappings, each as a CSV file."""


@dataclass(frozen=True, slots=True)
class KeptMappings:
    """What was mapped when a PSA was left: ``id`` names the files, ``accounts`` and ``services`` count the mapped."""

    id: str
    psa: str
    system: str
    kept_at: str
    kept_by: str
    accounts: int
    services: int


@dataclass(frozen=True, slots=True)
class Connected:
    """What came of connecting. ``kept`` is set where another PSA was left: what the next sync matches again."""

    integration: Integration
    kept: KeptMappings | None = None


def connect_system(
    name: IntegrationName,
    *,
    address: str,
    fields: Mapping[str, str],
    switch: bool,
    sheets: Sheets,
    actor: str,
    integrations: Integrations,
    vault: Vault,
    connections: Connections,
    snapshots: Snapshots,
    accounts: Accounts,
    services: Services,
    uploads: Uploads,
    clock: Clock,
    ends_on: date | None = None,
) -> Connected:
    """Connect a system (see ``credential_validation.connect`` for what is raised).

    Where mappings of another PSA are in force, they are first kept as files that can be downloaded at any time; the
    mappings themselves stay until the new PSA was read, and are former ones then.
    """
    kept: list[KeptMappings] = []

    def keep(wanted: Integration) -> None:
        if name.side is Side.PSA:
            name_system_left(wanted, snapshots=snapshots, accounts=accounts, services=services)
            kept.extend(_kept_at(wanted, tuple(accounts.all()), services.all(), sheets, actor, uploads, clock.now()))

    integration = connect(
        name,
        address=address,
        fields=fields,
        actor=actor,
        integrations=integrations,
        vault=vault,
        connections=connections,
        clock=clock,
        switch=switch,
        before_storing=keep,
        ends_on=ends_on,
    )
    return Connected(integration, kept[0] if kept else None)


def _kept_at(
    wanted: Integration,
    entries: Sequence[AccountEntry],
    billed: Sequence[ServiceEntry],
    sheets: Sheets,
    actor: str,
    uploads: Uploads,
    now: datetime,
) -> Iterator[KeptMappings]:
    """What is kept because another PSA is connected; nothing where all that is mapped is of that very one."""
    mapped: list[AccountEntry | ServiceEntry] = [*entries, *billed]
    left = sorted({entry.psa_system for entry in mapped if not entry.counts_in(wanted.system)})
    if left:
        system = max(left, key=lambda one: _mapped_in(one, entries))
        kind = kinds_of_systems(mapped).get(system, "")
        yield _keep(system, kind, entries, billed, sheets, actor, uploads, now)


def kept_mappings(*, uploads: Uploads) -> tuple[KeptMappings, ...]:
    """What was kept when a PSA was left, the newest first."""
    index = uploads.get(INDEX)
    return () if index is None else tuple(KeptMappings(**one) for one in json.loads(index.content))


def kept_file(kept_id: str, what: str, *, uploads: Uploads) -> str:
    """One of the files as CSV: ``what`` is accounts or services. Raises NotFound, InputInvalid."""
    if what not in {"accounts", "services"}:
        raise InputInvalid("there are files of accounts and of services", field="what", remedy="Name one of them.")
    upload = (
        uploads.get(_file_name(kept_id, what))
        if any(kept_id == one.id for one in kept_mappings(uploads=uploads))
        else None
    )
    if upload is None:
        raise NotFound(f"no mappings were kept under {kept_id!r}", remedy="List what is kept: trueup map kept.")
    return gzip.decompress(upload.content).decode()


def name_system_left(integration: Integration, *, snapshots: Snapshots, accounts: Accounts, services: Services) -> None:
    """Say of mappings from before that was kept which PSA they are of, while the last read of that PSA still tells.

    Until then there was ConnectWise alone.
    """
    last = snapshots.latest(Side.PSA)
    if last is None or not last.system or last.system == integration.system:
        return
    kind = IntegrationName.CONNECTWISE.value
    named = [
        replace(entry, psa_system=last.system, psa_integration=kind)
        for entry in accounts.all()
        if entry.state is MappingState.MAPPED and not entry.psa_system
    ]
    if named:
        accounts.save(named, [])
    billed = [
        replace(entry, psa_system=last.system, psa_integration=kind)
        for entry in services.all()
        if entry.state is MappingState.MAPPED and not entry.psa_system
    ]
    if billed:
        services.save(billed, [])


def rematch_services(
    integration: Integration, *, psa: PsaBilling, services: Services, run_id: str, clock: Clock
) -> tuple[ServiceEntry, ...]:
    """Find the products of services that were billed in another PSA: the one it had here before, else the one of an
    equal Product ID; unique and active. What is left is unmapped, and looked for again by the next read.

    Raises VersionConflict when people go on deciding faster than this looks.
    """
    for attempt in range(ATTEMPTS):
        try:
            return _rematch_services(integration, psa, services, run_id, clock)
        except VersionConflict:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the loop returns or raises")


def _rematch_services(
    integration: Integration, psa: PsaBilling, services: Services, run_id: str, clock: Clock
) -> tuple[ServiceEntry, ...]:
    changed: list[ServiceEntry] = []
    audits: list[Audit] = []
    for entry in services.all():
        if entry.state is MappingState.MAPPED and entry.counts_in(integration.system):
            if entry.psa_system != integration.system:
                named = replace(entry, psa_system=integration.system, psa_integration=integration.name.value)
                changed.append(named)
            continue
        here = entry.left()
        if here.former and here.state is MappingState.UNMAPPED and here.decision is None:
            here = _found_again(here, integration, psa, clock.now())
        if here == entry:
            continue
        changed.append(here)
        if here.state is MappingState.MAPPED:
            audits.append(replace(service_audit(here, entry.product_id or ""), run_id=run_id))
    if changed:
        services.save(changed, audits)
    return tuple(changed)


def _found_again(entry: ServiceEntry, integration: Integration, psa: PsaBilling, now: datetime) -> ServiceEntry:
    own = former_in(entry, integration.system)
    if own is not None:
        product = _product(psa, own.code or own.target_id, lambda one: one.id == own.target_id)
        if product is not None:
            decision = own.decision or Decision(REMATCHING, now, MatchRule.STORED_ID, "billed as this before")
            return bound_service(entry, product, integration, decision)
    for target in entry.former:
        product = _product(psa, target.code, _has_code(target))
        if product is not None:
            reason = f"the same Product ID as in {target.integration or 'the PSA before'} ({target.system})"
            decision = Decision(REMATCHING, now, MatchRule.EXACT, reason, target.target_id)
            return bound_service(entry, product, integration, decision)
    return entry


def _has_code(target: FormerTarget) -> Callable[[Product], bool]:
    return lambda product: bool(target.code) and product.code == target.code


def _product(psa: PsaBilling, text: str, is_wanted: Callable[[Product], bool]) -> Product | None:
    """The one active product that is wanted; None where there is none, more than one, or the catalog may not be
    searched: then a person maps the service.
    """
    try:
        found = [one for one in psa.search_products(text, limit=50) if is_wanted(one) and not one.inactive]
    except (InputInvalid, PermissionMissing):
        return None
    return found[0] if len(found) == 1 else None


def _mapped_in(system: str, entries: Iterable[AccountEntry | ServiceEntry]) -> int:
    return sum(1 for entry in entries if entry.state is MappingState.MAPPED and entry.psa_system == system)


def _keep(
    system: str,
    kind: str,
    entries: Sequence[AccountEntry],
    billed: Sequence[ServiceEntry],
    sheets: Sheets,
    actor: str,
    uploads: Uploads,
    now: datetime,
) -> KeptMappings:
    """Keep both files, then list them; the same mappings are kept once however often the command is repeated."""
    account_sheet, service_sheet = sheets(entries, billed)
    digest = hashlib.sha256((account_sheet + service_sheet).encode(errors="surrogatepass")).hexdigest()
    kept = KeptMappings(
        id=digest[:12],
        psa=kind,
        system=system,
        kept_at=now.isoformat(),
        kept_by=actor,
        accounts=_mapped_in(system, entries),
        services=_mapped_in(system, billed),
    )
    before = kept_mappings(uploads=uploads)
    again = next((one for one in before if one.id == kept.id), None)
    if again is not None:
        return again
    for what, sheet, rows in (("accounts", account_sheet, entries), ("services", service_sheet, billed)):
        # Compressed, because the list of a large MSP would not fit; a time of its own would make equal bytes differ.
        content = gzip.compress(sheet.encode(errors="backslashreplace"), mtime=0)
        uploads.put(
            Upload(_file_name(kept.id, what), content, len(rows), now, actor),
            Audit(
                now,
                actor,
                f"{what[:-1]} mappings kept",
                kept.id,
                after=f"{len(rows)} rows of {system}",
                evidence=digest,
            ),
        )
    listed = (kept, *before)[:KEPT_MAXIMUM]
    content = json.dumps([asdict(one) for one in listed]).encode()
    uploads.put(
        Upload(INDEX, content, len(listed), now, actor),
        Audit(now, actor, "mappings kept", kept.id, after=f"{kept.accounts} accounts, {kept.services} services"),
    )
    for gone in before[KEPT_MAXIMUM - 1 :]:
        for what in ("accounts", "services"):
            uploads.remove(
                _file_name(gone.id, what),
                Audit(now, actor, "kept mappings forgotten", gone.id, why="there are newer ones"),
            )
    return kept


def _file_name(kept_id: str, what: str) -> str:
    return f"kept mappings {kept_id} {what}"
