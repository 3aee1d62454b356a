"""Asking HaloPSA to call, and proving that a call is HaloPSA's."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.simulators.halopsa import HaloPsaSimulator
from local.simulators.halopsa_records import memory
from local.simulators.server import running
from tests.adapters.halopsa.connected import SCENE
from tests.contracts.psa_subject_connectwise import world_of
from tests.contracts.psa_subject_halopsa import HALOPSA_FIELDS
from tests.fakes.clock import FakeClock
from trueup.adapters.halopsa import callbacks
from trueup.adapters.halopsa.callbacks import NO_EVENTS_NOTE, HaloPsaCallbackRegistration
from trueup.domain.callbacks import CallbackHint, CallbackSecrets, CallbackSubject
from trueup.domain.errors import CallbackForged, NotFound, PermissionMissing, TrueupError
from trueup.domain.integrations import Integration, IntegrationName

SECRETS = CallbackSecrets("path-token-canary", "signing", "trueup", "basic-canary-9f")
URL = f"https://api.msp.example/v1/callbacks/halopsa/{SECRETS.path_token}"
WEBHOOK = "/api/Webhook"
VERIFICATION = callbacks.callback_verification(Integration(IntegrationName.HALOPSA), SECRETS)
PROOF = "Basic " + base64.b64encode(b"trueup:basic-canary-9f").decode()
MESSAGE = {
    "id": "b1a7c1de-0000-4000-8000-000000000001",
    "notification_id": 12,
    "event": "Client Updated",
    "webhook_id": "c2a7c1de-0000-4000-8000-000000000002",
    "object_id": 14,
    "timestamp": "2025-11-22T06:00:00Z",
}


@contextmanager
def registering() -> Iterator[tuple[HaloPsaSimulator, HaloPsaCallbackRegistration]]:
    with running(HaloPsaSimulator(world_of(SCENE))) as simulator:
        registration = callbacks.open_callback_registration(
            simulator.url, HALOPSA_FIELDS, clock=FakeClock(), allow_loopback=True
        )
        yield simulator, registration
        registration.close()


def verify(document: object, *, authorization: str = PROOF) -> tuple[CallbackHint, ...]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return VERIFICATION.verify({"authorization": authorization}, body, {})


# Registration.


def test_a_webhook_is_asked_for_once_with_the_password_and_shown_without_its_secrets() -> None:
    with registering() as (simulator, registration):
        (made,) = registration.register(URL, SECRETS)
        (again,) = registration.register(URL, SECRETS)
        kept = memory(simulator.world)["webhooks"]
        assert made == again
        assert len(kept) == 1
        asked = {name: kept[0][name] for name in ("type", "method", "authentication_type", "active", "url")}
        assert asked == {"type": 0, "method": 0, "authentication_type": 1, "active": True, "url": URL}
        assert (kept[0]["basic_username"], kept[0]["basic_password"]) == ("trueup", "basic-canary-9f")
        assert made.url == "https://api.msp.example/v1/callbacks/halopsa/..."
        assert "canary" not in repr(made)
        assert (made.subject, made.active) == ("account", True)


def test_what_others_registered_is_left_alone() -> None:
    with registering() as (simulator, registration):
        stranger = {"id": "c2a7c1de-0000-4000-8000-000000000002", "name": "Rewst", "url": URL, "active": True}
        memory(simulator.world)["webhooks"].append(stranger)
        assert registration.registered() == ()
        with pytest.raises(NotFound):
            registration.remove(stranger["id"])
        assert len(registration.register(URL, SECRETS)) == 1
        assert len(memory(simulator.world)["webhooks"]) == 2


@pytest.mark.parametrize("switched_off", [{"active": False}, {"disabled": True}])
def test_one_that_was_switched_off_is_switched_on_again(switched_off: dict[str, bool]) -> None:
    with registering() as (simulator, registration):
        registration.register(URL, SECRETS)
        memory(simulator.world)["webhooks"][0].update(switched_off)
        assert not registration.registered()[0].active
        assert registration.register(URL, SECRETS)[0].active


def test_a_webhook_without_events_says_what_is_left_for_a_person_to_do() -> None:
    """Whether HaloPSA takes events by name is assumed."""
    with registering() as (simulator, registration):
        registration.register(URL, SECRETS)
        memory(simulator.world)["webhooks"][0]["events"] = []
        (found,) = registration.registered()
        assert NO_EVENTS_NOTE in found.description
        assert not found.active


def test_a_webhook_is_taken_back() -> None:
    with registering() as (simulator, registration):
        (made,) = registration.register(URL, SECRETS)
        registration.remove(made.id)
        assert registration.registered() == ()
        assert memory(simulator.world)["webhooks"] == []
        for gone in (made.id, "../Client/1", "", "x"):
            with pytest.raises(NotFound):
                registration.remove(gone)


def test_a_lost_answer_makes_no_second_webhook() -> None:
    with registering() as (simulator, registration):
        simulator.faults.add("drop_after_commit", method="POST", path=WEBHOOK)
        assert len(registration.register(URL, SECRETS)) == 1
        assert len(memory(simulator.world)["webhooks"]) == 1


def test_a_lost_request_is_said_to_be_unclear() -> None:
    with registering() as (simulator, registration):
        simulator.faults.add("drop_before_commit", method="POST", path=WEBHOOK)
        with pytest.raises(TrueupError):
            registration.register(URL, SECRETS)
        assert len(registration.register(URL, SECRETS)) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_missing_right_is_named(method: str) -> None:
    with registering() as (simulator, registration):
        (made,) = registration.register(URL, SECRETS)
        memory(simulator.world)["webhooks"][0]["active"] = False
        simulator.faults.add("status", method=method, path=f"{WEBHOOK}*", status=403, times=0)
        with pytest.raises(PermissionMissing) as caught:
            registration.remove(made.id) if method == "DELETE" else registration.register(URL, SECRETS)
        assert "webhooks" in (caught.value.permission or "")


def test_an_error_that_quotes_the_password_does_not_reach_anybody() -> None:
    with registering() as (simulator, registration):
        body = json.dumps({"Message": f"bad webhook {URL} {SECRETS.basic_password}"})
        simulator.faults.add("raw", method="POST", path=WEBHOOK, status=400, body=body)
        with pytest.raises(TrueupError) as caught:
            registration.register(URL, SECRETS)
        assert "canary" not in f"{caught.value!r} {caught.value} {caught.value.details()}"


# Proof.


def test_what_the_simulated_halo_sends_is_proven_and_understood() -> None:
    with registering() as (simulator, registration):
        registration.register(URL, SECRETS)
        ((url, headers, body),) = simulator.webhooks.messages([("Client Updated", 250)])
    assert url == URL
    (hint,) = VERIFICATION.verify(headers, body, {})
    assert (hint.psa, hint.subject, hint.account_id) == (IntegrationName.HALOPSA, CallbackSubject.ACCOUNT, "250")
    assert hint.changed_at is not None
    assert abs(hint.changed_at - datetime.now(UTC)) < timedelta(minutes=5)


FORGED = {
    "none": "",
    "no scheme": PROOF.removeprefix("Basic "),
    "lower-case scheme": PROOF.replace("Basic", "basic"),
    "upper-case scheme": PROOF.replace("Basic", "BASIC"),
    "two blanks": PROOF.replace(" ", "  "),
    "tab": PROOF.replace(" ", "\t"),
    "another scheme": PROOF.replace("Basic", "Bearer"),
    "blank after": f"{PROOF} ",
    "blank before": f" {PROOF}",
    "twice": f"{PROOF},{PROOF}",
    "twice with a blank": f"{PROOF}, {PROOF}",
    "cut": PROOF[:-1],
    "longer": f"{PROOF}A",
    "upper case": f"Basic {PROOF[6:].upper()}",
    "lower case": f"Basic {PROOF[6:].lower()}",
    "one character": f"{PROOF[:10]}{'A' if PROOF[10] != 'A' else 'B'}{PROOF[11:]}",
    "no padding": PROOF.rstrip("="),
    "more padding": f"{PROOF}=",
    "not encoded": "Basic trueup:basic-canary-9f",
    "password alone": f"Basic {base64.b64encode(b'basic-canary-9f').decode()}",
    "another user": f"Basic {base64.b64encode(b'admin:basic-canary-9f').decode()}",
    "another password": f"Basic {base64.b64encode(b'trueup:wrong').decode()}",
    "no password": f"Basic {base64.b64encode(b'trueup:').decode()}",
    "line end": f"{PROOF}\n",
    "NUL": f"{PROOF}\x00",
    "letters outside ASCII": "Basic \u2603",
    "half a character": "Basic \ud800",
}


@pytest.mark.fault("P16")
@pytest.mark.parametrize("form", FORGED)
def test_P16_a_tampered_proof_is_refused_without_a_word_of_what_was_wrong(form: str) -> None:
    body = json.dumps(MESSAGE).encode()
    with pytest.raises(CallbackForged) as caught:
        VERIFICATION.verify({"authorization": FORGED[form]} if form != "none" else {}, body, {})
    assert "canary" not in f"{caught.value!r} {caught.value.details()}"


@pytest.mark.fault("S15")
def test_S15_every_proof_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(given: bytes, expected: bytes) -> bool:
        compared.append(given)
        return given == expected

    monkeypatch.setattr("hmac.compare_digest", compare)
    for form in FORGED.values():
        with pytest.raises(CallbackForged):
            VERIFICATION.verify({"authorization": form}, b"{}", {})
    assert len(compared) == len(FORGED)


@given(st.binary(max_size=200))
@pytest.mark.fault("P16")
def test_P16_nothing_of_an_unproven_body_is_read(body: bytes) -> None:
    with pytest.raises(CallbackForged):
        VERIFICATION.verify({"authorization": "Basic x"}, body, {"id": "1"})


def test_a_password_is_proven_over_any_bytes_of_the_body() -> None:
    assert verify(json.dumps(MESSAGE, indent=2).encode("utf-8-sig")) == verify(MESSAGE)


# What it tells.


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        ("Client Updated", CallbackSubject.ACCOUNT),
        ("New Client", CallbackSubject.ACCOUNT),
        ("customer.updated", CallbackSubject.ACCOUNT),
        ("CLIENT_DELETED", CallbackSubject.ACCOUNT),
        ("Recurring Invoice Updated", CallbackSubject.AGREEMENT),
        ("RecurringInvoice updated", CallbackSubject.AGREEMENT),
        ("Ticket Updated", None),
        ("Client Contract Updated", None),
        ("Invoice Updated", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_events_of_clients_and_recurring_invoices_are_told_apart_from_others(
    event: object, subject: CallbackSubject | None
) -> None:
    hints = verify({**MESSAGE, "event": event})
    assert [hint.subject for hint in hints] == ([] if subject is None else [subject])


def test_a_deleted_record_is_said_to_be() -> None:
    assert [hint.deleted for hint in verify([{**MESSAGE, "event": "Client Deleted"}, MESSAGE])] == [True, False]


def test_a_batch_is_taken_apart_and_what_is_no_message_is_left_out() -> None:
    batch = [MESSAGE, 7, None, {"event": "Client Updated"}, {**MESSAGE, "id": "another", "object_id": "15"}]
    assert [(hint.message_id, hint.record_id) for hint in verify(batch)] == [(MESSAGE["id"], "14"), ("another", "15")]


@pytest.mark.parametrize("record", [None, 0, -3.5, True, "", "14/..", "1' or 1=1", [14], "9" * 40, "\u0663"])
def test_an_id_that_is_none_tells_of_nothing(record: object) -> None:
    assert verify({**MESSAGE, "object_id": record}) == ()


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        ("2025-11-22T06:00:00Z", datetime(2025, 11, 22, 6, tzinfo=UTC)),
        ("2025-11-22T08:00:00.123+02:00", datetime(2025, 11, 22, 6, 0, 0, 123000, tzinfo=UTC)),
        ("2025-11-22T06:00:00", None),
        ("2025-13-45T06:00:00Z", None),
        ("yesterday", None),
        (1_732_255_200, None),
    ],
)
def test_a_moment_without_a_zone_is_not_used(timestamp: object, moment: datetime | None) -> None:
    """Taken in the wrong zone, a new change would pass for an old one and be dropped."""
    assert verify({**MESSAGE, "timestamp": timestamp})[0].changed_at == moment


@pytest.mark.fault("P15")
def test_P15_a_repeat_has_the_same_mark_whether_halo_gives_one_or_not() -> None:
    bare = {name: value for name, value in MESSAGE.items() if name != "id"}
    assert verify(MESSAGE)[0].message_id == verify(MESSAGE)[0].message_id == MESSAGE["id"]
    assert verify(bare)[0].message_id == verify(dict(reversed(bare.items())))[0].message_id
    assert verify(bare)[0].message_id != verify({**bare, "timestamp": "2025-11-22T06:00:01Z"})[0].message_id


@pytest.mark.fault("C19")
@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"null", b"3", b'"x"', b'{"a":1,"a":2}', b"NaN"]
)
def test_C19_a_proven_message_that_cannot_be_read_tells_of_nothing(body: bytes) -> None:
    assert verify(body) == ()
