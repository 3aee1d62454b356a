"""Accounts, services and seats of a partner, read from the simulated gateway over a real socket."""

import pytest

from local.simulators.demo_world import demo_world
from tests.adapters.mimecast.mimecast_connected import (
    CONTRACTS,
    CUSTOMERS,
    FIELDS,
    GET_ACCOUNT,
    PRODUCTS,
    SUPPORT_INFO,
    a_world,
    an_account,
    connected,
    contract,
)
from tests.fakes.clock import FakeClock
from trueup.adapters.mimecast import open_mimecast
from trueup.adapters.mimecast.on_behalf import OnBehalf
from trueup.domain.accounts import AccountState, ServiceKind
from trueup.domain.counts import Basis, Failed, Known, Missing
from trueup.domain.errors import InputInvalid, PermissionMissing, ResourceAbsent, TenantScopeMismatch, UnsafeAddress


def test_the_demo_month_is_read_whole_with_each_count_told_from_where_it_came() -> None:
    world = demo_world()
    with connected(world, page_size=10) as running:
        pages = running.pages()
    accounts = [account for page in pages for account in page.accounts]
    assert [account.id for account in accounts] == list(world.accounts)
    assert {page.accounts_total for page in pages} == {len(world.accounts)}
    counts = [one.count for page in pages for one in page.counts]
    bases = [count.basis for count in counts if isinstance(count, Known)]
    assert {basis: bases.count(basis) for basis in set(bases)} == {
        Basis.CONTRACT: sum(len(one.lines) for one in world.contracts.values()),
        Basis.PARTNER_CUSTOMER: 3,
        Basis.ACCOUNT_USER_COUNT: 1,
    }
    assert [type(count) for count in counts if not isinstance(count, Known)] == [Missing]
    kinds = {str(service.id): service.kind for page in pages for service in page.services}
    assert kinds == {
        "9702": ServiceKind.PLAN,
        "9731": ServiceKind.ADDON,
        "9745": ServiceKind.ADDON,
        "main:email-security-s1": ServiceKind.PLAN,
        "account": ServiceKind.ACCOUNT,
    }


def test_contract_seats_come_first_and_every_source_is_kept_as_evidence() -> None:
    world = a_world(an_account(1, partner_seats=46))
    contract_id = contract(world, "CSIM10B1", ("9702", 46), ("9731", 40))
    with connected(world) as running:
        counts = running.counts()
        assert running.asked("POST", GET_ACCOUNT) == 0
    plan, addon = counts["CSIM10B1", "9702"], counts["CSIM10B1", "9731"]
    assert isinstance(plan, Known)
    assert isinstance(addon, Known)
    assert (plan.seats, plan.basis, plan.conflict) == (46, Basis.CONTRACT, None)
    assert [(one.source, one.key, one.reference, one.seats) for one in plan.evidence] == [
        ("GET /partner/v1/msp/contracts", "quantity", f"{contract_id}/9702", 46),
        ("GET /partner/v1/customers (account-level count)", "userCount", "CSIM10B1", 46),
    ]
    # An add-on may be sold to some of the users, so the number of the whole account does not contradict it.
    assert (addon.seats, addon.conflict) == (40, None)


def test_two_sources_that_disagree_are_told_with_both_numbers() -> None:
    world = a_world(an_account(1, partner_seats=50))
    contract(world, "CSIM10B1", ("9702", 46))
    with connected(world) as running:
        count = running.counts()["CSIM10B1", "9702"]
    assert isinstance(count, Known)
    assert count.seats == 46
    assert count.conflict == "the contract says 46, but the partner's customer list says 50"


def test_two_plans_on_one_account_are_not_compared_with_its_users() -> None:
    world = a_world(an_account(1, partner_seats=50))
    world.vendor_products["9731"].type = "primary"
    contract(world, "CSIM10B1", ("9702", 20), ("9731", 30))
    with connected(world) as running:
        assert [count.conflict for count in running.counts().values() if isinstance(count, Known)] == [None, None]


def test_one_product_on_two_contracts_is_added_up() -> None:
    world = a_world(an_account(1, partner_seats=None))
    contract(world, "CSIM10B1", ("9702", 20))
    contract(world, "CSIM10B1", ("9702", 5))
    with connected(world) as running:
        count = running.counts()["CSIM10B1", "9702"]
    assert isinstance(count, Known)
    assert count.seats == 25
    assert [one.seats for one in count.evidence] == [20, 5]


