"""Making one line, and reading one client alone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.connectwise.connected import EMAIL, HARBOR, LINE, MANAGED, Connected, connected, many_clients
from tests.contracts.psa_subjects import Scene, a_line, a_product, an_account, an_agreement
from trueup.domain.billing import AgreementState, NewLine, PsaAccountId, WriteOutcome, WriteResult
from trueup.domain.errors import InputInvalid, RateLimited, ReplyUnreadable, ResourceAbsent, VendorTrouble

AWARENESS = a_product(561, "MIME-AWARE", "Mimecast Awareness Training")
SCENE = Scene((HARBOR,), (MANAGED,), (LINE,), (EMAIL, AWARENESS))
ORDER = NewLine(HARBOR.id, MANAGED.id, AWARENESS.id, AWARENESS.code, 7)
ADDITIONS = "/finance/agreements/*/additions"
COMPANY = "/company/companies/*"


def make(site: Connected, order: NewLine = ORDER) -> WriteResult:
    return site.psa.create_line(order)


@pytest.mark.parametrize(("effective", "day"), [(None, "2026-09-01"), (date(2026, 10, 1), "2026-10-01")])
def test_only_documented_fields_are_sent_and_the_price_is_the_catalogs(effective: date | None, day: str) -> None:
    with connected(SCENE) as site:
        result = make(site, replace(ORDER, effective=effective))
        (record,) = site.simulator.world.writes
        made = site.simulator.world.additions[88432]
    assert (result.outcome, result.line_id) == (WriteOutcome.APPLIED, "88432")
    assert (record.method, record.path) == ("POST", "/finance/agreements/1201/additions")
    assert json.loads(record.body) == {
        "product": {"id": 561},
        "quantity": 7,
        "billCustomer": "Billable",
        "effectiveDate": f"{day}T00:00:00Z",
    }
    assert made.unit_price == 4.25


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (a_line(88432, MANAGED, AWARENESS, "7"), WriteOutcome.ALREADY),
        (a_line(88432, MANAGED, AWARENESS, "7", effective_from=date(2026, 10, 1)), WriteOutcome.ALREADY),
        (a_line(88432, MANAGED, AWARENESS, "8"), WriteOutcome.CONFLICT),
        (a_line(88432, MANAGED, AWARENESS, "8", effective_from=date(2026, 10, 1)), WriteOutcome.CONFLICT),
        (a_line(88432, MANAGED, AWARENESS, "8", effective_to=date(2026, 8, 1)), WriteOutcome.APPLIED),
    ],
)
def test_a_line_that_is_there_or_will_be_is_not_made_again(line: object, outcome: WriteOutcome) -> None:
    with connected(replace(SCENE, lines=(LINE, line))) as site:  # type: ignore[arg-type]
        result = make(site)
        assert (result.outcome, len(site.simulator.world.writes)) == (outcome, int(outcome is WriteOutcome.APPLIED))
        assert result.line_id == ("88433" if outcome is WriteOutcome.APPLIED else "88432")


@pytest.mark.parametrize(
    ("scene", "order", "outcome", "said"),
    [
        (SCENE, replace(ORDER, product_code="MIME-OLD"), WriteOutcome.CONFLICT, "is MIME-AWARE now"),
        (
            replace(SCENE, products=(EMAIL, replace(AWARENESS, inactive=True))),
            ORDER,
            WriteOutcome.REJECTED,
            "inactive",
        ),
        (
            replace(SCENE, agreements=(replace(MANAGED, ends_on=date(2026, 9, 15)),)),
            replace(ORDER, effective=date(2026, 10, 1)),
            WriteOutcome.REJECTED,
            "ends on 2026-09-15",
        ),
        (
            replace(SCENE, agreements=(an_agreement(1201, HARBOR, AgreementState.EXPIRED),)),
            ORDER,
            WriteOutcome.REJECTED,
            "expired",
        ),
        (SCENE, replace(ORDER, quantity=-1), WriteOutcome.REJECTED, "below zero"),
    ],
)
def test_what_forbids_a_new_line_is_said_and_nothing_is_sent(
    scene: Scene, order: NewLine, outcome: WriteOutcome, said: str
) -> None:
    with connected(scene) as site:
        result = make(site, order)
        assert (result.outcome, site.simulator.world.writes) == (outcome, [])
    assert said in result.reason


@pytest.mark.parametrize("wrong", ["12/..", "", "x", "٣"])
def test_an_id_that_is_no_id_never_goes_into_an_address(wrong: str) -> None:
    with connected(SCENE) as site:
        for order in (replace(ORDER, agreement_id=wrong), replace(ORDER, product_id=wrong)):  # type: ignore[arg-type]
            with pytest.raises(InputInvalid):
                make(site, order)
        with pytest.raises(InputInvalid):
            site.psa.read_account(PsaAccountId(wrong))
        assert site.simulator.requests.entries == []


def test_a_missing_right_to_add_names_the_row() -> None:
    with connected(SCENE) as site:
        site.simulator.faults.add("status", method="POST", status=403)
        result = make(site)
    assert result.outcome is WriteOutcome.REJECTED
    assert "Finance > Agreements: Add All" in result.reason


@pytest.mark.parametrize("kind", ["drop_after_commit", "error_after_commit", "truncated", "html"])
def test_a_new_line_behind_a_bad_answer_is_found_and_never_made_twice(kind: str) -> None:
    with connected(SCENE) as site:
        site.simulator.faults.add(kind, method="POST")
        first = make(site).outcome
        assert first is (WriteOutcome.UNKNOWN if kind == "html" else WriteOutcome.APPLIED)
        assert make(site).outcome is (WriteOutcome.APPLIED if kind == "html" else WriteOutcome.ALREADY)
        assert [line.quantity for line in site.simulator.world.lines_of(1201)] == [12, 7]


def test_a_clamped_new_line_is_told_with_both_numbers() -> None:
    with connected(SCENE) as site:
        site.simulator.faults.add("clamped_quantity", method="POST", maximum=5)
        result = make(site)
    assert (result.outcome, result.quantity_seen, result.line_id) == (WriteOutcome.REJECTED, Decimal(5), "88432")


def test_a_limit_that_does_not_end_is_raised_and_nothing_is_made() -> None:
    with connected(SCENE) as site:
        site.simulator.faults.add("rate_limited", method="POST", times=0, retry_after="300")
        with pytest.raises(RateLimited):
            make(site)
        assert len(site.simulator.world.lines_of(1201)) == 1


FAULTS = st.tuples(
    st.sampled_from(["POST", "GET"]),
    st.sampled_from(
        ["drop_after_commit", "error_after_commit", "drop_before_commit", "status", "rate_limited", "html"]
    ),
    st.integers(1, 3),
    st.integers(1, 6),
)


@settings(max_examples=20, deadline=None)
@given(faults=st.lists(FAULTS, max_size=4))
def test_whatever_goes_wrong_the_same_call_ends_with_one_line(faults: list[tuple[str, str, int, int]]) -> None:
    with connected(SCENE) as site:
        for method, kind, nth, times in faults:
            site.simulator.faults.add(kind, method=method, path="/finance/*", nth=nth, times=times)
        for _ in range(30):
            try:
                outcome = make(site).outcome
            except VendorTrouble:
                continue
            if outcome in (WriteOutcome.APPLIED, WriteOutcome.ALREADY):
                break
        assert [line.quantity for line in site.simulator.world.lines_of(1201)] == [12, 7]
        assert make(site).outcome is WriteOutcome.ALREADY


# One client alone.


def test_one_client_is_read_with_its_agreements_and_lines_and_no_other() -> None:
    scene = many_clients(7)
    second = an_agreement(2001, scene.accounts[3])
    lines = (a_line(9001, second, EMAIL, "5"), a_line(9002, second, EMAIL, "6"))
    whole = Scene(scene.accounts, (*scene.agreements, second), (*scene.lines, *lines), scene.products)
    with connected(whole) as site:
        page = site.psa.read_account(scene.accounts[3].id)
        asked = {entry.path.rpartition("/apis/3.0")[2] for entry in site.simulator.requests.entries}
    assert page.accounts == (scene.accounts[3],)
    assert page.agreements == (scene.agreements[3], second)
    assert page.lines == (scene.lines[3], *lines)
    assert page.next_cursor is None
    assert not any(path.endswith("/1000/additions") for path in asked)


def test_a_client_without_agreements_is_read_as_such() -> None:
    with connected(Scene((an_account(7),))) as site:
        page = site.psa.read_account(PsaAccountId("7"))
    assert (len(page.accounts), page.agreements, page.lines) == (1, (), ())


@pytest.mark.fault("C14")
def test_C14_a_client_that_is_gone_is_said_to_be_gone_and_not_empty() -> None:
    with connected(SCENE) as site, pytest.raises(ResourceAbsent):
        site.psa.read_account(PsaAccountId("999"))


@pytest.mark.fault("C20")
@pytest.mark.parametrize(
    ("path", "field", "where", "raw"),
    [
        (COMPANY, "id", {"id": 250}, "251"),
        ("/finance/agreements", "company", {"id": 1201}, '{"id":251,"name":"Another"}'),
        (ADDITIONS, "agreementId", {"id": 88431}, "1202"),
    ],
)
def test_C20_an_answer_about_another_client_is_thrown_away(
    path: str, field: str, where: dict[str, int], raw: str
) -> None:
    with connected(SCENE) as site:
        site.simulator.faults.add("set_field", path=path, times=0, field=field, where=where, raw=raw)
        with pytest.raises(ReplyUnreadable):
            site.psa.read_account(HARBOR.id)


@pytest.mark.fault("C20")
def test_C20_a_site_that_ignores_the_condition_is_not_believed() -> None:
    """Were the list taken as it came, other clients' agreements would be counted as this one's."""
    scene = many_clients(3)
    rows = [
        {"id": int(one.id), "name": one.name, "company": {"id": int(one.account_id)}, "agreementStatus": "Active"}
        for one in scene.agreements
    ]
    with connected(scene) as site:
        site.simulator.faults.add("raw", path="/finance/agreements", times=0, body=json.dumps(rows))
        with pytest.raises(ReplyUnreadable, match="another client"):
            site.psa.read_account(scene.accounts[0].id)
