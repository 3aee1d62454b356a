"""The licensed users of one tenant: all of them once, then only what changed since.

Method: ``users/delta`` with a fixed selection. Its rounds end with a delta link from which the next read goes on
(documented). By default a changed user comes with all selected properties, changed or not, except those never set
(documented): so a user who gains a license comes with name and address although nothing was kept of them before. Should
one come without them all the same, everything is read anew. Must not: take a round that did not end for a whole one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, Self

from trueup.adapters.microsoft365.paging import read_pages
from trueup.adapters.microsoft365.replies import USERS_PERMISSION
from trueup.adapters.microsoft365.session import PREFIX, GraphSession, Query
from trueup.adapters.microsoft365.wire import INTEGRATION, VENDOR, UserWire, schema_unknown
from trueup.domain.errors import ReadIncomplete, RequestRefused, ResourceAbsent, SchemaUnknown, UnsafeAddress
from trueup.domain.licenses import LicensedUser, MailboxKind, TenantLicenses, UserKind

DELTA_PATH: Final = f"{PREFIX}/users/delta"
SELECTED: Final = "id,userPrincipalName,displayName,accountEnabled,userType,assignedLicenses"
FULL_READ_AFTER_DAYS: Final = 7
"""A delta link is good for seven days (documented), and going on with it renews it. Everything is read anew after as
many days all the same: a mailbox that became a shared one is not told as a change of its user.
"""

_DOING: Final = "reading users"
_GONE = 410
_MARK_CHARACTERS_MAXIMUM = 8_000
_MARK = re.compile(
    r"1:(?P<since>[0-9]{4}-[0-9]{2}-[0-9]{2}):(?P<path>/v1\.0/users/[!-~]{1,8000})", re.ASCII | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the next read goes on, and since when nothing was read anew. It holds a state token and no credential."""

    since: date
    path: str

    @property
    def text(self) -> str:
        """As it is kept; empty for one that is too long to keep, which only means that all is read again."""
        text = f"1:{self.since.isoformat()}:{self.path}"
        return text if len(text) <= _MARK_CHARACTERS_MAXIMUM else ""

    @classmethod
    def of(cls, earlier: TenantLicenses | None, *, today: date) -> Self | None:
        """The mark of an earlier read; None where there is none of ours, or it is too old to go on from."""
        if earlier is None or earlier.failure:
            return None
        found = _MARK.fullmatch(earlier.mark)
        if found is None:
            return None
        try:
            since = date.fromisoformat(found["since"])
        except ValueError:
            return None
        return cls(since, found["path"]) if 0 <= (today - since).days < FULL_READ_AFTER_DAYS else None


@dataclass(frozen=True, slots=True)
class UsersRead:
    """The licensed users by id, and where to go on. A mailbox kind that was not kept from before is unknown.

    ``went_on`` tells that only changes were asked for.
    """

    users: Mapping[str, LicensedUser]
    mark: Mark
    went_on: bool = False

    def units_used(self) -> dict[str, int]:
        """How many users have each license."""
        used: dict[str, int] = {}
        for user in self.users.values():
            for sku_id in user.sku_ids:
                used[sku_id] = used.get(sku_id, 0) + 1
        return used


def read_changes(session: GraphSession, earlier: TenantLicenses, mark: Mark) -> UsersRead | None:
    """The users as they are now, from what they were and what changed since; None where that cannot be told.

    An old state token is refused with 410 or another 4xx (documented: syncStateNotFound, resyncRequired). Which one is
    not certain, so any refusal but of the right to read leads to a full read, which then says what is wrong.
    """
    merge = _Merge({user.id: user for user in earlier.users})
    try:
        path = _read_round(session, merge, mark.path, ())
    except (RequestRefused, ResourceAbsent, ReadIncomplete, SchemaUnknown, UnsafeAddress):
        return None
    return UsersRead(merge.users, Mark(mark.since, path), went_on=True)


def read_all(session: GraphSession, *, keeping: TenantLicenses | None, since: date) -> UsersRead:
    """All licensed users. Those who are as they were in ``keeping`` keep their mailbox kind.

    Graph may call off a round at any page with 410 and want a new one from the start (documented); it is begun again
    once. Raises ReadIncomplete where the pages end without a delta link, and as GraphSession.
    """
    selected = (("$select", SELECTED),)
    try:
        merge = _Merge({})
        path = _read_round(session, merge, DELTA_PATH, selected)
    except RequestRefused as error:
        if error.status != _GONE:
            raise
        merge = _Merge({})
        path = _read_round(session, merge, DELTA_PATH, selected)
    users = merge.users
    if keeping is not None:
        users.update(_unchanged(users, keeping.users))
    return UsersRead(users, Mark(since, path))


def _unchanged(users: Mapping[str, LicensedUser], before: Iterable[LicensedUser]) -> dict[str, LicensedUser]:
    return {user.id: user for user in before if users.get(user.id) == replace(user, mailbox=MailboxKind.UNKNOWN)}


def _read_round(session: GraphSession, merge: _Merge, path: str, query: Query) -> str:
    """Read to the end of one round; the path to go on from."""
    link = ""
    pages = read_pages(session, UserWire, path, query=query, doing=_DOING, permission=USERS_PERMISSION)
    for page in pages:
        for user in page.records:
            merge.take(user)
        link = page.delta_link
    if not link:
        raise ReadIncomplete(
            f"{VENDOR}, {_DOING}: the pages end without the link that ends a list, so some may be missing",
            integration=INTEGRATION,
        )
    return session.path_of(link)


@dataclass(slots=True)
class _Merge:
    """Users as the pages tell them, in the order in which they come; of one that comes twice the last word counts."""

    users: dict[str, LicensedUser] = field(default_factory=dict)

    def take(self, wire: UserWire) -> None:
        known = self.users.get(wire.id)
        if wire.removed is not None:
            self.users.pop(wire.id, None)
        elif not wire.tells("licenses"):
            # Never set, or not changed: who was not licensed is not, who was keeps what they had.
            if known is not None:
                self.users[wire.id] = _merged(wire, known, known.sku_ids)
        elif wire.sku_ids:
            self.users[wire.id] = _merged(wire, known, wire.sku_ids)
        else:
            self.users.pop(wire.id, None)


def _merged(wire: UserWire, known: LicensedUser | None, sku_ids: tuple[str, ...]) -> LicensedUser:
    """A user as they are now. The mailbox kind is kept only where nothing changed."""
    address = wire.address or (known.address if known is not None else None)
    if address is None:
        raise schema_unknown(_DOING, "a licensed user without userPrincipalName")
    user = LicensedUser(
        id=wire.id,
        address=address,
        name=wire.name if wire.tells("name") or known is None else known.name,
        enabled=wire.enabled if wire.tells("enabled") or known is None else known.enabled,
        kind=wire.kind if wire.tells("user_type") else known.kind if known is not None else UserKind.UNKNOWN,
        mailbox=known.mailbox if known is not None else MailboxKind.UNKNOWN,
        sku_ids=sku_ids,
    )
    return user if user == known else replace(user, mailbox=MailboxKind.UNKNOWN)
