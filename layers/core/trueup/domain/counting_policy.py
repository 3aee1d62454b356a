"""By which rules the licensed users of a client become seats: said once for the whole MSP, and apart for a client.

Every change is a version of its own, and an earlier version stays readable: a closed month names the one it was counted
by. Must not: look at a user; that is what counting does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from trueup.domain.billing import PsaAccountId
from trueup.domain.counts import SEATS_MAXIMUM
from trueup.domain.errors import InputInvalid

LIST_MAXIMUM = 200
"""Names or patterns in one list of a policy."""

TEXT_CHARACTERS_MAXIMUM = 200
"""The length of one name or pattern."""

ANY = "*"
"""The one wildcard of an address pattern: any number of characters, none included."""


@dataclass(frozen=True, slots=True)
class CountingPolicy:
    """The rules for one client, or for all that have none of their own.

    ``scope`` is a PSA account id, empty for the whole MSP; ``psa_system`` is the PSA that it is an id of
    (Integration.system), because the same id means another client in another PSA.

    ``counted_skus`` are part numbers (``SPB``); empty means every license that brings a mailbox, which see
    ``brings_mailbox`` for what is assumed. ``ignored_skus`` never count, even when they are in the other list.

    The switches say whether such users count. ``counts_rooms`` is for rooms and equipment. ``counts_blocked`` is for
    people whose sign-in is blocked: it does not look at shared mailboxes and rooms, whose sign-in is blocked as a rule.
    ``counts_unknown_mailboxes`` is for a user of whom nobody says what the mailbox is for.

    ``service_users`` are patterns of addresses that are nobody's, in any case, with ``*`` for any characters.

    The seats of a client are its users, less ``included_seats``, not under ``minimum_seats``, up to a multiple of
    ``multiple_seats``, and never over ``cap_seats``; in this order. The minimum holds for a client without any user,
    too. ``adjusts_stated`` says whether a number that a file gives is treated like this as well: as a rule who writes a
    number into a file has counted by the same agreement, and the number is taken as it is.

    ``version`` is 0 for the rules that hold when nobody said any. ``cleared`` marks a version that took the rules back.
    """

    scope: str = ""
    psa_system: str = ""
    counted_skus: tuple[str, ...] = ()
    ignored_skus: tuple[str, ...] = ()
    counts_shared: bool = False
    counts_rooms: bool = False
    counts_guests: bool = False
    counts_blocked: bool = False
    counts_unknown_mailboxes: bool = True
    service_users: tuple[str, ...] = ()
    included_seats: int = 0
    minimum_seats: int = 0
    cap_seats: int | None = None
    multiple_seats: int = 1
    adjusts_stated: bool = False
    cleared: bool = False
    version: int = 0
    by: str = ""
    at: datetime | None = None
    reason: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What the policy is for: versions are counted within it."""
        return self.psa_system, self.scope

    def checked(self) -> CountingPolicy:
        """The same policy with its lists trimmed, each text once, in order.

        Raises InputInvalid naming the field: a name that is empty or too long, too many of them, a pattern that is
        everybody's, a number that is no number of seats, or a cap under the minimum.
        """
        _require_seats(self.included_seats, "included_seats", lowest=0)
        _require_seats(self.minimum_seats, "minimum_seats", lowest=0)
        _require_seats(self.multiple_seats, "multiple_seats", lowest=1)
        if self.cap_seats is not None:
            _require_seats(self.cap_seats, "cap_seats", lowest=0)
            if self.cap_seats < self.minimum_seats:
                raise InputInvalid(
                    f"the cap of {self.cap_seats} seats is under the minimum of {self.minimum_seats}",
                    field="cap_seats",
                    remedy="Raise the cap or lower the minimum.",
                )
        patterns = _texts(self.service_users, "service_users")
        everybody = next((one for one in patterns if not one.replace(ANY, "").strip("@. ")), None)
        if everybody is not None:
            raise InputInvalid(
                f"the pattern {everybody!r} fits every address, so that nobody would count",
                field="service_users",
                remedy=f"Name a part of the addresses that are meant, such as svc-{ANY}.",
            )
        return replace(
            self,
            counted_skus=_texts(self.counted_skus, "counted_skus"),
            ignored_skus=_texts(self.ignored_skus, "ignored_skus"),
            service_users=patterns,
        )

    def adjusted(self, users: int) -> int:
        """The seats for so many counted users."""
        seats = max(users - self.included_seats, self.minimum_seats, 0)
        seats = -(-seats // self.multiple_seats) * self.multiple_seats
        return seats if self.cap_seats is None else min(seats, self.cap_seats)

    @property
    def name(self) -> str:
        """What people call this version of it."""
        which = f"policy of client {self.scope}" if self.scope else "policy of the MSP"
        return f"{which}, version {self.version}" if self.version else "default policy"


DEFAULT_POLICY = CountingPolicy()
"""What holds when nobody said anything."""


def policies_in(policies: Iterable[CountingPolicy], psa_system: str) -> PolicyBook:
    """The policies as they hold in one PSA: those for the whole MSP, and those for clients of that PSA."""
    held = [one for one in policies if not one.cleared]
    general = next((one for one in held if not one.scope), DEFAULT_POLICY)
    own = (one for one in held if one.scope and one.psa_system == psa_system)
    return PolicyBook(general, tuple(sorted(own, key=lambda one: one.scope)))


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """Which policy holds for which client: the one of the MSP, and by client those of who has one."""

    general: CountingPolicy = DEFAULT_POLICY
    own: tuple[CountingPolicy, ...] = ()

    def of(self, client: PsaAccountId | None) -> CountingPolicy:
        """The client's own policy, or the one of the MSP; that one too for a tenant that is mapped to nobody."""
        found = next((one for one in self.own if one.scope == client), None) if client is not None else None
        return found or self.general


def brings_mailbox(service_plans: Iterable[str]) -> bool:
    """Whether a license with these service plans brings a mailbox of its own.

    Microsoft publishes the names of plans, and mailboxes are in plans called EXCHANGE_*. It is assumed that all of
    these bring a mailbox but three families: EXCHANGE_S_FOUNDATION, which lies in nearly every license (Power BI,
    Entra ID) and only lets other services use the directory of Exchange; EXCHANGE_S_ARCHIVE*, an archive beside a
    mailbox that is licensed elsewhere; and EXCHANGE_ANALYTICS. A tenant of which this is not true names its SKUs.
    """
    names = [plan.strip().upper() for plan in service_plans]
    return any(name.startswith(_MAILBOX_PLAN) and not name.startswith(_PLANS_WITHOUT_MAILBOX) for name in names)


_MAILBOX_PLAN = "EXCHANGE_"
_PLANS_WITHOUT_MAILBOX = ("EXCHANGE_S_FOUNDATION", "EXCHANGE_S_ARCHIVE", "EXCHANGE_ANALYTICS")


class AddressPattern:
    """Which addresses a pattern means, in any case. The time is linear in both lengths: the parts between wildcards are
    looked for one after the other, and the first place where a part fits is always right.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._first, *self._middle = text.casefold().split(ANY)
        self._last = self._middle.pop() if self._middle else None

    def fits(self, folded_address: str) -> bool:
        """Whether it means that address, which has had ``casefold``."""
        text = folded_address
        if self._last is None:
            return text == self._first
        if len(text) < len(self._first) + len(self._last):
            return False
        if not text.startswith(self._first) or not text.endswith(self._last):
            return False
        place, end = len(self._first), len(text) - len(self._last)
        for part in self._middle:
            found = text.find(part, place, end)
            if found < 0:
                return False
            place = found + len(part)
        return True


def _texts(given: tuple[str, ...], field: str) -> tuple[str, ...]:
    trimmed = sorted({text.strip() for text in given})
    if len(trimmed) > LIST_MAXIMUM:
        raise InputInvalid(
            f"{field} has {len(trimmed)} entries", field=field, remedy=f"Give {LIST_MAXIMUM} entries at most."
        )
    for text in trimmed:
        if not text or len(text) > TEXT_CHARACTERS_MAXIMUM or not text.isprintable():
            raise InputInvalid(
                f"{field}: {text[:40]!r} is no name of 1 to {TEXT_CHARACTERS_MAXIMUM} characters on one line",
                field=field,
                remedy="Correct that entry or leave it out.",
            )
    return tuple(trimmed)


def _require_seats(number: object, field: str, *, lowest: int) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or not lowest <= number <= SEATS_MAXIMUM:
        raise InputInvalid(
            f"{field} must be a whole number from {lowest} to {SEATS_MAXIMUM}",
            field=field,
            remedy="Give a whole number of seats, without quotes or decimals.",
        )
