"""A plan as a table for a spreadsheet: every change with from when it counts, its next invoice line and its result."""

from __future__ import annotations

from trueup.api.spreadsheets import csv_table
from trueup.api.views import money_text
from trueup.domain.canonical import decimal_text
from trueup.domain.plan import Change, Plan

PLAN_COLUMNS = (
    "change_id",
    "kind",
    "client_id",
    "client",
    "agreement_id",
    "agreement",
    "line_id",
    "product_code",
    "from",
    "to",
    "counts_from",
    "next_invoice_on",
    "next_invoice_quantity",
    "next_invoice_amount",
    "monthly_money",
    "currency",
    "guard",
    "undoes",
    "added_by",
    "outcome",
    "outcome_reason",
    "reasons",
)


def plan_csv(plan: Plan) -> str:
    """One line a change, in the plan's order. What is not known is an empty cell."""
    return csv_table(PLAN_COLUMNS, (_cells(plan, change) for change in plan.changes))


def _cells(plan: Plan, change: Change) -> tuple[str, ...]:
    result, invoice = plan.result(change.id), change.next_invoice
    names = ", ".join(hold.guard for hold in change.holds)
    guard = names and f"{'held' if change.is_held else 'released'}: {names}"
    return (
        change.id,
        change.kind.value,
        change.psa_account_id,
        change.psa_account_name,
        change.agreement_id,
        change.agreement_name,
        (result.line_id if result is not None else None) or change.line_id,
        change.product_code,
        decimal_text(change.expected),
        str(change.target),
        change.effective_text,
        "" if invoice is None or invoice.on is None else invoice.on.isoformat(),
        "" if invoice is None else str(invoice.quantity),
        "" if invoice is None else money_text(invoice.amount) or "",
        money_text(change.monthly_money) or "",
        change.currency,
        guard,
        change.undoes,
        change.added_by,
        "" if result is None else result.outcome.value,
        "" if result is None else result.reason,
        "; ".join(change.reasons),
    )
