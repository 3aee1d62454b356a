"""Reports of whole months: what people did shows, closed months stay, gaps are gaps, evidence is what was sealed."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import pytest

from tests.usecases.office import PERIOD, PERSON, Office, open_office
from tests.usecases.test_sealing import done, reopen, seal
from trueup.adapters.dynamodb import sealed_forms
from trueup.api.evidence_documents import SHEET_COLUMNS, evidence_csv, evidence_html
from trueup.api.report_documents import report_csv, report_html
from trueup.api.spreadsheets import FORMULA_LEADS
from trueup.domain.errors import InputInvalid, NotFound
from trueup.domain.monthly_report import Flow
from trueup.ports.sealing import SealedStore
from trueup.usecases.evidence import evidence_packs
from trueup.usecases.monthly_report import MonthState, report_of, trend
from trueup.usecases.sealing import seal_month

HOSTILE = '=HYPERLINK("http://x.invalid")</td><script>alert(1)</script><img src=x onerror=alert(1)> {{7*7}} \u202eevil'


def flow(found: str, corrected: str, outstanding: str) -> Flow:
    return Flow(Decimal(found), Decimal(corrected), Decimal(0), Decimal(outstanding))


def next_month(office: Office) -> str:
    office.clock.advance((datetime(2026, 10, 3, 12, 0, tzinfo=UTC) - office.clock.now()).total_seconds())
    return "2026-10"


class TestTheReport:
    def test_says_what_was_found_corrected_and_left(self, month: Office) -> None:
        plan = month.run().plan
        found = report_of(PERIOD, state=month.state)
        # Two clients are billed 3 and 2 seats too little, one 2 too much, at 4.25 each.
        (total,) = found.totals
        assert (total.underbilled, total.overbilled) == (flow("21.25", "0", "21.25"), flow("8.50", "0", "8.50"))
        assert {words for words, *_ in found.reasons} == {"waits for approval", "held: decrease"}
        month.apply(month.approve(plan))
        after = report_of(PERIOD, state=month.state)
        assert after.totals[0].underbilled == flow("21.25", "21.25", "0")
        assert after.totals[0].overbilled == flow("8.50", "0", "8.50")
        assert [words for words, *_ in after.reasons] == ["held: decrease"]
        assert [one.name for one in after.by_client][0] == "Mossgate Freight"

    def test_the_first_finding_is_kept_when_the_month_is_compared_again(self, month: Office) -> None:
        month.apply(month.approve(month.run().plan))
        month.run()
        found = report_of(PERIOD, state=month.state)
        assert found.comparisons == 2
        assert found.totals[0].underbilled == flow("21.25", "21.25", "0")

    def test_a_closed_month_says_for_ever_what_it_said(self, month: Office) -> None:
        done(month)
        before = report_of(PERIOD, state=month.state)
        seal(month)
        sealed = report_of(PERIOD, state=month.state)
        assert (sealed.is_closed, sealed.version) == (True, 1)
        assert (sealed.rows, sealed.totals) == (before.rows, before.totals)
        next_month(month)
        month.vendor.sets("V1", 99)
        done(month)
        assert report_of(PERIOD, state=month.state) == sealed
        reopen(month)
        assert not report_of(PERIOD, state=month.state).is_closed

    def test_a_month_that_was_never_compared_has_no_report(self, office: Office) -> None:
        with pytest.raises(NotFound):
            report_of(PERIOD, state=office.state)
        with pytest.raises(InputInvalid):
            report_of("2026-00", state=office.state)

    @pytest.mark.fault("D7")
    def test_D7_a_late_correction_of_the_vendor_is_an_adjustment_and_the_closed_month_stays(
        self, month: Office
    ) -> None:
        done(month)
        link = seal(month)
        period = next_month(month)
        month.vendor.sets("V1", 11)
        month.run()
        (moved,) = report_of(period, state=month.state).adjustments
        assert (moved.client_name, moved.sealed_seats, moved.seats) == ("Harbor Dental Group", 12, 11)
        assert report_of(PERIOD, state=month.state).adjustments == ()
        assert month.state.sealed_months.links() == (link,)


class TestTheTrend:
    def test_closed_open_and_missing_months(self, month: Office) -> None:
        done(month)
        seal(month)
        period = next_month(month)
        month.vendor.sets("V1", 14)
        month.run()
        points = trend(months=12, until=period, state=month.state)
        assert [point.state for point in points] == [*[MonthState.MISSING] * 10, MonthState.CLOSED, MonthState.OPEN]
        gap, closed, now = points[0], points[10], points[11]
        assert (gap.agreement, gap.billed, gap.money) == (None, None, ())
        assert (closed.agreement, now.agreement, closed.licensed) == (55, 57, None)
        assert closed.money[0].underbilled == flow("21.25", "21.25", "0")
        assert now.money[0].underbilled.outstanding == Decimal("8.50")

    def test_of_one_client_and_service(self, month: Office) -> None:
        done(month)
        seal(month)
        period = next_month(month)
        (closed, now) = trend(months=2, until=period, client_id="P2", service="MIME-EMAIL", state=month.state)
        assert (closed.agreement, closed.billed, closed.rows) == (15, 12, 1)
        assert closed.money[0].underbilled == flow("12.75", "12.75", "0")
        assert now.state is MonthState.MISSING
        (closed, _) = trend(months=2, until=period, client_id="P2", service="ARCHIVE", state=month.state)
        assert (closed.state, closed.agreement) == (MonthState.MISSING, None)

    def test_of_one_client_reads_few_parts_of_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sealed_forms, "GROUP_ITEMS", 2)
        office = open_office()
        for number in range(1, 33):
            office.client(number, f"Client number {number}", 10 + number % 5, "11")
        office.set_up()
        office.run()
        (whole,) = trend(months=1, until=PERIOD, state=office.state)
        seal(office, reason="as it is")
        read: list[str] = []
        part = office.state.sealed_months.part
        monkeypatch.setattr(office.state.sealed_months, "part", lambda one: (read.append(one.name), part(one))[1])
        seen = 0
        for number in range(1, 33):
            read.clear()
            (point,) = trend(months=1, until=PERIOD, client_id=f"P{number}", state=office.state)
            assert (point.agreement, point.billed, point.rows) == (10 + number % 5, 11, 1)
            assert len(read) <= 14, "of 16 parts of figures and as many of the report"
            seen += point.agreement
        assert seen == whole.agreement
        (nobody,) = trend(months=1, until=PERIOD, client_id="P99", state=office.state)
        assert nobody.state is MonthState.MISSING

    @pytest.mark.parametrize("months", [0, -1, 37])
    def test_the_number_of_months_is_bounded(self, office: Office, months: int) -> None:
        with pytest.raises(InputInvalid):
            trend(months=months, until=PERIOD, state=office.state)


class _Tags(HTMLParser):
    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


PLAIN_TAGS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "bdi"}
TABLE_TAGS = {"table", "thead", "tbody", "tr", "th", "td"}


@pytest.fixture
def hostile() -> Office:
    office = open_office()
    office.client(1, HOSTILE, 15, "12")
    office.client(2, "+cmd|' /C calc'!A0", 9, "10")
    office.set_up()
    done(office)
    seal_month(
        PERIOD,
        actor="=1+1",
        run_id="",
        tenant=office.tenant,
        state=office.state,
        clock=office.clock,
        reason="",
    )
    return office


class TestDocuments:
    def test_of_hostile_names_hold_text_and_no_markup(self, hostile: Office) -> None:
        documents = [evidence_html(pack) for pack in evidence_packs(PERIOD, store=hostile.state.sealed_months)]
        documents.append(report_html(report_of(PERIOD, state=hostile.state)))
        for document in documents:
            read = _Tags(document)
            assert read.tags <= PLAIN_TAGS | TABLE_TAGS
            assert read.attributes <= {"lang", "charset", "name", "content", "class"}
            assert "<script" not in document
            assert "<img" not in document
        assert HOSTILE in _Tags(documents[0]).text

    def test_of_hostile_names_run_in_no_spreadsheet(self, hostile: Office) -> None:
        sheets = [evidence_csv(pack) for pack in evidence_packs(PERIOD, store=hostile.state.sealed_months)]
        sheets.append(report_csv(report_of(PERIOD, state=hostile.state)))
        for sheet in sheets:
            rows = list(csv.reader(io.StringIO(sheet, newline="")))
            assert len(rows) > 1
            for cell in (cell for row in rows for cell in row):
                assert not cell.startswith(FORMULA_LEADS) or re.fullmatch(r"-[0-9.]+", cell), cell

    def test_are_the_same_bytes_again(self, hostile: Office) -> None:
        first = [(evidence_html(one), evidence_csv(one)) for one in evidence_packs(PERIOD, store=store(hostile))]
        hostile.clock.advance(86_400)
        hostile.exclude("V1")
        again = [(evidence_html(one), evidence_csv(one)) for one in evidence_packs(PERIOD, store=store(hostile))]
        assert first == again

    def test_of_one_client_hold_its_counts_decisions_changes_and_hashes(self, month: Office) -> None:
        plan = done(month)
        link = seal(month)
        (pack,) = evidence_packs(PERIOD, client_id="P3", store=store(month))
        assert (pack.client_name, [row.id for row in pack.rows], len(pack.changes)) == (
            "Mossgate Freight",
            [change.row_id for change in plan.changes if change.psa_account_id == "P3"],
            1,
        )
        sheet = list(csv.DictReader(io.StringIO(evidence_csv(pack), newline="")))
        assert tuple(sheet[0]) == SHEET_COLUMNS
        facts = {(row["section"], row["name"]): row for row in sheet}
        assert (facts[("count", "agreement")]["value"], facts[("count", "billed")]["value"]) == ("8", "10")
        assert facts[("outcome", "bill less")]["value"] == "USD -8.50"
        assert "approved by alex" in facts[("change", "10 to 8 from now")]["detail"]
        assert f"released by {PERSON}" in facts[("change", "10 to 8 from now")]["detail"]
        hashes = {row["subject"]: row["value"] for row in sheet if row["section"] == "hash"}
        assert hashes["this link of the chain"] == link.hash
        assert hashes[f"plan {plan.id}"] == plan.checksum
        document = evidence_html(pack)
        assert all(address in document for address in hashes.values())
        assert "Larkspur" not in document

    def test_of_a_month_or_client_that_is_not_there_are_refused(self, month: Office) -> None:
        done(month)
        with pytest.raises(NotFound, match="never closed"):
            evidence_packs(PERIOD, store=store(month))
        seal(month)
        with pytest.raises(NotFound, match="knows no client 'P99'"):
            evidence_packs(PERIOD, client_id="P99", store=store(month))
        assert [pack.client_id for pack in evidence_packs(PERIOD, store=store(month))] == ["P1", "P2", "P3", "P4"]


def store(office: Office) -> SealedStore:
    return office.state.sealed_months
