"""Callbacks at the function: what is believed, what is refused, and what becomes of a hint on the whole way.

Method: the real function, store and queue, and the simulated ConnectWise that signs; the other two PSAs need no call to
be proven, so their published vectors come to the same door.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from local.cli.home import environment_of
from local.front_door.authorizing import Authorizing
from local.front_door.http_event import WebReply, WebRequest
from local.front_door.queues import Deliveries
from local.front_door.server import FrontDoor, LocalServer
from local.simulators import credentials
from local.simulators.connectwise_callbacks import KEY_PATH, CallbackSender, signature
from local.template import local_deployment
from tests.handlers.event_checks import callback_secrets
from tests.handlers.stage import Stage, Theater, unhurried_vendors
from trueup import bootstrap
from trueup.api.raw_messages import MESSAGE_BYTES_MAXIMUM
from trueup.domain.facts import psa_facts
from trueup.domain.integrations import ConnectionState, Integration, IntegrationName, Side
from trueup.usecases.callbacks import secrets_name

HEADER = "x-content-signature"
QUEUE = "trueup-local-callbacks"


@pytest.fixture(scope="module")
def registered(theater: Theater) -> Iterator[Stage]:
    """Connected, with callbacks registered; one for all tests that only send messages."""
    with unhurried_vendors(), theater.stage("connected") as made:
        made.ok("POST", "/v1/callbacks", {"url": "https://trueup.example-msp.com"})
        yield made


@pytest.fixture
def stage(registered: Stage) -> Iterator[Stage]:
    """The registered stage with nothing in its queue and no message seen before."""
    yield registered
    registered.queues.delete([message.id for message in registered.queues.receive(QUEUE, 100)])
    assert waiting(registered) == 0


def body_of(stage: Stage, record_id: int = 1201, **changes: Any) -> bytes:
    """A new message as ConnectWise writes it, with the address of the simulator's own key."""
    document = {
        "MessageId": str(uuid.uuid4()),
        "CompanyId": credentials.CONNECTWISE_COMPANY_ID,
        "Action": "updated",
        "Type": "agreement",
        "ID": record_id,
        "Entity": json.dumps({"id": record_id}),
        "Metadata": {"key_url": stage.connectwise.url + KEY_PATH},
    }
    return json.dumps(document | changes, separators=(",", ":")).encode()


def event_of(
    stage: Stage,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    *,
    psa: str = "connectwise",
    token: str | None = None,
    is_encoded: bool = False,
) -> dict[str, Any]:
    event = stage.event("POST", f"/v1/callbacks/{psa}/x?recordId=1201&action=updated", raw=body)
    del event["requestContext"]["authorizer"]
    path_token = callback_secrets(stage)["path_token"] if token is None else token
    event["pathParameters"] = {"psa": psa, "token": path_token}
    event["headers"] |= {HEADER: signature(body)} if headers is None else headers
    if is_encoded:
        event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return event


def sent(stage: Stage, *arguments: Any, **named: Any) -> int:
    return answered(stage, event_of(stage, *arguments, **named))


def answered(stage: Stage, event: dict[str, Any]) -> int:
    """The status; whatever it is, nothing is said with it."""
    answer = stage.call("psa_callback", event)
    assert answer["body"] == ""
    return int(answer["statusCode"])


def waiting(stage: Stage) -> int:
    return stage.queues.count(QUEUE)


def test_a_proven_message_is_answered_without_a_word_and_queued(stage: Stage, printed: Callable[[], str]) -> None:
    body = body_of(stage)
    assert sent(stage, body) == 204
    told = hint_in(stage)
    assert (told["record_id"], told["subject"]) == ("1201", "agreement")
    log = printed()
    assert '"queued":1' in log
    for secret in (callback_secrets(stage)["path_token"], body.decode(), signature(body), "Entity"):
        assert secret not in log


def hint_in(stage: Stage) -> Any:
    """The one hint in the queue, which is empty after it."""
    (message,) = stage.queues.receive(QUEUE, 10)
    stage.queues.delete([message.id])
    return json.loads(message.body)


def without(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, body, {})


def empty(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, body, {HEADER: ""})


def wrong(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, body, {HEADER: signature(body + b" ")})


def upper_case(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, body, {HEADER: signature(body).upper()})


def lower_case(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, body, {HEADER: signature(body).lower()})


def hexadecimal(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, body, {HEADER: base64.b64decode(signature(body)).hex()})


def joined(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, body, {HEADER: f"{signature(body)},{signature(body)}"})


def good_and_bad(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, body, {HEADER: f"{signature(body)},x"})


def twice_under_two_spellings(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, body, {HEADER: signature(body), "X-Content-Signature": signature(body)})


