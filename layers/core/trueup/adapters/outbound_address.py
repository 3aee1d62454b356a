"""Which addresses Trueup will call, decided on the text a person typed.

Method: one full-match pattern on the raw ASCII text, then the URL is rebuilt from the parsed host, so that no second
parser can read another host out of it (urllib3 and urllib.parse disagree on ``https://a\\@b``). It must not resolve
names, read the environment or echo what was typed: a pasted address may hold a password.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote

from trueup.domain.errors import UnsafeAddress

_TEXT_MAXIMUM_CHARACTERS = 300
_HOST_MAXIMUM_CHARACTERS = 253
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HTTPS_HOST = re.compile(rf"https://({_LABEL}(?:\.{_LABEL})+)/?", re.ASCII)
_LOOPBACK = re.compile(r"http://127\.0\.0\.1:([1-9][0-9]{0,4})/?", re.ASCII)
_ABSOLUTE = re.compile(r"(https?)://([A-Za-z0-9.-]+)(?::([0-9]{1,5}))?((?:[/?].*)?)", re.ASCII)
# Printable ASCII without the space, the backslash (read as a slash by some parsers) and the fragment mark.
_PATH = re.compile(r"/(?!/)[!-\"$-\[\]-~]*", re.ASCII)
_DOT_SEGMENT = re.compile(r"/(?:\.|%2[eE]){1,2}(?:/|\?|$)", re.ASCII)
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class BaseAddress:
    """A checked server: scheme, host and port (None is the scheme's own port). It never holds a path or a user."""

    scheme: str
    host: str
    port: int | None

    @property
    def url(self) -> str:
        """``https://host`` or ``http://127.0.0.1:8080``, rebuilt from the checked parts, without a final slash."""
        return f"{self.scheme}://{self.host}" if self.port is None else f"{self.scheme}://{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """The same as ``url``: what two addresses must share for a credential to be sent to both."""
        return self.url

    @property
    def effective_port(self) -> int:
        """The port a connection is made to."""
        return self.port if self.port is not None else _DEFAULT_PORTS[self.scheme]


def parse_base_address(
    text: str, *, allowed_suffixes: Collection[str], integration: str, allow_loopback: bool
) -> BaseAddress:
    """The server named by ``text``, or UnsafeAddress with the rule it breaks (never with the text itself).

    Accepted is ``https://HOST`` or ``https://HOST/`` in lower case, where HOST is one of ``allowed_suffixes`` (such as
    ``services.mimecast.com``) or a sub-domain of one. ``http://127.0.0.1:PORT`` is accepted only with
    ``allow_loopback``, so that a simulator can stand in. Because only the vendors' own DNS zones are accepted, the
    connection is not pinned to a resolved address: whoever could rebind those names could also answer for them.
    """
    if allow_loopback:
        loopback = _LOOPBACK.fullmatch(text)
        if loopback is not None and int(loopback.group(1)) <= 65535:
            return BaseAddress("http", "127.0.0.1", int(loopback.group(1)))
    found = _HTTPS_HOST.fullmatch(text) if len(text) <= _TEXT_MAXIMUM_CHARACTERS else None
    if found is None or len(found.group(1)) > _HOST_MAXIMUM_CHARACTERS:
        raise UnsafeAddress(
            f"the {integration} address must be exactly https://HOST in lower-case ASCII, "
            "with no user, port, path, query, fragment, space or control character"
        )
    host = found.group(1)
    if not any(host == suffix or host.endswith(f".{suffix}") for suffix in allowed_suffixes):
        zones = ", ".join(sorted(allowed_suffixes))
        raise UnsafeAddress(
            f"the {integration} address must be a host of {zones}",
            remedy=f"Give the address that the vendor documents; it ends in {zones}.",
        )
    return BaseAddress("https", host, None)


def same_origin_path(base: BaseAddress, url: str) -> str:
    """Path and query of an absolute or root-relative URL that belongs to ``base``; else UnsafeAddress.

    For addresses that a vendor sends (``Link`` headers): they are remote-supplied, so they are never called as they
    came.
    """
    path = url
    if not url.startswith("/"):
        found = _ABSOLUTE.fullmatch(url)
        if found is None:
            raise UnsafeAddress("the vendor sent an address that is not a plain URL; it was not called")
        scheme, host, port, path = found.groups()
        effective = int(port) if port else _DEFAULT_PORTS[scheme]
        if (scheme, host.lower(), effective) != (base.scheme, base.host, base.effective_port):
            raise UnsafeAddress("the vendor sent an address on another server; it was not called")
        if not path.startswith("/"):
            path = f"/{path}"
    return checked_path(path)


def checked_path(path: str) -> str:
    """``path`` if it is an absolute path in plain ASCII without dot segments; else UnsafeAddress."""
    if _PATH.fullmatch(path) is None or _DOT_SEGMENT.search(path) is not None:
        raise UnsafeAddress("a request path must begin with one slash and hold plain ASCII without dot segments")
    return path


def path_segment(text: str) -> str:
    """``text`` quoted so that it can only be one segment of a path; UnsafeAddress for the empty and dot segments."""
    if text in ("", ".", ".."):
        raise UnsafeAddress("an id that is empty or a dot segment cannot be part of an address")
    return quote(text, safe="")
