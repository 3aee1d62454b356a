"""Opening a ticket in the PSA: apart from its billing, because only notices need it and it takes other permissions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from trueup.domain.errors import InputInvalid
from trueup.domain.notices import TicketPlace

_MARKER = re.compile(r"[A-Za-z0-9-]{8,60}", re.ASCII)


def require_marker(marker: str) -> str:
    """A mark that means the same in every PSA's search. Raises InputInvalid (``marker``) for one that might not."""
    if _MARKER.fullmatch(marker) is None:
        raise InputInvalid("a mark holds 8 to 60 letters, digits and hyphens", field="marker")
    return marker


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket to be made. All text is plain; ``marker`` is in ``summary`` and is what it is found by."""

    place: TicketPlace
    summary: str
    details: str
    marker: str


class TicketCreation(Protocol):
    """Tickets of one PSA."""

    def find_open(self, place: TicketPlace, marker: str) -> str | None:
        """The id of an open ticket of that company whose summary holds the marker, or None. Raises VendorTrouble."""
        ...

    def create(self, ticket: NewTicket) -> str:
        """Make it with one request; returns the PSA's own number of it.

        Raises WriteOutcomeUnknown when it may have been made all the same, InputInvalid for a place whose ids are none,
        and any other VendorTrouble when it surely was not made.
        """
        ...
