"""A complete read: paging that cannot lose or repeat rows, records that are what they must be, trouble that is said."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.simulators import connectwise as simulator_module
from local.simulators.demo_clients import CRLF_NAME, RTL_NAME
from local.simulators.demo_world import demo_world
from tests.adapters.connectwise.connected import (
    EMAIL,
    HARBOR,
    LINE,
    MANAGED,
    REFERENCE,
    SCENE,
    SHORT_READS,
    connected,
    many_clients,
    read_all,
)
from tests.contracts.psa_subject_connectwise import world_of
from tests.contracts.psa_subjects import Scene, a_line, an_account, an_agreement
from trueup.adapters.connectwise import reading
from trueup.adapters.connectwise.billing import BURST, REQUESTS_PER_SECOND
from trueup.adapters.connectwise.paging import PAGES_MAXIMUM, NextLink, Position
from trueup.domain.billing import AgreementState, PsaPage
from trueup.domain.errors import (
    RateLimited,
    ReadIncomplete,
    ReplyUnreadable,
    SchemaUnknown,
    VendorTrouble,
    VendorUnavailable,
)

ADDITION_RECORD = {"product": {"id": 560, "identifier": "MIME-EMAIL-S1"}, "quantity": 1, "billCustomer": "Billable"}
COMPANIES = "/company/companies"
AGREEMENTS = "/finance/agreements"
ADDITIONS = "/finance/agreements/*/additions"


@pytest.fixture
def capped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server caps every page at three rows without a word."""
    monkeypatch.setattr(simulator_module, "MAX_PAGE_SIZE", 3)


# Paging.


@pytest.mark.fault("P13")
@pytest.mark.usefixtures("capped")
def test_P13_a_silently_capped_page_size_loses_no_row() -> None:
    scene = many_clients(7)
    lines = tuple(a_line(7000 + number, scene.agreements[0], EMAIL) for number in range(8))
    with connected(Scene(scene.accounts, scene.agreements, (*scene.lines, *lines), scene.products)) as site:
        whole = read_all(site.psa)
    assert [account.id for account in whole.accounts] == [account.id for account in scene.accounts]
    assert len(whole.agreements) == 7
    assert len(whole.lines) == len({line.id for line in whole.lines}) == 15


def test_a_short_page_ends_a_list_only_when_all_that_were_counted_were_seen() -> None:
    scene = Scene(tuple(an_account(number) for number in range(1, 6)))
    with connected(scene) as site:
        rows = [{"id": number, "identifier": f"C{number}", "name": f"Client {number}"} for number in range(1, 6)]
        seen, cursor = [], None
        for start in (0, 2, 4):
            page = rows[start : start + 2]
            link = f'<{site.simulator.url}/x?pageSize=1000&pageId={page[-1]["id"]}>; rel="next"'
            site.simulator.faults.clear()
            site.simulator.faults.add("raw", path=COMPANIES, body=json.dumps(page), headers={"Link": link})
            read = site.psa.read_page(cursor)
            seen += [account.id for account in read.accounts]
            cursor = read.next_cursor
    assert seen == ["1", "2", "3", "4", "5"]
    assert cursor is not None
    assert cursor.startswith("1:agreements:")


def test_a_full_last_page_is_followed_by_an_empty_one() -> None:
    with connected(many_clients(200)) as site:
        assert len(read_all(site.psa).agreements) == 200
        lists = [one for one in site.simulator.requests.entries if one.path.endswith(AGREEMENTS)]
    assert len(lists) == 2


def test_each_agreement_costs_one_call_and_no_more_than_four_run_at_once() -> None:
    with connected(many_clients(12), latency_seconds=0.02) as site:
        assert len(read_all(site.psa).lines) == 12
        requests = site.simulator.requests
        assert requests.by_route["GET /finance/agreements/{id}/additions"] == 12
        assert 2 <= requests.max_concurrent <= 4


def test_reading_keeps_to_eight_requests_a_second_after_a_first_burst() -> None:
    with connected(many_clients(BURST + 20)) as site:
        read_all(site.psa)
        requests = site.simulator.requests.total
        assert sum(site.clock.sleeps) >= (requests - BURST) / REQUESTS_PER_SECOND - 0.5
        assert requests > BURST + 20
    assert BURST + 60 * REQUESTS_PER_SECOND < 1_000, "what is documented to be throttled"


def test_a_small_provider_is_read_without_waiting() -> None:
    with connected(many_clients(20)) as site:
        read_all(site.psa)
        assert sum(site.clock.sleeps) == 0


