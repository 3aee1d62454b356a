"""The two lists of an account's internal users, and its internal domains, read whole or told to be incomplete.

``GET /user/cloud-gateway/v1/users`` is in the published API 2.0 catalog; ``POST /api/user/get-internal-users`` is the
older form and says nothing of disabled users. Keys are read without regard to case: the official sample of the older
one spells them differently from the wire. Must not: keep anything of people who were not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from trueup.adapters.mimecast.calls import MimecastCalls, PermissionRefused, Refused
from trueup.adapters.mimecast.field_mapping import PagingFields
from trueup.adapters.mimecast.paging import PAGES_MAXIMUM, RecordPage, record_page, walk
from trueup.adapters.mimecast.permissions import INTERNAL_DIRECTORIES
from trueup.adapters.mimecast.reading import display_text, identifier, schema_unknown
from trueup.domain.errors import CredentialRejected, VendorTrouble
from trueup.domain.portal_readiness import ListedUser, ListState, UserList, normalized_address

USERS_PATH: Final = "/user/cloud-gateway/v1/users"
INTERNAL_USERS_PATH: Final = "/api/user/get-internal-users"
DOMAINS_PATH: Final = "/domain/cloud-gateway/v1/internal-domains"

MAPPING: Final = "none"
"""These shapes are published or were seen, so they are here and not in the mapping of the partner routes."""

PAGING: Final = PagingFields(
    size_parameter="pageSize",
    token_parameter="pageToken",  # noqa: S106 - the name of a parameter, not a secret
    next_token=(
        "meta.pagination.next",
        "meta.pagination.nextpage",
        "meta.pagination.nextpagetoken",
        "meta.next",
        "meta.nextpage",
        "meta.nextpagetoken",
    ),
    total=("meta.pagination.totalcount",),
)
"""Where the token of the next page was seen or is published for these routes, in lower case."""


@dataclass(frozen=True, slots=True)
class Found:
    """One list as far as it was read. ``error`` is why it is not whole; ``namesakes`` are primary addresses by the name
    that was asked for, in lower case.
    """

    list: UserList
    error: VendorTrouble | None = None
    namesakes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Row:
    """What is kept of a record: an id, the user where it is one of those that were asked for, and the name and address
    of a primary that has the name of one of them.
    """

    id: str
    user: ListedUser | None = None
    namesake: tuple[str, str] | None = None


@dataclass(slots=True)
class _Gathering:
    """Turns records into rows, and keeps what was met so far, for a walk that breaks off."""

    addresses: Collection[str]
    names: Collection[str]
    alias_key: str
    rows: list[_Row] = field(default_factory=list)
    pages: int = 0

    def page(self, page: RecordPage) -> RecordPage:
        rows = [self._row(record) for record in page.records]
        self.rows += [row for row in rows if row.user is not None or row.namesake is not None]
        self.pages += 1
        return RecordPage(list(rows), page.next_token, page.total)

    def _row(self, record: object) -> _Row:
        if not isinstance(record, Mapping):
            raise schema_unknown("a user is no object", record, MAPPING)
        address = record.get("emailaddress")
        if not isinstance(address, str) or not address.strip():
            raise schema_unknown("a user has no emailAddress", record, MAPPING)
        normalized = normalized_address(address)
        identity = identifier(record.get("id")) or normalized
        if record.get("internal") is False:
            # The newer list may name outside correspondents too; none of them is a user of the account.
            return _Row(identity)
        name = record.get("name")
        name = display_text(name) if isinstance(name, str) else ""
        short = name.strip().casefold()
        is_namesake = short in self.names and record.get(self.alias_key) is False
        namesake = (short, normalized) if is_namesake else None
        if normalized not in self.addresses:
            return _Row(identity, None, namesake)
        source = record.get("source")
        user = ListedUser(
            normalized,
            name,
            _flag(record, self.alias_key),
            _flag(record, "disabled"),
            display_text(source) if isinstance(source, str) else "",
        )
        return _Row(identity, user, namesake)


def read_users(
    calls: MimecastCalls,
    addresses: Collection[str],
    names: Collection[str],
    *,
    page_size: int,
    pages_maximum: int = PAGES_MAXIMUM,
) -> Found:
    """The newer list. ``addresses`` are normalized, ``names`` in lower case. Raises CredentialRejected."""

    def page(token: str | None) -> RecordPage:
        query = {PAGING.size_parameter: str(page_size)}
        if token is not None:
            query[PAGING.token_parameter] = token
        document = folded(calls.get(USERS_PATH, query=query, permission=INTERNAL_DIRECTORIES))
        return record_page(document, ("users",), PAGING, what="users", mapping_version=MAPPING)

    return _gathered(f"GET {USERS_PATH}", page, _Gathering(addresses, names, "isalias"), pages_maximum)


def read_internal_users(
    calls: MimecastCalls,
    addresses: Collection[str],
    names: Collection[str],
    *,
    page_size: int,
    pages_maximum: int = PAGES_MAXIMUM,
) -> Found:
    """The older list of all domains (``domain`` is left out for that). As ``read_users``."""

    def page(token: str | None) -> RecordPage:
        pagination: dict[str, object] = {"pageSize": page_size}
        if token is not None:
            pagination["pageToken"] = token
        body = {"meta": {"pagination": pagination}, "data": [{}]}
        document = folded(calls.post(INTERNAL_USERS_PATH, body, permission=INTERNAL_DIRECTORIES))
        meta = document.get("meta") if isinstance(document, Mapping) else None
        flat = {"users": _users_in(document), **({} if meta is None else {"meta": meta})}
        return record_page(flat, ("users",), PAGING, what="internal users", mapping_version=MAPPING)

    return _gathered(f"POST {INTERNAL_USERS_PATH}", page, _Gathering(addresses, names, "alias"), pages_maximum)


def read_domains(calls: MimecastCalls, *, page_size: int, pages_maximum: int = PAGES_MAXIMUM) -> frozenset[str]:
    """The account's internal domains in lower case. Raises what MimecastCalls raises, ReadIncomplete, SchemaUnknown."""

    def page(token: str | None) -> RecordPage:
        query = {PAGING.size_parameter: str(page_size)}
        if token is not None:
            query[PAGING.token_parameter] = token
        document = folded(calls.get(DOMAINS_PATH, query=query, permission=INTERNAL_DIRECTORIES))
        return record_page(document, ("domains",), PAGING, what="internal domains", mapping_version=MAPPING)

    def name(record: object) -> str:
        domain = record.get("domain") if isinstance(record, Mapping) else None
        if not isinstance(domain, str) or not domain.strip():
            raise schema_unknown("an internal domain has no name", record, MAPPING)
        return domain.strip().lower()

    return frozenset(walk(page, name, what="internal domains", pages_maximum=pages_maximum))


