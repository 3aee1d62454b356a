"""Making a plan: from the rows of a comparison, and with a line that a person asks for.

Each change says from which line, at which quantity and version, to what, from when, and what holds it back. Nothing is
derived from anything but what was read: a change whose evidence is gone cannot be made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from trueup.domain.billing import Agreement, AgreementState, Line, LineId
from trueup.domain.canonical import sha256
from trueup.domain.counts import Known, Seats
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
from trueup.domain.guards import GuardPolicy, Proposal, holds_for, holds_for_new_line
from trueup.domain.legs import monthly_difference
from trueup.domain.plan import Change, ChangeKind, Plan
from trueup.domain.verdicts import LineShare, Reconciliation, Row, Verdict


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
        change for row in reconciliation.rows if row.verdict.is_billing_change for change in _changes(row, terms, ages)
    ]
    return named(
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


def named(draft: Plan) -> Plan:
    """The plan with its id, which is made of the period and the checksum it has now."""
    return replace(draft, id=f"plan-{draft.period}-{draft.checksum[:12]}")


def _changes(row: Row, terms: PlanTerms, ages: tuple[Decimal, ...]) -> Iterator[Change]:
    """The changes of one row; none for a line that has the wanted quantity on the day it would count from."""
    wanted = row.to_bill
    assert isinstance(wanted, Known)
    if row.line is not None and row.agreement is not None:
        effect = effect_of(terms.wish, terms.capabilities, row.agreement, terms.on)
        change = _change(row, row.line, row.agreement, int(wanted.seats), effect, terms, ages)
        if change.expected != change.target:
            yield change
    for share in row.shares:
        siblings = tuple(sorted(other.line.id for other in row.shares if other is not share))
        effect = _effect_of_share(share, terms)
        change = _change(row, share.line, share.agreement, share.target, effect, terms, ages)
        if change.expected != change.target:
            yield replace(change, siblings=siblings)


def _effect_of_share(share: LineShare, terms: PlanTerms) -> Effect:
    """A division names its lines, so a dated change that would put another line in the place of one is not made."""
    effect = effect_of(terms.wish, terms.capabilities, share.agreement, terms.on)
    if effect.day is None or not terms.capabilities.dated_change_makes_line:
        return effect
    refusal = f"line {share.line.id} is one of several that the seats are divided among, and a dated change replaces it"
    return replace(default_effect(terms.capabilities, terms.on, share.agreement), refusal=refusal)


def _change(
    row: Row,
    line: Line,
    terms_of: Agreement,
    target: int,
    effect: Effect,
    terms: PlanTerms,
    ages: tuple[Decimal, ...],
) -> Change:
    wanted = row.to_bill
    assert isinstance(wanted, Known) and row.psa_account_id is not None
    expected, version = _expected(line, terms_of, effect, terms)
    evidence = sha256(
        {
            # The name of the key stays, whichever count it is: old plans keep their checksums.
            "agreement": [[piece.source, piece.key, piece.reference, piece.seats] for piece in wanted.evidence],
            "seats": wanted.seats,
            "basis": wanted.basis,
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
        service_ids=_service_ids(row),
    )


def _service_ids(row: Row) -> tuple[str, ...]:
    return tuple(sorted({str(member.service_id) for member in row.members if member.service_id}))


def _expected(line: Line, agreement: Agreement, effect: Effect, terms: PlanTerms) -> tuple[Decimal, str]:
    """What the line bills on the day the change counts from, and the version that goes with it.

    The version is of the quantity that counts by the PSA's default; another day has none that was read.
    """
    if effect.day is None or not line.steps:
        return line.quantity, line.version
    begun = [step for step in line.steps if step.starts_on <= effect.day]
    quantity = begun[-1].quantity if begun else line.quantity
    default = default_effect(terms.capabilities, terms.on, agreement)
    return quantity, line.version if effect.day == default.day else ""


def line_to_create(
    row: Row, agreement: Agreement, *, product_name: str, added_by: str, psa_read_at: datetime, terms: PlanTerms
) -> Change:
    """A change that makes the missing line of a new-revenue row on an agreement that ``added_by`` chose.

    Raises PlanNotReady for a row that lacks no line or a PSA where no line can be made, InputInvalid (``agreement``)
    for an agreement of another client or one that is not active.
    """
    seats = row.to_bill
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
    state = agreement.state_on(terms.on)
    if state is not AgreementState.ACTIVE:
        raise InputInvalid(
            f"agreement {agreement.id} is {state.value}",
            field="agreement",
            remedy="Choose an active agreement.",
        )
    assert row.psa_account_id is not None
    effect = effect_of(terms.wish, terms.capabilities, agreement, terms.on)
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
        holds=holds_for_new_line(row, effect, psa_read_at=psa_read_at),
        kind=ChangeKind.CREATE_LINE,
        effective_rule=effect.rule,
        next_invoice=_first_invoice(agreement, int(seats.seats), row.monthly_money, effect),
        service_ids=_service_ids(row),
        added_by=added_by,
    )


def _first_invoice(agreement: Agreement, seats: int, money: Decimal | None, effect: Effect) -> NextInvoiceLine:
    """A line that begins after the next invoice is not on it."""
    on = agreement.next_invoice_on
    if effect.day is not None and on is not None and on < effect.day:
        return NextInvoiceLine(on, 0, Decimal(0))
    return NextInvoiceLine(on, seats, money)
