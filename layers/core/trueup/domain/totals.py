"""Sums over the rows of one reconciliation. An unknown price is in no sum, and is counted instead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from trueup.domain.counts import Known
from trueup.domain.mapping import MappingTotals
from trueup.domain.verdicts import VERDICT_ORDER, Row, Totals, Verdict

_PRICED = frozenset(
    {Verdict.BILL_MORE, Verdict.BILL_LESS, Verdict.ORDER_AND_BILL, Verdict.NEW_REVENUE, Verdict.NOT_SOLD}
)
"""The verdicts that are worth money; the others wait for data or a decision before a price means anything."""

_CORRECTED = _PRICED - {Verdict.NOT_SOLD}
"""What is corrected by billing otherwise; a line that nothing is sold for is first looked into."""


def totals_of(rows: Sequence[Row], accounts: MappingTotals) -> Totals:
    """The sums of these rows; ``accounts`` tells how many vendor accounts are in each mapping state."""
    verdicts: dict[Verdict, int] = defaultdict(int)
    money: dict[tuple[str, Verdict], Decimal] = defaultdict(Decimal)
    missed: dict[str, Decimal] = defaultdict(Decimal)
    excess: dict[str, Decimal] = defaultdict(Decimal)
    deltas = [row.order.delta for row in rows if row.order is not None]
    for row in rows:
        verdicts[row.verdict] += 1
        if row.monthly_money:
            money[(row.currency, row.verdict)] += row.monthly_money
        if row.monthly_money and row.verdict in _CORRECTED:
            side = missed if row.monthly_money > 0 else excess
            side[row.currency] += abs(row.monthly_money)
    return Totals(
        rows=len(rows),
        verdicts=tuple((verdict, verdicts[verdict]) for verdict in VERDICT_ORDER),
        accounts=accounts,
        agreement_seats=sum(row.counts.agreement.seats for row in rows if isinstance(row.counts.agreement, Known)),
        billed_seats=sum(row.counts.billed.seats for row in rows if isinstance(row.counts.billed, Known)),
        money=tuple((currency, verdict, amount) for (currency, verdict), amount in sorted(money.items())),
        rows_without_price=sum(1 for row in rows if row.verdict in _PRICED and row.monthly_money is None),
        licensed_seats=sum(row.counts.licensed.seats for row in rows if isinstance(row.counts.licensed, Known)),
        order_more_seats=sum(delta for delta in deltas if delta > 0),
        order_less_seats=-sum(delta for delta in deltas if delta < 0),
        leakage=tuple((one, missed[one], excess[one]) for one in sorted({*missed, *excess})),
    )
