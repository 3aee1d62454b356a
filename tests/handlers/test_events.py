"""Every file in events/ goes through the real function it is named after, on real state, and does what it is for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from local.simulators import credentials
from local.simulators.connectwise_callbacks import signature
from local.template import local_deployment
from tests.handlers.durable import running_month
from tests.handlers.event_checks import CASES, Case
from tests.handlers.stage import VIEWER, Stage
from tests.served_routes import all_routes, route_of

NOBODY = "http://127.0.0.1:9"
"""Where a message goes to that must reach nobody: nothing listens there."""
EVENTS = Path(__file__).resolve().parents[2] / "events"
CAPABILITIES = {definition.capability for definition in local_deployment().functions()}
ROUTE_KEYS = {
    f"{route.method} {route.path}" for definition in local_deployment().functions() for route in definition.routes
}


def capability_of(name: str) -> str:
    return max((word for word in CAPABILITIES if name.startswith(f"{word}_")), key=len, default="")


def load(name: str, stage: Stage, case: Case) -> Any:
    """The event with this stage's ids and addresses in place of the example's, and signed where the PSA signs it."""
    text = (EVENTS / f"{name}.json").read_text(encoding="utf-8")
    for example, actual in (case.prepare(stage) | substitutes(stage, case.account)).items():
        text = text.replace(example, actual)
    event = json.loads(text)
    if event.get("headers", {}).get("x-content-signature") == "made-for-the-body":
        event["headers"]["x-content-signature"] = signature(event["body"].encode())
    return event


def substitutes(stage: Stage, account: str) -> dict[str, str]:
    facts = stage.facts
    entries = list(stage.state.accounts.all())
    wanted = [entry.vendor_id for entry in entries if entry.state.value == account]
    taken = {entry.psa_id for entry in entries}
    free = next(str(one.id) for one in stage.world.companies.values() if str(one.id) not in taken and not one.deleted)
    now = datetime.now(UTC)
    return {
        "2026-11-01T": f"{now:%Y-%m}-01T",
        "plan-2026-11-0123456789ab": facts.get("plan_id", "no plan"),
        "0123456789abcdef" * 4: facts.get("checksum", "0" * 64),
        "chg-0123456789ab": facts.get("held_change_id", "no change"),
        "2026-11-001": facts.get("run_id", "2026-11-001"),
        '"2026-11"': f'"{facts.get("period", "2026-11")}"',
        "period=2026-11": f"period={facts.get('period', '2026-11')}",
        "CEXA10A101": wanted[0] if wanted else "no account",
        "CEXA10A102": wanted[1] if len(wanted) > 1 else "no account",
        "1001": free,
        "https://api.services.mimecast.com": stage.mimecast.url,
        "https://api-na.myconnectwise.net": stage.connectwise.url,
        "https://hooks.slack.com": NOBODY,
        "example-mimecast-client-id": credentials.MIMECAST_CLIENT_ID,
        "example-mimecast-client-secret": credentials.MIMECAST_CLIENT_SECRET,
        "example-company": credentials.CONNECTWISE_COMPANY_ID,
        "example-public-key": credentials.CONNECTWISE_PUBLIC_KEY,
        "example-private-key": credentials.CONNECTWISE_PRIVATE_KEY,
        "example-connectwise-client-id": credentials.CONNECTWISE_CLIENT_ID,
    }


def replay(name: str, stage: Stage, case: Case) -> Any:
    capability = capability_of(name)
    event = load(name, stage, case)
    if capability == "portal":
        return stage.answered(event)
    if capability != "monthly_run":
        return stage.call(capability, event)
    with running_month(stage) as month:
        if "plan_id" in event:
            return month.ended(event)
        if "run_id" not in event:
            # The run that waits in this stage was begun by a person, so the schedule begins one of its own.
            month.begin(event)
            return month.waiting(f"{datetime.now(UTC):%Y-%m}-002")
        month.begin(event)
        return month.waiting(event["run_id"])


@pytest.mark.parametrize("name", CASES)
def test_the_event_does_what_it_is_for(name: str, stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at(CASES[name].level)
    CASES[name].check(stage, replay(name, stage, CASES[name]))


def test_every_event_file_is_replayed() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == set(CASES)


def test_every_function_has_an_event() -> None:
    assert {capability_of(name) for name in CASES} == CAPABILITIES


def test_every_route_has_an_event() -> None:
    replayed = set()
    for path in EVENTS.glob("portal_*.json"):
        event = json.loads(path.read_text(encoding="utf-8"))
        route_method, _ = event["routeKey"].split(" ")
        method = event["requestContext"]["http"]["method"]
        assert route_method in {method, "ANY"}
        assert {event["routeKey"]} <= ROUTE_KEYS, path.stem
        replayed.add(route_of(method, event["rawPath"]))
    assert replayed == set(all_routes())


def method_of(path: Path) -> str:
    method: str = json.loads(path.read_text(encoding="utf-8"))["requestContext"]["http"]["method"]
    return method


def test_reading_changes_nothing(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("proposed")
    reading = [path.stem for path in sorted(EVENTS.glob("portal_*.json")) if method_of(path) == "GET"]
    events = {name: load(name, stage, CASES[name]) for name in reading}
    before = list(stage.state.history.all())
    calls = list(stage.lambda_service.calls)
    for name, event in events.items():
        assert stage.answered(event).status == 200, name
    assert list(stage.state.history.all()) == before
    assert stage.lambda_service.calls == calls
    assert VIEWER not in {event.audit.actor for event in before}
