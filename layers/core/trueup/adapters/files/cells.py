"""What a cell of an exported file means: strict, because a number that is read in the wrong way is billed.

``1,234`` and ``1.234`` can be read in two ways. They are taken only where another cell of the column shows which of the
two marks is the decimal one. Must not: turn an empty or unreadable cell into a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from trueup.domain.counts import SEATS_MAXIMUM

ID_CHARACTERS_MAXIMUM: Final = 256
NAME_CHARACTERS_MAXIMUM: Final = 10_000
DIGITS_MAXIMUM: Final = 15

_SEATS = re.compile(r"[0-9]{1,8}", re.ASCII)
_PLAIN = re.compile(r"[0-9]+", re.ASCII)
_GROUPED = {
    ".": re.compile(r"[0-9]{1,3}(,[0-9]{3})*(\.[0-9]+)?", re.ASCII),
    ",": re.compile(r"[0-9]{1,3}(\.[0-9]{3})*(,[0-9]+)?", re.ASCII),
}
_UNGROUPED = {".": re.compile(r"[0-9]+\.[0-9]+", re.ASCII), ",": re.compile(r"[0-9]+,[0-9]+", re.ASCII)}
_MONEY = re.compile(r"(?P<sign>-?)(?P<before>[^0-9.,\-]*)(?P<inner>-?)(?P<number>[0-9][0-9.,]*)(?P<after>[^0-9.,\-]*)")
_CODE = re.compile(r"[A-Za-z]{3}", re.ASCII)
_DOLLARS = frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD"})
_SIGNS: Final = {
    "$": _DOLLARS,
    "US$": frozenset({"USD"}),
    "A$": frozenset({"AUD"}),
    "AU$": frozenset({"AUD"}),
    "C$": frozenset({"CAD"}),
    "CA$": frozenset({"CAD"}),
    "NZ$": frozenset({"NZD"}),
    "€": frozenset({"EUR"}),
    "£": frozenset({"GBP"}),
}
_DAY_SHAPES = (
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII), "%Y-%m-%d"),
    (re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}", re.ASCII), "%d.%m.%Y"),
    (re.compile(r"[0-9]{1,2}[- ][A-Za-z]{3}[- ][0-9]{4}", re.ASCII), "%d %b %Y"),
)
_MIDNIGHT = re.compile(r"(?<=[0-9])[T ]00:00(:00(\.0+)?)?Z?$", re.ASCII)


class BadCell(Exception):
    """``args[0]`` says what is wrong, in words that follow the name of the column."""


def name_of(text: str) -> str:
    """A name as it came, cut where no name goes on; what cannot be shown is escaped where it is shown."""
    return text[:NAME_CHARACTERS_MAXIMUM]


def id_of(text: str) -> str:
    """An opaque id, exact. Raises BadCell."""
    if len(text) > ID_CHARACTERS_MAXIMUM:
        raise BadCell(f"is longer than {ID_CHARACTERS_MAXIMUM} characters")
    if not text.isprintable():
        raise BadCell("holds characters that cannot be seen")
    return text


def seats_of(text: str) -> int:
    """A whole number of seats in digits. Raises BadCell."""
    if not _SEATS.fullmatch(text) or int(text) > SEATS_MAXIMUM:
        raise BadCell("is not a whole number written in digits")
    return int(text)


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """The decimal mark of one column; ``mark`` is empty where no cell shows it."""

    mark: str

    @classmethod
    def of(cls, cells: Iterable[str]) -> NumberStyle:
        """What the cells show. Cells that show both marks leave none."""
        shown = {mark for cell in cells for mark in [_mark_shown(cell)] if mark}
        return cls(shown.pop() if len(shown) == 1 else "")

    def decimal(self, text: str) -> Decimal:
        """The number. Raises BadCell."""
        if _PLAIN.fullmatch(text):
            return _number(text)
        marks = [self.mark] if self.mark else [mark for mark in [_mark_shown(text)] if mark]
        for mark in marks:
            if _GROUPED[mark].fullmatch(text) or _UNGROUPED[mark].fullmatch(text):
                return _number(text.replace("." if mark == "," else ",", "").replace(",", "."))
        if self.mark or not re.fullmatch(r"[0-9]+[.,][0-9]+", text):
            raise BadCell("is not a number")
        raise BadCell("can be read in two ways: write it with a decimal point and two decimals, or with none")


def _mark_shown(text: str) -> str:
    """The decimal mark that a number shows beyond doubt: the later of two, or one that no group could follow."""
    number = _number_in(text)
    if "." in number and "," in number:
        return max(".,", key=number.rfind)
    for mark in ".,":
        if number.count(mark) == 1:
            whole, _, rest = number.partition(mark)
            if whole and rest and (len(rest) != 3 or len(whole) > 3 or whole.startswith("0")):
                return mark
    return ""


def _number_in(text: str) -> str:
    found = _MONEY.fullmatch(text)
    return found["number"] if found else ""


def _number(text: str) -> Decimal:
    if len(text) > DIGITS_MAXIMUM:
        raise BadCell("has more digits than any amount has")
    return Decimal(text)


def quantity_of(text: str, style: NumberStyle) -> Decimal:
    """A quantity, which a credit line may have below zero. Raises BadCell."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    number = style.decimal(digits)
    return -number if sign else number


