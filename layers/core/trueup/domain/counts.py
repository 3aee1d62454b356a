"""The three counts. A count is known, missing or failed; it is never a zero that stands for absence."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal, NewType

from trueup.domain.errors import InputInvalid

Seats = NewType("Seats", int)
"""A whole, non-negative number of users."""

SEATS_MAXIMUM = 10_000_000
"""More seats than any client has: a larger number is a fault of the sender, not a count."""


class Leg(StrEnum):
    """Which of the three counts."""

    AGREEMENT = "agreement"
    LICENSED = "licensed"
    BILLED = "billed"


class BillingBasis(StrEnum):
    """Which count the PSA is to bill, as the tenant decided. larger: whichever of agreement and licensed is more."""

    AGREEMENT = "agreement"
    LICENSED = "licensed"
    LARGER = "larger"


class Basis(StrEnum):
    """What a count was read from, in falling order of trust for the agreement leg."""

    CONTRACT = "contract"
    PARTNER_CUSTOMER = "partner_customer"
    ACCOUNT_USER_COUNT = "account_user_count"
    MANUAL_FILE = "manual_file"
    PSA_LINE = "psa_line"
    LICENSED_USERS = "licensed_users"
    LICENSE_FILE = "license_file"
    ORDERED = "ordered"
    SUM = "sum"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a number came from: the call, the raw key that held it, the record's id, and the seats it said."""

    source: str
    key: str
    reference: str
    seats: int


@dataclass(frozen=True, slots=True)
class Known:
    """A number somebody said. ``conflict`` tells when another source said another number."""

    seats: Seats
    basis: Basis
    as_of: datetime
    evidence: tuple[Evidence, ...] = ()
    conflict: str | None = None
    state: Literal["known"] = field(default="known")


@dataclass(frozen=True, slots=True)
class Missing:
    """Nobody says a number; ``reason`` tells why in words."""

    reason: str
    state: Literal["missing"] = field(default="missing")


@dataclass(frozen=True, slots=True)
class Failed:
    """Somebody says something that cannot be used; ``reason`` tells what."""

    reason: str
    state: Literal["failed"] = field(default="failed")


Count = Known | Missing | Failed


def seats(value: object, *, field_name: str = "seats") -> Seats:
    """A strict count: only an ``int`` from 0 to ten million. ``"12"``, ``12.0``, ``True`` and ``-1`` are refused.

    Raises InputInvalid naming the field and the type or number that was met.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputInvalid(
            f"{field_name} must be a whole number, not {type(value).__name__}",
            field=field_name,
            remedy="Give a whole number of users, without quotes or decimals.",
        )
    if not 0 <= value <= SEATS_MAXIMUM:
        raise InputInvalid(
            f"{field_name} must lie between 0 and {SEATS_MAXIMUM}",
            field=field_name,
            remedy="Give the number of users in the agreement.",
        )
    return Seats(value)


def whole_seats(quantity: Decimal, *, field_name: str = "quantity") -> Seats:
    """Seats from a decimal that is exactly whole, as PSAs that type a quantity as a double send ``42.0``.

    This is the one lossless coercion there is. Raises InputInvalid on a fraction, NaN, infinity or a negative.
    """
    if quantity.is_finite() and quantity.copy_abs() > SEATS_MAXIMUM:
        # Refused before it becomes an int: the digits of 1E+999999999 would fill the memory.
        raise InputInvalid(
            f"{field_name} must lie between 0 and {SEATS_MAXIMUM}",
            field=field_name,
            remedy="Correct the quantity at its source.",
        )
    if not quantity.is_finite() or quantity != quantity.to_integral_value():
        raise InputInvalid(
            f"{field_name} is not a whole number of seats",
            field=field_name,
            remedy="Correct the quantity at its source; Trueup bills whole users only.",
        )
    return seats(int(quantity), field_name=field_name)
