"""Reading customers, recurring invoices and lines: how many calls it takes, and what is not believed."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.simulators.syncro_records import memory
from tests.adapters.syncro.syncro_connected import (
    EMAIL,
    HARBOR,
    LINE,
    MANAGED,
    REFERENCE,
    SCENE,
    SCHEDULE,
    connected,
    many_customers,
    pages_of,
    read_all,
)
from tests.contracts.psa_subjects import Scene, a_line, an_account, an_agreement
from trueup.adapters.syncro.billing import BURST, REQUESTS_PER_MINUTE
from trueup.adapters.syncro.paging import Position
from trueup.adapters.syncro.wire import CustomerWire, LineWire, ProductWire, ScheduleWire, parse
from trueup.domain.billing import AgreementState
from trueup.domain.errors import (
    PermissionMissing,
    ReadIncomplete,
    ReplyTooLarge,
    ReplyUnreadable,
    SchemaUnknown,
    TrueupError,
    UnsafeAddress,
)

SPECIFICATION = Path(__file__).parents[4] / "shared" / "specs" / "syncro-swagger-v1-2026-04.json"


def test_lines_come_with_the_list_so_a_read_costs_a_call_a_page() -> None:
    with connected(many_customers(60)) as site:
        accounts, agreements, lines = read_all(site.psa)
        assert site.simulator.requests.total == 6
    assert (len(accounts), len(agreements), len(lines)) == (60, 60, 60)


def test_a_list_that_shows_no_lines_costs_a_call_for_each_schedule_and_loses_none() -> None:
    with connected(many_customers(30)) as site:
        site.simulator.lists_lines = False
        _, _, lines = read_all(site.psa)
        assert site.calls("/schedules/") == 30
    assert len(lines) == 30


def test_an_empty_schedule_is_asked_for_by_itself_before_it_is_taken_for_empty() -> None:
    with connected(Scene((HARBOR,), (MANAGED,), (), (EMAIL,))) as site:
        _, agreements, lines = read_all(site.psa)
        assert site.calls("/schedules/") == 1
    assert (len(agreements), lines) == (1, [])


def test_a_schedule_that_goes_away_meanwhile_makes_the_read_incomplete() -> None:
    with connected(Scene((HARBOR,), (MANAGED,), (), (EMAIL,))) as site:
        site.simulator.faults.add("status", path=SCHEDULE, status=404)
        with pytest.raises(ReadIncomplete):
            read_all(site.psa)


def test_lists_that_tell_no_totals_are_read_to_their_empty_page() -> None:
    with connected(many_customers(50)) as site:
        site.simulator.meta_of = frozenset()
        pages = pages_of(site.psa)
        assert site.calls("/customers") == site.calls("/schedules") == 3
    assert sum(len(page.lines) for page in pages) == 50
    assert {page.accounts_total for page in pages} == {page.agreements_total for page in pages} == {None}


@given(
    st.builds(
        Position,
        phase=st.sampled_from(("customers", "schedules")),
        page=st.integers(1, 99_999),
        seen=st.integers(0, 999_999_999),
        total=st.none() | st.integers(0, 999_999_999),
        marks=st.text("abcXYZ019_-", max_size=20).map(lambda text: text[: len(text) // 6 * 6]),
    )
)
def test_a_position_comes_back_from_its_cursor(position: Position) -> None:
    assert Position.of(position.cursor(), phases=("customers", "schedules")) == position


@pytest.mark.parametrize("size", [1, 7, 100])
def test_no_page_size_is_counted_on(size: int) -> None:
    with connected(many_customers(9)) as site:
        site.simulator.page_size = size
        assert len(read_all(site.psa)[2]) == 9


@pytest.mark.parametrize("has_meta", [True, False])
@pytest.mark.parametrize("kind", ["repeated_token", "token_loop", "endless_tokens", "duplicate_page", "page_ignored"])
def test_pages_that_lead_nowhere_new_end_the_read(kind: str, has_meta: bool) -> None:
    with connected(many_customers(60)) as site:
        site.simulator.faults.add(kind, path="/customers", times=0)
        if not has_meta:
            site.simulator.meta_of = frozenset()
        with pytest.raises(ReadIncomplete):
            read_all(site.psa)


@pytest.mark.parametrize("difference", [1, 30])
def test_a_total_that_is_never_reached_ends_the_read(difference: int) -> None:
    with connected() as site:
        site.simulator.faults.add("total_disagrees", path="/customers", times=0, difference=difference)
        with pytest.raises(ReadIncomplete):
            read_all(site.psa)


def test_a_total_that_moves_is_told_again_so_that_the_read_is_begun_anew() -> None:
    with connected(many_customers(60)) as site:
        site.simulator.faults.add("total_disagrees", path="/customers", nth=3, difference=5)
        page = site.psa.read_page(site.psa.read_page(site.psa.read_page(None).next_cursor).next_cursor)
    assert page.accounts_total == 65


def test_a_disabled_customer_is_read_and_marked_and_a_person_is_a_customer_too() -> None:
    with connected(SCENE) as site:
        site.simulator.world.edit_company(250, deleted=True)
        (account,), _, _ = read_all(site.psa)
    assert (account.deleted, account.status_text) == (True, "Disabled")
    person = {"id": 1, "business_name": None, "business_then_name": "Jo Doe", "fullname": "Jo Doe"}
    assert parse(CustomerWire, person, source="a test").account().name == "Jo Doe"


def test_a_paused_schedule_makes_no_invoices() -> None:
    with connected(Scene((HARBOR,), (an_agreement(1201, HARBOR, AgreementState.INACTIVE),), (LINE,), (EMAIL,))) as site:
        _, (agreement,), _ = read_all(site.psa)
    assert agreement.state is AgreementState.INACTIVE
    assert str(agreement.next_invoice_on) == "2026-12-01"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"one_time_charge": True}, "one-time"),
        ({"product_id": None}, "no product"),
        ({"recurring_type_id": 2}, "counts the quantity"),
        ({"asset_type_id": 5}, "counts the quantity"),
        ({"device_ids": [4]}, "counts the quantity"),
    ],
)
def test_lines_that_no_program_may_write_say_why(changed: dict[str, Any], words: str) -> None:
    with connected() as site:
        memory(site.simulator.world)["lines"]["88431"] = changed
        _, _, (line,) = read_all(site.psa)
    assert line.not_writable_reason is not None
    assert words in line.not_writable_reason


@pytest.mark.parametrize(
    ("raw", "quantity"), [('"47.0"', "47"), ("47", "47"), ('"9.99"', "9.99"), ("1.5", "1.5"), ('"-3"', "-3")]
)
def test_a_quantity_is_exact_as_text_and_as_number(raw: str, quantity: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path="/schedules", field="quantity", raw=raw)
        assert read_all(site.psa)[2][0].quantity == Decimal(quantity)


@pytest.mark.parametrize("raw", ["null", '"twelve"', '""', "true", "[12]", '"1e3"', '"٣"', "1e30"])
def test_a_quantity_that_is_none_names_the_field_and_not_the_value(raw: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path="/schedules", field="quantity", raw=raw)
        with pytest.raises(SchemaUnknown) as caught:
            read_all(site.psa)
    assert "lines.0.quantity" in caught.value.message
    assert raw.strip('"') not in caught.value.message.replace("quantity", "") or raw == '""'


@pytest.mark.parametrize("field", ["customers", "id", "business_name", "customer_id", "product_id", "total_entries"])
def test_a_missing_required_field_is_named(field: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", times=0, field=field, remove=True)
        with pytest.raises(SchemaUnknown, match=field):
            read_all(site.psa)


@pytest.mark.fault("C20")
def test_C20_a_line_of_another_schedule_is_not_taken_for_one_of_this() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path="/schedules", field="schedule_id", raw="999")
        with pytest.raises(ReplyUnreadable, match="999"):
            read_all(site.psa)


@pytest.mark.fault("C20")
def test_C20_a_schedule_that_is_not_the_one_asked_for_is_not_believed() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=SCHEDULE, field="id", raw="7", where={"id": 1201})
        with pytest.raises(ReplyUnreadable, match="7"):
            site.psa.read_line(REFERENCE)


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("oversized", {"size_bytes": 12_000_000}, ReplyTooLarge),
        ("gzip_bomb", {"size_bytes": 12_000_000}, ReplyTooLarge),
        ("html", {}, ReplyUnreadable),
        ("truncated", {}, TrueupError),
        ("duplicate_keys", {}, ReplyUnreadable),
        ("redirect", {"location": "https://evil.example/"}, UnsafeAddress),
    ],
)
def test_a_body_that_cannot_be_read_is_no_empty_page(
    kind: str, options: dict[str, Any], error: type[Exception]
) -> None:
    with connected() as site:
        site.simulator.faults.add(kind, path="/customers", times=0, **options)
        with pytest.raises(error):
            site.psa.read_page(None)


@pytest.mark.fault("C19")
def test_C19_json_nested_without_end_is_a_bad_reply() -> None:
    with connected() as site:
        site.simulator.faults.add("deep_json", path="/customers", times=0, depth=100_000)
        with pytest.raises(ReplyUnreadable):
            site.psa.read_page(None)


def test_a_missing_permission_is_named_and_a_refusal_quotes_no_token() -> None:
    with connected() as site:
        site.simulator.faults.add("status", path="/schedules", times=0, status=403)
        with pytest.raises(PermissionMissing) as caught:
            read_all(site.psa)
    assert caught.value.permission == "Recurring Invoices - List"


def test_the_version_moves_with_what_the_line_bills_and_not_with_its_neighbors() -> None:
    neighbor = a_line(88432, MANAGED, EMAIL, "3")
    with connected(Scene((HARBOR,), (MANAGED,), (LINE, neighbor), (EMAIL,))) as site:
        world = site.simulator.world
        versions = [site.psa.read_line(REFERENCE).line.version]
        world.edit_addition(88432, quantity=9)
        assert site.psa.read_line(REFERENCE).line.version == versions[0]
        for changes in ({"quantity": 13}, {"unit_price": 5.0}, {"description": "another"}):
            world.edit_addition(88431, **changes)
            versions.append(site.psa.read_line(REFERENCE).line.version)
    assert len(set(versions)) == 4


def test_calls_keep_below_the_published_limit_and_a_few_do_not_wait() -> None:
    with connected(many_customers(50)) as site:
        site.psa.read_page(None)
        assert site.clock.sleeps == [] or max(site.clock.sleeps) == 0
        started_seconds = site.clock.monotonic_seconds()
        for _ in range(BURST + REQUESTS_PER_MINUTE):
            site.psa.read_page(None)
        assert site.clock.monotonic_seconds() - started_seconds >= 60
    assert BURST + REQUESTS_PER_MINUTE < 180


@pytest.mark.fault("C18")
def test_C18_names_that_look_like_anything_are_kept_as_data() -> None:
    names = ("<script>alert(1)</script>", "=1+1", "A\r\nB", "\u202eabc", "Nul\x00", "x" * 5_000)
    scene = Scene(tuple(an_account(number, name) for number, name in enumerate(names, start=1)))
    with connected(scene) as site:
        accounts, _, _ = read_all(site.psa)
    assert [account.name for account in accounts[:4]] == list(names[:4])
    assert (accounts[4].name, len(accounts[5].name)) == ("Nul\ufffd", 2_000)


@pytest.mark.skipif(not SPECIFICATION.exists(), reason="the published Syncro description is not beside the project")
@pytest.mark.parametrize(
    ("path", "method", "key", "kind"),
    [
        ("/customers", "get", "customers", CustomerWire),
        ("/schedules", "get", "schedules", ScheduleWire),
        ("/schedules/{id}", "get", "schedule", ScheduleWire),
        ("/products", "get", "products", ProductWire),
        ("/products/{id}", "get", "product", ProductWire),
        ("/schedules/{id}/line_items/{schedule_line_item_id}", "put", "schedule_line_item", LineWire),
    ],
)
def test_the_published_samples_are_read(path: str, method: str, key: str, kind: type[Any]) -> None:
    paths = json.loads(SPECIFICATION.read_text(encoding="utf-8"), parse_float=Decimal)["paths"]
    sample = paths[path][method]["responses"]["200"]["content"]["application/json"]["example"][key]
    for record in sample if isinstance(sample, list) else [sample]:
        parse(kind, record, source="the published sample")
