"""Service tickets of one ConnectWise site: finds an open one by a mark in its summary, and makes one.

Published: a summary has at most 100 characters, and ``initialDescription`` is taken on a POST only. That conditions
know ``contains`` is documented; that a search finds a ticket in the moment it is made is assumed. Making is not
repeatable, so it is sent again only when it surely was not taken. It must not read a ticket's notes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from pydantic import StrictBool

from trueup.adapters.connectwise.address import parse_address, parse_credential
from trueup.adapters.connectwise.reading import record_id
from trueup.adapters.connectwise.replies import raise_refusal
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.connectwise.wire import INTEGRATION, RecordWire, parse, parse_list
from trueup.adapters.http import HttpClient, HttpLimits, RetryRule
from trueup.adapters.pace import PROMPT_LIMITS
from trueup.adapters.wire_values import OptionalText
from trueup.domain.errors import ReplyUnreadable
from trueup.domain.notices import TicketPlace
from trueup.ports.clock import Clock
from trueup.ports.psa_tickets import NewTicket, require_marker

TICKETS_READ_PERMISSION: Final = "Service Desk > Service Tickets: Inquire All"
TICKETS_ADD_PERMISSION: Final = "Service Desk > Service Tickets: Add All"
PATH: Final = "/service/tickets"


class TicketWire(RecordWire):
    summary: OptionalText = ""
    closedFlag: StrictBool | None = None


class ConnectWiseTickets:
    """Implements TicketCreation."""

    def __init__(self, session: ConnectWiseSession) -> None:
        self._session = session

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def find_open(self, place: TicketPlace, marker: str) -> str | None:
        """See TicketCreation.find_open."""
        require_marker(marker)
        company = record_id(place.company_id, "company_id")
        reply = self._session.read(
            PATH,
            query=(
                ("conditions", f'company/id={company} and closedFlag=false and summary contains "{marker}"'),
                ("fields", "id,summary,closedFlag"),
                ("orderBy", "id asc"),
                ("pageSize", "25"),
            ),
            doing="looking for a ticket",
            permission=TICKETS_READ_PERMISSION,
        )
        found = parse_list(TicketWire, reply.json(), source="looking for a ticket")
        own = [one for one in found if marker in one.summary and one.closedFlag is not True]
        return str(own[0].id) if own else None

    def create(self, ticket: NewTicket) -> str:
        """See TicketCreation.create. Board, priority, status and type are the site's own where none is given."""
        place = ticket.place
        body: dict[str, object] = {
            "summary": ticket.summary,
            "initialDescription": ticket.details,
            "company": {"id": int(record_id(place.company_id, "company_id"))},
        }
        chosen = (
            ("board", place.queue_id),
            ("priority", place.priority_id),
            ("status", place.status_id),
            ("type", place.type_id),
        )
        body |= {name: {"id": int(record_id(value, f"{name}_id"))} for name, value in chosen if value}
        reply = self._session.send("POST", PATH, json_body=body, retry=RetryRule.UNSENT_ONLY)
        if not reply.succeeded:
            raise_refusal(
                reply, doing="making a ticket", permission=TICKETS_ADD_PERMISSION, secrets=self._session.secrets
            )
        try:
            return str(parse(TicketWire, reply.json(), source="making a ticket").id)
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
) -> ConnectWiseTickets:
    """Tickets of a ConnectWise site; nothing is sent yet. Raises UnsafeAddress and InputInvalid."""
    base = parse_address(address, allow_loopback=allow_loopback, additional_hosts=additional_hosts)
    client = HttpClient(base, integration=INTEGRATION, clock=clock, limits=limits, reset_headers=())
    return ConnectWiseTickets(ConnectWiseSession(client, parse_credential(fields)))
