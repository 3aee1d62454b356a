"""What the events about notices must have done; tickets in the simulated ConnectWise are the channel of these tests."""

from __future__ import annotations

from typing import Any

from local.simulators.tickets import tickets_of
from tests.handlers.stage import Reply, Stage
from trueup import bootstrap
from trueup.domain.notices import ChannelName, ChannelSetting, DeliveryState
from trueup.usecases.notices import set_channel


def a_ticket_channel(stage: Stage) -> dict[str, str]:
    company = min(stage.world.companies)
    set_channel(
        ChannelName.TICKET,
        actor="ada@msp.example",
        systems=bootstrap.notice_systems(),
        ticket={"company_id": str(company)},
    )
    return {}


def a_told_plan(stage: Stage) -> dict[str, str]:
    a_ticket_channel(stage)
    stage.call("notification", {"kind": "approval_wanted", "run_id": stage.facts["run_id"]})
    return {}


def _channel(stage: Stage, name: ChannelName) -> ChannelSetting:
    return next(one for one in stage.state.notices.settings() if one.name is name)


def told_people(stage: Stage, answer: Any) -> None:
    (delivery,) = answer["deliveries"]
    assert (delivery["channel"], delivery["state"]) == ("ticket", "sent")
    (ticket,) = tickets_of(stage.world)
    assert delivery["reference"] == str(ticket["id"])
    assert stage.facts["checksum"][:16] in ticket["initialDescription"]
    (recorded,) = stage.state.notices.of_period(stage.facts["period"])
    assert recorded.state is DeliveryState.SENT


def lists_channels(stage: Stage, answer: Reply) -> None:
    items = {item["name"]: item for item in answer.json["items"]}
    assert set(items) == {name.value for name in ChannelName}
    assert items["ticket"]["is_set"]
    assert not items["slack"]["is_set"]


def set_the_channel(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200
    assert answer.json["address_ends_in"] == "mple"
    assert answer.json["kinds"] == ["approval_wanted", "run_missed"]
    kept = _channel(stage, ChannelName.SLACK)
    assert kept.is_set
    path = bootstrap.vault().get("notice-slack", host=kept.host)["path"]
    assert path not in repr(answer.json)
    assert path not in repr(list(stage.state.history.all()))


def removed_the_channel(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200
    assert not answer.json["is_set"]
    assert not _channel(stage, ChannelName.TICKET).is_set


def sent_a_test(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200
    assert answer.json["state"] == "sent", answer.json
    (ticket,) = tickets_of(stage.world)
    assert answer.json["reference"] == str(ticket["id"])
    assert "nothing to do" in ticket["initialDescription"]


def lists_notices(stage: Stage, answer: Reply) -> None:
    assert answer.json["period"] == stage.facts["period"]
    (item,) = answer.json["items"]
    assert (item["channel"], item["kind"], item["state"]) == ("ticket", "approval_wanted", "sent")
