"""The faults that Mimecast's side can show, set on the simulated gateway, and what the adapter makes of them."""

import logging
from datetime import UTC, datetime

import pytest

from local.simulators.credentials import PASSPHRASE_CANARY, SUPPORT_CODE_CANARY
from tests.adapters.mimecast.mimecast_connected import (
    CONTRACTS,
    CUSTOMERS,
    FIELDS,
    GET_ACCOUNT,
    SHORT_READS,
    Connected,
    a_world,
    an_account,
    connected,
    contract,
)
from tests.fakes.clock import FakeClock
from trueup.adapters.http import HttpLimits
from trueup.adapters.mimecast import open_mimecast
from trueup.domain.counts import Basis, Count, Failed, Known, Missing
from trueup.domain.errors import (
    CredentialRejected,
    PermissionMissing,
    RateLimited,
    ReadIncomplete,
    ReplyTooLarge,
    ReplyUnreadable,
    RequestRefused,
    SchemaUnknown,
    TrueupError,
    UnsafeAddress,
    VendorTrouble,
    VendorUnavailable,
)

FIVE = tuple(an_account(number) for number in range(10, 15))
CODES = [account.code for account in FIVE]


def codes_of(running: Connected) -> list[str]:
    return [str(account.id) for page in running.pages() for account in page.accounts]


@pytest.mark.fault("T1")
@pytest.mark.fault("T2")
@pytest.mark.parametrize("retry_after", ["2", "http_date", "past_date", "abc", "1000000000"])
def test_T1_T2_a_rate_limit_is_waited_out_or_handed_up(retry_after: str) -> None:
    with connected(a_world(*FIVE), clock=FakeClock(datetime.now(UTC))) as running:
        running.simulator.faults.add("rate_limited", path=CUSTOMERS, retry_after=retry_after)
        if retry_after == "1000000000":
            with pytest.raises(RateLimited) as caught:
                running.vendor.read_page(None)
            assert caught.value.wait_seconds == 900
        else:
            assert codes_of(running) == CODES


@pytest.mark.fault("T3")
def test_T3_rate_limit_reset_is_milliseconds() -> None:
    with connected(a_world(*FIVE)) as running:
        running.vendor.check()
        before = running.clock.monotonic_seconds()
        running.simulator.faults.add("rate_limited", path=CUSTOMERS, reset_milliseconds=2_750)
        assert codes_of(running) == CODES
        waited = running.clock.monotonic_seconds() - before
    assert 2.75 <= waited < 8


@pytest.mark.fault("T4")
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_T4_only_the_page_that_failed_is_asked_again_then_the_read_fails(status: int) -> None:
    with connected(a_world(*FIVE), page_size=2) as running:
        running.simulator.faults.add("status", path=CUSTOMERS, nth=2, times=2, status=status)
        assert codes_of(running) == CODES
        assert running.asked("GET", CUSTOMERS) == 3 + 2
        running.simulator.faults.add("status", path=CUSTOMERS, nth=2, times=0, status=status)
        first = running.vendor.read_page(None)
        with pytest.raises(VendorUnavailable):
            running.vendor.read_page(first.next_cursor)


@pytest.mark.fault("T5")
def test_T5_a_read_that_times_out_is_asked_again_with_the_same_cursor() -> None:
    with connected(a_world(*FIVE), page_size=2, limits=SHORT_READS) as running:
        late = running.simulator.faults.add("late_reply", path=CUSTOMERS, query="pageToken=MjpudWxs", seconds=5)
        assert codes_of(running) == CODES
    assert late.seen == 2


@pytest.mark.fault("T6")
def test_T6_this_vendor_is_never_written_to() -> None:
    """Every POST is a question: the token, and the account routes that take it as a body. A repeat changes nothing."""
    with connected(a_world(*FIVE)) as running:
        running.vendor.check()
        running.pages()
        posted = {entry.path for entry in running.simulator.requests.entries if entry.method != "GET"}
    assert posted == {"/oauth/token", GET_ACCOUNT, "/api/account/get-support-info"}


