"""Callbacks of Autotask: asking for them (company webhooks), and what proves them.

Autotask calls when a company changes and never when a contract does (documented), so units are always read. Trueup's
webhooks are told apart from those of other integrations by their name; it must not touch any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from pydantic import StrictBool

from trueup.adapters.autotask.billing import open_session
from trueup.adapters.autotask.callback_proof import AutotaskCallbackVerification
from trueup.adapters.autotask.entities import fields_of
from trueup.adapters.autotask.querying import Listing, equal, query_all
from trueup.adapters.autotask.replies import WEBHOOKS_PERMISSION, raise_refusal
from trueup.adapters.autotask.session import AutotaskSession
from trueup.adapters.autotask.wire import INTEGRATION, RecordWire
from trueup.adapters.http import HttpLimits, RetryRule
from trueup.adapters.wire_values import OptionalText
from trueup.domain.callbacks import CallbackSecrets, RegisteredCallback
from trueup.domain.errors import (
    InputInvalid,
    NotFound,
    ReplyUnreadable,
    ResourceAbsent,
    SchemaUnknown,
    WriteOutcomeUnknown,
)
from trueup.domain.integrations import Integration
from trueup.ports.clock import Clock

WEBHOOK_NAME: Final = "Trueup: companies"
"""Autotask lets a name have 50 characters."""

URL_CHARACTERS_MAXIMUM: Final = 500
WATCHED_LABELS: Final = (
    "company name",
    "account name",
    "company number",
    "account number",
    "active",
    "company active",
    "is active",
)
"""Which of a company's fields matter, as Autotask may label them; a webhook calls only for fields it watches."""

_WEBHOOKS: Final = Listing(
    "CompanyWebhooks",
    ("id", "name", "webhookUrl", "isActive", "isReady"),
    "reading webhooks",
    WEBHOOKS_PERMISSION,
)
_WEBHOOK_FIELDS: Final = Listing(
    "CompanyWebhookFields", ("id", "webhookID", "fieldID"), "reading the fields of a webhook", WEBHOOKS_PERMISSION
)
_EVENTS: Final = ("isSubscribedToCreateEvents", "isSubscribedToUpdateEvents", "isSubscribedToDeleteEvents")


class _WebhookWire(RecordWire):
    name: OptionalText = ""
    webhookUrl: OptionalText = ""
    isActive: StrictBool | None = None
    isReady: StrictBool | None = None

    def registered(self) -> RegisteredCallback:
        return RegisteredCallback(
            id=str(self.id),
            description=self.name,
            subject="company",
            url=_without_secret(self.webhookUrl),
            active=self.isActive is not False and self.isReady is not False,
        )


class _WebhookFieldWire(RecordWire):
    fieldID: int | None = None


