"""A complete read: paging that cannot lose or repeat rows, records that are what they must be, trouble that is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.simulators import halopsa as simulator_module
from local.simulators.demo_clients import CRLF_NAME, RTL_NAME
from local.simulators.demo_world import demo_world
from local.simulators.halopsa import HaloPsaSimulator
from local.simulators.halopsa_records import memory
from local.simulators.server import running
from tests.adapters.halopsa.connected import (
    CLIENTS,
    EMAIL,
    HARBOR,
    INVOICE,
    INVOICES,
    LINE,
    MANAGED,
    OTHER,
    REFERENCE,
    SHORT_READS,
    Connected,
    connected,
    many_clients,
    read_all,
)
from tests.contracts.psa_subject_halopsa import HALOPSA_FIELDS
from tests.contracts.psa_subjects import Scene, a_line, an_account, an_agreement
from tests.fakes.clock import FakeClock
from trueup.adapters.halopsa import open_halopsa
from trueup.adapters.halopsa.paging import Position
from trueup.adapters.halopsa.versions import is_same_version
from trueup.adapters.halopsa.wire import LineWire
from trueup.domain.billing import AgreementState, Line, LineReference, PsaAccountId
from trueup.domain.errors import (
    InputInvalid,
    ReadIncomplete,
    ReplyUnreadable,
    ResourceAbsent,
    SchemaUnknown,
    TenantScopeMismatch,
)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server cuts every page to three rows without a word."""
    monkeypatch.setattr(simulator_module, "MAX_PAGE_SIZE", 3)


def keep(site: Connected, line_id: int, **fields: Any) -> None:
    """Give a line fields that HaloPSA keeps and the world knows nothing of."""
    memory(site.simulator.world)["lines"][str(line_id)] = fields


def keep_header(site: Connected, **fields: Any) -> None:
    memory(site.simulator.world)["invoices"]["1201"] = fields


def only_line(site: Connected) -> Line:
    return next(line for line in read_all(site.psa).lines if line.id == LINE.id)


# Paging.


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("clients", [0, 1, 3, 4, 10])
def test_pages_that_are_cut_without_a_word_lose_no_row(clients: int) -> None:
    scene = many_clients(clients)
    with connected(scene) as site:
        whole = read_all(site.psa)
    assert [account.id for account in whole.accounts] == [account.id for account in scene.accounts]
    assert [agreement.id for agreement in whole.agreements] == [agreement.id for agreement in scene.agreements]
    assert [line.id for line in whole.lines] == [line.id for line in scene.lines]
    assert whole.accounts_totals == [clients]


def test_the_demo_month_is_read_in_a_handful_of_calls() -> None:
    """48 clients and 54 recurring invoices with all their lines: authinfo, token, and a page or two of each."""
    with running(HaloPsaSimulator(demo_world())) as simulator:
        psa = open_halopsa(simulator.url, HALOPSA_FIELDS, clock=FakeClock(), allow_loopback=True)
        whole = read_all(psa)
        psa.close()
        assert len(whole.lines) == len(simulator.world.additions)
        assert simulator.requests.total <= 6


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("kind", ["repeated_token", "page_ignored", "token_loop", "duplicate_page", "endless_tokens"])
@pytest.mark.parametrize("path", [CLIENTS, INVOICES])
def test_pages_that_repeat_or_never_end_are_no_whole_read(kind: str, path: str) -> None:
    with connected(many_clients(10)) as site:
        site.simulator.faults.add(kind, path=path, times=0)
        with pytest.raises(ReadIncomplete):
            read_all(site.psa)


def test_fewer_rows_than_are_told_are_no_whole_read() -> None:
    with connected() as site:
        site.simulator.faults.add("total_disagrees", path=CLIENTS, times=0, difference=2)
        with pytest.raises(ReadIncomplete) as caught:
            read_all(site.psa)
        assert "3" in caught.value.message


@pytest.mark.usefixtures("small_pages")
def test_a_total_that_moves_while_it_is_read_is_told_again() -> None:
    with connected(many_clients(7)) as site:
        site.simulator.faults.add("total_disagrees", path=CLIENTS, nth=2, difference=1)
        assert read_all(site.psa).accounts_totals[:2] == [7, 8]


def test_a_row_that_comes_twice_on_a_page_is_no_page() -> None:
    row = '{"id": 1, "name": "A"}'
    with connected() as site:
        site.simulator.faults.add("raw", path=CLIENTS, body=f'{{"record_count": 2, "clients": [{row}, {row}]}}')
        with pytest.raises(ReadIncomplete):
            site.psa.read_page(None)


