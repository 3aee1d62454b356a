"""Notices as values: their text whatever the names are, their words from what is stored, and when one is sent again."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.domain import notice_wording as wording
from trueup.domain.integrations import ConnectionState, Integration, IntegrationName, Side
from trueup.domain.mapping import MappingTotals
from trueup.domain.notice_text import ascii_line, body_lines, links_of, marker, one_line, plain_text, subject_line
from trueup.domain.notices import (
    ATTEMPTS_MAXIMUM,
    SENDING_MAXIMUM,
    ChannelName,
    Delivery,
    DeliveryState,
    Letterhead,
    NextStep,
    Notice,
    NoticeKind,
    NoticeLine,
    NoticeLink,
    Severity,
    next_step,
)
from trueup.domain.runs import Run, RunState, SideProgress, Step
from trueup.domain.verdicts import Totals, Verdict

NOW = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)
OURS = Letterhead("acme-msp", "https://trueup.acme.example")
HOSTILE = "Evil\r\nBcc: all@acme.example\x00\u202e<!channel> [free](https://bad.example) <script>@everyone</script>"


def notice(*lines: NoticeLine, subject: str = "something happened") -> Notice:
    link = NoticeLink("Plan", "/plan?id=plan-1")
    return Notice(NoticeKind.APPROVAL_WANTED, "2026-11", "plan-1", subject, lines, NOW, Severity.ACTION, (link,))


def run(state: RunState = RunState.DONE, **changes: object) -> Run:
    begun = Run("2026-11-001", "2026-11", state, Step.RECONCILE, NOW, "pat", NOW)
    return replace(begun, **changes)  # type: ignore[arg-type]


TOTALS = Totals(
    rows=7,
    verdicts=((Verdict.BILL_MORE, 3), (Verdict.BILL_LESS, 0), (Verdict.NEW_REVENUE, 1), (Verdict.IN_LINE, 3)),
    accounts=MappingTotals(5, 1, 0, 1),
    agreement_seats=1240,
    billed_seats=1200,
    money=(
        ("EUR", Verdict.BILL_MORE, Decimal("5")),
        ("USD", Verdict.BILL_MORE, Decimal("1234.5")),
        ("USD", Verdict.NEW_REVENUE, Decimal("0.0625")),
    ),
    rows_without_price=2,
)


class TestText:
    def test_a_hostile_name_stays_on_its_line(self) -> None:
        text = plain_text(notice(NoticeLine(HOSTILE, HOSTILE), subject=HOSTILE), OURS, maximum_characters=5_000)
        assert "\r" not in text
        assert not any(line.startswith("Bcc:") for line in text.splitlines())
        assert "\x00" not in text
        assert "\u202e" not in text, "a mark that turns the direction of writing"
        assert text.splitlines()[-1] == "approval wanted, 2026-11, acme-msp"
        assert "Plan: https://trueup.acme.example/plan?id=plan-1" in text

    def test_a_subject_is_one_line_of_the_length_that_the_medium_takes(self) -> None:
        subject = subject_line(notice(subject="long " * 100), OURS, 150)
        assert len(subject) <= 150
        assert subject.startswith("Trueup acme-msp: long long")
        assert subject.endswith("...")

    @given(st.text(max_size=300))
    def test_any_text_becomes_one_printable_line(self, text: str) -> None:
        line = one_line(text, 80)
        assert len(line) <= 80
        assert line.splitlines() in ([], [line])
        assert not any(unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} for one in line)
        assert one_line(line, 80) == line

    @given(st.text(max_size=200))
    def test_any_text_becomes_ascii_that_sns_takes_as_a_subject(self, text: str) -> None:
        line = ascii_line(f"Trueup acme: {text}", 99)
        assert 0 < len(line) < 100
        assert all(" " <= character <= "~" for character in line)

    def test_accents_are_dropped_and_other_scripts_are_marked(self) -> None:
        assert ascii_line("Café Zürich 株式会社", 99) == "Cafe Zurich ????"

    def test_a_long_body_is_cut_between_lines_and_says_so(self) -> None:
        long = notice(*(NoticeLine(f"client number {number}") for number in range(60)))
        lines = body_lines(long)
        assert len(lines) == 41
        assert lines[-1] == "20 more lines are in Trueup."
        text = plain_text(long, OURS, maximum_characters=300)
        assert len(text) <= 300
        assert text.splitlines()[-1] == "..."

    def test_without_an_address_of_the_portal_there_are_no_links(self) -> None:
        assert links_of(notice(), Letterhead("acme-msp")) == ()
        assert "/plan" not in plain_text(notice(), Letterhead("acme-msp"), maximum_characters=500)

    def test_a_mark_is_of_one_notice_of_one_tenant(self) -> None:
        first = notice()
        marks = {
            marker(first, OURS),
            marker(first, Letterhead("other")),
            marker(replace(first, cause="plan-2"), OURS),
            marker(replace(first, period="2026-12"), OURS),
        }
        assert len(marks) == 4
        assert marker(replace(first, subject="told otherwise", at=NOW + timedelta(days=1)), OURS) in marks


class TestWords:
    def test_a_finished_run_tells_the_totals_by_verdict_and_money(self) -> None:
        told = wording.run_finished(run(), TOTALS, NOW)
        assert told.subject == "run 2026-11-001 is done, 4 differences"
        assert [line.words for line in told.lines] == [
            "bill more: 3 rows, +5.00 EUR a month, +1,234.50 USD a month",
            "new revenue: 1 row, +0.0625 USD a month",
            "in line: 3 rows",
            "Seats: 1,240 in agreements, 1,200 billed",
            "Money: 2 rows without a price, in no sum",
        ]

    def test_a_run_that_waits_is_not_said_to_be_done(self) -> None:
        for state in (RunState.RUNNING, RunState.WAITING_FOR_APPROVAL, RunState.WAITING_FOR_ORDERS):
            told = wording.run_finished(run(state), TOTALS, NOW)
            assert told.subject == "run 2026-11-001 has compared the counts, 4 differences"

    def test_a_run_that_compared_nothing_tells_no_zeros(self) -> None:
        told = wording.run_finished(run(), None, NOW)
        assert told.subject == "run 2026-11-001 is done"
        assert [line.words for line in told.lines] == ["Nothing was compared in this run, so there are no totals."]

    def test_a_failed_run_tells_why_and_what_to_do(self) -> None:
        failed = run(RunState.FAILED, problem="Mimecast did not answer", remedy="Try again later.")
        told = wording.run_finished(failed, TOTALS, NOW)
        assert told.severity is Severity.PROBLEM
        assert [line.words for line in told.lines[:2]] == ["Mimecast did not answer", "What to do: Try again later."]
        assert "+1,234.50" not in plain_text(told, OURS, maximum_characters=5_000), "the totals are another run's"

    def test_a_credential_that_fails_anew_is_another_cause(self) -> None:
        failing = Integration(
            IntegrationName.MIMECAST, ConnectionState.NEEDS_ATTENTION, cause="401", fix="New keys.", first_failed_at=NOW
        )
        first = wording.credential_failing(failing, "2026-11", NOW)
        again = wording.credential_failing(failing, "2026-11", NOW + timedelta(days=1))
        anew = replace(failing, first_failed_at=NOW + timedelta(days=9))
        assert first.key == again.key
        assert wording.credential_failing(anew, "2026-11", NOW).key != first.key
        assert wording.credential_failing(failing, "2026-12", NOW).key != first.key
        assert "2026-11-02 06:30 UTC" in plain_text(first, OURS, maximum_characters=5_000)

    @pytest.mark.parametrize(("days", "words"), [(12, "in 12 days"), (1, "in 1 day"), (0, "today"), (-3, "3 days ago")])
    def test_an_end_is_told_in_days(self, days: int, words: str) -> None:
        ends_on = NOW.date() + timedelta(days=days)
        told = wording.credential_expiring("microsoft365", "Microsoft 365", ends_on, "2026-11", NOW)
        assert told.subject == f"the credential of Microsoft 365 ends {words}"

    def test_an_incomplete_read_says_how_far_each_side_came(self) -> None:
        sides = (SideProgress(Side.VENDOR, 3, 250), SideProgress(Side.PSA, 4, 300, done=True))
        told = wording.sync_incomplete(run(RunState.FAILED, sides=sides, problem="pages repeat"), NOW)
        assert "vendor: 250 read, not complete" in body_lines(told)
        assert "psa: 300 read" in body_lines(told)

    def test_a_side_that_the_month_goes_on_without_says_why(self) -> None:
        lost = SideProgress(Side.LICENSES, problem="consent was withdrawn", remedy="Ask for it again.")
        told = wording.sync_incomplete(run(sides=(SideProgress(Side.VENDOR, 1, 5, done=True), lost)), NOW)
        assert told.subject == f"licenses were not read in run {run().id}, which goes on without them"
        assert "Cause: consent was withdrawn" in body_lines(told)
        assert "What to do: Ask for it again." in body_lines(told)
        failed = wording.sync_incomplete(run(RunState.FAILED, sides=(lost,), problem="pages repeat"), NOW)
        assert "Cause: pages repeat" in body_lines(failed)

    def test_a_run_with_no_jump_and_no_trouble_asks_for_no_such_notice(self) -> None:
        assert wording.drop_or_jump_held(run(), None, NOW) is None

    def test_orders_tell_the_total_and_the_change(self) -> None:
        facts = {"period": "2026-11", "account": "Harbor", "service": "Email", "target": 40, "delta": -2}
        late = wording.order_late(
            "ord-1", order_number="", submitted_on=date(2026, 10, 20), days_late=1, at=NOW, **facts  # type: ignore[arg-type]
        )  # fmt: skip
        done = wording.order_reflected("ord-1", order_number="MC-7", at=NOW, **facts)  # type: ignore[arg-type]
        assert late.subject == "change order ord-1 is 1 day late"
        assert "Ordered: 40 seats (-2)" in body_lines(late)
        assert "Order number: none was recorded" in body_lines(late)
        assert "Order number: MC-7" in body_lines(done)
        assert late.key != done.key

    def test_a_missed_run_is_one_cause_for_the_whole_month(self) -> None:
        first = wording.run_missed("2026-11", days=1, run_day=1, at=NOW)
        later = wording.run_missed("2026-11", days=9, run_day=1, at=NOW)
        assert first.key == later.key
        assert first.subject == "the run of 2026-11 is 1 day overdue"

    def test_a_sealed_month_tells_its_seal(self) -> None:
        told = wording.month_sealed("2026-11", seal="ab" * 32, lines=(NoticeLine("3", "Clients"),), at=NOW)
        assert body_lines(told) == ("Clients: 3", f"Seal: {'ab' * 32}")


def delivery(state: DeliveryState, attempts: int = 1, minutes_ago: float = 60) -> Delivery:
    at = NOW - timedelta(minutes=minutes_ago)
    return Delivery(ChannelName.EMAIL, NoticeKind.TEST, "2026-11", "key", "subject", state, attempts, at, at)


class TestRepeats:
    @pytest.mark.parametrize("channel", ChannelName)
    def test_what_was_never_begun_is_sent_and_what_arrived_is_left(self, channel: ChannelName) -> None:
        assert next_step(None, channel, NOW) is NextStep.SEND
        assert next_step(delivery(DeliveryState.SENT), channel, NOW) is NextStep.LEAVE

    @pytest.mark.parametrize("channel", ChannelName)
    def test_what_surely_failed_is_sent_again_a_few_times(self, channel: ChannelName) -> None:
        assert next_step(delivery(DeliveryState.FAILED, ATTEMPTS_MAXIMUM - 1), channel, NOW) is NextStep.SEND
        assert next_step(delivery(DeliveryState.FAILED, ATTEMPTS_MAXIMUM), channel, NOW) is NextStep.LEAVE

    @pytest.mark.parametrize("channel", ChannelName)
    def test_what_another_process_sends_now_is_left_to_it(self, channel: ChannelName) -> None:
        minutes = SENDING_MAXIMUM.total_seconds() / 60 - 1
        assert next_step(delivery(DeliveryState.SENDING, minutes_ago=minutes), channel, NOW) is NextStep.LEAVE

    @pytest.mark.parametrize("state", [DeliveryState.SENDING, DeliveryState.UNKNOWN])
    def test_what_may_have_arrived_is_sent_once_more_but_a_ticket_only_looked_for(self, state: DeliveryState) -> None:
        for channel in (ChannelName.EMAIL, ChannelName.TEAMS, ChannelName.SLACK):
            assert next_step(delivery(state), channel, NOW) is NextStep.SEND
            assert next_step(delivery(state, attempts=2), channel, NOW) is NextStep.LEAVE
        assert next_step(delivery(state), ChannelName.TICKET, NOW) is NextStep.LOOK
        assert next_step(delivery(state, attempts=9), ChannelName.TICKET, NOW) is NextStep.LOOK
