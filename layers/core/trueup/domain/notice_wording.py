"""The words of each notice, made from what is known of its cause.

Method: one pure function for each kind; figures are those of the stored comparison, plan, run or order, and never
worked out again. Must not: guess what is not known (a figure that is missing is said to be missing), or hold a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from trueup.domain.integrations import Integration
from trueup.domain.notices import Notice, NoticeKind, NoticeLine, NoticeLink, Severity
from trueup.domain.plan import Change, Plan
from trueup.domain.runs import Run, RunState, SideProgress
from trueup.domain.verdicts import Totals, Verdict

HELD_SHOWN_MAXIMUM = 15
"""How many held changes a notice names; the rest are counted."""

_JUMP_GUARDS = frozenset({"to_zero", "decrease", "jump"})


def run_finished(run: Run, totals: Totals | None, at: datetime) -> Notice:
    """A run has come to its table, or failed; with the totals, or without them where nothing was compared."""
    links = (_link("Reconcile", "reconcile", period=run.period),)
    if run.state is RunState.FAILED:
        lines = (NoticeLine(run.problem), NoticeLine(run.remedy, "What to do"), *_totals_lines(None))
        subject = f"run {run.id} failed at the step {run.step.value}"
        return Notice(
            NoticeKind.RUN_FINISHED, run.period, run.id, subject, lines, at, Severity.PROBLEM, (_runs_link(), *links)
        )
    differences = _differences(totals)
    # A run that waits for a person or for orders has done its comparison, and is not over.
    done = "is done" if run.state is RunState.DONE else "has compared the counts"
    subject = f"run {run.id} {done}" + (f", {differences}" if differences else "")
    return Notice(
        NoticeKind.RUN_FINISHED, run.period, run.id, subject, _totals_lines(totals), at, Severity.INFORMATION, links
    )


def approval_wanted(run: Run, plan: Plan, totals: Totals | None, at: datetime) -> Notice:
    """A plan waits for a person. Another plan, or the same one after it changed, is another cause."""
    held = len(plan.changes) - len(plan.ready)
    lines = [
        NoticeLine(_count(len(plan.changes), "change"), "Plan"),
        NoticeLine(_plan_money(plan.changes), "Worth"),
        NoticeLine(plan.checksum[:16], "Checksum begins"),
    ]
    if held:
        lines.append(NoticeLine(f"{_count(held, 'change')} held back until a person releases it", "Held"))
    if plan.prepared_by:
        lines.append(NoticeLine(plan.prepared_by, "Prepared by"))
    return Notice(
        NoticeKind.APPROVAL_WANTED,
        run.period,
        f"{plan.id} {plan.checksum}",
        f"{_count(len(plan.changes), 'change')} of {plan.period} wait for approval",
        (*lines, *_totals_lines(totals)),
        at,
        Severity.ACTION,
        (_link("Plan", "plan", id=plan.id), _link("Reconcile", "reconcile", period=run.period)),
    )


def credential_failing(integration: Integration, period: str, at: datetime) -> Notice:
    """The stored credential does not work any more; one notice for each time it began to fail."""
    since = integration.first_failed_at
    lines = [NoticeLine(integration.cause or "no reason was given", "Cause")]
    if integration.fix:
        lines.append(NoticeLine(integration.fix, "What to do"))
    if since is not None:
        lines.append(NoticeLine(f"{since:%Y-%m-%d %H:%M} UTC", "Since"))
    lines.append(NoticeLine("Until it works nothing is read there, and no plan can be made on it."))
    return Notice(
        NoticeKind.CREDENTIAL_FAILING,
        period,
        f"{integration.name.value} since {since.isoformat() if since else 'an unknown time'}",
        f"the credential of {integration.name.label} does not work",
        tuple(lines),
        at,
        Severity.PROBLEM,
        (_link("Integrations", "integrations"),),
    )


def credential_expiring(name: str, label: str, expires_on: date, period: str, at: datetime) -> Notice:
    """A credential or secret that says when it ends will soon. ``name`` tells apart what has the same label."""
    days = (expires_on - at.date()).days
    when = f"in {_count(days, 'day')}" if days > 0 else "today" if days == 0 else f"{_count(-days, 'day')} ago"
    return Notice(
        NoticeKind.CREDENTIAL_EXPIRING,
        period,
        f"{name} ends {expires_on.isoformat()}",
        f"the credential of {label} ends {when}",
        (
            NoticeLine(expires_on.isoformat(), "Last day"),
            NoticeLine("Make a new one there and connect with it; what is mapped stays."),
        ),
        at,
        Severity.ACTION,
        (_link("Integrations", "integrations"),),
    )


def sync_incomplete(run: Run, at: datetime) -> Notice:
    """A read did not come to its end, so nothing of it is used. Where the run went on, it is of a side that no month
    waits for.
    """
    lost = next((side for side in run.sides if side.problem), None)
    if lost is not None and not run.problem:
        return _side_not_read(run, lost, at)
    return Notice(
        NoticeKind.SYNC_INCOMPLETE,
        run.period,
        f"{run.id} {run.problem_code}",
        f"the read of run {run.id} is not complete",
        (
            NoticeLine(run.problem or "no reason was given", "Cause"),
            NoticeLine(run.remedy or "Start the run again.", "What to do"),
            *(
                NoticeLine(f"{side.accounts} read" + ("" if side.done else ", not complete"), side.side.value)
                for side in run.sides
            ),
            NoticeLine("Nothing of an incomplete read is used, and nothing was changed."),
        ),
        at,
        Severity.PROBLEM,
        (_runs_link(),),
    )


def _side_not_read(run: Run, side: SideProgress, at: datetime) -> Notice:
    """The month goes on without this side."""
    return Notice(
        NoticeKind.SYNC_INCOMPLETE,
        run.period,
        f"{run.id} {side.side.value}",
        f"{side.side.value} were not read in run {run.id}, which goes on without them",
        (
            NoticeLine(side.problem, "Cause"),
            NoticeLine(side.remedy or "Start the run again.", "What to do"),
            NoticeLine("Counts of this side are failed, never 0; nothing is billed or ordered by them."),
        ),
        at,
        Severity.PROBLEM,
        (_runs_link(),),
    )


def drop_or_jump_held(run: Run, plan: Plan | None, at: datetime) -> Notice | None:
    """Changes that a guard against drops and jumps holds, or a list that is too short; None where neither is so."""
    held = tuple(change for change in plan.changes if _is_jump(change)) if plan is not None else ()
    if not held or plan is None:
        if not run.problem:
            return None
        lines = (NoticeLine(run.problem, "Cause"), NoticeLine(run.remedy, "What to do"))
        subject = f"run {run.id} stopped: a list is much shorter than last time"
        return Notice(
            NoticeKind.DROP_OR_JUMP_HELD, run.period, run.id, subject, lines, at, Severity.ACTION, (_runs_link(),)
        )
    shown = [NoticeLine(_held_words(change), change.psa_account_name) for change in held[:HELD_SHOWN_MAXIMUM]]
    if len(held) > HELD_SHOWN_MAXIMUM:
        shown.append(NoticeLine(f"{len(held) - HELD_SHOWN_MAXIMUM} more are in the plan."))
    return Notice(
        NoticeKind.DROP_OR_JUMP_HELD,
        run.period,
        f"{plan.id} {plan.checksum}",
        f"{_count(len(held), 'drop or jump', 'drops and jumps')} held back until a person releases it",
        tuple(shown),
        at,
        Severity.ACTION,
        (_link("Plan", "plan", id=plan.id, show="held"),),
    )


def order_late(
    order_id: str,
    *,
    period: str,
    account: str,
    service: str,
    target: int,
    delta: int,
    order_number: str,
    submitted_on: date,
    days_late: int,
    at: datetime,
) -> Notice:
    """A change order was submitted and the agreement does not show it yet. Seats are whole; a minus orders fewer."""
    return Notice(
        NoticeKind.ORDER_LATE,
        period,
        order_id,
        f"change order {order_id} is {_count(days_late, 'day')} late",
        (
            *_order_lines(account, service, target, delta, order_number),
            NoticeLine(submitted_on.isoformat(), "Submitted"),
            NoticeLine(
                "Ask Mimecast about the order; it counts as done when a read of the agreement shows the target."
            ),
        ),
        at,
        Severity.ACTION,
        (_link("Change orders", "orders", id=order_id),),
    )


def order_reflected(
    order_id: str,
    *,
    period: str,
    account: str,
    service: str,
    target: int,
    delta: int,
    order_number: str,
    at: datetime,
) -> Notice:
    """A read of the agreement shows what was ordered."""
    return Notice(
        NoticeKind.ORDER_REFLECTED,
        period,
        order_id,
        f"change order {order_id} is in the agreement",
        _order_lines(account, service, target, delta, order_number),
        at,
        Severity.INFORMATION,
        (_link("Change orders", "orders", id=order_id),),
    )


def run_missed(period: str, *, days: int, run_day: int, at: datetime) -> Notice:
    """The month's run was due and none was begun. ``days`` since it was due."""
    return Notice(
        NoticeKind.RUN_MISSED,
        period,
        "run",
        f"the run of {period} is {_count(days, 'day')} overdue",
        (
            NoticeLine(f"It was due on day {run_day} of the month, and no run was begun that did not fail."),
            NoticeLine("Look at the schedule and at the failed-events queue, then start it: trueup run.", "What to do"),
        ),
        at,
        Severity.PROBLEM,
        (_runs_link(),),
    )


