"""The PSA that bills the clients (ConnectWise)."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from trueup.domain.billing import CapabilityReport, LineReference, LineState, Product, PsaPage, WriteResult
from trueup.domain.counts import Seats


class PsaBilling(Protocol):
    """Reads clients, agreements and lines; writes one line's quantity."""

    def check(self) -> CapabilityReport:
        """Try the credential and say what it may do, naming each missing permission row."""
        ...

    def read_page(self, cursor: str | None) -> PsaPage:
        """One page of a complete read; None starts. Safe to repeat with the same cursor."""
        ...

    def search_products(self, text: str, *, limit: int = 25) -> tuple[Product, ...]:
        """Products whose Product ID or name contains the text, or whose internal id is the text; exact hits first."""
        ...

    def read_line(self, reference: LineReference) -> LineState:
        """The line and its agreement as they are right now. Raises ResourceAbsent when either is gone."""
        ...

    def set_quantity(
        self, reference: LineReference, *, expected: Decimal, expected_version: str, target: Seats
    ) -> WriteResult:
        """Set the quantity if the line still is what was approved, then read it back.

        Reads first: the target already there is ``already``; anything but ``expected`` at ``expected_version`` is
        ``conflict`` and nothing is sent (an empty ``expected_version`` compares the quantity only), and so is a line of
        another product than the reference names. A second live line of the product on the agreement is ``rejected``:
        nobody can say then which one the change is for. Never raises for what became of the write; raises VendorTrouble
        only when nothing was sent (for instance the first read failed).
        """
        ...
