"""A callback's hint: one client is read again, in any order and any number of times, and nothing vanishes by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.usecases.office import Office, small_month
from trueup.domain.billing import Agreement, AgreementId, LineId, PsaAccountId, PsaFacts, PsaPage
from trueup.domain.callbacks import CallbackHint, CallbackSubject
from trueup.domain.canonical import sha256
from trueup.domain.errors import RateLimited, ReadIncomplete, StateUnavailable, VersionConflict
from trueup.domain.facts import psa_facts
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.runs import Snapshot
from trueup.usecases.account_refresh import ATTEMPTS, DELETED_WARNING, Refresh, RefreshOutcome, refresh_account

P1, P2 = PsaAccountId("P1"), PsaAccountId("P2")


@pytest.fixture
def office() -> Office:
    """A month whose run has read both sides and proposed a plan, with pages so small that every client is spread."""
    made = small_month(page_size=2)
    made.run()
    return made


def hint_of(office: Office, record: str = "P1", *, minutes: float | None = 60, **named: Any) -> CallbackHint:
    """A hint of a change that is so many minutes from now; None gives no time."""
    changed_at = None if minutes is None else office.clock.now() + timedelta(minutes=minutes)
    subject = CallbackSubject.AGREEMENT if record.startswith("A") else CallbackSubject.ACCOUNT
    return replace(CallbackHint(IntegrationName.CONNECTWISE, "m-1", subject, record, changed_at), **named)


def refresh(office: Office, hint: CallbackHint) -> Refresh:
    return refresh_account(
        hint,
        integrations=office.state.integrations,
        vault=office.vault,
        connections=office.connections,
        snapshots=office.state.snapshots,
        accounts=office.state.accounts,
        clock=office.clock,
    )


def latest(office: Office) -> Snapshot:
    found = office.state.snapshots.latest(Side.PSA)
    assert found is not None
    return found


def facts(office: Office) -> PsaFacts:
    return psa_facts(office.state.snapshots.psa_pages(latest(office)))


def truth(office: Office) -> PsaFacts:
    page = PsaPage(
        tuple(office.psa.accounts.values()),
        tuple(office.psa.agreements.values()),
        tuple(office.psa.lines.values()),
        None,
    )
    return psa_facts([page])


def require_well_formed(office: Office) -> None:
    """What the auditor asks of every snapshot."""
    snapshot, pages = latest(office), list(office.state.snapshots.psa_pages(latest(office)))
    assert [page.next_cursor is None for page in pages] == [False] * (len(pages) - 1) + [True]
    assert snapshot.accounts == len({item.id for page in pages for item in page.accounts})
    assert {page.accounts_total for page in pages} - {None} <= {snapshot.accounts}
    agreements = {item.id for page in pages for item in page.agreements}
    assert {page.agreements_total for page in pages} - {None} <= {len(agreements)}
    assert snapshot.digest == sha256(list(snapshot.pages))


@pytest.mark.parametrize("record", ["P1", "A1"])
def test_a_changed_line_is_known_at_once_and_nothing_else_moves(office: Office, record: str) -> None:
    before, base = facts(office), latest(office)
    office.psa.person_edits("L1", quantity=Decimal(14))
    office.psa.person_edits("L2", quantity=Decimal(99))
    office.clock.advance(3600)
    done = refresh(office, hint_of(office, record))
    assert (done.outcome, done.account_id, done.snapshot_id) == (RefreshOutcome.REFRESHED, P1, latest(office).id)
    after = facts(office)
    assert {line.id: line.quantity for line in after.lines}["L1"] == 14
    assert [line for line in after.lines if line.id != "L1"] == [line for line in before.lines if line.id != "L1"]
    assert (after.accounts, after.agreements) == (before.accounts, before.agreements)
    assert office.psa.calls["read_account"] == 1
    require_well_formed(office)
    derived = latest(office)
    assert (derived.run_id, derived.period, derived.system) == (base.run_id, base.period, base.system)
    assert (derived.started_at, derived.completed_at) == (base.started_at, base.completed_at), "never taken for younger"
    assert derived.account_read_at("P1") == office.clock.now()
    assert derived.account_read_at("P2") == base.started_at


def test_it_is_in_the_history_with_what_it_was_made_of(office: Office) -> None:
    base = latest(office)
    office.psa.person_edits("L1", quantity=Decimal(14))
    refresh(office, hint_of(office))
    audit = list(office.state.history.all())[-1].audit
    assert (audit.action, audit.actor) == ("psa account read", "callback of the PSA")
    assert (audit.subject, audit.before, audit.evidence) == (latest(office).id, base.digest, latest(office).digest)
    assert audit.run_id == base.run_id


@pytest.mark.fault("P14")
def test_P14_a_hint_older_than_what_was_read_asks_for_nothing(office: Office) -> None:
    office.psa.person_edits("L1", quantity=Decimal(14))
    assert refresh(office, hint_of(office, minutes=-60)).outcome is RefreshOutcome.OLDER
    assert office.psa.calls["read_account"] == 0
    # Within the difference that two clocks may have, nothing is sure: it is read.
    assert refresh(office, hint_of(office, minutes=-4)).outcome is RefreshOutcome.REFRESHED
    office.clock.advance(3600)
    assert refresh(office, hint_of(office, minutes=-30)).outcome is RefreshOutcome.UNCHANGED


@pytest.mark.fault("P14")
def test_P14_an_older_hint_after_a_newer_one_changes_nothing_back(office: Office) -> None:
    office.psa.person_edits("L1", quantity=Decimal(14))
    office.psa.person_edits("L1", quantity=Decimal(15))
    office.clock.advance(3600)
    newer, older = hint_of(office, minutes=-1), hint_of(office, minutes=-30)
    assert refresh(office, newer).outcome is RefreshOutcome.REFRESHED
    stored = latest(office)
    assert refresh(office, older).outcome is RefreshOutcome.OLDER
    assert latest(office) == stored
    assert {line.id: line.quantity for line in facts(office).lines}["L1"] == 15


@pytest.mark.fault("P14")
def test_P14_an_update_before_the_creation_is_told_finds_the_client(office: Office) -> None:
    office.psa_client(9, "Newhaven Clinic")
    office.line(9, "7")
    updated = hint_of(office, "P9", message_id="update")
    created = hint_of(office, "P9", message_id="create", minutes=-1)
    assert refresh(office, updated).outcome is RefreshOutcome.REFRESHED
    assert facts(office) == truth(office)
    require_well_formed(office)
    assert refresh(office, created).outcome is RefreshOutcome.UNCHANGED
    assert facts(office) == truth(office)


@pytest.mark.fault("P15")
def test_P15_the_same_message_again_and_a_week_later_changes_nothing(office: Office) -> None:
    office.psa.person_edits("L1", quantity=Decimal(14))
    hint = hint_of(office, minutes=None)
    assert refresh(office, hint).outcome is RefreshOutcome.REFRESHED
    stored, actions = latest(office), office.actions()
    for seconds in (0, 60, 7 * 24 * 3600):
        office.clock.advance(seconds)
        assert refresh(office, hint).outcome is RefreshOutcome.UNCHANGED
    assert (latest(office), office.actions()) == (stored, actions)


def new_agreement(office: Office) -> None:
    added = Agreement(AgreementId("A1b"), P1, "Second", "Managed", office.psa.agreements[AgreementId("A1")].state)
    office.psa.agreements[added.id] = added


def new_line(office: Office) -> None:
    office.line(1, "3", line_id="L1b")


def renamed(office: Office) -> None:
    office.psa.accounts[P1] = replace(office.psa.accounts[P1], name="Harbor Dental Holdings")


def line_replaced(office: Office) -> None:
    old = office.psa.lines.pop(LineId("L1"))
    office.psa.lines[LineId("L1c")] = replace(old, id=LineId("L1c"))


@pytest.mark.parametrize("change", [new_agreement, new_line, renamed, line_replaced])
def test_what_is_added_renamed_or_replaced_is_taken_over(office: Office, change: Callable[[Office], None]) -> None:
    change(office)
    assert refresh(office, hint_of(office)).outcome is RefreshOutcome.REFRESHED
    assert facts(office) == truth(office)
    require_well_formed(office)


def test_an_agreement_that_moved_to_another_client_is_taken_by_that_client(office: Office) -> None:
    moved = replace(office.psa.agreements[AgreementId("A1")], account_id=P2)
    office.psa.agreements[moved.id] = moved
    office.psa.lines[LineId("L1")] = replace(office.psa.lines[LineId("L1")], account_id=P2)
    assert refresh(office, hint_of(office, "P1")).outcome is RefreshOutcome.LEFT, "it never makes one vanish"
    assert refresh(office, hint_of(office, "P2")).outcome is RefreshOutcome.REFRESHED
    assert facts(office) == truth(office)
    require_well_formed(office)


def agreements_hidden(office: Office) -> None:
    del office.psa.agreements[AgreementId("A1")]
    del office.psa.lines[LineId("L1")]


def lines_hidden(office: Office) -> None:
    del office.psa.lines[LineId("L1")]


@pytest.mark.parametrize("hidden", [agreements_hidden, lines_hidden])
def test_what_is_listed_no_more_is_left_for_a_complete_read(office: Office, hidden: Callable[[Office], None]) -> None:
    """A permission that was narrowed looks like this; I8: it must not become what the next read is measured against."""
    stored, before = latest(office), facts(office)
    hidden(office)
    done = refresh(office, hint_of(office))
    assert done.outcome is RefreshOutcome.LEFT
    assert done.reason
    assert (latest(office), facts(office)) == (stored, before)


def test_no_number_of_refreshes_lowers_what_a_complete_read_is_measured_against(office: Office) -> None:
    for number in range(5):
        office.line(1, "1", line_id=f"X{number}")
    refresh(office, hint_of(office))
    records = latest(office).records
    for number in range(5):
        del office.psa.lines[LineId(f"X{number}")]
        refresh(office, hint_of(office))
        assert latest(office).records >= records


def test_a_client_that_is_gone_is_marked_and_held_and_nothing_is_forgotten(office: Office) -> None:
    before = facts(office)
    client = office.psa.accounts.pop(P2)
    done = refresh(office, hint_of(office, "P2", deleted=True))
    assert done.outcome is RefreshOutcome.REFRESHED
    assert {item.id: item.deleted for item in facts(office).accounts}["P2"]
    assert (facts(office).agreements, facts(office).lines) == (before.agreements, before.lines)
    assert DELETED_WARNING in office.account("V2").warnings
    rows = {row.psa_account_id: row for row in office.reconcile(office.state.runs.latest(1)[0]).reconciliation.rows}
    assert rows[P2].verdict.value == "held"
    office.psa.accounts[P2] = client
    assert refresh(office, hint_of(office, "P2")).outcome is RefreshOutcome.REFRESHED
    assert facts(office) == before
    assert DELETED_WARNING not in office.account("V2").warnings


def test_a_new_name_is_shown_beside_every_account_that_is_mapped_to_the_client(office: Office) -> None:
    renamed(office)
    others = [office.account(key) for key in ("V2", "V3", "V4")]
    refresh(office, hint_of(office))
    assert office.account("V1").psa_name == "Harbor Dental Holdings"
    assert [office.account(key) for key in ("V2", "V3", "V4")] == others


def test_the_word_of_the_psa_that_a_record_is_gone_is_not_believed(office: Office) -> None:
    assert refresh(office, hint_of(office, deleted=True)).outcome is RefreshOutcome.UNCHANGED


def test_a_hint_of_another_psa_or_before_the_first_read_is_ignored(office: Office) -> None:
    for psa in (IntegrationName.AUTOTASK, IntegrationName.HALOPSA):
        assert refresh(office, hint_of(office, psa=psa)).outcome is RefreshOutcome.IGNORED
    assert refresh(office, hint_of(office, "A77")).outcome is RefreshOutcome.IGNORED
    fresh = small_month()
    fresh.connect(IntegrationName.CONNECTWISE, company_id="another", switch=True)
    assert refresh(fresh, hint_of(fresh)).outcome is RefreshOutcome.IGNORED, "what was read is of another company"
    assert fresh.psa.calls["read_account"] == 0


def test_a_client_nobody_knows_and_the_psa_does_not_either_is_nothing(office: Office) -> None:
    assert refresh(office, hint_of(office, "P404")).outcome is RefreshOutcome.UNCHANGED


def test_trouble_at_the_psa_is_raised_so_that_the_hint_comes_again(office: Office) -> None:
    stored = latest(office)
    office.psa.person_edits("L1", quantity=Decimal(14))
    office.psa.fail_next("read_account", RateLimited("slow", integration="fake-psa", wait_seconds=30))
    with pytest.raises(RateLimited):
        refresh(office, hint_of(office))
    assert latest(office) == stored
    assert refresh(office, hint_of(office)).outcome is RefreshOutcome.REFRESHED


@pytest.mark.fault("C20")
@pytest.mark.parametrize("answer", ["another client", "another client's lines", "half"])
def test_C20_an_answer_about_another_client_is_thrown_away(
    office: Office, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = office.psa.read_account(P1)
    other = office.psa.read_account(P2)
    wrong = {
        "another client": other,
        "another client's lines": replace(real, lines=other.lines, agreements=other.agreements),
        "half": replace(real, agreements=()),
    }[answer]
    monkeypatch.setattr(office.psa, "read_account", lambda _: wrong)
    stored = latest(office)
    with pytest.raises(ReadIncomplete):
        refresh(office, hint_of(office))
    assert latest(office) == stored


class TestBesideARun:
    """What a refresh may do while a run is at work."""

    def test_the_run_plans_on_the_refreshed_read_of_its_own(self, month: Office) -> None:
        run = month.begin()
        month.read_vendor(run.id)
        month.read_psa(run.id)
        month.psa.person_edits("L2", quantity=Decimal(15))
        refresh(month, hint_of(month, "P2"))
        month.match(run.id)
        plan = month.reconcile(run).plan
        assert "L2" not in {change.line_id for change in plan.changes}, "the line is in line by now"
        assert plan.snapshots[1] == latest(month).digest

    def test_reading_the_side_again_in_the_same_run_keeps_the_refreshed_read(self, month: Office) -> None:
        run = month.begin()
        month.read_psa(run.id)
        month.psa.person_edits("L1", quantity=Decimal(14))
        refresh(month, hint_of(month))
        assert month.read_psa(run.id).snapshot == latest(month)

    def test_a_complete_read_that_ends_later_takes_its_place(self, office: Office) -> None:
        office.clock.advance(60)
        run = office.begin()
        assert office.read_psa(run.id, stop_at_seconds=0.0).snapshot is None, "it is under way"
        office.psa.person_edits("L1", quantity=Decimal(14))
        refresh(office, hint_of(office))
        assert latest(office).run_id != run.id
        while office.read_psa(run.id, stop_at_seconds=0.0).snapshot is None:
            continue
        assert latest(office).run_id == run.id
        assert not latest(office).refreshed
        assert facts(office) == truth(office)

    def test_a_complete_read_in_between_is_what_it_is_made_of(
        self, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = office.begin()
        office.psa.person_edits("L1", quantity=Decimal(14))
        real, runs = office.psa.read_account, iter([lambda: office.read_psa(run.id)])

        def read_account(account_id: PsaAccountId) -> PsaPage:
            for complete in runs:
                complete()
                office.psa.person_edits("L1", quantity=Decimal(16))
            return real(account_id)

        monkeypatch.setattr(office.psa, "read_account", read_account)
        office.clock.advance(60)
        assert refresh(office, hint_of(office)).outcome is RefreshOutcome.REFRESHED
        assert latest(office).run_id == run.id
        assert facts(office) == truth(office)

    def test_it_gives_up_after_a_bounded_number_of_tries(self, office: Office) -> None:
        office.psa.person_edits("L1", quantity=Decimal(14))
        office.state.switches.fail("snapshots.refresh", VersionConflict("moved"), times=ATTEMPTS)
        with pytest.raises(VersionConflict):
            refresh(office, hint_of(office))
        assert office.psa.calls["read_account"] == ATTEMPTS
        assert refresh(office, hint_of(office)).outcome is RefreshOutcome.REFRESHED


def test_a_crash_at_every_effect_is_made_good_by_the_same_hint(office: Office) -> None:
    hint = None
    for skip in range(12):
        made = small_month(page_size=2)
        made.run()
        renamed(made)
        made.psa.person_edits("L1", quantity=Decimal(14))
        hint = hint_of(made)
        made.state.switches.fail("*", StateUnavailable("cut off"), when="after", skip=skip)
        try:
            refresh(made, hint)
        except StateUnavailable:
            made.state.switches.heal()
            refresh(made, hint)
        else:
            assert skip > 2, "there are several effects"
            break
        assert facts(made) == truth(made)
        assert made.account("V1").psa_name == "Harbor Dental Holdings"
        assert made.actions().count("psa account read") == 1
    else:
        raise AssertionError("it never came to an end")


@given(st.lists(st.sampled_from(["L1", "L2", "L3", "L4"]), max_size=6), st.permutations(["P1", "P2", "P3", "P4"]))
def test_once_every_hint_was_acted_on_in_any_order_the_read_is_what_the_psa_says(
    edits: list[str], order: list[str]
) -> None:
    office = small_month(page_size=3)
    office.run()
    for number, line_id in enumerate(edits):
        office.psa.person_edits(line_id, quantity=Decimal(number + 20))
    for record in (*order, *reversed(order)):
        refresh(office, hint_of(office, record))
        require_well_formed(office)
    assert facts(office) == truth(office)
