"""What administrators decide about machines: API keys, and the callbacks that the PSA is asked for."""

from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from trueup import bootstrap
from trueup.api.access import Role
from trueup.api.inputs import ApiKeyBody, CallbacksBody
from trueup.api.machine_views import api_key_view, callback_view
from trueup.api.replies import allowed, written
from trueup.api.views import View
from trueup.domain.errors import InputInvalid
from trueup.settings import settings
from trueup.usecases.api_keys import create_key, revoke_key
from trueup.usecases.callbacks import CallbackSystems, list_callbacks, register_callbacks, remove_callback

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]  # Powertools leaves it without types.


@router.get("/v1/api-keys", tags=["machines"], summary="Every key, revoked ones too; a secret is never in it")
def list_keys() -> dict[str, Any]:
    allowed(router, Role.ADMIN)
    return {"items": [api_key_view(key) for key in bootstrap.state().api_keys.all()], "next_cursor": None}


@router.post(
    "/v1/api-keys",
    tags=["machines"],
    summary="Make a key; it is shown in this reply and never again",
    description="A repeat with the same Idempotency-Key makes no second key, and shows the first one without its "
    "secret, because that is not kept.",
)
def make_key(body: Annotated[ApiKeyBody, Body()]) -> Response[str]:
    caller = allowed(router, Role.ADMIN)

    def write() -> View:
        made = create_key(
            body.name,
            body.scopes,
            calls_a_minute=body.calls_a_minute,
            actor=caller.name,
            api_keys=bootstrap.state().api_keys,
            clock=bootstrap.clock(),
        )
        return {**api_key_view(made.key), "key": made.text}

    return written(router, caller, write, status=201, kept=lambda shown: {**shown, "key": None})


@router.delete("/v1/api-keys/<key_id>", tags=["machines"], summary="Revoke a key; it opens nothing from now on")
def delete_key(key_id: Annotated[str, Path(max_length=64)]) -> Response[str]:
    caller = allowed(router, Role.ADMIN)
    return written(
        router,
        caller,
        lambda: api_key_view(
            revoke_key(key_id, actor=caller.name, api_keys=bootstrap.state().api_keys, clock=bootstrap.clock())
        ),
    )


@router.get("/v1/callbacks", tags=["machines"], summary="What the connected PSA was asked to call Trueup for")
def get_callbacks() -> dict[str, Any]:
    allowed(router, Role.ADMIN)
    return {"items": [callback_view(item) for item in list_callbacks(systems=_systems())], "next_cursor": None}


@router.post(
    "/v1/callbacks",
    tags=["machines"],
    summary="Have the connected PSA call when clients and agreements change",
    description="Without a url the PSA is given the address that this request came to.",
)
def post_callbacks(body: Annotated[CallbacksBody | None, Body()] = None) -> Response[str]:
    caller = allowed(router, Role.ADMIN)
    url = (body.url if body is not None else None) or _own_url()

    def write() -> View:
        registered = register_callbacks(url, actor=caller.name, systems=_systems())
        return {"items": [callback_view(item) for item in registered], "next_cursor": None}

    return written(router, caller, write, status=201)


@router.delete("/v1/callbacks/<callback_id>", tags=["machines"], summary="Have the PSA no longer call for this")
def delete_callback(callback_id: Annotated[str, Path(max_length=128)]) -> Response[str]:
    caller = allowed(router, Role.ADMIN)

    def write() -> View:
        left = remove_callback(callback_id, actor=caller.name, systems=_systems())
        return {"items": [callback_view(item) for item in left], "next_cursor": None}

    return written(router, caller, write)


def _own_url() -> str:
    """The address that API Gateway says this request came to. Raises InputInvalid on one machine."""
    if not settings().roles_are_checked:
        raise InputInvalid(
            "the PSA cannot call this machine by itself",
            field="url",
            remedy="Give the https address under which this machine can be reached from outside.",
        )
    return f"https://{router.current_event.raw_event['requestContext']['domainName']}"


def _systems() -> CallbackSystems:
    state = bootstrap.state()
    return CallbackSystems(
        integrations=state.integrations,
        vault=bootstrap.vault(),
        connections=bootstrap.connections(),
        history=state.history,
        clock=bootstrap.clock(),
    )
