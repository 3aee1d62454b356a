"""The whole first month without a mouse: every action of the story has a key, and the focus is always somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import pytest
from playwright.sync_api import Browser, expect

from tests.handlers.stage import CONNECTWISE_FIELDS, MIMECAST_FIELDS
from tests.portal.town import SERVICES, Town, Visitor, open_town, visiting

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:No application metrics")]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as opened:
        yield opened


@pytest.fixture
def visitor(browser: Browser, town: Town) -> Iterator[Visitor]:
    with visiting(browser, town) as visitor:
        # From here on a click is an error: the story must not need one.
        visitor.page.add_init_script(
            "addEventListener('mousedown', () => { throw new Error('somebody used a mouse'); }, true)"
        )
        yield visitor


def connect(visitor: Visitor, label: str, address: str, fields: dict[str, str]) -> None:
    page = visitor.page
    visitor.tab_to(page.locator(".choices li", has_text=label).get_by_role("button", name="Connect"))
    visitor.keys("Enter")
    expect(page.get_by_role("dialog", name=f"Connect {label}")).to_be_visible()
    for value in fields.values():
        page.keyboard.type(value)
        visitor.keys("Tab")
    visitor.keys("ControlOrMeta+a")
    page.keyboard.type(address)
    visitor.keys("Enter")
    expect(page.get_by_role("article", name=label)).to_contain_text("Pending")


def test_the_story_without_a_mouse(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    visitor.go("/")
    expect(page).to_have_url(re.compile("/integrations$"))
    connect(visitor, "Mimecast", town.mimecast.url, MIMECAST_FIELDS)
    connect(visitor, "ConnectWise", town.connectwise.url, CONNECTWISE_FIELDS)
    expect(page.locator(".bar")).to_contain_text("Both sides read", timeout=90_000)
    _map_accounts(visitor, town)
    _map_services(visitor)
    visitor.keys("g", "f")
    finish = page.get_by_role("button", name="Finish and start the sync")
    expect(finish).to_be_enabled()
    visitor.tab_to(finish)
    visitor.keys("Enter")
    expect(page.locator(".plan-bar")).to_contain_text("ready", timeout=90_000)
    visitor.keys("ArrowDown", "ArrowDown", "Enter")
    expect(page.get_by_role("complementary", name="Evidence")).to_be_visible()
    visitor.keys("Escape")
    expect(page.get_by_role("complementary", name="Evidence")).to_have_count(0)
    expect(page.locator("[data-table=reconcile]")).to_be_focused()
    before = _quantities(town)
    _approve_and_apply(visitor)
    assert _quantities(town) != before
    _take_it_back(visitor)
    assert _quantities(town) == before
    visitor.keys("g", "h")
    expect(page.locator(".table-history .rows .row").first).to_contain_text("local administrator")


def _map_accounts(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    visitor.keys("g", "a")
    expect(page.get_by_role("heading", name="Accounts", exact=True)).to_be_visible()
    expect(visitor.row("accounts", "Bramblewood")).to_contain_text("Unmapped")
    visitor.keys("ArrowDown", "Home")
    expect(page.locator(".table-accounts .row.is-active")).to_contain_text("Bramblewood")
    visitor.keys("Enter")
    expect(visitor.row("accounts", "Bramblewood")).to_contain_text("Mapped")
    expect(page.locator(".table-accounts .row.is-active")).to_contain_text("Ferndale Physio")
    visitor.keys("x")
    expect(page.locator(".table-accounts .row.is-active")).to_contain_text("Granite")
    visitor.keys("x")
    expect(visitor.row("accounts", "Granite")).to_contain_text("skipped")
    visitor.keys("m")
    expect(page.get_by_role("dialog")).to_contain_text("Larkfield")
    page.keyboard.type("larkfield")
    expect(page.get_by_role("dialog").get_by_role("option")).to_have_count(1)
    expect(page.locator("#picker-list[aria-busy=false]")).to_be_visible()
    visitor.keys("Enter")
    expect(visitor.row("accounts", "Larkfield")).to_contain_text("Mapped")
    visitor.keys("e")
    expect(page.get_by_role("dialog")).to_contain_text("Exclude Orchard")
    page.keyboard.type("never billed")
    visitor.keys("Enter")
    expect(visitor.row("accounts", "Orchard")).to_contain_text("Excluded")
    visitor.keys("z")
    expect(visitor.row("accounts", "Orchard")).to_contain_text("Unmapped")
    visitor.keys("/")
    page.keyboard.type("summerlea")
    expect(page.locator(".table-accounts .rows .row")).to_have_count(1)
    assert "q=summerlea" in page.url
    states = {
        entry["vendor_account_name"]: entry["mapping"] for entry in town.api("GET", "/v1/account-mappings")["items"]
    }
    assert states["Bramblewood Veterinary Clinic"] == states["Larkfield Group Holdings"] == "mapped"
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-table=accounts]")).to_be_focused()


def _map_services(visitor: Visitor) -> None:
    page = visitor.page
    visitor.keys("g", "s")
    expect(page.locator(".table-services .rows .row").first).to_be_visible()
    for service, product in SERVICES.items():
        visitor.keys("/", "ControlOrMeta+a")
        page.keyboard.type(service)
        expect(page.locator(".table-services .rows .row")).to_have_count(1)
        visitor.keys("ArrowDown", "Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.type(product)
        expect(page.locator("#picker-list[aria-busy=false]")).to_be_visible()
        expect(page.get_by_role("dialog").get_by_role("option").first).to_contain_text(product)
        visitor.keys("Enter")
        expect(page.locator(".table-services .rows .row").first).to_contain_text("Mapped")


def _approve_and_apply(visitor: Visitor) -> None:
    page = visitor.page
    visitor.keys("g", "p")
    expect(page.locator(".table-plan .rows .row").first).to_contain_text("A jump")
    visitor.keys("ArrowDown", "Home", "r")
    expect(page.get_by_role("dialog")).to_contain_text("Release this change?")
    page.keyboard.type("confirmed by phone")
    visitor.keys("Enter")
    expect(visitor.row("plan", "Quillhaven")).to_contain_text("Released")
    visitor.keys("a")
    expect(page.get_by_role("dialog", name="Approve exactly this")).to_be_visible()
    visitor.keys("Enter")
    expect(page.get_by_role("button", name="Apply…")).to_be_visible()
    visitor.keys("a")
    expect(page.get_by_role("dialog", name="Apply the plan")).to_be_visible()
    visitor.keys("Enter")
    expect(page.locator("main .lead")).to_contain_text("Applied", timeout=90_000)


def _quantities(town: Town) -> dict[int, Decimal]:
    return {number: addition.quantity for number, addition in town.connectwise.world.additions.items()}


def _take_it_back(visitor: Visitor) -> None:
    page = visitor.page
    visitor.keys("u")
    expect(page.get_by_role("dialog", name="Take back what this plan wrote?")).to_be_visible()
    page.keyboard.type("the month was not over")
    visitor.keys("Enter")
    expect(page.get_by_role("link", name="an earlier plan")).to_be_visible()
    visitor.keys("a")
    expect(page.get_by_role("dialog", name="Approve exactly this")).to_be_visible()
    visitor.keys("Enter")
    expect(page.get_by_role("button", name="Apply…")).to_be_visible()
    visitor.keys("a")
    expect(page.get_by_role("dialog", name="Apply the plan")).to_be_visible()
    visitor.keys("Enter")
    expect(page.locator("main .lead")).to_contain_text("Applied", timeout=90_000)


def test_the_list_of_keys_names_what_works_here(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/accounts")
    visitor.keys("?")
    listed = page.get_by_role("dialog", name="Keyboard shortcuts")
    for words in ("Account mapping", "Exclude, with a reason", "Undo the last decision", "Go to Plan"):
        expect(listed).to_contain_text(words)
    assert visitor.barriers() == []
    visitor.keys("Escape")
    expect(listed).to_have_count(0)


def test_the_first_tab_skips_to_the_content(visitor: Visitor) -> None:
    visitor.go("/accounts")
    visitor.keys("Tab")
    expect(visitor.page.get_by_role("link", name="Skip to content")).to_be_focused()
    visitor.keys("Enter")
    expect(visitor.page.locator("#main")).to_be_focused()
