"""The order routes over a real socket: what is sent, once, and what each answer means."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from local.simulators import MimecastSimulator, World, credentials, running
from local.simulators.mimecast_orders import orders_of
from local.simulators.world import ContractLine, VendorAccount, VendorContract
from tests.contracts.vendor_subjects import HASTE, MIMECAST_FIELDS
from tests.fakes.clock import FakeClock
from trueup.adapters.mimecast import order_mapping
from trueup.adapters.mimecast.order_mapping import (
    OrderMapping,
    filled,
    parse_order_mapping,
    shipped_order_mapping,
)
from trueup.adapters.mimecast.orders import MimecastOrders, open_mimecast_orders
from trueup.domain.accounts import ServiceId, VendorAccountId
from trueup.domain.errors import (
    ConfigurationInvalid,
    CredentialRejected,
    InputInvalid,
    PermissionMissing,
    RateLimited,
    ResourceAbsent,
    SchemaUnknown,
    UnsafeAddress,
    VendorUnavailable,
)
from trueup.domain.order_parts import AnswerKind, OrderAsk, RequestState

QUOTES, ORDERS = "/partner/v1/msp/quotes", "/partner/v1/msp/orders"
SHIPPED = (Path(order_mapping.__file__).parent / "order_mapping.json").read_text(encoding="utf-8")
ASK = OrderAsk("order-1", VendorAccountId("C1"), ServiceId("9702"), 40, 44, 4, "PO 7", "ctr-1/9702")


@dataclass
class Counter:
    simulator: MimecastSimulator
    orders: MimecastOrders

    def sent(self, path: str) -> list[dict[str, Any]]:
        log = self.simulator.requests.as_json(entries=True)
        return [entry for entry in log["entries"] if entry["path"].startswith(path)]

    def quoted(self) -> str:
        return self.orders.quote(ASK).reference


@pytest.fixture
def counter() -> Iterator[Counter]:
    world = World("one client", 0, VendorAccount(credentials.PARTNER_ACCOUNT_CODE, "Acme MSP"))
    world.accounts["C1"] = VendorAccount("C1", "Birch & Bloom", partner_seats=40, account_seats=40)
    world.contracts["ctr-1"] = VendorContract("ctr-1", "C1", "org-1", [ContractLine("9702", "Email Security", 40)])
    with running(MimecastSimulator(world)) as simulator:
        orders = open_mimecast_orders(
            simulator.url, MIMECAST_FIELDS, clock=FakeClock(), allow_loopback=True, limits=HASTE
        )
        yield Counter(simulator, orders)
        orders.close()


def test_quote_order_and_status_until_it_is_in_the_agreement(counter: Counter) -> None:
    quote = counter.orders.quote(ASK)
    assert (quote.kind, quote.reference) == (AnswerKind.TAKEN, "qt-8801")
    taken = counter.orders.order(ASK, quote.reference)
    assert (taken.kind, taken.reference, taken.order_number) == (AnswerKind.TAKEN, "req-0001", "")
    assert counter.orders.status("req-0001").state is RequestState.IN_PROGRESS
    (order,) = orders_of(counter.simulator.world)
    assert (order["account_code"], order["delta"], order["seats"]) == ("C1", 4, 44)
    order["status"] = "completed"
    told = counter.orders.status("req-0001")
    assert (told.state, told.word, told.order_number) == (RequestState.COMPLETED, "completed", "SO-100431")


@pytest.mark.parametrize("path", [QUOTES, ORDERS])
class TestEachPost:
    def post(self, counter: Counter, path: str) -> AnswerKind:
        quote_id = counter.quoted() if path == ORDERS else ""
        counter.simulator.requests.clear()
        answer = counter.orders.quote(ASK) if path == QUOTES else counter.orders.order(ASK, quote_id)
        return answer.kind

    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            ("drop_before_commit", {}),
            ("drop_after_commit", {}),
            ("error_after_commit", {}),
            ("status", {"status": 502}),
            ("status", {"status": 503}),
            ("truncated", {}),
            ("reset_mid_body", {}),
            ("late_reply", {"seconds": 1}),
            ("html", {}),
            ("wrong_content_type", {}),
            ("redirect", {}),
            ("raw", {"body": "{"}),
            ("fail_in_200", {"code": "err_developer_key"}),
        ],
    )
    @pytest.mark.fault("T6")
    def test_T6_what_may_have_been_done_is_unknown_and_sent_once(
        self, counter: Counter, path: str, kind: str, options: dict[str, Any]
    ) -> None:
        counter.simulator.faults.add(kind, method="POST", path=path, **options)
        assert self.post(counter, path) is AnswerKind.UNKNOWN
        # The log has what was answered, and a late reply is not.
        assert len(counter.sent(path)) == (0 if kind == "late_reply" else 1)

    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            ("status", {"status": 400}),
            ("status", {"status": 404}),
            ("status", {"status": 409}),
            ("fail_in_200", {"code": "err_validation", "nested": False}),
        ],
    )
    def test_a_plain_no_is_a_no_and_sent_once(
        self, counter: Counter, path: str, kind: str, options: dict[str, Any]
    ) -> None:
        counter.simulator.faults.add(kind, method="POST", path=path, **options)
        assert self.post(counter, path) is AnswerKind.REFUSED
        assert len(counter.sent(path)) == 1

    @pytest.mark.parametrize(
        ("kind", "options", "expected"),
        [
            ("rate_limited", {"reset_milliseconds": 2500}, RateLimited),
            ("unauthorized", {"code": "token_expired"}, CredentialRejected),
            ("status", {"status": 403}, PermissionMissing),
        ],
    )
    def test_what_surely_was_not_done_is_raised_and_sent_once(
        self, counter: Counter, path: str, kind: str, options: dict[str, Any], expected: type[Exception]
    ) -> None:
        counter.simulator.faults.add(kind, method="POST", path=path, **options)
        with pytest.raises(expected):
            self.post(counter, path)
        assert len(counter.sent(path)) == 1
        assert self.post(counter, path) is AnswerKind.TAKEN, "with a new token, where that was the trouble"

    def test_a_server_that_is_away_is_told(self, counter: Counter, path: str) -> None:
        quote_id = counter.quoted()
        counter.simulator.stop()
        with pytest.raises(VendorUnavailable):
            counter.orders.quote(ASK) if path == QUOTES else counter.orders.order(ASK, quote_id)


def test_a_quote_that_names_none_orders_nothing(counter: Counter) -> None:
    counter.simulator.faults.add("raw", method="POST", path=QUOTES, body='{"accepted": true}')
    with pytest.raises(SchemaUnknown, match="names no quote"):
        counter.orders.quote(ASK)


def test_an_order_that_names_no_request_was_taken(counter: Counter) -> None:
    counter.simulator.faults.add("raw", method="POST", path=ORDERS, body='{"orderNumber": 7}')
    answer = counter.orders.order(ASK, counter.quoted())
    assert (answer.kind, answer.reference, answer.order_number) == (AnswerKind.TAKEN, "", "7")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"status": "Rejected", "errors": [{"code": "seat_decrease_with_product_change"}]}', RequestState.REJECTED),
        ('{"status": "parked"}', RequestState.UNKNOWN),
        ('{"data": {"status": "processing"}}', RequestState.IN_PROGRESS),
    ],
)
def test_words_of_a_status(counter: Counter, body: str, expected: RequestState) -> None:
    counter.simulator.faults.add("raw", path="*/request-status/*", body=body)
    told = counter.orders.status("req-1")
    assert told.state is expected
    assert told.reason == ("seat_decrease_with_product_change" if expected is RequestState.REJECTED else "")


@pytest.mark.parametrize("body", ['{"status": 7}', '{"state": " "}', "{}"])
def test_a_status_without_a_word_is_an_unknown_shape(counter: Counter, body: str) -> None:
    counter.simulator.faults.add("raw", path="*/request-status/*", body=body)
    with pytest.raises(SchemaUnknown):
        counter.orders.status("req-1")


def test_an_id_that_is_a_path_stays_one_part_of_it(counter: Counter) -> None:
    with pytest.raises((ResourceAbsent, UnsafeAddress)):
        counter.orders.status("../orders")
    assert counter.sent(ORDERS) == []


class TestMapping:
    def test_it_says_that_all_of_it_is_assumed(self) -> None:
        assert shipped_order_mapping().version == json.loads(SHIPPED)["version"]
        assert json.loads(SHIPPED)["about"].startswith("ASSUMED")

    def test_numbers_stay_numbers_and_empty_texts_are_left_out(self) -> None:
        body = {"a": "{target}", "b": "{po_number}", "c": "x-{target}", "d": [{"e": "{delta}"}], "f": True}
        assert filled(body, {"target": 44, "delta": 4, "po_number": ""}) == {
            "a": 44,
            "c": "x-44",
            "d": [{"e": 4}],
            "f": True,
        }

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            (lambda text: "{", "not JSON"),
            (lambda text: "[]", "version"),
            (lambda text: text.replace('"reference"', '"else"'), "exactly these entries"),
            (lambda text: text.replace('"/partner/v1/msp/orders"', '"orders"'), "a path at order.path"),
            (lambda text: text.replace("{target}", "{everything}"), "fills in no everything"),
            (lambda text: text.replace('["status", "data.status", "state"]', '["", "x"]'), "status.word"),
            (lambda text: text.replace('["status", "data.status", "state"]', "[]"), "status.word"),
        ],
    )
    def test_a_file_with_a_wrong_entry_is_refused_whole(self, change: object, word: str) -> None:
        assert callable(change)
        with pytest.raises(ConfigurationInvalid, match=word):
            parse_order_mapping(change(SHIPPED))

    def test_a_corrected_file_sends_what_it_says(self, counter: Counter) -> None:
        mapping: OrderMapping = shipped_order_mapping()
        body = {**mapping.quote.body, "note": "by {reference}"}
        corrected = replace(mapping, quote=replace(mapping.quote, body=body))
        orders = open_mimecast_orders(
            counter.simulator.url,
            MIMECAST_FIELDS,
            clock=FakeClock(),
            allow_loopback=True,
            limits=HASTE,
            mapping=corrected,
        )
        assert orders.quote(ASK).kind is AnswerKind.TAKEN
        orders.close()


def test_it_opens_only_mimecasts_own_hosts() -> None:
    with pytest.raises(UnsafeAddress):
        open_mimecast_orders("https://api.mimecast.example", MIMECAST_FIELDS, clock=FakeClock(), allow_loopback=False)
    with pytest.raises(InputInvalid):
        open_mimecast_orders(
            "https://api.services.mimecast.com", {"client_id": "x"}, clock=FakeClock(), allow_loopback=False
        )
