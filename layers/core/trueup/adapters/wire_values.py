"""What every PSA's records are read with: text, numbers and days from outside, and errors that name a field.

Small models of one's own are written with these; only the fields that are used, unknown ones ignored. A record that
lacks a required field or carries another type raises SchemaUnknown with the field's name and never its value. Must not:
know a vendor or make a call.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from trueup.domain.errors import SchemaUnknown

TEXT_CHARACTERS_MAXIMUM: Final = 2_000
"""The longest field in use of any PSA has 156 characters; what is longer than this is cut."""

NUMBER_MAXIMUM: Final = Decimal(10) ** 12
"""No quantity and no price is this large: a larger number is a fault of the sender."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_PROBLEMS_NAMED = 5


def outside_text(value: object) -> str:
    """Text as sent, except NUL and lone surrogates, which no store or terminal can carry, and what is over-long."""
    if not isinstance(value, str):
        raise ValueError("not a text")
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)[:TEXT_CHARACTERS_MAXIMUM]


def outside_number(value: object) -> Decimal:
    """A JSON number. Replies are parsed with Decimal for fractions, so a float never arises."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("not a number")
    number = Decimal(value)
    if not number.is_finite() or abs(number) > NUMBER_MAXIMUM:
        raise ValueError("not a number of a sensible size")
    return number


def _optional_text(value: object) -> str:
    return "" if value is None else outside_text(value)


def _optional_number(value: object) -> Decimal | None:
    return None if value is None else outside_number(value)


def informational_day(value: object) -> date | None:
    """A day that is only shown: text that is none counts as not said, instead of failing the read of everything
    else.
    """
    if isinstance(value, str) and _ISO_DAY.match(value):
        try:
            return date.fromisoformat(value[:10])
        except ValueError:
            return None
    return None


Text = Annotated[str, BeforeValidator(outside_text)]
OptionalText = Annotated[str, BeforeValidator(_optional_text)]
Number = Annotated[Decimal, BeforeValidator(outside_number)]
OptionalNumber = Annotated[Decimal | None, BeforeValidator(_optional_number)]
InformationalDay = Annotated[date | None, BeforeValidator(informational_day)]


class WireModel(BaseModel):
    """A record as a vendor sends it. Its errors never show what came."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


def parse_record[Record: BaseModel](
    kind: type[Record], document: object, *, vendor: str, source: str, integration: str
) -> Record:
    """One record. ``vendor`` and ``source`` name whose call it was. Raises SchemaUnknown with field names and kinds
    only.
    """
    if not isinstance(document, Mapping):
        raise SchemaUnknown(
            f"{vendor} {source}: a record is {kind_of(document)} where an object is due", integration=integration
        )
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {_problem(problem['type'], problem['msg'])}"
            for problem in error.errors(include_url=False, include_context=False, include_input=False)[:_PROBLEMS_NAMED]
        )
    raise SchemaUnknown(f"{vendor} {source}: {problems}", integration=integration)


def parse_records[Record: BaseModel](
    kind: type[Record], document: object, *, vendor: str, source: str, integration: str
) -> list[Record]:
    """A list of records, each validated; a list with one bad record is no list. Raises SchemaUnknown."""
    if not isinstance(document, list):
        raise SchemaUnknown(f"{vendor} {source}: {kind_of(document)} where a list is due", integration=integration)
    return [parse_record(kind, record, vendor=vendor, source=source, integration=integration) for record in document]


def _problem(kind: str, message: str) -> str:
    # The messages of the checks above and of pydantic name what is due, not what came.
    return "required and not there" if kind == "missing" else message.removeprefix("Value error, ")


def kind_of(document: object) -> str:
    """What came in place of what was due, in words and without its values."""
    if isinstance(document, Mapping):
        names = ", ".join(sorted(outside_text(str(name))[:40] for name in document)[:8])
        return f"an object with the keys [{names}]"
    return {type(None): "null", str: "a text", list: "a list", bool: "a boolean"}.get(type(document), "a number")
