"""Ordering from the vendor through its API, where it has one and the tenant has switched it on."""

from __future__ import annotations

from typing import Protocol

from trueup.domain.order_parts import OrderAnswer, OrderAsk, RequestStatus


class OrderSubmission(Protocol):
    """Each post is sent once and never repeated here.

    Both posts raise VendorTrouble (RateLimited, VendorUnavailable, CredentialRejected, ...) only when the vendor
    surely did nothing; whatever leaves that open comes back as an answer that is unknown.
    """

    def quote(self, ask: OrderAsk) -> OrderAnswer:
        """Ask for a quote. It orders nothing."""
        ...

    def order(self, ask: OrderAsk, quote_id: str) -> OrderAnswer:
        """Order what was quoted: the one call that changes the agreement."""
        ...

    def status(self, request_id: str) -> RequestStatus:
        """What the vendor says of the request by now."""
        ...
