"""Looking whether the vendor shows what was ordered, between two runs: a complete read that no comparison rests on.

The read is as complete as any other, goes on where it stopped, and its pages are stored once with those of the run; but
it does not become the newest read of the vendor, for the plan and the seal of the month are of the run's own reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from trueup.domain.accounts import VendorPage
from trueup.domain.audit import Audit
from trueup.domain.billing import PsaPage
from trueup.domain.errors import Conflict
from trueup.domain.integrations import Side
from trueup.domain.licenses import LicensePage
from trueup.domain.order_parts import OrderState
from trueup.domain.order_tracking import Patience
from trueup.domain.periods import Period
from trueup.domain.runs import Snapshot
from trueup.ports.change_orders import ChangeOrders
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.state import Snapshots
from trueup.ports.state_bundle import State
from trueup.ports.vault import Vault
from trueup.usecases.change_orders import Noted, late_orders, note_reads
from trueup.usecases.reading import ReadOrder
from trueup.usecases.vendor_sync import sync_vendor


@dataclass(frozen=True, slots=True)
class Followed:
    """How the orders stand. ``is_done`` is False while the read has to go on: call again.

    ``outstanding`` counts every order that is open, drafts too: what a person has not sent yet may still be sent.
    """

    is_done: bool
    noted: Noted
    outstanding: int
    late: int
    period_is_over: bool


def follow_orders(
    run_id: str,
    *,
    actor: str,
    patience: Patience,
    time_zone: ZoneInfo,
    state: State,
    vault: Vault,
    connections: Connections,
    clock: Clock,
    stop_at_seconds: float | None = None,
) -> Followed:
    """Read the vendor where an order waits for it, and note what the read and the time that went by say.

    Raises what the read raises; the orders then stay as they are.
    """
    period = state.runs.get(run_id).period
    noted = Noted()
    if _waits_for_a_read(state.change_orders):
        apart = _Apart(state.snapshots)
        order = ReadOrder(period, f"{run_id}-orders", actor, stop_at_seconds=stop_at_seconds)
        read = sync_vendor(
            order,
            integrations=state.integrations,
            vault=vault,
            connections=connections,
            snapshots=apart,
            checkpoints=state.checkpoints,
            uploads=state.uploads,
            clock=clock,
        )
        if read.snapshot is None:
            return _standing(noted, False, period, patience, time_zone, state, clock)
        noted = note_reads(
            read.snapshot, snapshots=apart, change_orders=state.change_orders, patience=patience, clock=clock
        )
    return _standing(noted, True, period, patience, time_zone, state, clock)


def _waits_for_a_read(change_orders: ChangeOrders) -> bool:
    return any(order.state is not OrderState.DRAFT for order in change_orders.open())


def _standing(
    noted: Noted, is_done: bool, period: str, patience: Patience, time_zone: ZoneInfo, state: State, clock: Clock
) -> Followed:
    now = clock.now()
    return Followed(
        is_done=is_done,
        noted=noted,
        outstanding=sum(1 for order in state.change_orders.open() if order.period <= period),
        late=len(late_orders(change_orders=state.change_orders, patience=patience, now=now)),
        period_is_over=str(Period.at(now, time_zone)) > period,
    )


class _Apart:
    """Implements Snapshots for a read that is kept apart: pages are stored, the header is not."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def add_page(self, side: Side, page: VendorPage | PsaPage | LicensePage) -> str:
        return self._snapshots.add_page(side, page)

    def complete(self, snapshot: Snapshot, audit: Audit | None) -> None:
        """The read adds up, and whoever asked for it has it; there is nothing to write."""

    def refresh(self, base: Snapshot, derived: Snapshot, audit: Audit) -> None:
        raise Conflict("a read that is kept apart takes the place of no other")

    def latest(self, side: Side) -> Snapshot | None:
        """None: each call is a read of its own, and how many accounts there should be is judged by the run."""
        return None

    def vendor_pages(self, snapshot: Snapshot) -> Iterator[VendorPage]:
        return self._snapshots.vendor_pages(snapshot)

    def psa_pages(self, snapshot: Snapshot) -> Iterator[PsaPage]:
        return self._snapshots.psa_pages(snapshot)

    def license_pages(self, snapshot: Snapshot) -> Iterator[LicensePage]:
        return self._snapshots.license_pages(snapshot)