@pytest.mark.parametrize("count", ["null", '"2"', "true", "-1", "1.5", "1e30"])
def test_a_count_that_is_none_is_not_guessed_at(count: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=CLIENTS, field="record_count", raw=count, times=0)
        with pytest.raises(SchemaUnknown) as caught:
            site.psa.read_page(None)
        assert "record_count" in caught.value.message


@given(st.text(max_size=60).filter(lambda text: not text.startswith("1:")))
def test_no_text_is_taken_for_a_cursor_that_is_not_ours(text: str) -> None:
    with pytest.raises(InputInvalid):
        Position.of(text, phases=("clients", "invoices"))


@given(st.sampled_from(["clients", "invoices"]), st.integers(2, 2000), st.integers(0, 9**9), st.integers(0, 9**9))
def test_a_cursor_names_the_position_it_was_made_of(phase: str, page: int, seen: int, total: int) -> None:
    position = Position(phase, page, seen, total, "abcdef" * 3)
    assert Position.of(position.cursor(), phases=("clients", "invoices")) == position


def test_a_read_timeout_is_tried_again() -> None:
    with connected(limits=SHORT_READS) as site:
        site.simulator.faults.add("late_reply", path=INVOICES, seconds=0.6)
        assert len(read_all(site.psa).lines) == 2


# Records.


def test_what_was_never_filled_in_is_not_a_date_and_not_an_id() -> None:
    with connected() as site:
        whole = read_all(site.psa)
    assert whole.accounts[0].stored_ids == ()
    assert whole.agreements[0].ends_on is None
    assert whole.lines[0].effective_to is None


def test_ids_of_the_same_client_in_other_psas_are_kept() -> None:
    with connected() as site:
        kept = {"connectwiseid": 19, "autotaskid": 29683, "syncroid": 0}
        memory(site.simulator.world)["clients"]["250"] = kept
        assert read_all(site.psa).accounts[0].stored_ids == (("connectwise", "19"), ("autotask", "29683"))


def test_an_inactive_client_is_a_deleted_one() -> None:
    with connected(Scene((replace(HARBOR, deleted=True), an_account(251)))) as site:
        assert [account.deleted for account in read_all(site.psa).accounts] == [True, False]


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, AgreementState.ACTIVE),
        ({"disabled": None}, AgreementState.ACTIVE),
        ({"disabled": True}, AgreementState.INACTIVE),
        ({"enddate": "2026-08-31T00:00:00"}, AgreementState.EXPIRED),
        ({"enddate": "2026-09-01T00:00:00"}, AgreementState.ACTIVE),
        ({"enddate": "2026-08-31T00:00:00", "disabled": True}, AgreementState.EXPIRED),
        ({"is_recurring_invoice": False}, AgreementState.UNKNOWN),
    ],
)
def test_the_state_comes_from_the_flags_and_the_end_date(fields: dict[str, object], state: AgreementState) -> None:
    with connected() as site:
        keep_header(site, **fields)
        assert read_all(site.psa).agreements[0].state is state


@pytest.mark.parametrize(
    ("fields", "currency"),
    [
        ({}, "USD"),
        ({"currency_code_name": "British Pound Sterling"}, "GBP"),
        ({"currency_code_name": "", "currency": "£"}, "GBP"),
        ({"currency_code_name": None, "currency": "$"}, None),
        ({"currency_code_name": "Pieces of eight", "currency": None}, None),
    ],
)
def test_a_currency_is_named_only_when_it_is_certain(fields: dict[str, object], currency: str | None) -> None:
    with connected() as site:
        keep_header(site, **fields)
        assert read_all(site.psa).agreements[0].currency == currency


def test_the_next_invoice_and_the_name_are_told() -> None:
    with connected() as site:
        agreement = read_all(site.psa).agreements[0]
        assert (agreement.name, agreement.next_invoice_on) == (MANAGED.name, date(2026, 12, 1))
        keep_header(site, reference="", contract_ref="MSA-88")
        assert read_all(site.psa).agreements[0].name == "MSA-88"
        keep_header(site, reference=None)
        assert read_all(site.psa).agreements[0].name == "Recurring invoice 1201"


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"recurring_invoice_quantity_type": 2}, "itself"),
        ({"_is_calculated_line": True}, "itself"),
        ({"quantity_users": [{"id": 1}]}, "itself"),
        ({"quantity_licences": [{"id": 1}]}, "itself"),
        ({"prorata_data": [{"id": 4, "quantity": 2, "isinvoiced": False}]}, "pro-rata"),
        ({"onetimecharge": True}, "one-time"),
    ],
)
def test_a_line_that_no_program_may_write_says_why(fields: dict[str, object], word: str) -> None:
    with connected() as site:
        keep(site, 88431, **fields)
        assert word in (only_line(site).not_writable_reason or "")


