"""From an error to an HTTP problem document (RFC 9457), the one error shape of the API."""

from __future__ import annotations

from typing import Any

from trueup.domain.errors import (
    CallbackForged,
    ConfigurationInvalid,
    Conflict,
    CredentialRejected,
    InputInvalid,
    NotAllowed,
    NotFound,
    PermissionMissing,
    RateLimited,
    StateTrouble,
    TooManyRequests,
    TrueupError,
    UnsafeAddress,
    VendorTrouble,
)

PROBLEM_CONTENT_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[TrueupError], int], ...] = (
    (InputInvalid, 400),
    (UnsafeAddress, 400),
    (CallbackForged, 401),
    (NotAllowed, 403),
    (TooManyRequests, 429),
    (NotFound, 404),
    (Conflict, 409),
    (ConfigurationInvalid, 409),
    (CredentialRejected, 422),
    (PermissionMissing, 422),
    (RateLimited, 503),
    (VendorTrouble, 502),
    (StateTrouble, 503),
)
"""The first class that fits decides, so special cases stand before what they are a kind of."""


def status_of(error: TrueupError) -> int:
    """The HTTP status that says whose turn it is."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(error: TrueupError, *, request_id: str) -> dict[str, Any]:
    """The problem document: what happened, a stable code, what to do, and the id to ask about."""
    return problem_document(
        status=status_of(error),
        code=error.code,
        detail=error.message,
        remedy=error.remedy,
        request_id=request_id,
        extra={**_details(error), "action": error.action.value},
    )


def _details(error: TrueupError) -> dict[str, str]:
    """The further facts; the status that an outside system answered is not the status of this reply."""
    return {"vendor_status" if name == "status" else name: value for name, value in error.details().items()}


def problem_document(
    *, status: int, code: str, detail: str, remedy: str, request_id: str, extra: dict[str, str] | None = None
) -> dict[str, Any]:
    return {
        "type": f"urn:trueup:problem:{code}",
        "title": code.replace("_", " "),
        "status": status,
        "detail": detail,
        "code": code,
        "remedy": remedy,
        "request_id": request_id,
        **(extra or {}),
    }
