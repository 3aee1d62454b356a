"""Whether a person can be set up as a user of the Mimecast partner portal: ready, blocked, or not known.

Method: what the partner's own account says of one address, judged by a fixed table. Ready needs every fact it rests on;
a list that was not read whole never proves that somebody is missing, and two lists that contradict each other prove
nothing. Must not: read anything, or take the silence of the API for a fact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from trueup.domain.names import printable

SYNC_IS_OLD_AFTER = timedelta(days=2)
"""Directories are synchronized three times a day (documented); two days without one is more than a hiccup."""

_WELL = frozenset({"ok"})
"""Status words of an integration that works. Only ``ok`` was ever seen; every other word is told to the reader."""


class ReadinessState(StrEnum):
    READY = "ready"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why; the words for people are beside it."""

    READY = "ready"
    ALIAS = "alias"
    DISABLED = "disabled"
    MISSING = "missing"
    WRONG_DOMAIN = "wrong_domain"
    NOT_LISTED = "not_listed"
    DISAGREEMENT = "disagreement"
    PERMISSION_MISSING = "permission_missing"
    LIST_INCOMPLETE = "list_incomplete"
    NOT_TOLD = "not_told"


class ListState(StrEnum):
    """whole: every user was read; incomplete: it broke off; refused: the credential may not read it."""

    WHOLE = "whole"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ListedUser:
    """What one list says of one address. None is what the list does not say."""

    address: str
    name: str = ""
    is_alias: bool | None = None
    is_disabled: bool | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class UserList:
    """One list of the account's internal users, as far as it is about the addresses that were asked for.

    ``origin`` is where it was read. ``trouble`` says why it is not whole, ``permission`` what would open it.
    """

    origin: str
    state: ListState
    users: tuple[ListedUser, ...] = ()
    trouble: str = ""
    permission: str = ""

    def of(self, address: str) -> tuple[ListedUser, ...]:
        return tuple(user for user in self.users if same_address(user.address, address))


@dataclass(frozen=True, slots=True)
class Profile:
    """What the profile of a user tells. ``has_cloud_password`` is a hint only: what the field means is inferred."""

    role: str = ""
    has_cloud_password: bool | None = None


