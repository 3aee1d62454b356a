"""The client tenants of the simulated world and who is licensed in them: what Microsoft 365 knows. It knows no HTTP.

A user is a number and what it is; name, address and id follow from the number, so that a world of many users stays
small. Each change raises its tenant's version, which is how a delta query finds what changed. Change it through World.
"""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

type Kind = Literal["user", "shared", "room", "equipment", "guest", "blocked", "service", "unlicensed"]
type Access = Literal["open", "no_consent", "no_relationship", "gone"]

KINDS: Final[tuple[Kind, ...]] = (
    "user", "shared", "room", "equipment", "guest", "blocked", "service", "unlicensed",
)  # fmt: skip
ACCESSES: Final[tuple[Access, ...]] = ("open", "no_consent", "no_relationship", "gone")

MAIL: Final = "f245ecc8-75af-4f8e-b61f-27d8114de5f3"
KIOSK: Final = "80b2d799-d2ba-4d2a-8842-fb0d0f3a4b82"
APPS: Final = "c5928f49-12ba-48f7-ada3-0d743a3601d5"
SKUS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    MAIL: ("O365_BUSINESS_PREMIUM", ("EXCHANGE_S_STANDARD", "SHAREPOINTSTANDARD", "TEAMS1")),
    KIOSK: ("EXCHANGEDESKLESS", ("EXCHANGE_S_DESKLESS",)),
    APPS: ("VISIOCLIENT", ("ONEDRIVE_BASIC", "VISIO_CLIENT_SUBSCRIPTION")),
}
"""Part number and service plans of each license: two that bring a mailbox, one that does not."""

_FIRST = ("ada", "ben", "cora", "dev", "elin", "femi", "gwen", "hugo", "ines", "jaan", "kemi", "lars", "mina", "nils")
_LAST = ("abbot", "brandt", "castell", "dahl", "ekwueme", "fisk", "grange", "holm", "ivers", "jansen", "krol", "lund")
_PURPOSE = {"shared": "shared", "room": "room", "equipment": "equipment"}


