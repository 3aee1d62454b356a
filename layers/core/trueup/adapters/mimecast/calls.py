"""Authenticated calls to Mimecast: a token, one renewal on 401, and every failure as one of ours. One kind writes.

It must not read the meaning of a good reply; that is for the files beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from trueup.adapters.http import UNSET, HttpClient, HttpReply, RetryRule
from trueup.adapters.mimecast.fault_bodies import Fault, body_status, faults_in, faults_of_reply
from trueup.adapters.mimecast.permissions import CREDENTIAL_REMEDY, PERMISSION_REMEDY
from trueup.adapters.mimecast.reading import INTEGRATION
from trueup.adapters.mimecast.tokens import TokenSource, passing_401
from trueup.domain.errors import (
    CredentialRejected,
    PermissionMissing,
    ReplyUnreadable,
    RequestRefused,
    ResourceAbsent,
    VendorTrouble,
    VendorUnavailable,
)

ACCOUNT_SWITCH_HEADER: Final = "x-mc-accountcode"
"""Seen in one public script on a GET; the other form is ``meta.accountCode`` in a body (facts in on_behalf.py)."""


class Refused(VendorTrouble):
    """One thing was refused to a credential that is otherwise accepted; raised together with the kind of refusal.

    A caller that can do without the thing catches this. What the token request itself is refused with is not this: it
    is about everything.
    """


class PermissionRefused(Refused, PermissionMissing):
    """The credential may not use this path, or this account."""


class ResourceUnknown(Refused, ResourceAbsent):
    """The path or the account is not there for this credential."""


class CallRefused(Refused, RequestRefused):
    """Refused in another way."""


class MimecastCalls:
    """Calls one Mimecast gateway with one credential; safe to share between threads."""

    def __init__(self, client: HttpClient, tokens: TokenSource) -> None:
        self._client = client
        self._tokens = tokens

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    def sign_in(self) -> None:
        """Have a token. Raises CredentialRejected, PermissionMissing, RequestRefused and what HttpClient raises."""
        self._tokens.current()

    def get(
        self,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        permission: str,
        errors_are_content: bool = False,
    ) -> object:
        """The JSON of a GET. ``permission`` is the row it needs; with ``errors_are_content`` the errors in a good reply
        are what was asked for, as in the status of a request that was rejected. Raises as ``_send``.
        """
        return self._send("GET", path, query or {}, headers or {}, UNSET, permission, errors_are_content)

    def post(
        self, path: str, body: Mapping[str, object], *, headers: Mapping[str, str] | None = None, permission: str
    ) -> object:
        """The JSON of a POST that only reads (``/api/...`` routes take the question as a body): it may be retried."""
        return self._send("POST", path, {}, headers or {}, body, permission)

    def post_once(self, path: str, body: object, *, permission: str) -> HttpReply:
        """A POST that changes something: sent once, whatever happens, and returned as it was answered.

        Raises CredentialRejected (401) and PermissionRefused (403), which carry nothing out, RateLimited (429, which is
        documented as not executed), VendorUnavailable when nothing was sent, and WriteOutcomeUnknown or ReplyUnreadable
        when it may have been carried out.
        """
        token = self._tokens.current()
        reply = self._client.send(
            "POST", path, headers={"Authorization": f"Bearer {token}"}, json_body=body, retry=RetryRule.ONCE
        )
        if reply.status == 401:
            # The next call has a new token; this one is not repeated.
            self._tokens.renewed(token)
        if reply.status in (401, 403):
            raise _refusal(reply.status, faults_of_reply(reply), reply, permission)
        return reply

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: object,
        permission: str,
        errors_are_content: bool = False,
    ) -> object:
        """Send, renewing the token once when it is refused.

        Raises CredentialRejected (refused again), PermissionRefused (403), ResourceUnknown (404), CallRefused (any
        other refusal, also under HTTP 200), VendorUnavailable, RateLimited and ReplyUnreadable.
        """
        token = self._tokens.current()
        reply = self._once(method, path, query, headers, body, token, _passing_failure)
        if reply.status == 401:
            token = self._tokens.renewed(token)
            reply = self._once(method, path, query, headers, body, token, _passing_failure_or_401)
        if not reply.succeeded:
            raise _refusal(reply.status, faults_of_reply(reply), reply, permission)
        document = reply.json()
        faults = () if errors_are_content else faults_in(document)
        told_status = body_status(document)
        if faults or (told_status is not None and told_status >= 400):
            raise _refusal(told_status or 200, faults, reply, permission)
        if document is None:
            raise ReplyUnreadable(f"Mimecast answered {_shown(reply)} with null", integration=INTEGRATION, status=200)
        return document

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: object,
        token: str,
        find_passing_trouble: Callable[[HttpReply], VendorTrouble | None],
    ) -> HttpReply:
        return self._client.send(
            method,
            path,
            query=query,
            headers={**headers, "Authorization": f"Bearer {token}"},
            json_body=body,
            retry=RetryRule.SAFE,
            find_passing_trouble=find_passing_trouble,
        )


def _passing_failure(reply: HttpReply) -> VendorTrouble | None:
    """A failure under HTTP 200 that the vendor calls retryable, or that is known to come and go."""
    if not reply.succeeded:
        return None
    document = reply.json()
    faults = faults_in(document)
    status = body_status(document) or 0
    if not (faults and all(fault.passes for fault in faults)) and not (status == 429 or status >= 500):
        return None
    return VendorUnavailable(
        f"Mimecast failed at {_shown(reply)} under HTTP 200",
        integration=INTEGRATION,
        status=reply.status,
        vendor_code=faults[0].code if faults else str(status),
        request_id=reply.request_id,
    )


def _passing_failure_or_401(reply: HttpReply) -> VendorTrouble | None:
    return passing_401(reply) or _passing_failure(reply)


def _refusal(status: int, faults: tuple[Fault, ...], reply: HttpReply, permission: str) -> VendorTrouble:
    """The error for a reply that refuses. Under HTTP 200 the code is all there is to tell denial from absence."""
    code = faults[0].code if faults else None
    shown = f"{_shown(reply)} (status {reply.status}{f', {code}' if code else ''})"
    if status == 401:
        return CredentialRejected(
            f"Mimecast refuses the token at {shown}, also a new one",
            integration=INTEGRATION,
            status=401,
            vendor_code=code,
            request_id=reply.request_id,
            remedy=CREDENTIAL_REMEDY,
        )
    if status == 403 or (status == 200 and any(fault.is_denial for fault in faults)):
        return PermissionRefused(
            f"the Mimecast credential may not use {shown}; it needs {permission}",
            integration=INTEGRATION,
            permission=permission,
            status=reply.status,
            vendor_code=code,
            request_id=reply.request_id,
            remedy=PERMISSION_REMEDY,
        )
    absent = status == 404 or (status == 200 and any(fault.is_absence for fault in faults))
    kind = ResourceUnknown if absent else CallRefused
    return kind(
        f"Mimecast {'does not know' if absent else 'refuses'} {shown}",
        integration=INTEGRATION,
        status=reply.status,
        vendor_code=code,
        request_id=reply.request_id,
    )


def _shown(reply: HttpReply) -> str:
    return reply.path.partition("?")[0]
