"""Callbacks of ConnectWise: asking for them, and opening what proves them.

Registrations are told apart from those of other integrations by their description. Those made here ask for no callback
about Trueup's own changes. It must not touch what somebody else registered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

from pydantic import StrictBool

from trueup.adapters.connectwise.address import parse_address, parse_credential
from trueup.adapters.connectwise.callback_proof import ConnectWiseCallbackVerification
from trueup.adapters.connectwise.paging import Listing, read_whole_list
from trueup.adapters.connectwise.reading import record_id
from trueup.adapters.connectwise.replies import raise_refusal
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.connectwise.wire import INTEGRATION, RecordWire
from trueup.adapters.http import HttpClient, HttpLimits, HttpReply, RetryRule
from trueup.adapters.wire_values import OptionalText
from trueup.domain.callbacks import CallbackSecrets, RegisteredCallback
from trueup.domain.errors import InputInvalid, NotFound, ResourceAbsent, WriteOutcomeUnknown
from trueup.domain.integrations import Integration
from trueup.ports.clock import Clock

CALLBACKS_PERMISSION: Final = "System > Table Setup: Add All, Edit All and Delete All, with General / Manage Hosted API"
"""As other vendors' set-up guides name the row; ConnectWise's own documentation does not."""

DESCRIPTION_PREFIX: Final = "Trueup: "
TYPES: Final = ("agreement", "company")
"""Whether an edit of an addition calls back as its agreement is not documented; a month's read finds it either way."""

RECORD_ID_PARAMETER: Final = "recordId="
"""ConnectWise documents that it appends the record's id to the registered address, so this must be its end."""

_LEVEL = "owner"
_OWNER_OBJECT_ID = 1
_FIELDS = "id,description,url,type,level,objectId,inactiveFlag,isSelfSuppressedFlag"
_CALLBACKS = Listing("/system/callbacks", _FIELDS, 1_000, "reading callbacks", CALLBACKS_PERMISSION)


class _CallbackWire(RecordWire):
    description: OptionalText = ""
    url: OptionalText = ""
    type: OptionalText = ""
    inactiveFlag: StrictBool | None = None

    def registered(self) -> RegisteredCallback:
        return RegisteredCallback(
            id=str(self.id),
            description=self.description,
            subject=self.type.casefold(),
            url=_without_secret(self.url),
            active=not self.inactiveFlag,
        )


class ConnectWiseCallbackRegistration:
    """Implements CallbackRegistration."""

    def __init__(self, session: ConnectWiseSession) -> None:
        self._session = session

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def register(self, url: str, secrets: CallbackSecrets) -> tuple[RegisteredCallback, ...]:
        """See CallbackRegistration.register.

        ConnectWise signs with a key of its own, so the secrets are not sent. It switches a callback off after three
        days of failures; one that it switched off is switched on again.
        """
        address = url + ("&" if "?" in url else "?") + RECORD_ID_PARAMETER
        there = self._own()
        for kind in TYPES:
            found = next((one for one in there if (one.type.casefold(), one.url) == (kind, address)), None)
            if found is None:
                self._add(kind, address, secrets.path_token)
            elif found.inactiveFlag:
                operation = {"op": "replace", "path": "inactiveFlag", "value": False}
                path = f"{_CALLBACKS.path}/{found.id}"
                self._send("PATCH", path, [operation], "switching a callback on", secrets.path_token)
        return tuple(one.registered() for one in self._own() if one.url == address)

    def registered(self) -> tuple[RegisteredCallback, ...]:
        """See CallbackRegistration.registered."""
        return tuple(one.registered() for one in self._own())

    def remove(self, callback_id: str) -> None:
        """See CallbackRegistration.remove. Removing one that somebody removed meanwhile is no error."""
        try:
            number = record_id(callback_id, "callback_id")
        except InputInvalid:
            number = ""
        if number not in {str(one.id) for one in self._own()}:
            raise NotFound(f"Trueup has no callback {callback_id[:20]!r} at ConnectWise")
        try:
            self._send("DELETE", f"{_CALLBACKS.path}/{number}", None, "removing a callback")
        except ResourceAbsent:
            return

    def _own(self) -> list[_CallbackWire]:
        found = read_whole_list(self._session, _CALLBACKS, _CallbackWire)
        return [one for one in found if one.description.startswith(DESCRIPTION_PREFIX)]

    def _add(self, kind: str, address: str, secret: str) -> None:
        """Ask for one kind of callback. A repeat would make a second, so an unclear answer is settled by looking."""
        wanted = {
            "description": f"{DESCRIPTION_PREFIX}{kind} changes",
            "url": address,
            "objectId": _OWNER_OBJECT_ID,
            "type": kind,
            "level": _LEVEL,
            "inactiveFlag": False,
            # Its meaning is read from its name; without it every applied plan would call back once a line.
            "isSelfSuppressedFlag": True,
        }
        try:
            self._send("POST", _CALLBACKS.path, wanted, "registering a callback", secret)
        except WriteOutcomeUnknown:
            if not any((one.type.casefold(), one.url) == (kind, address) for one in self._own()):
                raise

    def _send(self, method: str, path: str, body: object, doing: str, secret: str = "") -> HttpReply:
        reply = self._session.send(method, path, json_body=body, retry=RetryRule.UNSENT_ONLY)
        if not reply.succeeded:
            secrets = (*self._session.secrets, secret)
            raise_refusal(reply, doing=doing, permission=CALLBACKS_PERMISSION, secrets=secrets)
        return reply


def open_callback_registration(
    address: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    additional_hosts: Collection[str] = (),
    limits: HttpLimits | None = None,
) -> ConnectWiseCallbackRegistration:
    """Registration at a ConnectWise site; nothing is sent yet. Raises UnsafeAddress and InputInvalid."""
    base = parse_address(address, allow_loopback=allow_loopback, additional_hosts=additional_hosts)
    client = HttpClient(base, integration=INTEGRATION, clock=clock, limits=limits, reset_headers=())
    return ConnectWiseCallbackRegistration(ConnectWiseSession(client, parse_credential(fields)))


def callback_verification(
    integration: Integration,
    _secrets: CallbackSecrets,
    *,
    clock: Clock,
    allow_loopback: bool,
    additional_hosts: Collection[str] = (),
) -> ConnectWiseCallbackVerification:
    """What proves the callbacks of a connected site. ConnectWise signs with a key of its own, so no secret of ours is
    needed. Raises UnsafeAddress when the stored address may not be called.
    """
    base = parse_address(integration.address, allow_loopback=allow_loopback, additional_hosts=additional_hosts)
    company_id = dict(integration.settings).get("company_id", "")
    return ConnectWiseCallbackVerification(base, company_id, clock)


def _without_secret(url: str) -> str:
    """The address for showing: server and path, without the last part, which is secret, and without the query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}/..."
