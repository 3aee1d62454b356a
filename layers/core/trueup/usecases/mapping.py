"""A person decides: this account is that client, this service is that product, this one is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from trueup.domain.accounts import ServiceId, VendorAccountId
from trueup.domain.audit import Audit
from trueup.domain.billing import Product, PsaAccount, PsaAccountId
from trueup.domain.errors import InputInvalid, NotFound
from trueup.domain.facts import psa_facts
from trueup.domain.integrations import Integration, Side
from trueup.domain.mapping import AccountEntry, Decision, Exclusion, MappingState, ServiceEntry, without_former
from trueup.domain.matching import MatchRule
from trueup.ports.clock import Clock
from trueup.ports.psa import PsaBilling
from trueup.ports.state import Accounts, Services, Snapshots

REASON_CHARACTERS_MAXIMUM = 500
OWNER_CHARACTERS_MAXIMUM = 100

ACCOUNT, TENANT = "account", "tenant"
"""What a decision is on, as the history names it: a vendor account, or a tenant whose licenses are counted."""


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
    vendor_id: str,
    psa_id: str,
    *,
    actor: str,
    accounts: Accounts,
    snapshots: Snapshots,
    clock: Clock,
    what: str = ACCOUNT,
) -> AccountEntry:
    """Map a vendor account to a PSA account by id, replacing what was decided before.

    ``accounts`` may as well be those of license counts, whose entries are tenants; then ``what`` is TENANT. Several
    tenants may be one client. Raises NotFound for an unknown vendor account, InputInvalid (``psa_account_id``) for an
    unknown or deleted client.
    """
    entry = accounts.get(VendorAccountId(vendor_id))
    clients = read_clients(snapshots)
    new = mapped_account(
        entry, clients.get(psa_id), clients.system, actor, clock, MatchRule.PERSON, "mapped by a person"
    )
    return _save(accounts, new, entry, what)


def exclude_account(
    vendor_id: str,
    *,
    reason: str,
    actor: str,
    accounts: Accounts,
    clock: Clock,
    what: str = ACCOUNT,
    owner: str = "",
    review_on: date | None = None,
) -> AccountEntry:
    """Take a vendor account out of the comparison; it stays listed with the reason, and with who answers for it and
    when it is to be looked at again where that is said. Raises NotFound, InputInvalid.
    """
    said = sound_exclusion(Exclusion(reason, owner, review_on))
    if review_on is not None and review_on <= clock.now().date():
        raise InputInvalid(
            "the day of the review is over", field="review_on", remedy="Give a day that is still to come."
        )
    entry = accounts.get(VendorAccountId(vendor_id))
    return _save(accounts, excluded_account(entry, said, actor, clock, MatchRule.PERSON), entry, what)


def sound_exclusion(said: Exclusion) -> Exclusion:
    """The exclusion with its texts trimmed. Raises InputInvalid (``reason``, ``owner``)."""
    owner = said.owner.strip()
    if len(owner) > OWNER_CHARACTERS_MAXIMUM:
        raise InputInvalid(
            f"the owner has more than {OWNER_CHARACTERS_MAXIMUM} characters", field="owner", remedy="Give a name."
        )
    return Exclusion(require_reason(said.reason), owner, said.review_on)


def clear_account(vendor_id: str, *, actor: str, accounts: Accounts, clock: Clock, what: str = ACCOUNT) -> AccountEntry:
    """Take a decision back. The account is unmapped and stays so until a person decides again. Raises NotFound."""
    entry = accounts.get(VendorAccountId(vendor_id))
    decision = Decision(actor, clock.now(), MatchRule.PERSON, "taken back", entry.psa_id or "")
    cleared = replace(
        entry,
        state=MappingState.UNMAPPED,
        psa_id=None,
        psa_name="",
        vendor_name_decided="",
        psa_system="",
        psa_integration="",
        decision=decision,
        ambiguity="",
    )
    return _save(accounts, cleared, entry, what)


def map_service(
    service_id: str,
    product: str,
    *,
    actor: str,
    services: Services,
    psa: PsaBilling,
    psa_integration: Integration,
    clock: Clock,
) -> ServiceEntry:
    """Map a vendor service to a PSA product, named by its Product ID or its internal id.

    ``psa_integration`` is what ``psa`` was opened on. Raises NotFound for an unknown service, InputInvalid
    (``product_id``) when no product or more than one has that name.
    """
    entry = services.get(ServiceId(service_id))
    chosen = chosen_product(product, psa)
    decision = Decision(actor, clock.now(), MatchRule.PERSON, "mapped by a person", entry.product_id or "")
    return _save_service(services, bound_service(entry, chosen, psa_integration, decision), entry)


def bound_service(entry: ServiceEntry, product: Product, psa: Integration, decision: Decision) -> ServiceEntry:
    """The service billed as that product of that PSA; what it was billed as in another one is kept as former."""
    if not entry.counts_in(psa.system):
        entry = entry.left()
    return replace(
        entry,
        state=MappingState.MAPPED,
        product_id=product.id,
        product_code=product.code,
        product_name=product.name,
        catalog_price=product.price,
        decision=decision,
        psa_system=psa.system,
        psa_integration=psa.name.value,
        former=without_former(entry.former, psa.system),
    )


def exclude_service(service_id: str, *, reason: str, actor: str, services: Services, clock: Clock) -> ServiceEntry:
    """Say that a service is not billed to clients. Raises NotFound, InputInvalid."""
    why = require_reason(reason)
    entry = services.get(ServiceId(service_id))
    decision = Decision(actor, clock.now(), MatchRule.PERSON, why, entry.product_id or "")
    return _save_service(services, excluded_service(entry, decision), entry)


def excluded_service(entry: ServiceEntry, decision: Decision) -> ServiceEntry:
    """The service as one that is not billed to clients."""
    return replace(
        entry,
        state=MappingState.EXCLUDED,
        product_id=None,
        product_code="",
        product_name="",
        catalog_price=None,
        psa_system="",
        psa_integration="",
        decision=decision,
    )


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
        psa_system="",
        psa_integration="",
        decision=decision,
    )
    return _save_service(services, cleared, entry)


def set_per_user(service_id: str, is_per_user: bool, *, actor: str, services: Services, clock: Clock) -> ServiceEntry:
    """Say whether a service is sold by the licensed user, so that the licensed count says what to order of it.

    Raises NotFound. What the service is mapped to stays.
    """
    entry = services.get(ServiceId(service_id))
    if entry.is_per_user == is_per_user:
        return entry
    words = ("not by the user", "by the user")
    audit = Audit(
        at=clock.now(),
        actor=actor,
        action="service sold by the user" if is_per_user else "service not sold by the user",
        subject=entry.service_id,
        before=words[entry.is_per_user],
        after=words[is_per_user],
    )
    return services.save([replace(entry, is_per_user=is_per_user)], [audit])[0]


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients of the newest complete read of the PSA, and which PSA that was (Integration.system)."""

    system: str
    by_id: Mapping[PsaAccountId, PsaAccount]

    def get(self, psa_id: str) -> PsaAccount:
        """Raises InputInvalid (``psa_account_id``) for one that is unknown or deleted."""
        client = self.by_id.get(PsaAccountId(psa_id))
        if client is None or client.deleted:
            what = "is deleted in the PSA" if client is not None else "is not a client of the PSA"
            raise InputInvalid(
                f"{psa_id!r} {what}", field="psa_account_id", remedy="Use the id of a client that the last sync listed."
            )
        return client


