"""The directories that an account's users are synchronized from, and whether they are well.

``GET /directory/cloud-gateway/v1/integrations`` and its detail routes are published, the fields of the list's rows are
not: a row is taken for what it says and completed by its detail. ``POST /api/directory/get-connection`` is the older
form. Settings of a directory (addresses, client ids) are not looked at. Must not: start a synchronization.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from trueup.adapters.mimecast.calls import MimecastCalls, Refused
from trueup.adapters.mimecast.paging import RecordPage, record_page, walk
from trueup.adapters.mimecast.permissions import DIRECTORY_SYNC
from trueup.adapters.mimecast.reading import display_text, find_told, identifier, schema_unknown
from trueup.adapters.mimecast.user_lists import MAPPING, PAGING, folded
from trueup.domain.errors import SchemaUnknown
from trueup.domain.portal_readiness import DirectoryIntegration

INTEGRATIONS_PATH: Final = "/directory/cloud-gateway/v1/integrations"
CONNECTION_PATH: Final = "/api/directory/get-connection"
DETAILS_MAXIMUM: Final = 10

_DETAIL_ROUTES = (
    ("m365", ("m365", "office", "microsoft365", "azure", "entra")),
    ("google", ("google",)),
    ("active-directory", ("active", "ldap", "ad_push")),
)
"""Words of a type, and the route that tells more. The words of the newer list are not published; these are assumed."""

_NAME = ("description", "name")
_KIND = ("servertype", "type", "integrationtype", "connectortype")
_LAST_SYNC = ("lastsyncdatetime", "lastsync")


def read_directories(calls: MimecastCalls, *, page_size: int) -> tuple[DirectoryIntegration, ...]:
    """Every directory by the newer list, or by the older one where that is refused or of an unknown shape.

    Raises what MimecastCalls raises, ReadIncomplete and SchemaUnknown when neither answers.
    """
    try:
        return _integrations(calls, page_size)
    except (Refused, SchemaUnknown) as first:
        try:
            return _connections(calls)
        except (Refused, SchemaUnknown) as second:
            raise first from second


def _integrations(calls: MimecastCalls, page_size: int) -> tuple[DirectoryIntegration, ...]:
    def page(token: str | None) -> RecordPage:
        query = {PAGING.size_parameter: str(page_size)}
        if token is not None:
            query[PAGING.token_parameter] = token
        document = folded(calls.get(INTEGRATIONS_PATH, query=query, permission=DIRECTORY_SYNC))
        return record_page(document, ("integrations",), PAGING, what="directories", mapping_version=MAPPING)

    def identify(record: object) -> str:
        found = identifier(record.get("id")) if isinstance(record, Mapping) else None
        if found is None:
            raise schema_unknown("a directory has no id", record, MAPPING)
        return found

    rows = walk(page, identify, what="directory")
    return tuple(
        _integration(_with_detail(calls, name, versions[-1], asked=number < DETAILS_MAXIMUM))
        for number, (name, versions) in enumerate(rows.items())
    )


def _with_detail(calls: MimecastCalls, integration_id: str, row: object, *, asked: bool) -> Mapping[object, object]:
    """The row completed by its detail, where there is a route for its type and it may be read."""
    assert isinstance(row, Mapping)  # identify has seen to it
    kind = str(find_told(row, _KIND)[1] or "").casefold()
    route = next((route for route, words in _DETAIL_ROUTES if any(word in kind for word in words)), None)
    if route is None or not asked:
        return row
    path = f"{INTEGRATIONS_PATH}/{route}/{urllib.parse.quote(integration_id, safe='')}"
    try:
        detail = folded(calls.get(path, permission=DIRECTORY_SYNC))
    except Refused:
        return row
    return {**row, **detail} if isinstance(detail, Mapping) else row


def _connections(calls: MimecastCalls) -> tuple[DirectoryIntegration, ...]:
    document = folded(calls.post(CONNECTION_PATH, {"data": []}, permission=DIRECTORY_SYNC))
    data = document.get("data") if isinstance(document, Mapping) else None
    if not isinstance(data, list) or not all(isinstance(one, Mapping) for one in data):
        raise schema_unknown("the reply about directory connections has no data", document, MAPPING)
    return tuple(_integration(one) for one in data)


def _integration(record: Mapping[object, object]) -> DirectoryIntegration:
    enabled, running = record.get("enabled"), record.get("syncrunning")
    return DirectoryIntegration(
        name=_text(record, _NAME),
        kind=_text(record, _KIND),
        is_enabled=enabled if isinstance(enabled, bool) else None,
        status=_text(record, ("status",)),
        last_sync_at=_moment(_text(record, _LAST_SYNC)),
        is_running=running if isinstance(running, bool) else None,
    )


def _text(record: Mapping[object, object], candidates: tuple[str, ...]) -> str:
    value = find_told(record, candidates)[1]
    return display_text(value)[:200] if isinstance(value, str) else ""


def _moment(text: str) -> datetime | None:
    """A time with its offset (``+0000`` and ``Z`` were seen); None for anything else."""
    try:
        found = datetime.fromisoformat(text)
        return None if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
