"""Taking back what a plan wrote: a plan of the opposite changes, approved and applied like any other.

Method: each line goes back to its old quantity if it still has the written one; the write itself checks that. Must not:
take back what was not written by the plan, or take a line away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from trueup.domain.billing import Agreement, Line, LineId, WriteOutcome
from trueup.domain.canonical import decimal_text, sha256
from trueup.domain.counts import Seats, whole_seats
from trueup.domain.effective import Effect, NextInvoiceLine, default_effect, next_invoice_line
from trueup.domain.errors import InputInvalid, PlanNotReady
from trueup.domain.plan import Change, ChangeKind, ChangeResult, Plan
from trueup.domain.plan_building import PlanTerms, named

type LinesRead = Mapping[LineId, tuple[Line, Agreement]]
"""Lines of the newest read with their agreements: what the next invoice line is worked out from."""


@dataclass(frozen=True, slots=True)
class Undo:
    """The plan that takes another back, and what of that one stays, as (change id, why)."""

    plan: Plan
    left_out: tuple[tuple[str, str], ...] = ()


def undone_by(plan: Plan, later: Sequence[Plan]) -> dict[str, str]:
    """Which changes of the plan were taken back, and by which of the later plans.

    What took a change back counts only while it was not taken back itself, and so on.
    """
    takes_back: dict[str, list[str]] = defaultdict(list)
    for other in later:
        for change in other.changes:
            if change.undoes and _was_written(other.result(change.id)):
                takes_back[change.undoes].append(f"{other.id}/{change.id}")

    def standing(name: str) -> list[str]:
        """What took that one back and still counts; a plan is made after the one it takes back, so this ends."""
        return [one for one in takes_back.get(name, ()) if not standing(one)]

    found = {change.id: standing(f"{plan.id}/{change.id}") for change in plan.changes}
    return {change_id: names[0].partition("/")[0] for change_id, names in found.items() if names}


def undo_plan(
    plan: Plan,
    change_ids: Sequence[str],
    *,
    reason: str,
    terms: PlanTerms,
    created_at: datetime,
    prepared_by: str,
    undone: Mapping[str, str] | None = None,
    lines: LinesRead | None = None,
) -> Undo:
    """A plan that takes back what that plan wrote: the named changes, or all of it that can be.

    ``undone`` are changes that were taken back before and by which plan (``undone_by``). Raises NotFound for a change
    the plan does not have, PlanNotReady when another PSA is connected now, when nothing is left to take back, or for a
    named change that cannot be taken back by a program, each with the reason.
    """
    plan.require_psa(terms.psa_system)
    wanted = [plan.change(change_id) for change_id in dict.fromkeys(change_ids)]
    changes: list[Change] = []
    left_out: list[tuple[str, str]] = []
    for change in wanted or plan.changes:
        result = plan.result(change.id)
        try:
            _require_undoable(change, result, terms, (undone or {}).get(change.id, ""))
        except PlanNotReady as why:
            if wanted:
                raise
            left_out.append((change.id, why.message))
            continue
        assert result is not None
        changes.append(_undoing(plan, change, result.line_id or change.line_id, terms, reason, lines or {}))
    if not changes:
        why_not = f": {left_out[0][1]}" if len(left_out) == 1 else ""
        raise PlanNotReady(
            f"nothing of plan {plan.id} can be taken back{why_not}", remedy="Look at it: trueup plan show PLAN."
        )
    draft = Plan(
        id="",
        tenant=terms.tenant,
        period=terms.period,
        run_id=plan.run_id,
        created_at=created_at,
        changes=tuple(sorted(changes, key=lambda change: change.id)),
        snapshots=plan.snapshots,
        prepared_by=prepared_by,
        psa_system=terms.psa_system,
    )
    return Undo(named(draft), tuple(left_out))


def _was_written(result: ChangeResult | None) -> bool:
    return result is not None and result.outcome is WriteOutcome.APPLIED


def _require_undoable(change: Change, result: ChangeResult | None, terms: PlanTerms, undone: str) -> None:
    if result is None or not _was_written(result):
        what = "was not sent" if result is None else f"is {result.outcome.value}"
        raise PlanNotReady(f"change {change.id} {what}, so it wrote nothing", remedy="There is nothing to take back.")
    if undone:
        raise PlanNotReady(
            f"change {change.id} was taken back by plan {undone}",
            remedy=f"To have it again, take that one back: trueup plan undo {undone}.",
        )
    if change.kind is ChangeKind.CREATE_LINE:
        raise PlanNotReady(
            f"change {change.id} made a line, and lines are not taken away by a program",
            remedy="End the line in the PSA.",
        )
    if result.line_id is not None and change.effective is not None and change.effective > terms.on:
        raise PlanNotReady(
            f"change {change.id} counts from {change.effective} by a line of its own, which has not begun",
            remedy="Take it back in the PSA, or wait until it has begun.",
        )
    try:
        whole_seats(change.expected)
    except InputInvalid as fraction:
        raise PlanNotReady(
            f"change {change.id} was from {decimal_text(change.expected)}, which is no number of seats",
            remedy="Set the line back in the PSA.",
        ) from fraction


def _undoing(plan: Plan, change: Change, line_id: LineId, terms: PlanTerms, reason: str, lines: LinesRead) -> Change:
    target = whole_seats(change.expected)
    effect = default_effect(terms.capabilities, terms.on)
    if effect.day is not None and change.effective is not None and change.effective > terms.on:
        # The difference is taken back from the very day it counts from, so that no period keeps it.
        effect = Effect(change.effective_rule, change.effective)
    identity = sha256([terms.period, plan.id, change.id, "undo"])
    return replace(
        change,
        id=f"chg-{identity[:12]}",
        line_id=line_id,
        expected=Decimal(change.target),
        expected_version="",
        target=target,
        effective=effect.day,
        effective_rule=effect.rule,
        monthly_money=None if change.monthly_money is None else -change.monthly_money,
        reasons=(f"takes back {target} -> {change.target} of plan {plan.id}: {reason}",),
        holds=(),
        release=None,
        next_invoice=_next_invoice(line_id, target, effect, lines),
        undoes=f"{plan.id}/{change.id}",
    )


def _next_invoice(line_id: LineId, target: Seats, effect: Effect, lines: LinesRead) -> NextInvoiceLine | None:
    """None for a line that the newest read does not list."""
    if line_id not in lines:
        return None
    line, agreement = lines[line_id]
    return next_invoice_line(line, agreement, target, effect)
