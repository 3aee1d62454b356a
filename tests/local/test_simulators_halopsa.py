"""The simulated HaloPSA does what the documentation and field reports say, and breaks as it is told to.

Its replies are held to the published description where that lies beside the project.
"""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from local.simulators import World, demo_world, running
from local.simulators.credentials import HALOPSA_CLIENT_ID, HALOPSA_CLIENT_SECRET, HALOPSA_TENANT
from local.simulators.halopsa import HaloPsaSimulator
from local.simulators.halopsa_routes import ROUTES
from local.simulators.world import PsaAddition
from tests.adapters.scripted_server import reply, scripted

DESCRIPTION = Path(__file__).resolve().parents[3] / "shared" / "specs" / "halopsa-swagger-v2-2024-09.json"
published = pytest.mark.skipif(
    not DESCRIPTION.exists(), reason="the published HaloPSA description is not beside the project"
)
INVOICE, LINE, BILLED = 1202, 88433, 44.0
OTHER = 90001
FORM = {
    "grant_type": "client_credentials",
    "client_id": HALOPSA_CLIENT_ID,
    "client_secret": HALOPSA_CLIENT_SECRET,
    "scope": "all",
}


class Client:
    """What an honest caller does, step by step."""

    def __init__(self, simulator: HaloPsaSimulator) -> None:
        self.url = simulator.url
        self.session = requests.Session()
        self.sign_in()

    def sign_in(self) -> None:
        token = self.token().json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"

    def token(self, tenant: str = HALOPSA_TENANT, **form: str) -> requests.Response:
        return requests.post(f"{self.url}/auth/token", params={"tenant": tenant}, data=FORM | form, timeout=5)

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.session.get(f"{self.url}/api{path}", params=query, timeout=5)

    def invoice(self, invoice_id: int = INVOICE) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/RecurringInvoice/{invoice_id}", includedetails="true").json()
        return found

    def post(self, document: object) -> requests.Response:
        return self.session.post(f"{self.url}/api/RecurringInvoice", json=document, timeout=5)

    def post_lines(self, lines: object, invoice_id: int = INVOICE) -> requests.Response:
        return self.post([{"id": invoice_id, "lines": lines}])


@pytest.fixture
def psa() -> Iterator[HaloPsaSimulator]:
    world = demo_world()
    world.add_addition(PsaAddition(OTHER, INVOICE, 571, 40.0, 3.75, 1.10))
    with running(HaloPsaSimulator(world)) as simulator:
        yield simulator


@pytest.fixture
def client(psa: HaloPsaSimulator) -> Iterator[Client]:
    found = Client(psa)
    yield found
    found.session.close()


# Signing in.


def test_authinfo_is_told_to_anybody(psa: HaloPsaSimulator) -> None:
    told = requests.get(f"{psa.url}/api/authinfo", timeout=5).json()
    assert (told["auth_url"], told["tenant_id"]) == (f"{psa.url}/auth", HALOPSA_TENANT)


@pytest.mark.parametrize("form", [{"client_secret": "no"}, {"client_id": "no"}, {"grant_type": "password"}])
def test_a_bad_credential_is_401_in_the_words_of_oauth(client: Client, form: dict[str, str]) -> None:
    reply = client.token(**form)
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")


def test_a_bad_tenant_is_500(client: Client) -> None:
    assert client.token(tenant="other").status_code == 500


def test_tokens_end(psa: HaloPsaSimulator, client: Client) -> None:
    assert client.get("/Agent/me").json()["name"]
    psa.expire_tokens()
    reply = client.get("/Agent/me")
    assert (reply.status_code, reply.content) == (401, b"")
    psa.token_lifetime_seconds = -1
    client.sign_in()
    assert client.get("/Agent/me").status_code == 401


def test_errors_have_no_body_but_400(client: Client) -> None:
    assert [(client.get(path).status_code, client.get(path).content) for path in ("/Nothing", "/Client/9")] == [
        (404, b"")
    ] * 2
    reply = client.post([])
    assert (reply.status_code, sorted(reply.json())) == (400, ["ClassName", "Message"])


def test_paths_compare_without_case(client: Client) -> None:
    assert client.get(f"/recurringinvoice/{INVOICE}").json()["id"] == INVOICE


