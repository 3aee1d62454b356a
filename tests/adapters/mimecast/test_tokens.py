"""The token: when it is asked for, how long it is used, and what a refusal of it means."""

import threading

import pytest

from tests.adapters.mimecast.mimecast_connected import (
    CUSTOMERS,
    FIELDS,
    GET_ACCOUNT,
    a_world,
    an_account,
    connected,
)
from tests.adapters.scripted_server import json_reply, reply, scripted
from tests.fakes.clock import FakeClock
from trueup.adapters.http import BaseAddress, HttpClient
from trueup.adapters.mimecast.tokens import MimecastCredential, TokenSource
from trueup.domain.errors import (
    CredentialRejected,
    PermissionMissing,
    RequestRefused,
    SchemaUnknown,
    VendorUnavailable,
)

TOKEN = "/oauth/token"
FIVE = tuple(an_account(number) for number in range(10, 15))


def test_one_token_serves_a_whole_read() -> None:
    with connected(a_world(*FIVE), page_size=2) as running:
        running.pages()
        assert running.asked("POST", TOKEN) == 1


def test_a_token_is_renewed_before_it_expires() -> None:
    with connected(a_world(*FIVE)) as running:
        running.pages()
        running.clock.advance(1_799 - 121)
        running.pages()
        running.clock.advance(60)
        running.pages()
        statuses = {entry.status for entry in running.simulator.requests.entries}
        assert running.asked("POST", TOKEN) == 2
    assert statuses == {200}


@pytest.mark.fault("T16")
def test_T16_a_token_that_expires_during_a_read_is_renewed_once_and_the_page_goes_on() -> None:
    with connected(a_world(*FIVE), page_size=2) as running:
        first = running.vendor.read_page(None)
        running.simulator.expire_tokens()
        second = running.vendor.read_page(first.next_cursor)
        assert [account.id for account in second.accounts] == [FIVE[2].code, FIVE[3].code]
        assert running.asked("POST", TOKEN) == 2


@pytest.mark.fault("T16")
def test_T16_many_threads_refused_at_once_ask_for_one_new_token() -> None:
    answers = [json_reply({"access_token": f"token-{number}", "expires_in": 1799}) for number in range(9)]
    with scripted(*answers) as server:
        client = HttpClient(BaseAddress("http", "127.0.0.1", server.port), integration="mimecast", clock=FakeClock())
        with client:
            tokens = TokenSource(client, MimecastCredential("id", "secret"), FakeClock())
            refused = tokens.current()
            found: list[str] = []
            threads = [threading.Thread(target=lambda: found.append(tokens.renewed(refused))) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=10)
    assert found == ["token-1"] * 8
    assert len(server.requests) == 2


@pytest.mark.fault("T17")
def test_T17_401_with_a_new_token_stops_without_a_storm() -> None:
    many = [an_account(number) for number in range(100, 140)]
    with connected(a_world(*many)) as running:
        running.simulator.faults.add("unauthorized", path=GET_ACCOUNT, times=0, code="token_expired")
        with pytest.raises(CredentialRejected) as caught:
            running.vendor.read_page(None)
        assert running.asked("POST", GET_ACCOUNT) <= 4 * 3
        assert running.asked("POST", TOKEN) <= 1 + 3 + 3
    assert "Tenant API Gateway" in caught.value.remedy


@pytest.mark.fault("T17")
def test_T17_403_stops_at_once_and_names_the_permission() -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.partner_allowed = False
        with pytest.raises(PermissionMissing) as caught:
            running.vendor.read_page(None)
        assert running.asked("GET", CUSTOMERS) == 1
        assert running.asked("POST", TOKEN) == 1
    assert caught.value.details()["permission"].startswith("Multi Account Controls")


@pytest.mark.fault("T18")
@pytest.mark.parametrize("expires_in", [None, 0, -5, "soon", True, 1])
def test_T18_a_token_without_a_usable_lifetime_is_used_for_a_while(expires_in: object) -> None:
    answer = {"access_token": "token", "token_type": "Bearer"}
    with scripted(json_reply(answer if expires_in is None else {**answer, "expires_in": expires_in})) as server:
        clock = FakeClock()
        with HttpClient(BaseAddress("http", "127.0.0.1", server.port), integration="mimecast", clock=clock) as client:
            tokens = TokenSource(client, MimecastCredential("id", "secret"), clock)
            for _ in range(20):
                tokens.current()
                clock.advance(1)
            assert len(server.requests) == 1
            clock.advance(300)
            tokens.current()
            assert len(server.requests) == 2


