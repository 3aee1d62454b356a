"""What every state must do for license counts: tenants beside accounts, pages of licenses, versions of policies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.contracts.state_samples import HOSTILE_NAMES, NOW, audit, entry, snapshot, vendor_page
from tests.contracts.test_state_contract import actions, interleaved
from tests.store_fixture import StateSubject
from trueup.domain.accounts import VendorAccountId
from trueup.domain.counting_policy import CountingPolicy
from trueup.domain.counts import Basis, Failed, Known, Missing, Seats
from trueup.domain.errors import InputInvalid, NotFound, StateUnavailable, VersionConflict
from trueup.domain.integrations import Side
from trueup.domain.licenses import (
    LicensedUser,
    LicensePage,
    MailboxKind,
    Sku,
    TenantId,
    TenantLicenses,
    UserKind,
)
from trueup.domain.mapping import MappingState
from trueup.ports.state_bundle import State


def license_page(number: int = 1, name: str = "Client") -> LicensePage:
    user = LicensedUser("u-1", "ann@client.example", name, None, UserKind.GUEST, MailboxKind.SHARED, ("sku-1",))
    sku = Sku("sku-1", "SPB", ("EXCHANGE_S_STANDARD",), 10, 7)
    tenants = (
        TenantLicenses(TenantId(f"t-{number}-a"), name, NOW, (user,), (sku,), mark="delta-1"),
        TenantLicenses(TenantId(f"t-{number}-b"), name, NOW, failure="no consent", remedy="Ask for it."),
        TenantLicenses(TenantId(f"t-{number}-c"), name, NOW, stated=Known(Seats(7), Basis.LICENSE_FILE, NOW)),
        TenantLicenses(TenantId(f"t-{number}-d"), name, NOW, stated=Missing("no number")),
        TenantLicenses(TenantId(f"t-{number}-e"), name, NOW, stated=Failed("a dozen")),
    )
    return LicensePage(tenants, "next", 5, NOW)


def policy(scope: str = "", system: str = "", version: int = 0) -> CountingPolicy:
    return CountingPolicy(
        scope=scope,
        psa_system=system,
        counted_skus=("SPB",),
        service_users=("svc-*",),
        minimum_seats=5,
        cap_seats=50,
        multiple_seats=5,
        counts_shared=True,
        by="ann",
        at=NOW,
        reason="agreed",
        version=version,
    )


class TestLicensePages:
    def test_pages_come_back_in_order_and_whole(self, subject: StateSubject) -> None:
        pages = [license_page(1), license_page(2, HOSTILE_NAMES[0])]
        addresses = tuple(subject.state.snapshots.add_page(Side.LICENSES, page) for page in pages)
        subject.state.snapshots.complete(snapshot(addresses, Side.LICENSES), audit("read"))
        again = subject.reopen().snapshots
        read = again.latest(Side.LICENSES)
        assert read is not None
        assert list(again.license_pages(read)) == pages
        assert again.latest(Side.VENDOR) is None

    def test_a_page_of_another_side_is_told(self, state: State) -> None:
        address = state.snapshots.add_page(Side.VENDOR, vendor_page())
        with pytest.raises(StateUnavailable):
            list(state.snapshots.license_pages(snapshot((address,), Side.LICENSES)))


class TestLicenseAccounts:
    def test_tenants_lie_beside_vendor_accounts_of_the_same_id(self, subject: StateSubject) -> None:
        subject.state.accounts.save([entry("A", "Of the vendor", MappingState.MAPPED)], [audit("account")])
        saved = subject.state.license_accounts.save([entry("A", "A tenant"), entry("B")], [audit("tenant")])
        again = subject.reopen()
        assert tuple(again.license_accounts.all()) == saved
        assert [one.vendor_name for one in again.accounts.all()] == ["Of the vendor"]
        assert again.license_accounts.get(VendorAccountId("A")) == saved[0]
        assert actions(subject.state) == ["account", "tenant"]

    def test_lists_and_cursors_are_its_own(self, state: State) -> None:
        state.accounts.save([entry("A"), entry("B")], [])
        state.license_accounts.save([entry("C"), entry("D")], [])
        for wanted in (None, MappingState.UNMAPPED):
            page = state.license_accounts.page(state=wanted, cursor=None, limit=1)
            assert [one.vendor_id for one in page.items] == ["C"]
            last = state.license_accounts.page(state=wanted, cursor=page.next_cursor, limit=5)
            assert [one.vendor_id for one in last.items] == ["D"]
            with pytest.raises(InputInvalid):
                state.accounts.page(state=wanted, cursor=page.next_cursor, limit=1)

    def test_one_that_moved_or_is_unknown_is_told(self, state: State) -> None:
        state.license_accounts.save([entry("A")], [])
        with pytest.raises(VersionConflict):
            state.license_accounts.save([entry("A")], [audit("lost")])
        with pytest.raises(NotFound, match="tenant"):
            state.license_accounts.get(VendorAccountId("Z"))
        assert actions(state) == []


class TestCountingPolicies:
    def test_where_nobody_said_any_the_default_stands(self, state: State) -> None:
        assert state.counting_policies.all() == ()
        assert state.counting_policies.versions("", "") == ()
        assert state.counting_policies.get("psa", "19") == CountingPolicy(scope="19", psa_system="psa")

    def test_every_version_stays_readable(self, subject: StateSubject) -> None:
        first = subject.state.counting_policies.save(policy(), audit("said"))
        second = subject.state.counting_policies.save(replace(first, minimum_seats=9), audit("said again"))
        gone = subject.state.counting_policies.save(CountingPolicy(version=2, cleared=True), audit("taken back"))
        again = subject.reopen().counting_policies
        assert (first.version, second.version, gone.version) == (1, 2, 3)
        assert again.versions("", "") == (gone, second, first)
        assert again.get("", "") == gone
        assert again.all() == (gone,)
        assert actions(subject.state) == ["said", "said again", "taken back"]

    def test_there_is_one_for_the_msp_and_one_for_each_client_of_a_psa(self, state: State) -> None:
        for scope, system in (("19", "psa one"), ("", ""), ("19", "psa two"), ("1", "9psa one"), *_hostile()):
            state.counting_policies.save(policy(scope, system), audit())
        found = state.counting_policies.all()
        assert len(found) == 4 + len(_hostile())
        assert found[0].scope == ""
        assert len(state.counting_policies.versions("psa one", "19")) == 1

    def test_one_that_moved_is_refused_and_nothing_is_stored(self, state: State) -> None:
        first = state.counting_policies.save(policy(), audit("said"))
        for stale in (policy(), policy(version=7)):
            with pytest.raises(VersionConflict):
                state.counting_policies.save(stale, audit("lost"))
        assert state.counting_policies.versions("", "") == (first,)
        assert actions(state) == ["said"]

    def test_of_interleaved_writers_one_wins(self, state: State) -> None:
        outcomes = interleaved(
            [
                lambda number=number: state.counting_policies.save(
                    replace(policy(), included_seats=number), audit(f"w{number}")
                )
                for number in range(4)
            ]
        )
        winners = [outcome for outcome in outcomes if isinstance(outcome, CountingPolicy)]
        assert len(winners) == 1
        assert state.counting_policies.versions("", "") == (winners[0],)

    def test_more_than_nine_versions_stay_in_order(self, state: State) -> None:
        saved = policy("19", "psa")
        for _ in range(12):
            saved = state.counting_policies.save(saved, audit())
        assert [one.version for one in state.counting_policies.versions("psa", "19")] == list(range(12, 0, -1))


def _hostile() -> list[tuple[str, str]]:
    return [(name, "psa") for name in HOSTILE_NAMES if name]