def of_another_body(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, body_of(stage, 1202), {HEADER: signature(body)})


def written_anew(stage: Stage, body: bytes) -> dict[str, Any]:
    """The same JSON with other spaces: what a gateway that reads and writes it again would make of it."""
    return event_of(stage, json.dumps(json.loads(body)).encode(), {HEADER: signature(body)})


def encoded_and_not_told(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, base64.b64encode(body), {HEADER: signature(body)})


def told_encoded_and_is_not(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, body) | {"isBase64Encoded": True}


def no_body(stage: Stage, body: bytes) -> dict[str, Any]:
    event = event_of(stage, body)
    del event["body"]
    return event


def lone_surrogate(stage: Stage, body: bytes) -> dict[str, Any]:
    return event_of(stage, body) | {"body": "\ud800"}


FORGERIES = (
    without,
    empty,
    wrong,
    upper_case,
    lower_case,
    hexadecimal,
    joined,
    good_and_bad,
    twice_under_two_spellings,
    of_another_body,
    written_anew,
    encoded_and_not_told,
    told_encoded_and_is_not,
    no_body,
    lone_surrogate,
)


@pytest.mark.fault("S15")
@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_S15_whatever_is_not_the_one_right_header_over_the_raw_bytes_is_refused(
    stage: Stage, forge: Callable[[Stage, bytes], dict[str, Any]]
) -> None:
    assert answered(stage, forge(stage, body_of(stage))) == 401
    assert waiting(stage) == 0


@pytest.mark.fault("S15")
def test_S15_a_body_that_the_gateway_encoded_is_proven_over_its_own_bytes(stage: Stage) -> None:
    assert sent(stage, body_of(stage), is_encoded=True) == 204
    body = body_of(stage, 1202, Entity='{"name":"Zahnärzte \\ud83d\\ude00"}')
    assert sent(stage, body) == 204
    assert waiting(stage) == 2


@pytest.mark.fault("S15")
def test_S15_the_name_of_the_header_has_no_case(stage: Stage) -> None:
    body = body_of(stage)
    assert sent(stage, body, {"X-Content-Signature": signature(body)}) == 204


@pytest.mark.fault("S12")
def test_S12_a_message_that_is_too_large_is_refused_before_it_is_decoded(stage: Stage) -> None:
    body = body_of(stage, Entity="x" * MESSAGE_BYTES_MAXIMUM)
    assert sent(stage, body) == 401
    assert sent(stage, body, is_encoded=True) == 401
    assert sent(stage, body_of(stage, Entity="x" * (MESSAGE_BYTES_MAXIMUM - 1000))) == 204


@pytest.mark.fault("P16")
@pytest.mark.parametrize(
    ("psa", "token"),
    [("connectwise", "x"), ("connectwise", ""), ("autotask", None), ("syncro", None), ("mimecast", None), ("no", None)],
)
def test_P16_another_address_than_the_registered_one_is_refused(stage: Stage, psa: str, token: str | None) -> None:
    before = len(stage.connectwise.requests.entries)
    assert sent(stage, body_of(stage), psa=psa, token=token) == 401
    assert waiting(stage) == 0
    assert len(stage.connectwise.requests.entries) == before, "nothing was asked for"


@contextmanager
def stranger() -> Iterator[tuple[str, list[str]]]:
    """A server that nobody may call, and what it was asked."""
    asked: list[str] = []

    def answer(request: WebRequest) -> WebReply:
        asked.append(request.target)
        return WebReply(200, (), json.dumps({"signing_key": "mine"}).encode())

    server = LocalServer(0, answer)
    server.start()
    try:
        yield server.url, asked
    finally:
        server.stop()


@pytest.mark.fault("P16")
def test_P16_a_key_at_an_address_of_the_senders_choice_is_never_asked_for(stage: Stage) -> None:
    with stranger() as (url, asked):
        own = stage.connectwise.url
        for key_url in (
            url + KEY_PATH,
            f"{own}@{url.removeprefix('http://')}{KEY_PATH}",
            f"{url}\\@{own.removeprefix('http://')}{KEY_PATH}",
            f"{own}.evil.invalid{KEY_PATH}",
            "file:///proc/self/environ",
            "http://169.254.169.254/latest/meta-data",
            "",
        ):
            body = body_of(stage, Metadata={"key_url": key_url})
            assert sent(stage, body, {HEADER: signature(body, "mine")}) == 401, key_url
        assert asked == []
    assert waiting(stage) == 0


