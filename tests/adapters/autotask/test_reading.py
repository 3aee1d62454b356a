"""Reading Autotask: pages, totals, what an empty list means, and lines out of units by period."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from local.simulators import autotask as autotask_simulator
from local.simulators.demo_world import demo_world, scaled_world
from tests.adapters.autotask.connected import (
    EMAIL,
    HARBOR,
    LINE,
    MANAGED,
    REFERENCE,
    SCENE,
    connected,
    many_clients,
    read_all,
)
from tests.contracts.psa_subjects import Scene, a_line, an_account, an_agreement
from trueup.adapters.autotask import reading
from trueup.domain.billing import (
    AgreementId,
    AgreementState,
    LineReference,
    ProductId,
    PsaAccountId,
    WriteOutcome,
)
from trueup.domain.errors import (
    InputInvalid,
    PermissionMissing,
    ReadIncomplete,
    ReplyUnreadable,
    ResourceAbsent,
    TenantScopeMismatch,
)

CONTRACTS_QUERY = "/Contracts/query"
SERVICES_QUERY = "/ContractServices/query"


def result(*items: object) -> str:
    return json.dumps({"items": items, "pageDetails": {"count": len(items), "nextPageUrl": None}})


# Pages.


@pytest.mark.parametrize("clients", [0, 1, 3, 4, 5, 9])
def test_pages_end_where_the_records_do_whatever_the_server_caps(clients: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the records fill the last page exactly, and when the server sends fewer than it was asked for."""
    monkeypatch.setattr(autotask_simulator, "MAX_RECORDS", 4)
    with connected(many_clients(clients, 2)) as site:
        whole = read_all(site.psa)
    assert (len(whole.accounts), len(whole.agreements), len(whole.lines)) == (clients, clients, clients * 2)
    assert len({line.id for line in whole.lines}) == clients * 2
    assert [page.accounts_total for page in whole.pages if page.accounts_total is not None] == [clients]
    assert [page.agreements_total for page in whole.pages if page.agreements_total is not None] == [clients]


def test_a_server_that_names_no_next_page_is_read_to_its_end_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "COMPANIES", replace(reading.COMPANIES, page_size=2))
    with connected(many_clients(4)) as site:
        site.simulator.faults.add("set_field", path="/Companies/query", times=0, field="nextPageUrl", raw="null")
        assert len(read_all(site.psa).accounts) == 4
        assert site.sent("/Companies/query") == 3


def test_the_address_of_the_next_page_is_never_called() -> None:
    with connected(many_clients(3)) as site:
        evil = json.dumps("https://evil.example/ATServicesRest/V1.0/Companies/query/next?paging=x")
        site.simulator.faults.add("set_field", path="/Companies/query", times=0, field="nextPageUrl", raw=evil)
        # It only says that there is more; the next page is asked for from the last id on, and is empty.
        page = site.psa.read_page(None)
        following = site.psa.read_page(page.next_cursor)
        assert (len(page.accounts), following.accounts) == (3, ())
        assert not [entry for entry in site.simulator.requests.entries if "paging" in entry.query]


@pytest.mark.parametrize("kind", ["page_ignored", "duplicate_page", "endless_tokens"])
def test_records_that_come_again_or_out_of_order_are_no_page(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotask_simulator, "MAX_RECORDS", 4)
    monkeypatch.setattr("trueup.adapters.autotask.querying.PAGES_MAXIMUM", 10)
    with connected(many_clients(9)) as site:
        site.simulator.faults.add(kind, path="/Companies/query", times=0)
        with pytest.raises(ReadIncomplete):
            read_all(site.psa)


def test_the_own_company_of_the_msp_has_the_id_0_and_is_read_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotask_simulator, "MAX_RECORDS", 1)
    own, other = an_account(0, "Acme MSP"), an_account(1, "Client")
    contract = an_agreement(7, own)
    with connected(Scene((own, other), (contract,), (a_line(9, contract, EMAIL),), (EMAIL,))) as site:
        whole = read_all(site.psa)
        assert [one.id for one in whole.accounts] == ["0", "1"]
        assert [one.account_id for one in whole.agreements] == ["0"]
        assert [one.id for one in site.psa.read_account(own.id).lines] == ["9"]


