"""Pages of one read become facts: each id once, and two sources that disagree are a conflict, never last-wins."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.domain.building import agreement, client, known, legs, line, only_row
from trueup.domain.accounts import (
    Service,
    ServiceCount,
    ServiceId,
    ServiceKind,
    VendorAccount,
    VendorAccountId,
    VendorPage,
)
from trueup.domain.billing import PsaPage
from trueup.domain.counts import Count, Failed, Known, Missing
from trueup.domain.facts import psa_facts, vendor_facts
from trueup.domain.verdicts import Verdict


def _page(*counts: Count, account: str = "V1") -> VendorPage:
    return VendorPage(
        accounts=(VendorAccount(VendorAccountId(account), f"Client {account}"),),
        services=(Service(ServiceId("S1"), "Plan", ServiceKind.PLAN),),
        counts=tuple(ServiceCount(VendorAccountId(account), ServiceId("S1"), count) for count in counts),
        next_cursor=None,
    )


def _count(*counts: Count) -> Count:
    (found,) = vendor_facts(_page(count) for count in counts).counts
    return found.count


@pytest.mark.fault("C9")
def test_C9_two_rows_of_one_account_with_different_counts_are_a_conflict_in_any_order() -> None:
    for counts in permutations((known(10), known(12), known(10))):
        found = _count(*counts)
        assert isinstance(found, Failed)
        assert "10 seats" in found.reason
        assert "12 seats" in found.reason


@pytest.mark.fault("C9")
def test_C9_a_conflict_is_never_billed() -> None:
    row = only_row(legs({("V1", "S1"): _count(known(10), known(12))}, [line(quantity="10")]))
    assert row.verdict is Verdict.MISSING_DATA
    assert "10 seats and 12 seats" in row.reasons[0]


def test_the_same_count_twice_is_one_count() -> None:
    found = _count(known(10), known(10, reference="again"))
    assert isinstance(found, Known)
    assert found.seats == 10


def test_a_number_and_no_number_disagree_and_a_failure_stays_one() -> None:
    both: tuple[Count, ...] = (known(10), Missing("no contract"))
    for counts in permutations(both):
        assert _count(*counts) == Failed("the vendor says both 10 seats and nothing")
    for counts in permutations((*both, Failed("not a number"))):
        found = _count(*counts)
        assert isinstance(found, Failed)
    assert _count(Missing("no contract"), Missing("none at all")) == Missing("no contract")


def test_pages_in_any_order_give_the_same_accounts_services_and_counts() -> None:
    pages = [_page(known(10)), _page(known(3), account="V2"), _page(account="V3")]
    first, *others = [vendor_facts(order) for order in permutations(pages)]
    assert all(other == first for other in others)
    assert [account.id for account in first.accounts] == ["V1", "V2", "V3"]
    assert [service.id for service in first.services] == ["S1"]


@pytest.mark.fault("C10")
def test_C10_ids_are_text_that_is_compared_exactly() -> None:
    ids = ["007", "7", "07", "a", "A", " 7"]
    facts = vendor_facts(_page(known(1), account=account) for account in ids)
    assert [account.id for account in facts.accounts] == sorted(ids)
    assert len(facts.counts) == len(ids)


def test_a_psa_record_that_came_twice_is_kept_as_it_came_last() -> None:
    pages = [
        PsaPage((client("P1"),), (agreement("A1"),), (line("L1", "10"), line("L2", "1")), next_cursor="2"),
        PsaPage((client("P1", name="Renamed"),), (), (line("L1", "12"),), next_cursor=None),
    ]
    facts = psa_facts(pages)
    assert [account.name for account in facts.accounts] == ["Renamed"]
    assert [(item.id, str(item.quantity)) for item in facts.lines] == [("L1", "12"), ("L2", "1")]
