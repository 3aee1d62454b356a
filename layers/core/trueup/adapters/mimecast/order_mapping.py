"""What is sent to the order routes and where their replies hold what, read from order_mapping.json.

No public page shows a body of these routes, so every one is data: a supervised trial corrects the file and no code. A
file with a missing or unknown entry is refused whole. Must not: send anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from trueup.domain.errors import ConfigurationInvalid

Candidates = tuple[str, ...]
_PLACE = re.compile(r"\{([a-z_]+)\}")
_PLACES = frozenset(
    {"account_code", "product_id", "contract_id", "expected", "target", "delta", "po_number", "reference", "quote_id"}
)


@dataclass(frozen=True, slots=True)
class QuoteFields:
    path: str
    body: Mapping[str, object]
    reference: Candidates


@dataclass(frozen=True, slots=True)
class PostFields:
    path: str
    body: Mapping[str, object]
    reference: Candidates
    order_number: Candidates


@dataclass(frozen=True, slots=True)
class StatusFields:
    """The words are in lower case, by what they mean to Trueup."""

    path: str
    word: Candidates
    order_number: Candidates
    in_progress: Candidates
    completed: Candidates
    rejected: Candidates


@dataclass(frozen=True, slots=True)
class OrderMapping:
    """The whole file. ``version`` is told in answers and errors, so that a report names what was used."""

    version: str
    quote: QuoteFields
    order: PostFields
    status: StatusFields


@cache
def shipped_order_mapping() -> OrderMapping:
    """The mapping that comes with this release; all of it is assumed."""
    return parse_order_mapping((Path(__file__).parent / "order_mapping.json").read_text(encoding="utf-8"))


def parse_order_mapping(text: str) -> OrderMapping:
    """A mapping from its JSON text. Raises ConfigurationInvalid naming the entry that is missing, unknown or wrong."""
    try:
        document = json.loads(text)
    except ValueError:
        raise ConfigurationInvalid("the Mimecast order mapping is not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("version"), str):
        raise ConfigurationInvalid("the Mimecast order mapping needs a version")
    return OrderMapping(
        version=document["version"],
        quote=_section(QuoteFields, document, "quote"),
        order=_section(PostFields, document, "order"),
        status=_section(StatusFields, document, "status"),
    )


def filled(body: object, values: Mapping[str, str | int]) -> object:
    """The body with its words filled in. A text that stays empty is left out of its object: an empty reference would be
    a reference to nothing.
    """
    if isinstance(body, Mapping):
        made = {str(key): filled(value, values) for key, value in body.items()}
        return {key: value for key, value in made.items() if value != ""}
    if isinstance(body, list):
        return [filled(value, values) for value in body]
    if not isinstance(body, str):
        return body
    whole = _PLACE.fullmatch(body)
    if whole is not None:
        return values[whole.group(1)]
    return _PLACE.sub(lambda found: str(values[found.group(1)]), body)


def _section[Section](kind: type[Section], document: dict[str, object], name: str) -> Section:
    section = document.get(name)
    expected = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(section, dict) or set(section) != set(expected):
        raise ConfigurationInvalid(
            f"the Mimecast order mapping needs exactly these entries under {name}: {', '.join(sorted(expected))}"
        )
    return kind(**{key: _entry(f"{name}.{key}", value, expected[key]) for key, value in section.items()})


def _entry(where: str, value: object, kind: str) -> object:
    if (
        kind == "Candidates"
        and isinstance(value, list)
        and value
        and all(isinstance(one, str) and one for one in value)
    ):
        return tuple(value)
    if kind == "str" and isinstance(value, str) and value.startswith("/"):
        return value
    if kind.startswith("Mapping") and isinstance(value, dict) and value:
        unknown = sorted(set(_PLACE.findall(json.dumps(value))) - _PLACES)
        if unknown:
            raise ConfigurationInvalid(f"the Mimecast order mapping fills in no {', '.join(unknown)} at {where}")
        return value
    wanted = {"Candidates": "a list of names", "str": "a path"}.get(kind, "an object")
    raise ConfigurationInvalid(f"the Mimecast order mapping needs {wanted} at {where}")
