"""Machines that call with an API key: which key it was is what the authorizer function found, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trueup import bootstrap
from trueup.api.access import Caller
from trueup.domain.api_keys import ApiKey, KeyScope
from trueup.domain.errors import NotAllowed
from trueup.usecases.machine_access import count_call

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.api_gateway import BaseRouter

KEY_HEADER = "x-api-key"


@dataclass(frozen=True, slots=True)
class Machine:
    """The key that a call came with. ``actor`` goes into the history."""

    key_id: str
    actor: str
    scopes: frozenset[str]
    calls_a_minute: int


def context_of(key: ApiKey) -> dict[str, str]:
    """What the authorizer hands on; ``machine_of`` reads it. Text only: gateways differ in what else they keep."""
    return {
        "key_id": key.id,
        "actor": key.actor,
        "scopes": " ".join(sorted(scope.value for scope in key.scopes)),
        "calls_a_minute": str(key.calls_a_minute),
    }


def machine_of(event: dict[str, Any]) -> Machine:
    """The machine that calls. Raises NotAllowed for an event that the authorizer of machines has not seen."""
    authorizer = event.get("requestContext", {}).get("authorizer")
    context = authorizer.get("lambda") if isinstance(authorizer, dict) else None
    if not isinstance(context, dict) or not context.get("key_id"):
        raise NotAllowed("this needs an API key", remedy=f"Send a key in the header {KEY_HEADER}.")
    return Machine(
        key_id=str(context["key_id"]),
        actor=str(context["actor"]),
        scopes=frozenset(str(context["scopes"]).split()),
        calls_a_minute=int(context["calls_a_minute"]),
    )


def permitted(app: BaseRouter, scope: KeyScope) -> Caller:
    """The caller, whose key has that scope and a call left. Raises NotAllowed, TooManyRequests.

    A call that its scope does not allow counts as well: trying is what the limit is for.
    """
    machine = machine_of(app.current_event.raw_event)
    count_call(
        machine.key_id,
        calls_a_minute=machine.calls_a_minute,
        counters=bootstrap.state().counters,
        clock=bootstrap.clock(),
    )
    if scope.value not in machine.scopes:
        raise NotAllowed(
            f"this key has not the scope {scope.value}",
            remedy=f"Ask an administrator for a key with the scope {scope.value}.",
        )
    return Caller(machine.actor, None)
