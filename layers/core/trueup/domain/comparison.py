"""What one comparison was made of and what it found: kept with it, so that it can be explained and made again.

The reads themselves are not in it; their pages are stored under their content address and are named by the headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from trueup.domain.accounts import VendorFacts
from trueup.domain.billing import PsaAccountId, PsaFacts
from trueup.domain.counting_policy import CountingPolicy
from trueup.domain.counts import Count, Known
from trueup.domain.legs_view import Legs
from trueup.domain.licenses import TenantId
from trueup.domain.plan_building import PlanTerms
from trueup.domain.runs import Snapshot
from trueup.domain.verdicts import Row, Verdict


@dataclass(frozen=True, slots=True)
class ComparisonInputs:
    """All that one comparison and its plan were made of.

    ``legs`` holds everything but the facts of the reads (``without_facts``); ``reads`` are the headers of the reads
    that the facts come from. ``terms``, ``run_id``, ``created_at``, ``read_ages_hours``, ``snapshots`` (digests) and
    ``prepared_by`` are what the plan was built with. ``tenants`` are the license tenants that were counted, for whom,
    ``policies`` by which rules, that of the MSP first; what they came to is in ``legs``.
    """

    legs: Legs
    terms: PlanTerms
    reads: tuple[Snapshot, ...]
    run_id: str
    created_at: datetime
    read_ages_hours: tuple[Decimal, ...]
    snapshots: tuple[str, ...]
    prepared_by: str
    tenants: Mapping[TenantId, PsaAccountId] = field(default_factory=dict)
    policies: tuple[CountingPolicy, ...] = ()


def without_facts(legs: Legs) -> Legs:
    """The legs without what is in the pages of the reads, which are kept already."""
    return replace(legs, vendor=VendorFacts((), (), ()), psa=PsaFacts((), (), ()))


def with_facts(legs: Legs, vendor: VendorFacts, psa: PsaFacts) -> Legs:
    """The legs as they were compared."""
    return replace(legs, vendor=vendor, psa=psa)


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference that one comparison showed, short enough to be kept for every comparison.

    ``monthly_money`` is what a month gains by correcting the PSA, negative where the client pays too much. It is None
    where nobody can say: no price is known, or the difference itself is not (``is_compared`` is False then: a count is
    missing, or something is ambiguous or held). A row that is in line is no finding.
    """

    row_id: str
    client_id: str
    client_name: str
    service: str
    verdict: Verdict
    monthly_money: Decimal | None
    currency: str
    is_compared: bool = True


@dataclass(frozen=True, slots=True)
class Findings:
    """What one comparison found, with the time it was made; a period has one of these for each comparison of it."""

    run_id: str
    at: datetime
    items: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """The three counts of one row, short enough to be read for a year of months; None is a count nobody knows."""

    row_id: str
    client_id: str
    client_name: str
    service: str
    agreement: int | None
    licensed: int | None
    billed: int | None


def figures_of(rows: tuple[Row, ...]) -> tuple[Figure, ...]:
    """The figures of a comparison, by client, service and row."""
    found = [
        Figure(
            row.id,
            *client_of(row),
            service_of(row),
            _seats(row.counts.agreement),
            _seats(row.counts.licensed),
            _seats(row.counts.billed),
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda one: (one.client_id, one.service, one.row_id)))


def _seats(count: Count) -> int | None:
    return int(count.seats) if isinstance(count, Known) else None


_BILLED_RIGHT = frozenset({Verdict.IN_LINE, Verdict.ORDER_MORE, Verdict.ORDER_LESS})
"""Verdicts of rows where the PSA bills what it should, whatever is to be ordered."""

_NOT_COMPARED = frozenset({Verdict.UNMAPPED, Verdict.MISSING_DATA, Verdict.AMBIGUOUS, Verdict.HELD})
"""Verdicts of rows of which nobody can say yet how much is off."""


def findings_of(rows: tuple[Row, ...]) -> tuple[Finding, ...]:
    """The findings of a comparison, by row id."""
    found = [_finding(row) for row in rows if row.verdict not in _BILLED_RIGHT]
    return tuple(sorted(found, key=lambda finding: finding.row_id))


def _finding(row: Row) -> Finding:
    is_compared = row.verdict not in _NOT_COMPARED
    return Finding(
        row_id=row.id,
        client_id=client_of(row)[0],
        client_name=client_of(row)[1],
        service=service_of(row),
        verdict=row.verdict,
        monthly_money=row.monthly_money if is_compared else None,
        currency=row.currency,
        is_compared=is_compared,
    )


def client_of(row: Row) -> tuple[str, str]:
    """Id and name of whom the row is about: the client in the PSA, or the vendor accounts where there is none yet."""
    if row.psa_account_id is not None:
        return str(row.psa_account_id), row.psa_account_name
    ids = " + ".join(dict.fromkeys(str(member.vendor_id) for member in row.members))
    return ids, " + ".join(dict.fromkeys(member.vendor_name for member in row.members))


def service_of(row: Row) -> str:
    """What the row is about in words: the product's code, or the vendor's names where no product is mapped."""
    if row.product_code:
        return row.product_code
    return " + ".join(dict.fromkeys(member.service_name or str(member.service_id) for member in row.members))
