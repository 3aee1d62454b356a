"""The environment as one typed object, read once. Nothing else in the layer reads an environment variable."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from zoneinfo import ZoneInfo

from trueup.domain.auto_apply import AutoApplyPolicy
from trueup.domain.counts import BillingBasis
from trueup.domain.errors import ConfigurationInvalid
from trueup.domain.guards import GuardPolicy
from trueup.domain.order_checks import OrderPolicy
from trueup.domain.order_tracking import Patience
from trueup.domain.periods import zone

_ORIGIN = re.compile(r"https://[A-Za-z0-9.-]{1,253}|http://127\.0\.0\.1:[0-9]{1,5}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Settings:
    """What one tenant's deployment says.

    ``allow_loopback`` lets outbound calls go to 127.0.0.1, for simulators; it is never set in a deployment.
    ``connectwise_hosts`` names on-premise ConnectWise servers in full, ``halopsa_hosts`` HaloPSA servers with a name of
    the MSP's own. ``billing_basis`` is which count the PSA bills, ``bills_on_order`` whether seats count as agreed once
    they are ordered. ``orders`` are the limits of change orders; ``orders_api`` lets them be sent through the vendor's
    API, which is assumed to take them and not documented. ``roles_are_checked`` is off only on one
    machine, where the person at the keyboard is the administrator. ``oidc_issuer`` and ``oidc_client_id`` are where the
    screens send people to sign in; ``sign_in_origins`` are the hosts that a page may ask while it does so.
    ``notice_topic`` is the ARN of the SNS topic that notices go to by e-mail, ``portal_url`` where links lead; each is
    empty where there is none.
    """

    tenant: str
    table: str
    time_zone: ZoneInfo
    currency: str
    secret_prefix: str
    two_person_approval: bool
    guards: GuardPolicy
    auto_apply: AutoApplyPolicy
    order_patience: Patience
    orders: OrderPolicy
    orders_api: bool
    billing_basis: BillingBasis
    bills_on_order: bool
    allow_loopback: bool
    connectwise_hosts: tuple[str, ...]
    halopsa_hosts: tuple[str, ...]
    role_claim: str
    roles_are_checked: bool
    oidc_issuer: str
    oidc_client_id: str
    sign_in_origins: tuple[str, ...]
    monthly_run_function: str
    monthly_run_day: int
    monthly_run_hour: int
    callback_queue_url: str
    notice_topic: str
    portal_url: str
    vault_directory: str
    cursor_key: bytes

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Raises ConfigurationInvalid naming the variable that is missing or wrong."""
        tenant = _text(environment, "TRUEUP_TENANT")
        patience = _order_patience(environment)
        return cls(
            tenant=tenant,
            table=_text(environment, "TRUEUP_TABLE"),
            time_zone=zone(environment.get("TRUEUP_TIME_ZONE") or "UTC"),
            currency=environment.get("TRUEUP_CURRENCY") or "USD",
            secret_prefix=environment.get("TRUEUP_SECRET_PREFIX") or f"trueup/{tenant}/",
            two_person_approval=_flag(environment, "TRUEUP_TWO_PERSON_APPROVAL", default=False),
            guards=GuardPolicy(
                increase_percent=_number(environment, "TRUEUP_GUARD_INCREASE_PERCENT", Decimal(50)),
                increase_seats=int(_number(environment, "TRUEUP_GUARD_INCREASE_SEATS", Decimal(25))),
            ),
            auto_apply=AutoApplyPolicy(int(_number(environment, "TRUEUP_AUTO_APPLY_SEATS", Decimal(0)))),
            billing_basis=_billing_basis(environment, "TRUEUP_BILLING_BASIS"),
            bills_on_order=_flag(environment, "TRUEUP_BILL_ON_ORDER", default=False),
            order_patience=patience,
            orders=_order_policy(environment, patience),
            orders_api=_flag(environment, "TRUEUP_ORDERS_API", default=False),
            allow_loopback=_flag(environment, "TRUEUP_ALLOW_LOOPBACK", default=False),
            connectwise_hosts=tuple((environment.get("TRUEUP_CONNECTWISE_HOSTS") or "").split()),
            halopsa_hosts=tuple((environment.get("TRUEUP_HALOPSA_HOSTS") or "").split()),
            role_claim=environment.get("TRUEUP_ROLE_CLAIM") or "cognito:groups",
            roles_are_checked=_flag(environment, "TRUEUP_ROLES_ARE_CHECKED", default=True),
            oidc_issuer=environment.get("TRUEUP_OIDC_ISSUER") or "",
            oidc_client_id=environment.get("TRUEUP_OIDC_CLIENT_ID") or "",
            sign_in_origins=tuple((environment.get("TRUEUP_SIGN_IN_ORIGINS") or "").split()),
            monthly_run_function=environment.get("TRUEUP_MONTHLY_RUN_FUNCTION") or "",
            monthly_run_day=int(_number(environment, "TRUEUP_MONTHLY_RUN_DAY", Decimal(1))),
            monthly_run_hour=int(_number(environment, "TRUEUP_MONTHLY_RUN_HOUR", Decimal(6))),
            callback_queue_url=environment.get("TRUEUP_CALLBACK_QUEUE_URL") or "",
            notice_topic=environment.get("TRUEUP_NOTICE_TOPIC") or "",
            portal_url=_origin(environment, "TRUEUP_PORTAL_URL"),
            vault_directory=environment.get("TRUEUP_VAULT_DIRECTORY") or "",
            cursor_key=f"{tenant} {environment.get('TRUEUP_CURSOR_KEY') or 'one machine'}".encode(),
        )


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings.read(os.environ)


