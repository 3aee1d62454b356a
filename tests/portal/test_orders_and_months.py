"""Orders, portal users, closed months, reports, who is told and who counts: one month of three counts, by screen.

One of the clients has a name that would like to be markup. The town goes on from test to test, as a month does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from local.simulators import World, demo_world
from local.simulators.credentials import MICROSOFT365_FIELDS
from local.simulators.microsoft365 import Microsoft365Simulator
from local.simulators.mimecast_orders import type_order
from local.simulators.tickets import tickets_of
from tests.portal.town import NARROW, Town, Visitor, open_town, until, visiting

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:No application metrics")]

HOSTILE = "<img src=x onerror=window.pwned=1>"
ORDERED, LESS = "Kingsmoor Engineering", "Cedarhollow"
"""Clients with an order: the one that is renamed, for more seats, and one for fewer."""

SEATS = (117, 123, 113)
"""Agreement, licensed and billed of the renamed client."""


@dataclass(frozen=True)
class Month:
    """The town with a third count, and the world behind it."""

    town: Town
    world: World


def rename_one(world: World) -> None:
    """On both sides; who is licensed was settled before, and the tenant keeps its name."""
    for company in world.companies.values():
        if company.name == ORDERED:
            company.name = HOSTILE
    for account in world.accounts.values():
        if account.name == ORDERED:
            account.name = HOSTILE


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    world = demo_world()
    with Microsoft365Simulator(world) as microsoft365, open_town(tmp_path_factory.mktemp("town"), world) as town:
        rename_one(world)
        town.connect()
        town.api(
            "PUT",
            "/v1/integrations/microsoft365",
            {"address": microsoft365.url, "fields": MICROSOFT365_FIELDS},
        )
        town.run()
        _map_the_renamed(town, world)
        town.finish()
        yield Month(town, world)


def _map_the_renamed(town: Town, world: World) -> None:
    """The tenant, which kept the old name, is the client with the new one."""
    company = next(one for one in world.companies.values() if one.name == HOSTILE)
    entries = town.api("GET", "/v1/license-mappings?limit=500")["items"]
    (tenant,) = (entry for entry in entries if entry["vendor_account_name"] == ORDERED)
    town.api("PUT", f"/v1/license-mappings/{tenant['vendor_account_id']}", {"psa_account_id": str(company.id)})


@pytest.fixture
def visitor(browser: Browser, month: Month) -> Iterator[Visitor]:
    with visiting(browser, month.town) as visitor:
        yield visitor


def order_of(town: Town, name: str) -> Any:
    orders = town.api("GET", "/v1/change-orders?limit=200")["items"]
    return next(one for one in orders if name in one["psa_account_name"])


def inert(visitor: Visitor) -> None:
    found = visitor.page.evaluate(
        """() => ({pwned: typeof window.pwned, made: document.querySelectorAll('#app img, #app script').length,
        wide: document.scrollingElement.scrollWidth > innerWidth,
        turned: /[\\u202a-\\u202e\\u2066-\\u2069]/.test(document.body.textContent)})"""
    )
    assert found == {"pwned": "undefined", "made": 0, "wide": False, "turned": False}, visitor.page.url


@contextmanager
def refused(visitor: Visitor, status: str) -> Iterator[None]:
    """What is done here is refused, and meant to be: the browser notes it on its console, a little later."""
    yield
    until(lambda: visitor.page.evaluate("true") and any(status in one for one in visitor.complaints))
    visitor.complaints[:] = [one for one in visitor.complaints if status not in one]


def test_before_anything_was_read_each_screen_says_the_next_step(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = demo_world()
    with (
        Microsoft365Simulator(world) as microsoft365,
        open_town(tmp_path_factory.mktemp("empty"), world) as town,
        visiting(browser, town) as visitor,
    ):
        for path, words in (
            ("/orders", "Nothing is to be ordered"),
            ("/portal-users", "Nobody is on the list"),
            ("/months", "No month yet"),
            ("/reports", "No month has been compared yet"),
        ):
            visitor.go(path)
            expect(visitor.page.get_by_role("heading", name=words)).to_be_visible()
            assert visitor.barriers(("light",)) == []
        _connects_microsoft365(visitor, microsoft365.url)


def _connects_microsoft365(visitor: Visitor, url: str) -> None:
    page = visitor.page
    visitor.go("/integrations")
    page.locator(".choices li", has_text="Microsoft 365").get_by_role("button", name="Connect").click()
    dialog = page.get_by_role("dialog", name="Connect Microsoft 365")
    for name, value in MICROSOFT365_FIELDS.items():
        dialog.locator(f"input[name={name}]").fill(value)
    dialog.get_by_label("API address").fill(url)
    assert visitor.barriers(("light",)) == []
    dialog.get_by_role("button", name="Authenticate").click()
    expect(page.get_by_role("article", name="Microsoft 365")).to_contain_text("Pending")
    assert MICROSOFT365_FIELDS["client_secret"] not in page.content()


def test_three_counts_with_what_to_order_and_what_is_behind_it(visitor: Visitor, month: Month) -> None:
    page = visitor.page
    visitor.go("/reconcile?view=all&q=Birch")
    expect(visitor.row("reconcile", "Birch").locator(".cell-licensed")).to_contain_text("not read")
    expect(page.locator(".bar")).to_contain_text("All sides read")
    expect(page.locator(".bar")).to_contain_text("1 could not be read")
    visitor.go("/reconcile?view=all&q=pwned")
    row = visitor.row("reconcile", HOSTILE)
    need = order_of(month.town, HOSTILE)
    expect(row).to_contain_text(f"Order {need['change']} more")
    row.click()
    drawer = page.get_by_role("complementary", name="Evidence")
    expect(drawer.locator(".chart canvas")).to_be_visible()
    drawer.get_by_text("The numbers as a table").click()
    expect(drawer.get_by_role("row", name=re.compile("^December 2025|^January 2026")).first).to_contain_text("no data")
    newest = drawer.get_by_role("table").locator("tbody tr").last
    assert newest.locator("td").all_inner_texts() == [str(seats) for seats in SEATS]
    drawer.get_by_text("Everybody in and out, with the reason").click()
    expect(drawer.get_by_role("list", name="Licensed users").get_by_role("listitem").first).to_contain_text("counted")
    drawer.get_by_label("Note").fill("asked by phone <b>twice</b>")
    drawer.get_by_role("button", name="Keep").click()
    expect(drawer.get_by_role("listitem").filter(has_text="asked by phone <b>twice</b>")).to_be_visible()
    inert(visitor)
    assert visitor.barriers() == []
    drawer.get_by_role("link", name="Open the change order").click()
    expect(page.get_by_role("complementary", name="Change order")).to_contain_text(need["id"])


def test_a_tenant_is_mapped_by_a_key_and_taken_back(visitor: Visitor, month: Month) -> None:
    page = visitor.page
    visitor.go("/reconcile")
    page.get_by_role("link", name="Tenants").click()
    page.get_by_role("button", name=re.compile("^To decide")).click()
    page.get_by_role("searchbox").fill("Bramblewood")
    row = visitor.row("accounts", "Bramblewood")
    expect(row).to_contain_text("Bramblewood Vet Clinic")
    assert visitor.barriers() == []
    page.get_by_role("searchbox").press("Enter")
    visitor.keys("1")
    expect(row).to_contain_text("Mapped")
    assert _tenant(month.town)["psa_account_name"] == "Bramblewood Vet Clinic"
    visitor.keys("z")
    expect(row).to_contain_text("Unmapped")
    assert _tenant(month.town)["mapping"] == "unmapped"


def _tenant(town: Town) -> Any:
    entries = town.api("GET", "/v1/license-mappings?limit=500")["items"]
    return next(entry for entry in entries if "Bramblewood" in entry["vendor_account_name"])


def test_an_order_is_approved_and_marked_as_submitted_by_keys_alone(visitor: Visitor, month: Month) -> None:
    page = visitor.page
    page.add_init_script("addEventListener('mousedown', () => { throw new Error('somebody used a mouse'); }, true)")
    order = order_of(month.town, HOSTILE)
    visitor.go("/orders?q=pwned")
    expect(visitor.row("orders", HOSTILE)).to_contain_text("Draft")
    visitor.keys("ArrowDown", "Enter")
    drawer = page.get_by_role("complementary", name="Change order")
    expect(drawer.get_by_role("list", name=re.compile("^[0-9]+ steps$"))).to_contain_text("Seat Adjustment")
    work = month.town.api("GET", f"/v1/change-orders/{order['id']}")["work_item"]
    assert drawer.locator(".work-value b").all_inner_texts() == [step["value"] for step in work["steps"]]
    expect(drawer.locator(".order-totals")).to_contain_text(f"+{order['change']}")
    inert(visitor)
    assert visitor.barriers() == []
    visitor.keys("a")
    dialog = page.get_by_role("dialog", name="Approve exactly this order")
    assert "".join(dialog.locator(".checksum-block code").all_inner_texts()) == order["checksum"]
    assert visitor.barriers(("light",)) == []
    visitor.tab_to(dialog.get_by_role("button", name="Approve", exact=True))
    visitor.keys("Enter")
    expect(drawer.locator(".drawer-verdict")).to_contain_text("Approved")
    expect(dialog).to_have_count(0)
    visitor.keys("s")
    dialog = page.get_by_role("dialog", name="Mark as submitted")
    expect(dialog.get_by_role("button", name="Mark as submitted")).to_be_disabled()
    expect(dialog.get_by_label(re.compile("^Order number"))).to_be_focused()
    page.keyboard.type("SO-1001")
    visitor.tab_to(dialog.get_by_role("checkbox"))
    visitor.keys("Space")
    assert visitor.barriers(("light",)) == []
    visitor.tab_to(dialog.get_by_role("button", name="Mark as submitted"))
    visitor.keys("Enter")
    expect(drawer.locator(".drawer-verdict")).to_contain_text("Submitted")
    stored = month.town.api("GET", f"/v1/change-orders/{order['id']}")
    assert (stored["state"], stored["submitted"]["order_number"]) == ("submitted", "SO-1001")


def test_fewer_seats_need_the_day_of_the_notice_and_an_order_can_be_cancelled(visitor: Visitor, month: Month) -> None:
    page = visitor.page
    order = order_of(month.town, LESS)
    visitor.go(f"/orders?id={order['id']}")
    drawer = page.get_by_role("complementary", name="Change order")
    drawer.get_by_role("button", name="Terms…").click()
    dialog = page.get_by_role("dialog", name="Terms of this order")
    dialog.get_by_label(re.compile("^Primary implementation lead")).fill("Dana Ops")
    dialog.get_by_role("button", name="Keep").click()
    expect(drawer.locator(".work-steps")).to_contain_text("Dana Ops")
    drawer.get_by_role("button", name="Approve…").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve", exact=True).click()
    drawer.get_by_role("button", name="Mark as submitted…").click()
    dialog = page.get_by_role("dialog", name="Mark as submitted")
    dialog.get_by_label(re.compile("^Order number")).fill("SO-1002")
    dialog.get_by_role("checkbox").check()
    expect(dialog.get_by_role("button", name="Mark as submitted")).to_be_disabled()
    dialog.get_by_label(re.compile("^It can be cancelled until")).fill("2099-12-31")
    dialog.get_by_role("button", name="Mark as submitted").click()
    expect(drawer).to_contain_text("It can be cancelled until Dec 31, 2099")
    drawer.get_by_role("button", name="Cancel…").click()
    dialog = page.get_by_role("dialog", name="Cancel this order?")
    expect(dialog).to_contain_text("cancel it in the portal first")
    dialog.get_by_label("Why").fill("the people come back")
    assert visitor.barriers(("light",)) == []
    dialog.get_by_role("button", name="Cancel the order").click()
    expect(drawer.locator(".drawer-verdict")).to_contain_text("Cancelled")
    expect(drawer).to_contain_text("nothing is left to do")
    assert month.town.api("GET", f"/v1/change-orders/{order['id']}")["state"] == "cancelled"


def test_only_a_read_shows_that_an_order_is_in_the_agreement(visitor: Visitor, month: Month) -> None:
    order = order_of(month.town, HOSTILE)
    type_order(month.world, order["vendor_account_id"], order["to"])
    month.town.run()
    visitor.go("/orders?show=over")
    expect(visitor.row("orders", HOSTILE)).to_contain_text("In the agreement")
    with visitor.page.expect_download() as saved:
        visitor.page.get_by_role("button", name="CSV").click()
    assert saved.value.suggested_filename == "change-orders.csv"


def test_portal_users_from_a_file_to_the_mail_and_the_invite(visitor: Visitor, month: Month) -> None:
    page = visitor.page
    visitor.go("/portal-users")
    people = f"name,address\n{HOSTILE},friend@elsewhere.example\nBilling,billing@simmsp.example\n"
    page.get_by_label("A file of portal users").set_input_files(
        {"name": "people.csv", "mimeType": "text/csv", "buffer": people.encode()}
    )
    users = page.get_by_role("list", name="Portal users")
    expect(users.locator(":scope > li")).to_have_count(2)
    visitor.keys("n")
    dialog = page.get_by_role("dialog", name="Add a portal user")
    dialog.get_by_label("Name").fill("Dana Ops")
    dialog.get_by_label(re.compile("^Address")).fill("dana.ops@simmsp.example")
    assert visitor.barriers(("light",)) == []
    visitor.keys("Enter")
    expect(users.locator(":scope > li")).to_have_count(3)
    page.get_by_role("button", name="Check all").click()
    dana, billing = users.locator(":scope > li", has_text="Dana Ops"), users.locator(":scope > li", has_text="Billing")
    expect(dana).to_contain_text("Ready")
    expect(billing).to_contain_text("Blocked")
    expect(billing).to_contain_text("Do:")
    dana.get_by_role("checkbox", name=re.compile("two-step")).check()
    expect(dana.get_by_role("checkbox", name=re.compile("two-step"))).to_be_checked()
    dana.get_by_role("button", name="Invite: Dana Ops").click()
    expect(dana).to_contain_text("invited")
    with refused(visitor, "409"):
        billing.get_by_role("button", name="Invite: Billing").click()
    expect(billing.get_by_role("alert")).to_be_visible()
    inert(visitor)
    assert visitor.barriers() == []
    _reads_the_mail(visitor)
    found = {user["name"]: user for user in month.town.api("GET", "/v1/portal-users")["items"]}
    assert found["Dana Ops"]["invited_at"]
    assert not found["Billing"]["invited_at"]


def _reads_the_mail(visitor: Visitor) -> None:
    page = visitor.page
    visitor.keys("m")
    dialog = page.get_by_role("dialog", name="The mail to your account manager")
    # Who is ready was invited already, so the mail begins with those who were.
    expect(dialog.get_by_role("checkbox")).to_be_checked()
    dialog.get_by_label("To").fill("manager@mimecast.example")
    expect(dialog.get_by_label("Text")).to_have_value(re.compile(r"dana\.ops@simmsp\.example"))
    link = dialog.get_by_role("link", name="Open in your mail program")
    expect(link).to_have_attribute("href", re.compile(r"^mailto:manager@mimecast\.example\?subject="))
    assert visitor.barriers(("light",)) == []
    visitor.keys("Escape")
    expect(dialog).to_have_count(0)


def test_a_report_adds_up_and_a_month_that_was_never_compared_is_a_gap(visitor: Visitor, month: Month) -> None:
    page = visitor.page
    visitor.go("/reports")
    report = page.get_by_role("region", name=re.compile("^Report of "))
    expect(report.get_by_role("table", name="The month")).to_be_visible()
    period = month.town.api("GET", "/v1/trend?months=1")["items"][0]["period"]
    (total,) = month.town.api("GET", f"/v1/reports/{period}")["totals"]
    cells = report.get_by_role("table", name="The month").locator("tbody td").all_inner_texts()
    shown = [float(re.sub(r"[^0-9.]", "", cell) or 0) for cell in cells]
    parts = ("found", "corrected", "settled", "outstanding")
    assert shown == [float(total[way][part]) for way in ("underbilled", "overbilled") for part in parts]
    trend = page.get_by_role("region", name="Trend")
    expect(trend.locator("canvas").first).to_be_visible()
    trend.get_by_text("The numbers as a table").first.click()
    rows = trend.get_by_role("table").first.locator("tbody tr")
    expect(rows).to_have_count(12)
    assert rows.first.locator("td").all_inner_texts() == ["no data"] * 3
    assert "no data" not in rows.last.inner_text()
    inert(visitor)
    assert visitor.barriers() == []
    for kind in ("HTML", "CSV"):
        with page.expect_download() as saved:
            page.get_by_role("button", name=f"Save the report as {kind}").click()
        assert saved.value.suggested_filename == f"report-{period}.{kind.lower()}"


def test_a_month_is_closed_proven_made_again_given_as_evidence_and_reopened(visitor: Visitor, month: Month) -> None:
    page = visitor.page
    visitor.go("/months")
    months = page.get_by_role("list", name="Months")
    page.get_by_role("button", name="Close the month…").click()
    dialog = page.get_by_role("dialog", name=re.compile("^Close "))
    with refused(visitor, "409"):
        dialog.get_by_role("button", name="Close the month").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Request")
    dialog.get_by_label(re.compile("^Reason")).fill("the rest is done by hand")
    assert visitor.barriers(("light",)) == []
    dialog.get_by_role("button", name="Close the month").click()
    expect(months).to_contain_text("Outstanding when it was closed")
    page.get_by_role("button", name="Make it again").click()
    expect(months.get_by_role("status")).to_contain_text("Made again: the same")
    page.get_by_role("button", name="Verify all").click()
    expect(page.get_by_text(re.compile("^Holds: 1 month,"))).to_be_visible()
    assert visitor.barriers() == []
    page.get_by_role("button", name="Evidence of a client…").click()
    dialog = page.get_by_role("dialog", name=re.compile("^Whose evidence"))
    dialog.get_by_role("combobox").fill("pwned")
    expect(dialog.get_by_role("option").first).to_contain_text(HOSTILE)
    visitor.keys("Enter")
    with page.expect_download() as saved:
        page.get_by_role("dialog", name="Evidence pack").get_by_role("button", name="HTML").click()
    assert HOSTILE not in saved.value.path().read_text(encoding="utf-8")
    inert(visitor)
    visitor.keys("Escape")
    months.get_by_role("button", name="Reopen…").click()
    dialog = page.get_by_role("dialog", name=re.compile("^Reopen "))
    dialog.get_by_label("Why").fill("one line was forgotten")
    dialog.get_by_role("button", name="Reopen", exact=True).click()
    expect(months).to_contain_text("Reopened")
    (kept,) = month.town.api("GET", "/v1/months")["items"]
    assert [link["kind"] for link in kept["links"]] == ["sealed", "reopened"]


def test_a_channel_is_set_tried_and_removed(visitor: Visitor, month: Month) -> None:
    page = visitor.page
    visitor.go("/settings?show=notices")
    channels = page.get_by_role("list", name="Notice channels")
    channels.get_by_role("button", name="Set Ticket in the PSA").click()
    dialog = page.get_by_role("dialog", name="Set Ticket in the PSA")
    dialog.get_by_label(re.compile("^Company")).fill(str(min(month.world.companies)))
    dialog.get_by_role("checkbox", name="Approval wanted").check()
    assert visitor.barriers(("light",)) == []
    dialog.get_by_role("button", name="Set", exact=True).click()
    channels.get_by_role("button", name="Try it: Ticket in the PSA").click()
    (row,) = channels.locator(":scope > li", has_text="Ticket in the PSA").all()
    expect(row.get_by_role("status")).to_contain_text("Sent")
    assert tickets_of(month.world)
    assert visitor.barriers() == []
    channels.get_by_role("button", name="Remove Ticket in the PSA").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(row).to_contain_text("Not set")


def test_who_counts_is_said_with_a_reason_and_is_a_version(visitor: Visitor, month: Month) -> None:
    page = visitor.page
    visitor.go("/settings?show=counting")
    policies = page.get_by_role("list", name="Counting policies")
    expect(policies).to_contain_text("people only")
    policies.get_by_role("button", name="Change the rules of All clients").click()
    dialog = page.get_by_role("dialog", name=re.compile("^How users count"))
    dialog.get_by_role("checkbox", name="Shared mailboxes").check()
    dialog.get_by_label("Minimum").fill("2")
    dialog.get_by_label("Why").fill("our contract says so")
    assert visitor.barriers(("light",)) == []
    dialog.get_by_role("button", name="Say so").click()
    expect(policies).to_contain_text("also shared mailboxes; at least 2")
    assert visitor.barriers() == []
    general = month.town.api("GET", "/v1/counting-policies")["general"]
    assert (general["counts_shared"], general["minimum_seats"], general["version"]) == (True, 2, 1)


def test_on_a_telephone_nothing_is_wider_than_the_page(browser: Browser, month: Month) -> None:
    order = order_of(month.town, HOSTILE)
    with visiting(browser, month.town, viewport=NARROW) as visitor:
        for path, wanted in (
            ("/orders?show=over", ".table-orders .rows .row"),
            (f"/orders?id={order['id']}", ".work-steps"),
            ("/portal-users", ".portal-users li"),
            ("/months", ".months .card"),
            ("/reports", ".chart canvas"),
            ("/settings?show=notices", ".records li"),
            ("/settings?show=counting", ".records li"),
        ):
            visitor.go(path)
            expect(visitor.page.locator(wanted).first).to_be_visible()
            inert(visitor)
