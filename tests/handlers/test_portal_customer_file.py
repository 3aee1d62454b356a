"""The portal's exported customer list over the API: checked, kept, used by the sync function, told of, forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.handlers.stage import PREPARER, Stage, require_problem
from trueup.domain.accounts import VendorPage
from trueup.domain.counts import Basis, Known
from trueup.domain.integrations import Side

PATH = "/v1/integrations/mimecast/customer-file"
CUSTOMERS = "/partner/v1/customers"


def put(stage: Stage, content: bytes, **options: Any) -> Any:
    headers = {"content-type": "text/csv", **options.pop("headers", {})}
    return stage.http("PUT", PATH, raw=content, headers=headers, role="preparer", person=PREPARER, **options)


def exported(stage: Stage, seats: int) -> bytes:
    """Every customer of the stage, each with that many users."""
    rows = [f'{code},"{account.name.replace(chr(34), "")}",{seats}' for code, account in stage.world.accounts.items()]
    return "\r\n".join(["Account Code,Account Name,Users", *rows]).encode()


def pages(stage: Stage) -> Iterator[VendorPage]:
    snapshot = stage.state.snapshots.latest(Side.VENDOR)
    assert snapshot is not None
    return stage.state.snapshots.vendor_pages(snapshot)


def acts(stage: Stage) -> list[str]:
    told = [event.audit for event in stage.state.history.all()]
    return [audit.action for audit in told if audit.action.startswith("customer file")]


def test_the_sync_function_uses_the_kept_file_without_being_told(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("begun")
    reply = put(stage, exported(stage, 17))
    assert reply.status == 200, reply.text
    stage.mimecast.faults.add("status", path=CUSTOMERS, status=403, times=0)
    answer = stage.call("vendor_sync", {"run_id": stage.facts["run_id"], "actor": PREPARER})
    assert answer["done"]
    assert answer["progress"]["accounts"] == len(stage.world.accounts)
    given_at = stage.state.uploads.get("mimecast customers").uploaded_at  # type: ignore[union-attr]
    counts = [count.count for page in pages(stage) for count in page.counts]
    by_file = [count for count in counts if isinstance(count, Known) and count.basis is Basis.MANUAL_FILE]
    assert {count.as_of for count in by_file} == {given_at}
    assert {page.accounts_as_of for page in pages(stage)} == {given_at}
    assert stage.ok("GET", PATH, role="viewer")["rows"] == len(stage.world.accounts)


def test_a_bad_row_is_named_and_the_file_before_stays(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("connected")
    kept = put(stage, exported(stage, 5)).json
    for content, words in (
        (b"Account Code,Account Name,Users\nA1,Good,5\nA2,Bad,1.5\n,No code,1\n", "line 3: the number of users"),
        (b"Account Code,Account Name,Users\nA1,Good,5\nA2,Bad,1.5\n,No code,1\n", "line 4: no account code"),
        (b"", "no header row"),
        (b'{"rows": []}', "no header row"),
    ):
        document = require_problem(put(stage, content), 400, "input_invalid")
        assert words in document["detail"]
        assert document["field"] == "customer_file"
    require_problem(put(stage, b"x" * (5 * 1024 * 1024 + 1)), 413, "body_too_large")
    assert stage.ok("GET", PATH) == kept
    assert acts(stage) == ["customer file kept"]


def test_it_is_forgotten_once_and_both_acts_are_in_the_history(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("connected")
    put(stage, exported(stage, 5))
    for _ in range(2):
        assert stage.ok("DELETE", PATH, role="preparer")["kept"] is False
    assert stage.ok("GET", PATH)["kept"] is False
    assert acts(stage) == ["customer file kept", "customer file forgotten"]
    assert stage.ok("GET", "/v1/history/verification")["holds"] is True


def test_the_same_request_again_keeps_it_once(stage_at: Callable[[str], Stage]) -> None:
    stage = stage_at("connected")
    replies = [put(stage, exported(stage, 5), headers={"idempotency-key": "once"}) for _ in range(2)]
    assert replies[0].json == replies[1].json
    assert acts(stage) == ["customer file kept"]
    require_problem(put(stage, exported(stage, 6), headers={"idempotency-key": "once"}), 400, "input_invalid")


@pytest.mark.parametrize("name", ["connectwise", "salesforce"])
def test_only_the_integration_that_exports_one_takes_it(untouched: Stage, name: str) -> None:
    reply = untouched.http("PUT", f"/v1/integrations/{name}/customer-file", raw=exported(untouched, 5))
    require_problem(reply, 400, "input_invalid")
    assert untouched.state.uploads.get(f"{name} customers") is None
