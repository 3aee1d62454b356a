"""Kept files on the table: what is left behind when one is replaced, removed or cut off, and damaged bytes."""

from __future__ import annotations

import pytest

from tests.contracts.state_samples import audit, upload
from tests.fakes.clock import FakeClock
from tests.store_fixture import RecordingClient
from trueup.adapters.dynamodb.conditions import CONTENT
from trueup.adapters.dynamodb.contents import PIECE_BYTES
from trueup.adapters.dynamodb.records import pack
from trueup.adapters.dynamodb.table import DynamoDbTable, StoredItem
from trueup.adapters.dynamodb.uploads import STORING_SECONDS_MAXIMUM
from trueup.domain.errors import StateUnavailable
from trueup.ports.state_bundle import State

NAME = upload().name


class Killed(BaseException):
    """The process ends here."""


def pieces(table: DynamoDbTable) -> list[StoredItem]:
    return list(table.query_all(table.keys.upload_parts(NAME)))


def cut_off_before_its_header(client: RecordingClient, stored: State) -> None:
    def before(operation: str, request: object) -> None:
        if operation == "transact_write_items":
            raise Killed

    client.before = before
    with pytest.raises(Killed):
        stored.uploads.put(upload(b"cut off"), audit("cut off"))
    client.before = lambda operation, request: None


def test_bytes_that_were_replaced_or_removed_are_gone(stored: State, table: DynamoDbTable) -> None:
    stored.uploads.put(upload(b"x" * (2 * PIECE_BYTES + 1)), audit())
    assert len(pieces(table)) == 3
    stored.uploads.put(upload(b"small"), audit())
    assert len(pieces(table)) == 1
    stored.uploads.remove(NAME, audit())
    assert pieces(table) == []


def test_what_a_crash_left_is_gone_with_the_next_change_once_nobody_can_be_storing_it(
    client: RecordingClient, stored: State, table: DynamoDbTable, clock: FakeClock
) -> None:
    stored.uploads.put(upload(), audit())
    cut_off_before_its_header(client, stored)
    assert stored.uploads.get(NAME) == upload()
    stored.uploads.put(upload(hours=1), audit())
    assert len(pieces(table)) == 2, "they may belong to somebody who is storing them right now"
    clock.advance(STORING_SECONDS_MAXIMUM + 1)
    stored.uploads.remove(NAME, audit())
    assert pieces(table) == []


@pytest.mark.parametrize("kind", ["gone", "changed", "cut"])
def test_bytes_that_are_gone_or_damaged_are_told(stored: State, table: DynamoDbTable, kind: str) -> None:
    stored.uploads.put(upload(b"y" * (PIECE_BYTES + 1)), audit())
    last = pieces(table)[-1]
    if kind == "gone":
        table.delete_many([table.keys.upload_part(NAME, last["generation"], 1)])
    else:
        table.put_many([{**last, CONTENT: pack(b"z") if kind == "changed" else last[CONTENT][:-2]}])
    with pytest.raises(StateUnavailable):
        stored.uploads.get(NAME)
