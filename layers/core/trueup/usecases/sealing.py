"""Closing a month, and opening a closed one again with a reason.

Everything that the month was decided on is gathered, stored in parts by content address, and closed by one link of a
hash chain; from then on every store refuses to change the month. A crash anywhere is mended by calling again: parts are
stored once, and a month that is closed is not closed again. Must not: send anything, or change what it seals.

What a closed month refuses: a run, a comparison, a plan and every step of one (release, approval, added lines, apply),
a new change order. What goes on: mappings, policies and open orders are the tenant's and not the month's; the month
keeps them as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

from trueup.domain.audit import GENESIS, Audit
from trueup.domain.billing import WriteOutcome
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.comparison import ComparisonInputs, figures_of
from trueup.domain.errors import MonthNotReady, NotFound, VersionConflict
from trueup.domain.integrations import Side
from trueup.domain.periods import Period
from trueup.domain.plan import Plan, PlanState
from trueup.domain.runs import Snapshot
from trueup.domain.sealed_contents import SealedContents
from trueup.domain.sealing import (
    REOPENED_ACTION,
    SEALED_ACTION,
    HistoryRange,
    LinkKind,
    SealedPart,
    SealLink,
    chained,
    part_of,
    require_open,
    standing,
)
from trueup.ports.clock import Clock
from trueup.ports.sealing import SealedMonths, SealedStore
from trueup.ports.state import History
from trueup.ports.state_bundle import State
from trueup.usecases.mapping import require_reason
from trueup.usecases.monthly_report import built_report, closed_by, figures_before, orders_of, plans_of
from trueup.usecases.plan_apply import APPLY_LEASE, LEASE_SECONDS

RUNS_LOOKED_AT = 200
"""How many of the newest runs are asked whether they are of the period."""

PARTS_BETWEEN_HOLDS = 20
"""A few megabytes each: far less than the lease's time lies between two renewals."""

ATTEMPTS = 5
"""How often a link is tried against somebody else's; months are closed one at a time."""


def require_month_open(period: str, sealed_months: SealedMonths) -> None:
    """For use cases whose stores do not know a period: raises MonthSealed when it is closed."""
    require_open(period, sealed_months.links())


def seal_month(
    period: str, *, actor: str, run_id: str, tenant: str, state: State, clock: Clock, reason: str = ""
) -> SealLink:
    """Close the month with all that is known of it. Closing a closed month returns the link that closed it.

    ``run_id`` is the run that closes it, empty for a person. Without a ``reason`` it is refused while a plan of the
    period is proposed or approved and not applied, or a change's outcome is not known; with one it is closed as it is,
    and what was outstanding is named in the link. Open change orders are outstanding and hinder nothing.

    Raises InputInvalid (``period``), NotFound when the month was never compared, MonthNotReady, and LeaseHeld while a
    plan is being applied.
    """
    Period.parse(period)
    closed = closed_by(period, state.sealed_months)
    if closed is not None:
        return closed
    # Looked at before the lease is taken, so that a refusal leaves nothing behind; and again under it.
    _require_closable(period, reason, state)
    owner = f"seal-{period}-{run_id or actor}"
    hold = partial(state.leases.acquire, APPLY_LEASE, owner=owner, seconds=LEASE_SECONDS)
    hold()
    try:
        for attempt in range(ATTEMPTS):
            closed = closed_by(period, state.sealed_months)
            if closed is not None:
                return closed
            draft = SealLink(0, LinkKind.SEALED, period, 0, tenant, clock.now(), actor, reason.strip(), run_id)
            try:
                return _append(_gathered(draft, state, hold), state, SEALED_ACTION)
            except VersionConflict:
                if attempt == ATTEMPTS - 1:
                    raise
    finally:
        state.leases.release(APPLY_LEASE, owner=owner)
    raise AssertionError("the loop returns or raises")


def reopen_month(period: str, *, reason: str, actor: str, tenant: str, state: State, clock: Clock) -> SealLink:
    """Open a closed month again; the word is a link of the chain as well. What was sealed stays as it is.

    Raises InputInvalid (``period``, ``reason``), and Conflict for a month that is not closed.
    """
    Period.parse(period)
    why = require_reason(reason)
    for attempt in range(ATTEMPTS):
        link = SealLink(0, LinkKind.REOPENED, period, 0, tenant, clock.now(), actor, reason=why)
        try:
            return _append(link, state, REOPENED_ACTION)
        except VersionConflict:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("the loop returns or raises")


def _append(link: SealLink, state: State, action: str) -> SealLink:
    placed = chained(link, state.sealed_months.links())
    audit = Audit(
        at=placed.at,
        actor=placed.by,
        action=action,
        subject=placed.period,
        before="" if not placed.replaces else f"link {placed.replaces}",
        after=f"link {placed.number}, version {placed.version}",
        why=placed.reason,
        evidence=placed.hash,
        run_id=placed.run_id,
    )
    state.sealed_months.append(placed, audit)
    return placed


