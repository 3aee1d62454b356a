"""The partner's own account in memory, behind the PortalUserReading port, with switches that make it misbehave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from trueup.domain.portal_readiness import (
    AccountFacts,
    DirectoryIntegration,
    ListedUser,
    ListState,
    Profile,
    UserList,
    normalized_address,
)
from trueup.domain.portal_users import PortalUser

PERMISSION = "Directories | Internal | Read"


@dataclass(slots=True)
class FakePortalAccount:
    """``people`` are the users of the account. ``error`` is raised instead of an answer; ``refused`` and ``broken`` say
    how the one list is; ``on_read`` is called before every answer; ``asked`` lists whom was asked for.
    """

    people: list[ListedUser] = field(default_factory=list)
    error: Exception | None = None
    refused: bool = False
    broken: bool = False
    integrations: tuple[DirectoryIntegration, ...] | None = ()
    on_read: Callable[[], None] = lambda: None
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def add(self, address: str, *, alias: bool = False, disabled: bool = False) -> None:
        self.people.append(ListedUser(normalized_address(address), "", alias, disabled))

    def read(self, users: Sequence[PortalUser]) -> AccountFacts:
        self.asked.append(tuple(user.address for user in users))
        self.on_read()
        if self.error is not None:
            raise self.error
        wanted = {user.address for user in users}
        met = tuple(one for one in self.people if one.address in wanted)
        listed = UserList("GET /users", ListState.INCOMPLETE if self.broken else ListState.WHOLE, met)
        if self.refused:
            listed = UserList("GET /users", ListState.REFUSED, permission=PERMISSION)
        return AccountFacts(
            (listed,),
            frozenset({"msp.example"}),
            self.integrations,
            {one.address: Profile("Basic User", None) for one in met},
            account="CSIM00A001",
        )
