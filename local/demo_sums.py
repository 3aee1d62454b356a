"""Whether what the demo printed adds up: counted again from the single rows, and held against the printed sums.

Must not: take a sum of the product for its own proof. Accounts are counted at the simulated vendor, rows and seats are
counted and added here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from local.cli.output import Output
from trueup.domain.counts import Count, Known
from trueup.domain.verdicts import Reconciliation, Totals

_DIRECTIONS = (("underbilled", "billed too little"), ("overbilled", "billed too much"))


@dataclass(frozen=True, slots=True)
class Check:
    """One equation, in words, and whether it holds."""

    words: str
    holds: bool


def comparison_checks(found: Reconciliation, accounts_at_vendor: int) -> tuple[Check, ...]:
    """Accounts by state, rows by verdict, and the seats of the three legs."""
    totals, states = found.totals, found.totals.accounts
    parts = (states.mapped, states.excluded, states.ambiguous, states.unmapped)
    counted = Counter(row.verdict for row in found.rows)
    verdicts = [(verdict, count) for verdict, count in totals.verdicts if count]
    sums = tuple(
        _seats(counts)
        for counts in (
            (row.counts.agreement for row in found.rows),
            (row.counts.licensed for row in found.rows),
            (row.counts.billed for row in found.rows),
        )
    )
    return (
        Check(
            f"{accounts_at_vendor} accounts at Mimecast = {parts[0]} mapped + {parts[1]} excluded + "
            f"{parts[2]} ambiguous + {parts[3]} unmapped",
            accounts_at_vendor == sum(parts),
        ),
        Check(
            f"{len(found.rows)} rows = {' + '.join(f'{count} {verdict.words}' for verdict, count in verdicts)}",
            dict(verdicts) == dict(counted) and len(found.rows) == totals.rows == sum(count for _, count in verdicts),
        ),
        Check(
            f"the rows add up to {sums[0]} seats agreed, {sums[1]} licensed, {sums[2]} billed",
            sums == _printed_seats(totals),
        ),
    )


def report_checks(report: dict[str, Any]) -> tuple[Check, ...]:
    """What was found against what became of it, for each currency and direction of `trueup report --json`."""
    checks = []
    for total in report["totals"]:
        for key, words in _DIRECTIONS:
            currency = total["currency"]
            flow = {name: Decimal(amount) for name, amount in total[key].items()}
            rows = [row[key] for row in report["rows"] if row["currency"] == currency]
            told = {name: sum((Decimal(row[name]) for row in rows), Decimal(0)) for name in flow}
            settled = f" + {money_words(flow['settled'])} settled elsewhere" if flow["settled"] else ""
            checks.append(
                Check(
                    f"{words}: {money_words(flow['found'])} {currency} found = "
                    f"{money_words(flow['corrected'])} corrected{settled} + "
                    f"{money_words(flow['outstanding'])} outstanding",
                    flow["found"] == flow["corrected"] + flow["settled"] + flow["outstanding"] and flow == told,
                )
            )
    return tuple(checks)


def money_words(amount: Decimal) -> str:
    return f"{amount:.2f}"


def say_checks(stage: Output, checks: Sequence[Check]) -> int:
    """One line that says whether it all adds up, and what does not. How many checks do not hold."""
    wrong = [check for check in checks if not check.holds]
    words = "; ".join(check.words for check in wrong or checks)
    stage.line()
    stage.paragraph(f"{'✗ It does not add up' if wrong else '✓ It adds up'}: {words}.")
    return len(wrong)


def _printed_seats(totals: Totals) -> tuple[int, int, int]:
    return totals.agreement_seats, totals.licensed_seats, totals.billed_seats


def _seats(counts: Iterable[Count]) -> int:
    return sum(count.seats for count in counts if isinstance(count, Known))
