"""No cell of any export is a formula, whatever a client or a vendor is called, and there is one way to write one."""

from __future__ import annotations

import ast
import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from trueup.api.plan_spreadsheet import plan_csv
from trueup.api.spreadsheets import (
    FORMULA_LEADS,
    NUMBER_COLUMNS,
    mapping_sheets,
    mappings_csv,
    read_mappings,
    read_services,
    reconciliation_csv,
    result_csv,
    safe_cell,
    services_csv,
)
from trueup.domain.accounts import AccountState, ServiceId, ServiceKind, VendorAccountId
from trueup.domain.billing import AgreementId, LineId, ProductId, PsaAccountId, WriteOutcome
from trueup.domain.counts import Basis, Known, Missing, Seats
from trueup.domain.effective import NextInvoiceLine
from trueup.domain.guards import Hold
from trueup.domain.mapping import AccountEntry, Decision, FormerTarget, MappingState, MappingTotals, ServiceEntry
from trueup.domain.matching import MatchRule
from trueup.domain.plan import Change, ChangeResult, Plan
from trueup.domain.verdicts import Member, OrderNeed, Reconciliation, Row, RowCounts, Totals, Verdict

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 9, 1, tzinfo=UTC)
HOSTILE = [
    '=HYPERLINK("http://evil.example","x")',
    "+cmd|' /C calc'!A0",
    "@SUM(A1)",
    "-2+3",
    "\t=1",
    "\r=1",
    "＝1",
    "'=1",
    ' "=1',
]


def account(text: str) -> AccountEntry:
    decision = Decision("dana", NOW, MatchRule.PERSON, text)
    former = FormerTarget(text, "connectwise", text, text, decision)
    return AccountEntry(
        VendorAccountId(text), text, AccountState.ACTIVE, MappingState.MAPPED, psa_id=PsaAccountId(text), psa_name=text,
        decision=decision, psa_system=text, psa_integration="halopsa", former=(former,),
    )  # fmt: skip


def service(text: str) -> ServiceEntry:
    former = FormerTarget(text, "connectwise", text, text, code=text)
    return ServiceEntry(
        ServiceId(text), text, ServiceKind.PLAN, MappingState.MAPPED, product_id=ProductId(text), product_code=text,
        product_name=text, decision=Decision("dana", NOW, MatchRule.PERSON, text), psa_system=text, former=(former,),
    )  # fmt: skip


def compared(text: str) -> Reconciliation:
    less = Known(Seats(3), Basis.MANUAL_FILE, NOW)
    more = Known(Seats(9), Basis.PSA_LINE, NOW)
    member = Member(VendorAccountId(text), text, AccountState.ACTIVE, text, ServiceId(text), text, less)
    row = Row(
        "r1", (member,), PsaAccountId(text), text, ProductId(text), text, RowCounts(less, Missing(text), more),
        Verdict.BILL_LESS, Decimal("-25.50"), "USD", (text,),
        order=OrderNeed(VendorAccountId(text), ServiceId(text), 3, 1, text),
    )  # fmt: skip
    totals = Totals(1, ((Verdict.BILL_LESS, 1),), MappingTotals(mapped=1), 3, 9, (), 0)
    return Reconciliation("2026-09", (row,), (), (), (), totals)


def planned(text: str) -> Plan:
    change = Change(
        text, text, (text,), PsaAccountId(text), text, AgreementId(text), text, LineId(text), ProductId(text), text,
        Decimal(9), text, Seats(3), None, Decimal("-25.50"), text, (text,), "e" * 64,
        holds=(Hold(text, text, text),), undoes=text, added_by=text,
    )  # fmt: skip
    result = ChangeResult(text, WriteOutcome.UNKNOWN, text, NOW)
    return Plan("plan", "example", "2026-09", "run", NOW, (change,), results=(result,))


def exports(text: str) -> list[str]:
    accounts, services = mapping_sheets([account(text)], [service(text)])
    return [
        mappings_csv([account(text)]),
        services_csv([service(text)]),
        accounts,
        services,
        reconciliation_csv(compared(text)),
        result_csv(compared(text)),
        plan_csv(planned(text)),
    ]


@pytest.mark.fault("S6")
@pytest.mark.parametrize("text", HOSTILE)
def test_S6_no_cell_of_any_export_is_a_formula(text: str) -> None:
    for content in exports(text):
        header, *rows = list(csv.reader(io.StringIO(content, newline="")))
        for cells in rows:
            for column, cell in zip(header, cells, strict=True):
                if column not in NUMBER_COLUMNS:
                    assert not cell.lstrip(" \"'").startswith(FORMULA_LEADS) or cell.startswith("'"), (column, cell)
                    assert not cell.startswith(FORMULA_LEADS), (column, cell)


