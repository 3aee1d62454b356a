"""Change orders over the API: who may take which step, what each step takes, and a whole order."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from local.cli.home import environment_of
from tests.domain.order_samples import draft
from tests.handlers.order_checks import an_order
from tests.handlers.stage import APPROVER, PREPARER, Stage
from trueup import bootstrap
from trueup.api.order_routes import FOR_APPROVERS, MEMBERS
from trueup.domain.accounts import ServiceId, VendorAccountId
from trueup.domain.audit import Audit
from trueup.domain.order_parts import OrderState, Signature

ORDERS = "/v1/change-orders"
ONE = f"{ORDERS}/{draft().id}"


@pytest.fixture
def stage(stage_at: Callable[[str], Stage]) -> Stage:
    found = stage_at("proposed")
    an_order(found)
    return found


def step(stage: Stage, action: str, role: str = "approver", person: str = APPROVER, **body: Any) -> Any:
    return stage.http("POST", f"{ONE}/{action}", body, role=role, person=person)


def test_each_step_takes_its_own_members_and_no_others(stage: Stage) -> None:
    everything = frozenset().union(*MEMBERS.values())
    for action, members in MEMBERS.items():
        for foreign in sorted(everything - members):
            value: Any = {"agreement_acknowledged": True}.get(foreign, "2026-01-01")
            refused = step(stage, action, **{foreign: value})
            assert (refused.status, refused.json["field"]) == (400, foreign), (action, refused.text)
    unknown = step(stage, "approve", surprise=1)
    assert unknown.status == 400
    assert step(stage, "explode").status == 404
    assert stage.state.change_orders.get(draft().id).state is OrderState.DRAFT


@pytest.mark.parametrize("action", MEMBERS)
def test_what_decides_or_orders_is_for_approvers(stage: Stage, action: str) -> None:
    assert step(stage, action, role="viewer").status == 403
    assert (step(stage, action, role="preparer").status == 403) == (action in FOR_APPROVERS)
    assert step(stage, action, role="approver").status != 403


def test_a_whole_order(stage: Stage) -> None:
    said = step(stage, "terms", role="preparer", person=PREPARER, implementation_lead="lead@example.com").json
    assert said["implementation_lead"] == "lead@example.com"
    assert stage.http("GET", f"{ORDERS}?state=approved").json["items"] == []
    approved = step(stage, "approve", checksum=said["checksum"]).json
    assert (approved["state"], approved["submitted"]) == ("approved", None)
    missing = step(stage, "submitted", role="preparer", person=PREPARER, order_number="SO-1")
    assert (missing.status, missing.json["field"]) == (400, "agreement_acknowledged")
    done = step(
        stage, "submitted", role="preparer", person=PREPARER, order_number="SO-1", agreement_acknowledged=True
    ).json
    assert (done["state"], done["submitted"]["route"], done["submitted"]["by"]) == ("submitted", "portal", PREPARER)
    for query, expected in (("state=open", 1), ("state=reflected", 0), ("period=2026-09", 1), ("period=2026-08", 0)):
        assert len(stage.http("GET", f"{ORDERS}?{query}").json["items"]) == expected, query
    assert stage.http("GET", f"{ORDERS}?state=nonsense").status == 400
    (row,) = csv.DictReader(io.StringIO(stage.http("GET", "/v1/exports/change-orders.csv").text))
    assert (row["state"], row["order_number"], row["vendor_account_name"]) == ("submitted", "SO-1", "Birch & Bloom")
    refused = step(stage, "send", agreement_acknowledged=True)
    assert refused.json["code"] == "configuration_invalid", "switched off unless the tenant wants it"
    cancelled = step(stage, "cancel", role="preparer", reason="the client stays").json
    assert cancelled["settled"]["why"] == "the client stays"


def test_an_order_is_sent_through_the_api_of_a_tenant_that_wants_it(stage: Stage) -> None:
    contract = next(iter(stage.mimecast.world.contracts.values()))
    line = contract.lines[0]
    now = bootstrap.clock().now()
    order = replace(
        draft(line.quantity, line.quantity + 2),
        id="order-2026-11-0a1b2c3d-009",
        vendor_id=VendorAccountId(contract.account_code),
        service_id=ServiceId(line.product_id),
        drafted=Signature("schedule", now),
        confirmed_at=now,
    )
    audit = Audit(now, "test", "change order drafted", order.id)
    made = stage.state.change_orders.draft(order, audit)
    stage.state.change_orders.save(made.approved_by(made.checksum, Signature(APPROVER, now)), audit)
    path = f"{ORDERS}/{order.id}/send"
    with environment_of({"TRUEUP_ORDERS_API": "true"}):
        bootstrap.reset()
        sent = stage.http("POST", path, {"agreement_acknowledged": True}, role="approver", person=APPROVER)
        assert sent.status == 200, sent.text
        assert (sent.json["state"], sent.json["submitted"]["route"]) == ("submitted", "api")
        assert sent.json["submitted"]["request"]["change"] == 2
        again = stage.http("POST", path, {"agreement_acknowledged": True}, role="approver", person=APPROVER)
    bootstrap.reset()
    assert again.json["state"] in {"submitted", "reflected"}
    assert len(stage.mimecast.world.vendor_state["mimecast_orders"]["orders"]) == 1
