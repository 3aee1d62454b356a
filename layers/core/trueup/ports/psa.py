"""The PSA that bills the clients: ConnectWise, Autotask, HaloPSA, Syncro, or files in place of one.

What differs between them is data (``trueup.domain.effective.PSA_CAPABILITIES``), never another method.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Protocol

from trueup.domain.billing import (
    CapabilityReport,
    LineId,
    LineReference,
    LineState,
    NewLine,
    Product,
    PsaAccountId,
    PsaPage,
    WriteResult,
)
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
        self,
        reference: LineReference,
        *,
        expected: Decimal,
        expected_version: str,
        target: Seats,
        effective: date | None = None,
        siblings: Collection[LineId] = (),
    ) -> WriteResult:
        """Set the quantity if the line still is what was approved, then read it back.

        Reads first: the target already there is ``already``; anything but ``expected`` at ``expected_version`` is
        ``conflict`` and nothing is sent (an empty ``expected_version`` compares the quantity only), and so is a line of
        another product than the reference names. A second live line of the product on the agreement is ``rejected``:
        nobody can say then which one the change is for, unless it is one of ``siblings``, the lines a person divided
        the seats among.

        ``effective`` is the day the new quantity counts from; None is the PSA's plain change, which counts at once or
        from the next invoice. A PSA that keeps quantities by date compares and verifies the quantity of that day, and
        refuses None with InputInvalid. Where a dated change makes another line, the result names it (``line_id``), and
        a repeat after a crash finishes what was begun instead of beginning again.

        A write that names a difference is sent once and never repeated without reading what became of it. Never raises
        for what became of the write; raises VendorTrouble only when nothing was sent (for instance the first read
        failed).
        """
        ...


class PsaLineCreation(Protocol):
    """Making a line that is missing, where the PSA lets a program do that (PsaCapabilities.creates_lines)."""

    def create_line(self, order: NewLine) -> WriteResult:
        """Make the line if the agreement has no live line of the product, then find it and read it back.

        A live line of the product with the wanted quantity is ``already`` and is named; one with another quantity is
        ``conflict``. Sent once: an unclear answer is settled by looking for the line, and is ``unknown`` when it cannot
        be. Raises VendorTrouble only when nothing was sent.
        """
        ...


class PsaAccountReading(Protocol):
    """Reading one client alone, for what a callback told of."""

    def read_account(self, account_id: PsaAccountId) -> PsaPage:
        """The client with all its agreements and lines, no cursor. Raises ResourceAbsent when it is gone."""
        ...
