"""The door of machine_access: API Gateway asks whether an API key opens the API, for every request anew."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup import bootstrap
from trueup.api.machine_callers import KEY_HEADER, context_of
from trueup.usecases.machine_access import key_of

bootstrap.load()
logger = Logger()


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Answers in the simple form of payload 2.0. Nothing of a key that was refused is logged or handed on."""
    headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    key = key_of(headers.get(KEY_HEADER, ""), api_keys=bootstrap.state().api_keys)
    if key is None:
        logger.warning("key refused", extra={"route": str(event.get("routeKey", ""))})
        return {"isAuthorized": False}
    logger.info("key accepted", extra={"key_id": key.id, "route": str(event.get("routeKey", ""))})
    return {"isAuthorized": True, "context": context_of(key)}
