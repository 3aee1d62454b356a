"""Making a plan: from the rows of a comparison, from a line a person asks for, or from a plan that is taken back.

Each change says from which line, at which quantity and version, to what, from when, and what holds it back. Nothing is
derived from anything but what was read: a change whose evidence is gone cannot be made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from trueup.domain.billing import Agreement, AgreementState, Line, LineId, WriteOutcome
from trueup.domain.canonical import decimal_text, sha256
from trueup.domain.counts import Known, Seats, whole_seats
from trueup.domain.effective import (
    AS_THE_PSA_DOES,
    Effect,
    EffectiveRule,
    EffectiveWish,
    NextInvoiceLine,
    PsaCapabilities,
    default_effect,
    effect_of,
    next_invoice_line,
)
from trueup.domain.errors import InputInvalid, PlanNotReady
from trueup.domain.guards import GuardPolicy, Hold, Proposal, holds_for
from trueup.domain.legs import monthly_difference
from trueup.domain.plan import Change, ChangeKind, Plan
from trueup.domain.verdicts import Reconciliation, Row, Verdict


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What plans of one tenant and one connected PSA have in common.

    ``on`` is the MSP's day, ``wish`` from when a person wants the changes to count. ``psa_system`` is the PSA whose
    lines they are (Integration.system).
    """

    tenant: str
    period: str
    on: date
    policy: GuardPolicy
    capabilities: PsaCapabilities
    wish: EffectiveWish = AS_THE_PSA_DOES
    psa_system: str = ""


def build_plan(
    reconciliation: Reconciliation,
    *,
    terms: PlanTerms,
    run_id: str,
    created_at: datetime,
    read_ages_hours: Iterable[Decimal],
    snapshots: tuple[str, ...],
    prepared_by: str,
) -> Plan:
    """A plan of the rows that a changed quantity corrects; everything else is left to a person."""
    ages = tuple(read_ages_hours)
    changes = [
        change
        for row in reconciliation.rows
        if row.verdict in {Verdict.BILL_MORE, Verdict.BILL_LESS}
        for change in _changes(row, terms, ages)
    ]
    return _named(
        Plan(
            id="",
            tenant=terms.tenant,
            period=reconciliation.period,
            run_id=run_id,
            created_at=created_at,
            changes=tuple(sorted(changes, key=lambda change: change.id)),
            snapshots=snapshots,
            prepared_by=prepared_by,
            psa_system=terms.psa_system,
        )
    )


def _named(draft: Plan) -> Plan:
    return replace(draft, id=f"plan-{draft.period}-{draft.checksum[:12]}")


def _changes(row: Row, terms: PlanTerms, ages: tuple[Decimal, ...]) -> Iterator[Change]:
    agreement = row.counts.agreement
    assert isinstance(agreement, Known)
    if row.line is not None and row.agreement is not None:
        yield _change(row, row.line, row.agreement, int(agreement.seats), terms, ages)
    for share in row.shares:
        if share.line.quantity != share.target:
            siblings = tuple(sorted(other.line.id for other in row.shares if other is not share))
            change = _change(row, share.line, share.agreement, share.target, terms, ages)
            yield replace(change, siblings=siblings)


def _change(
    row: Row, line: Line, terms_of: Agreement, target: int, terms: PlanTerms, ages: tuple[Decimal, ...]
) -> Change:
    agreement = row.counts.agreement
    assert isinstance(agreement, Known) and row.psa_account_id is not None
    effect = effect_of(terms.wish, terms.capabilities, terms_of, terms.on)
    expected, version = _expected(line, effect, terms)
    evidence = sha256(
        {
            "agreement": [[piece.source, piece.key, piece.reference, piece.seats] for piece in agreement.evidence],
            "seats": agreement.seats,
            "basis": agreement.basis,
            "line": [line.id, line.quantity, line.version],
        }
    )
    counts_from = [] if effect.rule is EffectiveRule.NOW else [effect.day or effect.rule]
    identity = sha256([terms.period, line.agreement_id, line.id, expected, version, target, *counts_from])
    return Change(
        id=f"chg-{identity[:12]}",
        row_id=row.id,
        vendor_ids=tuple(sorted({str(member.vendor_id) for member in row.members})),
        psa_account_id=row.psa_account_id,
        psa_account_name=row.psa_account_name,
        agreement_id=line.agreement_id,
        agreement_name=terms_of.name,
        line_id=line.id,
        product_id=line.product_id,
        product_code=line.product_code,
        expected=expected,
        expected_version=version,
        target=Seats(target),
        effective=effect.day,
        monthly_money=monthly_difference(line, target),
        currency=row.currency,
        reasons=row.reasons,
        evidence=evidence,
        holds=holds_for(
            row,
            Proposal(line, expected, target, effect),
            policy=terms.policy,
            read_ages_hours=ages,
        ),
        effective_rule=effect.rule,
        next_invoice=next_invoice_line(line, terms_of, target, effect),
    )


def _expected(line: Line, effect: Effect, terms: PlanTerms) -> tuple[Decimal, str]:
    """What the line bills on the day the change counts from, and the version that goes with it.

    The version is of the quantity that counts by the PSA's default; another day has none that was read.
    """
    if effect.day is None or not line.steps:
        return line.quantity, line.version
    begun = [step for step in line.steps if step.starts_on <= effect.day]
    quantity = begun[-1].quantity if begun else line.quantity
    default = default_effect(terms.capabilities, terms.on)
    return quantity, line.version if effect.day == default.day else ""


