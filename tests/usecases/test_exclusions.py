"""An account that is left out has a reason, and may have somebody who answers for it and a day to look again."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from tests.usecases.office import PERSON, Office
from trueup.adapters.dynamodb.records import ACCOUNT
from trueup.api.spreadsheets import mappings_csv, read_mappings
from trueup.api.views import account_view
from trueup.domain.errors import InputInvalid
from trueup.domain.mapping import Decision, MappingState
from trueup.usecases.mapping import exclude_account
from trueup.usecases.mapping_import import import_mappings


def exclude(office: Office, *, owner: str = "", review_on: date | None = None) -> None:
    exclude_account(
        "V1",
        reason="a trial",
        actor=PERSON,
        accounts=office.state.accounts,
        clock=office.clock,
        owner=owner,
        review_on=review_on,
    )


def take(office: Office, text: str) -> int:
    return import_mappings(
        read_mappings(text.encode()),
        actor=PERSON,
        accounts=office.state.accounts,
        snapshots=office.state.snapshots,
        clock=office.clock,
    )


def decision_of(office: Office) -> Decision:
    decision = office.account("V1").decision
    assert decision is not None
    return decision


def test_owner_and_day_are_kept_shown_and_in_the_history(month: Office) -> None:
    day = month.clock.now().date() + timedelta(days=90)
    exclude(month, owner="  Pat  ", review_on=day)
    shown = account_view(month.account("V1"))["decision"]
    assert (shown["owner"], shown["review_on"]) == ("Pat", day.isoformat())
    assert list(month.state.history.all())[-1].audit.why == f"a trial (owner Pat, review on {day})"
    assert not decision_of(month).is_review_due(day - timedelta(days=1))
    assert decision_of(month).is_review_due(day)


def test_without_them_nothing_is_due(month: Office) -> None:
    exclude(month)
    assert decision_of(month).is_review_due(date.max) is False
    assert list(month.state.history.all())[-1].audit.why == "a trial"


@pytest.mark.parametrize("days", [0, -1])
def test_a_day_that_is_over_is_refused(month: Office, days: int) -> None:
    with pytest.raises(InputInvalid) as caught:
        exclude(month, review_on=month.clock.now().date() + timedelta(days=days))
    assert caught.value.field == "review_on"
    assert month.account("V1").state is not MappingState.EXCLUDED


def test_a_name_without_end_is_refused(month: Office) -> None:
    with pytest.raises(InputInvalid) as caught:
        exclude(month, owner="x" * 101)
    assert caught.value.field == "owner"


def test_they_go_out_to_a_file_and_come_in_again(month: Office) -> None:
    day = month.clock.now().date() + timedelta(days=30)
    exclude(month, owner="=Pat", review_on=day)
    sheet = mappings_csv(month.state.accounts.all())
    assert "'=Pat" in sheet, "no cell is a formula"
    assert take(month, sheet) == 0, "what is as it was is no decision"
    assert take(month, sheet.replace("'=Pat", "Alex").replace(day.isoformat(), "2020-01-31")) == 1
    assert (decision_of(month).owner, decision_of(month).review_on) == ("Alex", date(2020, 1, 31))


def test_a_file_without_these_columns_leaves_them_as_they_are(month: Office) -> None:
    exclude(month, owner="Pat")
    assert take(month, "vendor_account_id,psa_account_id,reason\nV1,,a trial\n") == 0
    assert decision_of(month).owner == "Pat"


def test_a_day_that_is_none_is_told_by_its_line(month: Office) -> None:
    with pytest.raises(InputInvalid, match="line 2: 'soon' is no day"):
        take(month, "vendor_account_id,psa_account_id,reason,review_on\nV1,,a trial,soon\n")


def test_a_record_of_before_is_still_read(month: Office) -> None:
    exclude(month)
    record = json.loads(ACCOUNT.plain(month.account("V1")))
    old = json.dumps(_without(record, {"owner", "review_on"})).encode()
    assert old != ACCOUNT.plain(month.account("V1"))
    assert ACCOUNT.read(old) == month.account("V1")


def _without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, names) for key, item in value.items() if key not in names}
    return [_without(item, names) for item in value] if isinstance(value, list) else value
