"""Callbacks of Autotask: registering them once, and believing none that is not signed for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from local.simulators.autotask import AutotaskSimulator
from local.simulators.autotask_webhooks import signed_message
from local.simulators.server import running
from tests.adapters.autotask.connected import SCENE
from tests.contracts.psa_subject_autotask import AUTOTASK_FIELDS
from tests.contracts.psa_subject_connectwise import world_of
from tests.fakes.clock import FakeClock
from trueup.adapters.autotask.callback_proof import BODY_BYTES_MAXIMUM
from trueup.adapters.autotask.callbacks import (
    WEBHOOK_NAME,
    AutotaskCallbackRegistration,
    callback_verification,
    open_callback_registration,
)
from trueup.domain.callbacks import CallbackHint, CallbackSecrets, CallbackSubject
from trueup.domain.errors import (
    CallbackForged,
    InputInvalid,
    NotFound,
    PermissionMissing,
    SchemaUnknown,
    WriteOutcomeUnknown,
)
from trueup.domain.integrations import Integration, IntegrationName

SECRETS = CallbackSecrets("path-token-0123456789", "correct-horse-battery-9", "user", "password")
URL = f"https://tenant.example/v1/callbacks/autotask/{SECRETS.path_token}"
INTEGRATION = Integration(IntegrationName.AUTOTASK, address="https://webservices.autotask.net")

# The vector of the facts: secret, body and signature were computed apart from this code.
VECTOR_BODY = (
    b'{"Action":"Update","Guid":"4d2b7d0e-0f0e-4b8c-9a51-2f6c0e5b7a11","EntityType":"Account","Id":29683512,'
    b'"Fields":{"companyName":"Acme Dental"},"EventTime":"2026-11-22T06:00:00Z","SequenceNumber":3,"PersonID":29682885}'
)
VECTOR_SIGNATURE = "sha1=7p/45XHqF+1HCR4pyEGWeCFSPko="
VECTOR_HEADERS = {"content-type": "application/json", "x-hook-signature": VECTOR_SIGNATURE}


def verify(headers: dict[str, str], body: bytes, secrets: CallbackSecrets = SECRETS) -> tuple[CallbackHint, ...]:
    return callback_verification(INTEGRATION, secrets).verify(headers, body, {})


def hints_of(message: object) -> tuple[CallbackHint, ...]:
    body = json.dumps(message).encode()
    digest = hmac.new(SECRETS.signing_secret.encode(), body, hashlib.sha1).digest()
    return verify({"x-hook-signature": f"sha1={base64.b64encode(digest).decode()}"}, body)


def message(**changes: object) -> dict[str, object]:
    return {**json.loads(VECTOR_BODY), **changes}


def test_the_signed_vector_gives_its_hint() -> None:
    assert verify(VECTOR_HEADERS, VECTOR_BODY) == (
        CallbackHint(
            psa=IntegrationName.AUTOTASK,
            message_id="4d2b7d0e-0f0e-4b8c-9a51-2f6c0e5b7a11-3-29683512",
            subject=CallbackSubject.ACCOUNT,
            record_id="29683512",
            changed_at=datetime(2026, 11, 22, 6, tzinfo=UTC),
        ),
    )


_DIGEST = base64.b64decode(VECTOR_SIGNATURE[5:])
TAMPERED: dict[str, tuple[dict[str, str], bytes]] = {
    "no header": ({}, VECTOR_BODY),
    "empty header": ({"x-hook-signature": ""}, VECTOR_BODY),
    "scheme alone": ({"x-hook-signature": "sha1="}, VECTOR_BODY),
    "upper-case scheme": ({"x-hook-signature": "SHA1=" + VECTOR_SIGNATURE[5:]}, VECTOR_BODY),
    "no scheme": ({"x-hook-signature": VECTOR_SIGNATURE[5:]}, VECTOR_BODY),
    "other scheme": ({"x-hook-signature": "sha256=" + VECTOR_SIGNATURE[5:]}, VECTOR_BODY),
    "hex": ({"x-hook-signature": "sha1=" + _DIGEST.hex()}, VECTOR_BODY),
    "lower case": ({"x-hook-signature": VECTOR_SIGNATURE.lower()}, VECTOR_BODY),
    "upper case": ({"x-hook-signature": "sha1=" + VECTOR_SIGNATURE[5:].upper()}, VECTOR_BODY),
    "no padding": ({"x-hook-signature": VECTOR_SIGNATURE.rstrip("=")}, VECTOR_BODY),
    "more padding": ({"x-hook-signature": VECTOR_SIGNATURE + "="}, VECTOR_BODY),
    "url-safe alphabet": ({"x-hook-signature": VECTOR_SIGNATURE.replace("/", "_").replace("+", "-")}, VECTOR_BODY),
    "one bit": (
        {"x-hook-signature": "sha1=" + base64.b64encode(bytes([_DIGEST[0] ^ 1]) + _DIGEST[1:]).decode()},
        VECTOR_BODY,
    ),
    "cut short": ({"x-hook-signature": VECTOR_SIGNATURE[:15]}, VECTOR_BODY),
    "sent twice": ({"x-hook-signature": f"{VECTOR_SIGNATURE}, {VECTOR_SIGNATURE}"}, VECTOR_BODY),
    "space before": ({"x-hook-signature": " " + VECTOR_SIGNATURE}, VECTOR_BODY),
    "line end after": ({"x-hook-signature": VECTOR_SIGNATURE + "\n"}, VECTOR_BODY),
    "another header": ({"x-content-signature": VECTOR_SIGNATURE}, VECTOR_BODY),
    "not ASCII": ({"x-hook-signature": "sha1=\u00e9\ud800" + VECTOR_SIGNATURE[7:]}, VECTOR_BODY),
    "empty body": (VECTOR_HEADERS, b""),
    "one byte of the body": (VECTOR_HEADERS, VECTOR_BODY.replace(b"29683512", b"29683513")),
    "a byte more": (VECTOR_HEADERS, VECTOR_BODY + b"\n"),
    "written anew": (VECTOR_HEADERS, json.dumps(json.loads(VECTOR_BODY)).encode()),
    "still in base64": (VECTOR_HEADERS, base64.b64encode(VECTOR_BODY)),
    "byte order mark": (VECTOR_HEADERS, b"\xef\xbb\xbf" + VECTOR_BODY),
}


@pytest.mark.fault("P16")
@pytest.mark.fault("S15")
@pytest.mark.parametrize("name", TAMPERED)
def test_P16_S15_a_message_that_is_not_signed_for_is_refused(name: str) -> None:
    headers, body = TAMPERED[name]
    with pytest.raises(CallbackForged) as caught:
        verify(headers, body)
    assert SECRETS.signing_secret not in caught.value.message


def test_there_are_more_than_twenty_tampered_forms() -> None:
    assert len(TAMPERED) >= 20


@pytest.mark.fault("S15")
def test_S15_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr("trueup.adapters.autotask.callback_proof.hmac.compare_digest", watched)
    for headers, body in TAMPERED.values():
        with pytest.raises(CallbackForged):
            verify(headers, body)
    assert len(compared) == len(TAMPERED)


def test_another_secret_and_no_secret_prove_nothing() -> None:
    for secret in ("another-secret-0123456789", ""):
        other = CallbackSecrets("p", secret, "u", "p")
        body = VECTOR_BODY
        digest = base64.b64encode(hmac.new(b"", body, hashlib.sha1).digest()).decode()
        with pytest.raises(CallbackForged):
            verify({"x-hook-signature": f"sha1={digest}"}, body, other)


def test_a_message_that_is_too_long_is_refused_before_it_is_hashed() -> None:
    with pytest.raises(CallbackForged):
        verify(VECTOR_HEADERS, b"x" * (BODY_BYTES_MAXIMUM + 1))


def test_the_secret_is_not_in_the_representation() -> None:
    assert SECRETS.signing_secret not in repr(callback_verification(INTEGRATION, SECRETS))


@pytest.mark.parametrize(
    ("action", "deleted"), [("Create", False), ("Update", False), ("Delete", True), ("delete", True)]
)
def test_a_change_of_a_company_is_a_hint(action: str, deleted: bool) -> None:
    (hint,) = hints_of(message(Action=action))
    assert (hint.account_id, hint.agreement_id, hint.deleted) == ("29683512", None, deleted)


@pytest.mark.parametrize(
    "changes", [{"Action": "Deactivated"}, {"Action": "Odd"}, {"EntityType": "Ticket"}, {"Action": None}]
)
def test_a_message_of_anything_else_tells_of_nothing(changes: dict[str, object]) -> None:
    assert hints_of(message(**changes)) == ()


@pytest.mark.parametrize("body", [[], "x", None, {"Id": "7"}, {"Action": "Update"}, {"Id": 1.5}])
def test_a_proven_message_of_another_shape_is_not_asked_for_again(body: object) -> None:
    assert hints_of(body) == ()


@pytest.mark.fault("C19")
def test_C19_a_proven_message_nested_too_deep_tells_of_nothing() -> None:
    body = b"[" * 100_000 + b"]" * 100_000
    digest = base64.b64encode(hmac.new(SECRETS.signing_secret.encode(), body, hashlib.sha1).digest()).decode()
    assert verify({"x-hook-signature": f"sha1={digest}"}, body) == ()


@pytest.mark.fault("P15")
def test_P15_a_repeat_has_the_same_id_and_another_message_has_not() -> None:
    first, again = hints_of(message()), hints_of(message())
    assert first[0].message_id == again[0].message_id
    others = [message(SequenceNumber=4), message(Id=7), message(Guid="x"), message(SequenceNumber=None)]
    ids = {hints_of(other)[0].message_id for other in others}
    assert len(ids | {first[0].message_id}) == 5
    assert hints_of(message(SequenceNumber=None)) == hints_of(message(SequenceNumber=None))


@pytest.mark.fault("P14")
@pytest.mark.parametrize(
    ("time", "moment"),
    [
        ("2026-11-22T06:00:00Z", datetime(2026, 11, 22, 6, tzinfo=UTC)),
        ("2026-11-22T06:00:00.123", datetime(2026, 11, 22, 6, 0, 0, 123_000, tzinfo=UTC)),
        ("2026-11-22T08:00:00+02:00", datetime(2026, 11, 22, 6, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
    ],
)
def test_P14_the_time_of_the_change_is_told_so_that_an_older_one_can_be_left_aside(
    time: str | None, moment: datetime | None
) -> None:
    assert hints_of(message(EventTime=time))[0].changed_at == moment


def test_what_the_simulator_signs_is_proven() -> None:
    headers, body = signed_message(SECRETS.signing_secret, message())
    assert len(verify(headers, body)) == 1


# Registering.


@contextmanager
def registering() -> Iterator[tuple[AutotaskSimulator, AutotaskCallbackRegistration]]:
    clock = FakeClock()
    with running(AutotaskSimulator(world_of(SCENE))) as simulator:
        registration = open_callback_registration(simulator.url, AUTOTASK_FIELDS, clock=clock, allow_loopback=True)
        yield simulator, registration
        registration.close()


def kept(simulator: AutotaskSimulator) -> list[dict[str, object]]:
    return list(simulator.world.vendor_state["autotask"].get("webhooks", []))


def watched(simulator: AutotaskSimulator) -> list[int]:
    return [one["fieldID"] for one in simulator.world.vendor_state["autotask"].get("webhook_fields", [])]


def test_a_webhook_is_registered_with_its_fields_once_however_often_it_is_asked_for() -> None:
    with registering() as (simulator, registration):
        (first,) = registration.register(URL, SECRETS)
        (again,) = registration.register(URL, SECRETS)
        assert first == again == registration.registered()[0]
        (webhook,) = kept(simulator)
        assert (first.id, first.description, first.subject, first.active) == (
            str(webhook["id"]),
            WEBHOOK_NAME,
            "company",
            True,
        )
        assert first.url == "https://tenant.example/v1/callbacks/autotask/..."
        assert (webhook["webhookUrl"], webhook["deactivationUrl"]) == (URL, URL)
        assert webhook["secretKey"] == SECRETS.signing_secret
        assert (webhook["isActive"], webhook["isSubscribedToDeleteEvents"]) == (True, True)
        assert sorted(watched(simulator)) == [14, 19, 27]


def test_a_webhook_that_was_left_without_fields_is_completed() -> None:
    with registering() as (simulator, registration):
        simulator.faults.add("status", path="/CompanyWebhooks/*/Fields", nth=2, status=400)
        with pytest.raises(Exception, match="watching a field"):
            registration.register(URL, SECRETS)
        assert len(watched(simulator)) == 1
        (found,) = registration.register(URL, SECRETS)
        assert found.active
        assert len(kept(simulator)) == 1
        assert sorted(watched(simulator)) == [14, 19, 27]


def test_a_webhook_that_autotask_switched_off_is_switched_on_again() -> None:
    with registering() as (simulator, registration):
        registration.register(URL, SECRETS)
        simulator.world.vendor_state["autotask"]["webhooks"][0]["isActive"] = False
        assert [one.active for one in registration.registered()] == [False]
        assert [one.active for one in registration.register(URL, SECRETS)] == [True]


@pytest.mark.parametrize("kind", ["drop_after_commit", "error_after_commit"])
def test_an_answer_that_is_lost_makes_no_second_webhook(kind: str) -> None:
    with registering() as (simulator, registration):
        simulator.faults.add(kind, method="POST", path="/CompanyWebhooks")
        assert len(registration.register(URL, SECRETS)) == 1
        assert len(kept(simulator)) == 1


def test_a_registration_that_was_lost_is_said_to_be_open() -> None:
    with registering() as (simulator, registration):
        simulator.faults.add("drop_before_commit", method="POST", path="/CompanyWebhooks")
        with pytest.raises(WriteOutcomeUnknown):
            registration.register(URL, SECRETS)
        assert len(registration.register(URL, SECRETS)) == 1


def test_webhooks_of_others_are_not_listed_and_not_removed() -> None:
    with registering() as (simulator, registration):
        (own,) = registration.register(URL, SECRETS)
        theirs = {**kept(simulator)[0], "id": 7, "name": "Another program"}
        simulator.world.vendor_state["autotask"]["webhooks"].append(theirs)
        assert [one.id for one in registration.registered()] == [own.id]
        for wrong in ("7", "999", "../7", ""):
            with pytest.raises(NotFound):
                registration.remove(wrong)
        registration.remove(own.id)
        assert [one["id"] for one in kept(simulator)] == [7]
        assert watched(simulator) == []


def test_removing_what_somebody_removed_meanwhile_is_no_error() -> None:
    with registering() as (simulator, registration):
        (own,) = registration.register(URL, SECRETS)
        simulator.faults.add(
            "status", method="DELETE", path="/CompanyWebhooks/*", status=500, message="No matching records found."
        )
        registration.remove(own.id)


def test_a_user_who_may_not_make_webhooks_is_told_which_right_it_takes() -> None:
    with registering() as (simulator, registration):
        simulator.restricted = frozenset({"CompanyWebhooks"})
        with pytest.raises(PermissionMissing) as caught:
            registration.register(URL, SECRETS)
        assert caught.value.permission
        assert SECRETS.signing_secret not in caught.value.message


def test_a_refusal_that_quotes_what_was_sent_shows_no_secret() -> None:
    with registering() as (simulator, registration):
        quoted = f"Bad value {SECRETS.signing_secret} for {URL}"
        simulator.faults.add("status", method="POST", path="/CompanyWebhooks", status=400, message=quoted)
        with pytest.raises(Exception, match="registering a webhook") as caught:
            registration.register(URL, SECRETS)
        assert SECRETS.signing_secret not in str(caught.value)
        assert SECRETS.path_token not in str(caught.value)


def test_an_address_that_is_too_long_and_fields_that_are_not_offered_are_named() -> None:
    with registering() as (simulator, registration):
        with pytest.raises(InputInvalid):
            registration.register(f"https://tenant.example/{'x' * 500}", SECRETS)
        fields = json.dumps({"fields": [{"name": "fieldID", "picklistValues": [{"value": "1", "label": "Fax"}]}]})
        simulator.faults.add("raw", path="/CompanyWebhookFields/entityInformation/fields", body=fields)
        with pytest.raises(SchemaUnknown, match="fieldID"):
            registration.register(URL, SECRETS)
