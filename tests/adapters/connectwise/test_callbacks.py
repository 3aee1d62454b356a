"""Callbacks of ConnectWise: what is registered, what is believed, and what is never called."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from local.simulators import credentials
from local.simulators.connectwise import ConnectWiseSimulator
from local.simulators.connectwise_callbacks import KEY_PATH, signature
from local.simulators.server import running
from tests.adapters.connectwise.connected import SCENE
from tests.contracts.psa_subject_connectwise import CONNECTWISE_FIELDS, world_of
from tests.fakes.clock import FakeClock
from trueup.adapters.connectwise import callback_proof
from trueup.adapters.connectwise.callback_keys import SigningKeys, own_key_address
from trueup.adapters.connectwise.callback_proof import ConnectWiseCallbackVerification
from trueup.adapters.connectwise.callbacks import (
    ConnectWiseCallbackRegistration,
    callback_verification,
    open_callback_registration,
)
from trueup.adapters.outbound_address import BaseAddress, parse_base_address
from trueup.domain.callbacks import CallbackHint, CallbackSecrets, CallbackSubject
from trueup.domain.errors import CallbackForged, NotFound, PermissionMissing, UnsafeAddress, VendorUnavailable
from trueup.domain.integrations import Integration, IntegrationName

SECRETS = CallbackSecrets("tok-9f2c", "signing-secret-of-20-characters", "user", "password")
URL = "https://hook.example/psa/connectwise/tok-9f2c"
# The vector: the exact bytes, the text of the key, and the signature worked out by hand for both.
VECTOR_KEY = "ZXhhbXBsZS1zaWduaW5nLWtleQ=="
VECTOR_SIGNATURE = "50KhS5F08VzSCJgx6xNHu6eAHSN5s6nlalsOVfyRTqo="
VECTOR_BODY = (
    b'{"MessageId":"11111111-2222-3333-4444-555555555555","FromUrl":"na.myconnectwise.net","CompanyId":"acmemsp",'
    b'"MemberId":"ApiMimecast","Action":"updated","Type":"agreement","ID":1201,"ProductInstanceId":null,'
    b'"PartnerId":null,"Entity":"{\\"id\\":1201,\\"name\\":\\"Acme Managed Services\\"}",'
    b'"Metadata":{"key_url":"https://api-na.myconnectwise.net/v4_6_release/services/callback/api/keys/0a1b2c"},'
    b'"CallbackObjectRecId":77}'
)
CLOUD = BaseAddress("https", "api-na.myconnectwise.net", None)


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that keys were asked from; every one tells the key of the vector."""
    asked: list[str] = []

    def fetch(address: Any, _clock: object) -> bytes:
        asked.append(f"{address.server.url}{address.path}")
        return hashlib.sha256(VECTOR_KEY.encode()).digest()

    monkeypatch.setattr("trueup.adapters.connectwise.callback_keys.fetch_key", fetch)
    return asked


def cloud_verification(company_id: str = "acmemsp") -> ConnectWiseCallbackVerification:
    return ConnectWiseCallbackVerification(CLOUD, company_id, FakeClock(), keys=SigningKeys())


def signed(body: bytes) -> dict[str, str]:
    """The header that fits the vector's key."""
    return {"x-content-signature": signature(body, VECTOR_KEY)}


def edited(**changes: object) -> bytes:
    """The vector's message with other values, rightly signed by whoever calls ``signed`` on it."""
    return json.dumps(json.loads(VECTOR_BODY) | changes, separators=(",", ":")).encode()


# What is believed.


def test_the_vector_is_believed(keyed: list[str]) -> None:
    (hint,) = cloud_verification().verify({"x-content-signature": VECTOR_SIGNATURE}, VECTOR_BODY, {})
    assert hint == CallbackHint(
        IntegrationName.CONNECTWISE, "11111111-2222-3333-4444-555555555555", CallbackSubject.AGREEMENT, "1201"
    )
    assert keyed == ["https://api-na.myconnectwise.net/v4_6_release/services/callback/api/keys/0a1b2c"]