@pytest.mark.fault("T7")
@pytest.mark.parametrize("kind", ["truncated", "reset_mid_body"])
def test_T7_half_a_page_is_thrown_away_and_read_again(kind: str) -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add(kind, path=CUSTOMERS)
        assert codes_of(running) == CODES
        assert running.asked("GET", CUSTOMERS) == 2


@pytest.mark.fault("T8")
@pytest.mark.parametrize("status", [200, 502])
def test_T8_an_html_page_is_vendor_trouble(status: int) -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("html", path=CUSTOMERS, times=0, status=status)
        with pytest.raises(ReplyUnreadable if status == 200 else VendorUnavailable):
            running.vendor.read_page(None)


@pytest.mark.fault("T9")
@pytest.mark.parametrize("path", [CUSTOMERS, CONTRACTS])
@pytest.mark.parametrize("nested", [True, False])
def test_T9_a_fail_list_under_200_is_a_failure(path: str, nested: bool) -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("fail_in_200", path=path, times=0, nested=nested, code="err_something_else")
        with pytest.raises(RequestRefused) as caught:
            running.vendor.read_page(None)
    assert caught.value.vendor_code == "err_something_else"
    assert caught.value.request_id


@pytest.mark.fault("T9")
def test_T9_rows_beside_a_failure_are_not_used() -> None:
    body = '{"customers":[{"accountCode":"A","accountName":"A"}],"fail":[{"errors":[{"code":"err_partial"}]}]}'
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("raw", path=CUSTOMERS, body=body)
        with pytest.raises(RequestRefused):
            running.vendor.read_page(None)


@pytest.mark.fault("T9")
def test_T9_an_envelope_that_says_500_under_200_is_retried() -> None:
    body = '{"meta":{"status":500},"customers":[],"fail":[]}'
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("raw", path=CUSTOMERS, body=body, times=2)
        assert codes_of(running) == CODES


@pytest.mark.fault("T9")
def test_T9_a_failure_that_is_known_to_pass_is_asked_again() -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("fail_in_200", path=CUSTOMERS, code="err_developer_key")
        assert codes_of(running) == CODES
        running.simulator.faults.add("fail_in_200", path=CUSTOMERS, code="err_developer_key", times=0)
        with pytest.raises(VendorUnavailable) as caught:
            running.vendor.read_page(None)
    assert caught.value.vendor_code == "err_developer_key"


@pytest.mark.fault("T10")
@pytest.mark.parametrize("status", [200, 204])
@pytest.mark.parametrize("path", [CUSTOMERS, CONTRACTS])
def test_T10_an_empty_body_is_not_zero_accounts(status: int, path: str) -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("empty", path=path, times=0, status=status)
        with pytest.raises(ReplyUnreadable):
            running.vendor.read_page(None)


@pytest.mark.fault("T10")
@pytest.mark.parametrize("body", ["null", "0", '""', "true"])
def test_T10_a_body_without_a_list_is_not_zero_accounts(body: str) -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("raw", path=CUSTOMERS, body=body, times=0)
        with pytest.raises(ReplyUnreadable):
            running.vendor.read_page(None)


@pytest.mark.fault("T11")
@pytest.mark.parametrize("kind", ["gzip_bomb", "oversized"])
def test_T11_a_bomb_stops_at_the_cap(kind: str) -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add(kind, path=CUSTOMERS, times=0, size_bytes=50_000_000)
        with pytest.raises(ReplyTooLarge):
            running.vendor.read_page(None)
        assert running.asked("GET", CUSTOMERS) == 1


@pytest.mark.fault("T12")
def test_T12_the_same_page_mark_again_is_no_progress() -> None:
    with connected(a_world(*FIVE), page_size=2) as running:
        running.simulator.faults.add("repeated_token", path=CUSTOMERS, nth=2, times=0)
        cursor = running.vendor.read_page(None).next_cursor
        with pytest.raises(ReadIncomplete, match="twice"):
            running.vendor.read_page(cursor)


@pytest.mark.fault("T12")
def test_T12_contracts_whose_marks_repeat_stop_the_read() -> None:
    world = a_world(*(an_account(number) for number in range(100, 230)))
    for code in world.accounts:
        contract(world, code, ("9702", 5))
    with connected(world) as running:
        running.simulator.faults.add("repeated_token", path=CONTRACTS, times=0)
        with pytest.raises(ReadIncomplete):
            running.vendor.read_page(None)


