"""A 500 that answers the request is heard; one that is an outage is still retried, and a write of it stays unclear."""

import json

import pytest

from tests.adapters.scripted_server import json_reply, reply, scripted
from tests.fakes.clock import FakeClock
from trueup.adapters.http import BaseAddress, HttpClient, HttpLimits, HttpReply, RetryRule
from trueup.domain.errors import VendorUnavailable, WriteOutcomeUnknown

SAID = reply(500, json.dumps({"errors": ["not allowed"]}).encode())
OUTAGE = reply(500, b"<html></html>", content_type="text/html")


def says_why(found: HttpReply) -> bool:
    return b'"errors"' in found.body


def client_of(port: int, *, hears: bool = True) -> HttpClient:
    return HttpClient(
        BaseAddress("http", "127.0.0.1", port),
        integration="vendor",
        clock=FakeClock(),
        limits=HttpLimits(attempts=3),
        is_final_error=says_why if hears else None,
    )


@pytest.mark.parametrize("rule", list(RetryRule))
def test_a_500_that_says_why_is_returned_and_not_sent_again(rule: RetryRule) -> None:
    with scripted(SAID) as server, client_of(server.port) as client:
        found = client.send("POST", "/a", json_body={}, retry=rule)
    assert (found.status, found.json()) == (500, {"errors": ["not allowed"]})
    assert len(server.requests) == 1


def test_an_outage_is_retried_and_a_write_of_it_stays_unclear() -> None:
    with scripted(OUTAGE, json_reply({"ok": True})) as server, client_of(server.port) as client:
        assert client.send("GET", "/a", retry=RetryRule.SAFE).status == 200
    assert len(server.requests) == 2
    with scripted(OUTAGE) as server, client_of(server.port) as client, pytest.raises(WriteOutcomeUnknown):
        client.send("POST", "/a", json_body={}, retry=RetryRule.ONCE)
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [SAID, reply(502, b'{"errors":["x"]}'), reply(500)])
def test_without_such_a_rule_or_for_another_status_every_5xx_is_an_outage(answer: bytes) -> None:
    hears = answer is not SAID
    with (
        scripted(answer) as server,
        client_of(server.port, hears=hears) as client,
        pytest.raises(VendorUnavailable),
    ):
        client.send("GET", "/a", retry=RetryRule.NEVER)
