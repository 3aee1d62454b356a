"""What people and programs are shown: one JSON shape for each thing, the same over HTTP and from the command line.

Money is a decimal in a string, seats are whole numbers, times are ISO 8601 in UTC, and absence is null with a reason
beside it, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from trueup.api.former_views import former_view
from trueup.domain.audit import AuditEvent
from trueup.domain.billing import Agreement, Product, PsaAccount
from trueup.domain.canonical import decimal_text
from trueup.domain.counts import Count, Known
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.integrations import CREDENTIAL_FIELDS, DEFAULT_ADDRESS, Integration, IntegrationName
from trueup.domain.mapping import AccountEntry, Decision, MappingTotals, ServiceEntry
from trueup.domain.matching import Suggestion
from trueup.domain.runs import Run
from trueup.domain.uploads import Upload
from trueup.domain.verdicts import OpenAccount, OrderNeed, Reconciliation, Row, Totals

View = dict[str, Any]


def time_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def money_text(amount: Decimal | None) -> str | None:
    """Two decimals at least, more only where the price has them: ``21.25``, ``0.00``, ``0.0625``."""
    if amount is None:
        return None
    exact = decimal_text(amount)
    if "." in exact and len(exact.split(".")[1]) > 2:
        return exact
    return format(amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP), "f")


def count_view(count: Count) -> View:
    if isinstance(count, Known):
        return {
            "state": count.state,
            "seats": count.seats,
            "basis": count.basis.value,
            "as_of": time_text(count.as_of),
            "reason": count.conflict,
            "evidence": [
                {"source": piece.source, "key": piece.key, "reference": piece.reference, "seats": piece.seats}
                for piece in count.evidence
            ],
        }
    return {"state": count.state, "seats": None, "basis": None, "as_of": None, "reason": count.reason, "evidence": []}


def row_view(row: Row) -> View:
    first = row.members[0] if row.members else None
    return {
        "id": row.id,
        "vendor_account_id": first.vendor_id if first else None,
        "vendor_account_name": first.vendor_name if first else None,
        "psa_account_id": row.psa_account_id,
        "psa_account_name": row.psa_account_name or None,
        "service_id": (first.service_id or None) if first else None,
        "service_name": (first.service_name or None) if first else None,
        "product_id": row.product_id,
        "product_code": row.product_code or None,
        "members": [
            {
                "vendor_account_id": member.vendor_id,
                "vendor_account_name": member.vendor_name,
                "service_id": member.service_id or None,
                "count": count_view(member.count),
            }
            for member in row.members
        ],
        "counts": {
            "agreement": count_view(row.counts.agreement),
            "licensed": count_view(row.counts.licensed),
            "billed": count_view(row.counts.billed),
        },
        "bill_target": row.bill_target,
        "bill_basis": row.to_bill.basis.value
        if isinstance(row.to_bill, Known) and row.bill_target is not None
        else None,
        "order": order_need_view(row.order),
        "verdict": row.verdict.value,
        "monthly_money": money_text(row.monthly_money),
        "currency": row.currency,
        "reasons": list(row.reasons),
        "line_id": row.line.id if row.line else None,
        "agreement_id": row.agreement.id if row.agreement else None,
        "agreement_name": row.agreement.name if row.agreement else None,
        "shares": [
            {
                "line_id": share.line.id,
                "agreement_id": share.agreement.id,
                "billed": decimal_text(share.line.quantity),
                "target": share.target,
            }
            for share in row.shares
        ],
        "line_steps": [
            {"starts_on": step.starts_on.isoformat(), "quantity": decimal_text(step.quantity)}
            for step in (row.line.steps if row.line else ())
        ],
        "agreement_choices": [agreement_view(agreement) for agreement in row.choices],
    }


def order_need_view(need: OrderNeed | None) -> View | None:
    """What to order from the vendor; ``obstacle`` is why no change order can be drafted from it, or null."""
    if need is None:
        return None
    return {
        "vendor_account_id": need.vendor_id,
        "service_id": need.service_id or None,
        "agreement": need.agreement,
        "target": need.target,
        "delta": need.delta,
        "words": need.words,
        "obstacle": need.obstacle or None,
    }


def agreement_view(agreement: Agreement) -> View:
    """An agreement that a missing line could be made on."""
    return {
        "agreement_id": agreement.id,
        "agreement_name": agreement.name,
        "type_name": agreement.type_name or None,
        "prorates": agreement.prorates,
        "next_invoice_on": None if agreement.next_invoice_on is None else agreement.next_invoice_on.isoformat(),
        "ends_on": None if agreement.ends_on is None else agreement.ends_on.isoformat(),
    }


def totals_view(totals: Totals) -> View:
    money: dict[str, dict[str, str | None]] = {}
    for currency, verdict, amount in totals.money:
        money.setdefault(currency, {})[verdict.value] = money_text(amount)
    return {
        "rows": totals.rows,
        "verdicts": {verdict.value: count for verdict, count in totals.verdicts},
        "accounts": mapping_totals_view(totals.accounts),
        "seats": {
            "agreement": totals.agreement_seats,
            "licensed": totals.licensed_seats,
            "billed": totals.billed_seats,
            "order_more": totals.order_more_seats,
            "order_less": totals.order_less_seats,
        },
        "monthly_money": money,
        "leakage": {
            currency: {"not_billed": money_text(missed), "billed_too_much": money_text(excess)}
            for currency, missed, excess in totals.leakage
        },
        "rows_without_price": totals.rows_without_price,
    }


def mapping_totals_view(totals: MappingTotals) -> View:
    return {
        "all": totals.all,
        "mapped": totals.mapped,
        "excluded": totals.excluded,
        "ambiguous": totals.ambiguous,
        "unmapped": totals.unmapped,
    }


def _open_view(account: OpenAccount, entries: Mapping[str, AccountEntry]) -> View:
    entry = entries.get(account.vendor_id)
    suggestions = entry.suggestions if entry is not None else ()
    return {
        "vendor_account_id": account.vendor_id,
        "vendor_account_name": account.vendor_name,
        "reason": account.reason,
        "suggestions": [_suggestion_view(item) for item in suggestions],
    }


def _suggestion_view(item: Suggestion) -> View:
    return {
        "psa_account_id": item.psa_id,
        "psa_account_name": item.psa_name,
        "score": item.score,
        "reasons": list(item.reasons),
    }


def reconciliation_view(found: Reconciliation, entries: Iterable[AccountEntry] = ()) -> View:
    by_id = {str(entry.vendor_id): entry for entry in entries}
    return {
        "period": found.period,
        "rows": [row_view(row) for row in found.rows],
        "unmapped": [_open_view(account, by_id) for account in found.unmapped],
        "excluded": [
            {
                "vendor_account_id": account.vendor_id,
                "vendor_account_name": account.vendor_name,
                "reason": account.reason,
                "by": account.by,
            }
            for account in found.excluded
        ],
        "ambiguous": [_open_view(account, by_id) for account in found.ambiguous],
        "totals": totals_view(found.totals),
    }


def _decision_view(decision: Decision | None) -> View | None:
    if decision is None:
        return None
    return {
        "by": decision.by,
        "at": time_text(decision.at),
        "rule": decision.rule.value,
        "reason": decision.reason,
        "replaced": decision.replaced or None,
        "owner": decision.owner or None,
        "review_on": decision.review_on.isoformat() if decision.review_on is not None else None,
    }


def account_view(entry: AccountEntry) -> View:
    return {
        "vendor_account_id": entry.vendor_id,
        "vendor_account_name": entry.vendor_name,
        "status": entry.account_state.value,
        "status_text": entry.status_text or None,
        "mapping": entry.state.value,
        "psa_account_id": entry.psa_id,
        "psa_account_name": entry.psa_name or None,
        "psa": entry.psa_integration or None,
        "former": [former_view(one) for one in entry.former],
        "decision": _decision_view(entry.decision),
        "ambiguity": entry.ambiguity or None,
        "warnings": list(entry.warnings),
        "suggestions": [_suggestion_view(item) for item in entry.suggestions],
        "absent_runs": entry.absent_runs,
        "version": entry.version,
    }


def service_view(entry: ServiceEntry) -> View:
    return {
        "service_id": entry.service_id,
        "service_name": entry.name,
        "kind": entry.kind.value,
        "mapping": entry.state.value,
        "product_id": entry.product_id,
        "product_code": entry.product_code or None,
        "product_name": entry.product_name or None,
        "accounts": entry.accounts_counted,
        "is_per_user": entry.is_per_user,
        "psa": entry.psa_integration or None,
        "former": [former_view(one) for one in entry.former],
        "decision": _decision_view(entry.decision),
        "version": entry.version,
    }


def psa_account_view(account: PsaAccount) -> View:
    return {
        "psa_account_id": account.id,
        "psa_account_name": account.name,
        "identifier": account.identifier or None,
        "status_text": account.status_text or None,
    }


def product_view(product: Product) -> View:
    return {
        "product_id": product.id,
        "product_code": product.code,
        "product_name": product.name,
        "price": money_text(product.price),
        "cost": money_text(product.cost),
        "inactive": product.inactive,
    }


def integration_view(integration: Integration) -> View:
    report = integration.report
    return {
        "name": integration.name.value,
        "label": integration.name.label,
        "side": integration.name.side.value,
        "state": integration.state.value,
        "address": integration.address or None,
        "default_address": DEFAULT_ADDRESS.get(integration.name),
        "settings": dict(integration.settings),
        "identifier_tail": integration.identifier_tail or None,
        "checked_at": time_text(integration.checked_at),
        "cause": integration.cause or None,
        "fix": integration.fix or None,
        "identity": report.identity if report else None,
        "capabilities": [
            {
                "name": capability.name,
                "granted": capability.granted,
                "permission": capability.permission,
                "detail": capability.detail or None,
            }
            for capability in (report.capabilities if report else ())
        ],
        "notes": list(report.notes) if report else [],
        "changes_count": _changes_count_view(integration.name),
        "fields": [
            {"name": field.name, "label": field.label, "secret": field.secret, "where": field.where}
            for field in CREDENTIAL_FIELDS[integration.name]
        ],
        "finished_at": time_text(integration.finished_at),
        "credential_ends_on": integration.credential_ends_on.isoformat() if integration.credential_ends_on else None,
        "version": integration.version,
    }


def _changes_count_view(name: IntegrationName) -> View | None:
    """From when changes count in that PSA, and what else may be asked for; None for a vendor."""
    capabilities = PSA_CAPABILITIES.get(name)
    if capabilities is None:
        return None
    offered = sorted(rule.value for rule in capabilities.rules)
    return {"default": capabilities.default_rule.value, "offered": offered, "is_written": capabilities.takes_writes}


def customer_file_view(name: IntegrationName, upload: Upload | None) -> View:
    """What is known of the file that is kept, without a name that is in it."""
    return {
        "integration": name.value,
        "kept": upload is not None,
        "rows": upload.rows if upload else None,
        "uploaded_at": time_text(upload.uploaded_at) if upload else None,
        "uploaded_by": upload.uploaded_by if upload else None,
    }


def run_view(run: Run) -> View:
    return {
        "id": run.id,
        "period": run.period,
        "state": run.state.value,
        "step": run.step.value,
        "started_at": time_text(run.started_at),
        "started_by": run.started_by,
        "updated_at": time_text(run.updated_at),
        "ended_at": time_text(run.ended_at),
        "sides": [
            {
                "side": side.side.value,
                "pages": side.pages,
                "accounts": side.accounts,
                "accounts_total": side.accounts_total,
                "done": side.done,
                "failed": side.failed,
                "problem": {"detail": side.problem, "remedy": side.remedy} if side.problem else None,
            }
            for side in run.sides
        ],
        "accept_drop": run.accept_drop,
        "effective": run.effective or None,
        "plan_id": run.plan_id or None,
        "plan_checksum": run.plan_checksum or None,
        "problem": None
        if not run.problem_code
        else {"code": run.problem_code, "detail": run.problem, "remedy": run.remedy},
    }


def event_view(event: AuditEvent) -> View:
    audit = event.audit
    return {
        "number": event.number,
        "at": time_text(audit.at),
        "actor": audit.actor,
        "action": audit.action,
        "subject": audit.subject,
        "before": audit.before or None,
        "after": audit.after or None,
        "why": audit.why or None,
        "evidence": audit.evidence or None,
        "run_id": audit.run_id or None,
        "hash": event.hash,
    }
