"""Whether what a change was made of still stands right before it is sent: its accounts, its services, its client.

Method: one look at each record, and at the latest read of the PSA only when that is another than the plan was made on.
Must not: judge what was begun before; that may be in the PSA already.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from trueup.domain.accounts import VendorAccountId
from trueup.domain.billing import PsaAccount, PsaAccountId
from trueup.domain.errors import NotFound
from trueup.domain.integrations import Side
from trueup.domain.mapping import MappingState, ServiceEntry
from trueup.domain.plan import Change, Plan
from trueup.ports.state import Accounts, Services, Snapshots


class StillTrue:
    """What was decided since the plan was made, read once."""

    def __init__(self, plan: Plan, accounts: Accounts, services: Services, snapshots: Snapshots) -> None:
        self._plan = plan
        self._accounts = accounts
        self._all_services = services
        self._snapshots = snapshots

    def objection(self, change: Change) -> str:
        """Why the change is not to be sent any more; empty when nothing speaks against it.

        What takes a write back concerns the line alone, whatever was decided on its accounts since.
        """
        if change.undoes:
            return ""
        why = self._moved_account(change) or self._moved_service(change) or self._gone_client(change)
        return why and f"nothing was sent: {why}"

    def _moved_account(self, change: Change) -> str:
        for vendor_id in change.vendor_ids:
            try:
                entry = self._accounts.get(VendorAccountId(vendor_id))
            except NotFound:
                return f"account {vendor_id} is not known any more"
            if self._plan.psa_system and not entry.counts_in(self._plan.psa_system):
                return f"account {vendor_id} is mapped in another PSA since the plan was made; run again"
            if entry.state is not MappingState.MAPPED or entry.psa_id != change.psa_account_id:
                now = f"mapped to client {entry.psa_id}" if entry.state is MappingState.MAPPED else entry.state.value
                return f"account {vendor_id} is {now} since the plan was made; run again"
        return ""

    def _moved_service(self, change: Change) -> str:
        for service_id in change.service_ids:
            entry = self._services.get(service_id)
            if entry is None:
                return f"service {service_id} is not known any more"
            if entry.state is not MappingState.MAPPED or entry.product_id != change.product_id:
                is_mapped = entry.state is MappingState.MAPPED
                now = f"mapped to product {entry.product_code or entry.product_id}" if is_mapped else entry.state.value
                return f"service {service_id} is {now} since the plan was made; run again"
        return ""

    def _gone_client(self, change: Change) -> str:
        if self._newer_clients is None:
            return ""
        client = self._newer_clients.get(change.psa_account_id)
        if client is not None and not client.deleted:
            return ""
        what = "is no longer listed" if client is None else "is deleted"
        return f"client {change.psa_account_id} {what} in the PSA since the plan was made; run again"

    @cached_property
    def _services(self) -> Mapping[str, ServiceEntry]:
        return {str(entry.service_id): entry for entry in self._all_services.all()}

    @cached_property
    def _newer_clients(self) -> Mapping[PsaAccountId, PsaAccount] | None:
        """The clients of a read that came after the plan; None when there is none, or it is of another PSA."""
        read = self._snapshots.latest(Side.PSA)
        if read is None or read.digest in self._plan.snapshots or read.started_at < self._plan.created_at:
            return None
        if self._plan.psa_system and read.system not in ("", self._plan.psa_system):
            return None
        return {client.id: client for page in self._snapshots.psa_pages(read) for client in page.accounts}
