"""Callbacks of the PSA: asking for them, proving that one is real, and passing the hint on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from trueup.domain.callbacks import CallbackHint, CallbackSecrets, RegisteredCallback


class CallbackRegistration(Protocol):
    """Asking the PSA to call, in its own way."""

    def register(self, url: str, secrets: CallbackSecrets) -> tuple[RegisteredCallback, ...]:
        """Ask for a call to that address when clients or agreements change. What is registered there already with the
        same address is kept, so repeating it changes nothing.

        Raises PermissionMissing naming the row that is needed.
        """
        ...

    def registered(self) -> tuple[RegisteredCallback, ...]:
        """Only those that Trueup made; other integrations' registrations are none of its business."""
        ...

    def remove(self, callback_id: str) -> None:
        """Raises NotFound when Trueup has none of that id."""
        ...


class CallbackVerification(Protocol):
    """Proving one callback."""

    def verify(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> tuple[CallbackHint, ...]:
        """The hints of one message, after its signature or password was found right over the raw bytes.

        Header names are lower case. Raises CallbackForged for anything that is not proven, before the body is believed
        and without any call to an address that the message names and the tenant does not own. An empty tuple is a
        proven message that tells of nothing Trueup uses.
        """
        ...


class CallbackQueue(Protocol):
    """Where a proven hint waits to be acted on."""

    def put(self, hints: tuple[CallbackHint, ...]) -> None:
        """Raises QueueUnavailable when they could not be kept; the PSA is then asked to send the message again."""
        ...
