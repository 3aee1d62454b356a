"""A small OIDC issuer on loopback: discovery, keys, authorization code with PKCE, id tokens signed with RS256.

Method: whoever comes is signed in as the person the test has set, without a password. What a real issuer checks is
checked: the client, the redirect address, the code (once), its verifier. Must not: issue a token nobody asked for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from local.front_door.http_event import WebReply, WebRequest, path_of
from local.front_door.server import LocalServer

CLIENT_ID = "trueup-screens"


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Issuer:
    """``person`` and ``groups`` are who signs in next; ``asked`` are the authorization requests so far."""

    person: str = "pat@msp.example"
    groups: tuple[str, ...] = ("preparer",)
    lifetime_seconds: int = 3600
    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def claims(self, token: str) -> dict[str, Any] | None:
        """What API Gateway's JWT authorizer makes of a token: its claims, or None for one that is not good."""
        try:
            head, body, signature = token.split(".")
            self._key.public_key().verify(decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), SHA256())
            claims: dict[str, Any] = json.loads(decoded(body))
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not good
            return None
        good = claims["iss"] == self.url and claims["aud"] == CLIENT_ID and claims["exp"] > time.time()
        return claims if good else None

    def answer(self, request: WebRequest) -> WebReply:
        match path_of(request):
            case "/.well-known/openid-configuration":
                return self._json(self._configuration())
            case "/authorize":
                return self._authorize(dict(parse_qsl(request.target.partition("?")[2])))
            case "/token":
                form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
                return self._token(form) if request.method == "POST" else self._json({})
            case "/logout":
                return WebReply(200, (("content-type", "text/plain"),), b"Signed out")
        return WebReply(404, (), b"")

    def _configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def _authorize(self, asked: dict[str, str]) -> WebReply:
        self.asked.append(asked)
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._codes[code] = asked
        place = f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
        return WebReply(302, (("location", place),), b"")

    def _token(self, form: dict[str, str]) -> WebReply:
        asked = self._codes.pop(form.get("code", ""), None)
        challenge = encoded(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            self.refused.append(json.dumps(form))
            return self._json({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": f"sub-{self.person}",
            "email": self.person,
            "cognito:groups": list(self.groups),
            "nonce": asked["nonce"],
            "iat": now,
            "exp": now + self.lifetime_seconds,
        }
        return self._json({"access_token": "opaque", "token_type": "Bearer", "id_token": self._signed(claims)})

    def _signed(self, claims: dict[str, Any]) -> str:
        parts = [encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
        content = ".".join(parts)
        return f"{content}.{encoded(self._key.sign(content.encode(), padding.PKCS1v15(), SHA256()))}"

    @staticmethod
    def _json(document: Any, status: int = 200) -> WebReply:
        headers = (("content-type", "application/json"), ("access-control-allow-origin", "*"))
        return WebReply(status, headers, json.dumps(document).encode())


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    server = LocalServer(0, issuer.answer)
    issuer.url = server.url
    server.start()
    try:
        yield issuer
    finally:
        server.stop()
