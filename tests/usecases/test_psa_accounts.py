"""What a person can pick from: the clients of the last complete read, and never one that a mapping would refuse."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.state import fake_state
from trueup.domain.billing import PsaAccount, PsaAccountId, PsaPage
from trueup.domain.integrations import Side
from trueup.domain.runs import Snapshot
from trueup.ports.state_bundle import State
from trueup.usecases.psa_accounts import list_psa_accounts

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CLIENTS = (("3", "Birch Dental"), ("1", "alder Optics"), ("2", "Cedar Legal"), ("4", "Gone Ltd"))


@pytest.fixture
def state() -> State:
    kept = fake_state(FakeClock())
    accounts = tuple(
        PsaAccount(PsaAccountId(number), f"code{number}", name, deleted=name == "Gone Ltd") for number, name in CLIENTS
    )
    address = kept.snapshots.add_page(Side.PSA, PsaPage(accounts, (), (), None))
    kept.snapshots.complete(
        Snapshot("s", Side.PSA, "2026-11", "2026-11-001", NOW, NOW, (address,), "digest", len(accounts), 0), None
    )
    return kept


def names(state: State, search: str = "", cursor: str | None = None, limit: int = 10) -> list[str]:
    page = list_psa_accounts(search=search, cursor=cursor, limit=limit, snapshots=state.snapshots)
    return [account.name for account in page.items]


def test_by_name_and_without_the_deleted(state: State) -> None:
    assert names(state) == ["alder Optics", "Birch Dental", "Cedar Legal"]


@pytest.mark.parametrize(
    ("text", "found"), [("BIRCH", "Birch Dental"), ("code2", "Cedar Legal"), ("1", "alder Optics")]
)
def test_found_by_name_short_code_or_id(state: State, text: str, found: str) -> None:
    assert names(state, text) == [found]


def test_a_page_at_a_time(state: State) -> None:
    first = list_psa_accounts(search="", cursor=None, limit=2, snapshots=state.snapshots)
    assert [account.name for account in first.items] == ["alder Optics", "Birch Dental"]
    assert names(state, cursor=first.next_cursor, limit=2) == ["Cedar Legal"]
    assert list_psa_accounts(search="", cursor="2", limit=2, snapshots=state.snapshots).next_cursor is None


def test_nothing_before_the_first_read() -> None:
    assert names(fake_state(FakeClock())) == []
