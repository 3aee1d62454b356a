"""Change orders on the command line: from a file of licensed users to the run that shows the new count."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.simulators.mimecast_orders import orders_of, type_order
from tests.local.command_line import Machine, machine, month_until_mapped

MORE, LESS = "CSIM10B202", "CSIM10B204"
EMAIL, AWARENESS = "9702", "9731"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Three clients whose licensed users a file tells: four more than agreed, as many, three fewer."""
    folder = tmp_path_factory.mktemp("orders")
    with machine(folder / "home", clients=3) as ready:
        month_until_mapped(ready)
        licensed = {code: agreed(ready, code, EMAIL) for code in ready.world.accounts}
        for contract in ready.world.contracts.values():
            contract.lines[1].quantity = licensed[contract.account_code]
        licensed[MORE] += 4
        licensed[LESS] -= 3
        names = {code: account.name for code, account in ready.world.accounts.items()}
        file = folder / "licenses.csv"
        rows = [f"{names[code]},{seats},2026-11-20\n" for code, seats in licensed.items()]
        file.write_text("Client,Licensed users,As of\n" + "".join(rows), encoding="utf-8")
        for words in (["import", "licenses", str(file), "--yes"], ["connect", "license_files"]):
            assert ready(*words).code == 0
        yield ready


def agreed(there: Machine, code: str, service: str) -> int:
    contract = there.world.contract_of(code)
    assert contract is not None
    return next(line.quantity for line in contract.lines if line.product_id == service)


def orders(there: Machine, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = there("orders", "list", *words, "--json").document["items"]
    return found


def only(there: Machine, code: str, service: str = EMAIL) -> dict[str, Any]:
    (order,) = (one for one in orders(there) if (one["vendor_account_id"], one["service_id"]) == (code, service))
    return order


def test_a_run_drafts_what_is_to_be_ordered(there: Machine) -> None:
    run = there("run")
    assert run.code == 2
    assert "4 change orders wait for a decision: trueup orders list" in run.out
    assert {(one["vendor_account_id"], one["change"]) for one in orders(there)} == {(MORE, 4), (LESS, -3)}
    listed = there("orders", "list")
    assert listed.code == 2
    assert "+4" in listed.out


def test_an_order_that_is_typed_in_is_reflected_by_the_run_that_shows_it(there: Machine, tmp_path: Path) -> None:
    before = agreed(there, MORE, EMAIL)
    order = only(there, MORE)
    shown = there("orders", "terms", order["id"], "--lead", "lead@example.com", "--po", "PO 7")
    for words in ("Change Options", "Seat Adjustment", f"{before + 4}", "lead@example.com", "PO 7", "two articles"):
        assert words in shown.out, shown.out
    assert max(len(line) for line in shown.out.splitlines()) <= 130, "a command to copy is one line"
    order = there("orders", "show", order["id"], "--json").document
    assert there("orders", "approve", order["id"], "--checksum", order["checksum"]).code == 0
    submitted = ["orders", "submitted", order["id"], "--number", "SO-100431"]
    refused = there(*submitted, "--json")
    assert (refused.code, refused.document["code"]) == (64, "input_invalid")
    done = there(*submitted, "--agreement-acknowledged")
    assert (done.code, "submitted" in done.out) == (0, True)
    type_order(there.world, MORE, before + 4, reads=2)
    for expected in ("submitted", "reflected"):
        assert there("run").code == 2
        assert there("orders", "show", order["id"], "--json").document["state"] == expected
    file = tmp_path / "orders.csv"
    assert there("export", "change-orders", str(file)).code == 0
    rows = {row["order_id"]: row for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines())}
    assert (rows[order["id"]]["state"], rows[order["id"]]["order_number"]) == ("reflected", "SO-100431")
    assert agreed(there, MORE, EMAIL) == before + 4
    assert MORE not in {one["vendor_account_id"] for one in orders(there) if one["service_id"] == EMAIL}
    assert order["id"] in {one["id"] for one in orders(there, "--all")}


def test_a_decrease_asks_for_its_deadline_and_can_be_withdrawn(there: Machine) -> None:
    order = only(there, LESS)
    assert there("orders", "approve", order["id"], "--checksum", order["checksum"]).code == 0
    submitted = ["orders", "submitted", order["id"], "--number", "SO-2", "--agreement-acknowledged"]
    refused = there(*submitted, "--json").document
    assert (refused["code"], refused["field"]) == ("input_invalid", "downsell_deadline")
    done = there(*submitted, "--downsell-deadline", "2026-12-20", "--effective-on", "2027-01-01", "--json").document
    assert done["submitted"]["downsell_deadline"] == "2026-12-20"
    told = there("orders", "show", order["id"]).out
    assert "it can be cancelled until 2026-12-20 and counts from 2027-01-01" in told
    cancelled = there("orders", "cancel", order["id"], "--reason", "the client stays", "--json").document
    assert (cancelled["state"], cancelled["settled"]["why"]) == ("cancelled", "the client stays")


def test_an_order_goes_through_the_api_only_where_it_is_switched_on(there: Machine) -> None:
    order = only(there, MORE, AWARENESS)
    before = agreed(there, MORE, AWARENESS)
    assert there("orders", "approve", order["id"], "--checksum", order["checksum"]).code == 0
    send = ["orders", "send", order["id"], "--agreement-acknowledged"]
    refused = there(*send)
    assert refused.code == 1
    assert "assumed and not documented" in refused.err
    typed_in = len(orders_of(there.world))
    sent = there(*send, TRUEUP_ORDERS_API="true")
    assert (sent.code, "submitted" in sent.out) == (0, True), sent.err
    assert len(orders_of(there.world)) == typed_in + 1
    assert there(*send, TRUEUP_ORDERS_API="true").code == 0
    assert len(orders_of(there.world)) == typed_in + 1, "it is looked for and not sent again"
    assert agreed(there, MORE, AWARENESS) == before + 4
    told = there("orders", "show", order["id"], "--json").document
    assert (told["state"], told["submitted"]["route"]) == ("reflected", "api")
