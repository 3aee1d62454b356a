"""What every vendor behind the port must do: the fake in memory and the Mimecast adapter over a real socket.

Method: both hold the same accounts and are given the same trouble; the outcomes must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.contracts.vendor_subjects import (
    MIMECAST_FIELDS,
    Customer,
    FakeSubject,
    Subject,
    mimecast_subject,
)
from tests.fakes.state import FakeState, fake_state
from trueup.domain.accounts import VendorPage
from trueup.domain.counts import Known, Missing
from trueup.domain.errors import (
    CredentialRejected,
    InputInvalid,
    PermissionMissing,
    RateLimited,
    ReadIncomplete,
    SchemaUnknown,
    TrueupError,
    VendorTrouble,
    VendorUnavailable,
)
from trueup.domain.facts import vendor_facts
from trueup.domain.integrations import IntegrationName, Side
from trueup.usecases.reading import ReadOrder, read_side

type Opened = Callable[[tuple[Customer, ...]], Subject]

HARBOR = Customer("C01A001", "Harbor Dental Group", 42)
MANY = tuple(Customer(f"C01A{number:03d}", f"Client {number}", number) for number in range(1, 24))
HOSTILE = (
    Customer("C01A001", "<img src=x onerror=alert(1)>"),
    Customer("C01A002", '=HYPERLINK("http://evil.example","x")'),
    Customer("C01A003", "Orchard\r\nX-Injected: yes"),
    Customer("C01A004", "Granite \u202eytiruceS\u202c"),
    Customer("C01A005", "Ｆｕｌｌ Ｗｉｄｔｈ"),  # full-width letters are the case
    Customer("C01A006", "nul \u0000 inside"),
    Customer("C01A007", "x" * 10_000),
    Customer("C01A008", ""),
)


@pytest.fixture(params=["fake", "mimecast"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Opens a vendor that holds these accounts."""
    with ExitStack() as stack:

        def open_subject(scene: tuple[Customer, ...]) -> Subject:
            if request.param == "fake":
                return FakeSubject(scene)
            return stack.enter_context(mimecast_subject(scene))

        yield open_subject


def pages_of(subject: Subject) -> list[VendorPage]:
    pages, cursor = [], None
    for _ in range(200):
        pages.append(subject.vendor.read_page(cursor))
        cursor = pages[-1].next_cursor
        if cursor is None:
            return pages
    raise AssertionError("the read does not end")


def read_into(state: FakeState, subject: Subject) -> None:
    """A whole read, as the use case does it."""
    read_side(
        ReadOrder("2026-09", "2026-09-001", "dana"),
        integration=IntegrationName.MIMECAST,
        read_page=subject.vendor.read_page,
        snapshots=state.snapshots,
        checkpoints=state.checkpoints,
        clock=subject.clock,
    )


def seats_of(pages: list[VendorPage]) -> dict[str, int | str]:
    """Each account's one count, or the word for having none."""
    found: dict[str, int | str] = {}
    for count in vendor_facts(pages).counts:
        found[str(count.account_id)] = count.count.seats if isinstance(count.count, Known) else count.count.state
    return found


# Paging.


def test_no_accounts_read_as_complete_and_empty(opened: Opened) -> None:
    pages = pages_of(opened(()))
    assert len(pages) == 1
    assert (pages[0].accounts, pages[0].counts, pages[0].accounts_total) == ((), (), 0)


def test_one_account_is_read_with_its_seats_and_where_they_came_from(opened: Opened) -> None:
    pages = pages_of(opened((HARBOR,)))
    facts = vendor_facts(pages)
    assert [(account.id, account.name) for account in facts.accounts] == [(HARBOR.id, HARBOR.name)]
    assert seats_of(pages) == {HARBOR.id: 42}
    (count,) = facts.counts
    assert isinstance(count.count, Known)
    assert count.count.evidence
    assert count.service_id in {service.id for service in facts.services}


