"""I1, I2, I7 and I9 of the auditor: every write was approved, on whole reads, begun before it was sent, and once.

Method: each write is held against the changes of all plans. A change of a line's quantity is known by line, old and new
value; a line that was made by agreement, product and quantity (a created line has no id before, and a dated change puts
a new line in the place of the old one); the end of an old line by a dated change of that line. What takes a change back
needs no reads of its own: it must be the opposite of a change that was written. Must not: read more than the records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from tests.simulation.evidence import PsaWrite, Report
from trueup.domain.audit import AuditEvent
from trueup.domain.billing import WriteOutcome
from trueup.domain.plan import Change, ChangeKind, Plan
from trueup.usecases.account_refresh import REFRESHED

type Key = tuple[str, ...]
"""What a write did, so that two of the same are one too many."""


def change_subject(plan: Plan, change: Change) -> str:
    """What the history calls a change."""
    return f"{plan.id} {change.id} line {change.line_id}"


def numbers(events: Sequence[AuditEvent], action: str, subject: str) -> list[int]:
    """The places in the history where that was done to that."""
    return [event.number for event in events if event.audit.action == action and event.audit.subject == subject]


def check_writes(
    plans: Sequence[Plan],
    events: Sequence[AuditEvent],
    reads: Mapping[str, AuditEvent],
    writes: Sequence[PsaWrite],
    report: Report,
) -> None:
    """``reads`` are the events of whole reads by their digest."""
    approved = {event.audit.subject for event in events if event.audit.action == "plan approved"}
    report.check("I9", holds=bool(approved) or not writes, otherwise=f"{len(writes)} writes and no approved plan")
    begun: Counter[Key] = Counter()
    for plan in plans:
        for change in plan.changes:
            if numbers(events, "change begun", change_subject(plan, change)):
                begun.update(_keys_of_change(change))
    by_id = {plan.id: plan for plan in plans}
    for write in writes:
        name = f"line {write.line_id} from {write.before} to {write.asked}"
        found = [(plan, change) for plan in plans for change in plan.changes if _is_of(write, change)]
        report.check("I1", holds=bool(found), otherwise=f"{name} was written and no plan has it")
        for plan, change in found:
            _check_change(plan, change, by_id, events, reads, report)
        is_begun = begun[_key_of_write(write)] > 0
        report.check("I7", holds=is_begun, otherwise=f"{name} was written and nobody recorded that it would be")
    happened = Counter(_key_of_write(write) for write in writes if write.before != write.after)
    for key, times in happened.items():
        report.check("I2", holds=times <= begun[key], otherwise=f"{' '.join(key)} was written {times} times")
    report.checked.update({"I1", "I2"})


def _keys_of_change(change: Change) -> Iterator[Key]:
    made = ("made", change.agreement_id, change.product_id, str(change.target))
    if change.kind is ChangeKind.CREATE_LINE:
        yield made
        return
    yield ("set", change.line_id, str(change.target))
    if change.effective is not None:
        yield made
        yield ("ended", change.line_id)


def _key_of_write(write: PsaWrite) -> Key:
    if write.ends:
        return ("ended", write.line_id)
    asked = format(write.asked.normalize(), "f")
    return ("made", write.agreement_id, write.product_id, asked) if write.made else ("set", write.line_id, asked)


def _is_of(write: PsaWrite, change: Change) -> bool:
    """Whether the write is what the change asks for; from which value it goes is a part of it."""
    if _key_of_write(write) not in set(_keys_of_change(change)):
        return False
    if write.made or write.ends:
        return not write.made or write.before == 0
    return change.expected == write.before and Decimal(change.target) == write.asked


def _check_change(
    plan: Plan,
    change: Change,
    by_id: Mapping[str, Plan],
    events: Sequence[AuditEvent],
    reads: Mapping[str, AuditEvent],
    report: Report,
) -> None:
    subject = change_subject(plan, change)
    starts = numbers(events, "change begun", subject)
    if not starts:
        return
    approvals = numbers(events, "plan approved", plan.id)
    in_order = bool(approvals) and approvals[0] < starts[0]
    report.check("I1", holds=in_order, otherwise=f"{subject} was begun before its plan was approved")
    report.check("I1", holds=not change.is_held, otherwise=f"{subject} was written while a guard held it")
    if change.kind is ChangeKind.CREATE_LINE:
        report.check("I1", holds=bool(change.added_by), otherwise=f"{subject} makes a line that nobody asked for")
    if change.undoes:
        fits = _is_opposite(change, by_id)
        report.check("I1", holds=fits, otherwise=f"{subject} takes back {change.undoes}, which was not written so")
        return
    of_period = all(digest in reads and reads[digest].audit.run_id.startswith(plan.period) for digest in plan.snapshots)
    # Of the vendor and of the PSA, and of the licenses where they are read.
    told = {reads[digest].audit.action for digest in plan.snapshots if digest in reads}
    of_both = "vendor read" in told and bool(told & {"psa read", REFRESHED})
    whole = of_both and len(set(plan.snapshots)) in (2, 3) and of_period
    report.check("I1", holds=whole, otherwise=f"{subject} does not come from whole reads of {plan.period}")


def _is_opposite(change: Change, by_id: Mapping[str, Plan]) -> bool:
    """Whether a change that was written went exactly the other way, on the same line or on the line it made."""
    plan_id, _, change_id = change.undoes.partition("/")
    plan = by_id.get(plan_id)
    result = plan.result(change_id) if plan is not None else None
    if plan is None or result is None or result.outcome is not WriteOutcome.APPLIED:
        return False
    undone = plan.change(change_id)
    same_line = change.line_id == (result.line_id or undone.line_id)
    return same_line and (change.expected, Decimal(change.target)) == (Decimal(undone.target), undone.expected)
