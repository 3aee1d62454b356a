"""Bodies that other servers may send, since Mimecast's own are not public: read alike, or refused with key names only.

Each case is a plausible shape of the same two accounts; what it tells must be the same seats with the key kept as
evidence. What could be read in two ways is refused, because a wrong guess would be billed.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.adapters.mimecast.mimecast_connected import CONTRACTS, CUSTOMERS, a_world, an_account, connected
from trueup.domain.counts import Basis, Count, Failed, Known
from trueup.domain.errors import ReadIncomplete, SchemaUnknown

Record = dict[str, Any]


def _counts(*contracts: Record) -> dict[tuple[str, str], Count]:
    """The counts of accounts CSIM10B1 and CSIM10B2, which the customer list gives no seats, under these contracts."""
    world = a_world(*(an_account(number, partner_seats=None, account_seats=None) for number in (1, 2)))
    with connected(world) as running:
        body = json.dumps({"contracts": list(contracts)})
        running.simulator.faults.add("raw", path=CONTRACTS, times=0, body=body)
        return running.counts()


def _known(count: Count) -> tuple[int, Basis, list[str]]:
    assert isinstance(count, Known)
    return count.seats, count.basis, [one.key for one in count.evidence]


@pytest.mark.parametrize(
    ("body", "service", "key"),
    [
        ({"products": [{"id": "9702", "name": "Email", "numberOfUsers": 46}]}, "9702", "numberOfUsers"),
        ({"lines": [{"id": "line-7", "productName": "Email S1", "quantity": 46}]}, "product:email-s1", "quantity"),
        ({"product": "Email S1", "seats": 46, "name": "Contract of Client 1"}, "product:email-s1", "seats"),
        ({"product": {"id": 9702, "name": "Email"}, "permittedUsers": 46}, "9702", "permittedUsers"),
        ({"name": "Contract of Client 1", "licensedUsers": 46}, "account", "licensedUsers"),
    ],
)
def test_a_contract_is_read_in_every_shape_that_is_plain(body: Record, service: str, key: str) -> None:
    counts = _counts({"id": "ctr-1", "accountCode": "CSIM10B1", **body})
    assert _known(counts["CSIM10B1", service]) == (46, Basis.CONTRACT, [key])


def test_a_contract_may_name_its_account_by_a_bare_code() -> None:
    counts = _counts({"id": "ctr-1", "code": "CSIM10B1", "productId": "9702", "seats": 46})
    assert _known(counts["CSIM10B1", "9702"]) == (46, Basis.CONTRACT, ["seats"])


def test_a_bare_code_that_is_no_customers_is_not_believed() -> None:
    with pytest.raises(SchemaUnknown, match="name their accounts in code"):
        _counts({"id": "ctr-1", "code": "CTR-2025-001", "productId": "9702", "seats": 46})


def test_contracts_without_an_id_are_told_apart_by_what_they_are_about() -> None:
    rows: list[Record] = [
        {"accountCode": "CSIM10B1", "productId": "9702", "seats": 46},
        {"accountCode": "CSIM10B1", "productId": "9731", "seats": 40},
        {"accountCode": "CSIM10B2", "lines": [{"productId": "9702", "seats": 7}]},
    ]
    counts = _counts(*rows, dict(rows[0]))
    assert _known(counts["CSIM10B1", "9702"])[0] == 46
    assert _known(counts["CSIM10B1", "9731"])[0] == 40
    assert _known(counts["CSIM10B2", "9702"])[0] == 7


@pytest.mark.fault("C9")
def test_C9_two_contracts_without_an_id_about_one_product_contradict() -> None:
    row = {"accountCode": "CSIM10B1", "productId": "9702"}
    counts = _counts({**row, "seats": 46}, {**row, "seats": 99})
    assert isinstance(counts["CSIM10B1", "9702"], Failed)


def test_a_contract_without_product_and_seats_is_refused() -> None:
    with pytest.raises(SchemaUnknown, match="no lines"):
        _counts({"id": "ctr-1", "accountCode": "CSIM10B1", "name": "Contract"})


ROW = {"accountCode": "CSIM10B1", "accountName": "Client 1", "userCount": 3}


@pytest.mark.parametrize(
    "mark",
    [
        {"next_page_token": "abc"},
        {"meta": {"pagination": {"nextCursor": "abc"}}},
        {"meta": {"hasMore": True}},
        {"links": {"next": "/partner/v1/customers?page=2"}},
    ],
)
def test_a_next_page_under_an_unknown_name_does_not_make_the_first_page_the_whole_list(mark: Record) -> None:
    with connected(a_world(an_account(1))) as running:
        running.simulator.faults.add("raw", path=CUSTOMERS, body=json.dumps({"customers": [ROW], **mark}))
        with pytest.raises(SchemaUnknown, match="next page"):
            running.pages()


@pytest.mark.parametrize("mark", [{"next": None}, {"hasMore": False}, {"meta": {"pagination": {"next": ""}}}])
def test_a_mark_that_says_no_more_ends_the_list(mark: Record) -> None:
    with connected(a_world(an_account(1))) as running:
        running.simulator.faults.add("raw", path=CUSTOMERS, body=json.dumps({"customers": [ROW], **mark}))
        assert len(running.pages()) == 1


def test_an_empty_mark_does_not_hide_the_one_beside_it() -> None:
    marks = {"nextPageToken": "again", "meta": {"pagination": {"next": ""}}}
    with connected(a_world(an_account(1))) as running:
        running.simulator.faults.add("raw", path=CUSTOMERS, times=0, body=json.dumps({"customers": [ROW], **marks}))
        with pytest.raises(ReadIncomplete):
            running.pages()