@pytest.mark.parametrize("size", [1, 4, 23, 100])
def test_many_pages_hold_every_account_once(opened: Opened, size: int) -> None:
    subject = opened(MANY)
    subject.pages_of(size)
    pages = pages_of(subject)
    assert len(pages) == -(-len(MANY) // size)
    listed = [str(account.id) for page in pages for account in page.accounts]
    assert sorted(listed) == [customer.id for customer in MANY]
    assert seats_of(pages) == {customer.id: customer.seats for customer in MANY}
    assert {page.accounts_total for page in pages} == {len(MANY)}


def test_a_page_can_be_read_again_with_its_cursor(opened: Opened) -> None:
    subject = opened(MANY)
    subject.pages_of(5)
    cursor = subject.vendor.read_page(None).next_cursor
    first, second = subject.vendor.read_page(cursor), subject.vendor.read_page(cursor)
    assert first.accounts == second.accounts
    assert first.next_cursor == second.next_cursor
    assert seats_of([first]) == seats_of([second])


@pytest.mark.parametrize("cursor", ["", "x", "fake:", "fake:-1", "file:99", "\x00"])
def test_a_foreign_cursor_is_refused(opened: Opened, cursor: str) -> None:
    with pytest.raises((InputInvalid, VendorTrouble)):
        opened((HARBOR,)).vendor.read_page(cursor)


@pytest.mark.fault("T12")
def test_T12_a_page_mark_that_leads_to_itself_is_incomplete(opened: Opened) -> None:
    subject = opened(MANY)
    subject.pages_of(5)
    subject.repeat_page_marks()
    state = fake_state(subject.clock)
    with pytest.raises(ReadIncomplete):
        read_into(state, subject)
    assert state.snapshots.latest(Side.VENDOR) is None


@pytest.mark.fault("T12")
def test_T12_rows_that_come_twice_never_make_a_snapshot_that_lacks_others(opened: Opened) -> None:
    subject = opened(MANY)
    subject.pages_of(5)
    subject.send_pages_again()
    state = fake_state(subject.clock)
    read_into(state, subject)
    snapshot = state.snapshots.latest(Side.VENDOR)
    assert snapshot is not None
    assert snapshot.accounts == len(MANY)


@pytest.mark.fault("T15")
def test_T15_a_total_that_does_not_fit_is_incomplete(opened: Opened) -> None:
    subject = opened(MANY)
    subject.tell_total_off_by(3)
    state = fake_state(subject.clock)
    with pytest.raises(ReadIncomplete, match="26 accounts and sent 23"):
        read_into(state, subject)
    assert state.snapshots.latest(Side.VENDOR) is None


# Counts.


@pytest.mark.fault("C7")
def test_C7_seats_nobody_tells_are_missing_and_never_zero(opened: Opened) -> None:
    pages = pages_of(opened((HARBOR, Customer("C01A002", "Silent Client", None), Customer("C01A003", "Empty", 0))))
    assert seats_of(pages) == {HARBOR.id: 42, "C01A002": "missing", "C01A003": 0}
    silent = [count.count for page in pages for count in page.counts if count.account_id == "C01A002"]
    assert all(isinstance(count, Missing) and count.reason for count in silent)


@pytest.mark.fault("C18")
def test_C18_hostile_names_arrive_as_they_are(opened: Opened) -> None:
    pages = pages_of(opened(HOSTILE))
    assert [account.name for account in vendor_facts(pages).accounts] == [customer.name for customer in HOSTILE]


@pytest.mark.fault("C10")
def test_C10_ids_are_kept_character_by_character(opened: Opened) -> None:
    scene = tuple(Customer(account_id, "Client") for account_id in ("007", "07", "7", "a7", "A7"))
    facts = vendor_facts(pages_of(opened(scene)))
    assert {str(account.id) for account in facts.accounts} == {"007", "07", "7", "a7", "A7"}


# The credential.


def test_a_good_credential_is_reported_with_what_it_may_do(opened: Opened) -> None:
    report = opened((HARBOR,)).vendor.check()
    assert report.identity
    assert report.missing == ()
    assert "customers" in {capability.name for capability in report.capabilities}
    assert all(capability.permission for capability in report.capabilities)


@pytest.mark.fault("T17")
def test_T17_a_bad_credential_is_rejected(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.reject_credential()
    with pytest.raises(CredentialRejected) as caught:
        subject.vendor.check()
    assert caught.value.remedy
    with pytest.raises(CredentialRejected):
        subject.vendor.read_page(None)


def test_a_missing_permission_is_reported_by_its_row_and_is_never_an_empty_list(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.forbid_customers()
    missing = {capability.name: capability for capability in subject.vendor.check().missing}
    assert missing["customers"].permission
    with pytest.raises(PermissionMissing) as caught:
        subject.vendor.read_page(None)
    assert caught.value.permission


# Trouble.


@pytest.mark.fault("T1")
def test_T1_a_rate_limit_passes(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.limit_next_page()
    try:
        page = subject.vendor.read_page(None)
    except RateLimited as limited:
        subject.clock.sleep(limited.wait_seconds)
        page = subject.vendor.read_page(None)
    assert [str(account.id) for account in page.accounts] == [HARBOR.id]
    assert 2.75 <= sum(subject.clock.sleeps) < 10


def test_an_outage_of_one_call_passes(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.be_away_for_next_page()
    try:
        page = subject.vendor.read_page(None)
    except VendorUnavailable:
        page = subject.vendor.read_page(None)
    assert len(page.accounts) == 1


@pytest.mark.fault("T5")
def test_T5_no_answer_in_time_is_trouble_and_never_an_empty_page(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.never_answer()
    with pytest.raises(VendorUnavailable) as caught:
        subject.vendor.read_page(None)
    assert caught.value.integration == "mimecast"


@pytest.mark.fault("T24")
def test_T24_unknown_fields_are_passed_over(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.add_unknown_fields()
    assert seats_of(pages_of(subject)) == {HARBOR.id: 42}


def test_a_missing_required_field_is_named_and_no_value_is_told(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.leave_out_account_codes()
    with pytest.raises(SchemaUnknown) as caught:
        subject.vendor.read_page(None)
    assert "accountCode" in str(caught.value)
    assert HARBOR.name not in str(caught.value)
    assert "42" not in str(caught.value)


def test_no_secret_is_in_any_error(opened: Opened) -> None:
    troubles: list[TrueupError] = []
    for name in ("reject_credential", "forbid_customers", "never_answer", "leave_out_account_codes"):
        subject = opened((HARBOR,))
        getattr(subject, name)()
        for call in (subject.vendor.check, lambda subject=subject: subject.vendor.read_page(None)):
            try:
                call()
            except TrueupError as met:
                troubles.append(met)
    assert len(troubles) >= 5
    for trouble in troubles:
        chain: list[BaseException] = []
        link: BaseException | None = trouble
        while link is not None:
            chain.append(link)
            link = link.__cause__ or link.__context__
        shown = " ".join(f"{item!s} {item!r} {item.__dict__}" for item in chain) + repr(trouble.details())
        assert MIMECAST_FIELDS["client_secret"] not in shown
        assert "sim-token-" not in shown
        assert trouble.remedy


def test_reading_and_checking_write_nothing(opened: Opened) -> None:
    subject = opened((HARBOR,))
    subject.vendor.check()
    pages_of(subject)
    assert subject.writes() == 0