@pytest.mark.fault("T13")
@pytest.mark.parametrize("kind", ["token_loop", "endless_tokens"])
@pytest.mark.parametrize("path", [CUSTOMERS, CONTRACTS])
def test_T13_page_marks_that_never_end_stop_the_read(kind: str, path: str) -> None:
    world = a_world(*(an_account(number) for number in range(100, 112)))
    for code in world.accounts:
        contract(world, code, ("9702", 5))
    with connected(world, page_size=2) as running:
        running.simulator.faults.add(kind, path=path, times=0)
        with pytest.raises(ReadIncomplete):
            running.pages(pages_maximum=100)
        assert running.asked("GET", path) < 20


@pytest.mark.fault("T14")
def test_T14_a_record_that_comes_again_is_kept_once_and_the_list_is_walked_again() -> None:
    """Rows of one page are sent again on the next, so some contract is not seen: the total shows it, and a second walk
    finds it. Nothing is counted twice."""
    world = a_world(*(an_account(number) for number in range(100, 107)))
    for code in world.accounts:
        contract(world, code, ("9702", 5))
    with connected(world, page_size=2) as running:
        running.simulator.faults.add("duplicate_page", path=CONTRACTS, nth=2)
        counts = running.counts()
        assert running.asked("GET", CONTRACTS) == 2 * 4
    assert {count.seats for count in counts.values() if isinstance(count, Known)} == {5}
    assert len(counts) == 7


@pytest.mark.fault("T15")
def test_T15_a_total_that_does_not_agree_stops_the_read_with_both_numbers() -> None:
    world = a_world(*FIVE)
    contract(world, CODES[0], ("9702", 5))
    with connected(world) as running:
        running.simulator.faults.add("total_disagrees", path=CONTRACTS, times=0, difference=3)
        with pytest.raises(ReadIncomplete, match="has 4 records and sent 1"):
            running.vendor.read_page(None)


@pytest.mark.fault("T15")
def test_T15_the_total_of_the_customer_list_is_told_as_it_came() -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("total_disagrees", path=CUSTOMERS, times=0, difference=3)
        assert running.vendor.read_page(None).accounts_total == 8


@pytest.mark.fault("T19")
def test_T19_an_address_without_tls_is_not_opened() -> None:
    with connected(a_world()) as running, pytest.raises(UnsafeAddress):
        open_mimecast(running.simulator.url, FIELDS, clock=running.clock, allow_loopback=False)


@pytest.mark.fault("T20")
@pytest.mark.parametrize("path", ["/oauth/token", CUSTOMERS])
def test_T20_a_redirect_is_refused(path: str) -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("redirect", path=path, times=0)
        with pytest.raises(UnsafeAddress, match="redirect"):
            running.vendor.read_page(None)
        assert running.asked("GET", CUSTOMERS) <= 1


@pytest.mark.fault("T22")
def test_T22_a_page_that_drips_meets_the_deadline() -> None:
    limits = HttpLimits(attempts=1, total_seconds=20)
    with connected(a_world(*FIVE), limits=limits, clock=FakeClock(tick_seconds=1.0)) as running:
        running.simulator.faults.add("drip", path=CUSTOMERS, times=0, bytes_per_second=500)
        with pytest.raises(VendorUnavailable):
            running.vendor.read_page(None)


@pytest.mark.fault("T23")
def test_T23_after_a_day_without_the_vendor_the_next_read_is_whole_again() -> None:
    with connected(a_world(*FIVE), page_size=2) as running:
        running.simulator.faults.add("drop_before_commit", times=0)
        for _ in range(3):
            with pytest.raises(VendorTrouble):
                running.vendor.read_page(None)
            running.clock.advance(8 * 3600)
        running.simulator.faults.clear()
        assert codes_of(running) == CODES