def folded(document: object) -> object:
    """The document with every key in lower case. Raises SchemaUnknown when two keys of one object become the same."""
    if isinstance(document, list):
        return [folded(one) for one in document]
    if not isinstance(document, Mapping):
        return document
    found = {str(key).lower(): folded(value) for key, value in document.items()}
    if len(found) != len(document):
        raise schema_unknown("an object has two keys that differ in case only", document, MAPPING)
    return found


def _gathered(
    origin: str, page: Callable[[str | None], RecordPage], gathering: _Gathering, pages_maximum: int
) -> Found:
    def read(token: str | None) -> RecordPage:
        return gathering.page(page(token))

    def identify(row: object) -> str:
        assert isinstance(row, _Row)
        return row.id

    try:
        records = walk(read, identify, what="user", pages_maximum=pages_maximum)
    except CredentialRejected:
        raise
    except VendorTrouble as error:
        if isinstance(error, Refused) and not gathering.pages:
            permission = error.permission or "" if isinstance(error, PermissionRefused) else ""
            return Found(UserList(origin, ListState.REFUSED, trouble=error.message, permission=permission), error)
        met = UserList(origin, ListState.INCOMPLETE, _users(gathering.rows), trouble=error.message)
        return Found(met, error, _namesakes(gathering.rows))
    if not records:
        # Every account has somebody who administers it, so a list without anybody proves nothing.
        return Found(UserList(origin, ListState.INCOMPLETE, trouble="it names nobody at all"))
    rows = [row for versions in records.values() for row in versions if isinstance(row, _Row)]
    return Found(UserList(origin, ListState.WHOLE, _users(rows)), None, _namesakes(rows))


def _users(rows: Collection[_Row]) -> tuple[ListedUser, ...]:
    return tuple(dict.fromkeys(row.user for row in rows if row.user is not None))


def _namesakes(rows: Collection[_Row]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if row.namesake is not None:
            name, address = row.namesake
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), address)))
    return found


def _users_in(document: object) -> list[object]:
    """The users of every item of ``data``. Raises SchemaUnknown when one has none."""
    data = document.get("data") if isinstance(document, Mapping) else None
    if not isinstance(data, list):
        raise schema_unknown("the reply about internal users has no data", document, MAPPING)
    users: list[object] = []
    for item in data:
        listed = item.get("users") if isinstance(item, Mapping) else None
        if not isinstance(listed, list):
            raise schema_unknown("the reply about internal users has no users", document, MAPPING)
        users += listed
    return users


def _flag(record: Mapping[object, object], key: str) -> bool | None:
    """True, false, or None for what is not told. Raises SchemaUnknown for anything else: a text is no flag."""
    value = record.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise schema_unknown(f"{key} of a user is neither true nor false", record, MAPPING)