def _origin(environment: Mapping[str, str], name: str) -> str:
    """An https origin (or a loopback one) without a slash at its end; empty when it is not set."""
    value = (environment.get(name) or "").rstrip("/")
    if value and _ORIGIN.fullmatch(value) is None:
        raise ConfigurationInvalid(f"{name} must be an address such as https://HOST", remedy=f"Correct {name}.")
    return value


def _text(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise ConfigurationInvalid(f"the environment variable {name} is not set", remedy=f"Set {name}.")
    return value


def _flag(environment: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = environment.get(name, "").lower()
    if not text:
        return default
    if text not in {"true", "false", "1", "0"}:
        raise ConfigurationInvalid(f"{name} must be true or false", remedy=f"Set {name} to true or false.")
    return text in {"true", "1"}


def _billing_basis(environment: Mapping[str, str], name: str) -> BillingBasis:
    text = (environment.get(name) or BillingBasis.AGREEMENT).lower()
    if text not in set(BillingBasis):
        raise ConfigurationInvalid(
            f"{name} must be one of {', '.join(BillingBasis)}", remedy=f"Set {name} to one of them."
        )
    return BillingBasis(text)


def _order_patience(environment: Mapping[str, str]) -> Patience:
    usual = Patience()
    return Patience(
        chase_days=int(_number(environment, "TRUEUP_ORDER_CHASE_DAYS", Decimal(usual.chase_days))),
        expiry_days=int(_number(environment, "TRUEUP_ORDER_EXPIRY_DAYS", Decimal(usual.expiry_days))),
    )


def _order_policy(environment: Mapping[str, str], patience: Patience) -> OrderPolicy:
    """``TRUEUP_ORDER_MINIMUMS`` holds a number for every service and ``SERVICE=NUMBER`` for single ones: ``1 9702=25``.

    Service ids with a space or an equals sign cannot be named in it.
    """
    usual = OrderPolicy()
    minimum, minimums = usual.minimum_seats, {}
    for word in (environment.get("TRUEUP_ORDER_MINIMUMS") or "").split():
        service, _, seats = word.rpartition("=")
        if not (seats.isascii() and seats.isdecimal() and len(seats) < 9):
            raise ConfigurationInvalid(
                "TRUEUP_ORDER_MINIMUMS must hold whole numbers",
                remedy="Write a number, or SERVICE=NUMBER, separated by spaces: 1 9702=25.",
            )
        if service:
            minimums[service] = int(seats)
        else:
            minimum = int(seats)
    return OrderPolicy(
        minimum_seats=minimum,
        minimums=minimums,
        change_seats=int(_number(environment, "TRUEUP_ORDER_CHANGE_SEATS", Decimal(usual.change_seats))),
        change_percent=_number(environment, "TRUEUP_ORDER_CHANGE_PERCENT", usual.change_percent),
        implementation_lead=(environment.get("TRUEUP_ORDER_LEAD") or "").strip(),
        patience=patience,
    )


def _number(environment: Mapping[str, str], name: str, default: Decimal) -> Decimal:
    text = environment.get(name, "")
    if not text:
        return default
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(-1)
    if not number.is_finite() or number < 0:
        raise ConfigurationInvalid(f"{name} must be a number that is not negative", remedy=f"Correct {name}.")
    return number
