"""The proof at the end of a demo: each line that was written, asked of the PSA itself, in that PSA's own way.

Must not: use an adapter of the product, because what is asked here is held against what the product says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import requests

from local.cli.output import Cell, Column, Output, shown
from local.cli.tables import plural
from local.simulators import credentials
from local.simulators.psas import SimulatedPsa
from trueup.domain.billing import WriteOutcome
from trueup.domain.plan import Change, Plan

_ANSWER_SECONDS = 10.0


class PsaAnswerMissing(RuntimeError):
    """The simulator did not answer as it must; the message says with what."""


@dataclass(frozen=True, slots=True)
class AskedLine:
    """Where one line is. ``on`` is the day its quantity is asked for, where the PSA keeps quantities by date."""

    agreement_id: str
    line_id: str
    on: date


def written(plan: Plan) -> tuple[Change, ...]:
    """The changes of a plan that are said to stand in the PSA now."""
    outcomes = {WriteOutcome.APPLIED, WriteOutcome.ALREADY}
    results = ((change, plan.result(change.id)) for change in plan.changes)
    return tuple(change for change, result in results if result is not None and result.outcome in outcomes)


def prove(plans: Sequence[Plan], psa: SimulatedPsa, url: str, stage: Output) -> tuple[int, int]:
    """Ask for every line that these plans wrote and show what is there. How many were asked for, and how many differ.

    The plans come the oldest first: a line that two of them wrote must be what the newer one says.
    """
    newest = {str(change.line_id): (plan, change) for plan in plans for change in written(plan)}
    rows: list[list[str | Cell]] = []
    wrong = 0
    for plan, change in newest.values():
        quantity = quantity_at(psa, url, _asked(plan, change))
        right = quantity == float(change.target)
        wrong += not right
        rows.append([
            str(change.line_id), shown(change.psa_account_name, 34), shown(change.product_code, 16),
            f"{change.expected.normalize():f}", str(change.target), f"{quantity:g}",
            Cell("✓ as approved", "green") if right else Cell("✗ different", "red"),
        ])  # fmt: skip
    columns = [Column("Line"), Column("Client", "name"), Column("Product", "name"), Column("Was", "number"),
               Column("Approved", "number"), Column(f"{psa.label} says", "number"), Column("")]  # fmt: skip
    stage.table(columns, rows)
    if wrong:
        stage.line(f"{plural(wrong, 'line differs', 'lines differ')} from what was approved.", "red")
    return len(rows), wrong


def quantity_at(psa: SimulatedPsa, url: str, line: AskedLine) -> float:
    """The quantity that the PSA at this address has on a line. Raises PsaAnswerMissing."""
    return _ASK[psa.name](url, line)


def _asked(plan: Plan, change: Change) -> AskedLine:
    """A dated change may have made another line, which its result names."""
    result = plan.result(change.id)
    line_id = change.line_id if result is None or result.line_id is None else result.line_id
    return AskedLine(str(change.agreement_id), str(line_id), change.effective or datetime.now(UTC).date())


def _connectwise_quantity(url: str, line: AskedLine) -> float:
    found = _json(
        "GET",
        f"{url}/v4_6_release/apis/3.0/finance/agreements/{line.agreement_id}/additions/{line.line_id}",
        headers=credentials.connectwise_headers(),
    )
    return float(found["quantity"])


def _autotask_quantity(url: str, line: AskedLine) -> float:
    """The units of the period that holds the day."""
    body = {"filter": [{"op": "eq", "field": "contractServiceID", "value": int(line.line_id)}]}
    headers = credentials.autotask_headers()
    path = "/atservicesrest/v1.0/ContractServiceUnits/query"
    rows = _json("POST", f"{url}{path}", headers=headers, json_body=body)["items"]
    day = line.on.isoformat()
    found = [row["units"] for row in rows if row["startDate"][:10] <= day <= row["endDate"][:10]]
    if len(found) != 1:
        raise PsaAnswerMissing(f"{len(found)} rows of units hold {day}, where one must")
    return float(found[0])


def _halopsa_quantity(url: str, line: AskedLine) -> float:
    form = {
        "grant_type": "client_credentials",
        "client_id": credentials.HALOPSA_CLIENT_ID,
        "client_secret": credentials.HALOPSA_CLIENT_SECRET,
        "scope": "all",
    }
    token = _json("POST", f"{url}/auth/token", query={"tenant": credentials.HALOPSA_TENANT}, form=form)["access_token"]
    path = f"/api/RecurringInvoice/{line.agreement_id}"
    headers = {"Authorization": f"Bearer {token}"}
    found = _json("GET", f"{url}{path}", query={"includedetails": "true"}, headers=headers)
    return _quantity_of(found["lines"], line, "qty_order")


def _syncro_quantity(url: str, line: AskedLine) -> float:
    found = _json("GET", f"{url}/api/v1/schedules/{line.agreement_id}", headers=credentials.syncro_headers())
    return _quantity_of(found["schedule"]["lines"], line, "quantity")


def _quantity_of(lines: list[dict[str, Any]], wanted: AskedLine, name: str) -> float:
    for line in lines:
        if str(line["id"]) == wanted.line_id:
            return float(line[name])
    raise PsaAnswerMissing(f"line {wanted.line_id} is not there")


def _json(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    json_body: object = None,
    form: Mapping[str, str] | None = None,
) -> Any:
    reply = requests.request(
        method,
        url,
        headers=headers,
        params=query,
        json=json_body,
        data=form,
        timeout=_ANSWER_SECONDS,
        allow_redirects=False,
    )
    if reply.status_code != 200:
        raise PsaAnswerMissing(f"the simulator answered {reply.status_code}")
    return reply.json()


_ASK: Mapping[str, Callable[[str, AskedLine], float]] = {
    "connectwise": _connectwise_quantity,
    "autotask": _autotask_quantity,
    "halopsa": _halopsa_quantity,
    "syncro": _syncro_quantity,
}
