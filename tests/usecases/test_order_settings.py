"""What a tenant says of change orders by its parameters."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trueup.domain.errors import ConfigurationInvalid
from trueup.domain.order_checks import OrderPolicy
from trueup.domain.order_tracking import Patience
from trueup.settings import Settings

NEEDED = {"TRUEUP_TENANT": "example", "TRUEUP_TABLE": "table"}


def test_said_nothing_the_defaults_hold_and_the_api_is_off() -> None:
    found = Settings.read(NEEDED)
    assert found.orders == OrderPolicy()
    assert found.order_patience == Patience() == found.orders.patience
    assert not found.orders_api


def test_every_word_of_it_is_taken() -> None:
    found = Settings.read(
        NEEDED
        | {
            "TRUEUP_ORDERS_API": "true",
            "TRUEUP_ORDER_MINIMUMS": "5 9702=25 a=b=7",
            "TRUEUP_ORDER_CHANGE_SEATS": "10",
            "TRUEUP_ORDER_CHANGE_PERCENT": "12.5",
            "TRUEUP_ORDER_LEAD": " lead@example.com ",
            "TRUEUP_ORDER_CHASE_DAYS": "3",
            "TRUEUP_ORDER_EXPIRY_DAYS": "9",
        }
    )
    policy = found.orders
    assert (policy.minimum_of("9702"), policy.minimum_of("a=b"), policy.minimum_of("other")) == (25, 7, 5)
    assert (policy.change_seats, policy.change_percent) == (10, Decimal("12.5"))
    assert policy.implementation_lead == "lead@example.com"
    assert policy.patience == Patience(3, 9) == found.order_patience
    assert found.orders_api


@pytest.mark.parametrize("text", ["many", "9702=", "9702=-1", "1.5", "9702=\u0661", "=x"])
def test_a_minimum_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="TRUEUP_ORDER_MINIMUMS"):
        Settings.read(NEEDED | {"TRUEUP_ORDER_MINIMUMS": text})
