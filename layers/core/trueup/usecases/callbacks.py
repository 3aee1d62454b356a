"""Ask the PSA to call when a client or an agreement changes; list that, and take it back.

The secrets that prove a callback are made here, kept in the vault beside the credential and tied to the same host, and
never shown: the last part of the address is one of them.
"""

from __future__ import annotations

import secrets as randomness
from dataclasses import dataclass
from urllib.parse import urlsplit

from trueup.domain.audit import Audit
from trueup.domain.callbacks import CallbackSecrets, RegisteredCallback
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.errors import InputInvalid, NotConnected
from trueup.domain.integrations import Integration, IntegrationName, Side
from trueup.ports.callbacks import CallbackRegistration
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.state import History, Integrations
from trueup.ports.vault import Vault
from trueup.usecases.opening import connected, stored_fields

TOKEN_BYTES = 32
"""256 random bits; 43 characters, well inside the 64 that Autotask takes for its secret."""

LOOPBACK = frozenset({"127.0.0.1", "localhost"})


@dataclass(frozen=True, slots=True)
class CallbackSystems:
    """What all three commands need."""

    integrations: Integrations
    vault: Vault
    connections: Connections
    history: History
    clock: Clock


def register_callbacks(base_url: str, *, actor: str, systems: CallbackSystems) -> tuple[RegisteredCallback, ...]:
    """Have the connected PSA call the Trueup at that address. Repeating it with the same address changes nothing.

    Raises InputInvalid for an address that no PSA can call and for a PSA that calls nobody, NotConnected, and
    PermissionMissing naming the row that is needed.
    """
    integration, registration = _opened(systems)
    origin = _origin(base_url)
    try:
        kept = kept_secrets(integration, systems.vault)
    except NotConnected:
        kept = _fresh_secrets()
        systems.vault.put(secrets_name(integration.name), host=integration.address, fields=_fields(kept))
    registered = registration.register(callback_url(origin, integration.name, kept), kept)
    systems.history.append(
        [
            Audit(
                at=systems.clock.now(),
                actor=actor,
                action="callbacks registered",
                subject=integration.name.value,
                after=f"{origin} ({', '.join(sorted(item.subject for item in registered))})",
            )
        ]
    )
    return registered


def list_callbacks(*, systems: CallbackSystems) -> tuple[RegisteredCallback, ...]:
    """What the PSA has of ours. Raises NotConnected, and InputInvalid for a PSA that calls nobody."""
    _, registration = _opened(systems)
    return registration.registered()


def remove_callback(callback_id: str, *, actor: str, systems: CallbackSystems) -> tuple[RegisteredCallback, ...]:
    """Take one back; returns what is left. With the last one its secrets are forgotten. Raises NotFound."""
    integration, registration = _opened(systems)
    registration.remove(callback_id)
    left = registration.registered()
    if not left:
        systems.vault.delete(secrets_name(integration.name))
    systems.history.append(
        [
            Audit(
                at=systems.clock.now(),
                actor=actor,
                action="callback removed",
                subject=f"{integration.name.value} {callback_id}",
                after=f"{len(left)} left",
            )
        ]
    )
    return left


def secrets_name(name: IntegrationName) -> str:
    """What the vault calls the secrets of that PSA's callbacks."""
    return f"{name.value}-callbacks"


def kept_secrets(integration: Integration, vault: Vault) -> CallbackSecrets:
    """Raises NotConnected when none were made for that PSA, or for another host of it."""
    if integration.name.side is not Side.PSA or not PSA_CAPABILITIES[integration.name].callbacks:
        raise NotConnected(f"{integration.name.label} sends no callbacks")
    fields = vault.get(secrets_name(integration.name), host=integration.address)
    return CallbackSecrets(
        path_token=fields["path_token"],
        signing_secret=fields["signing_secret"],
        basic_user=fields["basic_user"],
        basic_password=fields["basic_password"],
    )


def callback_url(origin: str, name: IntegrationName, secrets: CallbackSecrets) -> str:
    """The address to register. What a PSA wants at the end of it besides is for its adapter to know."""
    return f"{origin}/v1/callbacks/{name.value}/{secrets.path_token}"


def _opened(systems: CallbackSystems) -> tuple[Integration, CallbackRegistration]:
    integration = connected(Side.PSA, systems.integrations)
    if not PSA_CAPABILITIES[integration.name].callbacks:
        raise InputInvalid(
            f"{integration.name.label} calls nobody when a record changes",
            field="name",
            remedy="Nothing is lost: each run reads everything.",
        )
    fields = stored_fields(integration, systems.vault)
    return integration, systems.connections.callback_registration(integration.name, integration.address, fields)


def _origin(text: str) -> str:
    """Scheme and host of an address that a PSA can call, rebuilt from its parts. Raises InputInvalid (``url``)."""
    refused = InputInvalid(
        "this is no address that the PSA can call",
        field="url",
        remedy="Give https:// and the host name of the API, with nothing behind it.",
    )
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise refused from None
    printable = text.isascii() and text.isprintable() and "\\" not in text and " " not in text.strip()
    bare = parts.path in ("", "/") and not parts.query and not parts.fragment and "@" not in parts.netloc
    is_secure = parts.scheme == "https" and "." in host
    is_own_machine = parts.scheme == "http" and host in LOOPBACK
    if not (printable and bare and (is_secure or is_own_machine)):
        raise refused
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def _fresh_secrets() -> CallbackSecrets:
    return CallbackSecrets(
        path_token=randomness.token_urlsafe(TOKEN_BYTES),
        signing_secret=randomness.token_urlsafe(TOKEN_BYTES),
        basic_user="trueup",
        basic_password=randomness.token_urlsafe(TOKEN_BYTES),
    )


def _fields(made: CallbackSecrets) -> dict[str, str]:
    return {
        "path_token": made.path_token,
        "signing_secret": made.signing_secret,
        "basic_user": made.basic_user,
        "basic_password": made.basic_password,
    }
