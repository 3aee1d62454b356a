"""Making a line that is missing, once, and what becomes of the lines beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from local.simulators.halopsa_records import memory
from tests.adapters.halopsa.connected import (
    AWARENESS,
    BILLED,
    EMAIL,
    HARBOR,
    INVOICE,
    INVOICES,
    MANAGED,
    REFERENCE,
    Connected,
    connected,
    read_all,
)
from tests.contracts.psa_subjects import Scene, a_line
from trueup.adapters.halopsa.restoring import ALARM
from trueup.domain.billing import AgreementId, NewLine, ProductId, PsaAccountId, WriteOutcome, WriteResult
from trueup.domain.errors import InputInvalid, RateLimited, VendorTrouble

ONLY_EMAIL = Scene((HARBOR,), (MANAGED,), BILLED[:1], (EMAIL, AWARENESS))
ORDER = NewLine(HARBOR.id, MANAGED.id, AWARENESS.id, AWARENESS.code, 9)


def make(site: Connected, **changes: Any) -> WriteResult:
    return site.psa.create_line(replace(ORDER, **changes))


def test_the_line_is_made_at_the_items_price_and_found_by_its_id() -> None:
    with connected(ONLY_EMAIL) as site:
        result = make(site)
        assert (result.outcome, result.quantity_seen, site.posts()) == (WriteOutcome.APPLIED, Decimal(9), 1)
        line = next(line for line in read_all(site.psa).lines if line.id == result.line_id)
        assert (line.product_id, line.product_code, line.unit_price) == (AWARENESS.id, AWARENESS.code, Decimal("4.25"))
        assert line.is_live(date(2026, 9, 1))
        assert line.not_writable_reason is None
        assert site.quantities()[88431] == 12
        posted = json.loads(site.simulator.world.writes[0].body)[0]["lines"]
    assert len(posted) == 2
    assert "id" not in posted[1]


def test_a_repeat_finds_the_line_and_makes_no_second_one() -> None:
    with connected(ONLY_EMAIL) as site:
        made = make(site)
        again = make(site)
        assert (again.outcome, again.line_id) == (WriteOutcome.ALREADY, made.line_id)
        assert site.posts() == 1


def test_a_line_of_the_product_with_another_quantity_is_a_conflict() -> None:
    with connected() as site:
        result = make(site)
        assert (result.outcome, result.quantity_seen, result.line_id) == (WriteOutcome.CONFLICT, Decimal(3), "88432")
        assert site.posts() == 0


def test_a_line_of_the_product_that_has_ended_is_in_nobodys_way() -> None:
    ended = a_line(88432, MANAGED, AWARENESS, "3", effective_to=date(2025, 1, 1))
    with connected(Scene((HARBOR,), (MANAGED,), (BILLED[0], ended), (EMAIL, AWARENESS))) as site:
        assert make(site).outcome is WriteOutcome.APPLIED


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"account_id": PsaAccountId("999")}, WriteOutcome.CONFLICT),
        ({"agreement_id": AgreementId("999")}, WriteOutcome.REJECTED),
        ({"product_id": ProductId("999")}, WriteOutcome.REJECTED),
    ],
)
def test_nothing_is_made_for_what_is_not_there_or_is_anothers(changes: dict[str, Any], outcome: WriteOutcome) -> None:
    with connected(ONLY_EMAIL) as site:
        assert (make(site, **changes).outcome, site.posts()) == (outcome, 0)


@pytest.mark.parametrize("fields", [{"disabled": True}, {"reviewrequired": True}, {"approval_status": 2}])
def test_nothing_is_made_on_an_invoice_that_may_not_be_written_to(fields: dict[str, Any]) -> None:
    with connected(ONLY_EMAIL) as site:
        memory(site.simulator.world)["invoices"]["1201"] = fields
        assert (make(site).outcome, site.posts()) == (WriteOutcome.REJECTED, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"effective": date(2026, 10, 1)},
        {"agreement_id": AgreementId("1201/..")},
        {"product_id": ProductId("none")},
    ],
)
def test_an_order_that_cannot_be_is_refused_before_anything_is_asked(changes: dict[str, Any]) -> None:
    with connected(ONLY_EMAIL) as site:
        with pytest.raises(InputInvalid):
            make(site, **changes)
        assert site.simulator.requests.total == 0


def test_a_run_that_may_be_making_the_invoice_is_waited_for() -> None:
    with connected(ONLY_EMAIL) as site:
        header = {"nextcreationdate": "2026-09-01T06:00:00", "lastcreated": "2026-08-01T00:05:00"}
        memory(site.simulator.world)["invoices"]["1201"] = header
        with pytest.raises(RateLimited):
            make(site)
        assert site.posts() == 0


@pytest.mark.parametrize(
    ("kind", "options", "outcome", "lines"),
    [
        ("drop_after_commit", {}, WriteOutcome.APPLIED, 2),
        ("error_after_commit", {}, WriteOutcome.APPLIED, 2),
        ("drop_before_commit", {}, WriteOutcome.UNKNOWN, 1),
        ("status", {"status": 500}, WriteOutcome.REJECTED, 1),
        ("status", {"status": 400}, WriteOutcome.REJECTED, 1),
        ("status", {"status": 403}, WriteOutcome.REJECTED, 1),
        ("false_success", {}, WriteOutcome.REJECTED, 1),
        ("rate_limited", {"retry_after": "3"}, WriteOutcome.APPLIED, 2),
    ],
)
def test_an_answer_that_is_lost_is_settled_by_looking_and_never_sent_again(
    kind: str, options: dict[str, Any], outcome: WriteOutcome, lines: int
) -> None:
    with connected(ONLY_EMAIL) as site:
        site.simulator.faults.add(kind, method="POST", path=INVOICES, **options)
        assert make(site).outcome is outcome
        assert len(site.quantities()) == lines
        assert site.posts() == (2 if kind == "rate_limited" else 1)
        again = make(site)
        assert again.outcome in (WriteOutcome.APPLIED, WriteOutcome.ALREADY)
        assert len(site.quantities()) == 2


def test_a_line_that_somebody_made_during_a_wait_is_not_made_twice() -> None:
    with connected() as site:
        site.simulator.world.edit_addition(88432, cancelled_date="2025-01-01T00:00:00Z")
        site.simulator.faults.add("rate_limited", method="POST", path=INVOICES, retry_after="3")
        site.simulator.faults.add(
            "set_field",
            method="GET",
            path=INVOICE,
            nth=2,
            field="enddate",
            raw='"1899-12-30T00:00:00"',
            where={"id": 88432},
        )
        result = make(site)
        assert (result.outcome, result.line_id, site.posts()) == (WriteOutcome.CONFLICT, "88432", 1)


def test_an_invoice_that_cannot_be_read_back_leaves_it_unknown() -> None:
    with connected(ONLY_EMAIL) as site:
        site.simulator.faults.add("status", method="GET", path=INVOICE, nth=2, times=0, status=503)
        result = make(site)
        assert (result.outcome, site.posts()) == (WriteOutcome.UNKNOWN, 1)


def test_an_invoice_that_cannot_be_read_first_has_nothing_made() -> None:
    with connected(ONLY_EMAIL) as site:
        site.simulator.faults.add("status", method="GET", path=INVOICE, times=0, status=503)
        with pytest.raises(VendorTrouble):
            make(site)
        assert site.posts() == 0


@pytest.mark.parametrize("kind", ["other_line_lost", "other_line_moved"])
def test_another_line_that_goes_or_moves_is_put_back_without_the_new_one(kind: str) -> None:
    with connected(ONLY_EMAIL) as site:
        site.simulator.faults.add(kind, method="POST", path=INVOICES)
        result = make(site)
        assert result.outcome is WriteOutcome.REJECTED
        assert result.reason.startswith(ALARM)
        assert list(site.quantities().values()) == [12]


def test_a_new_line_is_written_like_any_other() -> None:
    with connected(ONLY_EMAIL) as site:
        made = make(site)
        assert made.line_id is not None
        line = next(line for line in read_all(site.psa).lines if line.id == made.line_id)
        assert line.version == made.version_seen
        other = site.psa.read_line(REFERENCE).line
        assert other.quantity == 12


def test_an_edit_that_was_saved_between_reading_and_posting_is_given_back() -> None:
    with connected(ONLY_EMAIL) as site:
        site.simulator.faults.add("moved_line", method="POST", path=INVOICES, line_id=88431, quantity=13)
        result = make(site)
        assert result.outcome is WriteOutcome.APPLIED
        assert "line 88431 has 13 again" in result.reason
        assert list(site.quantities().values()) == [13, 9]
