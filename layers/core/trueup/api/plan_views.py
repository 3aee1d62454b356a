"""Plans as people and programs are shown them: each change with its guard, its date, its next invoice, its result."""

from __future__ import annotations

from decimal import Decimal

from trueup.api.views import View, money_text, time_text
from trueup.domain.billing import WriteOutcome
from trueup.domain.canonical import decimal_text
from trueup.domain.plan import Change, Plan
from trueup.usecases.plan_undo import ProposedUndo


def change_view(plan: Plan, change: Change) -> View:
    """``effective`` is from when it counts: a day, ``now`` or ``next_invoice``. ``next_invoice`` is what the line will
    say on its next invoice; its day and amount are null where the PSA tells none.
    """
    result = plan.result(change.id)
    return {
        "id": change.id,
        "kind": change.kind.value,
        "row_id": change.row_id,
        "line_id": change.line_id or None,
        "from": _quantity(change.expected),
        "to": change.target,
        "effective": change.effective_text,
        "effective_rule": change.effective_rule.value,
        "next_invoice": _next_invoice_view(change),
        "guard": _guard_view(change),
        "monthly_money": money_text(change.monthly_money),
        "currency": change.currency,
        "vendor_account_ids": list(change.vendor_ids),
        "psa_account_id": change.psa_account_id,
        "psa_account_name": change.psa_account_name,
        "agreement_id": change.agreement_id,
        "agreement_name": change.agreement_name,
        "product_id": change.product_id,
        "product_code": change.product_code,
        "sibling_line_ids": list(change.siblings),
        "undoes": change.undoes or None,
        "added_by": change.added_by or None,
        "reasons": list(change.reasons),
        "result": None
        if result is None
        else {
            "outcome": result.outcome.value,
            "reason": result.reason,
            "at": time_text(result.at),
            "quantity_seen": None if result.quantity_seen is None else _quantity(result.quantity_seen),
            "line_id": result.line_id,
        },
    }


def _next_invoice_view(change: Change) -> View | None:
    invoice = change.next_invoice
    if invoice is None:
        return None
    return {
        "on": None if invoice.on is None else invoice.on.isoformat(),
        "quantity": invoice.quantity,
        "amount": money_text(invoice.amount),
    }


def _quantity(quantity: Decimal) -> int | str:
    """Whole quantities as numbers; a fraction as text, so that no program rounds it."""
    return int(quantity) if quantity == quantity.to_integral_value() else decimal_text(quantity)


def _guard_view(change: Change) -> View | None:
    if not change.holds:
        return None
    release = change.release
    return {
        "state": "held" if release is None else "released",
        "name": change.holds[0].guard,
        "holds": [{"name": hold.guard, "figures": hold.figures, "release": hold.release} for hold in change.holds],
        "released": None
        if release is None
        else {"by": release.by, "at": time_text(release.at), "reason": release.reason},
    }


def plan_view(plan: Plan) -> View:
    return {
        "id": plan.id,
        "checksum": plan.checksum,
        "state": plan.state.value,
        "period": plan.period,
        "psa_system": plan.psa_system or None,
        "run_id": plan.run_id,
        "created_at": time_text(plan.created_at),
        "prepared_by": plan.prepared_by,
        "approved_by": plan.approved_by or None,
        "approved_at": time_text(plan.approved_at),
        "changes": [change_view(plan, change) for change in plan.changes],
        "totals": plan_totals_view(plan),
    }


def undo_view(undo: ProposedUndo) -> View:
    """The plan that takes another back, what of that one stays and why, and the open plan it takes the place of."""
    return {
        "plan": plan_view(undo.plan),
        "left_out": [{"change_id": change_id, "reason": reason} for change_id, reason in undo.left_out],
        "superseded_plan_id": undo.superseded or None,
    }


def plan_totals_view(plan: Plan) -> View:
    money: dict[str, Decimal] = {}
    for change in plan.ready:
        if change.monthly_money is not None:
            money[change.currency] = money.get(change.currency, Decimal(0)) + change.monthly_money
    return {
        "changes": len(plan.changes),
        "ready": len(plan.ready),
        "held": len(plan.held),
        "results": {
            outcome.value: sum(1 for result in plan.results if result.outcome is outcome) for outcome in WriteOutcome
        },
        "monthly_money": {currency: money_text(amount) for currency, amount in sorted(money.items())},
    }
