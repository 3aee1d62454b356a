"""What the events about change orders must have done: listed, shown with what to type, approved."""

from __future__ import annotations

from dataclasses import replace

from tests.domain.order_samples import draft
from tests.handlers.stage import APPROVER, Reply, Stage
from trueup import bootstrap
from trueup.domain.audit import Audit
from trueup.domain.order_parts import OrderState, Signature


def an_order(stage: Stage) -> dict[str, str]:
    """A draft for one client, as a run leaves it; the same one where it is there already."""
    now = bootstrap.clock().now()
    order = replace(draft(), drafted=Signature("schedule", now), confirmed_at=now)
    drafts = {one.id: one for one in stage.state.change_orders.open()}
    made = drafts.get(order.id) or stage.state.change_orders.draft(
        order, Audit(now, "schedule", "change order drafted", order.id)
    )
    return {"order-2026-11-01234567-001": made.id, "example-order-checksum": made.checksum}


def lists_orders(stage: Stage, answer: Reply) -> None:
    (order,) = answer.json["items"]
    assert (order["from"], order["to"], order["change"], order["state"]) == (40, 44, 4, "draft")


def shows_what_to_type(stage: Stage, answer: Reply) -> None:
    item = answer.json["work_item"]
    assert item["path"] == ["Customers | Complete", "Birch & Bloom (C1)", "Change Options"]
    seats = next(step for step in item["steps"] if step["label"] == "Seat Adjustment")
    assert seats["value"] == "44"
    assert "+4" in seats["note"]


def approved_the_order(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert (answer.json["state"], answer.json["approved"]["by"]) == ("approved", APPROVER)
    (order,) = stage.state.change_orders.open()
    assert order.state is OrderState.APPROVED
    event = list(stage.state.history.all())[-1].audit
    assert (event.action, event.actor) == ("change order approved", APPROVER)
