"""The monthly report: what was found is corrected, settled elsewhere or outstanding, whatever happens in a month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.comparison import Figure, Finding, Findings
from trueup.domain.monthly_report import Correction, Flow, MonthlyReport, monthly_report
from trueup.domain.report_sources import adjustments_of
from trueup.domain.verdicts import Verdict

NOW = datetime(2026, 9, 3, 8, 0, tzinfo=UTC)
ROWS = ("r1", "r2", "r3")
CURRENCIES = {"r1": "USD", "r2": "USD", "r3": "EUR"}
CLIENTS = {"r1": "A", "r2": "B", "r3": "A"}
SERVICES = {"r1": "MAIL", "r2": "ARCHIVE", "r3": "MAIL"}


def finding(
    row: str, money: str | Decimal | None, verdict: Verdict = Verdict.BILL_MORE, *, known: bool = True
) -> Finding:
    amount = None if money is None else Decimal(money)
    return Finding(row, CLIENTS[row], f"Client {CLIENTS[row]}", SERVICES[row], verdict, amount, CURRENCIES[row], known)


def compared(hour: int, *items: Finding) -> Findings:
    return Findings(f"run-{hour}", NOW + timedelta(hours=hour), items)


def corrected(hour: int, row: str, money: str | Decimal | None, *, ours: bool = True) -> Correction:
    amount = None if money is None else Decimal(money)
    at = NOW + timedelta(hours=hour)
    return Correction(at, row, CLIENTS[row], f"Client {CLIENTS[row]}", SERVICES[row], CURRENCIES[row], amount, ours)


def report(findings: Sequence[Findings], corrections: Sequence[Correction] = (), **why: str) -> MonthlyReport:
    return monthly_report("2026-09", findings=findings, corrections=corrections, why=why)


def flow(found: str, corrected: str = "0", settled: str = "0", outstanding: str = "0") -> Flow:
    return Flow(Decimal(found), Decimal(corrected), Decimal(settled), Decimal(outstanding))


class TestOneRow:
    def test_found_and_corrected(self) -> None:
        (row,) = report([compared(1, finding("r1", "20"))], [corrected(2, "r1", "20")]).rows
        assert (row.underbilled, row.overbilled, row.why) == (flow("20", "20"), flow("0"), "")

    def test_found_and_left_with_the_reason_a_plan_gives(self) -> None:
        found = report([compared(1, finding("r1", "20"))], r1="held: jump")
        assert found.rows[0].underbilled == flow("20", outstanding="20")
        assert found.reasons == (("held: jump", "USD", Decimal(20), Decimal(0), 1),)

    def test_what_is_gone_by_itself_was_settled_elsewhere(self) -> None:
        (row,) = report([compared(1, finding("r1", "20")), compared(2)]).rows
        assert row.underbilled == flow("20", settled="20")

    def test_what_the_psa_had_already_is_not_our_correction(self) -> None:
        (row,) = report([compared(1, finding("r1", "20"))], [corrected(2, "r1", "20", ours=False)]).rows
        assert row.underbilled == flow("20", settled="20")

    def test_more_of_it_later_is_found_too_and_the_same_again_is_not(self) -> None:
        times = [compared(1, finding("r1", "20")), compared(2, finding("r1", "20")), compared(3, finding("r1", "30"))]
        assert report(times).rows[0].underbilled == flow("30", outstanding="30")

    def test_too_much_is_never_set_against_too_little(self) -> None:
        found = report([compared(1, finding("r1", "20"), finding("r2", "-15"))])
        assert found.totals[0].underbilled == flow("20", outstanding="20")
        assert found.totals[0].overbilled == flow("15", outstanding="15")

    def test_a_row_that_turns_round_is_settled_on_one_side_and_found_on_the_other(self) -> None:
        (row,) = report([compared(1, finding("r1", "20")), compared(2, finding("r1", "-5"))]).rows
        assert (row.underbilled, row.overbilled) == (flow("20", settled="20"), flow("5", outstanding="5"))

    def test_a_correction_that_was_taken_back_is_outstanding_again(self) -> None:
        (row,) = report([compared(1)], [corrected(2, "r1", "-20")]).rows
        assert row.underbilled == flow("0", corrected="-20", outstanding="20")

    def test_an_amount_that_nobody_can_say_again_stays_the_last_known_one(self) -> None:
        unsaid = finding("r1", None, Verdict.MISSING_DATA, known=False)
        found = report([compared(1, finding("r1", "20")), compared(2, unsaid)])
        assert found.rows[0].underbilled == flow("20", outstanding="20")
        assert (found.rows[0].is_confirmed, found.rows[0].why) == (False, "could not be compared again")
        assert (found.unknown, found.unpriced) == (1, 0)

    def test_what_has_no_price_is_counted_and_in_no_sum(self) -> None:
        found = report([compared(1, finding("r1", None))], [corrected(2, "r1", None)])
        assert (found.rows, found.totals, found.unpriced) == ((), (), 1)

    @pytest.mark.parametrize(
        ("verdict", "why"),
        [
            (Verdict.NEW_REVENUE, "no line in the PSA yet"),
            (Verdict.NOT_SOLD, "billed and not sold by the vendor"),
            (Verdict.BILL_MORE, "in no plan"),
        ],
    )
    def test_without_a_plan_the_verdict_says_why(self, verdict: Verdict, why: str) -> None:
        assert report([compared(1, finding("r1", "20", verdict))]).rows[0].why == why


def test_a_month_that_was_never_compared_says_so() -> None:
    found = report([])
    assert (found.comparisons, found.first_compared_at, found.compared_at, found.totals) == (0, None, None, ())


def test_currencies_and_groups_stay_apart() -> None:
    found = report([compared(1, finding("r1", "20"), finding("r2", "7"), finding("r3", "11"))])
    assert [(one.currency, one.underbilled.found) for one in found.totals] == [
        ("EUR", Decimal(11)),
        ("USD", Decimal(27)),
    ]
    assert {(one.key, one.currency): one.underbilled.found for one in found.by_client} == {
        ("A", "USD"): Decimal(20),
        ("A", "EUR"): Decimal(11),
        ("B", "USD"): Decimal(7),
    }
    assert {(one.key, one.currency) for one in found.by_service} == {
        ("MAIL", "USD"),
        ("MAIL", "EUR"),
        ("ARCHIVE", "USD"),
    }


amounts = st.none() | st.decimals(min_value=-50, max_value=50, places=2)
comparisons = st.dictionaries(st.sampled_from(ROWS), amounts)
steps = st.lists(
    st.one_of(
        comparisons.map(lambda told: ("compare", told)),
        st.tuples(st.sampled_from(ROWS), amounts, st.booleans()).map(lambda told: ("correct", told)),
    ),
    max_size=12,
)


@given(steps)
def test_found_is_corrected_and_settled_and_outstanding_whatever_happens(months: list[tuple[str, object]]) -> None:
    findings: list[Findings] = []
    corrections: list[Correction] = []
    left: dict[str, Decimal] = defaultdict(Decimal)
    ours: dict[str, Decimal] = defaultdict(Decimal)
    for hour, (kind, told) in enumerate(months):
        if kind == "compare":
            assert isinstance(told, dict)
            findings.append(compared(hour, *(finding(row, money) for row, money in told.items())))
            for row in ROWS:
                money = told.get(row, Decimal(0))
                left[row] = left[row] if money is None else money
        else:
            assert isinstance(told, tuple)
            row, money, is_ours = told
            corrections.append(corrected(hour, row, money, ours=is_ours))
            left[row] -= money or 0
            ours[row] += (money or Decimal(0)) if is_ours else 0
    found = report(findings, corrections)
    for one in (*found.rows, *found.totals, *found.by_client, *found.by_service):
        assert one.underbilled.adds_up
        assert one.overbilled.adds_up
        assert min(one.underbilled.found, one.underbilled.outstanding, one.overbilled.found) >= 0
    by_row = {row.row_id: row for row in found.rows}
    for row in ROWS:
        told_of = by_row.get(row)
        outstanding = (Decimal(0), Decimal(0))
        signed = Decimal(0)
        if told_of is not None:
            outstanding = (told_of.underbilled.outstanding, told_of.overbilled.outstanding)
            signed = told_of.underbilled.corrected - told_of.overbilled.corrected
        assert outstanding == (max(left[row], Decimal(0)), max(-left[row], Decimal(0)))
        assert signed == ours[row]
    for currency in ("USD", "EUR"):
        rows = [row for row in found.rows if row.currency == currency]
        for sums in (found.totals, found.by_client, found.by_service):
            mine = [one for one in sums if one.currency == currency]
            assert sum((one.underbilled for one in mine), Flow()) == sum((row.underbilled for row in rows), Flow())
            assert sum(one.rows for one in mine) == len(rows)
    assert sum(reason[2] for reason in found.reasons) == sum(row.underbilled.outstanding for row in found.rows)


@pytest.mark.fault("D7")
def test_D7_a_count_that_moved_since_the_month_was_closed_is_an_adjustment_of_this_one() -> None:
    sealed = [figure("r1", 12), figure("r2", None), figure("r3", 5)]
    now = [figure("r1", 15), figure("r2", 9), figure("r3", 5), figure("r4", 3)]
    (moved,) = adjustments_of(sealed, now)
    assert (moved.client_id, moved.sealed_seats, moved.seats) == ("A", 12, 15)


def figure(row: str, seats: int | None) -> Figure:
    return Figure(row, CLIENTS.get(row, "Z"), "Client", SERVICES.get(row, "MAIL"), seats, None, None)
