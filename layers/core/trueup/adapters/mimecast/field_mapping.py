"""The versioned list of places where values are looked for in partner replies, read from field_mapping.json.

Mimecast does not publish the bodies of its partner API, so the candidates are data: a real sample can correct them
without a change of code. A file with a missing or unknown entry is refused whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from trueup.domain.errors import ConfigurationInvalid

Candidates = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PagingFields:
    size_parameter: str
    token_parameter: str
    next_token: Candidates
    total: Candidates


@dataclass(frozen=True, slots=True)
class CustomerFields:
    path: str
    list: Candidates
    account_code: Candidates
    name: Candidates
    status: Candidates
    seats: Candidates


@dataclass(frozen=True, slots=True)
class ContractFields:
    """``account_code_doubtful`` may as well name the contract itself, so it is checked against the customers.

    A line under ``lines_of_products`` is a product, so its own id (``product_id_of_product``) is the product's. A
    contract without lines may have a name of its own, so a product is only named by ``product_name_of_contract``.
    """

    path: str
    list: Candidates
    id: Candidates
    account_code: Candidates
    account_code_doubtful: Candidates
    status: Candidates
    lines: Candidates
    lines_of_products: Candidates
    product_id: Candidates
    product_id_of_product: Candidates
    product_name: Candidates
    product_name_of_contract: Candidates
    seats: Candidates


@dataclass(frozen=True, slots=True)
class ProductFields:
    path: str
    list: Candidates
    id: Candidates
    name: Candidates
    type: Candidates


@dataclass(frozen=True, slots=True)
class Words:
    """Status and type words, in lower case, by what they mean to Trueup."""

    account_active: Candidates
    account_pending: Candidates
    account_suspended: Candidates
    contract_in_force: Candidates
    contract_not_in_force: Candidates
    product_plan: Candidates
    product_addon: Candidates
    addon_in_name: Candidates


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """The whole file. ``version`` is told in evidence and in schema errors, so that a report names what was used."""

    version: str
    paging: PagingFields
    customers: CustomerFields
    contracts: ContractFields
    products: ProductFields
    words: Words


@cache
def shipped_mapping() -> FieldMapping:
    """The mapping that comes with this release."""
    return parse_mapping((Path(__file__).parent / "field_mapping.json").read_text(encoding="utf-8"))


def parse_mapping(text: str) -> FieldMapping:
    """A mapping from its JSON text. Raises ConfigurationInvalid naming the entry that is missing, unknown or wrong."""
    try:
        document = json.loads(text)
    except ValueError:
        raise ConfigurationInvalid("the Mimecast field mapping is not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("version"), str):
        raise ConfigurationInvalid("the Mimecast field mapping needs a version")
    return FieldMapping(
        version=document["version"],
        paging=_section(PagingFields, document, "paging"),
        customers=_section(CustomerFields, document, "customers"),
        contracts=_section(ContractFields, document, "contracts"),
        products=_section(ProductFields, document, "products"),
        words=_section(Words, document, "words"),
    )


def _section[Section](kind: type[Section], document: dict[str, object], name: str) -> Section:
    section = document.get(name)
    expected = {field.name: field.type for field in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(section, dict) or set(section) != set(expected):
        raise ConfigurationInvalid(
            f"the Mimecast field mapping needs exactly these entries under {name}: {', '.join(sorted(expected))}"
        )
    values: dict[str, str | Candidates] = {}
    for key, value in section.items():
        is_list = expected[key] == "Candidates"
        if is_list and isinstance(value, list) and value and all(isinstance(one, str) and one for one in value):
            values[key] = tuple(value)
        elif not is_list and isinstance(value, str) and value:
            values[key] = value
        else:
            wanted = "a list of names" if is_list else "a text"
            raise ConfigurationInvalid(f"the Mimecast field mapping needs {wanted} at {name}.{key}")
    return kind(**values)
