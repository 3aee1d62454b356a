"""What a row is worth a month, and how its seats are divided among several lines. No price gives no number."""

from __future__ import annotations

from decimal import Decimal

from trueup.domain.counts import Count, Known
from trueup.domain.legs import Billing, monthly_difference
from trueup.domain.mapping import ServiceEntry
from trueup.domain.verdicts import LineShare, Verdict

_NOTHING_TO_BILL = frozenset({Verdict.IN_LINE, Verdict.ORDER_MORE, Verdict.ORDER_LESS})


def shares_of(verdict: Verdict, target: Count, billing: Billing | None) -> tuple[LineShare, ...]:
    """What each of several lines should bill, where a person said how the seats are divided and a change is due."""
    if not verdict.is_billing_change or billing is None or billing.allocation is None:
        return ()
    assert isinstance(target, Known)
    targets = dict(billing.allocation.targets(target.seats) or ())
    return tuple(LineShare(line, terms, targets[line.id]) for line, terms in billing.divided)


def money_of(verdict: Verdict, target: Count, billing: Billing | None, product: ServiceEntry | None) -> Decimal | None:
    """What a month gains by correcting the row; new revenue is priced at the catalog's price, where there is one.

    What the vendor charges for seats to order is not known here and is in no sum.
    """
    if verdict in _NOTHING_TO_BILL:
        return Decimal(0)
    if verdict.is_billing_change and billing is not None and billing.line is not None:
        assert isinstance(target, Known)
        return monthly_difference(billing.line, target.seats)
    if shares := shares_of(verdict, target, billing):
        parts = [monthly_difference(share.line, share.target) for share in shares]
        known = [part for part in parts if part is not None]
        return sum(known, Decimal(0)) if len(known) == len(parts) else None
    if verdict is Verdict.NEW_REVENUE and isinstance(target, Known) and product is not None:
        return None if product.catalog_price is None else product.catalog_price * target.seats
    if verdict is Verdict.NOT_SOLD and billing is not None and billing.line is not None:
        return monthly_difference(billing.line, 0)
    return None
