"""Between an HTTP API event and the use case that takes callbacks: what comes in, and the three answers there are."""

from __future__ import annotations

from typing import Any

from trueup.api.raw_messages import raw_body, single_headers
from trueup.usecases.psa_callback import Callback

TAKEN = 204
FORGED = 401
AGAIN = 429
"""ConnectWise sends again after 404, 409, 419 and 429 only, the others after anything that is not a success."""

AGAIN_SECONDS = 5

PROOFS = frozenset({"x-content-signature", "x-hook-signature", "authorization"})
"""The headers that prove a callback: ConnectWise's, Autotask's, HaloPSA's."""


def callback_of(event: dict[str, Any]) -> Callback:
    """Raises CallbackForged for what no PSA sends."""
    path = event.get("pathParameters") or {}
    return Callback(
        psa=str(path.get("psa", "")),
        path_token=str(path.get("token", "")),
        headers=single_headers(event, proofs=PROOFS),
        body=raw_body(event),
        query={str(name): str(value) for name, value in (event.get("queryStringParameters") or {}).items()},
    )


def reply(status: int) -> dict[str, Any]:
    """An answer without a word of why: whoever forged a message learns nothing from it."""
    headers = {"cache-control": "no-store", **({"retry-after": str(AGAIN_SECONDS)} if status == AGAIN else {})}
    return {"statusCode": status, "headers": headers, "body": "", "isBase64Encoded": False}