def test_one_product_twice_on_one_contract_is_for_a_person() -> None:
    world = a_world(an_account(1))
    contract(world, "CSIM10B1", ("9702", 20), ("9702", 25))
    with connected(world) as running:
        count = running.counts()["CSIM10B1", "9702"]
    assert isinstance(count, Failed)
    assert "more than one line" in count.reason


@pytest.mark.parametrize("status", ["cancelled", "Expired", "DRAFT"])
def test_a_contract_that_is_not_in_force_does_not_count(status: str) -> None:
    world = a_world(an_account(1, partner_seats=None, account_seats=None))
    contract_id = contract(world, "CSIM10B1", ("9702", 20), status=status)
    with connected(world) as running:
        counts = running.counts()
    assert list(counts) == [("CSIM10B1", "main:email-security-s1")]
    count = counts["CSIM10B1", "main:email-security-s1"]
    assert isinstance(count, Missing)
    assert f"contract {contract_id} is {status}" in count.reason


def test_a_contract_in_an_unknown_state_gives_no_number() -> None:
    world = a_world(an_account(1))
    contract(world, "CSIM10B1", ("9702", 20), status="paused")
    with connected(world) as running:
        count = running.counts()["CSIM10B1", "9702"]
    assert isinstance(count, Failed)
    assert "unknown status 'paused'" in count.reason


def test_without_a_contract_the_main_product_carries_the_count_of_the_account() -> None:
    with connected(a_world(an_account(1, partner_seats=33, account_seats=33))) as running:
        [page] = running.pages()
        assert running.asked("POST", GET_ACCOUNT) == running.asked("POST", SUPPORT_INFO) == 1
    assert [(service.id, service.name, service.kind) for service in page.services] == [
        ("main:email-security-s1", "Email Security S1", ServiceKind.PLAN)
    ]
    count = page.counts[0].count
    assert isinstance(count, Known)
    assert (count.seats, count.basis, count.conflict) == (33, Basis.PARTNER_CUSTOMER, None)


def test_without_a_main_product_the_packages_are_told_beside_the_account() -> None:
    accounts = (an_account(1, main_product=""), an_account(2, main_product=""))
    with connected(a_world(*accounts)) as running:
        first, second = running.pages()[0], running.pages()[0]
    assert {(str(service.id), service.name, service.kind) for service in first.services} == {
        ("account", "Users of the account", ServiceKind.ACCOUNT),
        ("package:1033", "Mimecast Platform", ServiceKind.PACKAGE),
        ("package:1039", "Secure Email Gateway (Site)", ServiceKind.PACKAGE),
    }
    # The simulator turns the order of the packages with every call; what is told must not move.
    assert (first.services, [one.service_id for one in first.counts]) == (
        second.services,
        [one.service_id for one in second.counts],
    )


def test_packages_may_come_as_objects() -> None:
    with connected(a_world(an_account(1, main_product=""))) as running:
        running.simulator.packages_as_objects = True
        [page] = running.pages()
    assert {"package:1033", "package:1039"} < {str(service.id) for service in page.services}


def test_the_account_itself_is_the_last_of_the_vendors_numbers() -> None:
    with connected(a_world(an_account(1, partner_seats=None, account_seats=17))) as running:
        count = running.counts()["CSIM10B1", "main:email-security-s1"]
    assert isinstance(count, Known)
    assert (count.seats, count.basis) == (17, Basis.ACCOUNT_USER_COUNT)


def test_nobody_says_a_number_and_it_is_missing_not_zero() -> None:
    with connected(a_world(an_account(1, partner_seats=None, account_seats=None))) as running:
        count = running.counts()["CSIM10B1", "main:email-security-s1"]
    assert count == Missing("no source tells the seats of this account")


def test_zero_seats_are_a_number() -> None:
    with connected(a_world(an_account(1, partner_seats=0, account_seats=0))) as running:
        count = running.counts()["CSIM10B1", "main:email-security-s1"]
    assert isinstance(count, Known)
    assert count.seats == 0


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("active", AccountState.ACTIVE),
        (" Active ", AccountState.ACTIVE),
        ("pending", AccountState.PENDING),
        ("suspended", AccountState.SUSPENDED),
        ("hibernating", AccountState.UNKNOWN),
        ("", AccountState.UNKNOWN),
    ],
)
def test_the_state_of_an_account_keeps_the_vendors_word(word: str, state: AccountState) -> None:
    with connected(a_world(an_account(1, status=word))) as running:
        [page] = running.pages()
    assert (page.accounts[0].state, page.accounts[0].status_text) == (state, word)


