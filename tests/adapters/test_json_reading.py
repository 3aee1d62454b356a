"""JSON from outside is read exactly or not at all."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.adapters.json_reading import is_json_media_type, read_json
from trueup.domain.errors import ReplyUnreadable


def read(body: bytes) -> object:
    return read_json(body, integration="vendor", path="/a", status=200)


def test_numbers_keep_their_kind_and_every_digit() -> None:
    found = read(b'{"a":12,"b":12.0,"c":1e3,"d":0.1,"e":9007199254740993}')
    assert found == {"a": 12, "b": Decimal("12.0"), "c": Decimal("1E+3"), "d": Decimal("0.1"), "e": 2**53 + 1}
    assert isinstance(found, dict)
    assert [type(value) for value in found.values()] == [int, Decimal, Decimal, Decimal, int]


def test_a_byte_order_mark_is_no_obstacle() -> None:
    assert read(b'\xef\xbb\xbf{"name":"Caf\xc3\xa9"}') == {"name": "Café"}


@pytest.mark.fault("C6")
@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "1" + "0" * 30, "-" + "9" * 21, "1e99999999999999999999", "0." + "1" * 80]
)
def test_C6_numbers_beyond_reason_are_refused(text: str) -> None:
    with pytest.raises(ReplyUnreadable):
        read(f'{{"userCount":{text}}}'.encode())


@pytest.mark.fault("C11")
@pytest.mark.parametrize("body", [b'{"seats":1,"seats":2}', b'[{"a":{"seats":1,"seats":1}}]'])
def test_C11_a_key_that_comes_twice_is_refused(body: bytes) -> None:
    with pytest.raises(ReplyUnreadable, match="same key twice"):
        read(body)


@pytest.mark.fault("C19")
@pytest.mark.parametrize("body", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000])
def test_C19_nesting_without_end_is_a_bad_body(body: bytes) -> None:
    with pytest.raises(ReplyUnreadable, match="too deep"):
        read(body)


@pytest.mark.parametrize("body", [b"", b" ", b"{", b"{'a':1}", b"[1,]", b'"\x01"', b"\xff\xfe{}", b"[1]x", b"nul"])
def test_what_is_not_json_is_refused_without_being_shown(body: bytes) -> None:
    with pytest.raises(ReplyUnreadable) as caught:
        read(body)
    assert "/a" in str(caught.value)


@given(st.binary(max_size=60))
def test_any_bytes_are_either_read_or_refused(body: bytes) -> None:
    with suppress(ReplyUnreadable):
        read(body)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/vnd.connectwise.com+json; version=2026.4", True),
        ("application/problem+json", True),
        ("text/html", False),
        ("application/jsonp", False),
        ("text/json-seq, application/json", False),
        ("", False),
        (None, False),
    ],
)
def test_the_content_type_must_name_json(text: str | None, expected: bool) -> None:
    assert is_json_media_type(text) is expected