class AutotaskCallbackRegistration:
    """Implements CallbackRegistration."""

    def __init__(self, session: AutotaskSession) -> None:
        self._session = session

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def register(self, url: str, secrets: CallbackSecrets) -> tuple[RegisteredCallback, ...]:
        """See CallbackRegistration.register.

        A webhook is ready when it watches a field, so one that was left without fields is completed; one that Autotask
        switched off after failures is switched on again. Both addresses that it asks for are the same.
        """
        if len(url) > URL_CHARACTERS_MAXIMUM:
            raise InputInvalid(f"Autotask takes addresses of at most {URL_CHARACTERS_MAXIMUM} characters", field="url")
        webhook = self._at(url)
        if webhook is None:
            self._create(url, secrets)
            webhook = self._at(url)
        elif webhook.isActive is False:
            self._send(
                "PATCH", "/CompanyWebhooks", {"id": webhook.id, "isActive": True}, "switching a webhook on", secrets
            )
        if webhook is None:
            raise ReplyUnreadable("Autotask said that it made a webhook, and does not list it", integration=INTEGRATION)
        self._watch(webhook, secrets)
        return tuple(one.registered() for one in self._own() if one.webhookUrl == url)

    def registered(self) -> tuple[RegisteredCallback, ...]:
        """See CallbackRegistration.registered."""
        return tuple(one.registered() for one in self._own())

    def remove(self, callback_id: str) -> None:
        """See CallbackRegistration.remove. Removing one that somebody removed meanwhile is no error."""
        if callback_id not in {str(one.id) for one in self._own()}:
            raise NotFound(f"Trueup has no webhook {callback_id[:20]!r} at Autotask")
        try:
            self._send("DELETE", f"/CompanyWebhooks/{callback_id}", None, "removing a webhook")
        except ResourceAbsent:
            return
        except WriteOutcomeUnknown:
            if callback_id in {str(one.id) for one in self._own()}:
                raise

    def _own(self) -> list[_WebhookWire]:
        found = query_all(self._session, _WEBHOOKS, _WebhookWire, [equal("name", WEBHOOK_NAME)])
        return [one for one in found if one.name == WEBHOOK_NAME]

    def _at(self, url: str) -> _WebhookWire | None:
        return next((one for one in self._own() if one.webhookUrl == url), None)

    def _create(self, url: str, secrets: CallbackSecrets) -> None:
        """Make the webhook. A repeat would make a second, so an unclear answer is settled by looking."""
        wanted = {
            "name": WEBHOOK_NAME,
            "webhookUrl": url,
            "deactivationUrl": url,
            "secretKey": secrets.signing_secret,
            "isActive": True,
            **dict.fromkeys(_EVENTS, True),
            "sendThresholdExceededNotification": False,
        }
        try:
            self._send("POST", "/CompanyWebhooks", wanted, "registering a webhook", secrets)
        except WriteOutcomeUnknown:
            if self._at(url) is None:
                raise

    def _watch(self, webhook: _WebhookWire, secrets: CallbackSecrets) -> None:
        """Let the webhook watch the fields that matter and that it does not watch yet."""
        watched = {
            one.fieldID
            for one in query_all(self._session, _WEBHOOK_FIELDS, _WebhookFieldWire, [equal("webhookID", webhook.id)])
        }
        for field_id in self._field_ids():
            if field_id in watched:
                continue
            body = {
                "webhookID": webhook.id,
                "fieldID": field_id,
                "isSubscribedField": True,
                "isDisplayAlwaysField": False,
            }
            self._send("POST", f"/CompanyWebhooks/{webhook.id}/Fields", body, "watching a field", secrets)

    def _field_ids(self) -> list[int]:
        """The ids of the fields that matter. Raises SchemaUnknown when Autotask offers none to watch."""
        fields = fields_of(self._session, _WEBHOOK_FIELDS.entity, permission=WEBHOOKS_PERMISSION)
        choices = next((field.choices() for field in fields if field.name.casefold() == "fieldid"), {})
        found = [value for value, label in choices.items() if label.strip().casefold() in WATCHED_LABELS]
        if not found:
            raise SchemaUnknown(
                "Autotask, fields of webhooks: fieldID: it offers none of the fields of a company that are to be "
                "watched",
                integration=INTEGRATION,
            )
        return found

    def _send(self, method: str, path: str, body: object, doing: str, secrets: CallbackSecrets | None = None) -> None:
        reply = self._session.send(method, path, json_body=body, retry=RetryRule.UNSENT_ONLY)
        if not reply.succeeded:
            hidden = (secrets.signing_secret, secrets.path_token) if secrets is not None else ()
            every = (*self._session.secrets, *hidden)
            raise_refusal(reply, doing=doing, permission=WEBHOOKS_PERMISSION, secrets=every)


def open_callback_registration(
    address: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    limits: HttpLimits | None = None,
) -> AutotaskCallbackRegistration:
    """Registration at an Autotask tenant; nothing is sent yet. Raises UnsafeAddress and InputInvalid."""
    session = open_session(address, fields, clock=clock, allow_loopback=allow_loopback, limits=limits)
    return AutotaskCallbackRegistration(session)


def callback_verification(_integration: Integration, secrets: CallbackSecrets) -> AutotaskCallbackVerification:
    """What proves the callbacks of a connected tenant: the key that Trueup gave when it registered them."""
    return AutotaskCallbackVerification(secrets.signing_secret)


def _without_secret(url: str) -> str:
    """The address for showing: server and path, without the last part, which is secret, and without the query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}/..."
