"""What a month found, what of it was corrected, and what is outstanding: by client and by service, each currency apart.

Method: every row has an account of its own. A comparison that shows more difference than there should be has *found*
it; a change that was written has *corrected* it; what is gone without Trueup was *settled* elsewhere (in the PSA by
hand, by another count, by a mapping); what is left is *outstanding*. So found = corrected + settled + outstanding at
any time, for leakage (the PSA bills too little) and for what is billed too much, never set against each other.
Must not: take an amount that nobody knows for zero, or add two currencies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from trueup.domain.comparison import Finding, Findings
from trueup.domain.verdicts import Verdict


class Direction(StrEnum):
    """underbilled: the PSA bills less than it should, which is leakage. overbilled: the client pays too much."""

    UNDERBILLED = "underbilled"
    OVERBILLED = "overbilled"


@dataclass(frozen=True, slots=True)
class Flow:
    """Amounts a month, in one currency and one direction; none is negative but ``corrected``, where a person took a
    correction back that an earlier month had made."""

    found: Decimal = Decimal(0)
    corrected: Decimal = Decimal(0)
    settled: Decimal = Decimal(0)
    outstanding: Decimal = Decimal(0)

    def __add__(self, other: Flow) -> Flow:
        return Flow(
            self.found + other.found,
            self.corrected + other.corrected,
            self.settled + other.settled,
            self.outstanding + other.outstanding,
        )

    @property
    def adds_up(self) -> bool:
        return self.found == self.corrected + self.settled + self.outstanding


@dataclass(frozen=True, slots=True)
class Correction:
    """One change that has its result: ``is_ours`` when Trueup wrote it, False when the line was right already.

    ``monthly_money`` is what a month gains by it, None where no price is known.
    """

    at: datetime
    row_id: str
    client_id: str
    client_name: str
    service: str
    currency: str
    monthly_money: Decimal | None
    is_ours: bool = True


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One row of the month in one currency. ``why`` says in words why something is outstanding, empty when nothing is.

    ``is_confirmed`` is False where the last comparison could not say the difference again: it is the last known one.
    """

    row_id: str
    client_id: str
    client_name: str
    service: str
    currency: str
    underbilled: Flow
    overbilled: Flow
    why: str = ""
    is_confirmed: bool = True


@dataclass(frozen=True, slots=True)
class ReportSum:
    """The sum of some rows in one currency. ``key`` and ``name`` say of which client or service; empty for all."""

    key: str
    name: str
    currency: str
    rows: int
    underbilled: Flow
    overbilled: Flow


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An agreement that is counted otherwise than when the month before was closed: a late correction of the vendor, or
    seats that came and went. It belongs to this month; the closed one stays as it is."""

    client_id: str
    client_name: str
    service: str
    sealed_seats: int
    seats: int


@dataclass(frozen=True, slots=True)
class MonthlyReport:
    """The report of one period. ``compared_at`` is None when it was never compared; then nothing in it means zero.

    ``unpriced`` are rows that are off and have no price, ``unknown`` rows of which nobody can say whether they are off;
    both are in no sum. ``reasons`` sums what is outstanding by its reason: (words, currency, underbilled, overbilled,
    rows).
    """

    period: str
    is_closed: bool
    version: int
    comparisons: int
    first_compared_at: datetime | None
    compared_at: datetime | None
    rows: tuple[ReportRow, ...]
    totals: tuple[ReportSum, ...]
    by_client: tuple[ReportSum, ...]
    by_service: tuple[ReportSum, ...]
    reasons: tuple[tuple[str, str, Decimal, Decimal, int], ...]
    unpriced: int
    unknown: int
    orders: tuple[tuple[str, int], ...] = ()
    adjustments: tuple[Adjustment, ...] = ()


def monthly_report(
    period: str,
    *,
    findings: Sequence[Findings],
    corrections: Iterable[Correction],
    why: Mapping[str, str],
    is_closed: bool = False,
    version: int = 0,
    orders: tuple[tuple[str, int], ...] = (),
    adjustments: tuple[Adjustment, ...] = (),
) -> MonthlyReport:
    """The report of what the comparisons of a period found and what became of it.

    ``why`` says for a row id why what is left of it was not corrected, as far as a plan tells.
    """
    ledger = _Ledger()
    pending = sorted(corrections, key=lambda correction: correction.at)
    ordered = sorted(findings, key=lambda found: (found.at, found.run_id))
    for found in ordered:
        # What was corrected at the very moment of a comparison was corrected after what that one had read.
        while pending and pending[0].at < found.at:
            ledger.correct(pending.pop(0))
        ledger.compare(found.items)
    for correction in pending:
        ledger.correct(correction)
    last = ordered[-1].items if ordered else ()
    rows = ledger.rows(why)
    return MonthlyReport(
        period=period,
        is_closed=is_closed,
        version=version,
        comparisons=len(ordered),
        first_compared_at=ordered[0].at if ordered else None,
        compared_at=ordered[-1].at if ordered else None,
        rows=rows,
        totals=sums(rows, lambda row: ("", "")),
        by_client=sums(rows, lambda row: (row.client_id, row.client_name)),
        by_service=sums(rows, lambda row: (row.service, row.service)),
        reasons=_reasons(rows),
        unpriced=sum(1 for item in last if item.is_compared and item.monthly_money is None),
        unknown=sum(1 for item in last if not item.is_compared),
        orders=orders,
        adjustments=adjustments,
    )


@dataclass(slots=True)
class _Account:
    """What is known of one row in one currency. ``left`` is the signed difference that is still there."""

    client_id: str
    client_name: str
    service: str
    verdict: Verdict | None = None
    left: Decimal = Decimal(0)
    found: dict[Direction, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    corrected: dict[Direction, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    settled: dict[Direction, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    is_confirmed: bool = True

    def compared(self, amount: Decimal) -> None:
        for direction, grown in self._move(amount):
            if grown > 0:
                self.found[direction] += grown
            else:
                self.settled[direction] -= grown

    def changed(self, amount: Decimal, *, is_ours: bool) -> None:
        taken = self.corrected if is_ours else self.settled
        for direction, grown in self._move(self.left - amount):
            taken[direction] -= grown

    def flow(self, direction: Direction) -> Flow:
        return Flow(
            self.found[direction],
            self.corrected[direction],
            self.settled[direction],
            _part(self.left, direction),
        )

    def _move(self, left: Decimal) -> list[tuple[Direction, Decimal]]:
        """How much each direction grew or shrank."""
        moved = [(direction, _part(left, direction) - _part(self.left, direction)) for direction in Direction]
        self.left = left
        return moved


def _part(amount: Decimal, direction: Direction) -> Decimal:
    return max(amount if direction is Direction.UNDERBILLED else -amount, Decimal(0))


class _Ledger:
    """The accounts of all rows, by row and currency."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[str, str], _Account] = {}

    def compare(self, items: Iterable[Finding]) -> None:
        """One comparison tells of every row: what it does not name is in line, or is not there any more."""
        told: set[tuple[str, str]] = set()
        unsaid: set[str] = set()
        for item in items:
            if item.monthly_money is None:
                unsaid.add(item.row_id)
                continue
            key = (item.row_id, item.currency)
            told.add(key)
            account = self._account(key, item.client_id, item.client_name, item.service)
            account.verdict, account.is_confirmed = item.verdict, True
            account.compared(item.monthly_money)
        for key, account in self._accounts.items():
            if key[0] in unsaid:
                account.is_confirmed = False
            elif key not in told:
                account.is_confirmed = True
                account.compared(Decimal(0))

    def correct(self, correction: Correction) -> None:
        if correction.monthly_money is None:
            return
        key = (correction.row_id, correction.currency)
        account = self._account(key, correction.client_id, correction.client_name, correction.service)
        account.changed(correction.monthly_money, is_ours=correction.is_ours)

    def rows(self, why: Mapping[str, str]) -> tuple[ReportRow, ...]:
        """Every row that has anything to tell, most that is outstanding first."""
        found = [_row(key, account, why) for key, account in self._accounts.items()]
        told = [row for row in found if (row.underbilled, row.overbilled) != (Flow(), Flow())]
        return in_order(told)

    def _account(self, key: tuple[str, str], client_id: str, client_name: str, service: str) -> _Account:
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = _Account(client_id, client_name, service)
        elif client_name:
            account.client_name = client_name
        return account