@pytest.mark.fault("T18")
def test_T18_a_token_that_is_expired_on_arrival_does_not_loop() -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.token_lifetime_seconds = -1
        with pytest.raises(CredentialRejected):
            running.vendor.read_page(None)
        assert running.asked("POST", TOKEN) == 2


@pytest.mark.parametrize("code", ["token_verification_failed", "Unauthorized Request"])
def test_a_401_that_is_known_to_pass_is_waited_out(code: str) -> None:
    body = f'{{"fail":[{{"code":"{code}","message":"x"}}]}}'
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("raw", path=CUSTOMERS, status=401, body=body, times=3)
        assert len(running.pages()[0].accounts) == 5
        running.simulator.faults.add("raw", path=CUSTOMERS, status=401, body=body, times=0)
        with pytest.raises(VendorUnavailable) as caught:
            running.vendor.read_page(None)
    # Not the credential's fault until it lasts: it is not to be thrown away for this.
    assert caught.value.vendor_code == code
    assert caught.value.status == 401


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"error":"invalid_client","error_description":"x"}', "invalid_client"),
        ('{"fail":[{"code":"unauthorized","message":"x"}]}', "unauthorized"),
        ('{"fail":[{"errors":[{"code":"err_x"}]}]}', "err_x"),
        ('{"errors":[{"code":"bad_client","field":"client_id"}]}', "bad_client"),
        ('{"fault":{"faultstring":"x","detail":{"errorcode":"oauth.v2.Invalid"}}}', "oauth.v2.Invalid"),
        ("<html>no</html>", None),
        ("", None),
    ],
)
def test_a_refused_credential_is_told_by_status_whatever_the_body(status: int, body: str, code: str | None) -> None:
    with connected(a_world()) as running:
        running.simulator.faults.add("raw", path=TOKEN, status=status, body=body, times=0)
        with pytest.raises(CredentialRejected) as caught:
            running.vendor.check()
        assert running.asked("POST", TOKEN) == 1
    assert caught.value.vendor_code == code
    assert FIELDS["client_secret"] not in f"{caught.value!r}{caught.value.details()}"


@pytest.mark.parametrize(
    ("status", "error"), [(403, PermissionMissing), (404, RequestRefused), (500, VendorUnavailable)]
)
def test_other_refusals_of_the_token_are_not_called_a_bad_credential(status: int, error: type[Exception]) -> None:
    with connected(a_world()) as running:
        running.simulator.faults.add("raw", path=TOKEN, status=status, body="{}", times=0)
        with pytest.raises(error):
            running.vendor.check()


def test_a_token_refused_during_a_read_is_not_taken_for_contracts_that_may_not_be_read() -> None:
    with connected(a_world(*FIVE), page_size=2) as running:
        cursor = running.vendor.read_page(None).next_cursor
        running.vendor._contracts.forget()
        running.simulator.expire_tokens()
        running.simulator.faults.add("raw", path=TOKEN, status=403, body="{}", times=0)
        with pytest.raises(PermissionMissing):
            running.vendor.read_page(cursor)


@pytest.mark.parametrize("token", ['""', "null", "7", '"a b"', '"a\\r\\nX: y"', '"é"'])
def test_a_token_that_could_not_stand_in_a_header_is_not_used(token: str) -> None:
    with connected(a_world()) as running:
        running.simulator.faults.add("raw", path=TOKEN, body=f'{{"access_token":{token}}}', times=0)
        with pytest.raises(SchemaUnknown) as caught:
            running.vendor.check()
        assert running.asked("GET", "/identity/whoami") == 0
    assert "access_token" in str(caught.value)


def test_a_rate_limited_token_request_is_waited_out() -> None:
    good = json_reply({"access_token": "token", "expires_in": 1799})
    with scripted(reply(429, headers=[("X-RateLimit-Reset", "1500")]), good) as server:
        clock = FakeClock()
        base = BaseAddress("http", "127.0.0.1", server.port)
        with HttpClient(base, integration="mimecast", clock=clock, jitter=lambda: 0.0) as client:
            assert TokenSource(client, MimecastCredential("id", "secret"), clock).current() == "token"
    assert clock.sleeps == [1.5]


def test_the_secret_is_not_shown() -> None:
    assert "hidden-one" not in repr(MimecastCredential("id", "hidden-one"))
