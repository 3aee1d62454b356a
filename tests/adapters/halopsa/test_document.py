"""A document that is sent back says what it said: every value, and every digit of every number."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.adapters.halopsa.document import exact_json, invoice_of, posted
from trueup.adapters.json_reading import read_json
from trueup.domain.errors import ReplyUnreadable, SchemaUnknown

NUMBERS = st.one_of(
    st.integers(-(10**19), 10**19),
    st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9),
    st.decimals(allow_nan=False, allow_infinity=False).filter(lambda number: len(str(number)) < 50),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=20,
)


@given(VALUES)
def test_what_was_read_is_written_and_read_as_the_same_to_the_digit(value: object) -> None:
    written = exact_json(value)
    again = read_json(written, integration="halopsa", path="/x")
    assert again == value
    assert exact_json(again) == written


@given(st.text(max_size=40))
def test_no_text_can_end_its_quotes(text: str) -> None:
    (line,) = json.loads(posted(7, [{"a": text, text: 1}]))[0]["lines"]
    assert line in ({"a": text, text: 1}, {"a": 1})


@pytest.mark.parametrize("text", ["1.50", "0.10", "1E+2", "1e-7", "-0.0", "12345678901234567890", "42.0", "42"])
def test_a_number_keeps_its_digits(text: str) -> None:
    value = read_json(text.encode(), integration="halopsa", path="/x")
    assert Decimal(exact_json(value).decode()).as_tuple() == Decimal(text).as_tuple()


def test_nesting_without_end_is_refused_and_not_a_crash() -> None:
    value: object = 1
    for _ in range(5_000):
        value = [value]
    with pytest.raises(ReplyUnreadable):
        exact_json(value)


@pytest.mark.parametrize(
    "document",
    [
        {"id": 1, "client_id": 2},
        {"id": 1, "client_id": 2, "lines": None},
        {"id": 1, "client_id": 2, "lines": [{"id": 5}, {"id": 5}]},
        {"id": 1, "client_id": 2, "lines": [{}, {}]},
    ],
)
def test_a_document_that_cannot_be_sent_back_whole_is_none(document: object) -> None:
    with pytest.raises(ReplyUnreadable):
        invoice_of(document, source="a test")


@pytest.mark.parametrize("document", [None, [], {"id": 1}, {"id": "1", "client_id": 2, "lines": []}, {"lines": [7]}])
def test_a_record_that_is_none_is_said_to_be(document: object) -> None:
    with pytest.raises(SchemaUnknown):
        invoice_of(document, source="a test")