@dataclass(slots=True)
class DirectoryUser:
    """One account of a tenant. ``changed`` is the tenant's version that it was last changed in."""

    number: int
    kind: Kind
    sku: str = MAIL
    changed: int = 0
    removed: bool = False

    @property
    def is_licensed(self) -> bool:
        return not self.removed and self.kind != "unlicensed"

    @property
    def purpose(self) -> str | None:
        """What the mailbox is for; None where there is no mailbox."""
        if self.kind == "unlicensed" or self.sku == APPS:
            return None
        return _PURPOSE.get(self.kind, "user")

    @property
    def name(self) -> str:
        first, last = self._names()
        match self.kind:
            case "shared":
                return f"Info {self.number}"
            case "room":
                return f"Meeting room {self.number}"
            case "equipment":
                return f"Projector {self.number}"
            case "service":
                return f"Scanner {self.number}"
        return f"{first.title()} {last.title()}"

    @property
    def local_part(self) -> str:
        """The address before the at sign."""
        first, last = self._names()
        words = {"shared": "info", "room": "room", "equipment": "projector", "service": "svc-scanner"}
        return f"{words.get(self.kind, f'{first}.{last}')}{self.number}"

    def _names(self) -> tuple[str, str]:
        return _FIRST[self.number % len(_FIRST)], _LAST[self.number // len(_FIRST) % len(_LAST)]


@dataclass(slots=True)
class ClientTenant:
    """One client's tenant. ``account_code`` is its Mimecast account, None where it has none. ``story`` is what it plays
    in the demo month. ``spare_units`` are licenses that were bought and are given to nobody.
    """

    id: str
    name: str
    domain: str
    account_code: str | None = None
    story: str = "in_line"
    access: Access = "open"
    spare_units: int = 1
    version: int = 1
    users: dict[int, DirectoryUser] = field(default_factory=dict)

    def user_id(self, user: DirectoryUser) -> str:
        """The id of a user, which no other tenant has."""
        return f"{self.id[:24]}{user.number:012x}"

    def user_of(self, user_id: str) -> DirectoryUser | None:
        """The user with that id, if it is one of this tenant's and still there."""
        if user_id[:24] != self.id[:24] or not re.fullmatch(r"[0-9a-f]{12}", user_id[24:]):
            return None
        user = self.users.get(int(user_id[24:], 16))
        return None if user is None or user.removed else user

    def address(self, user: DirectoryUser) -> str:
        """The user's principal name; a guest's is the address elsewhere, rewritten as Microsoft does."""
        if user.kind == "guest":
            return f"{user.local_part}_partner.example#EXT#@{self.domain}"
        return f"{user.local_part}@{self.domain}"

    def licensed(self, *kinds: Kind) -> list[DirectoryUser]:
        """Those who have a license, by number; only of the kinds named, or all."""
        return [
            user for _, user in sorted(self.users.items()) if user.is_licensed and (not kinds or user.kind in kinds)
        ]

    def people(self) -> list[DirectoryUser]:
        """The ordinary users who have a mail license, by number: those that a count is about."""
        return [user for user in self.licensed("user") if user.sku == MAIL]

    def add(self, count: int, kind: Kind = "user", sku: str = MAIL) -> list[str]:
        """New accounts; their ids."""
        self.version += 1
        first = max(self.users, default=0) + 1
        made = [DirectoryUser(number, kind, sku, self.version) for number in range(first, first + count)]
        self.users.update({user.number: user for user in made})
        return [self.user_id(user) for user in made]

    def remove(self, users: Iterable[DirectoryUser]) -> None:
        """Accounts are deleted."""
        self.version += 1
        for user in users:
            user.removed, user.changed = True, self.version

    def change(self, users: Iterable[DirectoryUser], kind: Kind) -> None:
        """Accounts become something else: ``unlicensed`` takes the license, ``blocked`` the sign-in."""
        self.version += 1
        for user in users:
            user.kind, user.changed = kind, self.version

    def set_licensed(self, count: int) -> None:
        """Have exactly so many ordinary licensed users: new ones come, or the newest lose their license."""
        people = self.people()
        if count > len(people):
            self.add(count - len(people))
        elif count < len(people):
            self.change(people[count:], "unlicensed")


class Directory:
    """All client tenants, by id."""

    def __init__(self, tenants: Iterable[ClientTenant]) -> None:
        self.tenants = {tenant.id: tenant for tenant in sorted(tenants, key=lambda one: one.id)}

    def of_account(self, account_code: str) -> ClientTenant:
        """The tenant of a Mimecast account. KeyError where there is none."""
        found = next((one for one in self.tenants.values() if one.account_code == account_code), None)
        if found is None:
            raise KeyError(f"no tenant of the account {account_code}")
        return found

    def story(self, name: str) -> list[ClientTenant]:
        """The tenants that play this case."""
        return [one for one in self.tenants.values() if one.story == name]

    def drift(self, seed: int, share: float = 0.2) -> list[str]:
        """A month passes: about that share of the tenants hires or loses some people; ids of the tenants it changed."""
        rng = random.Random(seed)
        changed = []
        for tenant in self.tenants.values():
            if rng.random() >= share:
                continue
            people = tenant.people()
            coming, going = rng.randint(0, 4), min(rng.randint(0, 3), len(people))
            if coming:
                tenant.add(coming)
            if going:
                leaving = rng.sample(people, going)
                # Some are deleted, some only lose the license.
                tenant.remove(leaving[::2])
                tenant.change(leaving[1::2], "unlicensed")
            if coming or going:
                changed.append(tenant.id)
        return changed

    def as_json(self) -> list[dict[str, Any]]:
        """As plain JSON values; a user is one short text."""
        return [
            {
                "id": one.id,
                "name": one.name,
                "domain": one.domain,
                "account_code": one.account_code,
                "story": one.story,
                "access": one.access,
                "spare_units": one.spare_units,
                "version": one.version,
                "users": [
                    f"{user.number}:{user.kind}:{user.sku}:{user.changed}:{'gone' if user.removed else ''}"
                    for user in one.users.values()
                ],
            }
            for one in self.tenants.values()
        ]

    @classmethod
    def of_json(cls, value: Iterable[dict[str, Any]]) -> "Directory":
        """What ``as_json`` made."""
        return cls(ClientTenant(**{**one, "users": _users(one["users"])}) for one in value)


def _users(texts: Iterable[str]) -> dict[int, DirectoryUser]:
    kinds: dict[str, Kind] = {kind: kind for kind in KINDS}
    users = {}
    for text in texts:
        number, kind, sku, changed, gone = text.split(":")
        users[int(number)] = DirectoryUser(int(number), kinds[kind], sku, int(changed), gone == "gone")
    return users