def _read_with_bad_paging(kind: str, path: str) -> None:
    scene = many_clients(7)
    lines = tuple(a_line(7000 + number, scene.agreements[0], EMAIL) for number in range(8))
    with connected(Scene(scene.accounts, scene.agreements, lines, scene.products)) as site:
        site.simulator.faults.add(kind, path=path, times=0)
        with pytest.raises(ReadIncomplete):
            read_all(site.psa)


@pytest.mark.usefixtures("capped")
@pytest.mark.fault("T12")
@pytest.mark.parametrize("kind", ["page_ignored", "duplicate_page"])
@pytest.mark.parametrize("path", [COMPANIES, AGREEMENTS, ADDITIONS])
def test_T12_a_page_that_comes_twice_makes_the_read_incomplete(kind: str, path: str) -> None:
    _read_with_bad_paging(kind, path)


@pytest.mark.usefixtures("capped")
@pytest.mark.fault("T13")
@pytest.mark.parametrize("kind", ["repeated_token", "token_loop", "endless_tokens"])
@pytest.mark.parametrize("path", [COMPANIES, AGREEMENTS, ADDITIONS])
def test_T13_tokens_that_loop_or_never_end_make_the_read_incomplete(kind: str, path: str) -> None:
    _read_with_bad_paging(kind, path)


@pytest.mark.usefixtures("capped")
@pytest.mark.fault("T14")
def test_T14_rows_added_and_removed_while_paging_do_not_shift_the_others() -> None:
    scene = many_clients(7)
    with connected(scene) as site:
        first = site.psa.read_page(None)
        world = site.simulator.world
        late = world_of(Scene((an_account(50), an_account(300)))).companies
        world.companies.update(late)
        del world.companies[100]
        seen, cursor = [account.id for account in first.accounts], first.next_cursor
        while cursor is not None and cursor.startswith("1:companies"):
            page = site.psa.read_page(cursor)
            seen += [account.id for account in page.accounts]
            cursor = page.next_cursor
    assert seen == [account.id for account in scene.accounts] + ["300"]


def test_an_id_that_comes_twice_on_a_page_is_incomplete() -> None:
    row = {"id": 1, "identifier": "C1", "name": "Client"}
    with connected() as site:
        site.simulator.faults.add("raw", path=COMPANIES, body=json.dumps([row, row]))
        with pytest.raises(ReadIncomplete, match="twice"):
            site.psa.read_page(None)


def test_an_addition_that_comes_on_two_pages_is_incomplete() -> None:
    with connected() as site:
        rows = [{**ADDITION_RECORD, "id": number} for number in (1, 2, 3)]
        for query, page in (("pageSize=1000", rows[:2]), ("pageId=2", rows[1:])):
            link = f'<{site.simulator.url}/x?pageId={page[-1]["id"]}>; rel="next"'
            # Each fault hits one request: the first page takes the first, the page after it the second.
            site.simulator.faults.add("raw", path=ADDITIONS, query=query, body=json.dumps(page), headers={"Link": link})
        with pytest.raises(ReadIncomplete, match="two pages"):
            read_all(site.psa)


def test_a_link_back_to_its_own_page_ends_the_read_at_once() -> None:
    with pytest.raises(ReadIncomplete, match="back to itself"):
        Position("companies", page=2, page_id="7").after([8, 9], NextLink("7", None), listing=reading.COMPANIES)


def test_a_read_that_has_run_over_the_page_cap_is_incomplete() -> None:
    position = Position("companies", page=PAGES_MAXIMUM, page_id="7")
    with pytest.raises(ReadIncomplete, match="not ended"):
        position.after([8, 9], NextLink("9", None), listing=reading.COMPANIES)


@given(
    page=st.integers(1, 99_999),
    seen=st.integers(0, 999_999_999),
    total=st.none() | st.integers(0, 999_999_999),
    marks=st.integers(0, 2_000).map(lambda pages: "aB3_-z" * pages),
    page_id=st.from_regex(r"[A-Za-z0-9._~=+/-]{0,200}", fullmatch=True),
    cap=st.integers(0, 999),
)
def test_a_cursor_names_its_position(
    page: int, seen: int, total: int | None, marks: str, page_id: str, cap: int
) -> None:
    position = Position("companies", page, seen, total, marks, page_id, cap)
    assert Position.of(position.cursor(), phases=("companies",)) == position


BAD_LINKS = ["<https://evil.example/x?pageId=9>; rel=next", "<{url}/x?pageId=a%20b>; rel=next", "<{url}/x>; rel=next"]


