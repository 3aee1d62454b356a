"""What the partner's own Mimecast account says of the people who are to be portal users.

Both lists of users are read, because either may be refused or wrong; profiles, aliases, domains and directories add
what they may. No call carries the account switch: every answer is about the account that the credential belongs to.
Must not: call ``update-user``, which is known to tell of locks and is a write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from trueup.adapters.http import HttpClient, HttpLimits, Pace
from trueup.adapters.mimecast.adapter import PAGE_SIZE, PARALLEL_CALLS, REQUESTS_PER_SECOND, parse_mimecast_address
from trueup.adapters.mimecast.calls import MimecastCalls, PermissionRefused, Refused
from trueup.adapters.mimecast.directories import read_directories
from trueup.adapters.mimecast.on_behalf import AccountSwitch
from trueup.adapters.mimecast.paging import PAGES_MAXIMUM
from trueup.adapters.mimecast.permissions import GROUPS, PROFILES
from trueup.adapters.mimecast.reading import INTEGRATION, display_text
from trueup.adapters.mimecast.tokens import TokenSource, parse_credential
from trueup.adapters.mimecast.user_lists import Found, folded, read_domains, read_internal_users, read_users
from trueup.domain.errors import CredentialRejected, RateLimited, TenantScopeMismatch, VendorTrouble, VendorUnavailable
from trueup.domain.portal_readiness import (
    AccountFacts,
    DirectoryIntegration,
    ListState,
    Profile,
    UserList,
    normalized_address,
)
from trueup.domain.portal_users import PortalUser
from trueup.ports.clock import Clock

PROFILE_PATH: Final = "/api/user/get-profile"
ALIASES_PATH: Final = "/api/user/get-aliases"
PROFILES_MAXIMUM: Final = 30
"""About one profile a second was measured in the field, and a person waits for the check."""

ALIAS_QUESTIONS_MAXIMUM: Final = 10
_QUESTIONS_PER_ALIAS = 3


class MimecastPortalUsers:
    """Implements PortalUserReading on one credential; one read at a time."""

    def __init__(self, calls: MimecastCalls, *, page_size: int = PAGE_SIZE, pages_maximum: int = PAGES_MAXIMUM) -> None:
        self._calls = calls
        self._page_size = page_size
        self._pages_maximum = pages_maximum

    def close(self) -> None:
        """Close idle connections; it may still be used and opens new ones."""
        self._calls.close()

    def read(self, users: Sequence[PortalUser]) -> AccountFacts:
        """See PortalUserReading.read. Raises TenantScopeMismatch when the calls are not for the own account."""
        self._calls.sign_in()
        notes: list[str] = []
        account = self._own_account(notes)
        found = self._lists(users)
        lists = tuple(one.list for one in found)
        return AccountFacts(
            lists=lists,
            internal_domains=self._domains(notes),
            integrations=self._directories(notes),
            profiles=self._profiles(_listed(lists, users), notes),
            primaries=self._primaries(users, found, notes),
            account=account,
            notes=tuple(notes),
        )

    def _own_account(self, notes: list[str]) -> str:
        try:
            identity = AccountSwitch(self._calls).whoami()
        except Refused as error:
            notes.append(f"Mimecast does not say which account the credential belongs to (status {error.status}).")
            return ""
        if identity.home_codes and identity.target_codes and identity.home_codes.isdisjoint(identity.target_codes):
            raise TenantScopeMismatch(
                "Mimecast answers for another account than the one the credential belongs to", integration=INTEGRATION
            )
        return ", ".join(sorted(identity.home_codes))

    def _lists(self, users: Sequence[PortalUser]) -> tuple[Found, Found]:
        """Both lists at the same time. Raises the passing trouble where nothing at all can be said for it."""
        addresses = frozenset(normalized_address(user.address) for user in users)
        names = frozenset(user.name.strip().casefold() for user in users)
        with ThreadPoolExecutor(max_workers=2, thread_name_prefix="mimecast") as pool:
            asked = [
                pool.submit(
                    read,
                    self._calls,
                    addresses,
                    names,
                    page_size=self._page_size,
                    pages_maximum=self._pages_maximum,
                )
                for read in (read_users, read_internal_users)
            ]
            newer, older = (one.result() for one in asked)
        if not any(one.list.state is ListState.WHOLE or one.list.users for one in (newer, older)):
            for one in (newer, older):
                if isinstance(one.error, RateLimited | VendorUnavailable):
                    raise one.error
        return newer, older

    def _domains(self, notes: list[str]) -> frozenset[str] | None:
        try:
            return read_domains(self._calls, page_size=self._page_size, pages_maximum=self._pages_maximum)
        except CredentialRejected:
            raise
        except VendorTrouble as error:
            notes.append(_note("The internal domains", error))
            return None

    def _directories(self, notes: list[str]) -> tuple[DirectoryIntegration, ...] | None:
        try:
            return read_directories(self._calls, page_size=self._page_size)
        except CredentialRejected:
            raise
        except VendorTrouble as error:
            notes.append(_note("The directories", error))
            return None

    def _profiles(self, addresses: Sequence[str], notes: list[str]) -> dict[str, Profile]:
        """Roles and the hint of a cloud password, where they may be read; nothing rests on them."""
        if len(addresses) > PROFILES_MAXIMUM:
            notes.append(f"Roles were read of the first {PROFILES_MAXIMUM} of {len(addresses)} users only.")
        wanted = addresses[:PROFILES_MAXIMUM]
        found: dict[str, Profile] = {}
        try:
            with ThreadPoolExecutor(max_workers=PARALLEL_CALLS, thread_name_prefix="mimecast") as pool:
                # One is asked alone: where profiles are refused as such, the others are not asked.
                first = [self._profile(address) for address in wanted[:1]]
                profiles = [*first, *pool.map(self._profile, wanted[1:])]
            found = {address: one for address, one in zip(wanted, profiles, strict=True) if one is not None}
        except CredentialRejected:
            raise
        except VendorTrouble as error:
            notes.append(_note("The roles of the users", error))
        return found

    def _profile(self, address: str) -> Profile | None:
        """None where the profile is not there or is about somebody else. Raises PermissionRefused and what else the
        calls raise.
        """
        body = {"data": [{"emailAddress": address, "showAvatar": False}]}
        try:
            document = folded(self._calls.post(PROFILE_PATH, body, permission=PROFILES))
        except PermissionRefused:
            raise
        except Refused:
            return None
        data = document.get("data") if isinstance(document, Mapping) else None
        record = data[0] if isinstance(data, list) and data else None
        if not isinstance(record, Mapping):
            return None
        told = record.get("emailaddress")
        if isinstance(told, str) and normalized_address(told) != address:
            return None
        role, password = record.get("role"), record.get("localpassword")
        return Profile(
            display_text(role)[:100] if isinstance(role, str) else "", password if isinstance(password, bool) else None
        )

    def _primaries(self, users: Sequence[PortalUser], found: Collection[Found], notes: list[str]) -> dict[str, str]:
        """The primary address of an alias, where a user of the same name proves to be it. Few questions are asked:
        looking through all users for one alias would take one call each.
        """
        primaries: dict[str, str] = {}
        questions = ALIAS_QUESTIONS_MAXIMUM
        try:
            for user in users:
                address = normalized_address(user.address)
                said = [one for each in found for one in each.list.of(address)]
                if not any(one.is_alias for one in said):
                    continue
                name = user.name.strip().casefold()
                candidates = [one for each in found for one in each.namesakes.get(name, ())]
                for candidate in list(dict.fromkeys(candidates))[: min(_QUESTIONS_PER_ALIAS, questions)]:
                    questions -= 1
                    if address in self._aliases(candidate):
                        primaries[address] = candidate
                        break
        except CredentialRejected:
            raise
        except VendorTrouble as error:
            notes.append(_note("The aliases of the users", error))
        return primaries

    def _aliases(self, primary: str) -> frozenset[str]:
        """The aliases of a primary address. The name of the record's field is inferred."""
        document = folded(self._calls.post(ALIASES_PATH, {"data": [{"emailAddress": primary}]}, permission=GROUPS))
        data = document.get("data") if isinstance(document, Mapping) else None
        items = [one.get("aliases") for one in data if isinstance(one, Mapping)] if isinstance(data, list) else []
        records = [record for one in items if isinstance(one, list) for record in one if isinstance(record, Mapping)]
        return frozenset(normalized_address(alias) for one in records if isinstance(alias := one.get("alias"), str))


