"""Saying by which rules licensed users become seats, and showing who of a client is counted and who is not, and why.

A policy is for the whole MSP or for one client of the connected PSA. Every change is a version of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from trueup.domain.audit import Audit
from trueup.domain.billing import PsaAccountId
from trueup.domain.counting import LicenseCount, count_tenants
from trueup.domain.counting_policy import CountingPolicy, PolicyBook, policies_in
from trueup.domain.errors import InputInvalid, NotFound
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.runs import Snapshot
from trueup.ports.clock import Clock
from trueup.ports.counting_policies import CountingPolicies
from trueup.ports.state import Accounts, Integrations, Snapshots
from trueup.usecases.license_sync import mapped_tenants
from trueup.usecases.mapping import Clients, read_clients, require_reason
from trueup.usecases.opening import connected

RULES = frozenset(field.name for field in fields(CountingPolicy)) - {
    "scope",
    "psa_system",
    "cleared",
    "version",
    "by",
    "at",
    "reason",
}
"""What a person may say of a policy; the rest is kept by Trueup."""


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """Which policy holds for a client, or for the MSP, and every version that was said for this very one."""

    policy: CountingPolicy
    versions: tuple[CountingPolicy, ...]


@dataclass(frozen=True, slots=True)
class LicensedPeople:
    """A client's count with everybody in and out, and the read it was counted from."""

    client: PsaAccountId
    client_name: str
    counted: LicenseCount
    read: Snapshot


def policy_book(*, counting_policies: CountingPolicies, snapshots: Snapshots) -> PolicyBook:
    """The policies that hold now: the MSP's, and those that clients of the PSA that was read last have of their own."""
    return policies_in(counting_policies.all(), _psa_system(snapshots))


def policy_in_force(client: str, *, counting_policies: CountingPolicies, snapshots: Snapshots) -> PolicyInForce:
    """For a client by its PSA id, or for the MSP where it is empty. Raises InputInvalid (``psa_account_id``)."""
    system = _client_system(client, snapshots)
    book = policies_in(counting_policies.all(), system if client else _psa_system(snapshots))
    return PolicyInForce(book.of(PsaAccountId(client) if client else None), counting_policies.versions(system, client))


def set_policy(
    client: str,
    changes: Mapping[str, Any],
    *,
    reason: str,
    actor: str,
    counting_policies: CountingPolicies,
    snapshots: Snapshots,
    clock: Clock,
) -> CountingPolicy:
    """Store a new version with these rules; what is not said stays as it is in force for that client now.

    ``client`` is a PSA account id, empty for the MSP. Raises InputInvalid naming the rule that cannot be meant, the
    client that is none, or the reason that is missing; NotFound before the PSA was read.
    """
    why = require_reason(reason)
    unknown = sorted(set(changes) - RULES)
    if unknown or not changes:
        what = f"a counting policy has no rule {unknown[0]!r}" if unknown else "no rule was given"
        raise InputInvalid(what, field=unknown[0] if unknown else "rules", remedy=f"Use {', '.join(sorted(RULES))}.")
    system = _client_system(client, snapshots)
    stored = counting_policies.get(system, client)
    book = policies_in(counting_policies.all(), system)
    base = book.of(PsaAccountId(client)) if client else book.general
    new = replace(
        base,
        **changes,
        scope=client,
        psa_system=system,
        cleared=False,
        version=stored.version,
        by=actor,
        at=clock.now(),
        reason=why,
    ).checked()
    return counting_policies.save(new, _audit(new, stored, "counting policy set"))


def clear_policy(
    client: str,
    *,
    reason: str,
    actor: str,
    counting_policies: CountingPolicies,
    snapshots: Snapshots,
    clock: Clock,
) -> CountingPolicy:
    """Take a policy back: the client is counted by the MSP's again, the MSP by the defaults. What there was stays
    readable. Raises NotFound when there is none, InputInvalid.
    """
    why = require_reason(reason)
    system = _client_system(client, snapshots)
    stored = counting_policies.get(system, client)
    if not stored.version or stored.cleared:
        raise NotFound(
            f"there is no counting policy of {f'client {client!r}' if client else 'the MSP'}",
            remedy="List what there is: trueup counting show.",
        )
    new = CountingPolicy(
        scope=client,
        psa_system=system,
        cleared=True,
        version=stored.version,
        by=actor,
        at=clock.now(),
        reason=why,
    )
    return counting_policies.save(new, _audit(new, stored, "counting policy cleared"))


def licensed_people(
    client: str,
    *,
    integrations: Integrations,
    snapshots: Snapshots,
    license_accounts: Accounts,
    counting_policies: CountingPolicies,
) -> LicensedPeople:
    """Who of a client counts on the latest complete read of licenses, and who does not, and why.

    Only this client's tenants are kept in memory. Raises NotConnected without licenses, NotFound when they were not
    read yet or no tenant is mapped to the client, InputInvalid (``psa_account_id``).
    """
    integration = connected(Side.LICENSES, integrations)
    clients = read_clients(snapshots)
    found = clients.get(client)
    read = snapshots.latest(Side.LICENSES)
    if read is None or read.system != integration.system:
        raise NotFound("licenses were never read in full", remedy="Sync first: trueup sync.")
    mapped = _tenants_of(found.id, clients, license_accounts, integration.name)
    tenants = [tenant for page in snapshots.license_pages(read) for tenant in page.accounts if tenant.id in mapped]
    if not tenants:
        raise NotFound(
            f"no tenant of the last read is mapped to client {client!r}",
            remedy="Map one first: trueup tenants map TENANT_ID CLIENT.",
        )
    policy = policies_in(counting_policies.all(), clients.system).of(found.id)
    return LicensedPeople(found.id, found.name, count_tenants(tenants, policy), read)


def _tenants_of(
    client: PsaAccountId, clients: Clients, license_accounts: Accounts, source: IntegrationName
) -> frozenset[str]:
    mapped = mapped_tenants(license_accounts.all(), clients.system, source)
    return frozenset(tenant for tenant, owner in mapped.items() if owner == client)


def _client_system(client: str, snapshots: Snapshots) -> str:
    """The PSA that the client is of, once it is sure that there is such a client; empty for the MSP."""
    if not client:
        return ""
    clients = read_clients(snapshots)
    clients.get(client)
    return clients.system


def _psa_system(snapshots: Snapshots) -> str:
    read = snapshots.latest(Side.PSA)
    return "" if read is None else read.system


def _audit(new: CountingPolicy, before: CountingPolicy, action: str) -> Audit:
    assert new.at is not None
    return Audit(
        at=new.at,
        actor=new.by,
        action=action,
        subject=f"client {new.scope}" if new.scope else "MSP",
        before=_words(before),
        after=_words(new),
        why=new.reason,
    )


def _words(policy: CountingPolicy) -> str:
    """The rules that are not the defaults, in one line of the history."""
    if policy.cleared or not policy.version and not policy.by:
        return "" if not policy.cleared else "none"
    plain = CountingPolicy()
    said = [
        f"{name} {_text(getattr(policy, name))}"
        for name in sorted(RULES)
        if getattr(policy, name) != getattr(plain, name)
    ]
    return "; ".join(said) or "the defaults"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value) or "none"
    return "none" if value is None else str(value)
