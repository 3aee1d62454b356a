"""From which line, to what, from when, and what holds it back; lines that people ask for; dated changes under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.domain.building import (
    CONNECTWISE,
    POLICY,
    READ_AT,
    TODAY,
    agreement,
    entry,
    known,
    legs,
    line,
    only_row,
    proposed,
    service,
)
from trueup.domain.accounts import AccountState
from trueup.domain.billing import Agreement, AgreementState, Line, QuantityStep
from trueup.domain.effective import PSA_CAPABILITIES, EffectiveRule, EffectiveWish, NextInvoiceLine, PsaCapabilities
from trueup.domain.errors import Conflict, InputInvalid, PlanNotReady
from trueup.domain.integrations import IntegrationName
from trueup.domain.plan import Change, ChangeKind
from trueup.domain.plan_building import PlanTerms, line_to_create
from trueup.domain.reconcile import Legs, reconcile
from trueup.domain.verdicts import Row, Verdict

NEXT_MONTH = date(2026, 12, 1)
AUTOTASK = PSA_CAPABILITIES[IntegrationName.AUTOTASK]
DATED = EffectiveWish.parse("2026-12-24")


def only_change(given: Legs, **more: object) -> Change:
    (change,) = proposed(reconcile(given), **more).changes  # type: ignore[arg-type]
    return change


def guards(change: Change) -> list[str]:
    return [hold.guard for hold in change.holds]


# The checksum of what was approved before


def test_a_plain_change_has_the_checksum_it_had_before_there_were_other_kinds() -> None:
    """Pinned: a plan that was approved before an update must still be what was approved."""
    plan = proposed(reconcile(legs({("V1", "S1"): known(12)})))
    assert plan.checksum == "266de228279a98144d1b634584d40755b5d3b3b0b848df3825a2065dfc48cd27"
    assert set(plan.changes[0].content()) == {
        "id", "vendor_ids", "psa_account_id", "agreement_id", "line_id", "product_id", "from", "from_version", "to",
        "effective", "monthly_money", "currency", "evidence", "holds", "release",
    }  # fmt: skip
    assert plan.changes[0].content()["effective"] == "now"


# From when


def test_a_plain_change_counts_at_once_and_says_what_the_next_invoice_has() -> None:
    given = legs({("V1", "S1"): known(12)}, agreements=[agreement(next_invoice_on=NEXT_MONTH)])
    change = only_change(given)
    assert (change.effective, change.effective_rule, change.effective_text) == (None, EffectiveRule.NOW, "now")
    assert change.next_invoice == NextInvoiceLine(NEXT_MONTH, 12, Decimal("24.00"))
    assert change.service_ids == ("S1",)


def test_a_dated_change_where_the_agreement_prorates() -> None:
    bills = agreement(prorates=True, next_invoice_on=date(2026, 12, 20))
    change = only_change(legs({("V1", "S1"): known(12)}, agreements=[bills]), wish=DATED)
    assert (change.effective_text, change.holds) == ("2026-12-24", ())
    assert change.next_invoice == NextInvoiceLine(date(2026, 12, 20), 10, Decimal("20.00"))


def test_a_date_that_cannot_be_had_is_held_and_counts_as_the_psa_does() -> None:
    change = only_change(legs({("V1", "S1"): known(12)}), wish=DATED)
    assert (change.effective, guards(change)) == (None, ["date_not_possible"])
    assert "rule now" in change.holds[0].release


def test_the_same_change_from_another_day_is_another_change() -> None:
    given = legs({("V1", "S1"): known(12)}, agreements=[agreement(prorates=True)])
    found = {only_change(given, wish=EffectiveWish.parse(text)).id for text in ("", "2026-12-01", "2026-12-02")}
    assert len(found) == 3


def stepped(*steps: tuple[date, int], quantity: str = "10") -> Line:
    """Quantities by date as Autotask keeps them; ``quantity`` is that of the next month."""
    return replace(line(quantity=quantity), steps=tuple(QuantityStep(day, Decimal(count)) for day, count in steps))


def test_where_quantities_are_kept_by_date_the_one_of_the_day_is_expected() -> None:
    steps = stepped((date(2026, 11, 1), 8), (NEXT_MONTH, 10), (date(2027, 1, 1), 11))
    given = legs({("V1", "S1"): known(12)}, [steps])
    change = only_change(given, capabilities=AUTOTASK)
    assert (change.effective, change.expected, change.expected_version) == (NEXT_MONTH, 10, "v1")
    later = only_change(given, capabilities=AUTOTASK, wish=EffectiveWish.parse("2027-01-15"))
    assert (later.expected, later.expected_version) == (11, ""), "no version was read of that day"
    before = only_change(given, capabilities=AUTOTASK, wish=EffectiveWish.parse("2026-11-20"))
    assert (before.expected, before.expected_version) == (8, "")


def test_a_later_quantity_that_is_set_already_holds_the_change() -> None:
    steps = stepped((date(2026, 11, 1), 8), (NEXT_MONTH, 10), (date(2027, 1, 1), 11))
    change = only_change(legs({("V1", "S1"): known(12)}, [steps]), capabilities=AUTOTASK)
    assert guards(change) == ["scheduled_change"]
    assert "11 from 2027-01-01" in change.holds[0].figures
    same = stepped((date(2026, 11, 1), 8), (NEXT_MONTH, 10), (date(2027, 1, 1), 10))
    assert only_change(legs({("V1", "S1"): known(12)}, [same]), capabilities=AUTOTASK).holds == ()


def test_a_line_that_has_the_seats_on_the_day_asked_for_is_not_changed() -> None:
    steps = stepped((date(2026, 11, 1), 10), (NEXT_MONTH, 10), (date(2027, 1, 1), 12))
    month = reconcile(legs({("V1", "S1"): known(12)}, [steps]))
    assert proposed(month, capabilities=AUTOTASK, wish=EffectiveWish.parse("2027-01-15")).changes == ()
    assert len(proposed(month, capabilities=AUTOTASK).changes) == 1


# A dated change that is under way


def successor(ends: date, begins: date, quantity: str = "12") -> list[Line]:
    return [line("L1", "10", ends=ends), line("L2", quantity, begins=begins)]


@pytest.mark.parametrize("gap", [0, 1, 2])
def test_a_line_that_is_followed_by_another_bills_what_that_one_will(gap: int) -> None:
    ends = TODAY + timedelta(days=5)
    lines = successor(ends, ends + timedelta(days=gap))
    right = only_row(legs({("V1", "S1"): known(12)}, lines))
    assert (right.verdict, right.line is not None and right.line.id) == (Verdict.IN_LINE, "L2")
    other = only_row(legs({("V1", "S1"): known(14)}, lines))
    assert other.verdict is Verdict.HELD
    assert "a dated change is under way: line L1 bills 10 until" in other.reasons[0]
    assert proposed(reconcile(legs({("V1", "S1"): known(14)}, lines))).changes == ()


def test_a_line_of_next_year_is_no_successor() -> None:
    ends = TODAY + timedelta(days=5)
    row = only_row(legs({("V1", "S1"): known(12)}, successor(ends, ends + timedelta(days=3))))
    assert (row.verdict, row.line is not None and row.line.id) == (Verdict.BILL_MORE, "L1")
    assert any("line L2 begins on" in reason for reason in row.reasons)


def test_the_day_between_the_old_line_and_the_new_one_is_no_missing_line() -> None:
    """ConnectWise patterns end the old line the day before the new one begins; nobody lost the line meanwhile."""
    yesterday, tomorrow = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
    for ends, begins in ((TODAY, tomorrow), (yesterday, tomorrow)):
        assert only_row(legs({("V1", "S1"): known(12)}, successor(ends, begins))).verdict is Verdict.IN_LINE
        assert only_row(legs({("V1", "S1"): known(14)}, successor(ends, begins))).verdict is Verdict.HELD
    long_ago = only_row(legs({("V1", "S1"): known(12)}, successor(TODAY - timedelta(days=3), tomorrow)))
    assert long_ago.verdict is Verdict.HELD
    assert "nothing is billed before that" in long_ago.reasons[0]


def test_once_the_new_line_bills_it_is_the_line() -> None:
    row = only_row(legs({("V1", "S1"): known(14)}, successor(TODAY, TODAY)))
    assert (row.verdict, row.line is not None and row.line.id) == (Verdict.BILL_MORE, "L2")


def test_two_lines_that_could_follow_or_one_on_another_agreement_follow_nothing() -> None:
    ends = TODAY + timedelta(days=5)
    two = [*successor(ends, ends), line("L3", "9", begins=ends)]
    assert only_row(legs({("V1", "S1"): known(12)}, two)).line == two[0]
    elsewhere = [line("L1", "10", ends=ends), line("L2", "12", begins=ends, agreement_id="A2")]
    both = [agreement(), agreement("A2")]
    assert only_row(legs({("V1", "S1"): known(12)}, elsewhere, agreements=both)).line == elsewhere[0]


def test_a_successor_nobody_may_write_or_of_no_whole_quantity_is_held() -> None:
    ends = TODAY + timedelta(days=5)
    assert only_row(legs({("V1", "S1"): known(12)}, successor(ends, ends, "12.5"))).verdict is Verdict.HELD


# A line that a person asks for


def terms(wish: EffectiveWish | None = None, capabilities: PsaCapabilities = CONNECTWISE) -> PlanTerms:
    return PlanTerms("example", "2026-11", TODAY, POLICY, capabilities, wish or EffectiveWish(), "connectwise acme")


def new_revenue(**more: object) -> Row:
    (row,) = reconcile(legs({("V1", "S1"): known(20)}, [], **more)).rows  # type: ignore[arg-type]
    assert row.verdict is Verdict.NEW_REVENUE
    return row


def asked(row: Row, on: Agreement | None = None, given: PlanTerms | None = None) -> Change:
    return line_to_create(
        row, on or agreement(), product_name="Email", added_by="dana", psa_read_at=READ_AT, terms=given or terms()
    )


def test_a_missing_line_is_made_with_the_seats_of_the_row() -> None:
    change = asked(new_revenue(), agreement(next_invoice_on=NEXT_MONTH))
    assert (change.kind, change.line_id, change.expected, change.target) == (ChangeKind.CREATE_LINE, "", 0, 20)
    assert (change.agreement_id, change.product_id, change.added_by) == ("A1", "X", "dana")
    assert (change.monthly_money, change.effective_text, change.holds) == (Decimal("70.00"), "now", ())
    assert change.next_invoice == NextInvoiceLine(NEXT_MONTH, 20, Decimal("70.00"))
    assert "a new line for Email on Agreement A1" in change.reasons[0]
    assert change.content()["kind"] == "create_line"
    assert change.content()["added_by"] == "dana"


def test_a_line_from_a_day_on_is_not_on_the_invoice_before_it() -> None:
    on = agreement(prorates=True, next_invoice_on=NEXT_MONTH)
    change = asked(new_revenue(), on, terms(DATED))
    assert (change.effective, change.holds) == (date(2026, 12, 24), ())
    assert change.next_invoice == NextInvoiceLine(NEXT_MONTH, 0, Decimal(0))


def test_a_date_the_agreement_does_not_take_holds_the_line() -> None:
    assert guards(asked(new_revenue(), given=terms(DATED))) == ["date_not_possible"]


def test_the_row_says_which_agreements_could_take_it() -> None:
    over, not_begun = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
    agreements = [
        agreement("A3"), agreement("A1"), agreement("A2", state=AgreementState.CANCELLED), agreement("A4", ends=over),
        agreement("A5", starts=not_begun), agreement("A6", "P2"),
    ]  # fmt: skip
    assert [one.id for one in new_revenue(agreements=agreements).choices] == ["A1", "A3"]
    assert only_row(legs()).choices == ()


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        (agreement(psa_id="P2"), "not of client P1"),
        (agreement(state=AgreementState.CANCELLED), "cancelled"),
        (agreement(state=AgreementState.UNKNOWN), "unknown"),
        (agreement(ends=TODAY - timedelta(days=1)), "expired"),
        (agreement(starts=TODAY + timedelta(days=1)), "inactive"),
    ],
)
def test_an_agreement_that_cannot_take_it_is_refused(chosen: Agreement, why: str) -> None:
    with pytest.raises(InputInvalid, match=why) as refused:
        asked(new_revenue(), chosen)
    assert refused.value.field == "agreement"


def test_a_row_that_lacks_no_line_is_refused() -> None:
    for given in (legs(), legs({("V1", "S1"): known(12)}), legs({("V1", "S1"): known(0)}, [])):
        with pytest.raises(PlanNotReady, match="lacks no line"):
            asked(only_row(given))


@pytest.mark.parametrize("name", [IntegrationName.AUTOTASK, IntegrationName.SYNCRO, IntegrationName.PSA_FILES])
def test_where_no_line_can_be_made_a_person_is_told_to_make_it(name: IntegrationName) -> None:
    with pytest.raises(PlanNotReady) as refused:
        asked(new_revenue(), given=terms(capabilities=PSA_CAPABILITIES[name]))
    assert "Make the line there with 20 seats" in refused.value.remedy


DOUBTS: dict[str, Callable[[], Row]] = {
    "counts_disagree": lambda: only_row(legs({("V1", "S1"): known(20, conflict="another source says 3")}, [])),
    "account_not_active": lambda: new_revenue(entries=[entry(account_state=AccountState.SUSPENDED)]),
    "price_missing": lambda: new_revenue(services=[service(catalog_price=None)]),
    "old_count": lambda: only_row(legs({("V1", "S1"): replace(known(20), as_of=READ_AT - timedelta(days=8))}, [])),
}


@pytest.mark.parametrize("guard", DOUBTS)
def test_what_is_doubtful_about_the_count_holds_a_new_line_too(guard: str) -> None:
    assert guards(asked(DOUBTS[guard]())) == [guard]


def test_an_added_line_can_be_dropped_and_a_proposed_change_cannot() -> None:
    plan = proposed(reconcile(legs({("V1", "S1"): known(12)})))
    added = asked(new_revenue())
    larger = plan.with_change(added)
    assert larger.checksum != plan.checksum
    assert larger.hands == {"the monthly run", "dana"}
    assert larger.without_change(added.id) == plan
    with pytest.raises(Conflict, match="has change"):
        larger.with_change(added)
    with pytest.raises(Conflict, match="proposed by the comparison"):
        larger.without_change(plan.changes[0].id)
    approved = larger.approved(larger.checksum, by="alex", at=READ_AT)
    for late in (lambda: approved.with_change(added), lambda: approved.without_change(added.id)):
        with pytest.raises(PlanNotReady):
            late()
