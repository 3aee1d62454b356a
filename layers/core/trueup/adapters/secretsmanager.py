"""Credentials in AWS Secrets Manager: one secret for each integration, with the host it was saved for inside it.

Method: values are kept for at most five minutes in this object's memory, and read again at once when they do not fit
what is asked. Must not: show a value in an error, a log or a representation, or delete a secret that the stack owns.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from trueup.domain.errors import ConfigurationInvalid, NotConnected, StateTrouble, StateUnavailable, TrueupError
from trueup.ports.clock import Clock

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

CACHE_SECONDS = 300
_PASSING = frozenset(
    {"InternalServiceError", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
)


@dataclass(frozen=True, slots=True)
class _Secret:
    host: str
    fields: Mapping[str, str] = field(repr=False)
    read_at: datetime


class SecretsManagerVault:
    """Implements the Vault port with secrets named ``{prefix}{integration}``.

    The stack makes the secrets empty and owns them, so a value is put into what is there; a secret is only created
    where there is none (and the role allows it). ``cache_seconds`` must not be more than 300.
    """

    def __init__(
        self, client: SecretsManagerClient, *, prefix: str, clock: Clock, cache_seconds: int = CACHE_SECONDS
    ) -> None:
        if not 0 <= cache_seconds <= CACHE_SECONDS:
            raise ConfigurationInvalid(f"secrets may be kept for 0 to {CACHE_SECONDS} seconds, not {cache_seconds}")
        # At DEBUG the client library logs whole requests and replies, and here those are the secrets themselves.
        logging.getLogger("botocore").setLevel(logging.INFO)
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._cached_for = timedelta(seconds=cache_seconds)
        self._cache: dict[str, _Secret] = {}

    def __repr__(self) -> str:
        return f"SecretsManagerVault({self._prefix!r})"

    def put(self, name: str, *, host: str, fields: Mapping[str, str]) -> None:
        self._cache.pop(name, None)
        content = json.dumps({"schema": 1, "host": host, "fields": dict(fields)})
        try:
            self._call("put_secret_value", SecretId=self._prefix + name, SecretString=content)
        except NotConnected:
            self._call("create_secret", Name=self._prefix + name, SecretString=content)

    def get(self, name: str, *, host: str) -> Mapping[str, str]:
        cached = self._cache.get(name)
        if cached is not None and cached.host == host and cached.read_at + self._cached_for > self._clock.now():
            return dict(cached.fields)
        self._cache.pop(name, None)
        secret = self._read(name)
        if not secret.fields:
            raise NotConnected(f"there is no credential for {name}")
        if secret.host != host:
            raise NotConnected(
                f"the credential for {name} was saved for another address",
                remedy="Connect again with the address and the secret together.",
            )
        self._cache[name] = secret
        return dict(secret.fields)

    def delete(self, name: str) -> None:
        """Overwrites the value twice, so that neither the current nor the previous version holds it.

        The secret itself stays: it belongs to the stack, and a deleted one would block its name for days.
        """
        self._cache.pop(name, None)
        nothing = json.dumps({"schema": 1, "host": "", "fields": {}})
        try:
            for _version in ("current", "previous"):
                self._call("put_secret_value", SecretId=self._prefix + name, SecretString=nothing)
        except NotConnected:
            return

    def _read(self, name: str) -> _Secret:
        reply = self._call("get_secret_value", SecretId=self._prefix + name)
        if not reply.get("SecretString"):
            # The stack makes its secrets without a value; where that reads as an empty one, nothing was saved either.
            raise NotConnected(f"there is no credential in {self._prefix}{name}")
        damaged = ConfigurationInvalid(
            f"the secret {self._prefix}{name} is not one that Trueup wrote", remedy="Connect the integration again."
        )
        try:
            found = json.loads(reply["SecretString"])
        except ValueError:
            raise damaged from None
        fields = found.get("fields") if isinstance(found, dict) else None
        if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
            raise damaged
        return _Secret(str(found.get("host", "")), fields, self._clock.now())

    def _call(
        self, operation: Literal["get_secret_value", "put_secret_value", "create_secret"], **request: str
    ) -> dict[str, Any]:
        """Raises NotConnected when there is no such secret or it has no value yet. Causes are cut off on purpose: an
        error of the client library may repeat the request, and the request holds the secret.
        """
        failed: TrueupError
        try:
            reply: dict[str, Any] = getattr(self._client, operation)(**request)
        except ClientError as error:
            failed = _meaning(error, operation, request.get("SecretId") or request.get("Name", ""))
        except BotoCoreError as error:
            failed = StateUnavailable(f"Secrets Manager does not answer: {type(error).__name__}")
        else:
            return reply
        raise failed from None


def _meaning(error: ClientError, operation: str, name: str) -> TrueupError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    text = str(error.response.get("Error", {}).get("Message", ""))
    if code == "ResourceNotFoundException":
        return NotConnected(f"there is no credential in {name}")
    if code in {"DecryptionFailure", "EncryptionFailure"} or "KMS" in text or code.startswith("KMS"):
        return StateUnavailable(
            f"the key of the secret {name} cannot be used ({code}); nothing was changed",
            remedy="Enable the KMS key and let this function's role use it.",
        )
    if code == "AccessDeniedException":
        return ConfigurationInvalid(
            f"{operation} on the secret {name} is not allowed",
            remedy="Let this function's role use the secret; deploying the stack again sets it right.",
        )
    if code == "InvalidRequestException":
        return ConfigurationInvalid(
            f"the secret {name} cannot be used as it is, it may be marked for deletion",
            remedy="Restore the secret in Secrets Manager and connect again.",
        )
    if code in _PASSING:
        return StateUnavailable(f"Secrets Manager is busy or away ({code})")
    return StateTrouble(f"Secrets Manager refused {operation} on {name}: {code}")