def _flipped(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


TAMPERED: list[tuple[str, dict[str, str], bytes]] = [
    ("no signature", {}, VECTOR_BODY),
    ("empty", {"x-content-signature": ""}, VECTOR_BODY),
    ("under another name", {"x-signature": VECTOR_SIGNATURE}, VECTOR_BODY),
    ("twice, the same", {"x-content-signature": f"{VECTOR_SIGNATURE},{VECTOR_SIGNATURE}"}, VECTOR_BODY),
    ("twice, the other first", {"x-content-signature": f"{'A' * 43}=, {VECTOR_SIGNATURE}"}, VECTOR_BODY),
    ("first character", {"x-content-signature": _flipped(VECTOR_SIGNATURE, 0)}, VECTOR_BODY),
    ("last character", {"x-content-signature": _flipped(VECTOR_SIGNATURE, 42)}, VECTOR_BODY),
    ("cut", {"x-content-signature": VECTOR_SIGNATURE[:-1]}, VECTOR_BODY),
    ("longer", {"x-content-signature": f"{VECTOR_SIGNATURE}="}, VECTOR_BODY),
    ("space before", {"x-content-signature": f" {VECTOR_SIGNATURE}"}, VECTOR_BODY),
    ("line end", {"x-content-signature": f"{VECTOR_SIGNATURE}\n"}, VECTOR_BODY),
    ("upper case", {"x-content-signature": VECTOR_SIGNATURE.upper()}, VECTOR_BODY),
    ("in hex", {"x-content-signature": base64.b64decode(VECTOR_SIGNATURE).hex()}, VECTOR_BODY),
    ("url-safe", {"x-content-signature": VECTOR_SIGNATURE.replace("+", "-").replace("/", "_")[:-1] + "-"}, VECTOR_BODY),
    ("with a scheme", {"x-content-signature": f"sha256={VECTOR_SIGNATURE}"}, VECTOR_BODY),
    ("not ASCII", {"x-content-signature": VECTOR_SIGNATURE[:-2] + "ａ="}, VECTOR_BODY),
    ("of another body", signed(b"{}"), VECTOR_BODY),
    (
        "key not hashed first",
        {
            "x-content-signature": base64.b64encode(
                hmac.new(VECTOR_KEY.encode(), VECTOR_BODY, hashlib.sha256).digest()
            ).decode()
        },
        VECTOR_BODY,
    ),
    (
        "key decoded first",
        {
            "x-content-signature": base64.b64encode(
                hmac.new(base64.b64decode(VECTOR_KEY), VECTOR_BODY, hashlib.sha256).digest()
            ).decode()
        },
        VECTOR_BODY,
    ),
    ("body with a space more", {"x-content-signature": VECTOR_SIGNATURE}, VECTOR_BODY + b" "),
    ("body with a line end", {"x-content-signature": VECTOR_SIGNATURE}, VECTOR_BODY + b"\n"),
    ("body written anew", {"x-content-signature": VECTOR_SIGNATURE}, json.dumps(json.loads(VECTOR_BODY)).encode()),
    ("another record", {"x-content-signature": VECTOR_SIGNATURE}, VECTOR_BODY.replace(b'"ID":1201', b'"ID":1202')),
    ("another action", {"x-content-signature": VECTOR_SIGNATURE}, VECTOR_BODY.replace(b"updated", b"deleted")),
    ("in base64", {"x-content-signature": VECTOR_SIGNATURE}, base64.b64encode(VECTOR_BODY)),
    ("with a mark before", {"x-content-signature": VECTOR_SIGNATURE}, b"\xef\xbb\xbf" + VECTOR_BODY),
    ("empty body", {"x-content-signature": VECTOR_SIGNATURE}, b""),
]


@pytest.mark.fault("S15")
@pytest.mark.parametrize(("headers", "body"), [one[1:] for one in TAMPERED], ids=[one[0] for one in TAMPERED])
def test_S15_a_tampered_message_is_refused(keyed: list[str], headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(CallbackForged) as caught:
        cloud_verification().verify(headers, body, {})
    assert "signature" not in caught.value.message


@pytest.mark.fault("S15")
def test_S15_signatures_are_compared_in_constant_time(keyed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    compare = hmac.compare_digest

    def watched(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return compare(left, right)

    monkeypatch.setattr(callback_proof.hmac, "compare_digest", watched)
    wrong = _flipped(VECTOR_SIGNATURE, 0)
    with pytest.raises(CallbackForged):
        cloud_verification().verify({"x-content-signature": wrong}, VECTOR_BODY, {})
    assert compared == [(wrong.encode(), VECTOR_SIGNATURE.encode())]


@pytest.mark.parametrize(
    "body",
    [
        edited(CompanyId="othermsp"),
        edited(CompanyId=None),
        edited(CompanyId=""),
        edited(Metadata=None),
        edited(Metadata={}),
        edited(Metadata={"key_url": 7}),
        edited(companyid="acmemsp"),
        b"[]",
        b"null",
        b'"text"',
        b"{" * 100_000,
        VECTOR_BODY.replace(b'"ID":1201', b'"ID":1201,"ID":1202'),
        b"{}" + b" " * 300_000,
        b"\xff\xfe",
    ],
    ids=range(14),
)
def test_a_message_that_is_odd_is_refused_before_any_key_is_asked_for(keyed: list[str], body: bytes) -> None:
    with pytest.raises(CallbackForged):
        cloud_verification().verify(signed(body), body, {})
    assert keyed == []


def test_nobody_is_believed_where_the_company_is_not_known(keyed: list[str]) -> None:
    body = edited(CompanyId="")
    with pytest.raises(CallbackForged):
        cloud_verification("").verify(signed(body), body, {})
    assert keyed == []


# Where keys come from.

ELSEWHERE = [
    "https://evil.example/keys/1",
    "http://api-na.myconnectwise.net/keys/1",
    "https://api-eu.myconnectwise.net/keys/1",
    "https://myconnectwise.net/keys/1",
    "https://api-na.myconnectwise.net.evil.example/keys/1",
    "https://api-na.myconnectwise.net@evil.example/keys/1",
    "https://evil.example\\@api-na.myconnectwise.net/keys/1",
    "https://evil.example#@api-na.myconnectwise.net/keys/1",
    "https://api-na.myconnectwise.net:8443/keys/1",
    "https://user:pw@api-na.myconnectwise.net/keys/1",
    "https://api-na.myconnectwise.net/../../keys/1",
    "https://api-na.myconnectwise.net//evil.example/keys/1",
    "https://аpi-na.myconnectwise.net/keys/1",
    "https://api-na.myconnectwise.net./keys/1",
    "https://[::1]/keys/1",
    "https://127.0.0.1/keys/1",
    "https://169.254.169.254/latest/meta-data",
    "//api-na.myconnectwise.net/keys/1",
    "/keys/1",
    "file:///etc/passwd",
    "ftp://api-na.myconnectwise.net/keys/1",
    "HTTPS://api-na.myconnectwise.net/keys/1 ",
    "https://api-na.myconnectwise.net/keys/1\r\nHost: evil.example",
    "",
]


@pytest.mark.fault("P16")
@pytest.mark.parametrize("key_url", ELSEWHERE)
def test_P16_a_key_that_is_elsewhere_is_never_asked_for(keyed: list[str], key_url: str) -> None:
    body = edited(Metadata={"key_url": key_url})
    with pytest.raises(CallbackForged):
        cloud_verification().verify(signed(body), body, {})
    assert keyed == []


@pytest.mark.parametrize("host", ["api-na.myconnectwise.net", "na.myconnectwise.net"])
def test_the_key_may_be_on_the_host_of_the_api_or_of_the_sign_in(host: str) -> None:
    address = own_key_address(CLOUD, f"https://{host}/services/keys/1?v=2")
    assert (address.server.url, address.path) == (f"https://{host}", "/services/keys/1?v=2")


def test_an_on_premise_server_has_one_name_only() -> None:
    base = parse_base_address(
        "https://psa.msp.example", allowed_suffixes=("psa.msp.example",), integration="x", allow_loopback=False
    )
    assert own_key_address(base, "https://psa.msp.example/keys/1").server == base
    with pytest.raises(UnsafeAddress):
        own_key_address(base, "https://api-psa.msp.example/keys/1")


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket that would take a connection at once."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        yield listener


def _connection_came(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.mark.fault("P16")
@pytest.mark.fault("S15")
def test_P16_a_server_elsewhere_gets_no_connection() -> None:
    with listening() as evil, running(ConnectWiseSimulator(world_of(SCENE))) as simulator:
        body = edited(Metadata={"key_url": f"http://127.0.0.1:{evil.getsockname()[1]}{KEY_PATH}"})
        with pytest.raises(CallbackForged):
            verification_of(simulator).verify(signed(body), body, {})
        assert not _connection_came(evil)
        assert simulator.requests.entries == []


def verification_of(simulator: ConnectWiseSimulator, clock: FakeClock | None = None) -> ConnectWiseCallbackVerification:
    base = parse_base_address(simulator.url, allowed_suffixes=(), integration="x", allow_loopback=True)
    company = credentials.CONNECTWISE_COMPANY_ID
    return ConnectWiseCallbackVerification(base, company, clock or FakeClock(), keys=SigningKeys())


def message_from(simulator: ConnectWiseSimulator, **changes: object) -> tuple[dict[str, str], bytes]:
    """A message of that simulator, signed with its key."""
    body = edited(Metadata={"key_url": f"{simulator.url}{KEY_PATH}"}, **changes)
    return {"x-content-signature": signature(body)}, body


def test_a_key_is_fetched_once_without_a_credential_and_remembered() -> None:
    with running(ConnectWiseSimulator(world_of(SCENE))) as simulator:
        verification = verification_of(simulator)
        for number in range(3):
            headers, body = message_from(simulator, ID=1201 + number)
            assert verification.verify(headers, body, {"recordId": "9", "action": "deleted"})
        (asked,) = simulator.requests.entries
    assert (asked.path, asked.authorized) == (KEY_PATH, False)


def test_forged_messages_cause_no_more_than_one_call_a_minute() -> None:
    with running(ConnectWiseSimulator(world_of(SCENE))) as simulator:
        clock = FakeClock()
        verification = verification_of(simulator, clock)
        for _ in range(5):
            _, body = message_from(simulator)
            with pytest.raises(CallbackForged):
                verification.verify({"x-content-signature": "A" * 43 + "="}, body, {})
        assert len(simulator.requests.entries) == 1
        clock.advance(61)
        with pytest.raises(CallbackForged):
            verification.verify({"x-content-signature": "A" * 43 + "="}, body, {})
        assert len(simulator.requests.entries) == 2
        assert verification.verify(*message_from(simulator), {})
        assert len(simulator.requests.entries) == 2


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("redirect", {"location": "https://evil.example/"}),
        ("status", {"status": 404}),
        ("status", {"status": 403}),
        ("html", {}),
        ("empty", {}),
        ("oversized", {"size_bytes": 1_000_000}),
        ("gzip_bomb", {"size_bytes": 10_000_000}),
        ("raw", {"body": '{"signing_key":""}'}),
        ("raw", {"body": '{"signing_key":null}'}),
        ("raw", {"body": '{"key":"x"}'}),
        ("raw", {"body": '["signing_key"]'}),
        ("raw", {"body": '{"signing_key":"\\ud800"}'}),
        ("raw", {"body": json.dumps({"signing_key": "k" * 2_000})}),
    ],
)
def test_a_key_that_is_not_told_proves_nothing(kind: str, options: dict[str, Any]) -> None:
    with running(ConnectWiseSimulator(world_of(SCENE))) as simulator:
        simulator.faults.add(kind, path=KEY_PATH, times=0, **options)
        with pytest.raises(CallbackForged):
            verification_of(simulator).verify(*message_from(simulator), {})
        assert len(simulator.requests.entries) == 1


@pytest.mark.parametrize("kind", ["status", "drop_before_commit"])
def test_a_key_that_cannot_be_had_just_now_is_trouble_and_no_verdict(kind: str) -> None:
    with running(ConnectWiseSimulator(world_of(SCENE))) as simulator:
        simulator.faults.add(kind, path=KEY_PATH)
        verification = verification_of(simulator)
        with pytest.raises(VendorUnavailable):
            verification.verify(*message_from(simulator), {})
        assert verification.verify(*message_from(simulator), {})


# What a message tells.


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"Type": "company", "ID": 250}, (CallbackSubject.ACCOUNT, "250", False)),
        ({"Type": "Company", "ID": 250, "Action": "Deleted"}, (CallbackSubject.ACCOUNT, "250", True)),
        ({"Type": "AGREEMENT", "Action": "added"}, (CallbackSubject.AGREEMENT, "1201", False)),
        ({"Action": None}, (CallbackSubject.AGREEMENT, "1201", False)),
    ],
)
def test_clients_and_agreements_are_told_of(
    keyed: list[str], changes: dict[str, object], hint: tuple[CallbackSubject, str, bool]
) -> None:
    body = edited(**changes)
    (found,) = cloud_verification().verify(signed(body), body, {})
    assert (found.subject, found.record_id, found.deleted) == hint


