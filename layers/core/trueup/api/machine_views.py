"""What machines are shown, and what people are shown of machines: keys without their secret, callbacks, one client."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from trueup.api.plan_views import plan_totals_view
from trueup.api.views import View, count_view, row_view, time_text, totals_view
from trueup.domain.api_keys import ApiKey
from trueup.domain.callbacks import RegisteredCallback
from trueup.domain.counts import Count, Known
from trueup.domain.plan import Plan
from trueup.domain.verdicts import Row
from trueup.usecases.client_counts import ClientCounts


def api_key_view(key: ApiKey) -> View:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(scope.value for scope in key.scopes),
        "calls_a_minute": key.calls_a_minute,
        "created_at": time_text(key.created_at),
        "created_by": key.created_by,
        "revoked_at": time_text(key.revoked_at),
        "revoked_by": key.revoked_by or None,
    }


def callback_view(callback: RegisteredCallback) -> View:
    return {
        "id": callback.id,
        "subject": callback.subject,
        "description": callback.description,
        "url": callback.url,
        "active": callback.active,
    }


def client_view(counts: ClientCounts) -> View:
    """One client as the reads say now: three counts a row with basis and age, the verdict in words, money."""
    return {
        "psa_account_id": counts.account.id,
        "psa_account_name": counts.account.name,
        "deleted": counts.account.deleted,
        "period": counts.found.period,
        "at": time_text(counts.at),
        "vendor_read_at": time_text(counts.vendor_read_at),
        "psa_read_at": time_text(counts.psa_read_at),
        "licenses_read_at": time_text(counts.licenses_read_at),
        "in_line": all(not row.verdict.is_exception for row in counts.found.rows),
        "rows": [_client_row(row, counts.at) for row in counts.found.rows],
        "totals": totals_view(counts.found.totals),
    }


def _client_row(row: Row, at: datetime) -> View:
    legs = {"agreement": row.counts.agreement, "licensed": row.counts.licensed, "billed": row.counts.billed}
    return {
        **row_view(row),
        "verdict_words": row.verdict.words,
        "counts": {name: {**count_view(count), "age_hours": _age_hours(count, at)} for name, count in legs.items()},
    }


def _age_hours(count: Count, at: datetime) -> str | None:
    """How old the count is, in hours with one decimal; None where there is none."""
    if not isinstance(count, Known):
        return None
    return str(Decimal((at - count.as_of) / timedelta(hours=1)).quantize(Decimal("0.1")))


def plan_summary_view(plan: Plan) -> View:
    """A plan without its changes: what a rule needs to tell people, and to approve."""
    return {
        "id": plan.id,
        "checksum": plan.checksum,
        "state": plan.state.value,
        "period": plan.period,
        "run_id": plan.run_id,
        "created_at": time_text(plan.created_at),
        "prepared_by": plan.prepared_by,
        "approved_by": plan.approved_by or None,
        "approved_at": time_text(plan.approved_at),
        "totals": plan_totals_view(plan),
    }