@pytest.mark.fault("T24")
def test_T24_unknown_fields_are_ignored_and_a_deprecation_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("unknown_fields", times=0)
        running.simulator.faults.add("extra_headers", times=0)
        assert codes_of(running) == CODES
        assert codes_of(running) == CODES
    warnings = [one.getMessage() for one in caplog.records if CUSTOMERS in one.getMessage()]
    assert len(warnings) == 1


# Content.


def count_with(raw: str, *, where: str = CUSTOMERS, remove: bool = False, field: str = "userCount") -> Count:
    """The count of one account whose seats field holds that JSON text in one source, the other sources being silent."""
    on_contract = where == CONTRACTS
    world = a_world(an_account(1, partner_seats=None if where == GET_ACCOUNT or on_contract else 7, account_seats=7))
    if on_contract:
        contract(world, "CSIM10B1", ("9702", 7))
    with connected(world) as running:
        running.simulator.faults.add("set_field", path=where, times=0, field=field, raw=raw, remove=remove)
        if where == CUSTOMERS:
            running.simulator.faults.add("set_field", path=GET_ACCOUNT, times=0, field=field, remove=True)
        [count] = running.counts().values()
    return count


BAD_SEATS = [
    pytest.param("-1", marks=pytest.mark.fault("C3"), id="C3 negative"),
    pytest.param('"12"', marks=pytest.mark.fault("C4"), id="C4 text"),
    pytest.param("12.0", marks=pytest.mark.fault("C4"), id="C4 decimal"),
    pytest.param("1e3", marks=pytest.mark.fault("C4"), id="C4 exponent"),
    pytest.param('"1,234"', marks=pytest.mark.fault("C4"), id="C4 comma"),
    pytest.param("true", marks=pytest.mark.fault("C4"), id="C4 true"),
    pytest.param("[7]", marks=pytest.mark.fault("C4"), id="C4 list"),
    pytest.param("12.5", marks=pytest.mark.fault("C5"), id="C5 fraction"),
    pytest.param("9007199254740993", marks=pytest.mark.fault("C6"), id="C6 2^53+1"),
]


@pytest.mark.parametrize("raw", BAD_SEATS)
@pytest.mark.parametrize("where", [CUSTOMERS, GET_ACCOUNT])
def test_C3_C4_C5_C6_seats_that_are_no_whole_number_fail_that_count(raw: str, where: str) -> None:
    count = count_with(raw, where=where)
    assert isinstance(count, Failed)
    assert "CSIM10B1" in count.reason


@pytest.mark.parametrize("raw", BAD_SEATS)
def test_C3_C4_C5_C6_bad_seats_on_a_contract_are_not_covered_up_by_another_source(raw: str) -> None:
    assert isinstance(count_with(raw, where=CONTRACTS, field="quantity"), Failed)


@pytest.mark.fault("C3")
def test_C3_a_negative_count_fails_its_row_and_leaves_the_others() -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add(
            "set_field", path=CUSTOMERS, times=0, field="userCount", raw="-1", where={"accountCode": CODES[2]}
        )
        counts = running.counts()
    failed = [code for (code, _), count in counts.items() if isinstance(count, Failed)]
    assert failed == [CODES[2]]
    assert sum(isinstance(count, Known) for count in counts.values()) == 4


@pytest.mark.fault("C4")
def test_C4_null_says_nothing_and_the_next_source_is_asked() -> None:
    assert count_with("null") == Missing("no source tells the seats of this account")
    on_contract = count_with("null", where=CONTRACTS, field="quantity")
    assert isinstance(on_contract, Missing)


@pytest.mark.fault("C6")
@pytest.mark.parametrize("raw", ["1" + "0" * 30, "NaN", "Infinity", "-Infinity"])
def test_C6_numbers_that_no_counter_has_stop_the_read(raw: str) -> None:
    with pytest.raises(ReplyUnreadable):
        count_with(raw)


@pytest.mark.fault("C7")
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('{"meta":{"pagination":{}}}', "no known list"),
        ('{"customers":null}', "no known list"),
        ('{"customers":{}}', "no known list"),
        ('{"customers":[],"results":[]}', "more than one list"),
    ],
)
def test_C7_a_missing_list_and_a_null_list_are_not_an_empty_one(body: str, problem: str) -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("raw", path=CUSTOMERS, body=body, times=0)
        with pytest.raises(SchemaUnknown, match=problem):
            running.vendor.read_page(None)