def open_portal_users(
    url: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    limits: HttpLimits | None = None,
    page_size: int = PAGE_SIZE,
    pages_maximum: int = PAGES_MAXIMUM,
) -> MimecastPortalUsers:
    """The partner's own account, ready to be asked; nothing is sent yet. Raises UnsafeAddress and InputInvalid."""
    base = parse_mimecast_address(url, allow_loopback=allow_loopback)
    credential = parse_credential(fields)
    pace = Pace(REQUESTS_PER_SECOND, PARALLEL_CALLS)
    client = HttpClient(base, integration=INTEGRATION, clock=clock, limits=limits, pace=pace)
    calls = MimecastCalls(client, TokenSource(client, credential, clock))
    return MimecastPortalUsers(calls, page_size=page_size, pages_maximum=pages_maximum)


def _listed(lists: Iterable[UserList], users: Sequence[PortalUser]) -> list[str]:
    """The addresses that some list has, in the order of the users."""
    met = {user.address for one in lists for user in one.users}
    return [address for user in users if (address := normalized_address(user.address)) in met]


def _note(what: str, error: VendorTrouble) -> str:
    if isinstance(error, PermissionRefused) and error.permission:
        return f"{what} could not be read: the credential lacks {error.permission}."
    return f"{what} could not be read: {error.message}."
