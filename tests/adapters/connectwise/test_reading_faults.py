"""Faults of the catalog that concern reading ConnectWise, by their ids."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.adapters.connectwise.connected import (
    ADDITION,
    EMAIL,
    HARBOR,
    LINE,
    MANAGED,
    REFERENCE,
    SCENE,
    connected,
    read_all,
)
from tests.contracts.psa_subjects import Scene, a_line, a_product, an_account, an_agreement
from trueup.domain.billing import WriteOutcome
from trueup.domain.counts import Seats
from trueup.domain.errors import PermissionMissing, ReplyUnreadable, SchemaUnknown

ADDITIONS = "/finance/agreements/*/additions"
AGREEMENTS = "/finance/agreements"
COMPANIES = "/company/companies"


@pytest.mark.fault("P10")
@pytest.mark.parametrize(
    ("path", "row", "checked"),
    [
        (COMPANIES, "Company Maintenance", "read companies"),
        (AGREEMENTS, "Finance > Agreements", "read agreements"),
        (ADDITIONS, "Finance > Agreements", "read lines"),
    ],
)
def test_P10_a_permission_that_is_lost_stops_the_read_and_the_check_names_the_same_row(
    path: str, row: str, checked: str
) -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=f"{path}*", times=0, status=403)
        with pytest.raises(PermissionMissing) as caught:
            read_all(site.psa)
        assert site.simulator.world.writes == []
        missing = {one.name: one.permission for one in site.psa.check().missing}
    assert row in caught.value.permission
    assert missing[checked] == caught.value.permission


@pytest.mark.fault("P10")
@pytest.mark.parametrize("method", ["PATCH", "POST"])
def test_P10_a_permission_to_write_that_is_lost_leaves_a_report(method: str) -> None:
    """Reading goes on, and each change says which row is missing; the same row that the check's note tells of."""
    with connected() as site:
        site.simulator.faults.add("status", method=method, times=0, status=403)
        day = date(2026, 11, 1) if method == "POST" else None
        result = site.psa.set_quantity(
            REFERENCE, expected=Decimal(12), expected_version="", target=Seats(15), effective=day
        )
        assert read_all(site.psa).lines == [LINE]
        notes = " ".join(site.psa.check().notes)
    assert result.outcome is WriteOutcome.REJECTED
    row = "Finance > Agreements: Edit All" if method == "PATCH" else "Finance > Agreements: Add All"
    assert row in result.reason
    assert row in notes


@pytest.mark.fault("P17")
@pytest.mark.parametrize("ahead", [timedelta(days=40), timedelta(days=-40)], ids=["ahead", "behind"])
def test_P17_the_clock_of_the_psa_decides_nothing(ahead: timedelta) -> None:
    """What bills today, when something was read and which day lies ahead are told by our own clock."""
    awareness = a_product(561, "MIME-AWARE")
    coming = a_line(88432, MANAGED, awareness, "3", effective_from=date(2026, 9, 20))
    with connected(Scene((HARBOR,), (MANAGED,), (LINE, coming), (EMAIL, awareness))) as site:
        world, clock = site.simulator.world, site.clock

        def theirs() -> datetime:
            return clock.now() + ahead

        world.clock = theirs
        world.edit_addition(88431)
        state = site.psa.read_line(REFERENCE)
        assert state.read_at == clock.now()
        future = replace(REFERENCE, line_id=coming.id, product_id=awareness.id)
        assert (
            site.psa.set_quantity(future, expected=Decimal(3), expected_version="", target=Seats(9)).outcome
            is WriteOutcome.REJECTED
        )
        written = site.psa.set_quantity(
            REFERENCE, expected=Decimal(12), expected_version=state.line.version, target=Seats(15)
        )
        assert written.outcome is WriteOutcome.APPLIED
        for day, outcome in ((date(2026, 9, 1), WriteOutcome.REJECTED), (date(2026, 9, 20), WriteOutcome.APPLIED)):
            dated = site.psa.set_quantity(
                REFERENCE, expected=Decimal(15), expected_version="", target=Seats(16), effective=day
            )
            assert dated.outcome is outcome