def _read_one_row_under(link: str, companies: int) -> PsaPage:
    """The first page, which holds one row under the link, of a site that counts so many companies."""
    row = [{"id": 1, "identifier": "C1", "name": "Client"}]
    with connected(Scene(tuple(an_account(number) for number in range(1, companies + 1)))) as site:
        header = link.replace("{url}", site.simulator.url)
        site.simulator.faults.add("raw", path=COMPANIES, body=json.dumps(row), headers={"Link": header})
        return site.psa.read_page(None)


@pytest.mark.parametrize("link", BAD_LINKS)
def test_a_next_link_that_cannot_be_followed_makes_the_read_incomplete(link: str) -> None:
    with pytest.raises(ReadIncomplete, match="link"):
        _read_one_row_under(link, companies=2)


@pytest.mark.parametrize("link", BAD_LINKS)
def test_a_next_link_that_cannot_be_followed_is_passed_over_when_all_were_seen(link: str) -> None:
    assert _read_one_row_under(link, companies=1).next_cursor == "1:agreements:1:0:::"


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("link", ["asked", "none", "number", "relative"])
def test_a_capped_list_is_read_whole_whatever_the_link_looks_like(link: str, counts: bool) -> None:
    scene = many_clients(61)
    lines = tuple(a_line(7000 + number, scene.agreements[0], EMAIL) for number in range(60))
    with connected(Scene(scene.accounts, scene.agreements, (*scene.lines, *lines), scene.products)) as site:
        site.simulator.page_cap = 25
        site.simulator.link_style = link
        if not counts:
            site.simulator.faults.add("status", path="/*/count", times=0, status=404)
        whole = read_all(site.psa)
    assert [account.id for account in whole.accounts] == [account.id for account in scene.accounts]
    assert (len(whole.agreements), len({line.id for line in whole.lines}), len(whole.lines)) == (61, 121, 121)


def test_a_cap_below_any_that_is_known_is_learned_where_the_site_cannot_count() -> None:
    scene = many_clients(7)
    lines = tuple(a_line(7000 + number, scene.agreements[0], EMAIL) for number in range(8))
    with connected(Scene(scene.accounts, scene.agreements, (*scene.lines, *lines), scene.products)) as site:
        site.simulator.page_cap = 3
        site.simulator.link_style = "asked"
        site.simulator.faults.add("status", path="/*/count", times=0, status=404)
        whole = read_all(site.psa)
    assert (len(whole.accounts), len(whole.agreements), len(whole.lines)) == (7, 7, 15)


def test_a_server_that_sends_everything_at_once_without_a_link_is_read_once() -> None:
    rows = [{"id": number, "identifier": f"C{number}", "name": f"Client {number}"} for number in range(1, 41)]
    with connected() as site:
        site.simulator.faults.add("status", path="/*/count", times=0, status=404)
        site.simulator.faults.add("raw", path=COMPANIES, times=0, body=json.dumps(rows))
        whole = read_all(site.psa)
    assert [account.id for account in whole.accounts] == [str(number) for number in range(1, 41)]


def test_a_site_that_cannot_count_is_read_all_the_same() -> None:
    with connected() as site:
        site.simulator.faults.add("status", path="/*/count", times=0, status=404)
        page = site.psa.read_page(None)
        assert (page.accounts, page.accounts_total) == ((HARBOR,), None)


def test_the_totals_are_what_the_site_says() -> None:
    with connected() as site:
        site.simulator.faults.add("total_disagrees", path="/*/count", difference=3)
        assert site.psa.read_page(None).accounts_total == 4


def test_an_agreement_that_goes_away_while_it_is_read_makes_the_read_incomplete() -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=ADDITIONS, times=0, status=404)
        with pytest.raises(ReadIncomplete, match="1201"):
            read_all(site.psa)


def test_one_agreement_that_cannot_be_read_fails_the_page() -> None:
    with connected(many_clients(9)) as site:
        site.simulator.faults.add("status", path="/finance/agreements/1004/additions", times=0, status=503)
        with pytest.raises(VendorUnavailable):
            read_all(site.psa)


# Transport.


@pytest.mark.parametrize(("retry_after", "waited"), [("7", 7.0), ("abc", 0.0), (None, 0.0)])
@pytest.mark.parametrize("path", [COMPANIES, AGREEMENTS, ADDITIONS])
def test_429_is_waited_out(path: str, retry_after: str | None, waited: float) -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", path=path, retry_after=retry_after)
        assert read_all(site.psa).lines == [LINE]
        assert max(site.clock.sleeps) >= waited


