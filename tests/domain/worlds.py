"""Generated months: small worlds of both sides in which everything that a real month holds happens often.

A world is told in plain words and numbers first (dicts that the reference reconciler reads), and ``as_legs`` turns it
into what the product reads. Every choice goes through one function: Hypothesis makes it where a failure must shrink,
a seeded generator where thousands of evenly spread months are wanted. Must not: know any rule of the comparison.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.domain.building import READ_AT, TODAY, agreement, client, entry, known, licensed, line, order, service
from trueup.domain.accounts import (
    AccountState,
    Service,
    ServiceCount,
    ServiceId,
    ServiceKind,
    VendorAccount,
    VendorAccountId,
    VendorFacts,
)
from trueup.domain.billing import AgreementState, PsaAccountId, PsaFacts
from trueup.domain.counts import BillingBasis, Count, Failed, Missing
from trueup.domain.mapping import MappingState
from trueup.domain.reconcile import Legs

Thing = dict[str, Any]

HOSTILE_NAMES = (
    "=HYPERLINK(\"http://x.invalid\")", "<img onerror=alert(1)>", "\u202eevil", "a\x00b", "line\r\nbreak", "\ud800",
    "'; DROP TABLE accounts; --", "{{7*7}}", "", " ", "ПАО «Ромашка»", "x" * 10_000,
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """One month. Keys are ids; a count is a number, or the word ``missing`` or ``failed``."""

    today: date = TODAY
    accounts: dict[str, Thing] = field(default_factory=dict)
    services: dict[str, Thing] = field(default_factory=dict)
    counts: dict[tuple[str, str], int | str] = field(default_factory=dict)
    clients: dict[str, Thing] = field(default_factory=dict)
    agreements: dict[str, Thing] = field(default_factory=dict)
    lines: dict[str, Thing] = field(default_factory=dict)
    licensed: dict[str, int | str] = field(default_factory=dict)
    orders: dict[tuple[str, str], int] = field(default_factory=dict)
    basis: str = "agreement"
    bills_on_order: bool = False
    has_licenses: bool = False


def as_legs(world: World) -> Legs:
    """The same month as the product reads it."""
    orders = tuple(
        order(seats, vendor_id=name, service_id=of, order_id=f"{name} {of}")
        for (name, of), seats in world.orders.items()
    )
    return Legs(
        period=f"{world.today:%Y-%m}",
        on=world.today,
        vendor=VendorFacts(
            accounts=tuple(
                VendorAccount(VendorAccountId(key), item["name"], AccountState(item["status"]))
                for key, item in world.accounts.items()
                if item["listed"]
            ),
            services=tuple(
                Service(ServiceId(key), item["name"], ServiceKind(item["kind"])) for key, item in world.services.items()
            ),
            counts=tuple(
                ServiceCount(VendorAccountId(account), ServiceId(of), _as_count(said, f"{account} {of}"))
                for (account, of), said in world.counts.items()
            ),
        ),
        psa=PsaFacts(
            accounts=tuple(
                client(key, deleted=item["deleted"], name=item["name"]) for key, item in world.clients.items()
            ),
            agreements=tuple(
                agreement(
                    key,
                    item["client"],
                    state=AgreementState(item["state"]),
                    starts=item["starts"],
                    ends=item["ends"],
                    currency=item["currency"],
                )
                for key, item in world.agreements.items()
            ),
            lines=tuple(
                line(
                    key,
                    item["quantity"],
                    psa_id=item["client"],
                    product_id=item["product"],
                    agreement_id=item["agreement"],
                    price=item["price"],
                    free=item["free"],
                    begins=item["begins"],
                    ends=item["ends"],
                    billable=item["billable"],
                    not_writable_reason=None if item["writable"] else "the product is serialized",
                )
                for key, item in world.lines.items()
            ),
        ),
        psa_read_at=READ_AT,
        accounts=tuple(
            entry(
                key,
                item["client"],
                state=MappingState(item["mapping"]),
                name=item["name"],
                account_state=AccountState(item["status"]),
                absent_runs=item["absent_runs"],
                ambiguity="two clients have this name" if item["mapping"] == "ambiguous" else "",
            )
            for key, item in world.accounts.items()
            if item["mapping"] != "new"
        ),
        services=tuple(
            service(
                key,
                item["product"],
                state=MappingState(item["mapping"]),
                kind=ServiceKind(item["kind"]),
                catalog_price=item["price"],
                is_per_user=item["by_user"],
            )
            for key, item in world.services.items()
            if item["mapping"] != "new"
        ),
        currency="USD",
        licensed={PsaAccountId(key): _as_licensed(said) for key, said in world.licensed.items()},
        ordered=orders if world.bills_on_order else (),
        basis=BillingBasis(world.basis),
        open_orders=orders,
        licenses_are_connected=world.has_licenses,
    )


def _as_licensed(said: int | str) -> Count:
    return licensed(said) if isinstance(said, int) else Failed("the tenant could not be read")


def _as_count(said: int | str, where: str) -> Count:
    if isinstance(said, int):
        return known(said, reference=where)
    return Missing("the contract names no count") if said == "missing" else Failed("the count is not a number")


Pick = Callable[[Sequence[Any]], Any]

NAMES = ("Acme", "Beta GmbH", "Acme", "Gamma Ltd", *HOSTILE_NAMES)
WHOLE = [str(number) for number in range(9)]
QUANTITIES = (*WHOLE, *WHOLE, *(f"{number}.00" for number in WHOLE), "12", "40", "90")
ODD_QUANTITIES = ("0.5", "12.5", "-3", "1E+3", "1E+9", "-0")
SEATS_SAID = (*range(7), *range(7), *range(7), 9, 14, 40, 80, 1_000, "missing", "failed")
SEATS_OF_QUIET_MONTHS = (*[4] * 8, 5, "missing")
USERS_LICENSED = (*range(7), *range(7), 9, 14, 40, 80, "failed")
SEATS_ORDERED = (*range(7), 9)
DAYS = tuple(TODAY + timedelta(days=days) for days in (-400, -30, -1, 0, 1, 30))


def _one_in(times: int, pick: Pick) -> bool:
    return bool(pick([False] * (times - 1) + [True]))


def _account(pick: Pick, clients: list[str]) -> Thing:
    mapping = pick(["mapped"] * 10 + ["excluded", "ambiguous", "unmapped", "new"])
    listed = mapping == "new" or not _one_in(15, pick)
    return {
        "name": pick(NAMES),
        "listed": listed,
        "absent_runs": 0 if listed else pick(range(1, 5)),
        "mapping": mapping,
        "client": pick(clients) if mapping == "mapped" else None,
        "status": pick(["active"] * 6 + ["unknown", "suspended", "pending"]),
    }


def _service(pick: Pick, product: str) -> Thing:
    mapping = pick(["mapped"] * 10 + ["unmapped", "excluded", "new"])
    return {
        "name": pick(NAMES),
        "kind": pick(("plan", "addon", "account", "package")),
        "mapping": mapping,
        "product": product if mapping == "mapped" else None,
        "price": pick((Decimal("3.50"), Decimal(4), None)),
        "by_user": not _one_in(8, pick),
    }


def _agreement(pick: Pick, client_id: str) -> Thing:
    return {
        "client": client_id,
        "state": pick(["active"] * 20 + ["inactive", "cancelled", "expired", "unknown"]),
        "starts": pick(DAYS) if _one_in(12, pick) else None,
        "ends": pick(DAYS) if _one_in(12, pick) else None,
        "currency": pick((None, None, "USD", "EUR")),
    }


def _line(pick: Pick, agreements: dict[str, Thing], client_id: str, product: str, *, is_quiet: bool) -> Thing:
    own = [key for key, item in agreements.items() if item["client"] == client_id]
    return {
        # Now and then the agreement is one that the read did not list.
        "agreement": "A-gone" if _one_in(30, pick) else pick(own),
        "client": client_id,
        "product": product,
        "quantity": pick(ODD_QUANTITIES if _one_in(12, pick) else (("4",) if is_quiet else QUANTITIES)),
        "price": pick(("2.00", "2.00", "2.00", "1.115", "0", None)),
        "free": pick(("0", "0", "0", "2", "1.5")),
        "begins": pick(DAYS) if _one_in(8, pick) else None,
        "ends": pick(DAYS) if _one_in(8, pick) else None,
        "billable": not _one_in(15, pick),
        "writable": not _one_in(20, pick),
    }


def month(pick: Pick) -> World:
    """A month of up to four vendor accounts and three clients; several accounts of one client are common."""
    clients = [f"P{number}" for number in range(pick((1, 2, 3)))]
    products = ["X", "Y"][: pick((1, 2))]
    accounts = {f"V{number}": _account(pick, clients) for number in range(pick((0, 1, 2, 3, 4)))}
    sold = [*products, pick(products)][: pick((1, 2, 2, 3))]
    services = {f"S{number}": _service(pick, product) for number, product in enumerate(sold)}
    holders = [*clients, pick(clients)]
    agreements = {f"A{number}": _agreement(pick, holder) for number, holder in enumerate(holders)}
    billed = [
        (client_id, product)
        for client_id in clients
        for product in (*products, *(["another product"] if _one_in(10, pick) else []))
        for _ in range(pick((1, 1, 1, 1, 0, 2)))
    ]
    # In a quiet month most of what the vendor says is billed already, so that only orders are left to differ.
    is_quiet = _one_in(3, pick)
    counts = {
        (account, of): pick(SEATS_OF_QUIET_MONTHS if is_quiet else SEATS_SAID)
        for account, item in accounts.items()
        for of in services
        if item["listed"] and not _one_in(3, pick)
    }
    # A third of the months has two legs alone, as before.
    has_licenses = not _one_in(3, pick)
    licensed_users = {key: pick(USERS_LICENSED) for key in clients if has_licenses and not _one_in(6, pick)}
    return World(
        accounts=accounts,
        services=services,
        counts=counts,
        # Now and then a client is deleted, or gone from the list altogether.
        clients={key: {"deleted": _one_in(20, pick), "name": pick(NAMES)} for key in clients if not _one_in(20, pick)},
        agreements=agreements,
        lines={f"L{number}": _line(pick, agreements, *pair, is_quiet=is_quiet) for number, pair in enumerate(billed)},
        licensed=licensed_users,
        orders={key: pick(SEATS_ORDERED) for key in counts if _one_in(8, pick)},
        basis=pick(("agreement", "agreement", "licensed", "larger")) if has_licenses else "agreement",
        bills_on_order=pick((True, False)),
        has_licenses=has_licenses,
    )


def month_of_seed(seed: int) -> World:
    """The month of that number: the same on every machine."""
    return month(random.Random(seed).choice)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A month that Hypothesis chose, and can make smaller when it shows a fault."""
    return month(lambda options: draw(st.sampled_from(options)))


def shuffled(given: Legs, chance: random.Random) -> Legs:
    """The same legs with every tuple in another order."""

    def mixed[Item](items: tuple[Item, ...]) -> tuple[Item, ...]:
        return tuple(chance.sample(items, len(items)))

    vendor, psa = given.vendor, given.psa
    return replace(
        given,
        vendor=VendorFacts(mixed(vendor.accounts), mixed(vendor.services), mixed(vendor.counts)),
        psa=PsaFacts(mixed(psa.accounts), mixed(psa.agreements), mixed(psa.lines)),
        accounts=mixed(given.accounts),
        services=mixed(given.services),
        licensed=dict(mixed(tuple(given.licensed.items()))),
        ordered=mixed(given.ordered),
        open_orders=mixed(given.open_orders),
    )
