"""One client's rows are the very rows that a run finds for it, on reads as they are now."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.usecases.office import Office, open_office
from tests.usecases.test_account_refresh import hint_of, refresh
from trueup.domain.billing import PsaAccountId
from trueup.domain.errors import NotFound
from trueup.domain.integrations import IntegrationName
from trueup.usecases.client_counts import ClientCounts, client_counts


def asked(office: Office, account: str) -> ClientCounts:
    state = office.state
    return client_counts(
        PsaAccountId(account),
        policy=office.policy,
        integrations=state.integrations,
        snapshots=state.snapshots,
        accounts=state.accounts,
        services=state.services,
        allocations=state.allocations,
        license_accounts=state.license_accounts,
        counting_policies=state.counting_policies,
        change_orders=state.change_orders,
        clock=office.clock,
    )


def test_each_client_has_the_rows_of_the_run(month: Office) -> None:
    month.client(5, "No line here", 9, None)
    month.psa_client(6, "Not sold")
    month.line(6, "4")
    whole = month.run().reconciliation
    for number in range(1, 7):
        counts = asked(month, f"P{number}")
        expected = [row for row in whole.rows if row.psa_account_id == f"P{number}"]
        assert list(counts.found.rows) == expected
        assert counts.account.id == f"P{number}"
    assert [row.verdict.words for row in asked(month, "P2").found.rows] == ["bill more"]


def test_it_stores_and_proposes_nothing(month: Office) -> None:
    month.run()
    before = list(month.state.switches.calls)
    asked(month, "P1")
    assert month.state.switches.calls == before


def test_it_is_as_fresh_as_the_last_callback(month: Office) -> None:
    month.run()
    read_at = asked(month, "P2").psa_read_at
    month.psa.person_edits("L2", quantity=Decimal(15))
    month.clock.advance(7200)
    refresh(month, hint_of(month, "P2"))
    counts = asked(month, "P2")
    assert [row.verdict.words for row in counts.found.rows] == ["in line"]
    assert counts.psa_read_at - read_at >= timedelta(hours=2)
    assert asked(month, "P1").psa_read_at == read_at


def test_a_client_that_was_not_read_is_not_found(month: Office) -> None:
    month.run()
    with pytest.raises(NotFound):
        asked(month, "P404")


def test_nothing_is_told_of_reads_that_are_not_there_or_of_another_psa(month: Office) -> None:
    fresh = open_office()
    fresh.connect_both()
    with pytest.raises(NotFound):
        asked(fresh, "P1")
    month.run()
    month.connect(IntegrationName.CONNECTWISE, company_id="another", switch=True)
    with pytest.raises(NotFound):
        asked(month, "P1")