def test_429_that_does_not_end_says_how_long_to_wait() -> None:
    with connected() as site:
        site.simulator.faults.add("rate_limited", path=AGREEMENTS, times=0, retry_after="300")
        with pytest.raises(RateLimited) as caught:
            read_all(site.psa)
    assert caught.value.wait_seconds == 300


def test_a_read_timeout_is_tried_again() -> None:
    with connected(limits=SHORT_READS) as site:
        site.simulator.faults.add("late_reply", path=ADDITIONS, seconds=0.6)
        assert read_all(site.psa).lines == [LINE]
        assert site.simulator.requests.by_route["GET /finance/agreements/{id}/additions"] >= 1


@pytest.mark.parametrize("kind", ["html", "empty", "truncated", "deep_json", "duplicate_keys", "wrong_content_type"])
def test_a_reply_that_is_no_json_is_trouble_and_never_an_empty_list(kind: str) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, path=COMPANIES, times=0)
        with pytest.raises(VendorTrouble):
            read_all(site.psa)


@pytest.mark.parametrize("status", [201, 204])
def test_only_200_is_a_list(status: int) -> None:
    with connected() as site:
        site.simulator.faults.add("raw", path=COMPANIES, times=0, status=status, body="[]" if status == 201 else "")
        with pytest.raises(ReplyUnreadable):
            site.psa.read_page(None)


# Records.


@pytest.mark.parametrize(("path", "field"), [(AGREEMENTS, "type"), (ADDITIONS, "_info"), (COMPANIES, "status")])
@pytest.mark.parametrize("change", [{"remove": True}, {"raw": "null"}], ids=["missing", "null"])
def test_what_is_only_shown_may_be_missing(path: str, field: str, change: dict[str, Any]) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=path, times=0, field=field, **change)
        whole = read_all(site.psa)
    assert (len(whole.accounts), len(whole.agreements), len(whole.lines)) == (1, 1, 1)
    expected = {"type": whole.agreements[0].type_name, "_info": whole.lines[0].version}
    assert expected.get(field, whole.accounts[0].status_text) == ""


def test_unknown_fields_are_ignored() -> None:
    with connected() as site:
        site.simulator.faults.add("unknown_fields", method="GET", times=0)
        whole = read_all(site.psa)
    assert (whole.accounts, whole.agreements, whole.lines) == ([HARBOR], [MANAGED], [LINE])


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (COMPANIES, "id"),
        (COMPANIES, "name"),
        (COMPANIES, "identifier"),
        (AGREEMENTS, "company"),
        (ADDITIONS, "quantity"),
        (ADDITIONS, "product"),
        (ADDITIONS, "billCustomer"),
        ("/*/count", "count"),
    ],
)
def test_a_missing_required_field_is_named(path: str, field: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=path, times=0, field=field, remove=True)
        with pytest.raises(SchemaUnknown, match=rf"\b{field}\b.*required and not there"):
            read_all(site.psa)


@pytest.mark.parametrize(
    "raw", ['"12"', "true", "null", "NaN", "Infinity", "1e30", "1e999", "[12]", '"1,234"', "12345678901234567890123"]
)
def test_a_quantity_that_is_no_sensible_number_fails_the_read(raw: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=ADDITIONS, times=0, field="quantity", raw=raw)
        with pytest.raises(ReplyUnreadable) as caught:
            read_all(site.psa)
    if isinstance(caught.value, SchemaUnknown):
        assert caught.value.message.endswith(("quantity: not a number", "quantity: not a number of a sensible size"))


@pytest.mark.parametrize(
    ("raw", "quantity"), [("12", "12"), ("12.0", "12"), ("1.5", "1.5"), ("0.1", "0.1"), ("-3", "-3")]
)
def test_a_quantity_is_kept_exactly(raw: str, quantity: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=ADDITIONS, field="quantity", raw=raw)
        assert read_all(site.psa).lines[0].quantity == Decimal(quantity)


@pytest.mark.parametrize("raw", ['"2026-01-01T00:00:00"', '"tomorrow"', '"2026-13-01T00:00:00Z"', "20260101", '""'])
def test_a_date_that_is_not_as_documented_fails_the_read(raw: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=ADDITIONS, times=0, field="cancelledDate", raw=raw)
        with pytest.raises(SchemaUnknown, match="cancelledDate"):
            read_all(site.psa)


@pytest.mark.parametrize(
    "raw", ['"2026-01-02T00:00:00Z"', '"2026-01-02T00:00:00.000Z"', '"2026-01-02"', '"2026-01-02T00:00:00+02:00"']
)
def test_a_date_is_the_day_as_written(raw: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=ADDITIONS, field="cancelledDate", raw=raw)
        assert read_all(site.psa).lines[0].effective_to == date(2026, 1, 2)