@pytest.mark.parametrize(
    "fields",
    [
        {"prorata_data": [{"id": 4, "quantity": 2, "isinvoiced": True}]},
        {"quantity_users": None},
        {"recurring_invoice_quantity_type": None, "_is_calculated_line": None},
    ],
)
def test_a_line_that_a_person_counts_may_be_written(fields: dict[str, object]) -> None:
    with connected() as site:
        keep(site, 88431, **fields)
        assert only_line(site).not_writable_reason is None


@pytest.mark.parametrize("startdate", ["2024-01-01T00:00:00", None])
def test_an_inactive_line_bills_on_no_day(startdate: str | None) -> None:
    with connected() as site:
        keep(site, 88431, isinactive=True, startdate=startdate)
        line = only_line(site)
    assert not any(line.is_live(day) or line.is_future(day) for day in (date(2025, 11, 2), date(2026, 9, 1)))


def test_a_price_of_zero_is_a_line_that_is_not_billed() -> None:
    with connected(Scene((HARBOR,), (MANAGED,), (a_line(88431, MANAGED, EMAIL, billable=False),), (EMAIL,))) as site:
        line = only_line(site)
    assert (line.billable, line.unit_price) == (False, Decimal(0))


def test_headings_and_remarks_are_no_lines_but_a_line_without_an_item_is() -> None:
    with connected() as site:
        keep(site, 88432, isgroupdesc=True, qty_order=None)
        assert [line.id for line in read_all(site.psa).lines] == ["88431"]
        keep(site, 88432, _itemid=0, qty_order=None)
        assert [line.id for line in read_all(site.psa).lines] == ["88431"]
        keep(site, 88432, _itemid=None, item_code="")
        line = read_all(site.psa).lines[1]
        assert (line.product_id, line.product_code, line.quantity) == ("none", OTHER.description, Decimal(3))
        assert "no item" in (line.not_writable_reason or "")


def test_an_edit_of_another_line_leaves_the_version_and_one_of_this_line_moves_it() -> None:
    with connected() as site:
        first = only_line(site).version
        site.simulator.world.edit_addition(88432, quantity=9.0)
        assert only_line(site).version == first
        for edit in ({"unit_price": 5.0}, {"description": "other"}, {"cancelled_date": "2027-01-01T00:00:00Z"}):
            site.simulator.world.edit_addition(88431, **edit)
            moved = only_line(site).version
            assert moved != first
            first = moved


def test_a_version_does_not_depend_on_how_a_number_is_written() -> None:
    line = {"id": 1, "_itemid": 5, "qty_order": Decimal("42.00"), "unit_price": Decimal("4.250")}
    same = {**line, "qty_order": 42, "unit_price": Decimal("4.25"), "customfields": []}
    assert LineWire.model_validate(line).version() == LineWire.model_validate(same).version()


def test_a_field_that_only_one_reading_tells_is_no_edit_and_one_that_both_tell_is() -> None:
    """A list may tell less of a line than the invoice by itself does; that must not make every change a conflict."""
    short = {"id": 1, "_itemid": 5, "qty_order": 42, "unit_price": 4}
    long = {**short, "unit_cost": 3, "onetimecharge": False, "startdate": "2024-01-01T00:00:00", "item_code": "A"}
    versions = [LineWire.model_validate(one).version() for one in (short, long, {**long, "unit_cost": 2})]
    assert is_same_version(versions[0], versions[1])
    assert is_same_version(versions[0], versions[2])
    assert not is_same_version(versions[1], versions[2])
    assert not is_same_version(versions[0], "")
    assert not is_same_version(versions[0], LineWire.model_validate({**short, "qty_order": 41}).version())


@pytest.mark.parametrize("raw", ["null", '"12"', "true", "NaN", "1e30", "[12]", "{}"])
def test_a_quantity_that_is_none_is_named_and_not_guessed(raw: str) -> None:
    with connected() as site:
        where = {"id": 88431}
        site.simulator.faults.add("set_field", path=INVOICES, field="qty_order", raw=raw, where=where, times=0)
        with pytest.raises(ReplyUnreadable) as caught:
            read_all(site.psa)
        assert "qty_order" in caught.value.message or "NaN" in caught.value.message