def test_a_cursor_is_good_for_another_process_and_another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotask_simulator, "MAX_RECORDS", 4)
    scene = many_clients(9)
    with connected(scene) as site:
        cursor = site.psa.read_page(None).next_cursor
    with connected(scene, start=datetime(2026, 9, 3, tzinfo=UTC)) as other:
        assert [one.id for one in other.psa.read_page(cursor).accounts] == ["104", "105", "106", "107"]


@pytest.mark.parametrize(
    "cursor",
    ["1:companies:2:", "1:companies:1:7", "1:services:1:", "2:companies:1:", "1:companies:1: ", "1:companies:2:-1"],
)
def test_a_cursor_that_no_read_gives_is_refused(cursor: str) -> None:
    with connected() as site, pytest.raises(InputInvalid) as caught:
        site.psa.read_page(cursor)
    assert caught.value.field == "cursor"


def test_a_month_of_a_thousand_clients_stays_far_below_a_quarter_of_the_hourly_limit() -> None:
    """Everything is read in full each time, since that takes few calls; one line in ten is then written, five calls a
    change, all within one hour.
    """
    with connected(scaled_world(1_000)) as site:
        site.simulator.months_ahead = 12
        whole = read_all(site.psa)
        read = site.simulator.requests.total
        for line in whole.lines[:30]:
            written = site.psa.set_quantity(
                LineReference(line.agreement_id, line.id, line.product_id),
                expected=line.quantity,
                expected_version=line.version,
                target=int(line.quantity) + 1,  # type: ignore[arg-type]
                effective=date(2026, 10, 1),
            )
            assert written.outcome is WriteOutcome.APPLIED
        month = site.simulator.requests.total
    assert (len(whole.accounts), len(whole.agreements)) == (1_000, 1_000)
    assert 1_400 < len(whole.lines) < 1_600
    assert read < 120
    assert month - read < 30 * 5 + 10
    assert read + 5 * 155 < 2_500


# What an empty list means.


@pytest.mark.parametrize("entity", ["Companies", "Contracts", "ContractServices", "ContractServiceUnits"])
def test_an_empty_list_is_not_believed_of_a_user_who_may_not_see_it(entity: str) -> None:
    with connected() as site:
        site.simulator.restricted = frozenset({entity})
        with pytest.raises(PermissionMissing) as caught:
            read_all(site.psa)
    assert entity in caught.value.message
    assert caught.value.permission


def test_a_level_that_shows_only_some_is_enough_to_connect_and_not_to_believe_an_empty_list() -> None:
    access = json.dumps({"info": {"canQuery": True, "userAccessForQuery": "Restricted"}})
    with connected(Scene((HARBOR,))) as site:
        site.simulator.faults.add("raw", path="/Contracts/entityInformation", times=0, body=access)
        report = site.psa.check()
        assert report.missing == ()
        assert "Restricted" in " ".join(capability.detail for capability in report.capabilities)
        with pytest.raises(PermissionMissing):
            read_all(site.psa)


def test_services_that_may_not_be_seen_leave_lines_named_by_their_ids() -> None:
    with connected() as site:
        site.simulator.restricted = frozenset({"Services"})
        assert [line.product_code for line in read_all(site.psa).lines] == ["560"]


def test_the_check_names_what_may_not_be_seen_and_warns_of_no_contracts() -> None:
    with connected(Scene((HARBOR,))) as site:
        site.simulator.restricted = frozenset({"ContractServiceUnits", "ContractServiceAdjustments"})
        report = site.psa.check()
    assert [capability.name for capability in report.missing] == ["read units", "adjust units"]
    assert any("no recurring service contract" in note for note in report.notes)
    assert any("bundle" in note for note in report.notes)
    assert report.identity.startswith("trueup-api@acmemsp.example")
    assert "America East" in report.identity


# Contracts.


def test_a_contract_of_another_type_is_not_read() -> None:
    with connected() as site:
        read_all(site.psa)
        bodies = json.dumps([entry.path for entry in site.simulator.requests.entries])
    assert "entityInformation/fields" in bodies