@pytest.mark.parametrize(("path", "status"), [(CUSTOMERS, 403), (CUSTOMERS, 404)])
def test_a_refused_customer_list_is_an_error_and_never_no_customers(path: str, status: int) -> None:
    with connected(a_world(an_account(1))) as running:
        running.simulator.faults.add("status", path=path, status=status, times=0)
        with pytest.raises(PermissionMissing if status == 403 else ResourceAbsent) as caught:
            running.vendor.read_page(None)
    assert caught.value.status == status
    if isinstance(caught.value, PermissionMissing):
        assert "Multi Tenant API" in str(caught.value.permission)
        assert "Tenant API Gateway" in caught.value.remedy


@pytest.mark.parametrize("status", [403, 404])
def test_contracts_that_may_not_be_read_leave_the_other_sources(status: int, caplog: pytest.LogCaptureFixture) -> None:
    world = a_world(an_account(1, partner_seats=8, account_seats=8))
    contract(world, "CSIM10B1", ("9702", 20))
    with connected(world) as running:
        running.simulator.faults.add("status", path=CONTRACTS, status=status, times=0)
        count = running.counts()["CSIM10B1", "main:email-security-s1"]
    assert isinstance(count, Known)
    assert (count.seats, count.basis) == (8, Basis.PARTNER_CUSTOMER)
    assert "contracts cannot be read" in caplog.text


def test_products_that_may_not_be_read_leave_the_name_to_tell_an_add_on() -> None:
    world = a_world(an_account(1))
    world.vendor_products["9731"].name = "Awareness Training Add-On"
    contract(world, "CSIM10B1", ("9702", 20), ("9731", 20))
    with connected(world) as running:
        running.simulator.faults.add("status", path=PRODUCTS, status=403, times=0)
        [page] = running.pages()
    assert {str(service.id): service.kind for service in page.services} == {
        "9702": ServiceKind.PLAN,
        "9731": ServiceKind.ADDON,
    }


def test_contracts_are_read_once_for_all_pages_and_again_for_a_new_read() -> None:
    world = a_world(*(an_account(number) for number in range(10, 15)))
    contract_id = contract(world, "CSIM10B10", ("9702", 20))
    with connected(world, page_size=2) as running:
        running.pages()
        assert running.asked("GET", CONTRACTS) == 1
        world.contracts[contract_id].lines[0].quantity = 21
        count = running.counts()["CSIM10B10", "9702"]
        assert running.asked("GET", CONTRACTS) == 2
    assert isinstance(count, Known)
    assert count.seats == 21


def test_a_page_may_be_asked_for_again_and_says_the_same() -> None:
    world = a_world(*(an_account(number) for number in range(10, 15)))
    with connected(world, page_size=2) as running:
        first = running.vendor.read_page(None)
        once, again = running.vendor.read_page(first.next_cursor), running.vendor.read_page(first.next_cursor)
        assert [one.id for one in once.accounts] == [one.id for one in again.accounts] == ["CSIM10B12", "CSIM10B13"]
        assert once.next_cursor == again.next_cursor


def test_another_process_goes_on_at_the_cursor() -> None:
    world = a_world(*(an_account(number) for number in range(10, 15)))
    with connected(world, page_size=2) as running:
        cursor = running.vendor.read_page(None).next_cursor
    with connected(world, page_size=2) as running:
        page = running.vendor.read_page(cursor)
    assert [account.id for account in page.accounts] == ["CSIM10B12", "CSIM10B13"]


# On behalf of accounts.


@pytest.mark.parametrize("form", ["header", "body"])
def test_the_form_of_the_account_switch_is_found_out_once(form: str) -> None:
    accounts = [an_account(number, partner_seats=None, account_seats=number) for number in range(10, 16)]
    with connected(a_world(*accounts)) as running:
        running.simulator.on_behalf = frozenset({form})
        counts = running.counts()
        assert running.asked("GET", "/identity/whoami") == 2
    assert [count.seats for count in counts.values() if isinstance(count, Known)] == list(range(10, 16))