@pytest.mark.parametrize(
    ("path", "field"), [(CLIENTS, "name"), (CLIENTS, "id"), (INVOICES, "client_id"), (INVOICES, "id")]
)
def test_a_missing_field_is_named(path: str, field: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=path, field=field, remove=True, times=0)
        with pytest.raises(SchemaUnknown) as caught:
            read_all(site.psa)
        assert f"{field}: required and not there" in caught.value.message


def test_a_list_without_lines_has_each_invoice_read_by_itself() -> None:
    """A missing list of lines is not an empty one."""
    with connected() as site:
        site.simulator.faults.add("set_field", path=INVOICES, field="lines", remove=True, times=0)
        assert [line.id for line in read_all(site.psa).lines] == ["88431", "88432"]
        assert site.simulator.requests.count("GET", "/api/RecurringInvoice/1201") == 1


def test_an_invoice_without_lines_anywhere_is_trouble() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path="/api/RecurringInvoice*", field="lines", remove=True, times=0)
        with pytest.raises(ReplyUnreadable):
            read_all(site.psa)


def test_a_line_of_another_invoice_is_no_line_of_this_one() -> None:
    with connected() as site:
        keep(site, 88431, ihid=999)
        with pytest.raises(ReplyUnreadable):
            read_all(site.psa)


@pytest.mark.fault("C18")
def test_C18_names_of_the_demo_that_trip_programs_are_kept_as_data() -> None:
    names = (CRLF_NAME, RTL_NAME, "Nul\x00", "\ud800", "x" * 10_000)
    with connected(Scene(tuple(an_account(number, name) for number, name in enumerate(names, start=1)))) as site:
        read = [account.name for account in read_all(site.psa).accounts]
    assert read == [CRLF_NAME, RTL_NAME, "Nul\ufffd", "\ufffd", "x" * 2_000]


def test_ids_of_recurring_invoices_may_be_negative() -> None:
    """Seen in the field."""
    agreement = an_agreement(-94, HARBOR)
    line = a_line(24963, agreement, EMAIL)
    with connected(Scene((HARBOR,), (agreement,), (line,), (EMAIL,))) as site:
        assert read_all(site.psa).lines[0].agreement_id == "-94"
        assert site.psa.read_line(LineReference(agreement.id, line.id)).line.quantity == 12


# One invoice, one client.


@pytest.mark.fault("C20")
def test_C20_an_invoice_other_than_the_one_asked_for_is_thrown_away() -> None:
    second = an_agreement(1202, HARBOR)
    with connected(Scene((HARBOR,), (MANAGED, second), (), (EMAIL,))) as site:
        site.simulator.faults.add("other_client", path=INVOICE, times=0)
        with pytest.raises(ReplyUnreadable):
            site.psa.read_line(REFERENCE)


@pytest.mark.fault("C20")
@pytest.mark.parametrize("path", ["/api/Client/*", INVOICES])
def test_C20_another_clients_records_are_thrown_away(path: str) -> None:
    with connected(many_clients(3)) as site:
        site.simulator.faults.add("other_client", path=path, times=0)
        with pytest.raises(TenantScopeMismatch):
            site.psa.read_account(PsaAccountId("101"))


@pytest.mark.usefixtures("small_pages")
def test_one_client_is_read_alone_and_whole() -> None:
    agreements = tuple(an_agreement(1201 + number, HARBOR) for number in range(7))
    lines = tuple(a_line(5000 + number, agreement, EMAIL) for number, agreement in enumerate(agreements))
    other = an_account(251)
    scene = Scene((HARBOR, other), (*agreements, an_agreement(1300, other)), lines, (EMAIL,))
    with connected(scene) as site:
        page = site.psa.read_account(HARBOR.id)
        assert [account.id for account in page.accounts] == [HARBOR.id]
        assert [agreement.id for agreement in page.agreements] == [agreement.id for agreement in agreements]
        assert [line.id for line in page.lines] == [line.id for line in lines]
        assert page.next_cursor is None
        whole = read_all(site.psa)
        assert set(page.lines) <= set(whole.lines)


def test_a_client_that_is_gone_is_said_to_be() -> None:
    with connected() as site, pytest.raises(ResourceAbsent):
        site.psa.read_account(PsaAccountId("999"))


@pytest.mark.parametrize("account_id", ["250/..", "", "x", "٣", "1 or 1=1"])
def test_an_id_that_is_none_goes_into_no_address(account_id: str) -> None:
    with connected() as site:
        with pytest.raises(InputInvalid):
            site.psa.read_account(PsaAccountId(account_id))
        assert site.simulator.requests.total == 0