def line_to_create(row: Row, agreement: Agreement, *, product_name: str, terms: PlanTerms) -> Change:
    """A change that makes the missing line of a new-revenue row on an agreement a person chose.

    Raises PlanNotReady for a row that lacks no line or a PSA where no line can be made, InputInvalid (``agreement``)
    for an agreement of another client or one that is not active.
    """
    seats = row.counts.agreement
    if row.verdict is not Verdict.NEW_REVENUE or not isinstance(seats, Known) or row.product_id is None:
        raise PlanNotReady(
            f"row {row.id} lacks no line: {row.verdict.words}", remedy="Name a row whose verdict is new revenue."
        )
    if not terms.capabilities.creates_lines:
        raise PlanNotReady(
            "lines cannot be made in the connected PSA from here",
            remedy=f"Make the line there with {seats.seats} seats, and run again.",
        )
    if agreement.account_id != row.psa_account_id:
        raise InputInvalid(
            f"agreement {agreement.id} is not of client {row.psa_account_id}",
            field="agreement",
            remedy="Choose an agreement of the same client.",
        )
    if agreement.state is not AgreementState.ACTIVE:
        raise InputInvalid(
            f"agreement {agreement.id} is {agreement.state.value}",
            field="agreement",
            remedy="Choose an active agreement.",
        )
    assert row.psa_account_id is not None
    effect = effect_of(terms.wish, terms.capabilities, agreement, terms.on)
    holds: tuple[Hold, ...] = ()
    if effect.refusal:
        words = f"a person accepts that it counts by the rule {effect.rule.value.replace('_', ' ')}"
        holds = (Hold("date_not_possible", effect.refusal, words),)
    identity = sha256([terms.period, agreement.id, "new line", row.product_id, seats.seats])
    return Change(
        id=f"chg-{identity[:12]}",
        row_id=row.id,
        vendor_ids=tuple(sorted({str(member.vendor_id) for member in row.members})),
        psa_account_id=row.psa_account_id,
        psa_account_name=row.psa_account_name,
        agreement_id=agreement.id,
        agreement_name=agreement.name,
        line_id=LineId(""),
        product_id=row.product_id,
        product_code=row.product_code,
        expected=Decimal(0),
        expected_version="",
        target=seats.seats,
        effective=effect.day,
        monthly_money=row.monthly_money,
        currency=row.currency,
        reasons=(f"a new line for {product_name or row.product_code} on {agreement.name}", *row.reasons),
        evidence=sha256([[piece.source, piece.key, piece.reference, piece.seats] for piece in seats.evidence]),
        holds=holds,
        kind=ChangeKind.CREATE_LINE,
        effective_rule=effect.rule,
        next_invoice=NextInvoiceLine(agreement.next_invoice_on, int(seats.seats), row.monthly_money),
    )


def undo_plan(
    plan: Plan, change_ids: Sequence[str], *, reason: str, terms: PlanTerms, created_at: datetime, prepared_by: str
) -> Plan:
    """A plan that takes back what that plan wrote: all of it, or the named changes.

    Each line goes back to its old quantity if it still has the written one; what was not written is not taken back.
    Raises PlanNotReady when nothing was written, when another PSA is connected now, or for a change that cannot be
    taken back by a program, each with the reason.
    """
    plan.require_psa(terms.psa_system)
    wanted = [plan.change(change_id) for change_id in change_ids] or list(plan.changes)
    changes = []
    for change in wanted:
        result = plan.result(change.id)
        if result is None or result.outcome is not WriteOutcome.APPLIED:
            if change_ids:
                raise PlanNotReady(f"change {change.id} was not written", remedy="There is nothing to take back.")
            continue
        changes.append(_undoing(plan, change, result.line_id, terms, reason))
    if not changes:
        raise PlanNotReady(f"plan {plan.id} has written nothing", remedy="There is nothing to take back.")
    return _named(
        Plan(
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
    )


def _undoing(plan: Plan, change: Change, made: LineId | None, terms: PlanTerms, reason: str) -> Change:
    if change.kind is ChangeKind.CREATE_LINE:
        raise PlanNotReady(
            f"change {change.id} made a line, and lines are not taken away by a program",
            remedy="End the line in the PSA.",
        )
    if made is not None and change.effective is not None and change.effective > terms.on:
        raise PlanNotReady(
            f"change {change.id} counts from {change.effective} by a line of its own, which has not begun",
            remedy="Take it back in the PSA, or wait until it has begun.",
        )
    try:
        target = whole_seats(change.expected)
    except InputInvalid as fraction:
        raise PlanNotReady(
            f"change {change.id} was from {decimal_text(change.expected)}, which is no number of seats",
            remedy="Set the line back in the PSA.",
        ) from fraction
    default = default_effect(terms.capabilities, terms.on)
    rule, day = default.rule, default.day
    if day is not None and change.effective is not None and change.effective > terms.on:
        # The difference is taken back from the very day it counts from, so that no period keeps it.
        rule, day = change.effective_rule, change.effective
    identity = sha256([terms.period, plan.id, change.id, "undo"])
    return replace(
        change,
        id=f"chg-{identity[:12]}",
        line_id=made or change.line_id,
        expected=Decimal(change.target),
        expected_version="",
        target=target,
        effective=day,
        effective_rule=rule,
        monthly_money=None if change.monthly_money is None else -change.monthly_money,
        reasons=(f"takes back {change.target} to {target}: {reason}",),
        holds=(),
        release=None,
        next_invoice=None,
        undoes=f"{plan.id}/{change.id}",
    )
