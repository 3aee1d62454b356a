"""The token: where it is asked for, how long it is used, what a refusal means, and what nobody gets to see."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from local.simulators import credentials
from local.simulators.halopsa import HaloPsaSimulator
from local.simulators.server import running
from tests.adapters.halopsa.connected import (
    AUTH_INFO,
    CLIENTS,
    HARBOR,
    INVOICES,
    TOKEN,
    connected,
    read_all,
)
from tests.adapters.scripted_server import json_reply, scripted
from tests.contracts.psa_subject_connectwise import world_of
from tests.contracts.psa_subject_halopsa import HALOPSA_FIELDS
from tests.contracts.psa_subjects import Scene
from tests.fakes.clock import FakeClock
from trueup.adapters.halopsa import open_halopsa
from trueup.adapters.halopsa.billing import PARALLEL_CALLS, REQUESTS_PER_SECOND
from trueup.adapters.http import Pace
from trueup.domain.errors import (
    CredentialRejected,
    PermissionMissing,
    RateLimited,
    ReplyUnreadable,
    SchemaUnknown,
    TrueupError,
    UnsafeAddress,
    VendorUnavailable,
)

SECRETS = (credentials.HALOPSA_CLIENT_SECRET, "sim-halo-token")


def shown(error: BaseException) -> str:
    details = repr(error.details()) + error.remedy if isinstance(error, TrueupError) else ""
    return f"{error!r} {error} {details}"


def tokens_asked(simulator: HaloPsaSimulator) -> int:
    return simulator.requests.count("POST", TOKEN)


def test_one_token_serves_a_whole_read() -> None:
    with connected() as site:
        read_all(site.psa)
        read_all(site.psa)
        assert tokens_asked(site.simulator) == 1
        assert site.simulator.requests.count("GET", "authinfo") == 1


def test_a_token_is_used_until_a_minute_before_it_ends() -> None:
    with connected() as site:
        site.simulator.token_lifetime_seconds = 600
        site.psa.read_page(None)
        site.clock.advance(530)
        site.psa.read_page(None)
        assert tokens_asked(site.simulator) == 1
        site.clock.advance(15)
        site.psa.read_page(None)
        assert tokens_asked(site.simulator) == 2


@pytest.mark.parametrize("lifetime", ["0", "-5", '"soon"', "null", "true"])
def test_a_token_without_a_lifetime_does_not_ask_for_one_per_call(lifetime: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=TOKEN, times=0, field="expires_in", raw=lifetime)
        for _ in range(3):
            site.psa.read_page(None)
        assert tokens_asked(site.simulator) == 1


@pytest.mark.fault("T16")
def test_T16_a_token_that_expires_in_the_middle_is_renewed_once_for_all_threads() -> None:
    with connected() as site:
        site.psa.read_page(None)
        site.simulator.expire_tokens()
        with ThreadPoolExecutor(4) as pool:
            pages = list(pool.map(lambda _: site.psa.read_page(None), range(4)))
        assert all(len(page.accounts) == 1 for page in pages)
        assert tokens_asked(site.simulator) == 2


@pytest.mark.fault("T17")
def test_T17_a_second_refusal_ends_it() -> None:
    with connected() as site:
        site.simulator.faults.add("unauthorized", path=CLIENTS, times=0)
        with pytest.raises(CredentialRejected):
            site.psa.read_page(None)
        assert tokens_asked(site.simulator) == 2
        assert site.simulator.requests.count("GET", CLIENTS) == 2


def test_a_bad_secret_is_rejected_in_halos_words_and_asked_once() -> None:
    with connected(credential={**HALOPSA_FIELDS, "client_secret": "canary-wrong"}) as site:
        with pytest.raises(CredentialRejected) as caught:
            site.psa.check()
        assert "client credentials are invalid" in caught.value.message
        assert "canary-wrong" not in shown(caught.value)
        assert tokens_asked(site.simulator) == 1


def test_a_tenant_that_halo_does_not_know_is_hinted_at() -> None:
    with connected() as site:
        site.simulator.tenant = "another"
        with pytest.raises(VendorUnavailable) as caught:
            site.psa.check()
        assert caught.value.status == 500
        assert "tenant" in caught.value.remedy


def test_a_scope_that_is_missing_is_named() -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=INVOICES, status=403, times=0)
        with pytest.raises(PermissionMissing) as caught:
            read_all(site.psa)
        assert caught.value.permission == "read:invoices"
        assert "agent" in caught.value.remedy


@pytest.mark.fault("S15")
def test_S15_a_token_server_elsewhere_never_gets_the_secret() -> None:
    with scripted(json_reply({"access_token": "x"})) as thief, connected() as site:
        site.simulator.auth_url = f"http://127.0.0.1:{thief.port}/auth"
        with pytest.raises(UnsafeAddress) as caught:
            site.psa.check()
        assert thief.requests == []
        assert "secret was not sent" in caught.value.message
        assert not any(entry.path == TOKEN for entry in site.simulator.requests.entries)


@pytest.mark.parametrize("auth_url", ["https://acme.halopsa.com/auth", "https://evil.example", "gopher://x", "\x00"])
def test_an_auth_url_in_any_other_form_is_refused_before_anything_is_sent(auth_url: str) -> None:
    with connected() as site:
        site.simulator.auth_url = auth_url
        with pytest.raises(UnsafeAddress):
            site.psa.check()
        assert [entry.path for entry in site.simulator.requests.entries] == [AUTH_INFO]


def test_a_server_without_authinfo_is_asked_for_a_token_where_such_servers_give_them() -> None:
    with connected() as site:
        site.simulator.tenant = None  # type: ignore[assignment]
        site.simulator.faults.add("status", path=AUTH_INFO, status=404, times=0)
        assert len(read_all(site.psa).accounts) == 1


def test_a_tenant_that_cannot_be_one_is_not_put_into_an_address() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=AUTH_INFO, times=0, field="tenant_id", raw='"a&x=1"')
        with pytest.raises(SchemaUnknown):
            site.psa.check()
        assert tokens_asked(site.simulator) == 0


def test_a_token_that_is_none_is_not_used() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=TOKEN, times=0, field="access_token", raw='"two\\nlines"')
        with pytest.raises(SchemaUnknown):
            site.psa.check()


@pytest.mark.fault("T20")
@pytest.mark.parametrize("path", [AUTH_INFO, TOKEN, CLIENTS])
def test_T20_no_redirect_is_followed(path: str) -> None:
    with scripted(json_reply({})) as elsewhere, connected() as site:
        location = f"http://127.0.0.1:{elsewhere.port}/"
        site.simulator.faults.add("redirect", path=path, location=location, times=0)
        with pytest.raises(UnsafeAddress):
            site.psa.read_page(None)
        assert elsewhere.requests == []


def test_a_limit_without_a_word_of_how_long_is_waited_out() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", path=CLIENTS, times=2)
        assert len(read_all(site.psa).accounts) == 1
        assert site.clock.sleeps


def test_a_limit_that_lasts_is_told() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", path=CLIENTS, times=0)
        with pytest.raises(RateLimited):
            site.psa.read_page(None)


@pytest.mark.fault("C19")
@pytest.mark.parametrize("path", [AUTH_INFO, TOKEN, CLIENTS, INVOICES])
def test_C19_nesting_without_end_is_a_bad_reply(path: str) -> None:
    with connected() as site:
        site.simulator.faults.add("deep_json", path=path, times=0)
        with pytest.raises(ReplyUnreadable):
            read_all(site.psa)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("html", {}),
        ("html", {"status": 502}),
        ("empty", {}),
        ("truncated", {}),
        ("wrong_content_type", {}),
        ("duplicate_keys", {}),
        ("oversized", {}),
        ("raw", {"body": '{"Message": "canary"}'}),
        ("raw", {"body": "[1, 2]"}),
        ("fail_in_200", {}),
        ("reset_mid_body", {}),
    ],
)
@pytest.mark.parametrize("path", [AUTH_INFO, TOKEN, CLIENTS, INVOICES])
def test_a_reply_that_is_none_is_trouble_and_never_an_empty_list(
    path: str, kind: str, options: dict[str, object]
) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, path=path, times=0, **options)
        with pytest.raises(TrueupError) as caught:
            read_all(site.psa)
        assert not any(secret in shown(caught.value) for secret in SECRETS)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 500])
def test_an_error_that_quotes_our_secret_does_not_reach_anybody(status: int) -> None:
    for field in ("Message", "errorMessage", "error_description", "error"):
        with connected() as site:
            text = f"bad secret {credentials.HALOPSA_CLIENT_SECRET} of {credentials.HALOPSA_CLIENT_ID}"
            body = f'{{"{field}": "{text}"}}'
            site.simulator.faults.add("raw", path=TOKEN, times=0, status=status, body=body)
            with pytest.raises(TrueupError) as caught:
                site.psa.check()
            assert not any(secret in shown(caught.value) for secret in SECRETS)


def test_calls_keep_to_two_a_second_and_two_at_once_on_halos_own_hosts() -> None:
    clock = FakeClock()
    with running(HaloPsaSimulator(world_of(Scene((HARBOR,))))) as simulator:
        pace = Pace(REQUESTS_PER_SECOND, PARALLEL_CALLS)
        psa = open_halopsa(simulator.url, HALOPSA_FIELDS, clock=clock, allow_loopback=True, pace=pace)
        for _ in range(5):
            psa.read_page(None)
        psa.close()
    # authinfo, token and five pages: seven calls, six gaps of half a second.
    assert clock.monotonic_seconds() == pytest.approx(3.0)