@pytest.mark.parametrize("raw", ["null", '""', '"Dec 1"', '"2026-99-01"', "7"])
def test_an_invoice_date_of_unknown_form_counts_as_not_said(raw: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=AGREEMENTS, field="nextInvoiceDate", raw=raw)
        assert read_all(site.psa).agreements[0].next_invoice_on is None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("null", None),
        ('{"name":"US Dollars"}', "USD"),
        ('{"name":"Anything","currencyCode":"aud"}', "AUD"),
        ('{"name":"Sterling","symbol":"£"}', "GBP"),
        ('{"name":"Dollars","symbol":"$"}', "Dollars"),
        ("{}", None),
    ],
)
def test_the_currency_is_a_code_when_it_can_be_known(raw: str, code: str | None) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=AGREEMENTS, field="currency", raw=raw)
        assert read_all(site.psa).agreements[0].currency == code


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"agreementStatus": '"Suspended"'}, AgreementState.UNKNOWN),
        ({"agreementStatus": "null"}, AgreementState.UNKNOWN),
        ({"cancelledFlag": "true"}, AgreementState.CANCELLED),
    ],
)
def test_the_state_of_an_agreement_is_never_guessed(changes: dict[str, str], state: AgreementState) -> None:
    with connected() as site:
        for field, raw in changes.items():
            site.simulator.faults.add("set_field", path=AGREEMENTS, times=0, field=field, raw=raw)
        assert read_all(site.psa).agreements[0].state is state


def test_an_agreement_that_ends_later_is_read_with_its_lines() -> None:
    ending = an_agreement(1201, HARBOR, AgreementState.CANCELLED, ends_on=date(2026, 9, 30))
    with connected(Scene((HARBOR,), (ending,), (LINE,), (EMAIL,))) as site:
        assert read_all(site.psa).lines == [LINE]


def test_a_deleted_company_is_flagged() -> None:
    with connected() as site:
        site.simulator.world.edit_company(250, deleted=True)
        assert [account.deleted for account in read_all(site.psa).accounts] == [True]


def test_lines_carry_what_they_are_billed_by() -> None:
    odd = a_line(88431, MANAGED, EMAIL, "30", billable=False, less_included="5", effective_to=date(2026, 12, 31))
    with connected(Scene((HARBOR,), (MANAGED,), (odd,), (EMAIL,))) as site:
        assert read_all(site.psa).lines == [odd]


def test_a_line_of_another_agreement_is_thrown_away() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=ADDITIONS, times=0, field="agreementId", raw="1202")
        with pytest.raises(ReplyUnreadable, match="1202"):
            read_all(site.psa)


@pytest.mark.parametrize("path", ["/finance/agreements/*/additions/*", "/finance/agreements/1201"])
def test_an_answer_about_another_record_is_thrown_away(path: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=path, times=0, field="id", where={"id": 1201}, raw="7")
        site.simulator.faults.add("set_field", path=path, times=0, field="id", where={"id": 88431}, raw="7")
        with pytest.raises(ReplyUnreadable, match="answered with"):
            site.psa.read_line(REFERENCE)


def test_hostile_names_are_kept_as_data() -> None:
    names = [CRLF_NAME, RTL_NAME, "<img src=x onerror=alert(1)>", '=HYPERLINK("http://evil.example","x")', "\ufeffAcme"]
    scene = Scene(tuple(an_account(number, name) for number, name in enumerate(names, start=1)))
    with connected(scene) as site:
        assert [account.name for account in read_all(site.psa).accounts] == names


def test_names_that_no_store_can_carry_are_made_storable() -> None:
    scene = Scene((an_account(1, "Nul\x00 and \ud800 half"), an_account(2, "long " * 5_000)))
    with connected(scene) as site:
        first, second = read_all(site.psa).accounts
    assert first.name == "Nul\ufffd and \ufffd half"
    assert first.name.encode()
    assert len(second.name) == 2_000


def test_the_demo_month_is_read_whole() -> None:
    world = demo_world()
    with connected(SCENE) as site:
        site.simulator.world = world
        whole = read_all(site.psa)
    assert len(whole.accounts) == len(world.companies)
    assert len(whole.agreements) == len(world.agreements)
    ended = {key for key, one in world.agreements.items() if one.status in ("Cancelled", "Expired")}
    expected = {str(line.id) for line in world.additions.values() if line.agreement_id not in ended}
    assert {line.id for line in whole.lines} == expected