def _row(key: tuple[str, str], account: _Account, why: Mapping[str, str]) -> ReportRow:
    words = ""
    if account.left:
        words = why.get(key[0]) or _why(account)
    return ReportRow(
        row_id=key[0],
        client_id=account.client_id,
        client_name=account.client_name,
        service=account.service,
        currency=key[1],
        underbilled=account.flow(Direction.UNDERBILLED),
        overbilled=account.flow(Direction.OVERBILLED),
        why=words,
        is_confirmed=account.is_confirmed,
    )


def _why(account: _Account) -> str:
    if not account.is_confirmed:
        return "could not be compared again"
    match account.verdict:
        case Verdict.NEW_REVENUE:
            return "no line in the PSA yet"
        case Verdict.NOT_SOLD:
            return "billed and not sold by the vendor"
    return "in no plan"


def in_order(rows: Iterable[ReportRow]) -> tuple[ReportRow, ...]:
    """Most that is outstanding first; the ids make the order total."""
    return tuple(sorted(rows, key=_row_order))


def _row_order(row: ReportRow) -> tuple[Decimal, Decimal, str, str, str, str]:
    left = row.underbilled.outstanding + row.overbilled.outstanding
    found = row.underbilled.found + row.overbilled.found
    return -left, -found, row.client_name, row.service, row.currency, row.row_id


def sums(rows: Iterable[ReportRow], of: Callable[[ReportRow], tuple[str, str]]) -> tuple[ReportSum, ...]:
    """One sum for each group and currency; the most that is outstanding first."""
    groups: dict[tuple[str, str], list[ReportRow]] = defaultdict(list)
    for row in rows:
        groups[(of(row)[0], row.currency)].append(row)
    found = [
        ReportSum(
            key,
            of(some[0])[1],
            currency,
            len(some),
            sum((row.underbilled for row in some), Flow()),
            sum((row.overbilled for row in some), Flow()),
        )
        for (key, currency), some in groups.items()
    ]
    return tuple(sorted(found, key=_sum_order))


def _sum_order(one: ReportSum) -> tuple[str, Decimal, Decimal, str, str]:
    left = one.underbilled.outstanding + one.overbilled.outstanding
    return one.currency, -left, -(one.underbilled.found + one.overbilled.found), one.name, one.key


def _reasons(rows: Iterable[ReportRow]) -> tuple[tuple[str, str, Decimal, Decimal, int], ...]:
    groups: dict[tuple[str, str], list[ReportRow]] = defaultdict(list)
    for row in rows:
        if row.why:
            groups[(row.why, row.currency)].append(row)
    found = [
        (
            words,
            currency,
            sum((row.underbilled.outstanding for row in some), Decimal(0)),
            sum((row.overbilled.outstanding for row in some), Decimal(0)),
            len(some),
        )
        for (words, currency), some in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: (one[1], -(one[2] + one[3]), one[0])))