@pytest.mark.parametrize(
    "changes",
    [
        {"Type": "ticket"},
        {"Type": None},
        {"ID": 0},
        {"ID": -5},
        {"ID": True},
        {"ID": "1201"},
        {"ID": 1.5},
        {"ID": None},
    ],
)
def test_a_proven_message_of_nothing_that_is_used_is_no_hint(keyed: list[str], changes: dict[str, object]) -> None:
    body = edited(**changes)
    assert cloud_verification().verify(signed(body), body, {}) == ()


def test_names_are_read_in_any_case(keyed: list[str]) -> None:
    body = VECTOR_BODY.replace(b"CompanyId", b"CompanyID").replace(b'"ID"', b'"Id"').replace(b"key_url", b"Key_Url")
    (hint,) = cloud_verification("AcmeMSP").verify(signed(body), body, {})
    assert hint.record_id == "1201"


@pytest.mark.fault("P14")
@pytest.mark.parametrize(
    ("entity", "moment"),
    [
        ('{"id":1201,"_info":{"lastUpdated":"2026-11-01T08:00:00Z"}}', datetime(2026, 11, 1, 8, tzinfo=UTC)),
        ('{"_info":{"lastUpdated":"2026-11-01T08:00:00.123Z"}}', datetime(2026, 11, 1, 8, 0, 0, 123_000, tzinfo=UTC)),
        ('{"_info":{"lastUpdated":"2026-11-01T08:00:00"}}', None),
        ('{"_info":{"lastUpdated":"yesterday"}}', None),
        ('{"_info":{"lastUpdated":7}}', None),
        ('{"_info":null}', None),
        ("[]", None),
        ("not json", None),
        ("\ud800", None),
        (None, None),
        ({"_info": {"lastUpdated": "2026-11-01T08:00:00Z"}}, None),
    ],
)
def test_P14_the_time_of_the_change_is_told_where_the_message_has_it(
    keyed: list[str], entity: object, moment: datetime | None
) -> None:
    """An older message than what was read last can then be told from a newer one."""
    body = edited(Entity=entity)
    (hint,) = cloud_verification().verify(signed(body), body, {})
    assert hint.changed_at == moment