def month_sealed(period: str, *, seal: str, lines: Sequence[NoticeLine], at: datetime) -> Notice:
    """The month is closed. ``seal`` is the hash at the end of its chain; sealing it afresh is another cause."""
    return Notice(
        NoticeKind.SEALED,
        period,
        seal,
        f"{period} is closed and sealed",
        (*lines, NoticeLine(seal, "Seal")),
        at,
        Severity.INFORMATION,
        (_link("Reconcile", "reconcile", period=period),),
    )


def trial(period: str, *, by: str, number: str, at: datetime) -> Notice:
    """What a person sends to see whether a channel works; ``number`` makes each trial a message of its own."""
    return Notice(
        NoticeKind.TEST,
        period,
        number,
        "test message",
        (
            NoticeLine("This channel works. Nothing has happened, and there is nothing to do."),
            NoticeLine(by, "Sent by"),
        ),
        at,
        Severity.INFORMATION,
        (_link("Reconcile", "reconcile"),),
    )


def money_text(amount: Decimal, currency: str) -> str:
    """``+1,234.50 USD``; more than two decimals only where the amount has them."""
    cents = amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    return f"{cents if cents == amount else amount.normalize():+,f} {currency}"


def _totals_lines(totals: Totals | None) -> tuple[NoticeLine, ...]:
    if totals is None:
        return (NoticeLine("Nothing was compared in this run, so there are no totals."),)
    money: dict[Verdict, list[str]] = {}
    for currency, verdict, amount in totals.money:
        money.setdefault(verdict, []).append(f"{money_text(amount, currency)} a month")
    lines = [
        NoticeLine(", ".join((_count(number, "row"), *money.get(verdict, ()))), verdict.words)
        for verdict, number in totals.verdicts
        if number
    ]
    seats = [f"{totals.agreement_seats:,} in agreements", f"{totals.billed_seats:,} billed"]
    if totals.licensed_seats:
        seats.insert(1, f"{totals.licensed_seats:,} licensed")
    lines.append(NoticeLine(", ".join(seats), "Seats"))
    if totals.rows_without_price:
        lines.append(NoticeLine(f"{_count(totals.rows_without_price, 'row')} without a price, in no sum", "Money"))
    return tuple(lines)


