"""A provider through a year: the very use cases of the product, on simulated vendors, by a clock that is only told.

Method: what a month asks of people is decided by the seed, and what fails is tried again the next day, as people do.
Must not: look into a vendor to decide anything; the world is only asked afterwards whether it holds what was approved.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from local.simulators import MimecastSimulator, World
from local.simulators.demo_world import SERVICE_TO_PRODUCT
from local.simulators.mimecast_orders import type_order
from local.simulators.server import Simulator
from local.year.clock import YearClock
from local.year.happenings import break_reads, break_writes, heal
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.errors import TrueupError
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.mapping import MappingState
from trueup.domain.order_parts import OrderRelease, OrderState
from trueup.domain.order_tracking import Patience
from trueup.domain.plan import Plan, PlanState
from trueup.domain.runs import Run
from trueup.ports.psa import PsaBilling
from trueup.usecases import credential_validation, integrations, mapping, order_decisions, plans
from trueup.usecases.month import Systems, read_and_match, reconcile_run
from trueup.usecases.month_closing import close_months
from trueup.usecases.monthly_run import begin_run, end_run
from trueup.usecases.opening import connected, connected_sides, open_line_creation, open_psa, psa_capabilities
from trueup.usecases.order_following import Followed, follow_orders
from trueup.usecases.plan_apply import LEASE_SECONDS, apply_plan
from trueup.usecases.reconciliation import Outcome, ReconciliationPolicy

PREPARER, APPROVER = "pat", "alex"
COUNTED = "counted by hand"

ATTEMPTS = 6
"""How many days in a row something is tried again before the month goes on without it."""


@dataclass
class Office:
    """One provider with its systems. ``faults_met`` counts the replies that went wrong, ``troubles`` what failed for
    that and was tried again the next day.
    """

    world: World
    mimecast: MimecastSimulator
    psa: Simulator
    simulators: Sequence[Simulator]
    systems: Systems
    clock: YearClock
    policy: ReconciliationPolicy
    rng: random.Random
    faults: bool
    faults_met: int = 0
    troubles: int = 0

    # Setting up.

    def connect(self, name: IntegrationName, address: str, fields: dict[str, str]) -> None:
        credential_validation.connect(
            name,
            address=address,
            fields=fields,
            actor=PREPARER,
            integrations=self.systems.state.integrations,
            vault=self.systems.vault,
            connections=self.systems.connections,
            clock=self.clock,
        )

    def finish(self) -> None:
        """Read once, map the services, finish."""
        state = self.systems.state
        run = self._begin()
        read_and_match(run, self.systems, actor=PREPARER)
        end_run(run.id, runs=state.runs, clock=self.clock)
        self.map_services()
        integrations.finish(
            actor=PREPARER,
            integrations=state.integrations,
            accounts=state.accounts,
            services=state.services,
            clock=self.clock,
        )

    def map_services(self) -> None:
        """Map what is open: a new client may bring a service that nobody had."""
        for entry in self.systems.state.services.all():
            product = SERVICE_TO_PRODUCT.get(str(entry.service_id))
            if product is None or entry.state is not MappingState.UNMAPPED:
                continue
            mapping.map_service(
                str(entry.service_id),
                product,
                actor=PREPARER,
                services=self.systems.state.services,
                psa=self._open_psa(),
                psa_integration=connected(Side.PSA, self.systems.state.integrations),
                clock=self.clock,
            )

    # A month.

    def run(self) -> Outcome | None:
        """Read, compare and propose; None when that failed every day it was tried."""

        def once() -> Outcome:
            run = self._begin()
            read_and_match(run, self.systems, actor=PREPARER)
            return reconcile_run(run, self.systems, actor=PREPARER, policy=self.policy)

        return self._tried(once, lambda: break_reads(self.simulators, self.rng))

    def decide(self, plan: Plan) -> Plan | None:
        """Release most of what is held, then approve; None when there is nothing to approve, or nobody does."""
        state = self.systems.state
        for change in plan.held:
            if self.rng.random() < 0.7:
                plan = plans.release_change(
                    plan.id, change.id, reason="the client said so", actor=PREPARER, plans=state.plans, clock=self.clock
                )
        if not plan.ready or self.rng.random() < 0.08:
            return None
        return plans.approve_plan(
            plan.id,
            checksum=plan.checksum,
            actor=APPROVER,
            two_person_approval=True,
            plans=state.plans,
            api_keys=state.api_keys,
            clock=self.clock,
        )

    def apply(self, plan: Plan) -> Plan:
        """Apply until every change has a final result, or the days are over."""
        state = self.systems.state

        def once() -> Plan:
            self.clock.advance(LEASE_SECONDS + 1)
            return apply_plan(
                plan.id,
                checksum=plan.checksum,
                actor=APPROVER,
                owner=f"simulation {self.clock.monotonic_seconds()}",
                period_now=plan.period,
                psa=self._open_psa(),
                psa_system=connected(Side.PSA, state.integrations).system,
                capabilities=psa_capabilities(state.integrations),
                open_line_creation=lambda: open_line_creation(
                    integrations=state.integrations, vault=self.systems.vault, connections=self.systems.connections
                ),
                accounts=state.accounts,
                services=state.services,
                snapshots=state.snapshots,
                plans=state.plans,
                plan_index=state.plan_index,
                leases=state.leases,
                clock=self.clock,
            ).plan

        applied = plan
        for _ in range(ATTEMPTS):
            applied = self._tried(once, lambda: break_writes(self.psa, self.rng)) or state.plans.get(plan.id)
            if applied.state is PlanState.APPLIED:
                break
        return applied

    def order(self) -> None:
        """Approve most of the drafts and type them into the vendor's portal; now and then the vendor loses one."""
        for order in self.systems.state.change_orders.open():
            if order.state in {OrderState.EXPIRED, OrderState.NEEDS_REVIEW}:
                self._look_into(order)
            elif order.state is OrderState.DRAFT and self.rng.random() < 0.8:
                self._order(order)

    def follow(self, run_id: str) -> int:
        """One look at the vendor for the orders that wait; how many it shows."""

        def once() -> Followed:
            return follow_orders(
                run_id,
                actor="schedule",
                patience=Patience(),
                time_zone=self.policy.time_zone,
                state=self.systems.state,
                vault=self.systems.vault,
                connections=self.systems.connections,
                clock=self.clock,
            )

        found = self._tried(once, lambda: break_reads([self.mimecast], self.rng))
        return 0 if found is None else len(found.noted.reflected)

    def close(self, run_id: str) -> tuple[str, ...]:
        """Seal the months that are over; the periods that were sealed now."""
        return close_months(
            run_id,
            actor="schedule",
            tenant=self.policy.tenant,
            time_zone=self.policy.time_zone,
            state=self.systems.state,
            clock=self.clock,
        ).sealed

    # Parts.

    def _begin(self) -> Run:
        self.clock.advance(60)
        state = self.systems.state
        return begin_run(
            actor=PREPARER,
            time_zone=self.policy.time_zone,
            runs=state.runs,
            clock=self.clock,
            sides=connected_sides(state.integrations),
        )

    def _open_psa(self) -> PsaBilling:
        return open_psa(
            integrations=self.systems.state.integrations,
            vault=self.systems.vault,
            connections=self.systems.connections,
        )

    def _tried[Found](self, once: Callable[[], Found], break_something: Callable[[], None]) -> Found | None:
        """Try with faults, then a day later again, until it works; faults are over after the third day."""
        for attempt in range(ATTEMPTS):
            if self.faults and attempt < 3 and self.rng.random() < 0.5:
                break_something()
            try:
                return once()
            except TrueupError:
                self.troubles += 1
                self.clock.advance(timedelta(hours=20).total_seconds())
            finally:
                self.faults_met += heal(self.simulators)
        return None

    def _look_into(self, order: ChangeOrder) -> None:
        """A person asks the vendor, who knows nothing of it; the next comparison drafts it anew where it is wanted."""
        order_decisions.resolve_order(
            order.id,
            outcome=OrderState.REJECTED.value,
            reason="the vendor knows no such order",
            actor=PREPARER,
            change_orders=self.systems.state.change_orders,
            clock=self.clock,
        )

    def _order(self, order: ChangeOrder) -> None:
        state = self.systems.state
        now = self.clock.now()
        if order.is_held:
            try:
                released = order.released(OrderRelease(PREPARER, now, COUNTED))
            except TrueupError:
                return  # A check that no word lifts, such as a minimum.
            order = order_decisions.release_order(
                released.id,
                reason="counted by hand",
                actor=PREPARER,
                change_orders=state.change_orders,
                clock=self.clock,
            )
        order = order_decisions.approve_order(
            order.id,
            checksum=order.checksum,
            actor=APPROVER,
            two_person_approval=True,
            change_orders=state.change_orders,
            api_keys=state.api_keys,
            clock=self.clock,
        )
        is_lost = self.rng.random() < 0.1
        reads, product = self.rng.randint(1, 3), str(order.service_id)
        type_order(self.world, str(order.vendor_id), order.target, product_id=product, reads=reads, lost=is_lost)
        deadline: date | None = (now + timedelta(days=10)).date() if order.delta < 0 else None
        order_decisions.mark_submitted(
            order.id,
            order_number=f"SO-{self.rng.randrange(10**6):06d}",
            actor=APPROVER,
            agreement_acknowledged=True,
            change_orders=state.change_orders,
            snapshots=state.snapshots,
            clock=self.clock,
            downsell_deadline=deadline,
        )