@pytest.mark.fault("P15")
def test_P15_a_message_that_comes_again_is_taken_and_not_queued_again(stage: Stage) -> None:
    body = body_of(stage)
    assert [sent(stage, body) for _ in range(3)] == [204, 204, 204]
    assert waiting(stage) == 1


def test_where_the_queue_is_away_the_psa_is_asked_to_send_again(stage: Stage) -> None:
    event = event_of(stage, body_of(stage))
    with environment_of({"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9"}):
        bootstrap.callback_queue.cache_clear()
        answer = stage.call("psa_callback", event)
    assert answer["statusCode"] == 429, "ConnectWise sends again after this one only"
    assert int(answer["headers"]["retry-after"]) >= 1
    bootstrap.callback_queue.cache_clear()
    assert answered(stage, event) == 204
    assert waiting(stage) == 1


def test_it_answers_well_within_a_second(stage: Stage) -> None:
    """Autotask gives up after ten seconds and ConnectWise after five; with the key known it is a matter of moments."""
    sent(stage, body_of(stage, 1))
    event = event_of(stage, body_of(stage, 2))
    started = time.monotonic()
    assert answered(stage, event) == 204
    assert time.monotonic() - started < 1


def connected(stage: Stage, name: IntegrationName, **fields: str) -> None:
    """That PSA as it would be after connecting and registering; a proof of its messages needs no call to it."""
    address = f"https://{name.value}.example"
    kept = {"path_token": "t0ken", "signing_secret": "s" * 20, "basic_user": "trueup", "basic_password": "p"} | fields
    bootstrap.vault().put(secrets_name(name), host=address, fields=kept)
    before = stage.state.integrations.get(name)
    stage.state.integrations.save(
        replace(Integration(name, ConnectionState.PENDING, address), version=before.version), None
    )


AUTOTASK_BODY = (
    b'{"Action":"Update","Guid":"4d2b7d0e-0f0e-4b8c-9a51-2f6c0e5b7a11","EntityType":"Account","Id":29683512,"Fields":'
    b'{"companyName":"Acme Dental"},"EventTime":"2026-11-22T06:00:00Z","SequenceNumber":3,"PersonID":29682885}'
)
AUTOTASK_SIGNATURE = "sha1=7p/45XHqF+1HCR4pyEGWeCFSPko="


@pytest.mark.fault("S15")
def test_S15_autotask_is_believed_by_its_signature_and_nothing_else(stage: Stage) -> None:
    connected(stage, IntegrationName.AUTOTASK, signing_secret="correct-horse-battery-9")
    good = {"x-hook-signature": AUTOTASK_SIGNATURE}
    named: dict[str, Any] = {"psa": "autotask", "token": "t0ken"}
    for headers in (
        {},
        {"x-hook-signature": AUTOTASK_SIGNATURE.removeprefix("sha1=")},
        {"x-hook-signature": AUTOTASK_SIGNATURE.upper()},
        {"x-hook-signature": f"{AUTOTASK_SIGNATURE},{AUTOTASK_SIGNATURE}"},
        {"x-hook-signature": AUTOTASK_SIGNATURE, "X-Hook-Signature": AUTOTASK_SIGNATURE},
    ):
        assert sent(stage, AUTOTASK_BODY, headers, **named) == 401
    assert sent(stage, AUTOTASK_BODY + b" ", good, **named) == 401
    assert sent(stage, AUTOTASK_BODY, good, psa="autotask", token="another") == 401
    assert waiting(stage) == 0
    assert sent(stage, AUTOTASK_BODY, good, **named) == 204
    assert sent(stage, AUTOTASK_BODY, good, **named, is_encoded=True) == 204
    assert hint_in(stage)["record_id"] == "29683512"


@pytest.mark.fault("S15")
def test_S15_halopsa_is_believed_by_its_password_and_nothing_else(stage: Stage) -> None:
    connected(stage, IntegrationName.HALOPSA, basic_password="pass-word-canary")
    body = (
        b'{"id":"b1","notification_id":12,"event":"Client Updated","webhook_id":"c2","object_id":14,'
        b'"timestamp":"2025-11-22T06:00:00Z"}'
    )

    def basic(user: str, password: str) -> dict[str, str]:
        return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}

    named: dict[str, Any] = {"psa": "halopsa", "token": "t0ken"}
    good = basic("trueup", "pass-word-canary")
    for headers in (
        {},
        basic("trueup", "Pass-word-canary"),
        basic("TRUEUP", "pass-word-canary"),
        {"authorization": good["authorization"].upper()},
        {"authorization": f"{good['authorization']},{good['authorization']}"},
        {"authorization": good["authorization"], "Authorization": good["authorization"]},
        {"authorization": "Bearer pass-word-canary"},
    ):
        assert sent(stage, body, headers, **named) == 401
    assert waiting(stage) == 0
    assert sent(stage, body, good, **named) == 204
    assert waiting(stage) == 1


