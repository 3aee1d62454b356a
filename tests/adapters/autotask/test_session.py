"""Finding the zone and finding it again; headers, limits and what a refusal is called."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.simulators.autotask import AutotaskSimulator
from local.simulators.server import running
from tests.adapters.autotask.connected import (
    ADJUSTMENTS,
    REFERENCE,
    SHORT_READS,
    THRESHOLD,
    ZONE,
    Connected,
    connected,
    read_all,
    write,
)
from tests.contracts.psa_subject_autotask import AUTOTASK_FIELDS
from trueup.adapters.autotask.budget import STOP_SECONDS
from trueup.domain.billing import WriteOutcome
from trueup.domain.errors import (
    CredentialRejected,
    PermissionMissing,
    RateLimited,
    ReplyUnreadable,
    RequestRefused,
    ResourceAbsent,
    SchemaUnknown,
    TrueupError,
    UnsafeAddress,
    VendorUnavailable,
)

COMPANIES = "/Companies/query"


def read_for_ever(site: Connected) -> None:
    for _ in range(200):
        site.psa.read_line(REFERENCE)
        site.clock.advance(10)


def zone(url: object) -> str:
    return json.dumps({"zoneName": "Elsewhere", "url": url, "webUrl": "https://ww5.autotask.net/", "ci": 1})


def test_the_secret_goes_to_the_zone_and_never_to_zone_information() -> None:
    with connected() as site:
        read_all(site.psa)
        assert site.sent(ZONE) == 1
        assert ZONE not in site.simulator.secret_seen_at
        assert {COMPANIES, "/Contracts/query", THRESHOLD} <= site.simulator.secret_seen_at


def test_the_zone_is_asked_for_once() -> None:
    with connected() as site:
        for _ in range(3):
            read_all(site.psa)
        site.psa.read_line(REFERENCE)
        assert site.sent(ZONE) == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/ATServicesRest/",
        "https://webservices5.autotask.net.evil.example/ATServicesRest/",
        "http://10.0.0.1/ATServicesRest/",
        "https://user@webservices5.autotask.net/ATServicesRest/",
        "https://webservices5.autotask.net/../",
        "",
    ],
)
def test_a_zone_elsewhere_is_not_called_and_gets_no_secret(url: str) -> None:
    with connected() as site:
        site.simulator.faults.add("raw", path=ZONE, times=0, body=zone(url))
        with pytest.raises(UnsafeAddress):
            site.psa.read_page(None)
        assert site.simulator.secret_seen_at == set()
        assert site.simulator.requests.total == 1


def test_a_user_that_no_zone_knows_is_a_rejected_credential() -> None:
    with connected(credential=AUTOTASK_FIELDS | {"user_name": "nobody@acme.example"}) as site:
        with pytest.raises(CredentialRejected) as caught:
            site.psa.check()
        assert "nobody@acme.example" in caught.value.message
        assert site.simulator.secret_seen_at == set()


@pytest.mark.parametrize("name", ["secret", "integration_code"])
def test_a_wrong_secret_is_rejected_without_repeating_itself(name: str) -> None:
    with connected(credential=AUTOTASK_FIELDS | {name: "wrong-value-1234"}) as site:
        with pytest.raises(CredentialRejected) as caught:
            site.psa.read_page(None)
        assert "wrong-value-1234" not in caught.value.message
        # The zone is asked for again once, as it may have moved; it has not, so nothing is sent again.
        assert site.sent(ZONE) == 2
        assert site.sent("/entityInformation/fields") + site.sent(COMPANIES) + site.sent("/query/count") <= 1


def test_a_tenant_that_moved_to_another_zone_is_followed_once() -> None:
    with connected() as site, running(AutotaskSimulator(site.world)) as elsewhere:
        site.psa.read_line(REFERENCE)
        site.simulator.zone_url = f"{elsewhere.url}/ATServicesRest/"
        site.simulator.locked_out = True
        before = site.simulator.requests.total
        assert site.psa.read_line(REFERENCE).line.quantity == 12
        assert site.psa.read_line(REFERENCE).line.quantity == 12
        # One refusal and one question for the zone; everything else goes to where the tenant lives now.
        assert site.simulator.requests.total == before + 2


def test_a_write_that_met_the_old_zone_is_sent_to_the_new_one_and_counts_once() -> None:
    with connected() as site, running(AutotaskSimulator(site.world)) as elsewhere:
        version = site.psa.read_line(REFERENCE).line.version
        site.simulator.zone_url = f"{elsewhere.url}/ATServicesRest/"
        site.simulator.faults.add("unauthorized", path=ADJUSTMENTS)
        assert write(site, version=version).outcome is WriteOutcome.APPLIED
        assert (site.adjustments(), site.units()) == (1, 15)
        assert elsewhere.requests.count("POST", "ContractServiceAdjustments") == 1


def test_a_server_that_fails_is_tried_again_and_one_that_says_why_is_not() -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=COMPANIES, status=500)
        assert len(site.psa.read_page(None).accounts) == 1
        site.simulator.requests.clear()
        site.simulator.faults.add("status", path=COMPANIES, times=0, status=500, message="The query is too wide.")
        with pytest.raises(RequestRefused, match="The query is too wide"):
            site.psa.read_page(None)
        assert site.sent(COMPANIES) == 1


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (500, "The logged in Resource does not have the adequate permissions to query this.", PermissionMissing),
        (500, "No matching records found.", ResourceAbsent),
        (500, "Something else is wrong.", RequestRefused),
        (403, "", PermissionMissing),
        (404, "", ResourceAbsent),
        (400, "", RequestRefused),
        (503, "", VendorUnavailable),
    ],
)
def test_a_refusal_is_called_by_what_it_says(status: int, text: str, kind: type[TrueupError]) -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=COMPANIES, times=0, status=status, message=text)
        with pytest.raises(kind) as caught:
            site.psa.read_page(None)
        assert not isinstance(caught.value, PermissionMissing) or caught.value.permission


@pytest.mark.fault("C19")
def test_C19_json_nested_too_deep_is_an_unreadable_reply() -> None:
    with connected() as site:
        site.simulator.faults.add("deep_json", path=COMPANIES, times=0)
        with pytest.raises(ReplyUnreadable):
            site.psa.read_page(None)


@pytest.mark.parametrize(
    "kind", ["html", "empty", "wrong_content_type", "truncated", "reset_mid_body", "duplicate_keys"]
)
def test_a_damaged_reply_is_asked_for_again(kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, path=COMPANIES)
        assert len(site.psa.read_page(None).accounts) == 1
        assert site.sent(COMPANIES) == 2


@pytest.mark.parametrize("body", ['{"items":{}}', "[]", "null", '{"pageDetails":{}}', '{"items":[],"pageDetails":[]}'])
def test_a_reply_of_another_shape_is_named(body: str) -> None:
    with connected() as site:
        site.simulator.faults.add("raw", path=COMPANIES, times=0, body=body)
        with pytest.raises(SchemaUnknown):
            site.psa.read_page(None)


# The shared limit.


def test_the_limit_is_asked_for_before_anything_else_and_told_by_the_check() -> None:
    with connected() as site:
        site.simulator.other_calls = 124
        report = site.psa.check()
        paths = [entry.path for entry in site.simulator.requests.entries]
    assert paths[1].endswith("/ThresholdInformation")
    note = next(note for note in report.notes if "10,000" in note)
    assert "2,500" in note
    assert "shared by all integrations" in note


@pytest.mark.fault("P11")
def test_P11_trueup_slows_down_from_half_of_what_everybody_uses() -> None:
    with connected() as site:
        site.psa.read_page(None)
        assert max(site.clock.sleeps, default=0) < 0.5
    with connected() as site:
        site.simulator.other_calls = 5_200
        site.psa.read_page(None)
        assert sum(seconds >= 1 for seconds in site.clock.sleeps) == 2


@pytest.mark.fault("P11")
def test_P11_trueup_stops_before_the_limit_is_used_up_and_says_how_long() -> None:
    with connected() as site:
        site.simulator.other_calls = 9_500
        with pytest.raises(RateLimited) as caught:
            site.psa.read_page(None)
        assert caught.value.wait_seconds == STOP_SECONDS
        assert "9,50" in caught.value.message
        assert site.sent(COMPANIES) == 0
        site.simulator.other_calls = 0
        site.clock.advance(STOP_SECONDS)
        assert len(site.psa.read_page(None).accounts) == 1


@pytest.mark.fault("P11")
def test_P11_trueup_never_uses_more_than_its_share_and_goes_on_when_calls_leave_the_hour() -> None:
    with connected(share=0.01) as site:
        with pytest.raises(RateLimited) as caught:
            read_for_ever(site)
        assert site.simulator.requests.total == 100
        assert 0 < caught.value.wait_seconds <= 3_600
        site.clock.advance(caught.value.wait_seconds + 1)
        site.simulator.requests.clear()
        site.psa.read_line(REFERENCE)
        assert 0 < site.simulator.requests.total <= 10


@pytest.mark.fault("P11")
def test_P11_a_write_is_not_begun_when_it_might_not_be_read_back() -> None:
    with connected(share=0.004) as site:
        version = site.psa.read_line(REFERENCE).line.version
        with pytest.raises(RateLimited):
            write(site, version=version)
        assert site.world.writes == []


@pytest.mark.parametrize(
    ("kind", "options"), [("status", {"status": 403}), ("status", {"status": 503}), ("raw", {"body": '{"x":null}'})]
)
def test_where_the_limit_is_not_told_the_documented_one_holds(kind: str, options: dict[str, object]) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, path=THRESHOLD, times=0, **options)
        assert len(site.psa.read_page(None).accounts) == 1
        assert any("10,000" in note for note in site.psa.check().notes)


@pytest.mark.fault("P12")
def test_P12_no_more_than_two_calls_at_once_for_each_kind_of_record() -> None:
    with connected(latency_seconds=0.02) as site:
        site.psa.read_line(REFERENCE)
        with ThreadPoolExecutor(max_workers=8) as pool:
            found = list(pool.map(lambda _: site.psa.read_line(REFERENCE).line.quantity, range(16)))
        assert found == [12] * 16
        assert max(site.simulator.max_threads.values()) == 2
        assert {entry.status for entry in site.simulator.requests.entries} == {200}


def test_a_read_that_is_not_answered_in_time_is_asked_again() -> None:
    with connected(limits=SHORT_READS) as site:
        late = site.simulator.faults.add("late_reply", path=COMPANIES, seconds=0.5)
        assert len(site.psa.read_page(None).accounts) == 1
        assert (late.fired, late.seen) == (1, 2)
