"""What Graph may send, in any shape: it is read rightly or refused by its field's name, and never guessed at."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.adapters.json_reading import read_json
from trueup.adapters.microsoft365.wire import SkuWire, UserWire, parse_page, parse_sub_replies
from trueup.domain.errors import ReplyUnreadable, SchemaUnknown

ID = "11111111-0000-4000-8000-00000000000a"
OTHER = "22222222-0000-4000-8000-00000000000a"

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(max_size=8) | st.just(ID),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["skuId", "x"]), inner, max_size=2),
    max_leaves=6,
)
FIELDS = ["id", "@removed", "userPrincipalName", "displayName", "accountEnabled", "userType", "assignedLicenses"]


@settings(max_examples=150, deadline=None)
@given(record=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=7))
def test_any_user_is_read_rightly_or_refused(record: dict[str, object]) -> None:
    try:
        (user,) = parse_page(UserWire, {"value": [record]}, source="reading users").records
    except SchemaUnknown as error:
        refused = error.message
    else:
        refused = ""
    if refused:
        assert any(name in refused for name in FIELDS)
        return
    told = record.get("assignedLicenses")
    assert user.id == str(record["id"]).lower()
    assert user.tells("licenses") == ("assignedLicenses" in record)
    assert len(user.sku_ids) <= (len(told) if isinstance(told, list) else 0)
    assert user.enabled is record.get("accountEnabled")


@settings(max_examples=100, deadline=None)
@given(document=VALUES)
def test_no_document_is_an_empty_page_by_accident(document: object) -> None:
    with pytest.raises(SchemaUnknown):
        parse_page(UserWire, document, source="reading users")
    with pytest.raises(SchemaUnknown):
        parse_sub_replies(document, asked=["a"])


@pytest.mark.parametrize(
    ("row", "tenants"),
    [
        ({"id": f"{ID}_{OTHER}", "skuId": OTHER}, {ID}),
        ({"accountId": ID.upper(), "skuId": OTHER}, {ID}),
        ({"id": f"{ID}_{OTHER}", "accountId": OTHER, "skuId": OTHER}, {ID, OTHER}),
        ({"id": "7", "accountId": "contoso", "skuId": OTHER}, set()),
        ({"skuId": OTHER}, set()),
    ],
)
def test_a_license_says_whose_it_is_in_two_places(row: dict[str, str], tenants: set[str]) -> None:
    (sku,) = parse_page(SkuWire, {"value": [row]}, source="reading licenses").records
    assert sku.tenants == tenants


def test_a_license_of_the_company_is_nobodys_and_units_in_their_grace_count() -> None:
    row = {"skuId": OTHER, "appliesTo": "Company", "prepaidUnits": {"enabled": 3, "warning": 2, "suspended": 9}}
    (sku,) = parse_page(SkuWire, {"value": [row]}, source="reading licenses").records
    assert (sku.is_for_users, sku.sku().units) == (False, 5)


@pytest.mark.fault("C6")
@pytest.mark.parametrize("units", ["NaN", "Infinity", "1e400", "9007199254740993000000", "5.0", "100000001", "-1"])
def test_C6_units_that_are_no_number_of_licenses_are_refused(units: str) -> None:
    body = json.dumps({"value": [{"skuId": OTHER, "consumedUnits": "@"}]}).replace('"@"', units).encode()
    with pytest.raises(ReplyUnreadable):
        parse_page(
            SkuWire,
            read_json(body, integration="microsoft365", path="/v1.0/subscribedSkus"),
            source="reading licenses",
        )
