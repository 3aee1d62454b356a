"""A count is a whole number somebody said, or it is not a count. Nothing is guessed, rounded or read as zero."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.counts import SEATS_MAXIMUM, seats, whole_seats
from trueup.domain.errors import InputInvalid


@given(st.integers(0, SEATS_MAXIMUM))
def test_a_whole_number_of_users_is_taken_as_it_is(number: int) -> None:
    assert seats(number) == number
    assert type(seats(number)) is int
    assert whole_seats(Decimal(number)) == number


@pytest.mark.fault("C4")
@pytest.mark.parametrize(
    "value", ["12", "", "1e3", "1,234", b"12", 12.0, 1e3, True, False, Decimal(12), None, [], {}, [12]]
)
def test_C4_what_only_looks_like_a_number_is_refused(value: Any) -> None:
    with pytest.raises(InputInvalid, match="must be a whole number") as refused:
        seats(value, field_name="userCount")
    assert refused.value.field == "userCount"
    assert type(value).__name__ in refused.value.message


@pytest.mark.fault("C3")
@pytest.mark.parametrize("value", [-1, -12, -(10**30)])
def test_C3_a_negative_count_is_refused(value: int) -> None:
    with pytest.raises(InputInvalid, match="between 0 and"):
        seats(value)
    with pytest.raises(InputInvalid):
        whole_seats(Decimal(value))


@pytest.mark.fault("C5")
@pytest.mark.parametrize("text", ["12.5", "0.5", "0.0000000001", "11.999999999999999999999999999999", "-0.5"])
def test_C5_half_a_seat_is_refused(text: str) -> None:
    with pytest.raises(InputInvalid, match="not a whole number of seats"):
        whole_seats(Decimal(text))
    with pytest.raises(InputInvalid):
        seats(float(text))


@pytest.mark.fault("C6")
@pytest.mark.parametrize("value", [2**53 + 1, 10**30, SEATS_MAXIMUM + 1])
def test_C6_a_number_larger_than_any_client_is_refused(value: int) -> None:
    with pytest.raises(InputInvalid, match="between 0 and"):
        seats(value)
    with pytest.raises(InputInvalid, match="between 0 and"):
        whole_seats(Decimal(value))


@pytest.mark.fault("C6")
@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999", "1E+999999999", "-1E+999999999"])
def test_C6_no_number_and_endless_numbers_are_refused_at_once(text: str) -> None:
    """Written out, the last ones would have a thousand million digits: they must be refused before that."""
    with pytest.raises(InputInvalid):
        whole_seats(Decimal(text))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_float_is_a_count(value: float) -> None:
    with pytest.raises(InputInvalid):
        seats(value)


@pytest.mark.parametrize(
    ("text", "whole"), [("42.0", 42), ("42.00", 42), ("4.2E+1", 42), ("0", 0), ("-0.0", 0), ("1E+7", 10**7)]
)
def test_a_decimal_that_is_exactly_whole_is_the_one_lossless_coercion(text: str, whole: int) -> None:
    assert whole_seats(Decimal(text)) == whole


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_a_decimal_is_taken_only_when_it_equals_a_whole_number_in_range(quantity: Decimal) -> None:
    try:
        taken = whole_seats(quantity)
    except InputInvalid:
        assert (
            not quantity.is_finite() or quantity != quantity.to_integral_value() or not 0 <= quantity <= SEATS_MAXIMUM
        )
    else:
        assert Decimal(taken) == quantity


def test_an_enumerated_number_is_still_a_number() -> None:
    class Size(IntEnum):
        SMALL = 5

    assert seats(Size.SMALL) == 5