@dataclass(frozen=True, slots=True)
class Price:
    """An amount; ``currencies`` are those its sign or code allows, None where it shows neither."""

    amount: Decimal
    currencies: frozenset[str] | None


def price_of(text: str, style: NumberStyle) -> Price:
    """An amount with or without a sign or code of its currency. Raises BadCell."""
    found = _MONEY.fullmatch(text)
    if found is None or (found["sign"] and found["inner"]):
        raise BadCell("is not an amount")
    words = [word for word in (found["before"].strip(), found["after"].strip()) if word]
    allowed: frozenset[str] | None = None
    for word in words:
        meant = _SIGNS.get(word.upper(), frozenset({word.upper()}) if _CODE.fullmatch(word) else None)
        if meant is None:
            raise BadCell("is not an amount")
        allowed = meant if allowed is None else allowed & meant
        if not allowed:
            raise BadCell("names two currencies")
    amount = style.decimal(found["number"])
    return Price(-amount if found["sign"] or found["inner"] else amount, allowed)


def currency_of(text: str) -> str:
    """A currency's three letters. Raises BadCell."""
    if not _CODE.fullmatch(text):
        raise BadCell("is not a currency of three letters, such as USD")
    return text.upper()


def currency_meant(price: Price | None, told: str | None, home: str) -> str | None:
    """The currency of an amount: what its column tells, else what its sign says; a bare dollar sign is the MSP's own
    dollar. None where nothing tells. Raises BadCell where the two contradict each other.
    """
    allowed = price.currencies if price is not None else None
    if told is not None:
        if allowed is not None and told not in allowed:
            raise BadCell(f"is in {' or '.join(sorted(allowed))}, and the currency of the row is {told}")
        return told
    if allowed is None:
        return None
    if len(allowed) == 1:
        return next(iter(allowed))
    if home not in allowed:
        raise BadCell("has a dollar sign, which does not say whose; add a column for the currency")
    return home


def day_of(text: str) -> date:
    """A day written so that it can be read in one way. Raises BadCell."""
    cut = _MIDNIGHT.sub("", text)
    for shape, form in _DAY_SHAPES:
        if shape.fullmatch(cut):
            try:
                # A calendar day has no zone; none is made up by reading it.
                return datetime.strptime(cut.replace("-", " ") if "%b" in form else cut, form).date()  # noqa: DTZ007
            except ValueError:
                break
    raise BadCell("is not a day that can be read in one way; write it as 2026-09-30")
