"""Tries a credential: what the application may read, without changing anything.

Method: the calls that the product needs, each for one record. The scope to edit cannot be tried without writing, and
is told as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trueup.adapters.halopsa.catalog import ITEMS_PATH
from trueup.adapters.halopsa.reading import CLIENTS, INVOICES
from trueup.adapters.halopsa.replies import (
    CLIENTS_PERMISSION,
    INVOICES_EDIT_PERMISSION,
    INVOICES_PERMISSION,
    ITEMS_PERMISSION,
    raise_refusal,
    said_by,
)
from trueup.adapters.halopsa.session import HaloSession, Query
from trueup.adapters.halopsa.wire import AgentWire, list_under, parse
from trueup.adapters.http import HttpReply, RetryRule
from trueup.domain.billing import Capability, CapabilityReport

EDIT_NOTE: Final = (
    f"The scope {INVOICES_EDIT_PERMISSION} cannot be tried without changing something; if it is missing, applying a "
    "change is rejected and says so."
)
NO_INVOICE_NOTE: Final = "There is no recurring invoice that the credential may see, so reading lines was not tried."
LINES_APART_NOTE: Final = "Lists come without lines here, so each invoice is read by itself: a sync is slower."

_ONE_RECORD: Final = (("pageinate", "true"), ("page_size", "1"), ("page_no", "1"))


def check_credential(session: HaloSession) -> CapabilityReport:
    """What the credential may do. Raises CredentialRejected when it is not accepted, VendorUnavailable if away."""
    notes: list[str] = []
    identity = _identity(session, notes)
    capabilities = [
        _tried(session, "read companies", CLIENTS.path, CLIENTS_PERMISSION)[0],
    ]
    agreements, reply = _tried(session, "read agreements", INVOICES.path, INVOICES_PERMISSION)
    capabilities.append(agreements)
    if reply is not None:
        rows = list_under(reply.json(), INVOICES.key, source="trying to read recurring invoices")
        if rows:
            lines, told = _tried(
                session, "read lines", INVOICES.path, INVOICES_PERMISSION, query=(("includelines", "true"),)
            )
            capabilities.append(lines)
            if told is not None and not _has_lines(told):
                notes.append(LINES_APART_NOTE)
        else:
            notes.append(NO_INVOICE_NOTE)
    capabilities.append(_tried(session, "search products", ITEMS_PATH, ITEMS_PERMISSION)[0])
    notes.append(EDIT_NOTE)
    return CapabilityReport(identity, tuple(capabilities), tuple(notes))


def _tried(
    session: HaloSession, name: str, path: str, permission: str, *, query: Query = ()
) -> tuple[Capability, HttpReply | None]:
    """One record of a list: granted with the reply, or a missing scope; anything else is raised."""
    reply = session.send("GET", path, query=(*query, *_ONE_RECORD), retry=RetryRule.SAFE)
    if reply.status == 200:
        return Capability(name, True, permission), reply
    if reply.status != 403:
        raise_refusal(reply, doing=f"trying to {name}", permission=permission, secrets=session.secrets)
    return Capability(name, False, permission, said_by(reply, secrets=session.secrets)), None


def _has_lines(reply: HttpReply) -> bool:
    rows = list_under(reply.json(), INVOICES.key, source="trying to read lines")
    return all(isinstance(row, Mapping) and isinstance(row.get("lines"), list) for row in rows)


def _identity(session: HaloSession, notes: list[str]) -> str:
    """Whom the application signs in as. An agent that may not see itself is no reason to fail."""
    reply = session.send("GET", "/Agent/me", retry=RetryRule.SAFE)
    if reply.status in (403, 404):
        return "a HaloPSA application"
    if reply.status != 200:
        raise_refusal(reply, doing="asking who the agent is", permission="(none)", secrets=session.secrets)
    agent = parse(AgentWire, reply.json(), source="reading the agent")
    if agent.one_client is not None and agent.one_client > 0:
        notes.append(
            f"The agent may see one client only (id {agent.one_client}); give it all clients, or nothing else is seen."
        )
    return f"{agent.name or 'an agent without a name'} (HaloPSA agent {agent.id})"
