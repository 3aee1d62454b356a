"""A request to this machine as the event that API Gateway (HTTP API, payload format 2.0) would send, and the way back.

Method: the routes are the template's; the path is decoded once, as API Gateway does before it calls the function.
Must not: let a request choose its function or its caller; who calls is not in it, as there is no sign-in here.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.template import PSEUDO_PARAMETERS, FunctionDefinition

_TEXT_TYPES = re.compile(r"text/|application/(json|javascript|xml|[a-z0-9.-]+\+(json|xml))|image/svg")


@dataclass(frozen=True, slots=True)
class WebRequest:
    """A request as it came over the wire. ``headers`` are lower-cased; ``target`` is path and query, still encoded."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    source_address: str
    request_id: str
    local_port: int


@dataclass(frozen=True, slots=True)
class WebReply:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class MatchedRoute:
    """Which function answers, under which route key (``GET /v1/runs/{run_id}``), with which path parameters.

    ``authorizer`` is who is asked before it: empty for the API's default, NONE for nobody.
    """

    capability: str
    key: str
    parameters: Mapping[str, str]
    authorizer: str = ""


class RouteTable:
    """The routes of all functions. A route without variables wins over one with, and both over a greedy one."""

    def __init__(self, definitions: Iterable[FunctionDefinition]) -> None:
        routes = [(definition, route) for definition in definitions for route in definition.routes]
        ordered = sorted(routes, key=lambda pair: ("+}" in pair[1].path, pair[1].path.count("{"), -len(pair[1].path)))
        self._routes = [
            (
                route.method,
                _pattern(route.path),
                definition.capability,
                f"{route.method} {route.path}",
                route.authorizer,
            )
            for definition, route in ordered
        ]

    def __len__(self) -> int:
        return len(self._routes)

    def match(self, method: str, path: str) -> MatchedRoute | None:
        """The route for a decoded path, or None where API Gateway would answer 404 by itself."""
        for wanted, pattern, capability, key, authorizer in self._routes:
            found = pattern.fullmatch(path)
            if found and wanted in {method, "ANY"}:
                return MatchedRoute(capability, key, found.groupdict(), authorizer)
        return None


def path_of(request: WebRequest) -> str:
    """The decoded path, which is what API Gateway routes by and hands on."""
    return unquote(request.target.partition("?")[0])


def event_of(request: WebRequest, route: MatchedRoute) -> dict[str, Any]:
    """The event for that request."""
    query = request.target.partition("?")[2]
    now = time.time()
    headers = {name: value for name, value in request.headers.items() if name != "cookie"}
    is_text = _is_text(request.headers.get("content-type", "application/json"), request.body)
    path = path_of(request)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": PSEUDO_PARAMETERS["AWS::AccountId"],
            "apiId": "local",
            "domainName": request.headers.get("host", ""),
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_address,
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": request.request_id,
            "routeKey": route.key,
            "stage": "$default",
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": bool(request.body) and not is_text,
    }
    if request.headers.get("cookie"):
        event["cookies"] = [part.strip() for part in request.headers["cookie"].split(";")]
    if query:
        event["queryStringParameters"] = _joined(parse_qsl(query, keep_blank_values=True))
    if route.parameters:
        event["pathParameters"] = dict(route.parameters)
    if request.body:
        event["body"] = request.body.decode() if is_text else base64.b64encode(request.body).decode("ascii")
    return event


def reply_of(answer: Any) -> WebReply:
    """What API Gateway makes of a function's answer: a reply, or the whole answer as JSON when it has no status."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return WebReply(200, (("content-type", "application/json"),), json.dumps(answer).encode())
    body = answer.get("body") or ""
    content = base64.b64decode(body) if answer.get("isBase64Encoded") else str(body).encode()
    headers = [(str(name).lower(), str(value)) for name, value in (answer.get("headers") or {}).items()]
    headers += [("set-cookie", str(cookie)) for cookie in answer.get("cookies") or ()]
    return WebReply(int(answer["statusCode"]), tuple(headers), content)


def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"(\{\w+\+?\})", path)
    text = "".join(
        f"(?P<{piece[1:-2]}>.+)"
        if piece.endswith("+}")
        else f"(?P<{piece[1:-1]}>[^/]+)"
        if piece.startswith("{")
        else re.escape(piece)
        for piece in pieces
    )
    return re.compile(text, re.DOTALL)


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parameters that come more than once are joined with commas, as API Gateway does."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _is_text(content_type: str, body: bytes) -> bool:
    if not _TEXT_TYPES.match(content_type.strip().lower()):
        return False
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