class TestTheWholeWay:
    """The simulated ConnectWise calls a server of this machine; the queue delivers; the client is read again."""

    @pytest.fixture
    def stage(self, stage_at: Callable[[str], Stage], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
        made = stage_at("proposed")
        # A sender of this stage's own world, which knows what was there before anybody asked to be told of changes.
        monkeypatch.setattr(made.connectwise, "callbacks", CallbackSender(made.world))
        door = FrontDoor(made.functions, Authorizing(made.functions, local_deployment().authorizers()))
        server = LocalServer(0, door.answer)
        server.start()
        made.ok("POST", "/v1/callbacks", {"url": server.url})
        yield made
        server.stop()

    def deliver(self, stage: Stage, how: str = "once") -> int:
        """Have the PSA send what is due, then have the queue empty; returns how many messages were delivered."""
        sender = stage.connectwise.callbacks
        sender.delivery, sender.retry_waits_seconds = how, ()
        sender.sent.clear()
        stage.connectwise.deliver_callbacks()
        assert {one.status for one in sender.sent} <= {204}, sender.sent
        (trigger,) = next(one.queues for one in stage.functions if one.capability == "account_refresh")
        deliveries = Deliveries(stage.queues, stage.functions, ())
        count = 0
        while batch := deliveries.deliver("account_refresh", trigger):
            count += batch
        assert waiting(stage) == 0
        return count

    def require_true(self, stage: Stage) -> None:
        """What Trueup knows of lines is what the PSA has."""
        read = stage.state.snapshots.latest(Side.PSA)
        assert read is not None
        known = {line.id: line.quantity for line in psa_facts(stage.state.snapshots.psa_pages(read)).lines}
        assert known == {str(key): Decimal(str(one.quantity)) for key, one in stage.world.additions.items()}

    @pytest.mark.fault("P14", "P15")
    @pytest.mark.parametrize("how", ["once", "twice", "reversed", "stale"])
    def test_P14_P15_in_whatever_order_and_however_often_they_come(self, stage: Stage, how: str) -> None:
        lines = list({one.agreement_id: one.id for one in stage.world.additions.values()}.values())[:3]
        for number, line_id in enumerate(lines):
            stage.world.edit_addition(line_id, quantity=70 + number)
        assert self.deliver(stage, how) >= 3
        self.require_true(stage)
        stage.world.edit_addition(lines[0], quantity=90)
        self.deliver(stage, how)
        self.require_true(stage)
        told = [event.audit.action for event in stage.state.history.all()].count("psa account read")
        assert told <= 4

    def test_what_trueup_writes_itself_does_not_call_back(self, stage: Stage) -> None:
        stage.approve()
        order = {"plan_id": stage.facts["plan_id"], "checksum": stage.facts["checksum"], "actor": "alex"}
        assert stage.call("plan_apply", order)["done"]
        assert stage.world.writes
        assert self.deliver(stage) == 0

    def test_a_renamed_client_has_its_new_name_beside_its_account(self, stage: Stage) -> None:
        entry = next(entry for entry in stage.state.accounts.all() if entry.psa_id is not None)
        stage.world.edit_company(int(str(entry.psa_id)), name="Renamed and Sons")
        assert self.deliver(stage) == 1
        assert stage.state.accounts.get(entry.vendor_id).psa_name == "Renamed and Sons"


@pytest.mark.fault("A17")
def test_A17_of_a_batch_only_the_message_that_failed_comes_again(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("proposed")
    known = [entry.psa_id for entry in stage.state.accounts.all() if entry.psa_id is not None]

    def message(number: int, body: str) -> dict[str, Any]:
        return {"messageId": f"m-{number}", "body": body}

    def hint(record_id: str, **changes: Any) -> str:
        told = {"schema": 1, "psa": "connectwise", "message_id": "x", "subject": "account", "record_id": record_id}
        return json.dumps(told | changes)

    bodies = [
        hint(str(known[0])),
        "not JSON",
        hint(str(known[1]), schema=2),
        hint(str(known[1]), psa="nobody"),
        hint(str(known[1]), changed_at="2026-01-01T00:00:00"),
        hint(str(known[2])),
        hint("not-a-number"),
        hint(str(known[0])),
    ]
    answer = stage.call("account_refresh", {"Records": [message(*pair) for pair in enumerate(bodies)]})
    failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    assert {"m-1", "m-2", "m-3", "m-4"} <= set(failed)
    assert not {"m-0", "m-5", "m-7"} & set(failed)
