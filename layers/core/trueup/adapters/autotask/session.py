"""Calls one Autotask tenant: finds its zone, authenticates, keeps under the shared limit and within two calls at once.

Documented: a tenant lives in a zone, told without a credential by ``zoneInformation``; it may be moved, which shows as
a 401; three calls at once for each kind of record are let through. It must not send the secret to a server that is not
one of Autotask's own, nor send any call again but after a 401 from a zone that the tenant has left.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from trueup.adapters.autotask.address import API_PATH, AutotaskCredential, parse_zone
from trueup.adapters.autotask.budget import BudgetedPace, CallBudget
from trueup.adapters.autotask.replies import (
    CREDENTIAL_REMEDY,
    answers_the_request,
    error_texts,
    raise_refusal,
)
from trueup.adapters.autotask.wire import INTEGRATION, ThresholdWire, ZoneWire, parse
from trueup.adapters.http import BaseAddress, HttpClient, HttpLimits, HttpReply, RetryRule
from trueup.domain.errors import CredentialRejected, ReplyUnreadable, VendorUnavailable
from trueup.ports.clock import Clock

PARALLEL_PER_ENTITY: Final = 2
"""One below what is documented, so that another program under the same tracking identifier does not trip over us."""

REQUESTS_PER_SECOND: Final = 10
PARALLEL_CALLS: Final = 6

Query = Sequence[tuple[str, str]]


class AutotaskSession:
    """Authenticated calls to one tenant; safe to share between threads."""

    def __init__(
        self,
        base: BaseAddress,
        credential: AutotaskCredential,
        *,
        clock: Clock,
        budget: CallBudget,
        limits: HttpLimits | None = None,
    ) -> None:
        self._base = base
        self._credential = credential
        self._clock = clock
        self._limits = limits
        self._pace = BudgetedPace(REQUESTS_PER_SECOND, PARALLEL_CALLS, budget)
        self._asking_pace = BudgetedPace(REQUESTS_PER_SECOND, 1, budget, asking=True)
        self.budget = budget
        self._lock = threading.Lock()
        self._turns: defaultdict[str, threading.BoundedSemaphore] = defaultdict(
            lambda: threading.BoundedSemaphore(PARALLEL_PER_ENTITY)
        )
        self._first = self._client(base, self._asking_pace)
        self._zoned: HttpClient | None = None
        self._zone_name = ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that no error may show."""
        return self._credential.secrets()

    @property
    def user_name(self) -> str:
        return self._credential.user_name

    def zone_name(self) -> str:
        """What Autotask calls the zone of the tenant; asked for when it is not known yet."""
        self._client_of_zone()
        return self._zone_name

    def close(self) -> None:
        """Close idle connections; it may still be used and opens new ones."""
        self._first.close()
        with self._lock:
            if self._zoned is not None:
                self._zoned.close()

    def read(self, method: str, path: str, *, json_body: object = None, doing: str, permission: str) -> HttpReply:
        """A call that only reads and must answer 200. Raises as raise_refusal and send."""
        reply = self.send(method, path, json_body=json_body, retry=RetryRule.SAFE)
        if reply.status != 200:
            raise_refusal(reply, doing=doing, permission=permission, secrets=self.secrets)
        return reply

    def send(self, method: str, path: str, *, json_body: object = None, retry: RetryRule) -> HttpReply:
        """Send below the API's path, ``path`` beginning with the kind of record. Raises what HttpClient.send does.

        A 401 means that nothing was done. When the tenant has moved to another zone since, the call is sent there,
        once; else the 401 is returned.
        """
        client = self._client_of_zone()
        self._ask_threshold(client)
        reply = self._send(client, method, path, json_body, retry)
        moved = self._moved_from(client) if reply.status == 401 else None
        return reply if moved is None else self._send(moved, method, path, json_body, retry)

    def _send(self, client: HttpClient, method: str, path: str, json_body: object, retry: RetryRule) -> HttpReply:
        entity = path.split("/")[1]
        with self._lock:
            turn = self._turns[entity]
        with turn:
            headers = self._credential.headers()
            target = f"{API_PATH}{path}"
            if json_body is None:
                return client.send(method, target, headers=headers, retry=retry)
            return client.send(method, target, headers=headers, json_body=json_body, retry=retry)

    def _ask_threshold(self, client: HttpClient) -> None:
        """Ask how the shared limit stands, now and then. Where nobody answers, the documented one is taken to hold."""
        if not self.budget.is_due():
            return
        try:
            with self._client(client.base, self._asking_pace) as asking:
                reply = self._send(asking, "GET", "/ThresholdInformation", None, RetryRule.SAFE)
            if reply.status == 401:
                # The call that this one goes before meets the same answer and knows what to do about it.
                return
            told = parse(ThresholdWire, reply.json(), source="asking for the limit") if reply.status == 200 else None
        except (VendorUnavailable, ReplyUnreadable):
            told = None
        self.budget.told(told)

    def _client(self, base: BaseAddress, pace: BudgetedPace) -> HttpClient:
        return HttpClient(
            base,
            integration=INTEGRATION,
            clock=self._clock,
            limits=self._limits,
            pace=pace,
            reset_headers=(),
            is_final_error=answers_the_request,
        )

    def _client_of_zone(self) -> HttpClient:
        with self._lock:
            if self._zoned is None:
                self._zoned = self._client(self._find_zone(), self._pace)
            return self._zoned

    def _moved_from(self, client: HttpClient) -> HttpClient | None:
        """Where the tenant lives now, or None when it has not left the zone that ``client`` calls."""
        with self._lock:
            if self._zoned is not None and self._zoned.base != client.base:
                return self._zoned
            base = self._find_zone()
            if base == client.base:
                return None
            self._zoned = self._client(base, self._pace)
            return self._zoned

    def _find_zone(self) -> BaseAddress:
        """Ask, without the secret, which server the user's tenant lives on. Raises CredentialRejected for no user."""
        reply = self._first.send(
            "GET", f"{API_PATH}/zoneInformation", query=[("user", self._credential.user_name)], retry=RetryRule.SAFE
        )
        if reply.status == 500 and error_texts(reply):
            # Seen in the field: a user who is not known is answered 500 and not 404.
            raise CredentialRejected(
                f"Autotask knows no zone for the user {self._credential.user_name}",
                integration=INTEGRATION,
                status=reply.status,
                remedy=CREDENTIAL_REMEDY,
            )
        if reply.status != 200:
            raise_refusal(reply, doing="asking for the zone", permission="(none)", secrets=self.secrets)
        zone = parse(ZoneWire, reply.json(), source="zone information")
        self._zone_name = zone.zoneName
        return parse_zone(zone.url, allow_loopback=self._base.scheme == "http")
