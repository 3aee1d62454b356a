"""Build the worlds the simulators serve: the demo month of 48 clients, and worlds of any size for measuring.

Everything is drawn from a seed, so the same seed gives the same bytes. All names are invented.
"""

import random
import re

from local.simulators.credentials import PARTNER_ACCOUNT_CODE
from local.simulators.demo_clients import BYSTANDERS, CLIENTS, Client
from local.simulators.world import (
    CatalogItem,
    ClientStory,
    ContractLine,
    PsaAddition,
    PsaAgreement,
    PsaCompany,
    VendorAccount,
    VendorContract,
    VendorProduct,
    World,
)

DEMO_SEED = 7
MAIN_PRODUCT = "9702"
EMAIL, AWARENESS, ARCHIVE, DEVICE_CARE = 560, 561, 562, 571
SERVICE_TO_PRODUCT = {"9702": "MIME-EMAIL-S1", "9731": "MIME-AWARE"}
"""What a person maps in the demo: vendor service to PSA product identifier. Service 9745 stays unmapped on purpose."""

_SERVICES = {
    "9702": ("Email Security S1", "primary"),
    "9731": ("Awareness Training add-on", "addon"),
    "9745": ("Email Archive add-on", "addon"),
}
_CATALOG_OF_SERVICE = {"9702": EMAIL, "9731": AWARENESS, "9745": ARCHIVE}
_PACKAGES = (
    "Mimecast Platform [1033]",
    "Secure Email Gateway (Site) [1039]",
    "URL Protection (Site) [1043]",
    "Attachment Protection (Site) [1056]",
)
_NO_CONTRACT = {"partner_count_only", "account_read_only", "missing", "pending"}


def demo_world(seed: int = DEMO_SEED) -> World:
    """The month of 48 clients: every verdict of the two legs, and the names that trip matching up."""
    rng = random.Random(seed)
    world = _empty_world("demo", seed)
    for client in CLIENTS:
        seats = client.seats if client.seats is not None else rng.randint(6, 140)
        code = _add_vendor_side(world, client, seats) if client.vendor is not None else None
        company_id = _add_psa_side(world, client, seats)
        world.stories.append(ClientStory(client.story, code, company_id))
    for name, deleted in BYSTANDERS:
        company = _company(world, name)
        company.deleted = deleted
        agreement = _agreement(world, company)
        _line(world, agreement, DEVICE_CARE, rng.randint(3, 60))
    return world


def scaled_world(clients: int, seed: int = DEMO_SEED) -> World:
    """A world of any size: one agreement a client with one or two lines, about one client in ten out of line."""
    if clients < 1:
        raise ValueError("a world needs at least one client")
    rng = random.Random(seed)
    world = _empty_world(str(clients), seed)
    for number in range(clients):
        seats = rng.randint(3, 220)
        off = rng.random() < 0.1
        client = Client(
            "differs" if off else "in_line",
            _scaled_name(number),
            difference=rng.choice((-2, -1, 1, 2, 3)) if off else 0,
            addon="9731" if rng.random() < 0.5 else "",
        )
        code = _add_vendor_side(world, client, seats)
        company_id = _add_psa_side(world, client, seats, with_other_line=False)
        world.stories.append(ClientStory(client.story, code, company_id))
    return world


_FIRST = ("Amber", "Birch", "Cobalt", "Dapple", "Ember", "Fallow", "Garnet", "Hazel", "Indigo", "Jasper", "Linden")
_SECOND = ("brook", "combe", "dale", "field", "gate", "ham", "hurst", "ley", "mere", "moor", "stead", "wick", "worth")
_TRADE = ("Dental", "Freight", "Legal", "Optics", "Joinery", "Foods", "Surveying", "Clinics", "Robotics", "Media")