@dataclass(frozen=True, slots=True)
class DirectoryIntegration:
    """A directory that users are synchronized from; None and empty are what is not told. ``status`` is open."""

    name: str
    kind: str = ""
    is_enabled: bool | None = None
    status: str = ""
    last_sync_at: datetime | None = None
    is_running: bool | None = None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What the partner's own account says of the addresses that were asked for.

    ``account`` is its code, empty when it is not told. ``internal_domains`` and ``integrations`` are None where they
    could not be read; ``notes`` say why, and what else was left out. ``primaries`` leads from an alias to its primary
    address, where that was found out. Addresses in mappings are as ``normalized_address`` gives them.
    """

    lists: tuple[UserList, ...]
    internal_domains: frozenset[str] | None = None
    integrations: tuple[DirectoryIntegration, ...] | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    primaries: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Readiness:
    """The judgment on one address, with what a person has to do.

    ``permission`` is the vendor's own name of the row that is missing. ``primary`` is the address to give instead of an
    alias. ``evidence`` says what each list told.
    """

    state: ReadinessState
    reason: Reason
    words: str
    fix: str = ""
    permission: str = ""
    primary: str = ""
    role: str = ""
    has_cloud_password: bool | None = None
    warnings: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()


def normalized_address(text: str) -> str:
    """An address as addresses are compared: trimmed, in lower case."""
    return text.strip().lower()


def same_address(one: str, other: str) -> bool:
    return normalized_address(one) == normalized_address(other)


def judge(address: str, facts: AccountFacts, *, now: datetime) -> Readiness:
    """What the facts come to for one address."""
    judged = _judged(normalized_address(address), facts)
    profile = facts.profiles.get(normalized_address(address), Profile())
    warnings = list(_sign_in_warnings(address, facts, profile)) if judged.state is not ReadinessState.BLOCKED else []
    if judged.reason is Reason.MISSING:
        warnings += directory_warnings(facts.integrations, now=now)
    return Readiness(
        judged.state,
        judged.reason,
        judged.words,
        judged.fix,
        judged.permission,
        judged.primary,
        profile.role,
        profile.has_cloud_password,
        tuple(warnings),
        tuple(_told(one, address) for one in facts.lists),
    )


def directory_warnings(integrations: Sequence[DirectoryIntegration] | None, *, now: datetime) -> list[str]:
    """What is wrong with the directories of the account, in words; nothing where they could not be read."""
    if integrations is None:
        return []
    if not integrations:
        return ["No directory is synchronized: every portal user needs a Mimecast cloud password."]
    warnings = []
    for one in integrations:
        name = printable(one.name or one.kind or "a directory", 80)
        status = one.status.strip()
        if one.is_enabled is False:
            warnings.append(f"Directory {name} is disabled. {_PAUSED}")
        elif status and status.casefold() not in _WELL:
            warnings.append(f"Directory {name} reports {printable(status, 40)}, not ok. {_PAUSED}")
        elif one.last_sync_at is not None and now - one.last_sync_at > SYNC_IS_OLD_AFTER and not one.is_running:
            warnings.append(
                f"Directory {name} was synchronized last on {one.last_sync_at:%Y-%m-%d}, not three times a day."
            )
    return warnings


_PAUSED = "Mimecast then pauses removals for the whole account, so people who left may still be listed and counted."


def _judged(address: str, facts: AccountFacts) -> Readiness:
    answered = [one for one in facts.lists if one.state is not ListState.REFUSED]
    if not answered:
        return _unknown_by_permission(facts.lists)
    said = [user for one in answered for user in one.of(address)]
    silent = [one for one in answered if one.state is ListState.WHOLE and not one.of(address)]
    if not said:
        incomplete = [one for one in answered if one.state is ListState.INCOMPLETE]
        return _incomplete(incomplete) if incomplete else _not_listed(address, facts)
    if silent:
        return _disagreement(f"{silent[0].origin} does not list it and another list does")
    alias = {user.is_alias for user in said} - {None}
    disabled = {user.is_disabled for user in said} - {None}
    if len(alias) > 1:
        return _disagreement("it is called an alias and not an alias")
    if len(disabled) > 1:
        return _disagreement("it is called disabled and not disabled")
    if alias == {True}:
        return _alias(address, facts)
    if disabled == {True}:
        return Readiness(
            ReadinessState.BLOCKED,
            Reason.DISABLED,
            "the user is disabled at Mimecast",
            "Enable the user in Mimecast's Administration Console, or in the directory that it is synchronized from.",
        )
    if not alias or not disabled:
        incomplete = [one for one in answered if one.state is ListState.INCOMPLETE]
        if incomplete:
            return _incomplete(incomplete)
        return _not_told("alias or primary" if not alias else "disabled or not", facts.lists)
    return Readiness(ReadinessState.READY, Reason.READY, "a primary address of an enabled user of your own account")


def _alias(address: str, facts: AccountFacts) -> Readiness:
    primary = facts.primaries.get(address, "")
    return Readiness(
        ReadinessState.BLOCKED,
        Reason.ALIAS,
        f"it is an alias{f' of {primary}' if primary else ''}, and an alias cannot sign in",
        f"Give the primary address{f', {primary},' if primary else ' of that mailbox'} instead.",
        primary=primary,
    )


def _not_listed(address: str, facts: AccountFacts) -> Readiness:
    domain = address.rpartition("@")[2]
    if facts.internal_domains is None:
        return Readiness(
            ReadinessState.BLOCKED,
            Reason.NOT_LISTED,
            f"no user of your Mimecast account has this address; whether {domain} is one of its domains is not known",
            "Create the user, or wait for the next directory synchronization, if the domain is yours; give the "
            "person's primary address at one of your own domains if it is not.",
        )
    if domain in facts.internal_domains:
        return Readiness(
            ReadinessState.BLOCKED,
            Reason.MISSING,
            "no user of your Mimecast account has this address",
            "Create the user in Mimecast's Administration Console, or wait for the next directory synchronization "
            "(three times a day).",
        )
    return Readiness(
        ReadinessState.BLOCKED,
        Reason.WRONG_DOMAIN,
        f"{domain} is no internal domain of your Mimecast account",
        "Give the person's primary address at one of your own domains; a forwarding address cannot sign in.",
    )


def _unknown_by_permission(lists: Sequence[UserList]) -> Readiness:
    rows = " or ".join(dict.fromkeys(one.permission for one in lists if one.permission))
    if not rows:
        trouble = "; ".join(dict.fromkeys(one.trouble for one in lists if one.trouble))
        return Readiness(
            ReadinessState.UNKNOWN,
            Reason.LIST_INCOMPLETE,
            f"no list of the users of your account can be read{f': {trouble}' if trouble else ''}",
            "Check the connection: trueup check mimecast. Look the user up in Mimecast's Administration Console.",
        )
    return Readiness(
        ReadinessState.UNKNOWN,
        Reason.PERMISSION_MISSING,
        f"the credential may not read the users of your account: it lacks {rows}",
        f"Give the credential's role {rows}, and check again.",
        permission=rows,
    )


def _incomplete(lists: Sequence[UserList]) -> Readiness:
    one = lists[0]
    return Readiness(
        ReadinessState.UNKNOWN,
        Reason.LIST_INCOMPLETE,
        f"{one.origin} was not read to its end{f': {one.trouble}' if one.trouble else ''}",
        "Check again later; a list that breaks off does not prove that somebody is missing.",
    )


def _disagreement(what: str) -> Readiness:
    return Readiness(
        ReadinessState.UNKNOWN,
        Reason.DISAGREEMENT,
        f"Mimecast contradicts itself: {what}",
        "Look the user up in Mimecast's Administration Console; check again after the next directory synchronization.",
    )


def _not_told(what: str, lists: Sequence[UserList]) -> Readiness:
    refused = next((one for one in lists if one.state is ListState.REFUSED), None)
    permission = refused.permission if refused is not None else ""
    told = f"Give the credential's role {permission}, and check again." if permission else ""
    return Readiness(
        ReadinessState.UNKNOWN,
        Reason.NOT_TOLD,
        f"Mimecast does not say whether the address is {what}",
        told or "Look the user up in Mimecast's Administration Console.",
        permission=permission,
    )


def _sign_in_warnings(address: str, facts: AccountFacts, profile: Profile) -> list[str]:
    """Only where three things are told: no cloud password, not from a directory, and no directory at work."""
    sources = {user.source.casefold() for one in facts.lists for user in one.of(address) if user.source}
    has_directory = facts.integrations is None or any(one.is_enabled is not False for one in facts.integrations)
    if profile.has_cloud_password is not False or "ldap" in sources or not sources or has_directory:
        return []
    return ["No cloud password seems to be set, and the user is in no directory: it may have no way to sign in."]


def _told(one: UserList, address: str) -> str:
    if one.state is ListState.REFUSED:
        return f"{one.origin}: refused"
    found = one.of(address)
    if not found:
        return f"{one.origin}: {'not listed' if one.state is ListState.WHOLE else 'not met before it broke off'}"
    facts = "; ".join(
        ", ".join(
            (
                {True: "alias", False: "primary", None: "alias or primary not told"}[user.is_alias],
                {True: "disabled", False: "enabled", None: "disabled or not is not told"}[user.is_disabled],
            )
        )
        for user in found
    )
    return f"{one.origin}: {facts}"
