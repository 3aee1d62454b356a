"""Calls one ConnectWise site: finds where its API lives, authenticates, and finds it again after an upgrade.

ConnectWise documents that the path of the API (the codebase) changes when a site is upgraded and is told, without a
credential, by ``/login/companyinfo``. It must not send the credential there, and must not put a codebase that does not
look like one into an address.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Final

from trueup.adapters.connectwise.address import ConnectWiseCredential
from trueup.adapters.connectwise.replies import raise_refusal, refuse_bare_host, vendor_message
from trueup.adapters.connectwise.wire import INTEGRATION, CompanyInfoWire, parse
from trueup.adapters.http import HttpClient, HttpReply, RetryRule, path_segment
from trueup.domain.errors import UnsafeAddress

ACCEPT: Final = "application/vnd.connectwise.com+json; version=2025.1"
"""The release whose models are read here. ConnectWise documents that old models live on for twelve months."""

ROUTER_CODEBASE: Final = "v4_6_release/"
"""On-premise servers live here for good; on the cloud it has been seen to route to the site's own release."""

_CODEBASE = re.compile(r"v[0-9A-Za-z_]{1,40}/?", re.ASCII)
_OTHER_PLACES_MAXIMUM = 2
"""Where else a call is tried after a 404: the codebase told now, and the router path."""

_PROOF_STATUSES = frozenset({400, 403, 409})

Query = Sequence[tuple[str, str]]


class ConnectWiseSession:
    """Authenticated calls to one site; safe to share between threads."""

    def __init__(self, client: HttpClient, credential: ConnectWiseCredential) -> None:
        self._client = client
        self._credential = credential
        self._lock = threading.Lock()
        self._info: CompanyInfoWire | None = None
        self._discovered: str | None = None
        self._in_use: str | None = None
        self._proven = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that no error may show."""
        return self._credential.secrets()

    def company_info(self) -> CompanyInfoWire | None:
        """What the site says of itself, asked once; None when it does not know the company id."""
        self._codebase()
        return self._info

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    def same_origin_path(self, url: str) -> str:
        """Path and query of a URL that this very server sent; UnsafeAddress for any other server."""
        return self._client.same_origin_path(url)

    def read(
        self, path: str, *, query: Query = (), headers: Mapping[str, str] | None = None, doing: str, permission: str
    ) -> HttpReply:
        """A GET that must answer 200; ``permission`` is the security row it needs. Raises as raise_refusal and send."""
        reply = self.send("GET", path, query=query, headers=headers, retry=RetryRule.SAFE)
        if reply.status != 200:
            raise_refusal(reply, doing=doing, permission=permission, secrets=self.secrets)
        return reply

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
        json_body: object = None,
        retry: RetryRule,
    ) -> HttpReply:
        """Send below the API's path. A 404 that comes from a moved API is sent once more to where it is now.

        A 404 means that nothing was done, so this is safe for writes too.
        """
        codebase = self._codebase()
        reply = self._send(codebase, method, path, query, headers, json_body, retry)
        for _ in range(_OTHER_PLACES_MAXIMUM):
            elsewhere = self._codebase_after_404(codebase) if reply.status == 404 else None
            if elsewhere is None:
                break
            codebase = elsewhere
            reply = self._send(codebase, method, path, query, headers, json_body, retry)
        if reply.succeeded or reply.status in _PROOF_STATUSES:
            self._prove(codebase)
        return reply

    def _send(
        self,
        codebase: str,
        method: str,
        path: str,
        query: Query,
        headers: Mapping[str, str] | None,
        json_body: object,
        retry: RetryRule,
    ) -> HttpReply:
        sent = {"Accept": ACCEPT, **self._credential.headers(), **(headers or {})}
        target = f"/{codebase}apis/3.0{path}"
        if json_body is None:
            return self._client.send(method, target, query=query, headers=sent, retry=retry)
        return self._client.send(method, target, query=query, headers=sent, json_body=json_body, retry=retry)

    def _codebase(self) -> str:
        with self._lock:
            if self._in_use is None:
                self._discovered = self._in_use = self._discover()
            return self._in_use

    def _prove(self, codebase: str) -> None:
        """Remember that the API answers under ``codebase``: from now on a 404 there is about the record."""
        with self._lock:
            if self._in_use == codebase:
                self._proven = True

    def _codebase_after_404(self, tried: str) -> str | None:
        """Where to try next after a 404 under ``tried``, or None when the 404 is about the record itself."""
        with self._lock:
            if self._in_use != tried:
                return self._in_use
            fresh = self._discover()
            if fresh != self._discovered:
                self._discovered, self._in_use, self._proven = fresh, fresh, False
                return fresh
            if self._proven or tried == ROUTER_CODEBASE:
                return None
            self._in_use = ROUTER_CODEBASE
            return ROUTER_CODEBASE

    def _discover(self) -> str:
        """Ask the site, without a credential, where the company's API lives.

        A site that does not know the company, or has no such route, is tried under the router path: its answer to the
        first real call then tells what is wrong.
        """
        reply = self._client.send(
            "GET", f"/login/companyinfo/{path_segment(self._credential.company_id)}", retry=RetryRule.SAFE
        )
        if reply.status == 404:
            return ROUTER_CODEBASE
        if reply.status != 200:
            raise_refusal(reply, doing="asking for company info", permission="(none)", secrets=self.secrets)
        document = reply.json()
        if document is None:
            return ROUTER_CODEBASE
        if isinstance(document, Mapping) and "Codebase" not in document:
            refuse_bare_host(vendor_message(reply, secrets=self.secrets))
        info = parse(CompanyInfoWire, document, source="company info")
        self._info = info
        if not info.Codebase:
            return ROUTER_CODEBASE
        if _CODEBASE.fullmatch(info.Codebase) is None:
            raise UnsafeAddress(
                f"the company info of {INTEGRATION} names an API path that is none; it was not called",
                remedy="Check the ConnectWise address; a genuine site names a release such as v2025_1.",
            )
        return info.Codebase if info.Codebase.endswith("/") else f"{info.Codebase}/"
