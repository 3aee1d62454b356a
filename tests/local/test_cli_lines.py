"""Lines by the real commands on the simulated ConnectWise: dated, divided, missing ones made, a plan taken back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from local.simulators.world_records import PsaAddition
from tests.local.command_line import Machine, machine, month_until_mapped
from trueup.adapters.clock import SystemClock
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.integrations import IntegrationName
from trueup.usecases.plan_apply import SETTLING_SECONDS

EMAIL = 560
SECOND_LINE = 99_001


@dataclass(frozen=True, slots=True)
class Clients:
    """Companies of the world by what is the matter with them: one to bill more, one to bill less (held), one without
    its line, and one with two lines that bill five seats too few together.
    """

    there: Machine
    more: int
    less: int
    lacking: int
    twofold: int

    def lines(self, company_id: int) -> list[PsaAddition]:
        return [
            line
            for agreement in self.there.world.agreements.values()
            if agreement.company_id == company_id
            for line in self.there.world.lines_of(agreement.id)
            if line.product_id == EMAIL
        ]

    def quantities(self, company_id: int) -> list[int]:
        return [int(line.quantity) for line in self.lines(company_id)]

    def document(self, *words: str, code: int = 0) -> Any:
        done = self.there(*words, "--json")
        assert done.code == code, done.err + done.out
        return done.document

    def settle(self, plan: Any) -> Any:
        """Release what is held, approve, apply."""
        for change in plan["changes"]:
            if change["guard"] is not None and change["guard"]["state"] == "held":
                plan = self.document("plan", "release", plan["id"], change["id"], "--reason", "checked")
        plan = self.document("plan", "approve", plan["id"], "--checksum", plan["checksum"])
        return self.document("plan", "apply", plan["id"], "--checksum", plan["checksum"])


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[Clients]:
    with machine(tmp_path / "home") as there:
        world = there.world
        accounts = sorted(world.accounts.items())
        companies = {one.name: one.id for one in world.companies.values()}
        more, less, lacking, twofold = (companies[account.name] for _, account in accounts[:4])
        found = Clients(there, more, less, lacking, twofold)
        (line,) = found.lines(lacking)
        world.remove_addition(line.id)
        (line,) = found.lines(twofold)
        world.add_addition(replace(line, id=SECOND_LINE, quantity=5.0))
        world.set_agreed_seats(accounts[3][0], int(line.quantity) + 10)
        month_until_mapped(there)
        assert there("finish").code == 0
        yield found


def row_of(document: Any, company_id: int) -> Any:
    (row,) = [
        row for row in document["rows"] if row["psa_account_id"] == str(company_id) and row["product_id"] == str(EMAIL)
    ]
    return row


def test_a_month_of_lines(clients: Clients) -> None:
    found = clients.document("run", code=2)
    ambiguous, missing = row_of(found, clients.twofold), row_of(found, clients.lacking)
    assert (ambiguous["verdict"], missing["verdict"]) == ("ambiguous", "new_revenue")

    # The command is in the reason; a person fills in the seats.
    first, second = (line.id for line in clients.lines(clients.twofold))
    words = f"lines divide {clients.twofold} {EMAIL} --fixed {first}=SEATS --balance {second} --reason WHY"
    assert f"trueup {words}" in ambiguous["reasons"][0]
    before = clients.quantities(clients.twofold)
    told = clients.document(*words.replace("SEATS", str(before[0])).replace("WHY", "sites").split())
    assert told["fits"] is True
    (shown,) = clients.document("lines", "show")["items"]
    assert (shown["balance"], shown["reason"]) == (str(second), "sites")

    run = clients.document("run", code=2)
    row = row_of(run, clients.twofold)
    assert [share["target"] for share in row["shares"]] == [before[0], before[1] + 5]
    plan = run["plan"]
    (share,) = [change for change in plan["changes"] if change["sibling_line_ids"]]
    assert (share["line_id"], share["from"], share["to"]) == (str(second), before[1], before[1] + 5)
    assert share["next_invoice"]["quantity"] == before[1] + 5

    # Without an agreement it lists them; nothing is added before one is chosen.
    choices = clients.document("plan", "add-line", plan["id"], missing["id"])
    (agreement,) = choices["agreement_choices"]
    plan = clients.document("plan", "add-line", plan["id"], missing["id"], "--agreement", agreement["agreement_id"])
    (added,) = [change for change in plan["changes"] if change["kind"] == "create_line"]
    dropped = clients.document("plan", "drop-line", plan["id"], added["id"])
    assert dropped["checksum"] == run["plan"]["checksum"]
    plan = clients.document("plan", "add-line", plan["id"], missing["id"], "--agreement", agreement["agreement_id"])

    applied = clients.settle(plan)
    assert {result["outcome"] for result in applied["results"]} == {"applied"}
    assert clients.quantities(clients.twofold) == [before[0], before[1] + 5]
    assert clients.quantities(clients.lacking) == [added["to"]]
    assert clients.document("run")["plan"]["changes"] == []

    # Take it all back, but for the line that was made.
    undo = clients.document("plan", "undo", plan["id"], "--reason", "a rehearsal")
    assert [one["change_id"] for one in undo["left_out"]] == [added["id"]]
    clients.settle(undo["plan"])
    assert clients.quantities(clients.twofold) == before
    assert clients.quantities(clients.lacking) == [added["to"]]
    refused = clients.there("plan", "undo", plan["id"], "--reason", "again", "--json")
    assert (refused.code, "can be taken back" in refused.err) == (1, True)
    actions = [item["action"] for item in clients.document("history", "--limit", "200")["items"]]
    assert {"lines divided", "line added", "line dropped", "undo proposed"} <= set(actions)

    assert clients.document("lines", "forget", str(clients.twofold), str(EMAIL))["balance"] == str(second)
    assert row_of(clients.document("run", code=2), clients.twofold)["verdict"] == "ambiguous"


def test_changes_that_count_from_the_next_period(clients: Clients) -> None:
    refused = clients.there("run", "--effective", "next_invoice", "--json")
    assert refused.code == 64
    assert "It offers: a day, next_period, now" in refused.document["problem"]["remedy"]
    run = clients.document("run", "--effective", "next_period", code=2)
    change = next(one for one in run["plan"]["changes"] if one["psa_account_id"] == str(clients.more))
    assert change["effective_rule"] == "next_period"
    day = change["effective"]
    assert day.endswith("-01")
    said = clients.there("plan", "show", run["plan"]["id"])
    assert day in said.out
    assert "Counts from" in said.out
    applied = clients.settle(run["plan"])
    assert {result["outcome"] for result in applied["results"]} == {"applied"}
    old, new = clients.lines(clients.more)
    assert (int(old.quantity), int(new.quantity)) == (change["from"], change["to"])
    assert old.cancelled_date is not None
    assert new.effective_date.startswith(day)
    assert row_of(clients.document("run", code=2), clients.more)["verdict"] == "in_line", "what is under way is known"
    assert [item["why"] for item in clients.document("history", "--limit", "300")["items"] if item["why"]].count(
        "changes count from next_period"
    ) == 1


def test_who_waits_for_an_interrupted_change_is_told_why(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PSA that writes differences would wait so; the lines here are ConnectWise's."""
    slept: list[float] = []
    monkeypatch.setattr(SystemClock, "sleep", lambda _self, seconds: slept.append(seconds))
    plan = clients.document("run", code=2)["plan"]
    plan = clients.document("plan", "approve", plan["id"], "--checksum", plan["checksum"])
    order = ("plan", "apply", plan["id"], "--checksum", plan["checksum"])
    clients.there.connectwise.faults.add("drop_before_commit", method="PATCH", times=0)
    assert "unknown" in clients.there(*order).out
    clients.there.connectwise.faults.clear()
    slept.clear()
    able = PSA_CAPABILITIES[IntegrationName.AUTOTASK]
    monkeypatch.setattr("local.cli.plans.psa_capabilities", lambda _integrations: able)
    again = clients.there(*order)
    assert again.code == 0, again.err
    assert "interrupted while a change was on its way" in again.err
    seconds = slept[0]
    assert 120 < seconds <= SETTLING_SECONDS
    assert f"Waiting {seconds:.0f} seconds" in again.err


def test_what_people_read(clients: Clients) -> None:
    run = clients.there("run")
    assert "Lines that are missing" in run.out
    assert "trueup plan add-line plan-" in run.out
    assert "Counts from" in run.out
    nothing = clients.there("lines", "show")
    assert "Nobody has divided any seats" in nothing.out
    bad = clients.there("lines", "divide", str(clients.twofold), str(EMAIL), "--fixed", "88431", "--balance", "1",
                        "--reason", "x", "--json")  # fmt: skip
    assert bad.code != 0
    assert "LINE=SEATS" in bad.err