def _differences(totals: Totals | None) -> str:
    if totals is None:
        return ""
    number = sum(rows for verdict, rows in totals.verdicts if verdict.is_exception)
    return _count(number, "difference") if number else "everything is in line"


def _plan_money(changes: Sequence[Change]) -> str:
    sums: dict[str, Decimal] = {}
    unpriced = 0
    for change in changes:
        if change.monthly_money is None:
            unpriced += 1
        else:
            sums[change.currency] = sums.get(change.currency, Decimal(0)) + change.monthly_money
    words = [f"{money_text(amount, currency)} a month" for currency, amount in sorted(sums.items())]
    if unpriced:
        words.append(f"{_count(unpriced, 'change')} without a price")
    return ", ".join(words) or "nothing"


def _is_jump(change: Change) -> bool:
    return change.is_held and any(hold.guard in _JUMP_GUARDS for hold in change.holds)


def _held_words(change: Change) -> str:
    held = [hold for hold in change.holds if hold.guard in _JUMP_GUARDS]
    return f"{change.product_code}: " + "; ".join(f"{hold.guard.replace('_', ' ')}, {hold.figures}" for hold in held)


def _order_lines(account: str, service: str, target: int, delta: int, order_number: str) -> tuple[NoticeLine, ...]:
    return (
        NoticeLine(account, "Account"),
        NoticeLine(service, "Service"),
        NoticeLine(f"{target:,} seats ({delta:+,})", "Ordered"),
        NoticeLine(order_number or "none was recorded", "Order number"),
    )


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def _link(label: str, page: str, **query: str) -> NoticeLink:
    pairs = "&".join(f"{name}={_quoted(value)}" for name, value in query.items())
    return NoticeLink(label, f"/{page}?{pairs}" if pairs else f"/{page}")


def _quoted(text: str) -> str:
    """``text`` as one value of a query: what is not a plain letter, digit or mark stands there as its bytes."""
    return "".join(
        character
        if character.isascii() and (character.isalnum() or character in "-._~")
        else "".join(f"%{byte:02X}" for byte in character.encode(errors="replace"))
        for character in text
    )


def _runs_link() -> NoticeLink:
    return _link("Runs", "history", show="runs")
