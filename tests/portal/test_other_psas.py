"""The month with each of the other PSAs, by screen: connect, choose a product, finish, compare, approve, apply."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from local.simulators import SIMULATED_PSAS, World, scaled_world
from tests.handlers.stage import MIMECAST_FIELDS
from tests.portal.town import Town, Visitor, open_town, visiting

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:No application metrics")]

CLIENTS = 6
WHEN = {"autotask": "from ", "halopsa": "next invoice", "syncro": "next invoice"}
"""From when a change counts there, as the screen says it."""


def small_world() -> tuple[World, str]:
    """A few clients, one of whom is billed for one seat less than the vendor bills; with that one's name."""
    world = scaled_world(CLIENTS)
    agreements = {agreement.id: agreement for agreement in world.agreements.values()}
    line = next(one for one in world.additions.values() if one.quantity > 3)
    line.quantity -= 1
    return world, world.companies[agreements[line.agreement_id].company_id].name


@pytest.mark.parametrize("psa", sorted(WHEN))
def test_a_month_with_that_psa(browser: Browser, tmp_path_factory: pytest.TempPathFactory, psa: str) -> None:
    world, name = small_world()
    with (
        open_town(tmp_path_factory.mktemp(psa), world, psa=psa) as town,
        visiting(browser, town) as visitor,
    ):
        _connect(visitor, town)
        _map_service(visitor, town)
        visitor.go("/finish")
        visitor.page.get_by_role("button", name="Finish and start the sync").click()
        expect(visitor.page.locator(".plan-bar")).to_contain_text("ready", timeout=60_000)
        expect(visitor.row("reconcile", name)).to_contain_text("Bill")
        _approve_and_apply(visitor, name, WHEN[psa])
        plan = town.api("GET", f"/v1/plans/{town.api('GET', '/v1/plans')['items'][0]['id']}")
        outcomes = {change["result"]["outcome"] for change in plan["changes"] if change["result"]}
        assert outcomes == {"applied"}
        town.run()
        verdicts = {row["psa_account_name"]: row["verdict"] for row in town.api("GET", "/v1/reconciliation")["items"]}
        assert verdicts[name] == "in_line", "the PSA itself says so"


def _connect(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    address = {"address": town.mimecast.url, "fields": MIMECAST_FIELDS}
    town.api("PUT", "/v1/integrations/mimecast", address)
    visitor.go("/integrations")
    known = SIMULATED_PSAS[town.psa_name]
    page.locator(".choices li", has_text=known.label).get_by_role("button", name="Connect").click()
    dialog = page.get_by_role("dialog", name=f"Connect {known.label}")
    for field, value in known.fields.items():
        dialog.locator(f"input[name={field}]").fill(value)
    dialog.locator("input[name=address]").fill(town.psa.url)
    dialog.get_by_role("button", name="Authenticate").click()
    expect(page.get_by_role("article", name=known.label)).to_contain_text("Pending")
    expect(page.locator(".bar")).to_contain_text("Both sides read", timeout=60_000)


def _map_service(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    visitor.go("/services")
    row = page.locator(".table-services .rows .row").filter(has=page.locator('code:text-is("9702")'))
    row.get_by_role("button", name="Choose a product").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").fill("MIME-EMAIL-S1")
    expect(dialog.locator("#picker-list[aria-busy=false]")).to_be_visible()
    dialog.get_by_role("option").filter(has_text="MIME-EMAIL-S1").first.click()
    expect(row).to_contain_text("Mapped")
    town.api("PUT", "/v1/service-mappings/9731", {"product_id": "MIME-AWARE"})


def _approve_and_apply(visitor: Visitor, name: str, when: str) -> None:
    page = visitor.page
    page.get_by_role("link", name="Review the plan").click()
    expect(visitor.row("plan", name)).to_contain_text(when)
    page.get_by_role("button", name="Approve…").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Approve")).click()
    page.get_by_role("button", name="Apply…").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Apply")).click()
    expect(page.locator("main .lead")).to_contain_text("Applied", timeout=60_000)
    expect(visitor.row("plan", name)).to_contain_text("Applied")