@pytest.mark.fault("C7")
def test_C7_an_empty_list_is_a_page_without_accounts() -> None:
    with connected(a_world()) as running:
        page = running.vendor.read_page(None)
    assert (page.accounts, page.counts, page.next_cursor, page.accounts_total) == ((), (), None, 0)


@pytest.mark.fault("C7")
@pytest.mark.parametrize("field", ["accountCode", "accountName"])
@pytest.mark.parametrize("value", ["missing", "null", "number", "object"])
def test_C7_missing_null_and_foreign_fields_are_three_cases(field: str, value: str) -> None:
    """A code must be there; a name may be null, which matches nothing; an integer code is kept as its digits."""
    raw = {"missing": "", "null": "null", "number": "7", "object": "{}"}[value]
    with connected(a_world(an_account(1, partner_seats=5))) as running:
        running.simulator.faults.add(
            "set_field", path=CUSTOMERS, times=0, field=field, raw=raw, remove=value == "missing"
        )
        readable = (field, value) in {("accountCode", "number"), ("accountName", "null")}
        if not readable:
            with pytest.raises(SchemaUnknown):
                running.vendor.read_page(None)
            return
        account = running.vendor.read_page(None).accounts[0]
    assert (account.id, account.name) == (("7", "Client 1") if field == "accountCode" else ("CSIM10B1", ""))


@pytest.mark.fault("C7")
def test_C7_an_unknown_shape_is_told_by_names_and_types_and_never_by_values() -> None:
    body = '{"clients":[{"label":"Secret Client Ltd","users":7,"open":true,"tags":null}],"n":1.5}'
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("raw", path=CUSTOMERS, body=body, times=0)
        with pytest.raises(SchemaUnknown) as caught:
            running.vendor.read_page(None)
    told = str(caught.value)
    assert "{clients: [{label: text, users: integer, open: true/false, tags: null}], n: decimal}" in told
    assert "Secret Client" not in told


@pytest.mark.fault("C9")
def test_C9_two_rows_of_one_account_that_disagree_fail_and_the_last_does_not_win() -> None:
    rows = [
        '{"accountCode":"CSIM10B1","accountName":"A","userCount":5}',
        '{"accountCode":"CSIM10B1","accountName":"A","userCount":9}',
        '{"accountCode":"CSIM10B2","accountName":"B","userCount":3}',
        '{"accountCode":"CSIM10B2","accountName":"B","userCount":3}',
    ]
    with connected(a_world(an_account(1), an_account(2))) as running:
        running.simulator.faults.add("raw", path=CUSTOMERS, body=f'{{"customers":[{",".join(rows)}]}}', times=0)
        counts = running.counts()
    assert len(counts) == 2
    contested, agreed = counts["CSIM10B1", "main:email-security-s1"], counts["CSIM10B2", "main:email-security-s1"]
    assert isinstance(contested, Failed)
    assert "one says 5, the other 9" in contested.reason
    assert isinstance(agreed, Known)


@pytest.mark.fault("C9")
def test_C9_a_contract_sent_twice_with_other_seats_fails() -> None:
    rows = ",".join(
        f'{{"id":"ctr-1","accountCode":"CSIM10B1","status":"active","lines":[{{"productId":"9702","quantity":{seats}}}]}}'
        for seats in (5, 9)
    )
    with connected(a_world(an_account(1))) as running:
        running.simulator.faults.add("raw", path=CONTRACTS, body=f'{{"contracts":[{rows}]}}', times=0)
        count = running.counts()["CSIM10B1", "9702"]
    assert isinstance(count, Failed)
    assert "sent twice with different content" in count.reason


@pytest.mark.fault("C10")
def test_C10_account_codes_are_exact_text() -> None:
    codes = ['"007"', "7", '"7 "', '"ABC"', '"abc"']
    rows = ",".join(f'{{"accountCode":{code},"accountName":"A","userCount":1}}' for code in codes)
    with connected(a_world()) as running:
        running.simulator.faults.add("raw", path=CUSTOMERS, body=f'{{"customers":[{rows}]}}', times=0)
        page = running.vendor.read_page(None)
    assert [account.id for account in page.accounts] == ["007", "7", "7 ", "ABC", "abc"]


