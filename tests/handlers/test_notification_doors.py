"""The doors that tell people: the daily check of credentials, and the function that a run calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local.simulators.tickets import tickets_of
from tests.handlers.notice_checks import a_ticket_channel
from tests.handlers.stage import Stage
from trueup.api.events import NotifyEvent
from trueup.domain.errors import InputInvalid
from trueup.domain.integrations import IntegrationName


def failing_since_yesterday(stage: Stage) -> None:
    integrations = stage.state.integrations
    integrations.save(
        replace(
            integrations.get(IntegrationName.MIMECAST),
            first_failed_at=datetime.now(UTC) - timedelta(days=1),
            failures_in_a_row=1,
        ),
        None,
    )
    stage.mimecast.faults.add("status", path="/oauth/token", status=401, times=0)


def test_the_daily_check_tells_once_of_a_credential_that_does_not_work(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("connected")
    a_ticket_channel(stage)
    failing_since_yesterday(stage)
    told = [stage.call("credential_validation", {"trigger": "schedule"})["notices"] for _ in range(2)]
    assert [(one["channel"], one["kind"], one["state"]) for one in told[0]] == [
        ("ticket", "credential_failing", "sent")
    ]
    assert told[1] == told[0]
    (ticket,) = tickets_of(stage.world)
    assert "Mimecast" in ticket["summary"]


def test_a_channel_that_fails_is_in_the_reply_and_fails_nothing(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("proposed")
    a_ticket_channel(stage)
    stage.connectwise.faults.add("status", method="POST", path="*/service/tickets", status=403, times=0)
    answer = stage.call("notification", {"kind": "approval_wanted", "run_id": stage.facts["run_id"]})
    (delivery,) = answer["deliveries"]
    assert delivery["state"] == "failed"
    assert "Service Desk > Service Tickets: Add All" in delivery["reason"]


def test_asking_twice_tells_once(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("proposed")
    a_ticket_channel(stage)
    event = {"kind": "drop_or_jump_held", "run_id": stage.facts["run_id"]}
    assert stage.call("notification", event) == stage.call("notification", event)
    assert len(tickets_of(stage.world)) <= 1


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"kind": "everything", "run_id": "2026-11-001"}, "kind"),
        ({"kind": "run_finished", "run_id": "latest"}, "run_id"),
        ({"run_id": "2026-11-001"}, "kind"),
        ({"kind": "run_finished"}, "run_id"),
    ],
)
def test_a_bad_event_names_the_field(event: dict[str, str], field: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        NotifyEvent.read(event)
    assert refused.value.field == field
