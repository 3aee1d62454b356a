"""Feature packages of an account: read from texts such as ``Secure Email Gateway (Site) [1039]`` or from objects.

Their order was observed to vary between calls, so they are a set keyed by the bracketed id. They are features and not
what is billed: one plan turns on many.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from trueup.adapters.mimecast.reading import display_text, identifier, schema_unknown

_TEXT = re.compile(r"(?P<name>.*?)\s*(?:\((?P<tier>[^()]*)\))?\s*(?:\[(?P<id>\d{1,12})\])?", re.ASCII | re.DOTALL)
_NAME_CHARACTERS = 300


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """``key`` is the vendor's number, or the normalized name where there is none."""

    key: str
    name: str
    tier: str = ""

    @property
    def title(self) -> str:
        return f"{self.name} ({self.tier})" if self.tier else self.name


def parse_packages(value: object) -> frozenset[Package]:
    """The packages of a ``packages`` field; empty for null and the empty list. Raises SchemaUnknown otherwise.

    An entry without a number and without a letter or digit names nothing and is passed over.
    """
    if value is None:
        return frozenset()
    if not isinstance(value, list):
        raise schema_unknown("packages is no list", value, "none")
    by_key = {package.key: package for package in (_package(one) for one in value) if package.key}
    return frozenset(by_key.values())


def normalized(name: str) -> str:
    """A name as part of an id: lower case, every run of other characters a hyphen."""
    return re.sub(r"[^\w]+", "-", name.casefold()).strip("-_")


def _package(value: object) -> Package:
    if isinstance(value, Mapping):
        name = next((value[key] for key in ("name", "code") if isinstance(value.get(key), str)), None)
        if name is None:
            raise schema_unknown("a package has no name", value, "none")
        parsed = _package(name)
        given = identifier(value.get("id"))
        return Package(given, parsed.name, parsed.tier) if given else parsed
    if not isinstance(value, str):
        raise schema_unknown("a package is neither text nor object", value, "none")
    found = _TEXT.fullmatch(display_text(value)[:_NAME_CHARACTERS].strip())
    assert found is not None  # every part of the pattern is optional
    name, tier = found["name"].strip(), (found["tier"] or "").strip()
    return Package(found["id"] or normalized(f"{name} {tier}"), name, tier)
