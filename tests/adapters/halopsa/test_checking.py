"""Trying a credential, and searching for items."""

from __future__ import annotations

import pytest

from tests.adapters.halopsa.connected import CLIENTS, EMAIL, HARBOR, INVOICES, connected
from tests.contracts.psa_subjects import Scene, a_product
from trueup.adapters.halopsa.checking import EDIT_NOTE, LINES_APART_NOTE, NO_INVOICE_NOTE
from trueup.domain.errors import InputInvalid, ResourceAbsent, SchemaUnknown

ITEMS = "/api/Item*"


def test_a_good_credential_names_its_agent_and_what_could_not_be_tried() -> None:
    with connected() as site:
        report = site.psa.check()
        assert site.simulator.world.writes == []
    assert report.identity == "Trueup API (HaloPSA agent 7)"
    assert report.notes == (EDIT_NOTE,)
    assert not report.missing


@pytest.mark.parametrize("status", [403, 404])
def test_an_agent_that_may_not_see_itself_is_no_reason_to_fail(status: int) -> None:
    with connected() as site:
        site.simulator.faults.add("status", path="/api/Agent/me", status=status, times=0)
        assert site.psa.check().identity == "a HaloPSA application"


def test_an_agent_that_sees_one_client_only_is_warned_of() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path="/api/Agent/me", field="one_client", raw="250")
        assert "one client only (id 250)" in site.psa.check().notes[0]


def test_each_missing_scope_is_named_and_the_others_are_tried() -> None:
    with connected() as site:
        for path in (CLIENTS, INVOICES):
            site.simulator.faults.add("status", path=path, status=403, times=0)
        report = site.psa.check()
    missing = [(capability.name, capability.permission) for capability in report.missing]
    assert missing == [("read companies", "read:customers"), ("read agreements", "read:invoices")]
    assert [capability.name for capability in report.capabilities if capability.granted] == ["search products"]


def test_without_an_invoice_lines_cannot_be_tried_and_that_is_said() -> None:
    with connected(Scene((HARBOR,))) as site:
        report = site.psa.check()
    assert NO_INVOICE_NOTE in report.notes
    assert "read lines" not in {capability.name for capability in report.capabilities}


def test_lists_without_lines_are_told() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=INVOICES, field="lines", remove=True, times=0)
        assert LINES_APART_NOTE in site.psa.check().notes


@pytest.mark.parametrize("path", [CLIENTS, INVOICES, ITEMS])
def test_a_server_that_has_no_such_list_is_not_taken_for_an_empty_one(path: str) -> None:
    with connected() as site:
        site.simulator.faults.add("status", path=path, status=404, times=0)
        with pytest.raises(ResourceAbsent):
            site.psa.check()


# Items.


def test_a_price_is_the_recurring_one_where_there_is_one() -> None:
    with connected() as site:
        (found,) = site.psa.search_products("MIME-EMAIL")
        assert (found.price, found.cost) == (EMAIL.price, EMAIL.cost)
        site.simulator.faults.add("set_field", path=ITEMS, field="recurringprice", raw="9.99", times=0)
        site.simulator.faults.add("set_field", path=ITEMS, field="baseprice", raw="1.0", times=0)
        assert str(site.psa.search_products("MIME-EMAIL")[0].price) == "9.99"
        site.simulator.faults.add("set_field", path=ITEMS, field="isrecurringitem", raw="false", times=0)
        assert str(site.psa.search_products("MIME-EMAIL")[0].price) == "1.0"


def test_a_true_hit_is_not_pushed_out_by_those_that_match_in_part() -> None:
    products = tuple(a_product(number, f"MIME-{number:03d}") for number in range(100, 260))
    with connected(Scene(products=(*products, a_product(900, "MIME")))) as site:
        assert [product.code for product in site.psa.search_products("mime", limit=2)][0] == "MIME"


@pytest.mark.parametrize("text", ["", "  ", "x" * 201])
def test_a_search_for_nothing_or_too_much_is_refused(text: str) -> None:
    with connected() as site, pytest.raises(InputInvalid):
        site.psa.search_products(text)


def test_what_is_typed_cannot_change_what_is_asked() -> None:
    with connected() as site:
        assert site.psa.search_products("MIME&includeinactive=false#x?") == ()
        asked = [entry.query for entry in site.simulator.requests.entries if entry.path == "/api/Item"]
        assert all("search=MIME%26includeinactive%3Dfalse%23x%3F&" in query for query in asked)


def test_an_item_without_a_name_is_said_to_be_unreadable() -> None:
    with connected() as site:
        site.simulator.faults.add("set_field", path=ITEMS, field="name", remove=True, times=0)
        with pytest.raises(SchemaUnknown):
            site.psa.search_products("MIME")
