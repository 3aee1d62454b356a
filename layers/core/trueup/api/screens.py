"""The screens over HTTP: one page for every address of the portal, and the files it is made of.

Method: all files are read once and served under an address that holds a hash of them all, so a browser keeps them for
ever and never mixes two releases. Must not: serve a file outside its folder, or let a page run anything else.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from trueup.settings import Settings, settings

PAGES = frozenset({
    "", "integrations", "accounts", "services", "finish", "reconcile", "plan", "orders", "tenants", "portal-users",
    "months", "reports", "history", "files", "settings",
})  # fmt: skip
"""The first word of every address that is a screen."""

ASSETS = "/assets/"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
_COMPRESSED_ALREADY = frozenset({".woff2"})
GZIP_BYTES_MINIMUM = 1400
"""What fits into one packet is not worth compressing."""

_ONE_YEAR_SECONDS = 365 * 24 * 3600
_ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "strict-transport-security": f"max-age={_ONE_YEAR_SECONDS}",
    "cross-origin-resource-policy": "same-origin",
}
_FOREVER = {**_ALWAYS, "cache-control": f"public, max-age={_ONE_YEAR_SECONDS}, immutable"}


@dataclass(frozen=True)
class Screens:
    """The static folder of one release. Everything is read on first use and kept for the life of the process."""

    folder: Path
    _packed: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Every file by its path in the folder, with ``/`` between the parts."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }

    @cached_property
    def release(self) -> str:
        """The hash of all files: another one as soon as one byte of one file is another."""
        digest = hashlib.sha256()
        for name, content in self.files.items():
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()[:16]

    def answer(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """The reply to an HTTP API event that asks for a screen or one of its files, or None when it asks for neither.

        A file of another release is not given: a page must not be put together from two.
        """
        path = str(event.get("rawPath", ""))
        if event["requestContext"]["http"]["method"] != "GET":
            return None
        if path.removeprefix("/") in PAGES:
            return self._reply(event, "index.html", self._page(settings()), page_headers(settings()))
        release, _, name = path.removeprefix(ASSETS).partition("/")
        if not path.startswith(ASSETS) or release != self.release or name not in self.files:
            return None
        return self._reply(event, name, self.files[name], _FOREVER)

    def _page(self, chosen: Settings) -> bytes:
        """The one page, with the release it loads and the settings it needs before it may ask the API."""
        text = self.files["index.html"].decode()
        preloads = "\n".join(
            f'    <link rel="modulepreload" href="{ASSETS}{self.release}/{name}" />' for name in self.first_modules
        )
        known = html.escape(json.dumps(browser_settings(chosen, self.release), sort_keys=True), quote=True)
        filled = {"{{assets}}": f"{ASSETS}{self.release}", "{{preloads}}": preloads.strip(), "{{settings}}": known}
        for mark, value in filled.items():
            text = text.replace(mark, value)
        return text.encode()

    @cached_property
    def first_modules(self) -> tuple[str, ...]:
        """The modules of the first load. The sign-in library comes later, and only where people sign in; what lies in
        ``app/later/`` comes with the screen that needs it.
        """
        first = (name for name in self.files if name.startswith("app/") and not name.startswith("app/later/"))
        return ("vendor/htm-preact.js", *first)

    def _reply(self, event: dict[str, Any], name: str, content: bytes, headers: dict[str, str]) -> dict[str, Any]:
        suffix = PurePosixPath(name).suffix
        named = {**headers, "content-type": _TYPES[suffix], "vary": "accept-encoding"}
        if accepts_gzip(event) and suffix not in _COMPRESSED_ALREADY and len(content) >= GZIP_BYTES_MINIMUM:
            key = hashlib.sha256(content).hexdigest()
            if key not in self._packed:
                self._packed[key] = gzip.compress(content, compresslevel=9, mtime=0)
            content, named["content-encoding"] = self._packed[key], "gzip"
        body = base64.b64encode(content).decode("ascii")
        return {"statusCode": 200, "headers": named, "body": body, "isBase64Encoded": True}


def browser_settings(chosen: Settings, release: str) -> dict[str, Any]:
    """What the page has to know before anybody has signed in. Nothing of the tenant's data is in it.

    ``sign_in`` is None on one machine, where whoever sits there is the administrator.
    """
    sign_in = None
    if chosen.roles_are_checked:
        sign_in = {"issuer": chosen.oidc_issuer, "client_id": chosen.oidc_client_id}
    return {
        "sign_in": sign_in,
        "release": release,
        "currency": chosen.currency,
        "time_zone": str(chosen.time_zone),
        "two_person_approval": chosen.two_person_approval,
        "orders_api": chosen.orders_api,
    }


def page_headers(chosen: Settings) -> dict[str, str]:
    """The headers of the page: it may run its own files and talk to this origin and to where people sign in."""
    outside = "".join(f" {origin}" for origin in chosen.sign_in_origins)
    policy = {
        "default-src": "'self'",
        "connect-src": f"'self'{outside}",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return {
        **_ALWAYS,
        "cache-control": "no-cache",
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }


def accepts_gzip(event: dict[str, Any]) -> bool:
    """Whether the browser says that it reads gzip. HTTP APIs do not compress by themselves."""
    accepted = str(event.get("headers", {}).get("accept-encoding", "")).lower()
    words = [word.partition(";") for word in accepted.replace(" ", "").split(",")]
    return any(name == "gzip" and quality not in {"q=0", "q=0.0"} for name, _, quality in words)


def compressed(event: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The API's answer, compressed where that is worth it and the caller reads it."""
    body = answer.get("body") or ""
    if answer.get("isBase64Encoded") or not accepts_gzip(event) or len(body) < GZIP_BYTES_MINIMUM:
        return answer
    packed = gzip.compress(body.encode(), compresslevel=5, mtime=0)
    headers = {**answer.get("headers", {}), "content-encoding": "gzip", "vary": "accept-encoding"}
    return {**answer, "headers": headers, "body": base64.b64encode(packed).decode("ascii"), "isBase64Encoded": True}
