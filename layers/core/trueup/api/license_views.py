"""What people and programs are shown of counting policies and of the licensed users of a client."""

from __future__ import annotations

from typing import Any

from trueup.api.views import count_view, time_text
from trueup.domain.counting import CountedUser, TenantTally
from trueup.domain.counting_policy import CountingPolicy, PolicyBook
from trueup.usecases.counting import RULES, LicensedPeople, PolicyInForce

View = dict[str, Any]


def policy_view(policy: CountingPolicy) -> View:
    """One version. ``version`` 0 is the default, which nobody said."""
    rules = {name: getattr(policy, name) for name in sorted(RULES)}
    return {
        "psa_account_id": policy.scope or None,
        "version": policy.version,
        "cleared": policy.cleared,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in rules.items()},
        "by": policy.by or None,
        "at": None if policy.at is None else time_text(policy.at),
        "reason": policy.reason or None,
    }


def policies_view(book: PolicyBook) -> View:
    """The MSP's policy, and those that clients have of their own."""
    return {
        "general": policy_view(book.general),
        "items": [policy_view(policy) for policy in book.own],
        "next_cursor": None,
    }


def policy_in_force_view(found: PolicyInForce) -> View:
    """``policy`` is the one that counts; ``versions`` are those of this very client or of the MSP, the newest first."""
    return {"policy": policy_view(found.policy), "versions": [policy_view(one) for one in found.versions]}


def people_view(found: LicensedPeople) -> View:
    """A client's count without its users."""
    return {
        "psa_account_id": found.client,
        "psa_account_name": found.client_name,
        "count": count_view(found.counted.count),
        "policy": policy_view(found.counted.policy),
        "tenants": [_tenant_view(one) for one in found.counted.tenants],
        "users": len(found.counted.users),
        "users_counted": sum(1 for one in found.counted.users if one.is_counted),
        "read_at": time_text(found.read.completed_at),
        "run_id": found.read.run_id,
    }


def user_view(one: CountedUser) -> View:
    user = one.user
    return {
        "tenant_id": one.tenant_id,
        "user_id": user.id,
        "address": user.address,
        "name": user.name,
        "counted": one.is_counted,
        "reason": one.reason,
        "sign_in": None if user.enabled is None else user.enabled,
        "kind": user.kind.value,
        "mailbox": user.mailbox.value,
    }


def _tenant_view(one: TenantTally) -> View:
    return {
        "tenant_id": one.id,
        "tenant_name": one.name,
        "users_counted": one.users,
        "users_not_counted": None if one.users is None else one.users_out,
        "problem": one.failure or None,
        "stated": None if one.stated is None else count_view(one.stated),
    }
