"""Tickets of one HaloPSA tenant: finds an open one by a mark in its summary, and makes one.

Published: ``POST /Tickets`` takes an array, ``search_summary`` and ``open_only`` cut a list down; a ticket.s fields
have no descriptions. HaloPSA shows ``details_html`` as HTML, so all text in it is escaped. That the answer to a POST is
the ticket, alone or in an array, is assumed. Making is not repeatable, so it is sent again only when it surely was not
taken.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape
from typing import Final

from trueup.adapters.halopsa.billing import open_session
from trueup.adapters.halopsa.reading import record_id
from trueup.adapters.halopsa.replies import raise_refusal
from trueup.adapters.halopsa.session import HaloSession
from trueup.adapters.halopsa.wire import RecordWire, list_under, parse
from trueup.adapters.http import HttpLimits, RetryRule
from trueup.adapters.pace import PROMPT_LIMITS
from trueup.adapters.wire_values import OptionalText
from trueup.domain.errors import ReplyUnreadable
from trueup.domain.notices import TicketPlace
from trueup.ports.clock import Clock
from trueup.ports.psa_tickets import NewTicket, require_marker

TICKETS_READ_PERMISSION: Final = "read:tickets"
TICKETS_EDIT_PERMISSION: Final = "edit:tickets"


class TicketWire(RecordWire):
    summary: OptionalText = ""


class HaloPsaTickets:
    """Implements TicketCreation."""

    def __init__(self, session: HaloSession) -> None:
        self._session = session

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def find_open(self, place: TicketPlace, marker: str) -> str | None:
        """See TicketCreation.find_open. Only the first hundred hits are looked at: a mark has one at most."""
        require_marker(marker)
        reply = self._session.read(
            "/Tickets",
            query=(
                ("client_id", record_id(place.company_id, "company_id")),
                ("open_only", "true"),
                ("search_summary", marker),
                ("pageinate", "true"),
                ("page_size", "100"),
                ("page_no", "1"),
            ),
            doing="looking for a ticket",
            permission=TICKETS_READ_PERMISSION,
        )
        rows = list_under(reply.json(), "tickets", source="looking for a ticket")
        found = [parse(TicketWire, row, source="looking for a ticket") for row in rows]
        return next((str(one.id) for one in found if marker in one.summary), None)

    def create(self, ticket: NewTicket) -> str:
        """See TicketCreation.create. Type, status and priority are the tenant's own where none is given."""
        place = ticket.place
        wanted: dict[str, object] = {
            "summary": ticket.summary,
            "details_html": escape(ticket.details).replace("\n", "<br>"),
            "client_id": int(record_id(place.company_id, "company_id")),
        }
        chosen = (("tickettype_id", place.type_id), ("status_id", place.status_id), ("priority_id", place.priority_id))
        wanted |= {name: int(record_id(value, name)) for name, value in chosen if value}
        reply = self._session.send("POST", "/Tickets", json_body=[wanted], retry=RetryRule.UNSENT_ONLY)
        if not reply.succeeded:
            raise_refusal(
                reply, doing="making a ticket", permission=TICKETS_EDIT_PERMISSION, secrets=self._session.secrets
            )
        try:
            document = reply.json()
            made = document[0] if isinstance(document, list) and document else document
            return str(parse(TicketWire, made, source="making a ticket").id)
        except ReplyUnreadable:
            # It was made; only its number is not known.
            return ""


def open_tickets(
    address: str,
    fields: Mapping[str, str],
    additional_hosts: Collection[str] = (),
    *,
    clock: Clock,
    allow_loopback: bool,
    limits: HttpLimits = PROMPT_LIMITS,
) -> HaloPsaTickets:
    """Tickets of a HaloPSA tenant; nothing is sent yet. Raises UnsafeAddress and InputInvalid."""
    session = open_session(
        address, fields, clock=clock, allow_loopback=allow_loopback, additional_hosts=additional_hosts, limits=limits
    )
    return HaloPsaTickets(session)
