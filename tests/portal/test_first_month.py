"""The first-time story in a real browser, with the mouse: from nothing connected to a month that is applied.

The tests of this file are one story and run in order on one system; each begins where the one before ended.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.handlers.stage import CONNECTWISE_FIELDS, MIMECAST_FIELDS
from tests.portal.town import AXE, SERVICES, Town, Visitor, manifest, open_town, visiting

# A function that fails has nothing to measure, and says so.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:No application metrics")]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as opened:
        yield opened


@pytest.fixture
def visitor(browser: Browser, town: Town) -> Iterator[Visitor]:
    with visiting(browser, town) as visitor:
        yield visitor


def fill_and_authenticate(visitor: Visitor, label: str, address: str, fields: dict[str, str]) -> None:
    page = visitor.page
    page.locator(".choices li", has_text=label).get_by_role("button", name="Connect").click()
    dialog = page.get_by_role("dialog", name=f"Connect {label}")
    for name, value in fields.items():
        dialog.locator(f"input[name={name}]").fill(value)
    dialog.locator("input[name=address]").fill(address)
    dialog.get_by_role("button", name="Authenticate").click()


def test_axe_is_the_copy_that_the_manifest_names() -> None:
    (entry,) = manifest()["files"]
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == entry["sha256"]


def test_it_begins_with_connecting_and_says_so_everywhere(visitor: Visitor) -> None:
    visitor.go("/")
    expect(visitor.page).to_have_url(re.compile("/integrations$"))
    expect(visitor.page.get_by_role("note")).to_contain_text("No sign-in on this machine")
    assert visitor.barriers() == []
    for path, words in (
        ("/accounts", "No accounts yet"),
        ("/services", "No services yet"),
        ("/reconcile", "Nothing has been compared yet"),
        ("/plan", "No plan yet"),
        ("/history", "Nothing has happened yet"),
    ):
        visitor.go(path)
        expect(visitor.page.get_by_role("heading", name=words)).to_be_visible()
        assert visitor.barriers() == []
    visitor.complaints[:] = [one for one in visitor.complaints if "404" not in one]


def test_a_wrong_credential_is_not_stored_and_the_page_says_what_to_do(visitor: Visitor, town: Town) -> None:
    visitor.go("/integrations")
    fill_and_authenticate(visitor, "Mimecast", town.mimecast.url, {**MIMECAST_FIELDS, "client_secret": "wrong"})
    problem = visitor.page.get_by_role("dialog").get_by_role("alert")
    expect(problem).to_contain_text("Request")
    assert visitor.barriers() == []
    visitor.keys("Escape")
    expect(visitor.page.locator(".choices li", has_text="Mimecast")).to_contain_text("Not connected")
    visitor.complaints[:] = [one for one in visitor.complaints if "422" not in one]


def test_connect_both_sides_and_the_first_read_begins_by_itself(visitor: Visitor, town: Town) -> None:
    visitor.go("/integrations")
    fill_and_authenticate(visitor, "Mimecast", town.mimecast.url, MIMECAST_FIELDS)
    card = visitor.page.get_by_role("article", name="Mimecast")
    expect(card).to_contain_text("Pending")
    fill_and_authenticate(visitor, "ConnectWise", town.connectwise.url, CONNECTWISE_FIELDS)
    expect(visitor.page.get_by_role("article", name="ConnectWise")).to_contain_text("Pending")
    expect(visitor.page.locator(".bar")).to_contain_text("Both sides read", timeout=60_000)
    expect(card).to_contain_text("Next read")
    assert "sim-mimecast-client-secret" not in visitor.page.content()
    assert visitor.barriers() == []


def test_map_accounts_by_suggestion_by_dragging_and_leave_one_out(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    visitor.go("/accounts?show=open")
    expect(visitor.row("accounts", "Bramblewood")).to_contain_text("shares the rare words")
    visitor.row("accounts", "Bramblewood").locator(".suggestion").first.click()
    expect(visitor.row("accounts", "Bramblewood")).to_contain_text("Mapped")
    visitor.row("accounts", "Larkfield").get_by_role("button", name=re.compile("^Look for Larkfield")).click()
    client = page.get_by_role("option", name=re.compile("Larkfield Inc"))
    client.drag_to(visitor.row("accounts", "Larkfield"))
    expect(visitor.row("accounts", "Larkfield")).to_contain_text("Mapped")
    visitor.row("accounts", "Orchard Lane").get_by_role("button", name="Exclude").click()
    page.get_by_role("dialog").get_by_role("button", name="A trial that ended").click()
    page.get_by_role("dialog").get_by_label("Who answers for it").fill("Pat")
    page.get_by_role("dialog").get_by_label("Look again on").fill("2099-12-31")
    assert visitor.barriers() == []
    page.get_by_role("dialog").get_by_role("button", name="Exclude", exact=True).click()
    expect(visitor.row("accounts", "Orchard Lane")).to_contain_text("Excluded")
    expect(visitor.row("accounts", "Orchard Lane")).to_contain_text("Pat answers for it, review Dec 31, 2099")
    page.get_by_role("button", name="Undo").click()
    expect(visitor.row("accounts", "Orchard Lane")).to_contain_text("Unmapped")
    assert visitor.barriers() == []
    entries = town.api("GET", "/v1/account-mappings?limit=200")["items"]
    mapped = {entry["vendor_account_name"]: entry["psa_account_name"] for entry in entries if entry["psa_account_id"]}
    assert mapped["Bramblewood Veterinary Clinic"] == "Bramblewood Vet Clinic"
    assert mapped["Larkfield Group Holdings"] == "Larkfield Inc."


def test_map_services_by_product_id(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    visitor.go("/services")
    for service, product in SERVICES.items():
        row = page.locator(".table-services .rows .row").filter(has=page.locator(f'code:text-is("{service}")'))
        row.get_by_role("button", name="Choose a product").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("combobox").fill(product)
        expect(dialog.get_by_role("option").first).to_contain_text(product)
        dialog.get_by_role("option").first.click()
        expect(row).to_contain_text("Mapped")
    assert visitor.barriers() == []
    mapped = {item["service_id"]: item["product_code"] for item in town.api("GET", "/v1/service-mappings")["items"]}
    assert {service: mapped[service] for service in SERVICES} == SERVICES


def test_finish_and_the_comparison_comes_by_itself(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    visitor.go("/finish")
    expect(page.get_by_role("heading", name="Review and finish")).to_be_visible()
    assert visitor.barriers() == []
    page.get_by_role("button", name="Finish and start the sync").click()
    expect(page).to_have_url(re.compile("/reconcile"))
    expect(page.locator(".plan-bar")).to_contain_text("ready", timeout=60_000)
    expect(visitor.row("reconcile", "Quillhaven")).to_contain_text("Bill 240 more")
    expect(visitor.row("reconcile", "Quillhaven")).to_contain_text("no data")
    assert visitor.barriers() == []
    assert town.connectwise.world.writes == [], "nothing is written that nobody approved"


def test_evidence_filters_and_groups_are_in_the_address(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/reconcile")
    visitor.row("reconcile", "Kingsmoor").click()
    drawer = page.get_by_role("complementary", name="Evidence")
    expect(drawer).to_contain_text("Where the numbers come from")
    expect(drawer).to_contain_text("In the plan")
    assert visitor.barriers() == []
    address = page.url
    page.get_by_role("button", name=re.compile("^Bill less")).click()
    expect(page.locator(".table-reconcile .rows .row").first).to_contain_text("less")
    page.get_by_label("Group").select_option("client")
    page.get_by_role("searchbox").fill("pennard")
    expect(page.locator(".table-reconcile .rows .row")).to_have_count(2)
    assert "verdict=bill_less" in page.url
    assert "group=client" in page.url
    assert "q=pennard" in page.url
    assert visitor.barriers() == []
    page.goto(address)
    expect(page.get_by_role("complementary", name="Evidence")).to_contain_text("Kingsmoor")


def test_release_approve_and_apply_with_live_results(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    visitor.go("/reconcile")
    page.get_by_role("link", name="Review the plan").click()
    row = visitor.row("plan", "Pennard")
    expect(row).to_contain_text("Fewer seats")
    before = page.locator(".checksum").inner_text()
    row.get_by_role("button", name="Release").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why it may go").fill("people have left")
    assert visitor.barriers() == []
    dialog.get_by_role("button", name="Release", exact=True).click()
    expect(row).to_contain_text("Released")
    assert page.locator(".checksum").inner_text() != before
    page.get_by_role("button", name="Approve…").click()
    dialog = page.get_by_role("dialog", name="Approve exactly this")
    plan = town.api("GET", f"/v1/plans/{town.api('GET', '/v1/plans')['items'][0]['id']}")
    assert "".join(dialog.locator(".checksum-block code").all_inner_texts()) == plan["checksum"]
    assert visitor.barriers() == []
    dialog.get_by_role("button", name=re.compile("^Approve")).click()
    page.get_by_role("button", name="Apply…").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Apply")).click()
    expect(page.locator("main .lead")).to_contain_text("Applied", timeout=60_000)
    expect(visitor.row("plan", "Kingsmoor")).to_contain_text("Applied")
    # What the line will say next stands beside each change.
    expect(visitor.row("plan", "Kingsmoor").locator(".cell-invoice")).to_contain_text("$")
    assert visitor.barriers() == []
    done = town.api("GET", f"/v1/plans/{plan['id']}")
    written = {change["line_id"]: change["to"] for change in done["changes"] if change["result"]}
    assert len(written) == plan["totals"]["ready"]
    for line_id, quantity in written.items():
        assert town.connectwise.world.additions[int(line_id)].quantity == quantity


def test_take_one_change_back(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    plan = town.api("GET", f"/v1/plans/{town.api('GET', '/v1/plans')['items'][0]['id']}")
    change = next(one for one in plan["changes"] if one["result"] and "Kingsmoor" in one["psa_account_name"])
    visitor.go(f"/plan?id={plan['id']}")
    visitor.row("plan", "Kingsmoor").click()
    drawer = page.get_by_role("complementary", name="Change")
    expect(drawer).to_contain_text("Next invoice")
    drawer.get_by_role("button", name="Take this change back…").click()
    dialog = page.get_by_role("dialog", name="Take this change back?")
    expect(dialog.get_by_role("list", name="What goes back")).to_contain_text("Kingsmoor")
    expect(dialog).to_contain_text("nothing is written before that")
    dialog.get_by_label("Why").fill("the wrong client")
    assert visitor.barriers() == []
    dialog.get_by_role("button", name="Propose to take it back").click()
    expect(page.get_by_role("link", name="an earlier plan")).to_be_visible()
    row = visitor.row("plan", "Kingsmoor")
    expect(row.locator(".from-to")).to_contain_text(str(change["from"]))
    line = town.connectwise.world.additions[int(change["line_id"])]
    assert line.quantity == change["to"], "a proposal writes nothing"
    page.get_by_role("button", name="Approve…").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Approve")).click()
    page.get_by_role("button", name="Apply…").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Apply")).click()
    expect(page.locator("main .lead")).to_contain_text("Applied", timeout=60_000)
    assert line.quantity == change["from"]
    assert visitor.barriers() == []


def test_what_was_taken_back_is_refused_a_second_time_and_says_why(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    first = next(one for one in town.api("GET", "/v1/plans")["items"] if one["totals"]["changes"] > 1)
    visitor.go(f"/plan?id={first['id']}")
    visitor.row("plan", "Kingsmoor").click()
    page.get_by_role("button", name="Take this change back…").click()
    page.get_by_role("dialog").get_by_label("Why").fill("once more")
    page.get_by_role("dialog").get_by_role("button", name="Propose to take it back").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("was taken back by plan")
    visitor.complaints[:] = [one for one in visitor.complaints if "409" not in one]


def test_another_date_is_asked_for_the_whole_plan(visitor: Visitor, town: Town) -> None:
    town.run()
    page = visitor.page
    visitor.go("/plan")
    page.get_by_role("button", name="Another date…").click()
    dialog = page.get_by_role("dialog", name="From when should the changes count?")
    expect(dialog).to_contain_text("as ConnectWise does it")
    assert visitor.barriers() == []
    dialog.get_by_role("radio", name="next period").check()
    dialog.get_by_role("button", name="Read again").click()
    expect(page.locator(".checksum")).to_contain_text("Asked to count next period", timeout=60_000)
    assert visitor.barriers() == []


def test_the_history_tells_it_and_holds(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/history")
    expect(page.locator(".table-history .rows .row").first).to_be_visible()
    page.get_by_role("button", name="Check the chain").click()
    expect(page.get_by_text(re.compile("^All .* events follow from each other$"))).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert download.value.suggested_filename == "history.jsonl"
    assert visitor.barriers() == []
    page.get_by_role("button", name="Runs").click()
    expect(page.locator(".runs li", has_text="Done").first).to_be_visible()
    assert visitor.barriers() == []
