"""One seeded world, four PSAs: the same underlying facts give the same table, and applying the plan ends the month.

Through the real adapters, over real sockets to each PSA's simulator.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import pytest

from local.simulators import DEFAULT_PSA, SIMULATED_PSAS, demo_world
from tests.simulation.simulated import PERSON, SimulatedOffice, simulated
from trueup.domain.billing import WriteOutcome
from trueup.domain.counts import Count, Known
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.integrations import IntegrationName
from trueup.domain.verdicts import Reconciliation, Verdict
from trueup.usecases import mapping

SEED = 7
CORRECTED = 15

type Leg = int | str
type TableRow = tuple[tuple[str, ...], str, str, Leg, Leg, Leg, str, Decimal | None]


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one month: the table before and after, and what each change was about."""

    before: tuple[TableRow, ...]
    after: tuple[TableRow, ...]
    changes: tuple[tuple[str, str, int, Decimal | None], ...]
    outcomes: tuple[WriteOutcome, ...]
    differing: tuple[str, ...]
    changes_of_second_run: int
    writes: int


def leg(count: Count) -> Leg:
    return count.seats if isinstance(count, Known) else type(count).__name__


def table(found: Reconciliation) -> tuple[TableRow, ...]:
    """What a person compares, in the words that all PSAs share: no id of a PSA's own."""
    rows = [
        (
            tuple(sorted(str(member.vendor_id) for member in row.members)),
            row.psa_account_name,
            row.product_code,
            leg(row.counts.agreement),
            leg(row.counts.licensed),
            leg(row.counts.billed),
            row.verdict.value,
            row.monthly_money,
        )
        for row in found.rows
    ]
    return tuple(sorted(rows, key=lambda row: (row[1], row[2], row[0])))


def decide_what_is_left(office: SimulatedOffice) -> None:
    """The first suggestion for each account that is not matched by name, as the demo does."""
    for entry in office.state.accounts.all():
        if not entry.is_decided and entry.suggestions:
            mapping.map_account(
                entry.vendor_id,
                entry.suggestions[0].psa_id,
                actor=PERSON,
                accounts=office.state.accounts,
                snapshots=office.state.snapshots,
                clock=office.clock,
            )


@cache
def played(psa: str) -> Played:
    with simulated(demo_world(SEED), psa=psa) as office:
        office.set_up()
        decide_what_is_left(office)
        outcome = office.run()
        plan = office.approve(outcome.plan)
        applied = office.apply(plan).plan
        differing = tuple(
            str(change.line_id) for change in applied.changes if office.psa_says(change) != float(change.target)
        )
        second = office.run()
        office.audit()
        return Played(
            table(outcome.reconciliation),
            table(second.reconciliation),
            tuple(
                (change.psa_account_name, change.product_code, int(change.target), change.monthly_money)
                for change in sorted(plan.changes, key=lambda one: (one.psa_account_name, one.product_code))
            ),
            tuple(result.outcome for result in applied.results),
            differing,
            len(second.plan.changes),
            len(office.world.writes),
        )


OTHERS = sorted(set(SIMULATED_PSAS) - {DEFAULT_PSA})


@pytest.mark.parametrize("psa", OTHERS)
def test_the_same_facts_give_the_same_table_whichever_psa_bills_them(psa: str) -> None:
    first, other = played(DEFAULT_PSA), played(psa)
    assert other.before == first.before
    assert other.after == first.after


@pytest.mark.parametrize("psa", OTHERS)
def test_the_same_changes_are_proposed_for_the_same_money(psa: str) -> None:
    assert played(psa).changes == played(DEFAULT_PSA).changes


@pytest.mark.parametrize("psa", sorted(SIMULATED_PSAS))
def test_applying_the_plan_ends_the_month(psa: str) -> None:
    month = played(psa)
    assert set(month.outcomes) == {WriteOutcome.APPLIED}
    assert month.differing == ()
    assert (len(month.outcomes), month.writes, month.changes_of_second_run) == (CORRECTED, CORRECTED, 0)


def test_the_table_holds_what_there_is_to_tell_apart() -> None:
    """An empty table would be the same everywhere."""
    rows = played(DEFAULT_PSA).before
    verdicts = {row[6] for row in rows}
    assert len(rows) > 45
    assert {Verdict.IN_LINE, Verdict.BILL_MORE, Verdict.BILL_LESS, Verdict.NEW_REVENUE, Verdict.NOT_SOLD} <= verdicts
    assert sum(1 for row in rows if row[7]) >= CORRECTED
    assert set(SIMULATED_PSAS) < set(PSA_CAPABILITIES)
    assert all(IntegrationName(name).label == kind.label for name, kind in SIMULATED_PSAS.items())
