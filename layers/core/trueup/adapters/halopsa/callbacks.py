"""Webhooks of HaloPSA: asking for them, and proving one by the password it carries.

HaloPSA documents no signature; outgoing webhooks can carry Basic authentication, over TLS, to an address whose last
part is secret (the caller checks that part). So a message is a hint and nothing more. Which events there are is chosen
by notifications: those of clients are known, one for recurring invoices is not confirmed. It must not touch what
somebody else registered.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from trueup.adapters.halopsa.billing import open_session
from trueup.adapters.halopsa.replies import WEBHOOKS_PERMISSION, raise_refusal
from trueup.adapters.halopsa.session import HaloSession
from trueup.adapters.halopsa.wire import INTEGRATION, OptionalFlag, parse
from trueup.adapters.http import HttpLimits, HttpReply, RetryRule
from trueup.adapters.json_reading import read_json
from trueup.adapters.wire_values import OptionalText
from trueup.domain.callbacks import CallbackHint, CallbackSecrets, CallbackSubject, RegisteredCallback
from trueup.domain.errors import CallbackForged, NotFound, ReplyUnreadable, ResourceAbsent, WriteOutcomeUnknown
from trueup.domain.integrations import Integration, IntegrationName
from trueup.ports.clock import Clock

WEBHOOKS_PATH: Final = "/Webhook"
NAME: Final = "Trueup: clients"
NAME_PREFIX: Final = "Trueup: "
EVENT_NAMES: Final = ("New Client", "Client Updated")
"""What is asked for by name. The numbers of HaloPSA's events are not published, and whether it takes names is assumed;
where it does not, a person chooses the events there."""

NO_EVENTS_NOTE: Final = (
    "no events are chosen yet: add those of clients in HaloPSA, Configuration, Integrations, Webhooks"
)

_OUTBOUND, _POST, _BASIC, _DEFAULT_PAYLOAD = 0, 0, 1, 0
"""Numbers as one community client lists them: an outgoing webhook, by POST, with Basic authentication."""

_NOTE = "Tells Trueup that a client changed, so that it reads that client again. Made by Trueup; remove it there."
_HINTS_MAXIMUM = 200
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_VERB = r"(?: (?:created|added|logged|updated|changed|edited|modified|deactivated|deleted|removed))?"
_CLIENT_EVENT = re.compile(rf"(?:new )?(?:client|customer){_VERB}")
_INVOICE_EVENT = re.compile(rf"(?:new )?recurring ?invoice{_VERB}")
_WORD_ENDS = re.compile(r"[^a-z0-9]+")
_ZONED = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,7})?(Z|[+-]\d{2}:\d{2})", re.ASCII)


class _WebhookWire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    id: OptionalText = ""
    name: OptionalText = ""
    url: OptionalText = ""
    active: OptionalFlag = None
    disabled: OptionalFlag = None
    events: list[object] | None = None

    def is_on(self) -> bool:
        return self.active is not False and not self.disabled

    def registered(self) -> RegisteredCallback:
        lacks_events = self.events is not None and not self.events
        return RegisteredCallback(
            id=self.id,
            description=f"{self.name}; {NO_EVENTS_NOTE}" if lacks_events else self.name,
            subject=CallbackSubject.ACCOUNT.value,
            url=_without_secret(self.url),
            active=self.is_on() and not lacks_events,
        )


class HaloPsaCallbackRegistration:
    """Implements CallbackRegistration."""

    def __init__(self, session: HaloSession) -> None:
        self._session = session

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def register(self, url: str, secrets: CallbackSecrets) -> tuple[RegisteredCallback, ...]:
        """See CallbackRegistration.register. A registration that is switched off is switched on again."""
        found = next((one for one in self._own() if one.url == url), None)
        hidden = (secrets.path_token, secrets.basic_password)
        if found is None:
            self._add(url, secrets, hidden)
        elif not found.is_on():
            self._post({"id": found.id, "active": True, "disabled": False}, hidden, "switching a webhook on")
        return tuple(one.registered() for one in self._own() if one.url == url)

    def registered(self) -> tuple[RegisteredCallback, ...]:
        """See CallbackRegistration.registered."""
        return tuple(one.registered() for one in self._own())

    def remove(self, callback_id: str) -> None:
        """See CallbackRegistration.remove. Removing one that somebody removed meanwhile is no error."""
        if _UUID.fullmatch(callback_id) is None or callback_id not in {one.id for one in self._own()}:
            raise NotFound(f"Trueup has no callback {callback_id[:40]!r} at HaloPSA")
        try:
            self._checked(
                self._session.send("DELETE", f"{WEBHOOKS_PATH}/{callback_id}", retry=RetryRule.UNSENT_ONLY),
                "removing a webhook",
            )
        except ResourceAbsent:
            return

    def _own(self) -> list[_WebhookWire]:
        reply = self._session.read(WEBHOOKS_PATH, doing="reading webhooks", permission=WEBHOOKS_PERMISSION)
        document = reply.json()
        rows: object = document
        if isinstance(document, Mapping):
            # Whether the list is wrapped is unverified, so the first list inside counts too.
            rows = next((value for value in document.values() if isinstance(value, list)), None)
        if not isinstance(rows, list):
            raise ReplyUnreadable("HaloPSA's reply to a list of webhooks holds no list", integration=INTEGRATION)
        found = [parse(_WebhookWire, row, source="reading webhooks") for row in rows]
        return [one for one in found if one.id and one.name.startswith(NAME_PREFIX)]

    def _add(self, url: str, secrets: CallbackSecrets, hidden: tuple[str, ...]) -> None:
        """Ask for the webhook. A repeat would make a second, so an unclear answer is settled by looking."""
        wanted: dict[str, object] = {
            "name": NAME,
            "type": _OUTBOUND,
            "url": url,
            "method": _POST,
            "content_type": "application/json",
            "authentication_type": _BASIC,
            "basic_username": secrets.basic_user,
            "basic_password": secrets.basic_password,
            "active": True,
            "payload_type": _DEFAULT_PAYLOAD,
            "note": _NOTE,
            "events": [{"name": name} for name in EVENT_NAMES],
        }
        try:
            self._post(wanted, hidden, "registering a webhook")
        except WriteOutcomeUnknown:
            if not any(one.url == url for one in self._own()):
                raise

    def _post(self, webhook: Mapping[str, object], hidden: tuple[str, ...], doing: str) -> None:
        reply = self._session.send("POST", WEBHOOKS_PATH, json_body=[dict(webhook)], retry=RetryRule.UNSENT_ONLY)
        self._checked(reply, doing, hidden)

    def _checked(self, reply: HttpReply, doing: str, hidden: tuple[str, ...] = ()) -> None:
        if not reply.succeeded:
            secrets = (*self._session.secrets, *hidden)
            raise_refusal(reply, doing=doing, permission=WEBHOOKS_PERMISSION, secrets=secrets)


class HaloPsaCallbackVerification:
    """Implements CallbackVerification: the password is compared whole, in constant time, before the body is read."""

    def __init__(self, secrets: CallbackSecrets) -> None:
        pair = f"{secrets.basic_user}:{secrets.basic_password}".encode()
        self._expected = b"Basic " + base64.b64encode(pair)

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> tuple[CallbackHint, ...]:
        """See CallbackVerification.verify. A message or an array of them; what is not understood tells of nothing."""
        given = headers.get("authorization", "").encode(errors="surrogatepass")
        if not hmac.compare_digest(given, self._expected):
            raise CallbackForged("the message does not carry the password that was registered")
        try:
            document = read_json(body, integration=INTEGRATION, path="a webhook")
        except ReplyUnreadable:
            # The sender is proven; that the body is broken says nothing that could be acted on.
            return ()
        messages = document if isinstance(document, list) else [document]
        hints = [_hint(message) for message in messages[:_HINTS_MAXIMUM] if isinstance(message, Mapping)]
        return tuple(hint for hint in hints if hint is not None)


def open_callback_registration(
    address: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    additional_hosts: Collection[str] = (),
    limits: HttpLimits | None = None,
) -> HaloPsaCallbackRegistration:
    """Registration at a HaloPSA tenant; nothing is sent yet. Raises UnsafeAddress and InputInvalid."""
    return HaloPsaCallbackRegistration(
        open_session(
            address,
            fields,
            clock=clock,
            allow_loopback=allow_loopback,
            additional_hosts=additional_hosts,
            limits=limits,
        )
    )


def callback_verification(_integration: Integration, secrets: CallbackSecrets) -> HaloPsaCallbackVerification:
    """What proves the webhooks of a connected tenant: the user and password that it was given to send."""
    return HaloPsaCallbackVerification(secrets)


def _hint(message: Mapping[str, object]) -> CallbackHint | None:
    """What one message tells of, or None. The spelling of its keys is unverified, so more than one is read."""
    event = _WORD_ENDS.sub(" ", str(_first(message, "event", "event_name", "eventname") or "").casefold()).strip()
    if _CLIENT_EVENT.fullmatch(event):
        subject = CallbackSubject.ACCOUNT
    elif _INVOICE_EVENT.fullmatch(event):
        # Not confirmed that HaloPSA sends one; if it does, the invoice's client is looked up.
        subject = CallbackSubject.AGREEMENT
    else:
        return None
    record = _first(message, "object_id", "objectid", "entity_id")
    record_id = str(record) if isinstance(record, str | int) and not isinstance(record, bool) else ""
    if re.fullmatch(r"-?[1-9][0-9]{0,11}", record_id, re.ASCII) is None:
        return None
    return CallbackHint(
        psa=IntegrationName.HALOPSA,
        message_id=_message_id(message),
        subject=subject,
        record_id=record_id,
        changed_at=_moment(_first(message, "timestamp", "time")),
        deleted=event.endswith(("deleted", "removed")),
    )


def _message_id(message: Mapping[str, object]) -> str:
    """HaloPSA's own id of the message; a digest of it where it has none, so that a repeat is a repeat all the same."""
    told = _first(message, "id", "message_id")
    if isinstance(told, str) and 0 < len(told) <= 100 and told.isascii() and told.isprintable():
        return told
    return hashlib.sha256(json.dumps(message, sort_keys=True, default=str).encode()).hexdigest()


def _moment(value: object) -> datetime | None:
    """A moment with its zone. One without is not used: taken in the wrong zone, a new change would pass for old."""
    if not isinstance(value, str) or _ZONED.fullmatch(value) is None:
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:
        return None


def _first(message: Mapping[str, object], *names: str) -> object:
    return next((message[name] for name in names if message.get(name) is not None), None)


def _without_secret(url: str) -> str:
    """The address for showing: server and path, without the last part, which is secret, and without the query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "..."
    return f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}/..."