@pytest.mark.parametrize("message_id", [None, "", 7, "x" * 200, "a b", "\n"])
def test_a_message_without_a_usable_id_is_told_by_its_bytes(keyed: list[str], message_id: object) -> None:
    body, other = edited(MessageId=message_id), edited(MessageId=message_id, ID=1202)
    (first,) = cloud_verification().verify(signed(body), body, {})
    (again,) = cloud_verification().verify(signed(body), body, {})
    (second,) = cloud_verification().verify(signed(other), other, {})
    assert first.message_id == again.message_id != second.message_id
    assert first.message_id.startswith("sha256-")


def test_no_secret_and_nothing_of_the_message_is_logged(keyed: list[str], caplog: pytest.LogCaptureFixture) -> None:
    body = edited(Entity="SECRET-IN-BODY")
    with caplog.at_level(logging.DEBUG), pytest.raises(CallbackForged):
        cloud_verification().verify({"x-content-signature": "A" * 43 + "="}, body, {"token": "tok-9f2c"})
    assert "refused" in caplog.text
    assert not any(word in caplog.text for word in ("SECRET-IN-BODY", "tok-9f2c", VECTOR_KEY, "A" * 43))


def test_it_is_opened_for_the_connected_company() -> None:
    integration = Integration(
        IntegrationName.CONNECTWISE, address="https://api-na.myconnectwise.net", settings=(("company_id", "acmemsp"),)
    )
    verification = callback_verification(integration, SECRETS, clock=FakeClock(), allow_loopback=False)
    body = edited(CompanyId="othermsp")
    with pytest.raises(CallbackForged):
        verification.verify(signed(body), body, {})
    with pytest.raises(UnsafeAddress):
        callback_verification(
            Integration(IntegrationName.CONNECTWISE, address="https://evil.example"),
            SECRETS,
            clock=FakeClock(),
            allow_loopback=False,
        )


