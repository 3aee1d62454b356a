"""Tickets of one Autotask tenant: finds an open one by a mark in its title, and makes one.

Documented: company, title, status and priority are required, a description has at most 8,000 characters, and a ticket
that is complete has a ``completedDate``. A due date is sent always: where the ticket category gives none, Autotask
demands one. Making is not repeatable, so it is sent again only when it surely was not taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Final

from pydantic import StrictInt

from trueup.adapters.autotask.billing import open_session
from trueup.adapters.autotask.querying import Listing, equal, query_all
from trueup.adapters.autotask.reading import record_id
from trueup.adapters.autotask.replies import raise_refusal
from trueup.adapters.autotask.session import AutotaskSession
from trueup.adapters.autotask.wire import RecordWire, parse
from trueup.adapters.http import HttpLimits, RetryRule
from trueup.adapters.pace import PROMPT_LIMITS
from trueup.adapters.wire_values import OptionalText, WireModel
from trueup.domain.errors import ReplyUnreadable
from trueup.domain.notices import TicketPlace
from trueup.ports.clock import Clock
from trueup.ports.psa_tickets import NewTicket, require_marker

TICKETS_READ_PERMISSION: Final = "Service Desk > Tickets: View All"
TICKETS_ADD_PERMISSION: Final = "Service Desk > Tickets: Add"
"""Names as an Autotask security level shows them; their spelling is assumed."""

DUE_AFTER: Final = timedelta(days=3)


_TICKETS: Final = Listing(
    "Tickets", ("id", "title", "companyID", "completedDate"), "looking for a ticket", TICKETS_READ_PERMISSION
)


class TicketWire(RecordWire):
    title: OptionalText = ""
    completedDate: OptionalText = ""


class _MadeWire(WireModel):
    itemId: StrictInt


class AutotaskTickets:
    """Implements TicketCreation."""

    def __init__(self, session: AutotaskSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()

    def find_open(self, place: TicketPlace, marker: str) -> str | None:
        """See TicketCreation.find_open."""
        require_marker(marker)
        conditions = [
            equal("companyID", record_id(place.company_id, "company_id")),
            {"op": "contains", "field": "title", "value": marker},
        ]
        for one in query_all(self._session, _TICKETS, TicketWire, conditions):
            if marker in one.title and not one.completedDate:
                return str(one.id)
        return None

    def create(self, ticket: NewTicket) -> str:
        """See TicketCreation.create."""
        place = ticket.place
        due = self._clock.now().astimezone(UTC) + DUE_AFTER
        body: dict[str, object] = {
            "title": ticket.summary,
            "description": ticket.details,
            "companyID": record_id(place.company_id, "company_id"),
            "queueID": record_id(place.queue_id, "queue_id"),
            "priority": record_id(place.priority_id, "priority_id"),
            "status": record_id(place.status_id, "status_id"),
            "dueDateTime": f"{due:%Y-%m-%dT%H:%M:%SZ}",
        }
        if place.type_id:
            body["ticketType"] = record_id(place.type_id, "type_id")
        reply = self._session.send("POST", "/Tickets", json_body=body, retry=RetryRule.UNSENT_ONLY)
        if not reply.succeeded:
            raise_refusal(
                reply, doing="making a ticket", permission=TICKETS_ADD_PERMISSION, secrets=self._session.secrets
            )
        try:
            return str(parse(_MadeWire, reply.json(), source="making a ticket").itemId)
        except ReplyUnreadable:
            # It was made; only its number is not known.
            return ""


def open_tickets(
    address: str,
    fields: Mapping[str, str],
    *,
    clock: Clock,
    allow_loopback: bool,
    limits: HttpLimits = PROMPT_LIMITS,
) -> AutotaskTickets:
    """Tickets of an Autotask tenant; nothing is sent yet. Raises UnsafeAddress and InputInvalid."""
    session = open_session(address, fields, clock=clock, allow_loopback=allow_loopback, limits=limits)
    return AutotaskTickets(session, clock)