def _gathered(draft: SealLink, state: State, hold: Callable[[], object]) -> SealLink:
    """The link that would close the month, with its parts stored and not yet in the chain.

    Raises VersionConflict when the month was compared or planned anew while it was gathered: what was gathered is not
    what it is any more.
    """
    period = draft.period
    plans, hindrances = _require_closable(period, draft.reason, state)
    compared = state.reconciliations.summary(period)
    orders = orders_of(period, state)
    earlier = standing(period, state.sealed_months.links())
    version = 1 if earlier is None else earlier.version + 1
    # The history is looked at first: what comes after belongs to the next month, even while this one is gathered.
    history = _history_range(state.history, state.sealed_months)
    parts = _stored_parts(_contents(period, version, plans, orders, state), state.sealed_months, hold)
    if (state.reconciliations.summary(period), plans_of(period, state.plan_index)) != (compared, plans):
        raise VersionConflict(f"{period} was compared or planned anew while it was being closed")
    outstanding = (*hindrances, *_left_undone(plans), *_open_ones(orders))
    return replace(draft, parts=parts, outstanding=outstanding, history=history)


def _require_closable(period: str, reason: str, state: State) -> tuple[tuple[Plan, ...], list[str]]:
    """The plans of the month, and what is under way in them. Raises NotFound, and MonthNotReady without a reason."""
    try:
        state.reconciliations.summary(period)
    except NotFound as none:
        raise NotFound(f"{period} was never compared, so there is nothing to close", remedy="See trueup run.") from none
    plans = plans_of(period, state.plan_index)
    hindrances = list(_hindrances(plans))
    if hindrances and not reason.strip():
        raise MonthNotReady(
            f"{period} cannot be closed yet: {'; '.join(hindrances)}",
            remedy=f"Finish that, or close it as it is with a reason: trueup seal {period} --reason TEXT.",
        )
    return plans, hindrances


def _hindrances(plans: Iterable[Plan]) -> Iterable[str]:
    """What of the month is still under way."""
    for plan in plans:
        unknown = [result for result in plan.results if not result.is_final]
        if unknown:
            yield f"plan {plan.id} has {len(unknown)} changes of which nobody knows whether they were made"
        if plan.state is PlanState.PROPOSED and plan.changes:
            yield f"plan {plan.id} waits for approval"
        if plan.state is PlanState.APPROVED:
            yield f"plan {plan.id} is approved and not applied in full"


def _left_undone(plans: Iterable[Plan]) -> Iterable[str]:
    """What of the applied plans was not done."""
    for plan in plans:
        if plan.state is not PlanState.APPLIED:
            continue
        if plan.held:
            yield f"plan {plan.id}: {len(plan.held)} held changes that nobody released"
        refused = [
            one
            for one in plan.results
            if one.is_final and one.outcome in (WriteOutcome.REJECTED, WriteOutcome.CONFLICT)
        ]
        if refused:
            yield f"plan {plan.id}: {len(refused)} changes that the PSA did not take"


def _open_ones(orders: Iterable[ChangeOrder]) -> Iterable[str]:
    for order in orders:
        if not order.is_open:
            continue
        yield f"order {order.id}: {order.vendor_name} {order.current} -> {order.target} is {order.state.value}"


def _history_range(history: History, sealed_months: SealedMonths) -> HistoryRange:
    sealed = [link.history for link in sealed_months.links() if link.history is not None]
    first = sealed[-1].last_number + 1 if sealed else 1
    newest = history.page(cursor=None, limit=1).items
    if not newest:
        return HistoryRange(first, first - 1, GENESIS)
    return HistoryRange(first, newest[0].number, newest[0].hash)


def _contents(
    period: str, version: int, plans: Sequence[Plan], orders: Sequence[ChangeOrder], state: State
) -> SealedContents:
    comparison = state.reconciliations.get(period)
    inputs = state.comparison_records.inputs(period)
    figures = figures_of(comparison.rows)
    return SealedContents(
        comparison=comparison,
        inputs=inputs,
        reads=_reads(period, inputs, state),
        accounts=tuple(state.accounts.all()) if inputs is None else inputs.legs.accounts,
        services=state.services.all() if inputs is None else inputs.legs.services,
        license_accounts=tuple(state.license_accounts.all()),
        allocations=state.allocations.all() if inputs is None else inputs.legs.allocations,
        counting_policies=state.counting_policies.all(),
        plans=tuple(plans),
        orders=tuple(orders),
        runs=tuple(
            sorted((run for run in state.runs.latest(RUNS_LOOKED_AT) if run.period == period), key=lambda run: run.id)
        ),
        findings=state.comparison_records.findings(period),
        figures=figures,
        report=built_report(
            period,
            plans=plans,
            orders=orders,
            figures=figures,
            before=figures_before(Period.parse(period), state.sealed_months),
            state=state,
            version=version,
        ),
    )


def _reads(period: str, inputs: ComparisonInputs | None, state: State) -> tuple[Snapshot, ...]:
    """The reads that were compared, and whatever else the same run has read in full."""
    reads = {} if inputs is None else {read.side: read for read in inputs.reads}
    for side in Side:
        latest = state.snapshots.latest(side) if side not in reads else None
        is_of_month = latest is not None and latest.period == period
        if latest is not None and is_of_month and (inputs is None or latest.run_id == inputs.run_id):
            reads[side] = latest
    return tuple(reads[side] for side in Side if side in reads)


def _stored_parts(
    contents: SealedContents, sealed_months: SealedStore, hold: Callable[[], object]
) -> tuple[SealedPart, ...]:
    """Each part is stored before the next is made; the lease is kept all along."""
    parts: list[SealedPart] = []
    for name, content in sealed_months.parts(contents):
        if len(parts) % PARTS_BETWEEN_HOLDS == PARTS_BETWEEN_HOLDS - 1:
            hold()
        sealed_months.put(content)
        parts.append(part_of(name, content))
    return tuple(parts)
