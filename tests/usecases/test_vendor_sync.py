"""Reading the vendor: complete or not at all, resumed where it stopped, and not believed when most of it is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.usecases.office import PERSON, Office, open_office
from trueup.domain.errors import (
    NotConnected,
    RateLimited,
    ReadIncomplete,
    StateUnavailable,
    VendorUnavailable,
)
from trueup.domain.facts import vendor_facts
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.runs import SideProgress, Snapshot
from trueup.usecases.customer_file import forget_customer_file, keep_customer_file

AWAY = VendorUnavailable("no answer", integration="mimecast", status=503)
FIRST, SECOND = "2026-09-001", "2026-09-002"


@pytest.fixture
def office() -> Office:
    """Ten accounts on pages of three, connected."""
    office = open_office(page_size=3)
    for number in range(10):
        office.vendor.add_account(f"V{number}", f"Client {number}", 10 + number)
    office.connect_both()
    return office


def listed(office: Office, snapshot: Snapshot) -> list[str]:
    return [str(account.id) for account in vendor_facts(office.state.snapshots.vendor_pages(snapshot)).accounts]


def latest(office: Office) -> Snapshot | None:
    return office.state.snapshots.latest(Side.VENDOR)


def test_a_whole_read_is_a_snapshot_with_everything_once(office: Office) -> None:
    seen: list[SideProgress] = []
    result = office.read_vendor(on_progress=seen.append)
    assert result.snapshot is not None
    assert result.snapshot == latest(office)
    assert listed(office, result.snapshot) == sorted(office.vendor.accounts)
    assert (result.snapshot.accounts, result.snapshot.records, len(result.snapshot.pages)) == (10, 20, 4)
    assert [progress.accounts for progress in seen] == [3, 6, 9, 10, 10]
    assert [progress.done for progress in seen] == [False] * 4 + [True]
    assert office.actions()[-1] == "vendor read"


def test_the_header_is_written_after_every_page(office: Office) -> None:
    office.read_vendor()
    calls = [call for call in office.state.switches.calls if call.startswith("snapshots")]
    assert calls == ["snapshots.add_page"] * 4 + ["snapshots.complete"]


def test_nothing_connected_names_the_command(office: Office) -> None:
    empty = open_office()
    with pytest.raises(NotConnected) as caught:
        empty.read_vendor()
    assert "trueup connect mimecast" in caught.value.remedy


@pytest.mark.fault("T4")
def test_T4_a_page_that_stays_away_ends_the_read_without_a_snapshot(office: Office) -> None:
    office.vendor.on_page = lambda start: office.vendor.fail_always("read_page", AWAY) if start == 3 else None
    with pytest.raises(VendorUnavailable):
        office.read_vendor()
    assert latest(office) is None


def test_a_read_goes_on_where_trouble_stopped_it_and_asks_for_no_page_twice(office: Office) -> None:
    asked: list[int] = []

    def on_page(start: int) -> None:
        asked.append(start)
        if start == 3:
            office.vendor.fail_next("read_page", AWAY)

    office.vendor.on_page = on_page
    with pytest.raises(VendorUnavailable):
        office.read_vendor()
    result = office.read_vendor()
    assert asked == [0, 3, 6, 9]
    assert result.snapshot is not None
    assert listed(office, result.snapshot) == sorted(office.vendor.accounts)
    assert result.snapshot.records == 20
    assert office.state.checkpoints.load(FIRST, Side.VENDOR) is None


@pytest.mark.fault("T1")
def test_T1_a_rate_limit_leaves_a_checkpoint_for_the_next_call(office: Office) -> None:
    office.vendor.on_page = lambda start: (
        office.vendor.fail_next("read_page", RateLimited("wait", integration="mimecast", wait_seconds=30))
        if start == 0
        else None
    )
    with pytest.raises(RateLimited) as caught:
        office.read_vendor()
    assert caught.value.wait_seconds == 30
    assert office.state.checkpoints.load(FIRST, Side.VENDOR) is not None
    assert office.read_vendor().snapshot is not None
    assert office.vendor.calls["read_page"] == 5, "four pages and the one refused call"


@pytest.mark.fault("A7")
def test_A7_a_read_that_is_out_of_time_stops_at_a_page_and_goes_on_in_the_next_call(office: Office) -> None:
    pages = 0
    result = office.read_vendor(stop_at_seconds=0.0)
    while result.snapshot is None:
        pages += 1
        assert result.progress.pages == pages
        assert result.progress.accounts == pages * 3
        assert not result.progress.done
        assert latest(office) is None
        result = office.read_vendor(stop_at_seconds=0.0)
    assert pages == 3
    assert listed(office, result.snapshot) == sorted(office.vendor.accounts)
    assert office.vendor.calls["read_page"] == 4


def test_a_resumed_read_is_as_old_as_its_first_page(office: Office) -> None:
    began = office.clock.now()
    office.read_vendor(stop_at_seconds=0.0)
    office.clock.advance(20 * 3600)
    result = office.read_vendor()
    assert result.snapshot is not None
    assert result.snapshot.started_at == began
    assert result.snapshot.completed_at == office.clock.now()


def test_a_run_that_has_its_snapshot_keeps_it(office: Office) -> None:
    first = office.read_vendor()
    office.vendor.sets("V1", 99)
    again = office.read_vendor()
    assert again.snapshot == first.snapshot
    assert again.progress.done
    assert office.vendor.calls["read_page"] == 4
    assert office.read_vendor(SECOND).snapshot != first.snapshot


@pytest.mark.fault("T12")
def test_T12_a_page_mark_that_leads_to_itself_never_becomes_a_snapshot(office: Office) -> None:
    office.vendor.repeats_marks = True
    with pytest.raises(ReadIncomplete, match="same page mark"):
        office.read_vendor()
    assert latest(office) is None
    assert office.vendor.calls["read_page"] < 5
    assert office.state.checkpoints.load(FIRST, Side.VENDOR) is None, "a read that cannot end is not gone on with"


@pytest.mark.fault("T12")
def test_T12_rows_that_come_twice_are_counted_once(office: Office) -> None:
    office.vendor.repeats_pages = True
    result = office.read_vendor()
    assert result.snapshot is not None
    assert result.snapshot.accounts == 10
    assert listed(office, result.snapshot) == sorted(office.vendor.accounts)


@pytest.mark.fault("T13")
def test_T13_pages_without_end_are_given_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trueup.usecases.reading.PAGES_MAXIMUM", 7)
    serial = iter(range(10, 10_000))
    office.vendor.on_page = lambda _start: office.vendor.add_account(f"W{next(serial)}", "One more", 1)
    office.vendor.told_total = lambda _actual: None
    office.vendor.page_size = 1
    with pytest.raises(ReadIncomplete, match="more than 7 pages"):
        office.read_vendor()
    assert latest(office) is None


@pytest.mark.fault("T15")
def test_T15_a_total_that_never_fits_is_incomplete_and_both_numbers_are_told(office: Office) -> None:
    office.vendor.told_total = lambda actual: actual + 2
    with pytest.raises(ReadIncomplete, match="there are 12 accounts and sent 10"):
        office.read_vendor()
    assert latest(office) is None
    assert office.vendor.calls["read_page"] == 8, "a second pass, and no third"


@pytest.mark.fault("T14")
def test_T14_a_list_that_moved_while_it_was_read_is_read_again_once(office: Office) -> None:
    def removed_meanwhile(start: int) -> None:
        if start == 3 and "V0" in office.vendor.accounts:
            office.vendor.removes("V0")

    office.vendor.on_page = removed_meanwhile
    result = office.read_vendor()
    assert result.snapshot is not None
    assert listed(office, result.snapshot) == sorted(office.vendor.accounts)
    assert result.snapshot.accounts == 9
    assert office.vendor.calls["read_page"] == 3 + 3


@pytest.mark.fault("T14")
def test_T14_a_list_that_never_stands_still_is_incomplete(office: Office) -> None:
    serial = iter(range(100, 200))
    office.vendor.on_page = lambda _start: office.vendor.add_account(f"W{next(serial)}", "One more", 1)
    with pytest.raises(ReadIncomplete, match="the number of accounts went from 16 to 23"):
        office.read_vendor()
    assert latest(office) is None


def test_the_second_pass_is_remembered_across_calls(office: Office) -> None:
    office.vendor.told_total = lambda actual: actual + 1
    for _ in range(7):
        assert office.read_vendor(stop_at_seconds=0.0).snapshot is None
    with pytest.raises(ReadIncomplete):
        office.read_vendor(stop_at_seconds=0.0)
    assert office.vendor.calls["read_page"] == 8


def test_a_vendor_that_tells_no_total_is_believed(office: Office) -> None:
    office.vendor.told_total = lambda _actual: None
    assert office.read_vendor().snapshot is not None


@pytest.mark.fault("T10")
def test_T10_an_empty_list_after_a_full_one_is_not_believed(office: Office) -> None:
    full = office.read_vendor().snapshot
    for account_id in list(office.vendor.accounts):
        office.vendor.removes(account_id)
    with pytest.raises(ReadIncomplete, match="listed 0 accounts, last time it was 10") as caught:
        office.read_vendor(SECOND)
    assert "--accept-drop" in caught.value.remedy
    assert latest(office) == full


def test_an_empty_list_is_believed_when_there_never_was_another(office: Office) -> None:
    office.vendor.accounts.clear()
    snapshot = office.read_vendor().snapshot
    assert snapshot is not None
    assert snapshot.accounts == 0


@pytest.mark.parametrize(("left", "is_believed"), [(5, True), (4, False)])
def test_a_list_that_lost_more_than_half_waits_for_a_person(office: Office, left: int, is_believed: bool) -> None:
    full = office.read_vendor().snapshot
    for account_id in sorted(office.vendor.accounts)[left:]:
        office.vendor.removes(account_id)
    if is_believed:
        assert office.read_vendor(SECOND).snapshot is not None
        return
    with pytest.raises(ReadIncomplete):
        office.read_vendor(SECOND)
    assert latest(office) == full
    accepted = office.read_vendor(SECOND, accept_drop=True).snapshot
    assert accepted is not None
    assert accepted.accounts == left


def test_a_store_that_fails_while_the_header_is_written_leaves_no_snapshot(office: Office) -> None:
    office.state.switches.fail("snapshots.complete")
    with pytest.raises(StateUnavailable):
        office.read_vendor()
    assert latest(office) is None
    assert office.read_vendor().snapshot == latest(office)


def test_a_lost_reply_of_the_store_does_not_read_again(office: Office) -> None:
    office.state.switches.fail("snapshots.complete", when="after")
    with pytest.raises(StateUnavailable):
        office.read_vendor()
    assert office.read_vendor().snapshot == latest(office)
    assert office.vendor.calls["read_page"] == 4


def test_the_customer_file_that_is_kept_is_handed_to_the_vendor_until_it_is_forgotten(office: Office) -> None:
    kept = keep_customer_file(
        IntegrationName.MIMECAST,
        b"one\ntwo\n",
        actor=PERSON,
        connections=office.connections,
        uploads=office.state.uploads,
        clock=office.clock,
    )
    for run_id in (FIRST, SECOND):
        office.read_vendor(run_id)
        assert office.connections.customer_files[-1] == kept
        assert office.connections.opened[-1][0] == IntegrationName.MIMECAST.value
    forget_customer_file(IntegrationName.MIMECAST, actor=PERSON, uploads=office.state.uploads, clock=office.clock)
    office.read_vendor("2026-09-003")
    assert office.connections.customer_files[-1] is None


def test_a_snapshot_tells_how_old_a_list_of_accounts_is_that_comes_from_a_file(office: Office) -> None:
    assert latest_after(office, FIRST).accounts_as_of is None
    real, given_at = office.vendor.read_page, datetime(2026, 8, 20, tzinfo=UTC)
    office.vendor.read_page = lambda cursor: replace(  # type: ignore[method-assign]
        real(cursor), accounts_as_of=given_at
    )
    assert latest_after(office, SECOND).accounts_as_of == given_at


def latest_after(office: Office, run_id: str) -> Snapshot:
    snapshot = office.read_vendor(run_id).snapshot
    assert snapshot is not None
    assert snapshot == latest(office)
    return snapshot