# Registration.


@contextmanager
def registered_site() -> Iterator[tuple[ConnectWiseSimulator, ConnectWiseCallbackRegistration]]:
    with running(ConnectWiseSimulator(world_of(SCENE))) as simulator:
        registration = open_callback_registration(
            simulator.url, CONNECTWISE_FIELDS, clock=FakeClock(), allow_loopback=True
        )
        yield simulator, registration
        registration.close()


FOREIGN = {
    "id": 12,
    "description": "Ticket sync of another vendor",
    "url": "https://other.example/hook?recordId=",
    "objectId": 1,
    "type": "agreement",
    "level": "owner",
    "inactiveFlag": False,
    "isSelfSuppressedFlag": False,
}


def test_changes_of_agreements_and_companies_are_asked_for_but_not_our_own() -> None:
    with registered_site() as (simulator, registration):
        made = registration.register(URL, SECRETS)
        there = simulator.world.callbacks
        assert registration.registered() == made
    assert [(one["type"], one["level"], one["objectId"], one["isSelfSuppressedFlag"]) for one in there] == [
        ("agreement", "owner", 1, True),
        ("company", "owner", 1, True),
    ]
    assert {one["url"] for one in there} == {f"{URL}?recordId="}
    assert [(one.subject, one.url, one.active) for one in made] == [
        ("agreement", "https://hook.example/psa/connectwise/...", True),
        ("company", "https://hook.example/psa/connectwise/...", True),
    ]
    assert "tok-9f2c" not in repr(made)


