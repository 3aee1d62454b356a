"""Reading who is licensed: complete or not at all, a tenant that failed is in it as failed, and it is the third leg."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes.licenses import FakeLicenses
from tests.usecases.office import PERSON, Office, open_office
from trueup.domain.accounts import VendorAccountId
from trueup.domain.audit import Audit
from trueup.domain.billing import PsaAccountId
from trueup.domain.counting_policy import CountingPolicy
from trueup.domain.counts import Count, Failed, Known
from trueup.domain.errors import (
    NotConnected,
    ReadIncomplete,
    RunReplaced,
    StateUnavailable,
    VendorUnavailable,
)
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.licenses import TenantId
from trueup.domain.mapping import MappingState
from trueup.domain.runs import Run, RunState, SideProgress
from trueup.usecases import mapping
from trueup.usecases.credential_validation import disconnect
from trueup.usecases.license_sync import EarlierTenants
from trueup.usecases.month import read_and_match, reconcile_run

AWAY = VendorUnavailable("no answer", integration="microsoft365", status=503)
FIRST, SECOND = "2026-09-001", "2026-09-002"
NAMES = ("Harbor Dental Group", "Larkspur Legal", "Mossgate Freight", "Northgate Museum", "Ostrow Bakery")


@pytest.fixture
def office() -> Office:
    """Five clients on both sides whose tenants have the same names, and licenses connected."""
    office = open_office()
    for number, name in enumerate(NAMES, start=1):
        office.client(number, name, 10, "10")
        office.licenses.add_tenant(f"t-{number}", name, 10 + number)
    office.set_up()
    office.connect_licenses()
    return office


def run_of(office: Office) -> Run:
    """A run that has read and matched everything."""
    office.clock.advance(60)
    run = office.begin()
    read_and_match(run, office.systems, actor=PERSON)
    return office.state.runs.get(run.id)


def seats_of(counts: dict[str, Count]) -> dict[str, int]:
    return {client: count.seats for client, count in counts.items() if isinstance(count, Known)}


def counted(office: Office, run: Run) -> dict[str, Count]:
    return {str(client): count for client, count in office.licensed(run).counts.items()}


# Reading


def test_a_whole_read_is_a_snapshot_with_every_tenant_once(office: Office) -> None:
    seen: list[SideProgress] = []
    result = office.read_licenses(on_progress=seen.append)
    assert result.snapshot is not None
    assert result.snapshot == office.state.snapshots.latest(Side.LICENSES)
    assert (result.snapshot.accounts, result.snapshot.records, len(result.snapshot.pages)) == (5, 5 + 65, 3)
    assert [progress.accounts for progress in seen] == [2, 4, 5, 5]
    assert office.actions()[-1] == "licenses read"


def test_nothing_connected_names_the_command() -> None:
    with pytest.raises(NotConnected) as caught:
        open_office().read_licenses()
    assert "trueup connect microsoft365" in caught.value.remedy


def test_a_tenant_that_cannot_be_read_is_in_the_snapshot_and_counted_in_the_progress(office: Office) -> None:
    office.licenses.fails("t-2", "consent was withdrawn")
    result = office.read_licenses()
    assert result.snapshot is not None
    assert (result.snapshot.accounts, result.progress.failed) == (5, 1)
    again = office.read_licenses()
    assert again.snapshot == result.snapshot
    assert again.progress.failed == 1


def test_a_read_goes_on_where_trouble_stopped_it(office: Office) -> None:
    asked: list[int] = []
    licenses = office.licenses

    def on_page(start: int) -> None:
        asked.append(start)
        if start == 2 and asked.count(2) == 1:
            raise AWAY

    licenses.on_page = on_page
    with pytest.raises(VendorUnavailable):
        office.read_licenses()
    assert office.state.snapshots.latest(Side.LICENSES) is None
    assert office.read_licenses().snapshot is not None
    assert asked == [0, 2, 2, 4]


@pytest.mark.fault("C1")
def test_C1_far_fewer_users_than_last_time_are_not_believed_without_a_person(office: Office) -> None:
    office.read_licenses(FIRST)
    for number in range(1, 6):
        office.licenses.sets(f"t-{number}", 2)
    with pytest.raises(ReadIncomplete, match="tenants and licensed users"):
        office.read_licenses(SECOND)
    assert office.read_licenses(SECOND, accept_drop=True).snapshot is not None


def test_users_of_tenants_that_failed_are_no_drop(office: Office) -> None:
    office.read_licenses(FIRST)
    for number in range(2, 6):
        office.licenses.fails(f"t-{number}")
    result = office.read_licenses(SECOND)
    assert result.snapshot is not None
    assert result.progress.failed == 4
    # What came back is compared with what was last read of the same tenants: nothing, so there is no drop either.
    for number in range(2, 6):
        office.licenses.sets(f"t-{number}", 10)
    assert office.read_licenses("2026-09-003").snapshot is not None


# What the last read said


def test_the_last_read_of_the_same_system_is_there_to_go_on_from(office: Office) -> None:
    office.read_licenses(FIRST)
    office.read_licenses(SECOND)
    first, second = office.connections.earlier_reads[-2:]
    assert first is None
    assert second is not None
    kept = second.of(TenantId("t-3"))
    assert kept is not None
    assert (kept.name, len(kept.users), bool(kept.mark)) == (NAMES[2], 13, True)
    office.connect(IntegrationName.MICROSOFT365, tenant_id="00000000-0000-4000-8000-0000000000aa")
    office.read_licenses("2026-09-003")
    assert office.connections.earlier_reads[-1] is None


def test_earlier_reads_are_one_walk_over_the_pages(office: Office) -> None:
    snapshot = office.read_licenses(FIRST).snapshot
    assert snapshot is not None
    opened: list[int] = []
    store = office.state.snapshots

    class Watched:
        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        def license_pages(self, header: object) -> object:
            opened.append(1)
            return store.license_pages(snapshot)

    earlier = EarlierTenants(snapshot, Watched())  # type: ignore[arg-type]
    names = [earlier.of(TenantId(name)) for name in ("t-0", "t-1", "t-1", "t-2x", "t-4", "t-5", "t-9")]
    assert [one.id if one else None for one in names] == [None, "t-1", "t-1", None, "t-4", "t-5", None]
    assert opened == [1]
    again = earlier.of(TenantId("t-2"))
    assert again is not None
    assert opened == [1, 1]


# The month


def test_a_month_reads_licenses_beside_the_others_and_maps_equal_names(office: Office) -> None:
    run = run_of(office)
    sides = {side.side: side for side in run.sides}
    assert list(sides) == [Side.VENDOR, Side.PSA, Side.LICENSES]
    assert all(side.done for side in run.sides)
    assert {entry.vendor_id: entry.psa_id for entry in office.state.license_accounts.all()} == {
        f"t-{number}": f"P{number}" for number in range(1, 6)
    }
    assert "tenants mapped" in office.actions()
    legs = office.licensed(run)
    assert legs.snapshot == office.state.snapshots.latest(Side.LICENSES)
    assert seats_of({str(client): count for client, count in legs.counts.items()}) == {
        f"P{number}": 10 + number for number in range(1, 6)
    }


def test_without_licenses_a_month_is_as_it_was(office: Office) -> None:
    forget(office)
    run = run_of(office)
    assert [side.side for side in run.sides] == [Side.VENDOR, Side.PSA]
    legs = office.licensed(run)
    assert (legs.counts, legs.snapshot, legs.problem) == ({}, None, "")


def test_licenses_that_fail_do_not_hinder_the_month_and_are_failed_not_missing(office: Office) -> None:
    first = run_of(office)
    assert seats_of(counted(office, first))
    reconcile_run(first, office.systems, actor=PERSON, policy=office.policy)
    office.licenses.fail_always("read_page", AWAY)
    run = run_of(office)
    side = run.sides[-1]
    assert (side.side, side.done, side.problem) == (Side.LICENSES, False, "no answer")
    assert side.remedy
    (told,) = [event.audit for event in office.state.history.all() if event.audit.action == "licenses not read"]
    assert (told.actor, told.run_id, told.why) == (PERSON, run.id, "no answer")
    counts = counted(office, run)
    assert sorted(counts) == [f"P{number}" for number in range(1, 6)]
    assert all(isinstance(count, Failed) and "no answer" in count.reason for count in counts.values())
    reconcile_run(run, office.systems, actor=PERSON, policy=office.policy)
    assert office.state.runs.get(run.id).state is not RunState.FAILED


def test_a_fault_of_our_own_store_fails_the_run(office: Office) -> None:
    office.licenses.fail_next("read_page", StateUnavailable("the store is away"))  # type: ignore[arg-type]
    run = office.begin()
    with pytest.raises(StateUnavailable):
        read_and_match(run, office.systems, actor=PERSON)
    assert office.state.runs.get(run.id).state is RunState.FAILED


def test_licenses_connected_after_a_run_began_are_failed_in_it(office: Office) -> None:
    first = run_of(office)
    reconcile_run(first, office.systems, actor=PERSON, policy=office.policy)
    forget(office)
    run = run_of(office)
    office.connect_licenses()
    assert all(isinstance(count, Failed) for count in counted(office, run).values())
    assert len(counted(office, run)) == 5


def test_a_newer_read_of_licenses_replaces_the_run(office: Office) -> None:
    run = run_of(office)
    office.read_licenses("2026-09-099")
    with pytest.raises(RunReplaced):
        office.licensed(run)


# Counts of clients


def map_tenant(office: Office, tenant_id: str, client: str) -> None:
    mapping.map_account(
        tenant_id,
        client,
        actor=PERSON,
        accounts=office.state.license_accounts,
        snapshots=office.state.snapshots,
        clock=office.clock,
        what=mapping.TENANT,
    )


def test_several_tenants_of_one_client_add_up_and_one_that_failed_fails_it(office: Office) -> None:
    office.licenses.add_tenant("t-6", "Another name entirely", 4)
    first = run_of(office)
    map_tenant(office, "t-6", "P1")
    assert seats_of(counted(office, first))["P1"] == 11 + 4
    assert office.actions()[-1] == "tenant mapped"
    reconcile_run(first, office.systems, actor=PERSON, policy=office.policy)
    office.licenses.fails("t-6", "consent was withdrawn")
    counts = counted(office, run_of(office))
    failed = counts["P1"]
    assert isinstance(failed, Failed)
    assert "consent was withdrawn" in failed.reason
    assert isinstance(counts["P2"], Known)


@pytest.mark.fault("C12")
def test_C12_a_tenant_that_is_listed_no_more_fails_its_client(office: Office) -> None:
    first = run_of(office)
    reconcile_run(first, office.systems, actor=PERSON, policy=office.policy)
    office.licenses.removes("t-4")
    run = run_of(office)
    assert isinstance(counted(office, run)["P4"], Failed)
    assert office.state.license_accounts.get(VendorAccountId("t-4")).absent_runs == 1


def test_a_clients_own_policy_counts_its_tenants(office: Office) -> None:
    run = run_of(office)
    system = office.state.integrations.get(IntegrationName.CONNECTWISE).system
    state, audit = office.state, Audit(office.clock.now(), PERSON, "counting policy set", "policy")
    state.counting_policies.save(CountingPolicy(multiple_seats=10), audit)
    state.counting_policies.save(CountingPolicy(scope="P2", psa_system=system, cap_seats=5), audit)
    state.counting_policies.save(CountingPolicy(scope="P3", psa_system="another psa", cap_seats=1), audit)
    assert seats_of(counted(office, run)) == {"P1": 20, "P2": 5, "P3": 20, "P4": 20, "P5": 20}
    assert office.licensed(run).policies.of(PsaAccountId("P2")).version == 1


def test_an_excluded_tenant_is_of_no_client(office: Office) -> None:
    run = run_of(office)
    mapping.exclude_account(
        "t-3",
        reason="our own",
        actor=PERSON,
        accounts=office.state.license_accounts,
        clock=office.clock,
        what=mapping.TENANT,
    )
    assert "P3" not in counted(office, run)
    assert office.actions()[-1] == "tenant excluded"


def test_what_was_mapped_in_another_psa_is_of_no_client_here(office: Office) -> None:
    run = run_of(office)
    moved = [replace(entry, psa_system="another psa") for entry in office.state.license_accounts.all()]
    office.state.license_accounts.save(moved, [])
    assert counted(office, run) == {}


def test_another_psa_is_matched_anew_and_what_was_mapped_is_kept(office: Office) -> None:
    first = run_of(office)
    map_tenant(office, "t-1", "P2")
    reconcile_run(first, office.systems, actor=PERSON, policy=office.policy)
    office.change_psa(IntegrationName.HALOPSA)
    run = run_of(office)
    entries = {entry.vendor_id: entry for entry in office.state.license_accounts.all()}
    system = office.state.integrations.get(IntegrationName.HALOPSA).system
    assert {entry.psa_system for entry in entries.values() if entry.psa_id} == {system}
    assert all(len(entry.former) == 1 for entry in entries.values())
    assert set(seats_of(counted(office, run))) <= {f"P{number}" for number in range(1, 6)}


def test_tenants_of_files_and_of_microsoft_365_do_not_stand_in_each_others_way(office: Office) -> None:
    first = run_of(office)
    reconcile_run(first, office.systems, actor=PERSON, policy=office.policy)
    files = FakeLicenses(office.clock)
    files.add_tenant("file:harbor", NAMES[0], 3)
    office.connections.license_system, office.connections.accepted_secret = files, None
    office.connect(IntegrationName.LICENSE_FILES, switch=True)
    run = run_of(office)
    assert seats_of(counted(office, run)) == {"P1": 3}
    assert office.state.license_accounts.get(VendorAccountId("t-1")).absent_runs == 0
    assert office.state.license_accounts.get(VendorAccountId("file:harbor")).state is MappingState.MAPPED


def test_without_microsoft_365_any_more_the_leg_is_missing_not_failed(office: Office) -> None:
    run = run_of(office)
    forget(office)
    assert office.licensed(run).counts == {}


def forget(office: Office) -> None:
    disconnect(
        IntegrationName.MICROSOFT365,
        actor=PERSON,
        integrations=office.state.integrations,
        vault=office.vault,
        clock=office.clock,
    )
