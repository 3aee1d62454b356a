"""A person decides: this account is that client, this service is that product, this one is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trueup.domain.accounts import ServiceId, VendorAccountId
from trueup.domain.audit import Audit
from trueup.domain.billing import Product, PsaAccount, PsaAccountId
from trueup.domain.errors import InputInvalid, NotFound
from trueup.domain.facts import psa_facts
from trueup.domain.integrations import Side
from trueup.domain.mapping import AccountEntry, Decision, MappingState, ServiceEntry
from trueup.domain.matching import MatchRule
from trueup.ports.clock import Clock
from trueup.ports.psa import PsaBilling
from trueup.ports.state import Accounts, Services, Snapshots

REASON_CHARACTERS_MAXIMUM = 500


def require_reason(reason: str) -> str:
    """The reason trimmed. Raises InputInvalid when it is empty or too long: a decision without a why is no record."""
    text = reason.strip()
    if not text or len(text) > REASON_CHARACTERS_MAXIMUM:
        raise InputInvalid(
            f"a reason of 1 to {REASON_CHARACTERS_MAXIMUM} characters is needed",
            field="reason",
            remedy="Say in a few words why; it is kept in the history.",
        )
    return text


def map_account(
    vendor_id: str, psa_id: str, *, actor: str, accounts: Accounts, snapshots: Snapshots, clock: Clock
) -> AccountEntry:
    """Map a vendor account to a PSA account by id, replacing what was decided before.

    Raises NotFound for an unknown vendor account, InputInvalid (``psa_account_id``) for an unknown or deleted client.
    """
    entry = accounts.get(VendorAccountId(vendor_id))
    client = _client(psa_id, {account.id: account for account in _clients(snapshots)})
    return _save(accounts, _mapped(entry, client, actor, clock, MatchRule.PERSON, "mapped by a person"), entry)


def exclude_account(vendor_id: str, *, reason: str, actor: str, accounts: Accounts, clock: Clock) -> AccountEntry:
    """Take a vendor account out of the comparison; it stays listed with the reason. Raises NotFound, InputInvalid."""
    why = require_reason(reason)
    entry = accounts.get(VendorAccountId(vendor_id))
    return _save(accounts, _excluded(entry, why, actor, clock, MatchRule.PERSON), entry)


def clear_account(vendor_id: str, *, actor: str, accounts: Accounts, clock: Clock) -> AccountEntry:
    """Take a decision back. The account is unmapped and stays so until a person decides again. Raises NotFound."""
    entry = accounts.get(VendorAccountId(vendor_id))
    decision = Decision(actor, clock.now(), MatchRule.PERSON, "taken back", entry.psa_id or "")
    cleared = replace(
        entry,
        state=MappingState.UNMAPPED,
        psa_id=None,
        psa_name="",
        vendor_name_decided="",
        decision=decision,
        ambiguity="",
    )
    return _save(accounts, cleared, entry)


def map_service(
    service_id: str, product: str, *, actor: str, services: Services, psa: PsaBilling, clock: Clock
) -> ServiceEntry:
    """Map a vendor service to a PSA product, named by its Product ID or its internal id.

    Raises NotFound for an unknown service, InputInvalid (``product_id``) when no product or more than one has that
    name.
    """
    entry = services.get(ServiceId(service_id))
    chosen = _product(product, psa)
    decision = Decision(actor, clock.now(), MatchRule.PERSON, "mapped by a person", entry.product_id or "")
    mapped = replace(
        entry,
        state=MappingState.MAPPED,
        product_id=chosen.id,
        product_code=chosen.code,
        product_name=chosen.name,
        catalog_price=chosen.price,
        decision=decision,
    )
    return _save_service(services, mapped, entry)


def exclude_service(service_id: str, *, reason: str, actor: str, services: Services, clock: Clock) -> ServiceEntry:
    """Say that a service is not billed to clients. Raises NotFound, InputInvalid."""
    why = require_reason(reason)
    entry = services.get(ServiceId(service_id))
    decision = Decision(actor, clock.now(), MatchRule.PERSON, why, entry.product_id or "")
    excluded = replace(
        entry,
        state=MappingState.EXCLUDED,
        product_id=None,
        product_code="",
        product_name="",
        catalog_price=None,
        decision=decision,
    )
    return _save_service(services, excluded, entry)


def clear_service(service_id: str, *, actor: str, services: Services, clock: Clock) -> ServiceEntry:
    """Take a decision on a service back. It is unmapped until a person decides again. Raises NotFound."""
    entry = services.get(ServiceId(service_id))
    decision = Decision(actor, clock.now(), MatchRule.PERSON, "taken back", entry.product_id or "")
    cleared = replace(
        entry,
        state=MappingState.UNMAPPED,
        product_id=None,
        product_code="",
        product_name="",
        catalog_price=None,
        decision=decision,
    )
    return _save_service(services, cleared, entry)


@dataclass(frozen=True, slots=True)
class MappingRow:
    """One row of an imported mapping file: exclude when ``psa_id`` is empty. ``line`` is its line in the file."""

    line: int
    vendor_id: str
    psa_id: str
    reason: str


def import_mappings(
    rows: Sequence[MappingRow], *, actor: str, accounts: Accounts, snapshots: Snapshots, clock: Clock
) -> int:
    """Take over all rows or, when any is bad, none. Returns how many decisions changed.

    Raises InputInvalid (``file``) naming every bad line: an id that is unknown, deleted or there twice, or an exclusion
    without a reason.
    """
    entries = {entry.vendor_id: entry for entry in accounts.all()}
    clients = {account.id: account for account in _clients(snapshots)}
    problems: list[str] = []
    seen: dict[str, int] = {}
    changed: list[AccountEntry] = []
    for row in rows:
        if row.vendor_id in seen:
            problems.append(f"line {row.line}: {row.vendor_id!r} is there already, on line {seen[row.vendor_id]}")
            continue
        seen[row.vendor_id] = row.line
        try:
            new = _imported(row, entries, clients, actor, clock)
        except (InputInvalid, NotFound) as bad:
            problems.append(f"line {row.line}: {bad.message}")
            continue
        old = entries[new.vendor_id]
        if (new.state, new.psa_id) != (old.state, old.psa_id):
            changed.append(new)
    if problems:
        shown = "; ".join(problems[:20]) + (f"; and {len(problems) - 20} more" if len(problems) > 20 else "")
        raise InputInvalid(
            shown, field="file", remedy="Correct these lines and import the file again; nothing was taken."
        )
    audits = [_audit(new, entries[new.vendor_id].psa_id or "") for new in changed]
    accounts.save(changed, audits)
    return len(changed)


def _imported(
    row: MappingRow,
    entries: dict[VendorAccountId, AccountEntry],
    clients: dict[PsaAccountId, PsaAccount],
    actor: str,
    clock: Clock,
) -> AccountEntry:
    entry = entries.get(VendorAccountId(row.vendor_id))
    if entry is None:
        raise NotFound(f"there is no vendor account {row.vendor_id!r}")
    if row.psa_id:
        why = require_reason(row.reason) if row.reason.strip() else "imported"
        return _mapped(entry, _client(row.psa_id, clients), actor, clock, MatchRule.IMPORT, why)
    return _excluded(entry, require_reason(row.reason), actor, clock, MatchRule.IMPORT)


def _mapped(
    entry: AccountEntry, client: PsaAccount, actor: str, clock: Clock, rule: MatchRule, reason: str
) -> AccountEntry:
    return replace(
        entry,
        state=MappingState.MAPPED,
        psa_id=client.id,
        psa_name=client.name,
        vendor_name_decided=entry.vendor_name,
        decision=Decision(actor, clock.now(), rule, reason, entry.psa_id or ""),
        ambiguity="",
        suggestions=(),
    )


def _excluded(entry: AccountEntry, why: str, actor: str, clock: Clock, rule: MatchRule) -> AccountEntry:
    return replace(
        entry,
        state=MappingState.EXCLUDED,
        psa_id=None,
        psa_name="",
        vendor_name_decided=entry.vendor_name,
        decision=Decision(actor, clock.now(), rule, why, entry.psa_id or ""),
        ambiguity="",
        suggestions=(),
    )


def _clients(snapshots: Snapshots) -> tuple[PsaAccount, ...]:
    read = snapshots.latest(Side.PSA)
    if read is None:
        raise NotFound("the PSA was never read in full", remedy="Sync first: trueup sync.")
    return psa_facts(snapshots.psa_pages(read)).accounts


def _client(psa_id: str, clients: dict[PsaAccountId, PsaAccount]) -> PsaAccount:
    client = clients.get(PsaAccountId(psa_id))
    if client is None or client.deleted:
        what = "is deleted in the PSA" if client is not None else "is not a client of the PSA"
        raise InputInvalid(
            f"{psa_id!r} {what}", field="psa_account_id", remedy="Use the id of a client that the last sync listed."
        )
    return client


def _product(wanted: str, psa: PsaBilling) -> Product:
    text = wanted.strip()
    if not text:
        raise InputInvalid("the product is empty", field="product_id", remedy="Give its Product ID.")
    found = [product for product in psa.search_products(text, limit=50) if text in {product.id, product.code}]
    by_code = [product for product in found if product.code == text] or found
    if len(by_code) != 1:
        what = "more than one product has" if by_code else "no product has"
        raise InputInvalid(
            f"{what} the Product ID {wanted!r}",
            field="product_id",
            remedy="Search the products first: trueup products TEXT.",
        )
    return by_code[0]


def _save(accounts: Accounts, new: AccountEntry, old: AccountEntry) -> AccountEntry:
    return accounts.save([new], [_audit(new, old.psa_id or "")])[0]


def _audit(entry: AccountEntry, before: str) -> Audit:
    assert entry.decision is not None
    return Audit(
        at=entry.decision.at,
        actor=entry.decision.by,
        action=f"account {entry.state.value}",
        subject=entry.vendor_id,
        before=before,
        after=entry.psa_id or "",
        why=entry.decision.reason,
    )


def _save_service(services: Services, new: ServiceEntry, old: ServiceEntry) -> ServiceEntry:
    assert new.decision is not None
    audit = Audit(
        at=new.decision.at,
        actor=new.decision.by,
        action=f"service {new.state.value}",
        subject=new.service_id,
        before=old.product_id or "",
        after=new.product_id or "",
        why=new.decision.reason,
    )
    return services.save([new], [audit])[0]