@pytest.mark.fault("S6")
def test_S6_our_own_numbers_stay_numbers() -> None:
    (row,) = csv.DictReader(io.StringIO(result_csv(compared("Alder")), newline=""))
    assert (row["difference"], row["monthly_money"], row["order"]) == ("-6", "-25.50", "-2")
    assert row["what_to_do"] == (
        "set the quantity to 3 (it is 9); order 2 less (agreement 3, licensed 1): first, Alder"
    )


def test_the_table_tells_each_count_with_its_basis_and_its_time_and_what_to_order() -> None:
    found = compared("Alder")
    (row,) = csv.DictReader(io.StringIO(reconciliation_csv(found), newline=""))
    legs = {leg: (row[leg], row[f"{leg}_basis"], row[f"{leg}_as_of"]) for leg in ("agreement", "licensed", "billed")}
    assert legs == {
        "agreement": ("3", "manual_file", "2026-09-01T00:00:00Z"),
        "licensed": ("", "missing", ""),
        "billed": ("9", "psa_line", "2026-09-01T00:00:00Z"),
    }
    assert (row["bill_target"], row["order_target"], row["order_delta"], row["order_obstacle"]) == (
        "3", "1", "-2", "Alder",
    )  # fmt: skip
    by_users = Known(Seats(5), Basis.LICENSED_USERS, NOW)
    (row_found,) = found.rows
    counted = replace(row_found, target=by_users, counts=replace(row_found.counts, licensed=by_users), order=None)
    (row,) = csv.DictReader(io.StringIO(reconciliation_csv(replace(found, rows=(counted,))), newline=""))
    assert (row["licensed"], row["licensed_basis"], row["bill_target"]) == ("5", "licensed_users", "5")
    assert (row["order_target"], row["order_delta"]) == ("", "")
    (row,) = csv.DictReader(io.StringIO(result_csv(replace(found, rows=(counted,))), newline=""))
    assert (row["difference"], row["what_to_do"]) == ("-4", "set the quantity to 5 (it is 9)")


def test_what_to_order_is_said_where_only_the_order_is_off() -> None:
    found = compared("Alder")
    (row,) = found.rows
    need = OrderNeed(VendorAccountId("V1"), ServiceId("S1"), 3, 5)
    more = replace(row, verdict=Verdict.ORDER_MORE, order=need, monthly_money=Decimal(0))
    (cells,) = csv.DictReader(io.StringIO(result_csv(replace(found, rows=(more,))), newline=""))
    assert (cells["order"], cells["what_to_do"]) == ("+2", "order 2 more (agreement 3, licensed 5)")


@pytest.mark.parametrize("text", [text for text in HOSTILE if not text.startswith(("\t", "\r", " "))])
def test_an_export_comes_back_as_it_was(text: str) -> None:
    (row,) = read_mappings(mappings_csv([account(text)]).encode())
    assert (row.vendor_id, row.psa_id, row.psa_name, row.psa_system) == (text, text, text, text)
    (billed,) = read_services(services_csv([service(text)]).encode())
    assert (billed.service_id, billed.product_code) == (text, text)


@pytest.mark.fault("S6")
def test_S6_there_is_one_place_that_writes_tables() -> None:
    writers = []
    for folder in ("layers/core/trueup", "local", "functions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
            if names & {"writer", "DictWriter", "writerow", "writerows"}:
                writers.append(path.relative_to(ROOT).as_posix())
    assert writers == ["layers/core/trueup/api/spreadsheets.py"]


def test_a_plan_says_from_when_each_change_counts_and_what_the_next_invoice_has() -> None:
    plan = planned("Alder")
    invoice = NextInvoiceLine(date(2026, 10, 1), 3, Decimal("12.75"))
    dated = replace(plan.changes[0], effective=date(2026, 9, 15), next_invoice=invoice)
    (row,) = csv.DictReader(io.StringIO(plan_csv(replace(plan, changes=(dated,))), newline=""))
    told = ("from", "to", "counts_from", "next_invoice_on", "next_invoice_quantity", "next_invoice_amount", "guard")
    assert [row[name] for name in told] == ["9", "3", "2026-09-15", "2026-10-01", "3", "12.75", "held: Alder"]
    (plain,) = csv.DictReader(io.StringIO(plan_csv(plan), newline=""))
    assert [plain[name] for name in told[2:6]] == ["now", "", "", ""]


def test_a_cell_without_a_lead_is_left_alone() -> None:
    assert [safe_cell(text) for text in ("Alder & Co", "4.25", "a=b", "")] == ["Alder & Co", "4.25", "a=b", ""]