def test_a_limit_is_429_without_a_word(psa: HaloPsaSimulator, client: Client) -> None:
    psa.limit_per_minute = 2
    replies = [client.get("/Agent/me") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[2].content == b""
    assert "Retry-After" not in replies[2].headers


# Lists.


def test_pages_are_numbered_from_one_and_tell_the_count(psa: HaloPsaSimulator, client: Client) -> None:
    ids, page = [], 1
    while rows := client.get("/Client", pageinate="true", page_size=20, page_no=page).json()["clients"]:
        ids += [row["id"] for row in rows]
        page += 1
    active = [key for key, company in psa.world.companies.items() if not company.deleted]
    assert ids == active
    everything = client.get("/Client", includeinactive="true", count=999).json()
    assert everything["record_count"] == len(psa.world.companies)


def test_invoices_come_with_lines_when_asked_and_of_one_client_when_asked(client: Client) -> None:
    assert "lines" not in client.get("/RecurringInvoice", count=1).json()["invoices"][0]
    rows = client.get("/RecurringInvoice", client_id=251, includelines="true").json()["invoices"]
    assert {row["client_id"] for row in rows} == {251}
    assert [line["id"] for line in rows[0]["lines"]] == [LINE, OTHER]


def test_items_are_searched_and_told_apart_by_being_active(client: Client) -> None:
    def found(**query: str) -> list[str]:
        return [row["name"] for row in client.get("/Item", search="mime-email", **query).json()["items"]]

    assert found() == ["MIME-EMAIL-S1"]
    assert found(includeactive="false", includeinactive="true") == ["MIME-EMAIL-M2"]


def test_what_the_world_knows_is_said_as_halo_can_say_it(psa: HaloPsaSimulator, client: Client) -> None:
    psa.world.edit_addition(LINE, bill_customer="DoNotBill")
    psa.world.catalog[571].serialized = True
    psa.world.edit_agreement(INVOICE, status="Cancelled")
    invoice = client.invoice()
    unbilled, calculated = invoice["lines"]
    assert (unbilled["unit_price"], unbilled["net_amount"]) == (0.0, 0.0)
    assert calculated["_is_calculated_line"]
    assert calculated["quantity_licences"]
    assert invoice["disabled"]
    assert invoice["enddate"] > "2020"
    assert invoice["contains_calculated_quantity"]


# The whole-document write.


def test_one_quantity_changes_and_is_recorded_once(psa: HaloPsaSimulator, client: Client) -> None:
    before = client.invoice()
    before["lines"][0]["qty_order"] = 99
    reply = client.post_lines(before["lines"])
    after = reply.json()[0]
    assert reply.status_code == 201
    assert [line["qty_order"] for line in after["lines"]] == [99, 40]
    assert after["lines"][0]["net_amount"] == round(99 * 4.25, 2)
    assert after["last_modified"] != before["last_modified"]
    assert [(one.line_id, one.before, one.after, one.committed) for one in psa.world.writes] == [
        (LINE, BILLED, 99.0, True)
    ]
    (change,) = client.get("/InvoiceChange", invoice_id=INVOICE, line_id=LINE).json()
    assert (change["field_name"], change["old_value"], change["new_value"]) == ("qty_order", "44", "99")


def test_lines_that_are_missing_from_the_posted_array_are_removed(psa: HaloPsaSimulator, client: Client) -> None:
    lines = client.invoice()["lines"]
    assert client.post_lines(lines[:1]).status_code == 201
    assert [line["id"] for line in client.invoice()["lines"]] == [LINE]
    assert [(one.line_id, one.before, one.after) for one in psa.world.writes] == [(OTHER, 40.0, 0.0)]


def test_each_changed_line_is_a_write_of_its_own(psa: HaloPsaSimulator, client: Client) -> None:
    lines = client.invoice()["lines"]
    lines[0]["qty_order"], lines[1]["qty_order"] = 1, 2
    psa.faults.add("drop_after_commit", method="POST")
    with pytest.raises(requests.ConnectionError):
        client.post_lines(lines)
    assert [(one.line_id, one.after, one.status) for one in psa.world.writes] == [(LINE, 1.0, 0), (OTHER, 2.0, 0)]


def test_a_calculated_line_is_worked_out_whatever_is_posted(psa: HaloPsaSimulator, client: Client) -> None:
    psa.world.catalog[571].serialized = True
    lines = client.invoice()["lines"]
    lines[1]["qty_order"] = 1
    client.post_lines(lines)
    assert client.invoice()["lines"][1]["qty_order"] == 40
    assert [one.committed for one in psa.world.writes] == [False]


def test_a_line_without_an_id_is_a_new_one_and_ids_are_never_used_twice(client: Client) -> None:
    lines = client.invoice()["lines"]
    client.post_lines(lines[:1])
    new = {"_itemid": 571, "qty_order": 5, "unit_price": 3.75}
    made = client.post_lines([lines[0], new]).json()[0]["lines"][1]
    assert (made["qty_order"], made["unit_price"], made["item_code"]) == (5.0, 3.75, "RMM-DEVICE")
    assert made["id"] > OTHER


def test_fields_that_nobody_knows_are_kept_as_posted(client: Client) -> None:
    lines = client.invoice()["lines"]
    lines[1]["customfields"] = [{"id": 7, "value": {"nested": [1.5, None]}}]
    client.post_lines(lines)
    assert client.invoice()["lines"][1]["customfields"] == lines[1]["customfields"]


@pytest.mark.parametrize(
    "change", [{"id": 5}, {"id": None, "_itemid": 1}, {"qty_order": -1}, {"qty_order": "3"}, {"qty_order": None}]
)
def test_a_document_with_one_bad_line_changes_nothing(
    psa: HaloPsaSimulator, client: Client, change: dict[str, Any]
) -> None:
    lines = client.invoice()["lines"]
    lines[0]["qty_order"] = 1
    reply = client.post_lines([lines[0], {**lines[1], **change}])
    assert reply.status_code == 400
    assert psa.world.additions[LINE].quantity == BILLED
    assert not any(one.committed for one in psa.world.writes)


@pytest.mark.parametrize("document", [{}, [], [1], [{"id": INVOICE}], [{"id": 9, "lines": []}], "x"])
def test_a_document_that_is_none_changes_nothing(psa: HaloPsaSimulator, client: Client, document: object) -> None:
    assert client.post(document).status_code in (400, 404)
    assert not any(one.committed for one in psa.world.writes)


def test_a_write_is_on_disk_with_its_record_before_it_is_answered(tmp_path: Path) -> None:
    world = demo_world()
    world.add_addition(PsaAddition(OTHER, INVOICE, 571, 40.0, 3.75, 1.10))
    world.state_file = tmp_path / "world.json"
    with running(HaloPsaSimulator(world)) as simulator:
        client = Client(simulator)
        lines = client.invoice()["lines"]
        lines[0]["qty_order"] = 7
        lines[0]["customfields"] = [{"id": 1}]
        client.post_lines(lines[:1])
        client.session.close()
        kept = World.load(tmp_path / "world.json")
    assert (kept.additions[LINE].quantity, sorted(one.line_id or 0 for one in kept.writes)) == (7, [LINE, OTHER])
    assert OTHER not in kept.additions
    assert kept.vendor_state["halopsa"]["lines"][str(LINE)]["customfields"] == [{"id": 1}]


# Faults of its own.


@pytest.mark.parametrize(
    ("kind", "options", "quantities"),
    [
        ("other_line_lost", {}, {LINE: 90.0}),
        ("other_line_moved", {}, {LINE: 90.0, OTHER: 41.0}),
        ("other_line_moved", {"line_id": OTHER, "quantity": 3}, {LINE: 90.0, OTHER: 3.0}),
        ("clamped_quantity", {"maximum": 89}, {LINE: 89.0, OTHER: 40.0}),
        ("false_success", {}, {LINE: BILLED, OTHER: 40.0}),
        ("moved_line", {"line_id": OTHER, "quantity": 77}, {LINE: 90.0, OTHER: 40.0}),
    ],
)
def test_a_write_goes_wrong_as_it_is_told_to(
    psa: HaloPsaSimulator, client: Client, kind: str, options: dict[str, Any], quantities: dict[int, float]
) -> None:
    lines = client.invoice()["lines"]
    lines[0]["qty_order"] = 90
    psa.faults.add(kind, method="POST", path="/api/RecurringInvoice", **options)
    assert client.post_lines(lines).status_code == 201
    assert {line["id"]: line["qty_order"] for line in client.invoice()["lines"]} == quantities


def test_an_overwritten_edit_is_in_the_record_of_changes(psa: HaloPsaSimulator, client: Client) -> None:
    lines = client.invoice()["lines"]
    lines[0]["qty_order"] = 90
    psa.faults.add("moved_line", method="POST", line_id=OTHER, quantity=77)
    client.post_lines(lines)
    rows = client.get("/InvoiceChange", invoice_id=INVOICE).json()
    told = [(row["invoice_line_id"], row["old_value"], row["new_value"]) for row in reversed(rows)]
    assert told == [(OTHER, "40", "77"), (LINE, "44", "90"), (OTHER, "77", "40")]
    assert len({row["who"] for row in rows}) == 2


def test_an_invoice_run_moves_the_schedule_on(psa: HaloPsaSimulator, client: Client) -> None:
    before = client.invoice()
    psa.faults.add("invoice_run", method="GET", invoice_id=INVOICE)
    after = client.invoice()
    assert after["lastcreated"] > before["lastcreated"]
    assert after["nextcreationdate"] != before["nextcreationdate"]
    assert after["last_modified"] != before["last_modified"]


def test_two_edits_within_a_second_leave_two_different_marks(psa: HaloPsaSimulator, client: Client) -> None:
    marks = {client.invoice()["last_modified"]}
    for number in range(20):
        psa.world.edit_addition(LINE if number % 2 else OTHER, quantity=float(number))
        marks.add(client.invoice()["last_modified"])
    assert len(marks) == 21


def test_many_writers_at_once_never_tear_a_document(psa: HaloPsaSimulator, client: Client) -> None:
    lines = client.invoice()["lines"]

    def post(number: int) -> None:
        mine = [{**lines[0], "qty_order": number}, {**lines[1], "qty_order": number}]
        requests.post(
            f"{psa.url}/api/RecurringInvoice",
            json=[{"id": INVOICE, "lines": mine}],
            headers={"Authorization": str(client.session.headers["Authorization"])},
            timeout=5,
        )

    threads = [threading.Thread(target=post, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({line["qty_order"] for line in client.invoice()["lines"]}) == 1


# Webhooks.


def register(client: Client, url: str) -> None:
    webhook = {
        "name": "x",
        "url": url,
        "authentication_type": 1,
        "basic_username": "trueup",
        "basic_password": "password",
        "active": True,
    }
    assert client.session.post(f"{client.url}/api/Webhook", json=[webhook], timeout=5).status_code == 201


def bodies(requests_taken: list[bytes]) -> list[Any]:
    return [json.loads(taken.partition(b"\r\n\r\n")[2]) for taken in requests_taken]


def test_a_changed_client_is_told_to_whoever_registered_with_the_password(
    psa: HaloPsaSimulator, client: Client
) -> None:
    with scripted(reply(204, b"")) as hook:
        register(client, f"http://127.0.0.1:{hook.port}/hook")
        psa.webhooks.deliver()
        assert hook.requests == []
        psa.world.edit_company(251, name="Other")
        psa.world.edit_addition(LINE, quantity=1)
        operation = {"operation": "deliver_webhooks"}
        assert client.session.post(f"{client.url}/_control/state", json=operation, timeout=5).status_code == 204
        assert b"Basic dHJ1ZXVwOnBhc3N3b3Jk" in hook.requests[0]
        assert [(one["event"], one["object_id"]) for one in bodies(hook.requests)] == [("Client Updated", 251)]
    assert [one.status for one in psa.webhooks.sent] == [204]


def test_recurring_invoices_and_batches_are_switches(psa: HaloPsaSimulator, client: Client) -> None:
    with scripted(reply(204, b"")) as hook:
        register(client, f"http://127.0.0.1:{hook.port}/hook")
        settings = {"invoice_events": True, "webhook_batches": True}
        assert client.session.post(f"{client.url}/_control/settings", json=settings, timeout=5).status_code == 200
        psa.world.edit_company(251, name="Other")
        psa.world.edit_addition(LINE, quantity=1)
        psa.webhooks.deliver()
        (batch,) = bodies(hook.requests)
    assert {(one["event"], one["object_id"]) for one in batch} == {
        ("Client Updated", 251),
        ("Recurring Invoice Updated", INVOICE),
    }


def test_an_address_off_loopback_is_never_called_and_one_that_is_off_is_not_told(
    psa: HaloPsaSimulator, client: Client
) -> None:
    register(client, "http://hook.example/")
    psa.world.edit_company(251, name="Other")
    psa.webhooks.deliver()
    assert [one.status for one in psa.webhooks.sent] == [0]
    psa.world.vendor_state["halopsa"]["webhooks"][0]["active"] = False
    psa.world.edit_company(251, name="Another")
    psa.webhooks.deliver()
    assert len(psa.webhooks.sent) == 1


def test_webhooks_are_told_by_themselves_where_that_is_switched_on(psa: HaloPsaSimulator, client: Client) -> None:
    with scripted(reply(204, b"")) as hook:
        register(client, f"http://127.0.0.1:{hook.port}/hook")
        psa.webhooks_on_change = True
        psa.world.edit_company(251, name="Other")
        client.get("/Agent/me")
        deadline = time.monotonic() + 5
        while not hook.requests and time.monotonic() < deadline:
            threading.Event().wait(0.01)
        assert len(hook.requests) == 1


# The published description.


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    """The published schemas, closed to unknown fields, with the null that HaloPSA sends for an empty field."""
    schemas: dict[str, Any] = json.loads(DESCRIPTION.read_text())["components"]["schemas"]
    return {name: _closed(schema) for name, schema in schemas.items()}


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    properties = {name: {"anyOf": [one, {"type": "null"}]} for name, one in schema.get("properties", {}).items()}
    return {**schema, "properties": properties, "additionalProperties": False} if properties else schema


def check(value: object, name: str, schemas: dict[str, Any]) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
    jsonschema.Draft4Validator(schema).validate(value)


@published
def test_records_are_as_published(psa: HaloPsaSimulator, client: Client, schemas: dict[str, Any]) -> None:
    psa.world.catalog[571].serialized = True
    both = {"includeactive": "true", "includeinactive": "true"}
    for path, key, name in (
        ("/Client", "clients", "Area"),
        ("/RecurringInvoice", "invoices", "InvoiceHeader"),
        ("/Item", "items", "Item"),
    ):
        rows = client.get(path, includelines="true", **both).json()[key]
        assert rows
        for row in rows:
            check(row, name, schemas)
        check(client.get(f"{path}/{rows[0]['id']}").json(), name, schemas)
    check(client.get("/Agent/me").json(), "Uname", schemas)


@published
def test_what_a_write_answers_and_records_is_as_published(client: Client, schemas: dict[str, Any]) -> None:
    lines = client.invoice()["lines"]
    lines[0]["qty_order"] = 3
    (answer,) = client.post_lines([*lines, {"_itemid": 571, "qty_order": 5}]).json()
    check(answer, "InvoiceHeader", schemas)
    for row in client.get("/InvoiceChange", invoice_id=INVOICE).json():
        check(row, "InvoiceChange", schemas)


@published
def test_webhooks_are_as_published(client: Client, schemas: dict[str, Any]) -> None:
    webhook = {"name": "x", "url": "https://a.example/b", "method": 0, "authentication_type": 1, "active": True}
    made = client.session.post(f"{client.url}/api/Webhook", json=[webhook], timeout=5).json()[0]
    check(made, "Webhook", schemas)
    for row in client.get("/Webhook").json():
        check(row, "Webhook", schemas)


@published
def test_every_route_is_a_published_one() -> None:
    paths = {path.casefold(): operations for path, operations in json.loads(DESCRIPTION.read_text())["paths"].items()}
    for template, handlers in ROUTES.items():
        operations = paths[template.replace("{guid}", "{id}").casefold()]
        assert {method.lower() for method in handlers} <= set(operations), template
