"""From plans, orders and figures to what a monthly report is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from trueup.domain.billing import WriteOutcome
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.comparison import Figure
from trueup.domain.monthly_report import Adjustment, Correction
from trueup.domain.plan import Change, Plan, PlanState

_WRITTEN = frozenset({WriteOutcome.APPLIED, WriteOutcome.ALREADY})


def corrections_of(plans: Iterable[Plan]) -> Iterator[Correction]:
    """Every change whose line has the approved quantity now: by us, or it had it already."""
    for plan in plans:
        for result in plan.results:
            if result.outcome not in _WRITTEN:
                continue
            change = plan.change(result.change_id)
            yield Correction(
                at=result.at,
                row_id=change.row_id,
                client_id=str(change.psa_account_id),
                client_name=change.psa_account_name,
                service=change.product_code,
                currency=change.currency,
                monthly_money=change.monthly_money,
                is_ours=result.outcome is WriteOutcome.APPLIED,
            )


def reasons_of(plans: Sequence[Plan]) -> dict[str, str]:
    """Why what a plan proposes for a row was not corrected, by row id; the newest plan that names the row tells."""
    found: dict[str, str] = {}
    for plan in sorted(plans, key=lambda plan: (plan.state is not PlanState.SUPERSEDED, plan.created_at, plan.id)):
        for change in plan.changes:
            words = _reason(plan, change)
            if words:
                found[change.row_id] = words
    return found


def _reason(plan: Plan, change: Change) -> str:
    if change.is_held:
        return f"held: {', '.join(hold.guard.replace('_', ' ') for hold in change.holds)}"
    result = plan.result(change.id)
    if result is not None:
        return "" if result.outcome in _WRITTEN else f"the PSA did not take it ({result.outcome.value})"
    match plan.state:
        case PlanState.PROPOSED:
            return "waits for approval"
        case PlanState.APPROVED | PlanState.APPLIED:
            return "approved, not applied yet"
    return "was in a plan that a newer one replaced"


def order_counts(orders: Iterable[ChangeOrder]) -> tuple[tuple[str, int], ...]:
    """How many change orders are in each state."""
    return tuple(sorted(Counter(order.state.value for order in orders).items()))


def adjustments_of(sealed: Iterable[Figure], figures: Iterable[Figure]) -> tuple[Adjustment, ...]:
    """Agreements that are counted otherwise than in the closed month before; both counts have to be known."""
    before = {figure.row_id: figure.agreement for figure in sealed}
    found: list[Adjustment] = []
    for figure in figures:
        old = before.get(figure.row_id)
        if old is not None and figure.agreement is not None and old != figure.agreement:
            found.append(Adjustment(figure.client_id, figure.client_name, figure.service, old, figure.agreement))
    return tuple(found)
