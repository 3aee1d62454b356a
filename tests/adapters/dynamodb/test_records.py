"""Records as bytes: exact, readable by later code, and refused when they are not what they should be."""

from __future__ import annotations

import json
import zlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contracts.state_samples import (
    NOW,
    audit,
    change,
    entry,
    plan,
    psa_page,
    result,
    row,
    run,
    service,
    snapshot,
    vendor_page,
)
from trueup.adapters.dynamodb import records
from trueup.adapters.dynamodb.records import ACCOUNT, Codec
from trueup.domain.accounts import AccountState, VendorAccountId
from trueup.domain.audit import chained
from trueup.domain.billing import PsaPage
from trueup.domain.counts import Count, Failed, Known, Missing
from trueup.domain.errors import StateTrouble, StateUnavailable
from trueup.domain.integrations import Integration, IntegrationName
from trueup.domain.mapping import AccountEntry, MappingState
from trueup.domain.verdicts import Verdict

STORED_BY_THE_FIRST_VERSION = zlib.compress(
    json.dumps(
        {
            "schema": 1,
            "kind": "vendor account",
            "data": {
                "vendor_id": "C0001",
                "vendor_name": "Old Client",
                "account_state": "active",
                "state": "mapped",
                "psa_id": "19",
                "decision": {
                    "by": "ann",
                    "at": "2026-01-31T23:59:59.123456Z",
                    "rule": "person",
                    "reason": "looked",
                    "a_field_nobody_knows": {"deep": [1]},
                },
                "a_field_nobody_knows": "x",
                "version": 3,
            },
        }
    ).encode()
)
"""A vendor account without suggestions, warnings and absent runs, and with fields that this code does not know."""

SAMPLES: list[tuple[Codec[Any], Any]] = [
    (records.ACCOUNT, entry("A", state=MappingState.MAPPED)),
    (records.SERVICE, service("s")),
    (records.VENDOR_PAGE, vendor_page(7, "cursor")),
    (records.PSA_PAGE, psa_page()),
    (records.SNAPSHOT, snapshot(("a" * 64,))),
    (records.RUN, run()),
    (records.ROW, row(7, Verdict.BILL_LESS)),
    (records.CHANGES, (change(1, held=True), change(2))),
    (records.RESULT, result(1)),
    (records.PLAN, records.PlanHeader(plan(), ("a",))),
    (records.UPLOAD, records.UploadHeader("g", 2, "d" * 64, 7, NOW, "ann")),
    (records.EVENT, chained(audit(), number=1, previous_hash="0" * 64)),
    (records.INTEGRATION, Integration(IntegrationName.MIMECAST, checked_at=NOW)),
]


@pytest.mark.parametrize(("codec", "value"), SAMPLES, ids=lambda item: type(item).__name__)
def test_every_kind_comes_back_equal_and_to_the_same_bytes(codec: Codec[Any], value: Any) -> None:
    again = codec.unpack(codec.pack(value))
    assert again == value
    assert codec.plain(again) == codec.plain(value)


@pytest.mark.fault("A24")
def test_A24_new_code_reads_old_records() -> None:
    found = ACCOUNT.unpack(STORED_BY_THE_FIRST_VERSION)
    assert isinstance(found, AccountEntry)
    assert (found.vendor_id, found.vendor_name, found.version) == (VendorAccountId("C0001"), "Old Client", 3)
    assert found.account_state is AccountState.ACTIVE
    assert (found.suggestions, found.warnings, found.absent_runs) == ((), (), 0)
    assert found.decision is not None
    assert found.decision.at.isoformat() == "2026-01-31T23:59:59.123456+00:00"


@pytest.mark.fault("A24")
def test_A24_a_record_of_later_code_is_not_read_as_less_than_it_says() -> None:
    later = zlib.compress(json.dumps({"schema": records.SCHEMA + 1, "kind": "vendor account", "data": {}}).encode())
    with pytest.raises(StateTrouble, match="schema 2"):
        ACCOUNT.unpack(later)


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"schema": 1, "kind": "run", "data": {}}',
        b'{"schema": 1, "kind": "vendor account", "data": {"vendor_id": "secret-value"}}',
        b'{"schema": "x", "kind": "vendor account", "data": {}}',
    ],
)
def test_what_is_not_such_a_record_is_told_without_its_values(plain: bytes) -> None:
    with pytest.raises(StateUnavailable) as refused:
        ACCOUNT.read(plain)
    assert "secret-value" not in str(refused.value)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_decimals_are_exact(value: Decimal) -> None:
    codec: Codec[Decimal] = Codec("decimal", Decimal)
    again = codec.unpack(codec.pack(value))
    assert again == value
    assert again.as_tuple() == value.as_tuple()


@given(st.text(st.characters(codec=None)))
def test_any_text_comes_back(value: str) -> None:
    codec: Codec[str] = Codec("text", str)
    assert codec.unpack(codec.pack(value)) == value


@pytest.mark.parametrize("value", [Missing("nobody"), Failed("nobody"), vendor_page().counts[0].count])
def test_a_count_keeps_its_kind(value: Known | Missing | Failed) -> None:
    codec: Codec[Any] = Codec("count", Count)
    assert type(codec.unpack(codec.pack(value))) is type(value)


def test_a_number_is_never_stored_as_a_float() -> None:
    plain = records.PSA_PAGE.plain(psa_page())
    assert isinstance(psa_page(), PsaPage)
    assert b'"quantity":"40.0"' in plain
    assert b'"unit_price":"2.500"' in plain