@pytest.mark.fault("C13")
def test_C13_a_company_that_comes_back_under_a_new_id_is_another_company() -> None:
    with connected() as site:
        before = read_all(site.psa).accounts
        world = site.simulator.world
        company = world.companies.pop(250)
        world.companies[900] = replace(company, id=900)
        world.agreements[1201].company_id = 900
        after = read_all(site.psa).accounts
    assert ([one.id for one in before], [one.id for one in after]) == (["250"], ["900"])
    assert before[0].name == after[0].name


@pytest.mark.fault("C15")
@pytest.mark.parametrize("status", ["Suspended", "Trial - NFR", "Inactive", "", "Not Approved"])
def test_C15_the_status_of_a_company_is_shown_and_decides_nothing(status: str) -> None:
    with connected() as site:
        site.simulator.world.edit_company(250, status=status)
        whole = read_all(site.psa)
    assert [(one.status_text, one.deleted) for one in whole.accounts] == [(status, False)]
    assert whole.lines == [LINE]


@pytest.mark.fault("C16")
def test_C16_a_parent_company_does_not_count_what_its_child_is_billed() -> None:
    """The child's agreement is billed to the parent and hangs below the parent's: it still is the child's own."""
    child = an_account(251, "Harbor Dental North")
    below = an_agreement(1202, child)
    line = a_line(88432, below, EMAIL, "5")
    rows: list[dict[str, Any]] = [
        {"id": int(one.id), "name": one.name, "company": {"id": int(one.account_id)}, "agreementStatus": "Active"}
        for one in (MANAGED, below)
    ]
    rows[1] |= {"billToCompany": {"id": 250, "name": HARBOR.name}, "parentAgreement": {"id": 1201}}
    with connected(Scene((HARBOR, child), (MANAGED, below), (LINE, line), (EMAIL,))) as site:
        site.simulator.faults.add("raw", path=AGREEMENTS, times=0, body=json.dumps(rows))
        whole = read_all(site.psa)
    assert [(one.id, one.account_id) for one in whole.agreements] == [("1201", "250"), ("1202", "251")]
    assert [(one.id, one.account_id, one.quantity) for one in whole.lines] == [
        ("88431", "250", 12),
        ("88432", "251", 5),
    ]


@pytest.mark.fault("C17")
@pytest.mark.parametrize("raw", ['"4,25"', '"4.25"', "true", '"EUR 4.25"', "[4.25]", "1e999"])
def test_C17_a_price_that_is_no_number_fails_the_read(raw: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=ADDITIONS, times=0, field="unitPrice", raw=raw)
        with pytest.raises(ReplyUnreadable) as caught:
            read_all(site.psa)
    if isinstance(caught.value, SchemaUnknown):
        assert "unitPrice" in caught.value.message


@pytest.mark.fault("C17")
@pytest.mark.parametrize("raw", ["4.255", "0.1", "4.00", "12345.678901"])
def test_C17_a_price_is_kept_to_the_last_digit(raw: str) -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=ADDITIONS, times=0, field="unitPrice", raw=raw)
        (line,) = read_all(site.psa).lines
    assert line.unit_price == Decimal(raw)


@pytest.mark.fault("C19")
@pytest.mark.parametrize("path", [COMPANIES, AGREEMENTS, ADDITIONS, ADDITION])
def test_C19_a_reply_that_is_nested_without_end_is_a_bad_reply(path: str) -> None:
    with connected() as site:
        site.simulator.faults.add("deep_json", path=path, times=0)
        with pytest.raises(ReplyUnreadable):
            read_all(site.psa) if path is not ADDITION else site.psa.read_line(REFERENCE)


@pytest.mark.fault("C20")
@pytest.mark.parametrize(
    ("path", "field", "where"), [(ADDITION, "id", {"id": 88431}), (ADDITIONS, "agreementId", {"id": 88431})]
)
def test_C20_an_answer_about_another_record_is_never_written_upon(path: str, field: str, where: dict[str, int]) -> None:
    with connected(SCENE) as site:
        site.simulator.faults.add("set_field", path=path, times=0, field=field, where=where, raw="7")
        with pytest.raises(ReplyUnreadable):
            site.psa.set_quantity(REFERENCE, expected=Decimal(12), expected_version="", target=Seats(15))
        assert site.simulator.world.writes == []
