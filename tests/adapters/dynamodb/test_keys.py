"""Keys: one page holds them all, tenants are apart, and any text makes a key of its own."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trueup.adapters.dynamodb as adapter
from tests.contracts.state_samples import (
    NOW,
    PERIOD,
    audit,
    entry,
    plan,
    reconciliation,
    row,
    run,
    snapshot,
    upload,
    vendor_page,
)
from tests.fakes.clock import FakeClock
from tests.store_fixture import TABLE_NAME
from trueup.adapters.dynamodb.keys import Key, Keys, Prefix, moment, text
from trueup.adapters.dynamodb.state import open_state
from trueup.domain.errors import ConfigurationInvalid, NotFound
from trueup.domain.integrations import Integration, IntegrationName, Side
from trueup.domain.verdicts import Verdict

FOLDER = Path(adapter.__file__).parent


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_no_key_is_made_outside_the_page_of_keys(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    with_mark = [value for value in strings if "#" in value]
    if path.name == "keys.py":
        assert with_mark
    else:
        assert with_mark == []


def test_every_partition_begins_with_the_tenant() -> None:
    keys = Keys("acme")
    arguments: dict[str, Any] = {
        "number": 1,
        "round_number": 1,
        "version": 1,
        "started_at": NOW,
        "created_at": NOW,
        "found_at": NOW,
        "side": "vendor",
        "state": "mapped",
    }
    made = 0
    for name, method in inspect.getmembers(keys, inspect.ismethod):
        if name.startswith("_"):
            continue
        parameters = inspect.signature(method).parameters
        key = method(**{parameter: arguments.get(parameter, "evil#other") for parameter in parameters})
        assert key.pk.split("#")[0] == "acme", name
        made += 1
    assert made > 20


@pytest.mark.parametrize("tenant", ["", "a#b", "a b", "#", "-a", "a" * 64, "\u00e4", "a\n"])
def test_a_tenant_that_could_be_taken_for_a_part_of_a_key_is_refused(tenant: str) -> None:
    with pytest.raises(ConfigurationInvalid):
        Keys(tenant)


@given(st.text(st.characters(codec=None), max_size=60), st.text(st.characters(codec=None), max_size=60))
def test_any_two_texts_make_two_keys_that_the_table_takes(one: str, other: str) -> None:
    assert (text(one) == text(other)) == (one == other)
    assert len(text(one).encode("utf-8")) <= 700


@given(st.text(max_size=3_000), st.text(max_size=3_000))
def test_long_texts_are_cut_and_stay_apart(one: str, other: str) -> None:
    for value in (one * 3, "x" * 900 + other):
        assert len(text(value).encode()) <= 700
    assert (text("x" * 900 + one) == text("x" * 900 + other)) == (one == other)


@given(st.datetimes(timezones=st.just(NOW.tzinfo)), st.datetimes(timezones=st.just(NOW.tzinfo)))
def test_times_sort_as_text(one: Any, other: Any) -> None:
    assert (moment(one) < moment(other)) == (one < other)


def test_long_keys_fit_the_limits_of_the_table() -> None:
    keys, long = Keys("t" * 63), "\U0001f600" * 5_000
    for key in (
        keys.account(long),
        keys.account_in_state("unmapped", long, long),
        keys.run_by_time(NOW, long),
        keys.plan_result(long, 1, long),
        keys.checkpoint("vendor", long),
        keys.claim(long),
        keys.upload(long),
        keys.upload_part(long, "0" * 32, 1),
    ):
        assert len(key.pk.encode()) <= 2_048
        assert len(key.sk.encode()) <= 1_024


def test_kinds_of_keys_do_not_meet() -> None:
    keys = Keys("acme")
    assert keys.comparison("x").pk != keys.rows("x").pk
    assert keys.plan_by_time(NOW, "a").sk.startswith(keys.plans_by_time().sk)
    assert not keys.current_plan("created#").sk.startswith(keys.plans_by_time().sk)
    assert keys.unfinished_run() not in {keys.run("unfinished"), keys.run_by_time(NOW, "unfinished")}
    assert isinstance(keys.event(1), Key)
    assert isinstance(keys.history(), Prefix)
    assert keys.event(2).sk < keys.event(10).sk


def test_nothing_crosses_tenants(dynamodb_client: Any, tenant: str, clock: FakeClock) -> None:
    one, other = (
        open_state(dynamodb_client, table_name=TABLE_NAME, tenant=name, clock=clock) for name in (tenant, f"{tenant}-b")
    )
    one.integrations.save(Integration(IntegrationName.MIMECAST), audit())
    one.accounts.save([entry("A")], [])
    one.runs.start(run(), None)
    one.reconciliations.save(reconciliation((row(1, Verdict.HELD),)), run_id="r", at=NOW)
    stored = one.plans.propose(plan(), audit())
    one.snapshots.complete(snapshot((one.snapshots.add_page(Side.VENDOR, vendor_page()),)), None)
    one.leases.acquire("apply", owner="a", seconds=60)
    one.idempotency.begin("k", fingerprint="f", seconds=60)
    one.checkpoints.save("run-1", Side.VENDOR, b"x")
    one.uploads.put(upload(), audit())

    assert other.integrations.get(IntegrationName.MIMECAST).version == 0
    assert list(other.accounts.all()) == []
    assert other.runs.latest() == ()
    assert other.plan_index.latest() == ()
    assert other.snapshots.latest(Side.VENDOR) is None
    assert list(other.history.all()) == []
    assert other.uploads.get(upload().name) is None
    assert other.checkpoints.load("run-1", Side.VENDOR) is None
    assert other.idempotency.begin("k", fingerprint="other", seconds=60) is None
    assert other.leases.acquire("apply", owner="b", seconds=60) == 1
    with pytest.raises(NotFound):
        other.reconciliations.get(PERIOD)
    with pytest.raises(NotFound):
        other.plans.get(stored.id)
    cursor = one.accounts.page(state=None, cursor=None, limit=1).next_cursor
    assert cursor is None
    one.accounts.save([entry("B")], [])
    cursor = one.accounts.page(state=None, cursor=None, limit=1).next_cursor
    assert other.accounts.page(state=None, cursor=cursor, limit=5).items == ()
