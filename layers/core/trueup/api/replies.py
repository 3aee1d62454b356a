"""What every route shares: the caller, paging, idempotent writes, and errors in one shape."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import BaseRouter

from trueup import bootstrap
from trueup.adapters.lambda_web import PROBLEM_CONTENT_TYPE, problem, problem_document, status_of
from trueup.api.access import Caller, Role, caller_of
from trueup.api.cursors import seal, unseal
from trueup.domain.canonical import sha256
from trueup.domain.errors import InputInvalid, RateLimited, TooManyRequests, TrueupError
from trueup.ports.state import Page
from trueup.settings import settings

IDEMPOTENCY_SECONDS = 24 * 3600
BODY_BYTES_MAXIMUM = 5 * 1024 * 1024
JSON = "application/json"


def allowed(app: BaseRouter, role: Role) -> Caller:
    """The caller, who has that role. Raises NotAllowed."""
    caller = caller_of(app.current_event.raw_event, settings())
    caller.require(role)
    return caller


def page_view[Item](page: Page[Item], view: Callable[[Item], dict[str, Any]], *, list_name: str) -> dict[str, Any]:
    """One page of a list as every list shows it."""
    cursor = seal(page.next_cursor, key=settings().cursor_key, list_name=list_name)
    return {"items": [view(item) for item in page.items], "next_cursor": cursor}


def position(cursor: str | None, *, list_name: str) -> str | None:
    """Where a list goes on. Raises InputInvalid for a cursor that is not of that list."""
    return unseal(cursor, key=settings().cursor_key, list_name=list_name)


def written(
    app: BaseRouter,
    caller: Caller,
    write: Callable[[], dict[str, Any]],
    *,
    status: int = 200,
    kept: Callable[[dict[str, Any]], dict[str, Any]] = lambda shown: shown,
) -> Response[str]:
    """Carry out a write once for its Idempotency-Key; the same request again gets the same reply.

    ``kept`` is what is kept of the reply for a repeat: a secret that is shown once must not be stored with it.

    Raises Conflict while the first one is still under way, InputInvalid when the key came with another request.
    """
    event = app.current_event
    key = event.headers.get("idempotency-key", "")
    if not key:
        return Response(status_code=status, content_type=JSON, body=json.dumps(write(), ensure_ascii=False))
    if len(key) > 200 or not key.isprintable():
        raise InputInvalid(
            "the Idempotency-Key is too long or not printable", field="Idempotency-Key", remedy="Send a UUID."
        )
    asked_for = sorted((event.query_string_parameters or {}).items())
    fingerprint = sha256([event.http_method, event.path, asked_for, event.body or "", caller.name])
    store = bootstrap.state().idempotency
    answered = store.begin(key, fingerprint=fingerprint, seconds=IDEMPOTENCY_SECONDS)
    if answered is not None:
        return Response(
            status_code=status, content_type=JSON, body=answered.decode(), headers={"idempotent-replay": "true"}
        )
    try:
        shown = write()
    except TrueupError:
        store.abandon(key)
        raise
    store.finish(key, json.dumps(kept(shown), ensure_ascii=False).encode())
    return Response(status_code=status, content_type=JSON, body=json.dumps(shown, ensure_ascii=False))


def problem_reply(error: TrueupError, request_id: str) -> Response[str]:
    """The reply for an error that was raised on purpose."""
    headers = {}
    if isinstance(error, RateLimited | TooManyRequests):
        headers["retry-after"] = str(max(1, math.ceil(error.wait_seconds)))
    return Response(
        status_code=status_of(error),
        content_type=PROBLEM_CONTENT_TYPE,
        body=json.dumps(problem(error, request_id=request_id), ensure_ascii=False),
        headers=dict(headers),
    )


def plain_problem(status: int, code: str, detail: str, remedy: str, request_id: str) -> Response[str]:
    """The reply for what goes wrong before any of our code is asked."""
    document = problem_document(status=status, code=code, detail=detail, remedy=remedy, request_id=request_id)
    return Response(status_code=status, content_type=PROBLEM_CONTENT_TYPE, body=json.dumps(document))
