"""What every state must do for divisions of seats among lines, and for plans that a person adds a line to."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tests.contracts.state_samples import HOSTILE_NAMES, NOW, approved, audit, change, plan, result
from tests.contracts.test_state_contract import actions, interleaved
from tests.store_fixture import StateSubject
from trueup.domain.allocation import Allocation
from trueup.domain.billing import LineId, ProductId, PsaAccountId
from trueup.domain.effective import EffectiveRule, NextInvoiceLine
from trueup.domain.errors import VersionConflict
from trueup.domain.plan import Change, ChangeKind
from trueup.ports.state_bundle import State


def division(client: str = "19", product: str = "560", balancing: str = "L2", version: int = 0) -> Allocation:
    return Allocation(
        PsaAccountId(client),
        ProductId(product),
        ((LineId("L1"), 5), (LineId("L3"), 0)),
        LineId(balancing),
        "ann@example.com",
        NOW,
        "two sites",
        "connectwise acme",
        version,
    )


class TestAllocations:
    def test_one_comes_back_whole(self, subject: StateSubject) -> None:
        assert subject.state.allocations.all() == ()
        saved = subject.state.allocations.save(division(), audit("divided"))
        assert saved == replace(division(), version=1)
        assert subject.reopen().allocations.all() == (saved,)
        assert actions(subject.state) == ["divided"]

    def test_there_is_one_for_each_client_and_product(self, state: State) -> None:
        for client, product in (("19", "560"), ("19", "561"), ("20", "560")):
            state.allocations.save(division(client, product), audit())
        found = {(str(one.psa_account_id), str(one.product_id)) for one in state.allocations.all()}
        assert found == {("19", "560"), ("19", "561"), ("20", "560")}

    def test_a_later_one_takes_the_place_of_the_one_before(self, state: State) -> None:
        first = state.allocations.save(division(), audit("divided"))
        second = state.allocations.save(replace(first, balancing=LineId("L9")), audit("divided"))
        assert second.version == 2
        assert state.allocations.all() == (second,)

    def test_one_that_moved_is_refused_and_nothing_is_stored(self, state: State) -> None:
        first = state.allocations.save(division(), audit("divided"))
        for stale in (division(), division(version=9)):
            with pytest.raises(VersionConflict):
                state.allocations.save(stale, audit("lost"))
        assert state.allocations.all() == (first,)
        assert actions(state) == ["divided"]

    def test_a_forgotten_one_is_gone_and_may_be_said_again(self, state: State) -> None:
        state.allocations.save(division(), audit("divided"))
        other = state.allocations.save(division("20"), audit("divided"))
        assert state.allocations.remove(PsaAccountId("19"), ProductId("560"), audit("forgotten"))
        assert state.allocations.all() == (other,)
        assert not state.allocations.remove(PsaAccountId("19"), ProductId("560"), audit("nothing"))
        assert actions(state) == ["divided", "divided", "forgotten"]
        again = state.allocations.save(division(), audit("divided"))
        assert again.version == 1

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_ids_of_any_shape_are_kept_apart(self, state: State, name: str) -> None:
        one = state.allocations.save(division(name, "560"), audit())
        other = state.allocations.save(division("560", name), audit())
        found = state.allocations.all()
        assert len(found) == 2
        assert one in found
        assert other in found
        assert state.allocations.remove(PsaAccountId(name), ProductId("560"), audit())
        assert state.allocations.all() == (other,)

    def test_of_many_at_once_one_is_stored(self, state: State) -> None:
        def save(number: int) -> str:
            try:
                state.allocations.save(division(balancing=f"L{number + 4}"), audit(f"divided {number}"))
            except VersionConflict:
                return "moved"
            return "saved"

        said = interleaved([lambda number=number: save(number) for number in range(4)])
        assert sorted(said) == ["moved", "moved", "moved", "saved"]
        (kept,) = state.allocations.all()
        assert kept.version == 1
        assert actions(state) == [f"divided {int(kept.balancing[1:]) - 4}"]


def new_line(number: int) -> Change:
    return replace(
        change(number),
        line_id=LineId(""),
        expected=Decimal(0),
        expected_version="",
        kind=ChangeKind.CREATE_LINE,
        effective=date(2026, 12, 1),
        effective_rule=EffectiveRule.DATED,
        next_invoice=NextInvoiceLine(date(2026, 12, 1), 42, Decimal("105.00")),
        siblings=(LineId("L8"), LineId("L9")),
        undoes="plan-2026-08-a/chg-1",
        service_ids=("s", "t"),
        added_by="kim",
    )


class TestPlansWithAnAddedLine:
    def test_it_comes_back_whole_and_can_be_taken_out_again(self, subject: StateSubject) -> None:
        stored = subject.state.plans.propose(plan(), audit("proposed"))
        larger = subject.state.plans.save(stored.with_change(new_line(7)), audit("line added"))
        assert subject.reopen().plans.get(stored.id) == larger
        assert larger.change("chg-00007").added_by == "kim"
        smaller = subject.state.plans.save(larger.without_change("chg-00007"), audit("line dropped"))
        assert subject.reopen().plans.get(stored.id) == smaller == replace(stored, version=3)

    def test_an_equal_proposal_keeps_it(self, state: State) -> None:
        stored = state.plans.propose(plan(), audit("proposed"))
        larger = state.plans.save(stored.with_change(new_line(7)), audit("line added"))
        assert state.plans.propose(plan(minutes=5), audit("again")) == larger

    def test_the_line_that_was_made_is_in_its_result(self, subject: StateSubject) -> None:
        stored = subject.state.plans.propose(plan(changes=0), audit("proposed"))
        larger = subject.state.plans.save(stored.with_change(new_line(7)), audit("line added"))
        sealed = subject.state.plans.save(approved(larger), audit("approved"))
        subject.state.plans.intend(sealed, new_line(7), audit("begun"))
        made = replace(result(7), line_id=LineId("L77"))
        assert subject.state.plans.record(sealed, made, audit("applied")).results == (made,)
        assert subject.reopen().plans.get(stored.id).results == (made,)
