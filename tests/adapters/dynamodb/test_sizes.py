"""Large things: records at the limit of an item, lists beyond the megabyte of a query, pages in one query each."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.contracts.state_samples import (
    NOW,
    PERIOD,
    audit,
    entry,
    plan,
    reconciliation,
    result,
    row,
    snapshot,
    vendor_page,
)
from tests.contracts.test_state_contract import actions
from tests.store_fixture import TABLE_NAME, RecordingClient
from trueup.adapters.dynamodb.conditions import CONTENT, at
from trueup.adapters.dynamodb.contents import PIECE_BYTES, Contents
from trueup.adapters.dynamodb.keys import Key
from trueup.adapters.dynamodb.records import ACCOUNT, VENDOR_PAGE, pack, unpack
from trueup.adapters.dynamodb.table import ITEM_MAXIMUM_BYTES, DynamoDbTable, item_size
from trueup.domain.accounts import VendorAccountId
from trueup.domain.errors import Conflict, RecordTooLarge, StateUnavailable
from trueup.domain.integrations import Side
from trueup.domain.mapping import AccountEntry, MappingState
from trueup.domain.verdicts import Verdict
from trueup.ports.state import ComparisonSummary
from trueup.ports.state_bundle import State

KILOBYTE = 1024


def noise(many: int, seed: int = 1) -> str:
    """Text of that many characters that hardly compresses."""
    return base64.b64encode(random.Random(seed).randbytes(many)).decode()[:many]


def entry_of(bytes_wanted: int) -> AccountEntry:
    """An entry whose packed record has almost exactly that many bytes."""

    def made(characters: int) -> AccountEntry:
        return replace(entry("BIG"), warnings=(noise(characters),))

    low, high = 0, bytes_wanted * 2
    while low < high:
        middle = (low + high + 1) // 2
        if len(ACCOUNT.pack(replace(made(middle), version=1))) <= bytes_wanted:
            low = middle
        else:
            high = middle - 1
    return made(low)


class TestA9:
    @pytest.mark.fault("A9")
    def test_A9_a_record_of_399_kilobytes_is_stored_and_one_of_401_is_refused(
        self, stored: State, table: DynamoDbTable, client: RecordingClient
    ) -> None:
        fits, too_large = entry_of(399 * KILOBYTE - 200), entry_of(401 * KILOBYTE)
        (saved,) = stored.accounts.save([fits], [audit("fits")])
        item = table.get(table.keys.account("BIG"))
        assert item is not None
        assert 398 * KILOBYTE < item_size(item) <= 399 * KILOBYTE
        assert stored.accounts.get(VendorAccountId("BIG")) == saved
        client.calls.clear()
        with pytest.raises(RecordTooLarge):
            stored.accounts.save([replace(too_large, vendor_id=VendorAccountId("B2")), entry("C")], [audit("lost")])
        assert "transact_write_items" not in client.calls
        assert [one.vendor_id for one in stored.accounts.all()] == ["BIG"]
        assert actions(stored) == ["fits"]

    @pytest.mark.fault("A9")
    def test_A9_the_table_itself_agrees_with_our_sizes(self, table: DynamoDbTable, client: RecordingClient) -> None:
        key = Key("size-probe", "x")
        spare = ITEM_MAXIMUM_BYTES - item_size(at(key, {CONTENT: b""}))
        table.put_many([at(key, {CONTENT: b"1" * spare})])
        with pytest.raises(RecordTooLarge):
            table.put_many([at(key, {CONTENT: b"1" * (spare + 1)})])

    @pytest.mark.fault("A9")
    @pytest.mark.parametrize("kilobytes", [0, 349, 350, 351, 399, 401, 800, 2_500])
    @pytest.mark.parametrize("make", [lambda many: noise(many), lambda many: "a" * many], ids=["noise", "same"])
    def test_A9_snapshot_pages_of_any_size_come_back(
        self, stored: State, client: RecordingClient, kilobytes: int, make: Callable[[int], str]
    ) -> None:
        page = vendor_page(1, name=make(kilobytes * KILOBYTE))
        made = snapshot((stored.snapshots.add_page(Side.VENDOR, page),))
        stored.snapshots.complete(made, None)
        assert list(stored.snapshots.vendor_pages(made)) == [page]
        for request in client.requests:
            for put in request.get("RequestItems", {}).get(TABLE_NAME, ()):
                if "PutRequest" in put:
                    assert len(put["PutRequest"]["Item"][CONTENT]["B"]) < ITEM_MAXIMUM_BYTES - 1_000

    @pytest.mark.fault("A9")
    def test_A9_a_row_that_cannot_fit_leaves_the_old_comparison(self, stored: State) -> None:
        old = reconciliation((row(1, Verdict.HELD),))
        stored.reconciliations.save(old, run_id="run-1", at=NOW)
        fits = reconciliation((row(1, Verdict.HELD, reason=noise(500 * KILOBYTE)), row(2, Verdict.HELD)))
        stored.reconciliations.save(fits, run_id="run-2", at=NOW)
        assert stored.reconciliations.get(PERIOD) == fits
        with pytest.raises(RecordTooLarge):
            stored.reconciliations.save(
                reconciliation((row(1, Verdict.HELD), row(2, Verdict.HELD, reason=noise(700 * KILOBYTE)))),
                run_id="run-3",
                at=NOW,
            )
        assert stored.reconciliations.get(PERIOD) == fits

    @pytest.mark.fault("A9")
    @pytest.mark.slow
    def test_A9_a_plan_of_ten_thousand_changes_is_proposed_approved_and_recorded(self, stored: State) -> None:
        proposed = stored.plans.propose(plan(changes=10_000), audit())
        sealed = stored.plans.save(proposed.approved(proposed.checksum, by="bob", at=NOW), audit())
        stored.plans.intend(sealed, sealed.changes[7], audit())
        recorded = stored.plans.record(sealed, result(8), audit())
        assert stored.plans.get(sealed.id) == recorded
        assert recorded.checksum == plan(changes=10_000).checksum

    @pytest.mark.fault("A9")
    def test_A9_a_snapshot_of_very_many_pages(self, stored: State) -> None:
        addresses = tuple(f"{number:064x}" for number in range(12_000))
        made = snapshot(addresses)
        stored.snapshots.complete(made, None)
        assert stored.snapshots.latest(Side.VENDOR) == made

    def test_more_than_a_transaction_holds_is_refused_whole(self, stored: State) -> None:
        many = [replace(entry(f"C{number}"), warnings=(noise(200 * KILOBYTE, number),)) for number in range(40)]
        with pytest.raises(RecordTooLarge):
            stored.accounts.save(many, [])
        assert list(stored.accounts.all()) == []


class TestContent:
    def test_bytes_that_were_changed_or_are_gone_are_told(self, stored: State, table: DynamoDbTable) -> None:
        page = vendor_page(1, name=noise(3 * PIECE_BYTES))
        address = stored.snapshots.add_page(Side.VENDOR, page)
        made = snapshot((address,))
        assert list(stored.snapshots.vendor_pages(made)) == [page]
        keys = [table.keys.content_part(address, number) for number in range(4)]
        other = stored.snapshots.add_page(Side.VENDOR, vendor_page(2))
        foreign = table.get(table.keys.content_part(other, 0))
        assert foreign is not None
        for number, content in ((0, foreign[CONTENT]), (1, b"not zlib"), (2, foreign[CONTENT][:-3])):
            whole = table.get(keys[number])
            assert whole is not None
            table.put_many([{**whole, CONTENT: content}])
            with pytest.raises(StateUnavailable):
                list(stored.snapshots.vendor_pages(made))
            table.put_many([whole])
        table.delete_many([keys[3]])
        with pytest.raises(StateUnavailable):
            list(stored.snapshots.vendor_pages(made))

    def test_totals_of_a_comparison_that_older_code_stored_are_told(self, stored: State, table: DynamoDbTable) -> None:
        made = reconciliation((row(1, Verdict.HELD),))
        stored.reconciliations.save(made, run_id="run-1", at=NOW)
        key = table.keys.comparison(PERIOD)
        item = table.get(key)
        assert item is not None
        plain = json.loads(unpack(item[CONTENT]))
        assert plain["data"].pop("totals")["rows"] == 1
        table.put_many([{**item, CONTENT: pack(json.dumps(plain).encode())}])
        assert stored.reconciliations.summary(PERIOD) == ComparisonSummary("run-1", NOW, made.totals)

    def test_a_page_of_the_other_side_is_told(self, stored: State) -> None:
        made = snapshot((stored.snapshots.add_page(Side.VENDOR, vendor_page()),))
        with pytest.raises(StateUnavailable):
            list(stored.snapshots.psa_pages(made))

    def test_the_address_is_the_hash_of_what_was_stored(self, table: DynamoDbTable) -> None:
        import hashlib

        plain = VENDOR_PAGE.plain(vendor_page())
        assert Contents(table).put(plain) == hashlib.sha256(plain).hexdigest()


class TestA16:
    @pytest.mark.fault("A16")
    def test_A16_lists_beyond_a_megabyte_are_read_to_the_end(self, stored: State, client: RecordingClient) -> None:
        entries = [replace(entry(f"C{number:03d}"), warnings=(noise(40_000, number),)) for number in range(80)]
        saved = stored.accounts.save(entries, [])
        client.calls.clear()
        assert tuple(stored.accounts.all()) == saved
        assert client.calls.count("query") > 2

        rows = tuple(row(number, Verdict.HELD, reason=noise(40_000, number)) for number in range(80))
        stored.reconciliations.save(reconciliation(rows), run_id="run-1", at=NOW)
        client.calls.clear()
        assert stored.reconciliations.get(PERIOD).rows == rows
        assert client.calls.count("query") > 2

        stored.history.append([audit(noise(30_000, number)) for number in range(90)])
        client.calls.clear()
        assert len(actions(stored)) == 90
        assert client.calls.count("query") > 1

    @pytest.mark.fault("A16")
    @pytest.mark.parametrize("wanted", [None, MappingState.UNMAPPED])
    def test_A16_a_page_cut_at_a_megabyte_goes_on_with_its_cursor(
        self, stored: State, client: RecordingClient, wanted: MappingState | None
    ) -> None:
        entries = [replace(entry(f"C{number:03d}"), warnings=(noise(40_000, number),)) for number in range(60)]
        stored.accounts.save(entries, [])
        seen: list[str] = []
        cursor: str | None = None
        pages = 0
        while pages == 0 or cursor is not None:
            client.calls.clear()
            page = stored.accounts.page(state=wanted, cursor=cursor, limit=100)
            assert client.calls == ["query"]
            seen.extend(str(one.vendor_id) for one in page.items)
            cursor = page.next_cursor
            pages += 1
        assert pages > 1
        assert seen == [f"C{number:03d}" for number in range(60)]

    @pytest.mark.fault("A16")
    def test_A16_a_comparison_page_cut_at_a_megabyte_goes_on(self, stored: State) -> None:
        rows = tuple(row(number, Verdict.HELD, reason=noise(40_000, number)) for number in range(60))
        stored.reconciliations.save(reconciliation(rows), run_id="run-1", at=NOW)
        first = stored.reconciliations.page(PERIOD, verdict=Verdict.HELD, cursor=None, limit=60)
        assert 0 < len(first.items) < 60
        second = stored.reconciliations.page(PERIOD, verdict=Verdict.HELD, cursor=first.next_cursor, limit=60)
        assert first.items + second.items == rows
        assert second.next_cursor is None


class TestLists:
    @pytest.mark.slow
    def test_pages_of_a_hundred_out_of_ten_thousand_accounts_take_one_query_each(
        self, stored: State, client: RecordingClient
    ) -> None:
        states = (MappingState.UNMAPPED, MappingState.MAPPED)
        stored.accounts.save(
            [entry(f"C{number:05d}", f"Client Number {number:05d}", states[number % 2]) for number in range(10_000)], []
        )
        for wanted in (None, MappingState.MAPPED):
            cursor: str | None = None
            for _ in range(3):
                client.calls.clear()
                page = stored.accounts.page(state=wanted, cursor=cursor, limit=100)
                assert client.calls == ["query"]
                assert len(page.items) == 100
                cursor = page.next_cursor
                assert cursor is not None

    def test_a_page_of_rows_takes_one_query_and_one_look_at_the_header(
        self, stored: State, client: RecordingClient
    ) -> None:
        rows = tuple(row(number, Verdict.BILL_MORE if number < 250 else Verdict.IN_LINE) for number in range(400))
        stored.reconciliations.save(reconciliation(rows), run_id="run-1", at=NOW)
        for verdict, many in ((None, 100), (Verdict.BILL_MORE, 100), (Verdict.IN_LINE, 100)):
            client.calls.clear()
            page = stored.reconciliations.page(PERIOD, verdict=verdict, cursor=None, limit=100)
            assert client.calls == ["get_item", "query"]
            assert len(page.items) == many

    @pytest.mark.fault("A14")
    @pytest.mark.fault("A15")
    def test_no_decision_is_read_from_the_index_and_every_read_is_consistent(
        self, stored: State, client: RecordingClient
    ) -> None:
        stored.accounts.save([entry("A")], [audit()])
        sealed = stored.plans.propose(plan(), audit())
        stored.plans.intend(sealed, sealed.changes[0], audit())
        list(stored.accounts.all())
        stored.accounts.page(state=None, cursor=None, limit=5)
        stored.history.page(cursor=None, limit=5)
        stored.plan_index.latest()
        stored.runs.latest()
        for operation, request in zip(client.calls, client.requests, strict=True):
            if operation in {"get_item", "query"}:
                assert request["ConsistentRead"] is True
                assert "IndexName" not in request
            if operation == "batch_get_item":
                assert request["RequestItems"][TABLE_NAME]["ConsistentRead"] is True
        client.requests.clear()
        stored.accounts.page(state=MappingState.UNMAPPED, cursor=None, limit=5)
        assert [request.get("IndexName") for request in client.requests] == ["by_status"]


class TestGenerations:
    def test_a_list_begun_on_the_comparison_before_goes_on_with_it(self, stored: State, table: DynamoDbTable) -> None:
        def save(name: str) -> None:
            rows = tuple(row(number, Verdict.HELD, reason=name) for number in range(10))
            stored.reconciliations.save(reconciliation(rows), run_id=name, at=NOW)

        save("old")
        first = stored.reconciliations.page(PERIOD, verdict=None, cursor=None, limit=4)
        save("new")
        second = stored.reconciliations.page(PERIOD, verdict=None, cursor=first.next_cursor, limit=6)
        assert {reason for one in (*first.items, *second.items) for reason in one.reasons} == {"old"}
        save("newest")
        with pytest.raises(Conflict):
            stored.reconciliations.page(PERIOD, verdict=None, cursor=first.next_cursor, limit=6)

    def test_rows_of_comparisons_that_nobody_reads_are_deleted(
        self, stored: State, table: DynamoDbTable, client: RecordingClient
    ) -> None:
        generations: list[str] = []
        for number in range(4):
            client.requests.clear()
            stored.reconciliations.save(reconciliation((row(number, Verdict.HELD),)), run_id="r", at=NOW)
            written: Any = client.requests[0]["RequestItems"][TABLE_NAME][0]["PutRequest"]["Item"]["pk"]["S"]
            generations.append(written.rpartition("#")[2])
        left = [len(list(table.query_all(table.keys.rows(generation)))) for generation in generations]
        assert left == [0, 0, 1, 1]