def test_registering_again_changes_nothing_and_switches_on_what_was_switched_off() -> None:
    with registered_site() as (simulator, registration):
        first = registration.register(URL, SECRETS)
        sent = len(simulator.world.writes)
        assert registration.register(URL, SECRETS) == first
        assert len(simulator.world.writes) == sent
        simulator.world.callbacks[0]["inactiveFlag"] = True
        assert [one.active for one in registration.registered()] == [False, True]
        assert registration.register(URL, SECRETS) == first
        assert [record.method for record in simulator.world.writes[sent:]] == ["PATCH"]


def test_other_integrations_registrations_are_neither_shown_nor_removed() -> None:
    with registered_site() as (simulator, registration):
        simulator.world.callbacks.append(dict(FOREIGN))
        registration.register(URL, SECRETS)
        assert "12" not in {one.id for one in registration.registered()}
        for wrong in ("12", "999", "x", "../12", ""):
            with pytest.raises(NotFound):
                registration.remove(wrong)
        for one in registration.registered():
            registration.remove(one.id)
        assert simulator.world.callbacks == [FOREIGN]


def test_one_that_somebody_removed_meanwhile_is_removed() -> None:
    with registered_site() as (simulator, registration):
        (first, _) = registration.register(URL, SECRETS)
        simulator.faults.add("status", method="DELETE", status=404)
        registration.remove(first.id)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_missing_permission_names_the_row(method: str) -> None:
    with registered_site() as (simulator, registration):
        if method == "DELETE":
            registration.register(URL, SECRETS)
        simulator.faults.add("status", method=method, path="/system/callbacks*", times=0, status=403)
        with pytest.raises(PermissionMissing) as caught:
            registration.remove("77") if method == "DELETE" else registration.register(URL, SECRETS)
    assert "System > Table Setup" in caught.value.permission


