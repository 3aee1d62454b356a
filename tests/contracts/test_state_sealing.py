"""What every state must do for closed months: one chain, parts that stay what they were, nothing closed is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.contracts.state_samples import (
    NOW,
    PERIOD,
    approved,
    audit,
    change,
    entry,
    plan,
    reconciliation,
    result,
    row,
    run,
    service,
    snapshot,
)
from tests.contracts.test_state_contract import actions, interleaved
from tests.domain.order_samples import draft
from tests.store_fixture import StateSubject
from trueup.domain.audit import Audit
from trueup.domain.comparison import Finding, Findings
from trueup.domain.errors import MonthSealed, NotFound, StateUnavailable, VersionConflict
from trueup.domain.monthly_report import Flow, MonthlyReport, ReportRow, in_order
from trueup.domain.sealed_contents import SealedContents
from trueup.domain.sealing import LinkKind, SealedPart, SealLink, chained, first_broken_link, part_of
from trueup.domain.verdicts import Verdict
from trueup.ports.state_bundle import State

OTHER = "2026-10"


def close(state: State, period: str = PERIOD, kind: LinkKind = LinkKind.SEALED, contents: bytes = b"rows") -> SealLink:
    """The next link in its place and stored."""
    parts: tuple[SealedPart, ...] = ()
    if kind is LinkKind.SEALED:
        state.sealed_months.put(contents)
        parts = (part_of("rows 1", contents),)
    link = chained(SealLink(0, kind, period, 0, "acme", NOW, "ann", parts=parts), state.sealed_months.links())
    state.sealed_months.append(link, told(link))
    return link


def told(link: SealLink) -> Audit:
    return audit(f"month {link.kind.value}", link.period, evidence=link.hash)


class TestTheChain:
    def test_links_come_back_in_order_with_their_events(self, subject: StateSubject) -> None:
        state = subject.state
        assert state.sealed_months.links() == ()
        links = (close(state), close(state, kind=LinkKind.REOPENED), close(state, OTHER))
        assert subject.reopen().sealed_months.links() == links
        assert actions(state) == ["month sealed", "month reopened", "month sealed"]
        assert first_broken_link(links, state.sealed_months.part) is None

    def test_a_place_is_taken_once(self, state: State) -> None:
        first = close(state)
        rival = replace(first, by="bob")
        rival = replace(rival, hash=rival.computed_hash)
        with pytest.raises(VersionConflict):
            state.sealed_months.append(rival, told(rival))
        state.sealed_months.append(first, told(first))
        assert state.sealed_months.links() == (first,)
        assert actions(state) == ["month sealed"]

    def test_a_link_goes_behind_the_one_it_names(self, state: State) -> None:
        close(state)
        late = chained(SealLink(0, LinkKind.SEALED, OTHER, 0, "acme", NOW, "ann"), state.sealed_months.links())
        for wrong in (replace(late, previous_hash="0" * 64), replace(late, number=3)):
            with pytest.raises(VersionConflict):
                state.sealed_months.append(wrong, told(wrong))
        assert len(state.sealed_months.links()) == 1
        assert not state.sealed_months.is_closed(OTHER)

    def test_of_two_at_once_one_closes_the_month(self, state: State) -> None:
        rivals = [
            chained(SealLink(0, LinkKind.SEALED, PERIOD, 0, "acme", NOW, name), state.sealed_months.links())
            for name in ("ann", "bob")
        ]
        outcomes = interleaved([lambda link=link: state.sealed_months.append(link, told(link)) for link in rivals])
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "VersionConflict"]
        assert len(state.sealed_months.links()) == 1
        assert actions(state) == ["month sealed"]

    def test_a_part_is_what_it_was_or_is_missed(self, state: State) -> None:
        for content in (b"rows", b"", b"x" * 1_000_000):
            state.sealed_months.put(content)
            state.sealed_months.put(content)
            assert state.sealed_months.part(part_of("rows 1", content)) == content
        with pytest.raises(StateUnavailable):
            state.sealed_months.part(part_of("rows 1", b"never stored"))


class TestAClosedMonth:
    """What would change it is refused, whoever asks, and the other months go on."""

    @pytest.mark.parametrize(
        "act",
        [
            lambda state: state.runs.start(run(9), audit("started")),
            lambda state: state.reconciliations.save(reconciliation(()), run_id="r", at=NOW),
            lambda state: state.plans.propose(plan("b", minutes=1), audit("proposed")),
            lambda state: state.plans.save(approved(state.plans.get(plan().id)), audit("approved")),
            lambda state: state.plans.intend(state.plans.get(plan().id), change(1), audit("intended")),
            lambda state: state.change_orders.draft(replace(draft(), period=PERIOD), audit("order drafted")),
        ],
        ids=["run", "comparison", "proposal", "approval", "intent", "order"],
    )
    def test_refuses_every_change_until_it_is_reopened(self, state: State, act: Callable[[State], object]) -> None:
        state.plans.propose(plan(), audit("proposed first"))
        state.reconciliations.save(reconciliation((row(1, Verdict.IN_LINE),)), run_id="run-1", at=NOW)
        close(state)
        before = (state.plans.get(plan().id), state.reconciliations.get(PERIOD), state.runs.latest(), actions(state))
        with pytest.raises(MonthSealed, match=f"{PERIOD} was closed by ann on 2026-09-01"):
            act(state)
        assert state.sealed_months.is_closed(PERIOD)
        assert before == (
            state.plans.get(plan().id),
            state.reconciliations.get(PERIOD),
            state.runs.latest(),
            actions(state),
        )
        close(state, kind=LinkKind.REOPENED)
        assert not state.sealed_months.is_closed(PERIOD)
        act(state)

    def test_leaves_the_other_months_alone(self, state: State) -> None:
        close(state)
        state.plans.propose(plan("c", period=OTHER), audit("proposed"))
        state.reconciliations.save(reconciliation((), OTHER), run_id="r", at=NOW)
        assert state.plan_index.current(OTHER) is not None

    def test_takes_the_result_of_what_was_sent_before(self, state: State) -> None:
        proposed = state.plans.propose(plan(), audit("proposed"))
        sent = state.plans.save(approved(proposed), audit("approved"))
        state.plans.intend(sent, sent.changes[0], audit("intended"))
        close(state)
        recorded = state.plans.record(sent, replace(result(1), change_id=sent.changes[0].id), audit("recorded"))
        assert len(recorded.results) == 1


class TestWhatIsKeptOfComparisons:
    def test_every_comparison_leaves_what_it_found(self, subject: StateSubject) -> None:
        state = subject.state
        assert state.comparison_records.findings(PERIOD) == ()
        rows = (row(1, Verdict.BILL_MORE), row(2, Verdict.IN_LINE), row(3, Verdict.MISSING_DATA))
        state.reconciliations.save(reconciliation(rows), run_id="run-1", at=NOW)
        later = NOW + timedelta(hours=1)
        state.reconciliations.save(reconciliation(rows[1:2]), run_id="run-2", at=later)
        first, second = subject.reopen().comparison_records.findings(PERIOD)
        assert (first.run_id, first.at, [one.verdict for one in first.items]) == (
            "run-1",
            NOW,
            sorted([Verdict.BILL_MORE, Verdict.MISSING_DATA], key=lambda verdict: verdict is Verdict.MISSING_DATA),
        )
        assert second == Findings("run-2", later, ())
        assert state.comparison_records.findings(OTHER) == ()

    def test_what_it_was_made_of_is_that_of_the_last_one(self, state: State) -> None:
        with pytest.raises(NotFound):
            state.comparison_records.inputs(PERIOD)
        state.reconciliations.save(reconciliation(()), run_id="run-1", at=NOW)
        assert state.comparison_records.inputs(PERIOD) is None


class TestForms:
    def test_contents_come_back_and_the_same_ones_are_the_same_bytes(self, state: State) -> None:
        found = reconciliation((row(1, Verdict.BILL_MORE), row(2, Verdict.IN_LINE)))
        finding = Finding("r", "19", "Acme \ud800", "MIME", Verdict.BILL_MORE, None, "USD", is_compared=False)
        contents = SealedContents(
            comparison=found,
            inputs=None,
            reads=(snapshot(("a" * 64,)),),
            accounts=tuple(entry(f"C{number:05d}") for number in range(2_001)),
            services=(service("s"),),
            plans=(plan(),),
            runs=(run(),),
            findings=(Findings("run-1", NOW, (finding,)),),
        )
        parts = list(state.sealed_months.parts(contents))
        assert [name for name, _ in parts] == [
            "totals", "reads 1", "accounts 1", "accounts 2", "services 1", "rows 1", "plans 1", "runs 1", "findings 1"
        ]  # fmt: skip
        assert state.sealed_months.contents(parts) == contents
        assert list(state.sealed_months.parts(contents)) == parts

    def test_a_report_lies_by_client_and_comes_back_in_its_order(self, state: State) -> None:
        flow = Flow(Decimal(9), Decimal(0), Decimal(0), Decimal(9))
        rows = [
            ReportRow(f"r{number:05d}", f"C{number % 7}", "", "MAIL", "USD", flow, Flow()) for number in range(2_500)
        ]
        empty = MonthlyReport(PERIOD, True, 1, 0, None, None, (), (), (), (), (), 0, 0)
        report = replace(empty, rows=in_order(rows))
        parts = list(state.sealed_months.parts(SealedContents(reconciliation(()), None, report=report)))
        assert state.sealed_months.contents(parts).report == report
        items = [
            item for name, part in parts if "report_rows" in name for item in state.sealed_months.items(name, part)
        ]
        assert [item.client_id for item in items] == sorted(row.client_id for row in rows)

    def test_parts_of_a_later_version_are_left_out_and_totals_are_needed(self, state: State) -> None:
        parts = list(state.sealed_months.parts(SealedContents(reconciliation(()), None)))
        assert state.sealed_months.contents([*parts, ("weather 1", b"sunny")]).comparison == reconciliation(())
        with pytest.raises(StateUnavailable):
            state.sealed_months.contents(parts[1:])
        with pytest.raises(StateUnavailable):
            state.sealed_months.contents([("totals", b"{}")])
