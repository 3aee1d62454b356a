"""Who a request is from, as API Gateway asks it: by a function of the template, anew for every request.

Must not: let a request through that the function did not let through, or hand on anything but what it said.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from local.front_door.functions import LocalFunctions
from local.front_door.http_event import MatchedRoute, WebReply
from local.template import Authorizer


class Authorizing:
    """The function authorizers of the template. Token authorizers have no place on one machine: nobody signs in."""

    def __init__(self, functions: LocalFunctions, authorizers: Iterable[Authorizer]) -> None:
        self._functions = functions
        self._authorizers = {authorizer.name: authorizer for authorizer in authorizers}

    def refusal(self, event: dict[str, Any], route: MatchedRoute) -> WebReply | None:
        """None when the request may go on, with what is known of the caller in the event; else API Gateway's reply.

        Raises FunctionFailed when the function does.
        """
        authorizer = self._authorizers.get(route.authorizer)
        if authorizer is None:
            return None
        sent = event["headers"].get(authorizer.header, "")
        if not sent:
            return _reply(401, "Unauthorized")
        asked = {
            **{name: value for name, value in event.items() if name not in {"body", "isBase64Encoded"}},
            "type": "REQUEST",
            "routeArn": f"arn:aws:execute-api:local/{route.key}",
            "identitySource": [sent],
        }
        answer = self._functions.call(authorizer.capability, asked)
        if answer.get("isAuthorized") is not True:
            return _reply(403, "Forbidden")
        event["requestContext"]["authorizer"] = {"lambda": answer.get("context")}
        return None


def _reply(status: int, message: str) -> WebReply:
    """The reply that API Gateway gives by itself; it is none of the API's own."""
    return WebReply(status, (("content-type", "application/json"),), json.dumps({"message": message}).encode())
