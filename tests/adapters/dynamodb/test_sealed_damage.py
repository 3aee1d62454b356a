"""A byte that is flipped anywhere in what is stored of a closed month is found, and the first broken place is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.fakes.state import FakeState
from tests.store_fixture import TABLE_NAME, RecordingClient
from tests.usecases.office import PERIOD, Office, open_office
from tests.usecases.test_sealing import done, seal
from trueup.domain.sealing import SealLink
from trueup.ports.state_bundle import State
from trueup.usecases.monthly_report import contents_of
from trueup.usecases.sealed_proof import Proof, replay_month, verify_months

type Item = dict[str, Any]


@pytest.fixture
def closed(stored: State) -> tuple[Office, SealLink]:
    """A month that was carried out and closed on the real store."""
    office = dataclasses.replace(open_office(), state=cast(FakeState, stored))
    office.client(1, "Harbor Dental Group", 12, "12")
    office.client(2, "Larkspur Legal", 15, "12")
    office.client(3, "Mossgate Freight", 8, "10")
    office.set_up()
    done(office)
    return office, seal(office)


def items(client: RecordingClient, tenant: str) -> Iterator[Item]:
    for page in client.client.get_paginator("scan").paginate(TableName=TABLE_NAME, ConsistentRead=True):
        for item in page["Items"]:
            if item["pk"]["S"].startswith(f"{tenant}#"):
                yield item


def flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place % len(changed)] ^= 0x10
    return bytes(changed)


def sealed_addresses(office: Office, link: SealLink) -> dict[str, str]:
    """What each content address is a part or a page of."""
    found = {part.sha256: part.name for part in link.parts}
    for read in contents_of(link, office.state.sealed_months).reads:
        found.update(dict.fromkeys(read.pages, f"pages of the {read.side.value} read"))
    return found


def proof(office: Office) -> Proof:
    return verify_months(None, state=office.state)


def test_a_flipped_byte_of_any_stored_part_page_link_or_event_is_found(
    closed: tuple[Office, SealLink], client: RecordingClient, tenant: str
) -> None:
    office, link = closed
    assert proof(office).holds
    names = sealed_addresses(office, link)
    seen: set[str] = set()
    for number, item in enumerate(list(items(client, tenant))):
        kind = item["pk"]["S"].split("#")[1]
        name = names.get(item["pk"]["S"].rpartition("#")[2], "") if kind == "content" else ""
        is_link = kind == "sealed" and item["sk"]["S"].startswith("link")
        if not (name or is_link or kind == "history"):
            continue
        content = bytes(item["content"]["B"])
        # The first byte, one in the middle, the last: each of them in a third of what is stored.
        place = (0, len(content) // 2, len(content) - 1)[number % 3]
        client.client.put_item(TableName=TABLE_NAME, Item={**item, "content": {"B": flipped(content, place)}})
        found = proof(office)
        assert not found.holds, (kind, name, place)
        if name:
            assert found.broken is not None
            assert (found.broken.number, found.broken.period, found.broken.part) == (1, PERIOD, name)
        elif is_link:
            assert found.broken is not None
            assert "link 1" in found.broken.words
        else:
            assert found.broken_event == int(item["sk"]["S"])
        client.client.put_item(TableName=TABLE_NAME, Item=item)
        seen.add(name or kind)
    assert seen == {"history", "sealed", *names.values()}
    assert proof(office).holds
    assert replay_month(PERIOD, state=office.state).difference == ""


def test_what_is_taken_away_is_found_too(closed: tuple[Office, SealLink], client: RecordingClient, tenant: str) -> None:
    office, link = closed
    names = sealed_addresses(office, link)
    seen: set[str] = set()
    for item in list(items(client, tenant)):
        kind, key = item["pk"]["S"].split("#")[1], {"pk": item["pk"], "sk": item["sk"]}
        name = names.get(item["pk"]["S"].rpartition("#")[2], kind)
        if name in seen or (kind not in {"sealed", "history"} and name == kind):
            continue
        # One of each part, and every key of the chain itself.
        seen |= {name} - {"sealed"}
        client.client.delete_item(TableName=TABLE_NAME, Key=key)
        assert not proof(office).holds, key
        client.client.put_item(TableName=TABLE_NAME, Item=item)
    assert proof(office).holds
