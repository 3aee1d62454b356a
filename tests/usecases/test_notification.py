"""Which notices a run, a credential and a day ask for, made from what is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.fakes.notices import FakeChannels
from tests.usecases.office import Office, open_office, small_month
from tests.usecases.order_steps import follow, submitted_order
from trueup.domain.errors import InputInvalid, NotFound, ReadIncomplete, VendorUnavailable
from trueup.domain.integrations import IntegrationName
from trueup.domain.notice_text import body_lines
from trueup.domain.notices import DeliveryState, Letterhead, Notice, NoticeKind, Severity
from trueup.domain.order_tracking import Patience
from trueup.usecases.credential_validation import PASSING_FAULT
from trueup.usecases.month_closing import close_months
from trueup.usecases.monthly_run import days_overdue, fail_run
from trueup.usecases.notices import NoticeSystems
from trueup.usecases.notification import check_overdue, send_for_credentials, send_for_run

UTC_ZONE = ZoneInfo("UTC")


class Told:
    """An office with its channels in memory; ``notices`` is what has arrived by e-mail."""

    def __init__(self, office: Office) -> None:
        self.office, self.channels = office, FakeChannels()
        self.systems = NoticeSystems(
            office.state.notices,
            office.state.integrations,
            office.vault,
            office.connections,
            self.channels,
            Letterhead("acme-msp", "https://trueup.acme.example"),
            office.clock,
        )

    @property
    def notices(self) -> list[Notice]:
        return self.channels.mail.arrived

    def of_run(self, kind: NoticeKind, run_id: str) -> Notice | None:
        before = len(self.notices)
        state = self.office.state
        send_for_run(
            kind,
            run_id,
            runs=state.runs,
            plans=state.plans,
            reconciliations=state.reconciliations,
            change_orders=state.change_orders,
            patience=Patience(),
            sealed_months=state.sealed_months,
            systems=self.systems,
        )
        return self.notices[before] if len(self.notices) > before else None


@pytest.fixture
def told() -> Told:
    office = small_month()
    return Told(office)


class TestRuns:
    def test_a_run_with_a_plan_asks_for_approval_of_just_that_plan(self, told: Told) -> None:
        outcome = told.office.run()
        notice = told.of_run(NoticeKind.APPROVAL_WANTED, outcome.plan.run_id)
        assert notice is not None
        assert notice.cause == f"{outcome.plan.id} {outcome.plan.checksum}"
        assert notice.severity is Severity.ACTION
        assert notice.links[0].path == f"/plan?id={outcome.plan.id}"
        assert any(outcome.plan.checksum.startswith(line.text) for line in notice.lines if line.text)
        assert told.of_run(NoticeKind.APPROVAL_WANTED, outcome.plan.run_id) is None, "told already"

    def test_a_finished_run_tells_the_totals_of_its_own_comparison(self, told: Told) -> None:
        outcome = told.office.run()
        totals = outcome.reconciliation.totals
        notice = told.of_run(NoticeKind.RUN_FINISHED, outcome.plan.run_id)
        assert notice is not None
        assert f"{totals.agreement_seats:,} in agreements" in body_lines(notice)[-1]

    def test_the_totals_of_a_later_run_are_not_told_as_its_own(self, told: Told) -> None:
        first = told.office.run()
        second = told.office.run()
        assert second.plan.run_id != first.plan.run_id or told.office.state.runs.latest(1)[0].id != first.plan.run_id
        newest = told.office.state.reconciliations.summary("2026-09").run_id
        older = next(run.id for run in told.office.state.runs.latest() if run.id != newest)
        notice = told.of_run(NoticeKind.RUN_FINISHED, older)
        assert notice is not None
        assert body_lines(notice) == ("Nothing was compared in this run, so there are no totals.",)

    def test_an_incomplete_read_and_a_drop_are_told_from_the_run_that_failed(self, told: Told) -> None:
        run = told.office.begin()
        trouble = ReadIncomplete("mimecast listed 3 accounts, last time it was 300", integration="mimecast")
        fail_run(run.id, trouble, runs=told.office.state.runs, clock=told.office.clock)
        incomplete = told.of_run(NoticeKind.SYNC_INCOMPLETE, run.id)
        drop = told.of_run(NoticeKind.DROP_OR_JUMP_HELD, run.id)
        assert incomplete is not None
        assert drop is not None
        assert "3 accounts, last time it was 300" in body_lines(incomplete)[0]
        assert "much shorter" in drop.subject

    def test_held_changes_are_named_with_their_figures(self, told: Told) -> None:
        outcome = told.office.run()
        held = [change for change in outcome.plan.changes if change.is_held]
        notice = told.of_run(NoticeKind.DROP_OR_JUMP_HELD, outcome.plan.run_id)
        assert (notice is not None) == bool(held)
        for change in held:
            assert notice is not None
            assert any(change.psa_account_name in line for line in body_lines(notice))

    def test_a_month_that_the_run_closed_is_told_with_its_seal_and_what_was_not_finished(self, told: Told) -> None:
        office = told.office
        run_id = office.run().plan.run_id
        assert told.of_run(NoticeKind.SEALED, run_id) is None
        office.clock.advance(40 * 86_400)
        closed = close_months(
            run_id, actor="schedule", tenant=office.tenant, time_zone=UTC_ZONE, state=office.state, clock=office.clock
        )
        assert closed.sealed == ("2026-09",)
        notice = told.of_run(NoticeKind.SEALED, run_id)
        assert notice is not None
        (link,) = office.state.sealed_months.links()
        assert body_lines(notice)[-1] == f"Seal: {link.hash}"
        assert len(notice.lines) == 1 + len(link.outstanding)
        assert told.of_run(NoticeKind.SEALED, run_id) is None, "told already"

    def test_a_kind_that_is_of_no_run_and_a_run_that_is_not_there_are_refused(self, told: Told) -> None:
        with pytest.raises(InputInvalid) as refused:
            told.of_run(NoticeKind.RUN_MISSED, "2026-09-001")
        assert refused.value.field == "kind"
        with pytest.raises(NotFound):
            told.of_run(NoticeKind.RUN_FINISHED, "2026-09-999")

    def test_a_failing_channel_fails_no_run(self, told: Told) -> None:
        outcome = told.office.run()
        told.channels.mail.trouble = VendorUnavailable("away", integration="email")
        assert told.of_run(NoticeKind.APPROVAL_WANTED, outcome.plan.run_id) is None
        (recorded,) = told.office.state.notices.of_period("2026-09")
        assert recorded.state is DeliveryState.FAILED


class TestCredentials:
    def failing(self, told: Told) -> None:
        told.office.connections.accepted_secret = "rotated at the vendor"

    def test_one_rejected_reply_is_no_reason_and_a_lasting_one_is_told_once(self, told: Told) -> None:
        office = told.office
        self.failing(told)
        for seconds in (0, PASSING_FAULT.total_seconds(), 86_400, 86_400):
            office.clock.advance(seconds)
            send_for_credentials([office.validate()], time_zone=UTC_ZONE, systems=told.systems)
        assert [one.kind for one in told.notices] == [NoticeKind.CREDENTIAL_FAILING]
        assert "Mimecast" in told.notices[0].subject

    def test_it_is_told_again_in_the_next_month(self, told: Told) -> None:
        self.failing(told)
        told.office.validate()
        for seconds in (PASSING_FAULT.total_seconds(), 40 * 86_400):
            told.office.clock.advance(seconds)
            send_for_credentials([told.office.validate()], time_zone=UTC_ZONE, systems=told.systems)
        assert [one.period for one in told.notices] == ["2026-09", "2026-10"]

    def test_a_working_credential_asks_for_nothing(self, told: Told) -> None:
        found = told.office.state.integrations.get(IntegrationName.MIMECAST)
        assert send_for_credentials([found], time_zone=UTC_ZONE, systems=told.systems) == ()

    @pytest.mark.parametrize(("days", "wanted"), [(31, 0), (30, 1), (0, 1), (-5, 1)])
    def test_an_end_is_told_a_month_before(self, told: Told, days: int, wanted: int) -> None:
        ends_on = told.office.clock.now().date() + timedelta(days=days)
        found = replace(told.office.state.integrations.get(IntegrationName.MIMECAST), credential_ends_on=ends_on)
        for _ in range(2):
            send_for_credentials([found], time_zone=UTC_ZONE, systems=told.systems)
        assert len(told.notices) == wanted


class TestMissedRuns:
    def test_a_missed_run_is_told_once_in_its_month(self) -> None:
        told = Told(open_office())
        office = told.office
        for _ in range(3):
            office.clock.advance(86_400)
            days = days_overdue(active=True, run_day=1, time_zone=UTC_ZONE, runs=office.state.runs, clock=office.clock)
            check_overdue(days, run_day=1, time_zone=UTC_ZONE, systems=told.systems)
        (notice,) = told.notices
        assert notice.subject == "the run of 2026-09 is 1 day overdue"
        assert notice.severity is Severity.PROBLEM

    def test_nothing_is_told_while_nothing_is_due(self, told: Told) -> None:
        assert check_overdue(0, run_day=1, time_zone=UTC_ZONE, systems=told.systems) == ()


class TestOrders:
    def test_a_late_order_is_told_of_once_and_a_reflected_one_when_a_read_shows_it(self, told: Told) -> None:
        office = told.office
        run_id = office.run().plan.run_id
        order = submitted_order(office)
        assert told.of_run(NoticeKind.ORDER_LATE, run_id) is None
        office.clock.advance(timedelta(days=6).total_seconds())
        notice = told.of_run(NoticeKind.ORDER_LATE, run_id)
        assert notice is not None
        assert notice.cause == order.id
        assert "6 days" in notice.subject
        assert told.of_run(NoticeKind.ORDER_LATE, run_id) is None, "once for each order and month"
        assert told.of_run(NoticeKind.ORDER_REFLECTED, run_id) is None
        office.vendor.add_account("V1", "Harbor Dental Group", 14)
        follow(office, office.state.runs.get(run_id))
        reflected = told.of_run(NoticeKind.ORDER_REFLECTED, run_id)
        assert reflected is not None
        assert reflected.cause == order.id
        assert told.of_run(NoticeKind.ORDER_LATE, run_id) is None
