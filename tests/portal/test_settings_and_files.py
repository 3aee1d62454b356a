"""What is set once or decided on a single row: lines, keys, callbacks, files. One finished month of the demo world."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.portal.town import Town, Visitor, open_town, visiting

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:No application metrics")]

ACCOUNTS_FILE = "Exported on 20 November\n\nCode;Name of customer;Seats\nC1;Bäckerei Krug;12\nC2;Pier & Söhne;7\n"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("town")) as opened:
        opened.connect()
        opened.run()
        opened.finish()
        yield opened


@pytest.fixture
def visitor(browser: Browser, town: Town) -> Iterator[Visitor]:
    with visiting(browser, town) as visitor:
        yield visitor


def open_row(visitor: Visitor, name: str) -> None:
    visitor.go(f"/reconcile?view=all&q={name}")
    visitor.row("reconcile", name).click()
    expect(visitor.page.get_by_role("complementary", name="Evidence")).to_be_visible()


def test_seats_are_divided_among_several_lines_and_the_division_is_forgotten(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    open_row(visitor, "Vexford")
    page.get_by_role("button", name="Divide the seats among them…").click()
    dialog = page.get_by_role("dialog", name="How are the seats divided?")
    lines = dialog.get_by_role("list", name="Lines")
    expect(lines.get_by_role("listitem")).to_have_count(2)
    lines.get_by_role("spinbutton").fill("6")
    dialog.get_by_label("Why").fill("two sites")
    assert visitor.barriers() == []
    dialog.get_by_role("button", name="Divide", exact=True).click()
    expect(dialog).to_have_count(0)
    (kept,) = town.api("GET", "/v1/line-divisions")["items"]
    assert [one["seats"] for one in kept["fixed"]] == [6]
    assert kept["reason"] == "two sites"
    visitor.go("/settings?show=lines")
    divided = page.get_by_role("list", name="Divided lines")
    expect(divided).to_contain_text("Vexford")
    expect(divided).to_contain_text("Fits")
    assert visitor.barriers() == []
    divided.get_by_role("button", name=re.compile("^Forget")).click()
    page.get_by_role("dialog").get_by_role("button", name="Forget", exact=True).click()
    expect(page.get_by_role("heading", name="Nothing is divided")).to_be_visible()
    assert town.api("GET", "/v1/line-divisions")["items"] == []


def test_a_missing_line_is_added_to_the_plan_and_taken_out_again(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    open_row(visitor, "Saltmarsh")
    page.get_by_role("button", name="Add the missing line…").click()
    dialog = page.get_by_role("dialog", name="Add the missing line")
    expect(dialog).to_contain_text("114 seats")
    dialog.get_by_role("radio", name=re.compile("Managed Services")).check()
    assert visitor.barriers() == []
    dialog.get_by_role("button", name="Add to the plan").click()
    drawer = page.get_by_role("complementary", name="Evidence")
    drawer.get_by_role("link", name="Open it in the plan").click()
    change = page.get_by_role("complementary", name="Change")
    expect(change).to_contain_text("made when it is applied")
    assert town.connectwise.world.writes == [], "a plan writes nothing"
    change.get_by_role("button", name="Take the line out again").click()
    expect(change).to_have_count(0)
    plan = town.api("GET", f"/v1/plans/{town.api('GET', '/v1/plans')['items'][0]['id']}")
    assert {one["kind"] for one in plan["changes"]} == {"set_quantity"}


def test_a_key_is_shown_once_opens_what_it_may_and_nothing_when_revoked(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    visitor.go("/settings")
    expect(page.get_by_role("heading", name="No key yet")).to_be_visible()
    page.get_by_role("button", name="Make a key").click()
    dialog = page.get_by_role("dialog", name="Make a key")
    dialog.get_by_label("What uses it").fill("the month-end script")
    dialog.get_by_role("checkbox", name=re.compile("^Approve plans")).check()
    expect(dialog).to_contain_text("without a person looking")
    dialog.get_by_role("checkbox", name=re.compile("^Approve plans")).uncheck()
    assert visitor.barriers() == []
    dialog.get_by_role("button", name="Make it").click()
    shown = page.get_by_role("dialog", name="The key for the month-end script")
    key = shown.get_by_label("Key", exact=True).input_value()
    assert len(key) > 40
    assert visitor.barriers() == []
    shown.get_by_role("button", name="I have it").click()
    keys = page.get_by_role("list", name="API keys")
    expect(keys).to_contain_text("Read counts")
    assert key not in page.content()
    assert key not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert _asked(town, key) == 200
    keys.get_by_role("button", name="Revoke the month-end script").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke", exact=True).click()
    expect(keys).to_contain_text("Revoked")
    assert _asked(town, key) in (401, 403)


def _asked(town: Town, key: str) -> int:
    return requests.get(f"{town.url}/v1/psa/clients/250", headers={"x-api-key": key}, timeout=30).status_code


def test_the_psa_is_asked_to_call_and_no_longer(visitor: Visitor) -> None:
    page = visitor.page
    visitor.go("/settings?show=callbacks")
    expect(page.get_by_role("heading", name="The PSA does not call")).to_be_visible()
    page.get_by_role("button", name="Have the PSA call…").click()
    dialog = page.get_by_role("dialog", name="Have the PSA call")
    dialog.get_by_label(re.compile("^Address")).fill("https://trueup.msp.example")
    assert visitor.barriers() == []
    dialog.get_by_role("button", name="Register").click()
    listed = page.get_by_role("list", name="Callbacks")
    expect(listed).to_contain_text("The PSA calls")
    assert visitor.barriers() == []
    while (left := listed.get_by_role("button").count()) > 0:
        listed.get_by_role("button").first.click()
        page.get_by_role("dialog").get_by_role("button", name="Take back", exact=True).click()
        expect(listed.get_by_role("button")).to_have_count(left - 1)
    expect(page.get_by_role("heading", name="The PSA does not call")).to_be_visible()


def give(page: Page, kind: str, content: bytes) -> None:
    page.get_by_label(f"File of {kind}", exact=True).set_input_files(
        {"name": "export.csv", "mimeType": "text/csv", "buffer": content}
    )


def test_a_file_is_looked_at_its_columns_are_confirmed_once_and_it_is_forgotten(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    visitor.go("/files")
    give(page, "accounts", ACCOUNTS_FILE.encode("cp1252"))
    dialog = page.get_by_role("dialog", name="Accounts: which column is which?")
    expect(dialog).to_contain_text("2 rows")
    expect(dialog.get_by_role("region", name="The first rows")).to_contain_text("Bäckerei Krug")
    dialog.get_by_label("account name").select_option("")
    expect(dialog).to_contain_text("Say which column is the account name")
    expect(dialog.get_by_role("button", name="Take the file")).to_be_disabled()
    dialog.get_by_label("account name").select_option("Name of customer")
    dialog.get_by_label("account code").select_option("Code")
    assert visitor.barriers() == []
    dialog.get_by_role("button", name="Take the file").click()
    expect(page.get_by_role("list").filter(has_text="account code").first).to_contain_text("2 rows, given")
    assert visitor.barriers() == []
    kept = {one["kind"]: one for one in town.api("GET", "/v1/files")["items"]}
    assert kept["accounts"]["columns"]["account_name"] == "Name of customer"
    page.get_by_role("button", name="Forget accounts").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget", exact=True).click()
    expect(page.get_by_role("button", name="Forget accounts")).to_have_count(0)


def test_a_bad_row_of_a_file_is_told_and_nothing_is_taken(visitor: Visitor, town: Town) -> None:
    page = visitor.page
    visitor.go("/files")
    give(page, "seat counts", b"account code,service name,seats\nC1,Email Security,many\n")
    dialog = page.get_by_role("dialog", name="Seat counts: which column is which?")
    dialog.get_by_role("button", name="Take the file").click()
    expect(dialog.get_by_role("alert")).to_contain_text("line 2")
    visitor.keys("Escape")
    assert not {one["kind"]: one for one in town.api("GET", "/v1/files")["items"]}["counts"]["kept"]
    visitor.complaints[:] = [one for one in visitor.complaints if "400" not in one]


def test_another_psa_takes_the_place_of_the_one_that_is_connected_only_after_it_is_said_what_happens(
    visitor: Visitor,
) -> None:
    page = visitor.page
    visitor.go("/integrations")
    page.locator("summary", has_text="Other systems").last.click()
    page.locator(".choices li", has_text="Syncro").get_by_role("button", name="Change to it…").click()
    expect(page.get_by_role("dialog", name="Connect Syncro")).to_contain_text("takes the place of ConnectWise")
    assert visitor.barriers() == []


def test_an_exclusion_whose_day_of_review_has_come_is_shown_until_somebody_decides(
    visitor: Visitor, town: Town
) -> None:
    page = visitor.page
    account = next(
        one for one in town.api("GET", "/v1/account-mappings?limit=200")["items"] if one["mapping"] == "mapped"
    )
    # A file may say a day that is over: what it says was decided earlier.
    columns = "vendor_account_id,psa_account_id,reason,owner,review_on"
    sheet = f"{columns}\n{account['vendor_account_id']},,a trial,Pat,2020-01-31\n"
    reply = requests.post(
        f"{town.url}/v1/account-mappings/import", data=sheet, headers={"content-type": "text/csv"}, timeout=30
    )
    assert reply.json() == {"rows": 1, "changed": 1}
    visitor.go("/accounts")
    page.get_by_role("button", name=re.compile("^Review due")).click()
    row = visitor.row("accounts", account["vendor_account_name"])
    expect(row).to_contain_text("Excluded, review due")
    expect(row).to_contain_text("review was due Jan 31, 2020")
    assert visitor.barriers() == []
    row.get_by_role("button", name="Take the decision back").click()
    expect(row).to_contain_text("Unmapped")