def test_the_recurring_type_and_the_states_are_what_the_picklist_says() -> None:
    fields = {
        "fields": [
            {"name": "contractType", "picklistValues": [{"value": "9", "label": "Recurring Service"}]},
            {"name": "Status", "picklistValues": [{"value": "4", "label": "Cancelled"}, {"value": "x", "label": "?"}]},
            {"name": "other", "picklistValues": None},
        ]
    }
    item = {"id": 7, "companyID": 250, "contractName": "C", "contractType": 9, "status": 4}
    with connected() as site:
        site.simulator.faults.add("raw", path="/Contracts/entityInformation/fields", times=0, body=json.dumps(fields))
        site.simulator.faults.add("raw", path="/Contracts/query/count", body='{"queryCount":1}')
        site.simulator.faults.add("raw", path=CONTRACTS_QUERY, body=result(item))
        site.simulator.faults.add("raw", path=SERVICES_QUERY, body=result())
        (agreement,) = read_all(site.psa).agreements
    assert (agreement.state, agreement.type_name) == (AgreementState.CANCELLED, "Recurring Service")


@pytest.mark.parametrize(("status", "state"), [(1, "active"), (0, "inactive"), (77, "unknown"), (None, "unknown")])
def test_without_a_picklist_the_documented_values_hold(status: int | None, state: str) -> None:
    item = {"id": 1201, "companyID": 250, "contractName": "C", "contractType": 7, "status": status}
    with connected() as site:
        site.simulator.faults.add("status", path="/Contracts/entityInformation/fields", times=0, status=403)
        site.simulator.faults.add("raw", path=CONTRACTS_QUERY, body=result(item))
        (agreement,) = read_all(site.psa).agreements
    assert agreement.state.value == state


def test_a_contract_whose_end_is_over_is_expired_and_its_lines_are_left_out() -> None:
    over = an_agreement(1202, HARBOR, ends_on=date(2026, 8, 31))
    last = an_agreement(1203, HARBOR, ends_on=date(2026, 9, 1))
    lines = (LINE, a_line(88432, over, EMAIL), a_line(88433, last, EMAIL))
    with connected(Scene((HARBOR,), (MANAGED, over, last), lines, (EMAIL,))) as site:
        whole = read_all(site.psa)
    assert [one.state.value for one in whole.agreements] == ["active", "expired", "active"]
    assert [one.id for one in whole.lines] == ["88431", "88433"]
    assert whole.lines[1].effective_to == date(2026, 9, 2)


def test_an_inactive_contract_still_bills_so_its_lines_are_read() -> None:
    """Documented: what ends the billing is the end date."""
    asleep = an_agreement(1201, HARBOR, AgreementState.INACTIVE)
    with connected(Scene((HARBOR,), (asleep,), (LINE,), (EMAIL,))) as site:
        whole = read_all(site.psa)
    assert [one.state for one in whole.agreements] == [AgreementState.INACTIVE]
    assert [one.quantity for one in whole.lines] == [12]


def test_an_inactive_company_counts_as_deleted() -> None:
    with connected() as site:
        site.world.edit_company(250, deleted=True)
        (account,) = read_all(site.psa).accounts
    assert (account.deleted, account.status_text) == (True, "Inactive")


# One client, one line, products.


def test_one_client_is_read_alone() -> None:
    other = an_account(251, "Other")
    theirs = an_agreement(1202, other)
    scene = Scene((HARBOR, other), (MANAGED, theirs), (LINE, a_line(88432, theirs, EMAIL)), (EMAIL,))
    with connected(scene) as site:
        page = site.psa.read_account(HARBOR.id)
        assert [one.id for one in page.accounts] == [HARBOR.id]
        assert [one.id for one in page.agreements] == [MANAGED.id]
        assert [one.id for one in page.lines] == [LINE.id]
        assert page.next_cursor is None
        with pytest.raises(ResourceAbsent):
            site.psa.read_account(PsaAccountId("999"))
        with pytest.raises(InputInvalid):
            site.psa.read_account(PsaAccountId("../1"))


