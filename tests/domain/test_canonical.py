"""One byte form for a value: equal content, equal bytes; other content, other bytes; money never through a float."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.canonical import canonical_bytes, decimal_text, plain, sha256
from trueup.domain.verdicts import Verdict

# Any text at all, lone surrogates included: vendors send them.
TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("42.0", "42"),
        ("42.00", "42"),
        ("42", "42"),
        ("420", "420"),
        ("4.2E+2", "420"),
        ("1E+3", "1000"),
        ("0.50", "0.5"),
        ("0", "0"),
        ("0.00", "0"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("0E+5", "0"),
        ("-1.10", "-1.1"),
        ("1E-7", "0.0000001"),
        ("100", "100"),
        ("1000.000", "1000"),
    ],
)
def test_a_decimal_is_written_without_exponent_or_trailing_zeros(value: str, text: str) -> None:
    assert decimal_text(Decimal(value)) == text


@given(DECIMALS, DECIMALS)
def test_decimals_have_the_same_text_exactly_when_they_are_equal(one: Decimal, other: Decimal) -> None:
    assert Decimal(decimal_text(one)) == one
    assert (decimal_text(one) == decimal_text(other)) == (one == other)
    assert "E" not in decimal_text(one)


@given(DECIMALS, st.integers(0, 6))
def test_zeros_behind_the_point_change_no_byte(value: Decimal, zeros: int) -> None:
    padded = Decimal(decimal_text(value) + ("" if "." in decimal_text(value) else ".") + "0" * zeros + "0")
    assert canonical_bytes([padded]) == canonical_bytes([value])


class Size(IntEnum):
    SMALL = 1


class Word(StrEnum):
    SMALL = "small"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Word.SMALL, "small"),
        (Size.SMALL, 1),
        (Verdict.BILL_MORE, "bill_more"),
        (date(2026, 11, 5), "2026-11-05"),
        (True, True),
        (None, None),
        ((1, ("a",)), [1, ["a"]]),
        ({"b": Decimal("2.50")}, {"b": "2.5"}),
        (10**30, 10**30),
    ],
)
def test_the_plain_form(value: Any, expected: Any) -> None:
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


@pytest.mark.parametrize(
    "value", [1.0, 0.1, float("nan"), [1.5], {"price": 2.5}, b"bytes", {1, 2}, object(), {1: "a"}, {None: 1}]
)
def test_floats_and_unknown_things_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no canonical form"):
        canonical_bytes(value)


def test_keys_are_sorted_and_there_is_no_white_space() -> None:
    assert canonical_bytes({"b": [1, 2], "a": {"d": None, "c": "ü"}}) == '{"a":{"c":"ü","d":null},"b":[1,2]}'.encode()


def test_a_moment_is_the_same_bytes_in_every_time_zone() -> None:
    moment = datetime(2026, 11, 15, 8, 30, tzinfo=UTC)
    assert canonical_bytes(moment) == b'"2026-11-15T08:30:00+00:00"'
    assert canonical_bytes(moment.astimezone(timezone(timedelta(hours=-5)))) == canonical_bytes(moment)
    with pytest.raises(ValueError, match="time zone"):
        canonical_bytes(datetime(2026, 11, 15, 8, 30))  # noqa: DTZ001


@pytest.mark.fault("C18")
def test_C18_lone_surrogates_and_control_characters_have_bytes_and_stay_apart() -> None:
    names = ["\ud800", "\\ud800", "a\x00b", "a\\u0000b", "\u202eevil", "\ufeffBOM", "BOM", "x" * 10_000]
    written = [canonical_bytes(name) for name in names]
    assert len(set(written)) == len(names)
    assert [json.loads(piece) for piece in written] == names


@given(PLAIN)
def test_bytes_are_json_that_reads_back_to_the_same_value(value: Any) -> None:
    written = canonical_bytes(value)
    assert json.loads(written) == value
    assert canonical_bytes(json.loads(written)) == written


@given(PLAIN, PLAIN)
def test_hashes_are_equal_exactly_when_the_bytes_are(one: Any, other: Any) -> None:
    assert (sha256(one) == sha256(other)) == (canonical_bytes(one) == canonical_bytes(other))
    assert len(sha256(one)) == 64


@given(st.dictionaries(TEXT, st.integers(), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_nothing(value: dict[str, int], chance: Any) -> None:
    items = list(value.items())
    chance.shuffle(items)
    assert canonical_bytes(dict(items)) == canonical_bytes(value)