def _scaled_name(number: int) -> str:
    first = _FIRST[number % len(_FIRST)]
    second = _SECOND[number // len(_FIRST) % len(_SECOND)]
    trade = _TRADE[number // (len(_FIRST) * len(_SECOND)) % len(_TRADE)]
    return f"{first}{second} {trade} {number:05d}"


def _empty_world(kind: str, seed: int) -> World:
    partner = VendorAccount(
        PARTNER_ACCOUNT_CODE, "Sim MSP NFR", partner_seats=25, account_seats=25, packages=[_PACKAGES[0]]
    )
    world = World(kind, seed, partner)
    world.vendor_products = {key: VendorProduct(key, name, kind_) for key, (name, kind_) in _SERVICES.items()}
    items = (
        CatalogItem(EMAIL, "MIME-EMAIL-S1", "Mimecast Email Security", 4.25, 2.90, "MC-S1"),
        CatalogItem(AWARENESS, "MIME-AWARE", "Mimecast Awareness Training", 1.50, 0.95, "MC-AT"),
        CatalogItem(ARCHIVE, "MIME-ARCHIVE", "Mimecast Email Archive", 2.10, 1.40, "MC-AR"),
        CatalogItem(563, "MIME-EMAIL-M2", "Mimecast M2 (withdrawn)", 5.10, 3.60, "MC-M2", inactive=True),
        CatalogItem(570, "M365-BUS-PREM", "Microsoft 365 Business Premium", 22.0, 18.1, "CFQ7"),
        CatalogItem(DEVICE_CARE, "RMM-DEVICE", "Device management", 3.75, 1.10, "RMM-1"),
        CatalogItem(572, "BACKUP-TB", "Cloud backup per TB", 38.0, 21.0, "BK-TB"),
        CatalogItem(573, "LAPTOP-14", "Laptop 14 inch", 899.0, 760.0, "LT-14", "Inventory", serialized=True),
    )
    world.catalog = {item.id: item for item in items}
    return world


def _add_vendor_side(world: World, client: Client, seats: int) -> str:
    serial = 202 + len(world.accounts)
    code = f"CSIM10B{serial:03d}"
    main = _SERVICES[MAIN_PRODUCT][0]
    account = VendorAccount(
        code=code,
        name=client.vendor or "",
        status="pending" if client.story == "pending" else "active",
        region="uk" if serial % 3 == 0 else "us",
        partner_seats=None if client.story in ("account_read_only", "missing") else seats,
        account_seats=None if client.story == "missing" else seats,
        account_readable=client.story != "missing",
        actual_users=seats + (9 if client.story == "bill_more" else 0),
        contact_email=f"it@client{serial}.example",
        packages=[*_PACKAGES, *(["Awareness Training [1078]"] if client.addon == "9731" else [])],
    )
    world.accounts[code] = account
    if client.story not in _NO_CONTRACT:
        lines = [ContractLine(MAIN_PRODUCT, main, seats)]
        if client.addon:
            lines.append(ContractLine(client.addon, _SERVICES[client.addon][0], seats))
        contract_id = f"ctr-{70_011 + len(world.contracts)}"
        world.contracts[contract_id] = VendorContract(contract_id, code, f"org-{serial + 299}", lines)
    return code


def _add_psa_side(world: World, client: Client, seats: int, *, with_other_line: bool = True) -> int | None:
    name = client.vendor if client.psa == "" else client.psa
    if name is None:
        return None
    company = _company(world, name)
    agreement = _agreement(world, company)
    if with_other_line and company.id % 2 == 0:
        _line(world, agreement, DEVICE_CARE, max(seats, 1))
    if client.billed != "none":
        billed = float(seats - client.difference if client.billed == "same" else client.billed)
        line = _line(world, agreement, EMAIL, max(billed, 0.0))
        _play(world, client, agreement, line)
    if client.addon and client.story != "unmapped_service":
        _line(world, agreement, _CATALOG_OF_SERVICE[client.addon], float(seats - client.addon_difference))
    return company.id


def _play(world: World, client: Client, agreement: PsaAgreement, line: PsaAddition) -> None:
    """The PSA side of the stories that are more than a quantity."""
    match client.story:
        case "inactive_agreement":
            agreement.status = "Inactive"
        case "two_live_lines":
            _line(world, agreement, EMAIL, 5.0)
        case "less_included":
            line.less_included = 5.0
        case "do_not_bill":
            line.bill_customer = "DoNotBill"
        case "cancelled_and_future":
            past, future = _line(world, agreement, EMAIL, 11.0), _line(world, agreement, EMAIL, 99.0)
            past.cancelled_date = "2025-03-31T00:00:00Z"
            future.effective_date = "2099-01-01T00:00:00Z"
        case "duplicate_name":
            twin = _company(world, client.vendor or "")
            _line(world, _agreement(world, twin), EMAIL, 8.0)


def _company(world: World, name: str) -> PsaCompany:
    company_id = 250 + len(world.companies)
    letters = re.sub(r"[^A-Za-z0-9]", "", name)[:20] or "Client"
    company = PsaCompany(company_id, f"{letters}{company_id}", name)
    world.companies[company_id] = company
    return company


def _agreement(world: World, company: PsaCompany) -> PsaAgreement:
    agreement_id = 1_201 + len(world.agreements)
    # The vendor allows 100 characters in an agreement's name.
    agreement = PsaAgreement(agreement_id, company.id, f"Managed Services - {company.name}"[:100])
    world.agreements[agreement_id] = agreement
    return agreement


def _line(world: World, agreement: PsaAgreement, product_id: int, quantity: float) -> PsaAddition:
    item = world.catalog[product_id]
    line = PsaAddition(
        id=88_431 + len(world.additions),
        agreement_id=agreement.id,
        product_id=product_id,
        quantity=float(quantity),
        unit_price=item.price,
        unit_cost=item.cost,
        description=item.description,
        invoice_description=item.description,
        sequence_number=10.0 * (1 + len(world.lines_of(agreement.id))),
    )
    world.add_addition(line)
    return line