@pytest.mark.parametrize("kind", ["drop_after_commit", "error_after_commit"])
def test_a_registration_behind_a_lost_answer_is_found_and_not_made_twice(kind: str) -> None:
    with registered_site() as (simulator, registration):
        simulator.faults.add(kind, method="POST", times=2)
        assert len(registration.register(URL, SECRETS)) == 2
        assert len(simulator.world.callbacks) == 2


def test_the_secret_part_of_the_address_is_in_no_error() -> None:
    with registered_site() as (simulator, registration):
        body = json.dumps({"code": "InvalidObject", "message": f"the url {URL} is not allowed", "errors": None})
        simulator.faults.add("raw", method="POST", status=400, body=body)
        with pytest.raises(Exception, match="not allowed") as caught:
            registration.register(URL, SECRETS)
    assert "tok-9f2c" not in str(caught.value)


# From the simulated PSA to the proof and back.


@pytest.mark.fault("P14")
@pytest.mark.parametrize(
    ("delivery", "expected"),
    [("once", [1, 2]), ("twice", [1, 1, 2, 2]), ("reversed", [2, 1]), ("stale", [1, 2, 1])],
)
def test_P14_what_the_psa_sends_is_proven_and_can_be_put_in_order(delivery: str, expected: list[int]) -> None:
    with registered_site() as (simulator, registration):
        registration.register(URL, SECRETS)
        simulator.callback_delivery = delivery
        simulator.callbacks.changes()
        first, second = datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 1, 9, tzinfo=UTC)
        simulator.world.clock = lambda: first
        simulator.world.edit_company(250, name="Harbor")
        simulator.world.clock = lambda: second
        simulator.world.edit_addition(88431, quantity=16.0)
        verification = verification_of(simulator)
        hints: list[CallbackHint] = []
        for url, body in simulator.callbacks.messages(simulator.url):
            assert "&action=updated" in url
            hints += verification.verify({"x-content-signature": signature(body)}, body, {})
    assert [hint.changed_at for hint in hints] == [{1: first, 2: second}[one] for one in expected]
    assert [hint.record_id for hint in hints] == [{1: "250", 2: "1201"}[one] for one in expected]
    assert len({hint.message_id for hint in hints}) == 2


def test_what_trueup_changed_itself_is_not_called_back() -> None:
    with registered_site() as (simulator, registration):
        registration.register(URL, SECRETS)
        simulator.callbacks.changes()
        simulator.world.edit_addition(88431, "ApiMimecast", quantity=15.0)
        assert simulator.callbacks.messages(simulator.url) == []
        simulator.world.edit_addition(88431, quantity=16.0)
        assert len(simulator.callbacks.messages(simulator.url)) == 1
