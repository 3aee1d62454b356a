"""The people an MSP wants to have as users of the Mimecast partner portal, and what is known of each.

What no API tells (single sign-on, second factor, registered state) is a checklist that a person ticks. Must not: hold
an address that could be taken for anything but one address.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from trueup.domain.errors import InputInvalid, NotFound
from trueup.domain.names import printable
from trueup.domain.portal_readiness import DirectoryIntegration, Readiness, ReadinessState, normalized_address

PORTAL_USERS_MAXIMUM = 200
"""How many are kept: all of them are one record, so that a file is taken over whole or not at all."""

NAME_CHARACTERS_MAXIMUM = 100
_ADDRESS_CHARACTERS_MAXIMUM = 254
_LOCAL_CHARACTERS_MAXIMUM = 64
_LOCAL_SIGNS = frozenset("!$%&'*+-.=?^_`{|}~")
_LABEL = re.compile(r"[^\W_](?:[^\W_]|-){0,61}(?<!-)")


class ChecklistItem(StrEnum):
    """What a person has to look up, because no API of Mimecast tells it (none was found)."""

    SINGLE_SIGN_ON = "sso"
    TWO_FACTOR = "two_factor"
    REGISTERED = "registered"

    @property
    def words(self) -> str:
        return {
            ChecklistItem.SINGLE_SIGN_ON: "single sign-on was tried, where it is used",
            ChecklistItem.TWO_FACTOR: "two-step authentication is on",
            ChecklistItem.REGISTERED: "the portal lists the user as Registered",
        }[self]


@dataclass(frozen=True, slots=True)
class Tick:
    """Who said that an item of the checklist holds, and when."""

    item: ChecklistItem
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Checked:
    """The last judgment on one user."""

    readiness: Readiness
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class PortalUser:
    """One person; ``address`` is normalized and names the user. ``invited_at`` is when the portal invite was asked
    for.
    """

    name: str
    address: str
    added_at: datetime
    added_by: str
    checked: Checked | None = None
    ticks: tuple[Tick, ...] = ()
    invited_at: datetime | None = None
    invited_by: str = ""

    @property
    def is_ready(self) -> bool:
        """As of the last check; what was never checked is not ready."""
        return self.checked is not None and self.checked.readiness.state is ReadinessState.READY

    @property
    def state(self) -> str:
        """ready, blocked or unknown as of the last check; unchecked before there was one."""
        return "unchecked" if self.checked is None else self.checked.readiness.state.value

    def tick(self, item: ChecklistItem) -> Tick | None:
        return next((one for one in self.ticks if one.item is item), None)

    def ticked(self, item: ChecklistItem, *, by: str, at: datetime, is_done: bool) -> PortalUser:
        """With the item ticked, or the tick taken back."""
        others = tuple(one for one in self.ticks if one.item is not item)
        return replace(self, ticks=(*others, Tick(item, by, at)) if is_done else others)


@dataclass(frozen=True, slots=True)
class AccountCheck:
    """The last check of all users: when, by whom, of which account, and what was found beside the users.

    ``integrations`` is None where the directories could not be read.
    """

    at: datetime
    by: str
    account: str = ""
    integrations: tuple[DirectoryIntegration, ...] | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PortalBook:
    """Every portal user, ordered by address. One record, so that what is decided together is stored together."""

    users: tuple[PortalUser, ...] = ()
    check: AccountCheck | None = None
    version: int = 0

    def get(self, address: str) -> PortalUser:
        """Raises NotFound."""
        wanted = normalized_address(address)
        for user in self.users:
            if user.address == wanted:
                return user
        raise NotFound(
            f"there is no portal user {printable(wanted, 80)}", remedy="List them first: trueup portal-users list."
        )

    def has(self, address: str) -> bool:
        return any(user.address == normalized_address(address) for user in self.users)

    def with_users(self, users: Iterable[PortalUser]) -> PortalBook:
        """With these in place of those of the same addresses. Raises InputInvalid when there are too many."""
        by_address = {user.address: user for user in self.users} | {user.address: user for user in users}
        if len(by_address) > PORTAL_USERS_MAXIMUM:
            raise InputInvalid(
                f"there would be {len(by_address)} portal users, and {PORTAL_USERS_MAXIMUM} are kept at most",
                field="file",
                remedy="Remove users who need no portal any more: trueup portal-users remove ADDRESS.",
            )
        return replace(self, users=tuple(sorted(by_address.values(), key=lambda user: user.address)))

    def without(self, address: str) -> PortalBook:
        wanted = normalized_address(address)
        return replace(self, users=tuple(user for user in self.users if user.address != wanted))


def parse_name(text: str) -> str:
    """A name as it is kept: runs of spaces are one. Raises InputInvalid (``name``) for a name that hides something.

    A line end or a direction mark could make the mail to the account manager say something else than is kept.
    """
    name = re.sub(" +", " ", text.strip(" "))
    if not name or len(name) > NAME_CHARACTERS_MAXIMUM:
        raise InputInvalid(
            f"a name has 1 to {NAME_CHARACTERS_MAXIMUM} characters", field="name", remedy="Give the person's name."
        )
    if not is_plain(name):
        raise InputInvalid(
            f"the name {printable(name)} holds characters that cannot be seen",
            field="name",
            remedy="Type the name again; it was pasted with line ends or marks.",
        )
    return name


def parse_address(text: str) -> str:
    """An address as it is kept, normalized. Raises InputInvalid (``address``) for anything but one plain address.

    Quoted local parts, addresses of hosts by number and comments are correct by the standard and in no portal.
    """
    address = normalized_address(text)
    local, at, domain = address.rpartition("@")
    labels = domain.split(".")
    is_sound = (
        bool(at)
        and len(address) <= _ADDRESS_CHARACTERS_MAXIMUM
        and 1 <= len(local) <= _LOCAL_CHARACTERS_MAXIMUM
        and all(character in _LOCAL_SIGNS or character.isalnum() for character in local)
        and not local.startswith(".")
        and not local.endswith(".")
        and ".." not in local
        and len(labels) >= 2
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )
    if not is_sound or not is_plain(address):
        raise InputInvalid(
            f"{printable(address, 80) or 'nothing'} is no e-mail address",
            field="address",
            remedy="Give one plain address, as name@example.com.",
        )
    return address


def is_plain(text: str) -> bool:
    """Whether every character can be seen, or is the space. Marks that reorder or hide text are not plain."""
    return all(
        character == " " or unicodedata.category(character)[0] not in {"C", "Z"} and character.isprintable()
        for character in text
    )