@pytest.mark.fault("C20")
def test_C20_a_record_of_another_client_is_thrown_away() -> None:
    stranger = {"id": 1201, "companyID": 999, "contractName": "C", "contractType": 7, "status": 1}
    with connected() as site:
        site.simulator.faults.add("raw", path=CONTRACTS_QUERY, times=0, body=result(stranger))
        with pytest.raises(TenantScopeMismatch):
            site.psa.read_account(HARBOR.id)
        site.simulator.faults.clear()
        other = {"id": 7, "companyID": 250, "contractName": "C", "contractType": 7, "status": 1}
        site.simulator.faults.add("raw", path=CONTRACTS_QUERY, times=0, body=result(other))
        with pytest.raises(ReplyUnreadable):
            site.psa.read_line(REFERENCE)
        site.simulator.faults.clear()
        service = {"id": 88431, "contractID": 999, "serviceID": 560}
        site.simulator.faults.add("raw", path=SERVICES_QUERY, times=0, body=result(service))
        with pytest.raises(TenantScopeMismatch):
            site.psa.read_line(REFERENCE)


@pytest.mark.parametrize("agreement_id", ["", "-1", "1 or 1=1", "9" * 30])
def test_an_id_that_is_no_id_is_refused(agreement_id: str) -> None:
    with connected() as site, pytest.raises(InputInvalid):
        site.psa.read_line(LineReference(AgreementId(agreement_id), LINE.id))


def test_a_price_that_was_adjusted_is_the_price() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=SERVICES_QUERY, times=0, field="adjustedPrice", raw="3.95")
        assert site.psa.read_line(REFERENCE).line.unit_price == Decimal("3.95")


@pytest.mark.parametrize("field", ["adjustedPrice", "companyNumber", "approveAndPostDate"])
def test_a_field_that_a_release_does_not_know_is_not_insisted_on(field: str) -> None:
    with connected() as site:
        site.simulator.unknown_fields = frozenset({field.casefold()})
        assert [line.quantity for line in read_all(site.psa).lines] == [12]


@pytest.mark.fault("C17")
@pytest.mark.parametrize("raw", ['"4,25"', '"4.25"', "NaN", "true", "[4]"])
def test_C17_a_price_that_is_no_number_is_refused(raw: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=SERVICES_QUERY, times=0, field="unitPrice", raw=raw)
        with pytest.raises(ReplyUnreadable):
            site.psa.read_line(REFERENCE)


@pytest.mark.fault("C17")
def test_C17_a_price_with_three_decimals_is_kept_exactly() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=SERVICES_QUERY, times=0, field="unitPrice", raw="4.125")
        assert site.psa.read_line(REFERENCE).line.unit_price == Decimal("4.125")


@pytest.mark.fault("P17")
def test_P17_the_clock_of_autotask_decides_no_period() -> None:
    with connected() as site:
        before = site.psa.read_line(REFERENCE).line
        headers = {"Date": "Fri, 01 Jan 2038 00:00:00 GMT"}
        site.simulator.faults.add("extra_headers", times=0, headers=headers)
        assert site.psa.read_line(REFERENCE).line == before


def test_costs_that_the_user_may_not_see_are_not_told() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=SERVICES_QUERY, times=0, field="unitCost", raw="null")
        line = site.psa.read_line(REFERENCE).line
    assert (line.unit_cost, line.unit_price) == (None, Decimal("4.25"))


def test_an_exact_hit_is_found_although_a_page_is_full_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotask_simulator, "MAX_RECORDS", 2)
    with connected(many_clients(1, 6)) as site:
        found = site.psa.search_products("MIME-5", limit=5)
    assert [product.id for product in found] == [ProductId("565")]


def test_the_demo_month_reads_as_a_whole() -> None:
    with connected(demo_world()) as site:
        whole = read_all(site.psa)
        assert {line.id for line in whole.lines} == {str(key) for key in site.world.additions}
        assert len(whole.accounts) == len(site.world.companies)


def test_the_scene_is_what_the_tests_of_this_folder_lean_on() -> None:
    with connected(SCENE) as site:
        assert [line.quantity for line in read_all(site.psa).lines] == [12]
