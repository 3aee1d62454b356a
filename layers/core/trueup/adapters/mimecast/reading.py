"""Reads values out of replies by the field mapping, strictly: missing, null and empty are three different things.

An unknown shape is told by key names and types only, never by values. It must not call anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from trueup.adapters.mimecast.source_counts import SourceCount
from trueup.domain.counts import Basis, Evidence, seats
from trueup.domain.errors import InputInvalid, SchemaUnknown

INTEGRATION: Final = "mimecast"
MISSING: Final = object()
_SHAPE_DEPTH = 3
_SHAPE_KEYS = 30
_KEY_CHARACTERS = 40
_NAME_CHARACTERS = 10_000
_TYPE_NAMES = {dict: "object", list: "list", str: "text", bool: "true/false", int: "integer", Decimal: "decimal"}


def type_name(value: object) -> str:
    """What a value is, in JSON's words."""
    return "null" if value is None else _TYPE_NAMES.get(type(value), type(value).__name__)


def shape(value: object, depth: int = _SHAPE_DEPTH) -> str:
    """Key names and types of a value, for an error that a person can send on. No value of it is shown."""
    if isinstance(value, Mapping) and depth > 0:
        names = [
            f"{''.join(c if c.isprintable() else '?' for c in str(key)[:_KEY_CHARACTERS])}: {shape(one, depth - 1)}"
            for key, one in list(value.items())[:_SHAPE_KEYS]
        ]
        return "{" + ", ".join(names) + (", ..." if len(value) > _SHAPE_KEYS else "") + "}"
    if isinstance(value, list) and depth > 0:
        return f"[{shape(value[0], depth - 1)}]" if value else "[]"
    return type_name(value)


def schema_unknown(what: str, document: object, mapping_version: str) -> SchemaUnknown:
    """The error for a shape that the mapping does not cover."""
    return SchemaUnknown(
        f"{what}; the shape is {shape(document)} (field mapping {mapping_version})", integration=INTEGRATION
    )


def find(record: object, candidates: Sequence[str]) -> tuple[str, object]:
    """The first candidate that is present, with its value, which may be null; ("", MISSING) when none is."""
    for candidate in candidates:
        current: object = record
        for name in () if candidate == "$" else candidate.split("."):
            current = current.get(name, MISSING) if isinstance(current, Mapping) else MISSING
        if current is not MISSING:
            return candidate, current
    return "", MISSING


def find_told(record: object, candidates: Sequence[str]) -> tuple[str, object]:
    """The first candidate that is present and not null; ("", None) when there is none. Where silence is one thing."""
    for candidate in candidates:
        key, value = find(record, (candidate,))
        if key and value is not None:
            return key, value
    return "", None


def find_list(document: object, candidates: Sequence[str], *, what: str, mapping_version: str) -> list[object]:
    """The one list of a reply. A reply with none is an unknown shape, never an empty list; null is not a list either.

    Raises SchemaUnknown, also when two candidates hold lists, because then it cannot be told which is meant.
    """
    found = [value for candidate in candidates if isinstance(value := find(document, (candidate,))[1], list)]
    if len(found) != 1:
        problem = "no known list" if not found else "more than one list"
        raise schema_unknown(f"the reply about {what} holds {problem}", document, mapping_version)
    return found[0]


def identifier(value: object) -> str | None:
    """An opaque id kept exactly: text as it came, an integer as its digits; None for anything else or no text.

    ``"007"`` and ``"7"`` stay different. Text that UTF-8 cannot carry is no id.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        value.encode()
    except UnicodeEncodeError:
        return None
    return value


def display_text(value: str) -> str:
    """A name or word as it came, cut to 10,000 characters; halves of surrogate pairs become the replacement mark."""
    cut = value[:_NAME_CHARACTERS]
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in cut)


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Reads fields of one kind of record; ``what`` names the kind in errors."""

    what: str
    mapping_version: str

    def required_identifier(self, record: object, candidates: Sequence[str]) -> str:
        """The record's id. Raises SchemaUnknown when it is missing, null, empty, or neither text nor integer."""
        key, value = find(record, candidates)
        found = identifier(value)
        if found is None:
            problem = f"{key} is {type_name(value)}, which is no id" if key else f"none of {', '.join(candidates)}"
            raise schema_unknown(f"a record of {self.what} has no id ({problem})", record, self.mapping_version)
        return found

    def text(self, record: object, candidates: Sequence[str], *, required: bool) -> str:
        """A text; "" for null or, unless ``required``, for a missing field. Raises SchemaUnknown for another type."""
        key, value = find(record, candidates)
        if isinstance(value, str):
            return display_text(value)
        if value is None or (value is MISSING and not required):
            return ""
        problem = f"{key} is {type_name(value)}" if key else f"none of {', '.join(candidates)}"
        raise schema_unknown(f"a record of {self.what} has no text ({problem})", record, self.mapping_version)


def read_seats(
    record: object, candidates: Sequence[str], *, basis: Basis, source: str, reference: str, label: str = ""
) -> SourceCount:
    """What a record says of seats under any of the candidates, the first one in front.

    Missing and null say nothing. Anything but a whole number from 0 to ten million is a problem, never a zero. Two
    candidates with different numbers are kept as evidence; the combination tells that they disagree.
    """
    evidence: list[Evidence] = []
    for candidate in candidates:
        key, value = find(record, (candidate,))
        if not key or value is None:
            continue
        try:
            number = seats(value, field_name=key)
        except InputInvalid as error:
            return SourceCount(basis, tuple(evidence), problem=f"{source} of {reference}: {error.message}")
        evidence.append(Evidence(source + label, key, reference, number))
    return SourceCount(basis, tuple(evidence))