@pytest.mark.fault("C11")
def test_C11_a_key_that_comes_twice_stops_the_read() -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("duplicate_keys", path=CUSTOMERS, times=0)
        with pytest.raises(ReplyUnreadable, match="same key twice"):
            running.vendor.read_page(None)


@pytest.mark.fault("C18")
def test_C18_odd_names_are_kept_readable_and_bounded() -> None:
    names = ["\\ud800half", "\\u0000nul", "\\u202eright to left", "x" * 20_000]
    rows = ",".join(
        f'{{"accountCode":"A{number}","accountName":"{name}","userCount":1}}' for number, name in enumerate(names)
    )
    with connected(a_world()) as running:
        running.simulator.faults.add("raw", path=CUSTOMERS, body=f'{{"customers":[{rows}]}}', times=0)
        found = [account.name for account in running.vendor.read_page(None).accounts]
    assert found[:3] == ["\ufffdhalf", "\x00nul", "\u202eright to left"]
    assert len(found[3]) == 10_000
    assert all(name.encode() for name in found)


@pytest.mark.fault("C19")
def test_C19_nesting_without_end_is_a_bad_body() -> None:
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("deep_json", path=CUSTOMERS, times=0)
        with pytest.raises(ReplyUnreadable, match="too deep"):
            running.vendor.read_page(None)


@pytest.mark.fault("S9")
def test_S9_no_secret_of_the_credential_or_of_an_account_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """What get-account leaks (a passphrase, a support code) is dropped before anything else looks at the reply."""
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    with connected(a_world(an_account(1, main_product=""))) as running:
        told += [repr(page) for page in running.pages()]
        told += [repr(running.vendor.check()), repr(running.vendor)]
        for kind in ("status", "html", "fail_in_200", "truncated", "deep_json", "redirect"):
            running.simulator.faults.add(kind, path=GET_ACCOUNT, times=0)
            try:
                told += [repr(page) for page in running.pages()]
            except TrueupError as error:
                told.append(f"{error!r} {error.details()} {error.remedy}")
            running.simulator.faults.clear()
        running.simulator.faults.add("set_field", path=GET_ACCOUNT, times=0, field="packages", raw="7")
        with pytest.raises(SchemaUnknown) as caught:
            running.vendor.read_page(None)
        told.append(repr(caught.value))
        token = running.simulator.issue_token()[:10]
    everything = "\n".join(told) + caplog.text
    assert "CSIM10B1" in everything
    for canary in (PASSPHRASE_CANARY, SUPPORT_CODE_CANARY, FIELDS["client_secret"], token):
        assert canary not in everything


def test_permission_lost_between_two_pages_stops_the_read() -> None:
    with connected(a_world(*FIVE), page_size=2) as running:
        cursor = running.vendor.read_page(None).next_cursor
        running.simulator.partner_allowed = False
        with pytest.raises(PermissionMissing):
            running.vendor.read_page(cursor)


def test_trouble_with_one_account_stops_its_page() -> None:
    """A page that lacks an account's answer is no page; the same cursor can be asked again later."""
    with connected(a_world(*FIVE)) as running:
        running.simulator.faults.add("status", path=GET_ACCOUNT, nth=4, times=0, status=500)
        with pytest.raises(VendorUnavailable):
            running.vendor.read_page(None)
        running.simulator.faults.clear()
        assert all(
            isinstance(one.count, Known) and one.count.basis is Basis.PARTNER_CUSTOMER
            for one in running.vendor.read_page(None).counts
        )


def test_a_rejected_credential_is_told_at_once() -> None:
    with connected(a_world(*FIVE), fields={**FIELDS, "client_secret": "wrong"}) as running:
        for _ in range(3):
            with pytest.raises(CredentialRejected) as caught:
                running.vendor.read_page(None)
            assert "Multi Account Control | Tenant API Gateway" in caught.value.remedy
        assert running.asked("GET", CUSTOMERS) == 0
