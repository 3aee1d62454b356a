"""Take one message that says it is from the PSA: prove it, drop repeats, and pass on what it tells of.

Nothing of the message is believed before it is proven, and nothing of it but ids is passed on after that. Whatever is
wrong with it, the answer is the same.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from trueup.domain.callbacks import CallbackSecrets
from trueup.domain.errors import CallbackForged, ConfigurationInvalid, InputInvalid, NotConnected
from trueup.domain.integrations import ConnectionState, Integration, IntegrationName
from trueup.ports.callbacks import CallbackQueue
from trueup.ports.connections import Connections
from trueup.ports.state import Counters, Integrations
from trueup.ports.vault import Vault
from trueup.usecases.callbacks import kept_secrets

REPEAT_SECONDS = 8 * 24 * 3600
"""How long a message is remembered: more than the week after which one may be played again. Later it only costs a
read, because a hint never changes anything by itself.
"""


@dataclass(frozen=True, slots=True)
class Callback:
    """One message as it came: header names in lower case, the body's own bytes."""

    psa: str
    path_token: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a proven message: how many hints wait now, and how many had come before."""

    psa: IntegrationName
    queued: int
    repeated: int


def take_callback(
    callback: Callback,
    *,
    integrations: Integrations,
    vault: Vault,
    connections: Connections,
    counters: Counters,
    queue: CallbackQueue,
) -> Taken:
    """Prove the message and queue its hints.

    Raises CallbackForged for everything that is not proven, QueueUnavailable and StateTrouble when the PSA should send
    it again. A hint counts as seen only when it is queued, so that one that could not be kept is not taken for a repeat
    when it comes again.
    """
    integration, secrets = _expected(callback, integrations, vault)
    try:
        verification = connections.callback_verification(integration, secrets)
    except (InputInvalid, ConfigurationInvalid) as unfit:
        raise CallbackForged(_REFUSED) from unfit
    hints = verification.verify(callback.headers, callback.body, callback.query)
    fresh = tuple(hint for hint in hints if not counters.value(_name(hint.psa, hint.message_id, hint.record_id)))
    if fresh:
        queue.put(fresh)
    for hint in fresh:
        counters.add(_name(hint.psa, hint.message_id, hint.record_id), seconds=REPEAT_SECONDS)
    return Taken(integration.name, len(fresh), len(hints) - len(fresh))


_REFUSED = "the message is not proven to be from the PSA"


def _expected(callback: Callback, integrations: Integrations, vault: Vault) -> tuple[Integration, CallbackSecrets]:
    """Which connection the message is for, and what proves it. The token is compared whatever else is missing."""
    try:
        name = IntegrationName(callback.psa)
        integration = integrations.get(name)
        secrets = kept_secrets(integration, vault)
    except (ValueError, NotConnected):
        raise CallbackForged(_REFUSED) from None
    same = hmac.compare_digest(
        callback.path_token.encode(errors="surrogatepass"), secrets.path_token.encode(errors="surrogatepass")
    )
    if not same or integration.state is ConnectionState.NOT_CONNECTED:
        raise CallbackForged(_REFUSED)
    return integration, secrets


def _name(psa: IntegrationName, message_id: str, record_id: str) -> str:
    return f"callback {psa.value} {message_id} {record_id}"
