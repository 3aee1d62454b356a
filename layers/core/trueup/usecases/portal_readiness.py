"""Who is to be a user of the Mimecast partner portal: add, check on the partner's own account, tick, invite, remove.

Every word is taken whole and stored with its history. An invite is only noted for a user who was found ready a moment
before. Must not: invite anybody itself; no API of the portal was found, so a person asks the account manager.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from trueup.domain.audit import Audit
from trueup.domain.errors import Conflict, InputInvalid
from trueup.domain.portal_readiness import AccountFacts, ReadinessState, directory_warnings, judge
from trueup.domain.portal_users import (
    AccountCheck,
    Checked,
    ChecklistItem,
    PortalBook,
    PortalUser,
    parse_address,
    parse_name,
)
from trueup.ports.clock import Clock
from trueup.ports.portal_users import PortalUserReading, PortalUsers

TOLD_PROBLEMS = 20
_SUBJECT = "portal users"


@dataclass(frozen=True, slots=True)
class PortalUserRow:
    """One row of a file, ``line`` is its line in it."""

    line: int
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class PortalUserImport:
    """What a file changed: all of its rows are kept afterwards."""

    rows: int
    added: int
    renamed: int


def add_portal_user(name: str, address: str, *, actor: str, portal_users: PortalUsers, clock: Clock) -> PortalUser:
    """Keep one user; who is there already gets the name and keeps everything else.

    Raises InputInvalid (``name``, ``address``) and VersionConflict.
    """
    book, now = portal_users.get(), clock.now()
    user = _taken(book, parse_name(name), parse_address(address), actor, now)
    before = book.get(user.address) if book.has(user.address) else None
    if user == before:
        return user
    action = "portal user added" if before is None else "portal user renamed"
    audit = Audit(now, actor, action, user.address, before=before.name if before else "", after=user.name)
    return portal_users.save(book.with_users([user]), audit).get(user.address)


def import_portal_users(
    rows: Sequence[PortalUserRow], *, actor: str, portal_users: PortalUsers, clock: Clock, evidence: str = ""
) -> PortalUserImport:
    """Keep all rows or, when any is bad, none. Users who are not in the file stay.

    ``evidence`` is the hash of the file. Raises InputInvalid (``file``) naming every bad line, and VersionConflict.
    """
    book, now = portal_users.get(), clock.now()
    taken: dict[str, PortalUser] = {}
    lines: dict[str, int] = {}
    problems: list[str] = []
    for row in rows:
        try:
            user = _taken(book, parse_name(row.name), parse_address(row.address), actor, now)
        except InputInvalid as bad:
            problems.append(f"line {row.line}: {bad.message}")
            continue
        if user.address in lines:
            problems.append(f"line {row.line}: {user.address} is there already, on line {lines[user.address]}")
            continue
        lines[user.address] = row.line
        taken[user.address] = user
    _refuse(problems)
    if not taken:
        raise InputInvalid("the file names nobody", field="file", remedy="Give name and address on each line.")
    new = [user for user in taken.values() if not book.has(user.address)]
    renamed = [user for user in taken.values() if book.has(user.address) and book.get(user.address) != user]
    if new or renamed:
        audit = Audit(
            now,
            actor,
            "portal users imported",
            _SUBJECT,
            before=f"{len(book.users)} users",
            after=f"{len(book.users) + len(new)} users",
            why=_named([user.address for user in (*new, *renamed)]),
            evidence=evidence,
        )
        portal_users.save(book.with_users((*new, *renamed)), audit)
    return PortalUserImport(len(rows), len(new), len(renamed))


def remove_portal_user(address: str, *, actor: str, portal_users: PortalUsers, clock: Clock) -> PortalUser:
    """Keep the user no longer; the history stays. Raises NotFound, VersionConflict."""
    book = portal_users.get()
    user = book.get(address)
    portal_users.save(
        book.without(user.address),
        Audit(clock.now(), actor, "portal user removed", user.address, before=user.name),
    )
    return user


def tick_item(
    address: str, item: ChecklistItem, *, is_done: bool, actor: str, portal_users: PortalUsers, clock: Clock
) -> PortalUser:
    """A person's word that an item of the checklist holds, or that it does not. Raises NotFound, VersionConflict.

    A tick that is there already stays as it is: who looked first and when is what counts.
    """
    book, now = portal_users.get(), clock.now()
    user = book.get(address)
    if (user.tick(item) is not None) is is_done:
        return user
    changed = user.ticked(item, by=actor, at=now, is_done=is_done)
    action = "portal checklist ticked" if is_done else "portal checklist tick taken back"
    audit = Audit(now, actor, action, user.address, after=item.value, why=item.words)
    return portal_users.save(book.with_users([changed]), audit).get(user.address)


def check_portal_users(
    *, actor: str, reading: PortalUserReading, portal_users: PortalUsers, clock: Clock
) -> PortalBook:
    """Judge every user on the partner's own account and keep the judgments.

    Who is added, removed or ticked meanwhile stays so. Raises Conflict when there is nobody, what the reading raises
    (then the judgments before stay), and VersionConflict.
    """
    asked = portal_users.get().users
    if not asked:
        raise Conflict(
            "there is no portal user to check",
            remedy="Add them first: trueup portal-users add ADDRESS --name NAME, or import a file.",
        )
    facts = reading.read(asked)
    now = clock.now()
    book = portal_users.get()
    judged = [_judged(user, facts, actor, now) for user in book.users if user.address in {one.address for one in asked}]
    checked = replace(book.with_users(judged), check=_account_check(facts, actor, now))
    return portal_users.save(checked, _check_audit(judged, facts, actor, now))


def mark_invited(
    address: str, *, actor: str, reading: PortalUserReading, portal_users: PortalUsers, clock: Clock
) -> PortalUser:
    """Note that the portal invite of a user is being asked for, after checking the user again.

    Who joined later must be on the account before the invite (documented), so an earlier check does not count. Raises
    Conflict with the reason when the user is not ready now (the new judgment is kept), NotFound, VersionConflict and
    what the reading raises. Who was invited already stays as noted.
    """
    user = portal_users.get().get(address)
    if user.invited_at is not None:
        return user
    facts = reading.read([user])
    now = clock.now()
    book = portal_users.get()
    judged = _judged(book.get(address), facts, actor, now)
    assert judged.checked is not None
    readiness = judged.checked.readiness
    if readiness.state is not ReadinessState.READY:
        audit = Audit(
            now, actor, "portal invite refused", user.address, after=readiness.state.value, why=readiness.words
        )
        portal_users.save(book.with_users([judged]), audit)
        raise Conflict(
            f"{user.address} is {readiness.state.value}: {readiness.words}",
            remedy=f"{readiness.fix} Nothing was noted as invited.",
        )
    invited = replace(judged, invited_at=now, invited_by=actor)
    audit = Audit(now, actor, "portal user invited", user.address, after=user.name, why=readiness.words)
    return portal_users.save(book.with_users([invited]), audit).get(user.address)


def _taken(book: PortalBook, name: str, address: str, actor: str, now: datetime) -> PortalUser:
    if book.has(address):
        return replace(book.get(address), name=name)
    return PortalUser(name, address, now, actor)


def _judged(user: PortalUser, facts: AccountFacts, actor: str, now: datetime) -> PortalUser:
    return replace(user, checked=Checked(judge(user.address, facts, now=now), now, actor))


def _account_check(facts: AccountFacts, actor: str, now: datetime) -> AccountCheck:
    warnings = tuple(directory_warnings(facts.integrations, now=now))
    return AccountCheck(now, actor, facts.account, facts.integrations, warnings, facts.notes)


def _check_audit(judged: Sequence[PortalUser], facts: AccountFacts, actor: str, now: datetime) -> Audit:
    counts = {state: sum(1 for user in judged if user.state == state.value) for state in ReadinessState}
    told = ", ".join(f"{number} {state.value}" for state, number in counts.items() if number)
    open_ones = [
        f"{user.address} ({user.checked.readiness.reason.value})"
        for user in judged
        if user.checked is not None and not user.is_ready
    ]
    return Audit(
        now, actor, "portal users checked", _SUBJECT, after=told, why=_named(open_ones), evidence=facts.account
    )


def _named(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - TOLD_PROBLEMS} more" if len(every) > TOLD_PROBLEMS else ""
    return ", ".join(every[:TOLD_PROBLEMS]) + more


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        more = f"; and {len(problems) - TOLD_PROBLEMS} more" if len(problems) > TOLD_PROBLEMS else ""
        raise InputInvalid(
            "; ".join(problems[:TOLD_PROBLEMS]) + more,
            field="file",
            remedy="Correct these lines and import the file again; nothing was taken.",
        )
