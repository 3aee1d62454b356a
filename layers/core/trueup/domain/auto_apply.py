"""Which changes may be applied without a person: small increases, where the tenant allows them, and nothing else.

The policy is asymmetric on purpose: billing a few seats more by mistake is seen and credited, while a decrease by
mistake is money that nobody asks for. What is not plainly small and plainly an increase waits for a person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from trueup.domain.plan import Change, ChangeKind, Plan


@dataclass(frozen=True, slots=True)
class AutoApplyPolicy:
    """How many seats more a line may get without a person; 0 means that nothing is applied by itself."""

    increase_seats: int = 0

    def covers(self, change: Change) -> bool:
        """Whether this change may go without a person: no guard holds it, and all that it does is known."""
        is_plain = change.kind is ChangeKind.SET_QUANTITY and not change.undoes and not change.siblings
        is_sure = not change.holds and change.monthly_money is not None and change.expected > 0
        return is_plain and is_sure and 0 < change.target - change.expected <= self.increase_seats


def divide(plan: Plan, policy: AutoApplyPolicy) -> tuple[Plan | None, Plan | None]:
    """The plan in two: what may go without a person, and what waits for one. Either may be None, never both.

    A part that is the whole plan keeps its id; otherwise each has one of its own, for each is approved by itself.
    """
    small = tuple(change for change in plan.changes if policy.covers(change))
    rest = tuple(change for change in plan.changes if not policy.covers(change))
    if not small:
        return None, plan
    if not rest:
        return plan, None
    return replace(plan, id=f"{plan.id}-small", changes=small), replace(plan, id=f"{plan.id}-rest", changes=rest)