def read_clients(snapshots: Snapshots) -> Clients:
    """Raises NotFound when the PSA was never read in full."""
    read = snapshots.latest(Side.PSA)
    if read is None:
        raise NotFound("the PSA was never read in full", remedy="Sync first: trueup sync.")
    return Clients(read.system, {client.id: client for client in psa_facts(snapshots.psa_pages(read)).accounts})


def mapped_account(
    entry: AccountEntry, client: PsaAccount, system: str, actor: str, clock: Clock, rule: MatchRule, reason: str
) -> AccountEntry:
    """The account as that client of that PSA; what it was mapped to in another one is kept as former."""
    if not entry.counts_in(system):
        entry = entry.left()
    return replace(
        entry,
        state=MappingState.MAPPED,
        psa_id=client.id,
        psa_name=client.name,
        psa_system=system,
        psa_integration=entry.psa_integration if entry.psa_system == system else "",
        former=without_former(entry.former, system),
        vendor_name_decided=entry.vendor_name,
        decision=Decision(actor, clock.now(), rule, reason, entry.psa_id or ""),
        ambiguity="",
        suggestions=(),
    )


def excluded_account(entry: AccountEntry, said: Exclusion, actor: str, clock: Clock, rule: MatchRule) -> AccountEntry:
    """The account left out of the comparison."""
    return replace(
        entry,
        state=MappingState.EXCLUDED,
        psa_id=None,
        psa_name="",
        psa_system="",
        psa_integration="",
        vendor_name_decided=entry.vendor_name,
        decision=Decision(actor, clock.now(), rule, said.reason, entry.psa_id or "", said.owner, said.review_on),
        ambiguity="",
        suggestions=(),
    )


def chosen_product(wanted: str, psa: PsaBilling) -> Product:
    """The one product with that Product ID or internal id. Raises InputInvalid (``product_id``)."""
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


def _save(accounts: Accounts, new: AccountEntry, old: AccountEntry, what: str) -> AccountEntry:
    return accounts.save([new], [account_audit(new, old.psa_id or "", what)])[0]


def account_audit(entry: AccountEntry, before: str, what: str = ACCOUNT) -> Audit:
    """What the history says of a decision; ``before`` is the client it replaces."""
    assert entry.decision is not None
    return Audit(
        at=entry.decision.at,
        actor=entry.decision.by,
        action=f"{what} {entry.state.value}",
        subject=entry.vendor_id,
        before=before,
        after=entry.psa_id or "",
        why=_why(entry.decision),
    )


def _why(decision: Decision) -> str:
    """The reason with who answers for it and when it is looked at again, where that was said."""
    said = [f"owner {decision.owner}"] if decision.owner else []
    said += [f"review on {decision.review_on}"] if decision.review_on is not None else []
    return f"{decision.reason} ({', '.join(said)})" if said else decision.reason


def _save_service(services: Services, new: ServiceEntry, old: ServiceEntry) -> ServiceEntry:
    return services.save([new], [service_audit(new, old.product_id or "")])[0]


def service_audit(entry: ServiceEntry, before: str) -> Audit:
    """What the history says of a decision; ``before`` is the product it replaces."""
    assert entry.decision is not None
    return Audit(
        at=entry.decision.at,
        actor=entry.decision.by,
        action=f"service {entry.state.value}",
        subject=entry.service_id,
        before=before,
        after=entry.product_id or "",
        why=entry.decision.reason,
    )
