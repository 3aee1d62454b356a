"""What a comparison says: rows, verdicts and totals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from trueup.domain.accounts import AccountState, ServiceId, VendorAccountId
from trueup.domain.billing import Agreement, Line, ProductId, PsaAccountId
from trueup.domain.counts import Count, Known
from trueup.domain.mapping import MappingTotals


class Verdict(StrEnum):
    """The outcome of comparing the legs.

    new revenue: the vendor bills seats that no PSA line bills on. not sold: a PSA line bills what the vendor does not.
    held: the line is there but cannot be changed as things stand; the reasons say why. order more, order less: the PSA
    bills what it should and the agreement with the vendor is off the licensed count. order and bill: both are off.
    """

    IN_LINE = "in_line"
    BILL_MORE = "bill_more"
    BILL_LESS = "bill_less"
    ORDER_MORE = "order_more"
    ORDER_LESS = "order_less"
    ORDER_AND_BILL = "order_and_bill"
    NEW_REVENUE = "new_revenue"
    NOT_SOLD = "not_sold"
    UNMAPPED = "unmapped"
    MISSING_DATA = "missing_data"
    AMBIGUOUS = "ambiguous"
    HELD = "held"

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")

    @property
    def is_exception(self) -> bool:
        """Whether a person has something to look at."""
        return self is not Verdict.IN_LINE

    @property
    def is_billing_change(self) -> bool:
        """Whether a line of the PSA gets another quantity; which way, the numbers say."""
        return self in {Verdict.BILL_MORE, Verdict.BILL_LESS, Verdict.ORDER_AND_BILL}


VERDICT_ORDER: tuple[Verdict, ...] = (
    Verdict.ORDER_AND_BILL,
    Verdict.BILL_MORE,
    Verdict.BILL_LESS,
    Verdict.ORDER_MORE,
    Verdict.ORDER_LESS,
    Verdict.NEW_REVENUE,
    Verdict.NOT_SOLD,
    Verdict.HELD,
    Verdict.AMBIGUOUS,
    Verdict.MISSING_DATA,
    Verdict.UNMAPPED,
    Verdict.IN_LINE,
)
"""The order of the table: what can be corrected now first, what is in line last."""


@dataclass(frozen=True, slots=True)
class Member:
    """One vendor account and service that a row counts."""

    vendor_id: VendorAccountId
    vendor_name: str
    account_state: AccountState
    status_text: str
    service_id: ServiceId
    service_name: str
    count: Count

    @property
    def is_doubtful(self) -> bool:
        """Whether the account is not plainly active. A status word we do not know is doubtful; no status at all is
        not, because not every source gives one.
        """
        return self.account_state in {AccountState.PENDING, AccountState.SUSPENDED} or (
            self.account_state is AccountState.UNKNOWN and bool(self.status_text)
        )

    @property
    def status(self) -> str:
        return self.status_text or self.account_state.value


@dataclass(frozen=True, slots=True)
class RowCounts:
    """The three legs of one row."""

    agreement: Count
    licensed: Count
    billed: Count


@dataclass(frozen=True, slots=True)
class OrderNeed:
    """What the agreement with the vendor should hold for one account and service, and does not.

    ``agreement`` is what it holds now and ``target`` what the licensed count asks for, both in seats. ``obstacle`` says
    in words why no change order can be drafted from this as it stands (several accounts share the client's users, a
    count is doubtful); empty when one can.
    """

    vendor_id: VendorAccountId
    service_id: ServiceId
    agreement: int
    target: int
    obstacle: str = ""

    @property
    def delta(self) -> int:
        return self.target - self.agreement

    @property
    def words(self) -> str:
        """``order 5 more``, ``order 2 less``."""
        return f"order {self.delta} more" if self.delta > 0 else f"order {-self.delta} less"


@dataclass(frozen=True, slots=True)
class LineShare:
    """One of several lines a person divided the seats among, and what it should bill of them now."""

    line: Line
    agreement: Agreement
    target: int


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.

    ``members`` is empty for a line whose client has no vendor account, or several that do not sell it. ``line`` is set
    when a change could go to exactly one live line; ``shares`` when a person divided the seats among several, and then
    ``line`` is None. ``choices`` are the agreements that could take the line which a new-revenue row lacks.
    ``monthly_money`` is what a month gains by correcting the PSA
    (negative: the client pays too much now), and None where no price is known. ``reasons`` are sentences for a person.
    """

    id: str
    members: tuple[Member, ...]
    psa_account_id: PsaAccountId | None
    psa_account_name: str
    product_id: ProductId | None
    product_code: str
    counts: RowCounts
    verdict: Verdict
    monthly_money: Decimal | None
    currency: str
    reasons: tuple[str, ...]
    line: Line | None = None
    agreement: Agreement | None = None
    shares: tuple[LineShare, ...] = ()
    choices: tuple[Agreement, ...] = ()
    order: OrderNeed | None = None
    """What to order from the vendor; None where agreement and licensed count agree or one of them is not known."""
    target: Count | None = None
    """What the PSA should bill where that is not the agreement's count: by the billing basis, or with ordered seats."""

    @property
    def to_bill(self) -> Count:
        """What the PSA should bill, with its basis and its evidence."""
        return self.counts.agreement if self.target is None else self.target

    @property
    def bill_target(self) -> int | None:
        """What the PSA should bill by the tenant's billing basis, in seats; None where that is not known."""
        wanted = self.to_bill
        return wanted.seats if self.product_id is not None and isinstance(wanted, Known) else None


@dataclass(frozen=True, slots=True)
class ExcludedAccount:
    """A vendor account that a person took out of the comparison, with the reason; it is listed, never hidden."""

    vendor_id: VendorAccountId
    vendor_name: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """A vendor account that a person still has to decide on: unmapped or ambiguous."""

    vendor_id: VendorAccountId
    vendor_name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the rows. ``money`` is a tuple of (currency, verdict, amount a month); an unknown price is in no
    sum. ``licensed_seats`` counts the users of a client once for each of its rows. ``order_more_seats`` and
    ``order_less_seats`` are what to order from the vendor, each as a positive number. ``leakage`` is, by currency, what
    a month is not billed and what it is billed too much on lines that can be corrected, both as positive amounts: one
    does not make up for the other.
    """

    rows: int
    verdicts: tuple[tuple[Verdict, int], ...]
    accounts: MappingTotals
    agreement_seats: int
    billed_seats: int
    money: tuple[tuple[str, Verdict, Decimal], ...]
    rows_without_price: int
    licensed_seats: int = 0
    order_more_seats: int = 0
    order_less_seats: int = 0
    leakage: tuple[tuple[str, Decimal, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """All rows of one period with what is excluded and open. Ordered and free of clock readings but for as-of times."""

    period: str
    rows: tuple[Row, ...]
    excluded: tuple[ExcludedAccount, ...]
    unmapped: tuple[OpenAccount, ...]
    ambiguous: tuple[OpenAccount, ...]
    totals: Totals

    @property
    def has_differences(self) -> bool:
        return any(row.verdict.is_exception for row in self.rows)