def test_without_an_account_switch_the_account_is_counted_as_a_whole() -> None:
    accounts = (an_account(1, partner_seats=12), an_account(2, partner_seats=None))
    with connected(a_world(*accounts)) as running:
        running.simulator.on_behalf = frozenset()
        counts = running.counts()
        # Three probes (whoami without and with the switch, get-account with the body form), nothing per account.
        assert running.asked("POST", GET_ACCOUNT) == 1
    assert isinstance(counts["CSIM10B1", "account"], Known)
    missing = counts["CSIM10B2", "account"]
    assert isinstance(missing, Missing)
    assert "cannot ask on behalf" in missing.reason


def test_the_account_switch_can_be_turned_off() -> None:
    with connected(a_world(an_account(1, partner_seats=None)), on_behalf=OnBehalf.UNAVAILABLE) as running:
        counts = running.counts()
        assert running.asked("POST", GET_ACCOUNT) == running.asked("GET", "/identity/whoami") == 0
    assert isinstance(counts["CSIM10B1", "account"], Missing)


def test_a_set_form_is_not_probed() -> None:
    with connected(a_world(an_account(1)), on_behalf=OnBehalf.BODY) as running:
        running.pages()
        assert running.asked("GET", "/identity/whoami") == 0


def test_whoami_may_be_forbidden() -> None:
    with connected(a_world(an_account(1, partner_seats=None, account_seats=9))) as running:
        running.simulator.faults.add("status", path="/identity/whoami", status=403, times=0)
        count = running.counts()["CSIM10B1", "main:email-security-s1"]
    assert isinstance(count, Known)
    assert count.seats == 9


@pytest.mark.fault("C20")
def test_C20_an_answer_about_another_account_is_thrown_away() -> None:
    accounts = [an_account(number, partner_seats=None, account_seats=5) for number in (1, 2)]
    with connected(a_world(*accounts)) as running:
        running.simulator.faults.add("ignored_account_switch", method="POST", path=GET_ACCOUNT, nth=2)
        with pytest.raises(TenantScopeMismatch) as caught:
            running.vendor.read_page(None)
    assert "25" not in str(caught.value)


@pytest.mark.fault("C14")
@pytest.mark.parametrize("kind", ["gone", 403, 404])
def test_C14_an_account_that_moved_away_is_missing_and_not_zero(kind: str | int) -> None:
    accounts = (
        an_account(1, partner_seats=None, account_seats=5),
        an_account(2, partner_seats=None, account_seats=5, account_readable=kind != "gone"),
    )
    with connected(a_world(*accounts)) as running:
        if isinstance(kind, int):
            running.simulator.faults.add("status", method="POST", path=GET_ACCOUNT, status=kind, times=0)
        counts = running.counts()
    moved = counts["CSIM10B2", "account"]
    assert isinstance(moved, Missing)
    assert "the account itself cannot be read" in moved.reason


def test_a_code_that_cannot_stand_in_a_header_is_not_asked_for() -> None:
    odd = an_account(1, partner_seats=None)
    odd.code = "CSIM 10\r\nX: y"
    with connected(a_world(odd)) as running:
        counts = running.counts()
        assert running.asked("POST", GET_ACCOUNT) == 0
    assert isinstance(counts["CSIM 10\r\nX: y", "account"], Missing)


# Opening.


@pytest.mark.parametrize("fields", [{}, {"client_id": "a"}, {"client_id": "a b", "client_secret": "c"}])
def test_a_credential_with_a_bad_field_is_refused_by_name_only(fields: dict[str, str]) -> None:
    with pytest.raises(InputInvalid) as caught, connected(a_world(), fields=fields):
        pass
    assert caught.value.field in ("client_id", "client_secret")
    assert "a b" not in str(caught.value)


def test_only_gateways_of_the_vendors_zone_are_opened() -> None:
    for url in ("https://us-api.mimecast.com", "https://evil.example", "http://127.0.0.1:8080"):
        with pytest.raises(UnsafeAddress):
            open_mimecast(url, FIELDS, clock=FakeClock(), allow_loopback=False)
    open_mimecast("https://uk-api.services.mimecast.com", FIELDS, clock=FakeClock(), allow_loopback=False).close()


def test_a_cursor_of_somebody_else_is_refused() -> None:
    with connected(a_world()) as running:
        for cursor in ("other:1", "file:0", "file:x", ""):
            with pytest.raises(InputInvalid):
                running.vendor.read_page(cursor)
