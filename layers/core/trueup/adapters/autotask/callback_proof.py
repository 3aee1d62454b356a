"""Proves a message of Autotask and reads the hint in it. No call, and nothing is believed before the proof.

Documented: ``X-Hook-Signature: sha1=`` and the base64 of an HMAC-SHA1 over the raw body, under the webhook's key. The
header must be exactly that; another spelling of the same bytes is refused like a forgery.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from pydantic import StrictInt

from trueup.adapters.autotask.wire import INTEGRATION, Words, parse
from trueup.adapters.json_reading import read_json
from trueup.adapters.wire_values import OptionalText, WireModel
from trueup.domain.callbacks import CallbackHint, CallbackSubject
from trueup.domain.errors import CallbackForged, ReplyUnreadable
from trueup.domain.integrations import IntegrationName

logger = logging.getLogger(__name__)

SIGNATURE_HEADER: Final = "x-hook-signature"
BODY_BYTES_MAXIMUM: Final = 256 * 1024

_COMPANY_TYPES = frozenset({"account", "company"})
_CHANGES = frozenset({"create", "update", "delete"})


class _MessageWire(WireModel):
    """``Guid`` is the webhook's; sequence number and time are remembered from the documentation, not seen."""

    Action: OptionalText = ""
    Guid: OptionalText = ""
    EntityType: OptionalText = ""
    Id: StrictInt
    EventTime: Words = ""
    SequenceNumber: Words = ""


class AutotaskCallbackVerification:
    """Implements CallbackVerification."""

    def __init__(self, signing_secret: str) -> None:
        self._key = signing_secret.encode()

    def __repr__(self) -> str:
        return "AutotaskCallbackVerification(hidden)"

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> tuple[CallbackHint, ...]:
        """See CallbackVerification.verify. The comparison takes as long for any header of the right length."""
        sent = headers.get(SIGNATURE_HEADER, "").encode("utf-8", "replace")
        if len(body) > BODY_BYTES_MAXIMUM or not self._key or not hmac.compare_digest(sent, self._signature(body)):
            raise CallbackForged("a callback of Autotask is not proven")
        try:
            message = parse(_MessageWire, read_json(body, integration=INTEGRATION, path="callback"), source="callback")
        except ReplyUnreadable as unreadable:
            # It is from Autotask, so asking it to send the same again would not help.
            logger.warning("a callback of Autotask is proven but cannot be read: %s", unreadable.message)
            return ()
        return _hints(message, body)

    def _signature(self, body: bytes) -> bytes:
        return b"sha1=" + base64.b64encode(hmac.new(self._key, body, hashlib.sha1).digest())


def _hints(message: _MessageWire, body: bytes) -> tuple[CallbackHint, ...]:
    action = message.Action.casefold()
    if action == "deactivated":
        logger.warning("Autotask has switched off a webhook of Trueup after failures; register callbacks again")
    if action not in _CHANGES or message.EntityType.casefold() not in _COMPANY_TYPES:
        return ()
    if message.Guid and message.SequenceNumber:
        message_id = f"{message.Guid[:60]}-{message.SequenceNumber[:20]}-{message.Id}"
    else:
        message_id = hashlib.sha256(body).hexdigest()
    hint = CallbackHint(
        psa=IntegrationName.AUTOTASK,
        message_id=message_id,
        subject=CallbackSubject.ACCOUNT,
        record_id=str(message.Id),
        changed_at=_moment(message.EventTime),
        deleted=action == "delete",
    )
    return (hint,)


def _moment(text: str) -> datetime | None:
    """An aware moment in UTC; a time without a zone is UTC (documented), and text that is none is not told."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
