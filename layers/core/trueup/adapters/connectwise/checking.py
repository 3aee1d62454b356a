"""Tries a credential: which of the needed security rows the API member has, without changing anything.

Method: the calls that the product needs, each with one record at most. ``/system/info`` is not used, since it has been
seen to answer without a credential. The right to edit cannot be tried without writing, and is told as such.
"""

from __future__ import annotations

from typing import Final

from trueup.adapters.connectwise.catalog import CATALOG_PATH
from trueup.adapters.connectwise.replies import (
    AGREEMENTS_ADD_PERMISSION,
    AGREEMENTS_EDIT_PERMISSION,
    AGREEMENTS_PERMISSION,
    CATALOG_PERMISSION,
    CLOUD_404_HINT,
    COMPANIES_PERMISSION,
    raise_refusal,
    refuse_bare_host,
    vendor_message,
)
from trueup.adapters.connectwise.session import ConnectWiseSession
from trueup.adapters.connectwise.wire import INTEGRATION, RecordWire, parse_list
from trueup.adapters.http import HttpReply, RetryRule
from trueup.domain.billing import Capability, CapabilityReport
from trueup.domain.errors import CredentialRejected

EDIT_NOTE: Final = (
    f"{AGREEMENTS_EDIT_PERMISSION}, and for new lines and dated changes {AGREEMENTS_ADD_PERMISSION}, cannot be tried "
    "without changing something; if one is missing, applying a change is rejected and says so."
)
NO_AGREEMENT_NOTE: Final = "There is no agreement that the credential may see, so reading lines could not be tried."
ALL_FORBIDDEN_NOTE: Final = (
    "Everything was forbidden: besides a security role without rights, "
    "a client id that ConnectWise does not know causes this."
)

_ONE_RECORD = (("pageSize", "1"), ("fields", "id"))


class _Probes:
    """The four calls; 401 ends them, 403 is a missing row, anything else unexpected is raised."""

    def __init__(self, session: ConnectWiseSession) -> None:
        self._session = session
        self.capabilities: list[Capability] = []

    def counted(self, name: str, path: str, permission: str) -> None:
        """Try ``/count``; where a site has none, a list of one record."""
        reply = self._get(f"{path}/count")
        if reply.status == 404:
            reply = self._get(path, _ONE_RECORD)
        self._judge(name, reply, permission)

    def listed(self, name: str, path: str, permission: str) -> HttpReply | None:
        """Try a list of one record; the reply when it was granted."""
        reply = self._get(path, _ONE_RECORD)
        return reply if self._judge(name, reply, permission) else None

    def _get(self, path: str, query: tuple[tuple[str, str], ...] = ()) -> HttpReply:
        return self._session.send("GET", path, query=query, retry=RetryRule.SAFE)

    def _judge(self, name: str, reply: HttpReply, permission: str) -> bool:
        secrets = self._session.secrets
        if reply.status == 404:
            raise CredentialRejected(
                f"ConnectWise answers 404 to {name}", integration=INTEGRATION, status=404, remedy=CLOUD_404_HINT
            )
        if reply.status not in (200, 403):
            raise_refusal(reply, doing=f"trying to {name}", permission=permission, secrets=secrets)
        granted, detail = reply.status == 200, ""
        if not granted:
            message = vendor_message(reply, secrets=secrets)
            refuse_bare_host(message)
            detail = message.sentence()
        self.capabilities.append(Capability(name, granted, permission, detail))
        return granted


def check_credential(session: ConnectWiseSession) -> CapabilityReport:
    """What the credential may do. Raises CredentialRejected when it is not accepted, VendorUnavailable if away."""
    probes = _Probes(session)
    notes = []
    probes.counted("read companies", "/company/companies", COMPANIES_PERMISSION)
    agreements = probes.listed("read agreements", "/finance/agreements", AGREEMENTS_PERMISSION)
    if agreements is not None:
        agreement_id = _first_id(agreements)
        if agreement_id is None:
            notes.append(NO_AGREEMENT_NOTE)
        else:
            probes.listed("read lines", f"/finance/agreements/{agreement_id}/additions", AGREEMENTS_PERMISSION)
    probes.counted("search products", CATALOG_PATH, CATALOG_PERMISSION)
    if not any(capability.granted for capability in probes.capabilities):
        notes.append(ALL_FORBIDDEN_NOTE)
    notes.append(EDIT_NOTE)
    return CapabilityReport(_identity(session), tuple(probes.capabilities), tuple(notes))


def _first_id(reply: HttpReply) -> int | None:
    records = parse_list(RecordWire, reply.json(), source="trying to read agreements")
    return records[0].id if records else None


def _identity(session: ConnectWiseSession) -> str:
    info = session.company_info()
    if info is None:
        return "a ConnectWise site that does not tell its company name"
    version = info.VersionCode or info.Codebase.rstrip("/")
    name = info.CompanyName or "a ConnectWise company"
    return f"{name} (ConnectWise {version})" if version else name
