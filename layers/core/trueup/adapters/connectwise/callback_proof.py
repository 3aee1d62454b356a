"""Proves that a callback is from the tenant's ConnectWise, and says what it tells of.

Method: HMAC-SHA256 over the bytes as they came, with the key from the address that the message names, in constant time.
Everything that can be checked without a call is checked before the key is fetched. A message is a hint and no more:
its copy of the record is not read, but for the time of the change. It must not tell whoever forged a message what was
wrong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NoReturn

from trueup.adapters.connectwise.callback_keys import KeyAddress, SigningKeys, own_key_address
from trueup.adapters.connectwise.wire import INTEGRATION
from trueup.adapters.http import BaseAddress
from trueup.adapters.json_reading import read_json
from trueup.domain.callbacks import CallbackHint, CallbackSubject
from trueup.domain.errors import CallbackForged, ReplyUnreadable, UnsafeAddress
from trueup.domain.integrations import IntegrationName
from trueup.ports.clock import Clock

logger = logging.getLogger(__name__)

SIGNATURE_HEADER: Final = "x-content-signature"
BODY_BYTES_MAXIMUM: Final = 256 * 1024
"""ConnectWise sends the whole record; those told of here are a few kilobytes."""

_SIGNATURE = re.compile(r"[A-Za-z0-9+/]{43}=", re.ASCII)
_MESSAGE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:-]{0,79}", re.ASCII)
_SUBJECTS = {"company": CallbackSubject.ACCOUNT, "agreement": CallbackSubject.AGREEMENT}
_KEYS = SigningKeys()
"""Shared by all verifications of the process, so that a key is fetched once and not for each callback."""


class ConnectWiseCallbackVerification:
    """Implements CallbackVerification for one site and company. Safe to share between threads."""

    def __init__(self, base: BaseAddress, company_id: str, clock: Clock, *, keys: SigningKeys = _KEYS) -> None:
        self._base = base
        self._company_id = company_id
        self._clock = clock
        self._keys = keys

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> tuple[CallbackHint, ...]:
        """See CallbackVerification.verify.

        ConnectWise appends the record's id and the action to the address that it calls; they are not signed, so the
        query is not read. Raises VendorUnavailable or RateLimited when the key could not be fetched just now: such a
        message is neither proven nor forged, and ConnectWise sends it again when it is answered with 429.

        One limit is known: the server of a cloud region is shared by all its tenants, so its key proves that
        ConnectWise signed the message, and the name of the company in it is checked beside that. The secret part of the
        address is what another tenant of the region cannot know.
        """
        given = headers.get(SIGNATURE_HEADER, "")
        if _SIGNATURE.fullmatch(given) is None:
            _refuse("its signature is missing, malformed or there twice")
        message = _read_message(body)
        if not self._is_for_this_company(message):
            _refuse("it is for another company")
        address = self._key_address(message)
        if not self._is_signed(given, body, address):
            _refuse("its signature does not fit")
        return _hints(message, body)

    def _is_for_this_company(self, message: Mapping[str, object]) -> bool:
        named = message.get("companyid")
        # Company ids are typed by people to sign in, in any case.
        return isinstance(named, str) and bool(self._company_id) and named.casefold() == self._company_id.casefold()

    def _key_address(self, message: Mapping[str, object]) -> KeyAddress:
        metadata = message.get("metadata")
        key_url = _folded(metadata).get("key_url") if isinstance(metadata, Mapping) else None
        if not isinstance(key_url, str):
            _refuse("it names no signing key")
        try:
            return own_key_address(self._base, key_url)
        except UnsafeAddress:
            _refuse("its signing key is on another server, which was not called")

    def _is_signed(self, given: str, body: bytes, address: KeyAddress) -> bool:
        """Whether the signature fits the key that is remembered, or else the one that is told now."""
        key = self._keys.remembered(address, self._clock)
        if key is not None and _fits(given, key, body):
            return True
        try:
            fresh = self._keys.fetched(address, self._clock)
        except (ReplyUnreadable, UnsafeAddress):
            _refuse("its signing key cannot be read")
        return fresh is not None and _fits(given, fresh, body)


def _fits(given: str, key: bytes, body: bytes) -> bool:
    expected = base64.b64encode(hmac.new(key, body, hashlib.sha256).digest())
    return hmac.compare_digest(given.encode("ascii"), expected)


def _read_message(body: bytes) -> Mapping[str, object]:
    """The message with its names in lower case: reports differ on how ConnectWise writes them."""
    if not 0 < len(body) <= BODY_BYTES_MAXIMUM:
        _refuse("it is empty or too long")
    try:
        message = read_json(body, integration=INTEGRATION, path="a callback")
    except ReplyUnreadable:
        _refuse("it is not JSON")
    if not isinstance(message, Mapping):
        _refuse("it is not an object")
    return _folded(message)


def _folded(record: Mapping[str, object]) -> Mapping[str, object]:
    folded = {str(name).casefold(): value for name, value in record.items()}
    if len(folded) != len(record):
        # Two readers could take different ones of the two.
        _refuse("it holds a name twice, in different case")
    return folded


def _hints(message: Mapping[str, object], body: bytes) -> tuple[CallbackHint, ...]:
    kind, record_id = message.get("type"), message.get("id")
    subject = _SUBJECTS.get(kind.casefold()) if isinstance(kind, str) else None
    if subject is None or isinstance(record_id, bool) or not isinstance(record_id, int) or record_id < 1:
        return ()
    given = message.get("messageid")
    action = message.get("action")
    return (
        CallbackHint(
            psa=IntegrationName.CONNECTWISE,
            message_id=given if isinstance(given, str) and _MESSAGE_ID.fullmatch(given) else _digest(body),
            subject=subject,
            record_id=str(record_id),
            changed_at=_changed_at(message.get("entity")),
            deleted=isinstance(action, str) and action.casefold() == "deleted",
        ),
    )


def _digest(body: bytes) -> str:
    """Stands in for an id that is missing or odd: the same bytes are the same message."""
    return f"sha256-{hashlib.sha256(body).hexdigest()}"


def _changed_at(entity: object) -> datetime | None:
    """When the record was last edited, by the copy of it that the message holds as text; None where it does not say."""
    if not isinstance(entity, str):
        return None
    try:
        record = read_json(entity.encode("utf-8"), integration=INTEGRATION, path="a callback")
        info = record.get("_info") if isinstance(record, Mapping) else None
        moment = datetime.fromisoformat(str(info.get("lastUpdated"))) if isinstance(info, Mapping) else None
    except (ReplyUnreadable, ValueError):
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _refuse(reason: str) -> NoReturn:
    logger.warning("a callback in the name of %s was refused: %s", INTEGRATION, reason)
    raise CallbackForged("the message is not proven to be from the PSA")
