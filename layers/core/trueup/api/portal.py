"""The whole HTTP API in one resolver: routes, one error shape, the OpenAPI description made from the code."""

from __future__ import annotations

import base64
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError

from trueup.api import (
    file_routes,
    integration_routes,
    license_routes,
    line_routes,
    machine_routes,
    mapping_routes,
    month_routes,
    notice_routes,
    order_routes,
    plan_routes,
    portal_user_routes,
    psa_routes,
    report_routes,
    run_routes,
)
from trueup.api.access import Role, caller_of
from trueup.api.replies import BODY_BYTES_MAXIMUM, allowed, plain_problem, problem_reply
from trueup.api.screens import compressed
from trueup.domain.errors import TrueupError
from trueup.settings import settings

API_VERSION = "1"
FILES_PATH = "/v1/files/"
"""Exported files come in the encoding they were written in, and are decoded by what reads them."""
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def build_portal(logger: Logger) -> APIGatewayHttpResolver:
    """The resolver with every route."""
    app = APIGatewayHttpResolver(enable_validation=True)
    for routes in (
        file_routes,
        integration_routes,
        mapping_routes,
        license_routes,
        month_routes,
        run_routes,
        plan_routes,
        line_routes,
        machine_routes,
        notice_routes,
        order_routes,
        portal_user_routes,
        psa_routes,
        report_routes,
    ):
        app.include_router(routes.router)
    _add_service_routes(app)
    _add_error_shape(app, logger)
    return app


def handle(app: APIGatewayHttpResolver, event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one HTTP API event. A body that is too large or not text is refused before anything reads it."""
    reply = _unfit(event)
    if reply is None:
        answer = app.resolve(event, context)
    else:
        answer = {
            "statusCode": reply.status_code,
            "headers": {"content-type": reply.content_type},
            "body": reply.body,
            "isBase64Encoded": False,
        }
    answer["headers"] = {**answer.get("headers", {}), **SECURITY_HEADERS, "x-request-id": _request_id(event)}
    return compressed(event, answer)


def _unfit(event: dict[str, Any]) -> Response[str] | None:
    """Why the body cannot be read at all, if so. API Gateway sends what it does not take for text in base64."""
    content = (event.get("body") or "").encode(errors="surrogatepass")
    if event.get("isBase64Encoded"):
        content = base64.b64decode(content)
    if len(content) > BODY_BYTES_MAXIMUM:
        return plain_problem(
            413, "body_too_large", "the body is larger than 5 MB", "Send less at once.", _request_id(event)
        )
    if str(event.get("rawPath", "")).startswith(FILES_PATH):
        return None
    try:
        content.decode()
    except UnicodeDecodeError as bad:
        remedy = "Send JSON or CSV as UTF-8; nothing was changed."
        return plain_problem(
            400, "input_invalid", f"the body is not UTF-8 (byte {bad.start})", remedy, _request_id(event)
        )
    return None


def _add_service_routes(app: APIGatewayHttpResolver) -> None:
    @app.get("/v1/health", tags=["service"], summary="Whether the API answers; it says nothing of the tenant")
    def health() -> dict[str, str]:
        return {"status": "ok", "version": API_VERSION}

    @app.get("/v1/me", tags=["service"], summary="Who is signed in, and the role that person has")
    def me() -> dict[str, Any]:
        caller = caller_of(app.current_event.raw_event, settings())
        caller.require_person()
        return {"name": caller.name, "role": caller.role.name.lower() if caller.role is not None else None}

    @app.get("/v1/openapi.json", tags=["service"], summary="This description", include_in_schema=False)
    def openapi() -> Response[str]:
        allowed(app, Role.VIEWER)
        return Response(status_code=200, content_type="application/json", body=describe(app))


def describe(app: APIGatewayHttpResolver) -> str:
    """The OpenAPI document as JSON."""
    return app.get_openapi_json_schema(
        title="Trueup",
        version=API_VERSION,
        description="Keeps what Mimecast bills an MSP for and what its PSA bills its clients for equal.",
    )


def _add_error_shape(app: APIGatewayHttpResolver, logger: Logger) -> None:
    def on_purpose(error: TrueupError) -> Response[str]:
        logger.warning("request refused", extra={"code": error.code, "detail": error.message})
        return problem_reply(error, _request_id(app.current_event.raw_event))

    def bad_input(error: RequestValidationError) -> Response[str]:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        return plain_problem(
            400,
            "input_invalid",
            f"{where}: {first['msg']}"[:500],
            "Correct the named field and send it again; nothing was changed.",
            _request_id(app.current_event.raw_event),
        )

    def by_accident(error: Exception) -> Response[str]:
        logger.error("request failed", extra={"error": type(error).__name__}, exc_info=error)
        return plain_problem(
            500,
            "internal_error",
            "something went wrong on our side",
            "Try again; if it lasts, look up the request id in the log.",
            _request_id(app.current_event.raw_event),
        )

    for kind, answer in ((TrueupError, on_purpose), (RequestValidationError, bad_input), (Exception, by_accident)):
        app.exception_handler(kind)(answer)

    @app.not_found
    def no_route(_: NotFoundError) -> Response[str]:
        event = app.current_event
        return plain_problem(
            404,
            "not_found",
            f"there is nothing at {event.http_method} {event.path[:200]}",
            "See /v1/openapi.json for what there is.",
            _request_id(event.raw_event),
        )


def _request_id(event: dict[str, Any]) -> str:
    return str(event.get("requestContext", {}).get("requestId", ""))
