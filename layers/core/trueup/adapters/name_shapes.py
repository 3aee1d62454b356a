"""A name as it is compared, and in plain words how two of them are alike.

Every reason must be true of the two names by itself: a person decides on it. Nothing here ranks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rapidfuzz.distance import DamerauLevenshtein, Levenshtein

from trueup.domain.matching import Named
from trueup.domain.names import FoldedName, display_key, name_warnings, printable

BEGINNING_LETTERS_MINIMUM: Final = 6
"""A name of fewer letters begins too many others for that to say anything."""

_INITIALS_MINIMUM: Final = 3
_LETTERS_APART_MAXIMUM: Final = 2
_CONNECTIVES: Final = frozenset({"and", "the", "of", "for", "de", "van", "der", "und", "et", "la"})
_LEFT_OUT_OF_INITIALS: Final[tuple[frozenset[str], ...]] = (frozenset(), frozenset({"the"}), _CONNECTIVES)


@dataclass(frozen=True, slots=True)
class NameShape:
    """One name as it is compared. All text is what a reader sees, so that a disguised name finds its original.

    ``text`` has no legal form, ``text_with_form`` has it in its short spelling, ``closed_up`` is that without spaces.
    ``initials`` holds the first letters of all words, of all but articles, and of all but connectives, where these are
    three letters or more.
    """

    words: tuple[str, ...]
    text: str
    text_with_form: str
    closed_up: str
    form: str | None
    form_as_written: str
    initials: tuple[str, ...]


def shape_of(folded: FoldedName) -> NameShape:
    """The shape of a folded name."""
    words = tuple(folded.lookalike.split())
    text_with_form = f"{folded.lookalike} {(folded.form or '').casefold()}".strip()
    letters = ("".join(word[0] for word in words if word not in left_out) for left_out in _LEFT_OUT_OF_INITIALS)
    return NameShape(
        words=words,
        text=folded.lookalike,
        text_with_form=text_with_form,
        closed_up=text_with_form.replace(" ", ""),
        form=folded.form,
        form_as_written=folded.form_as_written,
        initials=tuple(sorted({initials for initials in letters if len(initials) >= _INITIALS_MINIMUM})),
    )


def are_initials(one: NameShape, other: NameShape) -> bool:
    """Whether a word of one name is the initials of the other."""
    return _initials_word(one, other) is not None or _initials_word(other, one) is not None


def begins_the_other(one: NameShape, other: NameShape) -> bool:
    """Whether the shorter name, closed up, is the beginning of the longer."""
    short, long = sorted((one.closed_up, other.closed_up), key=len)
    return len(short) >= BEGINNING_LETTERS_MINIMUM and long.startswith(short)


@dataclass(frozen=True, slots=True)
class WordRarity:
    """How many names on both sides hold a word, of how many names in all."""

    names_with: Callable[[str], int]
    names_total: int

    def is_rare(self, word: str) -> bool:
        """Rare: in at most one name of 500; in a short list in three names, so that a word with its copy is rare."""
        return self.names_with(word) <= max(3, self.names_total // 500)


def reasons_for(vendor: Named, psa: Named, one: NameShape, other: NameShape, rarity: WordRarity) -> tuple[str, ...]:
    """Why the PSA account may be the vendor's, most telling first; always at least one reason."""
    reasons = [_likeness_of_whole(one, other), *_initials_reasons(one, other)]
    if not any(reasons):
        reasons += [
            *_letter_reasons(one, other),
            _beginning_reason(one, other),
            _shared_words_reason(vendor, one, other, rarity),
        ]
    if one.form and other.form and one.form != other.form:
        reasons.append(f"but the legal forms differ: “{one.form_as_written}” and “{other.form_as_written}”")
    kept = [reason for reason in reasons if reason] or ["spelled alike"]
    for side, name in (("vendor's", vendor.name), ("PSA's", psa.name)):
        kept += [f"careful: the {side} name {warning}" for warning in name_warnings(name)]
    return tuple(kept)


def _likeness_of_whole(one: NameShape, other: NameShape) -> str:
    if one.text == other.text:
        if one.form == other.form:
            return "the same words"
        if one.form and other.form:
            return "the same words before the legal form"
        return f"the same words after dropping “{one.form_as_written or other.form_as_written}”"
    if sorted(one.words) == sorted(other.words):
        return "the same words in another order"
    if one.text.replace(" ", "") == other.text.replace(" ", ""):
        return "the same letters, spaced differently"
    return ""


def _initials_word(short: NameShape, long: NameShape) -> str | None:
    return next((word for word in short.words if word in long.initials), None)


def _initials_reasons(one: NameShape, other: NameShape) -> list[str]:
    found = ((_initials_word(short, long), long) for short, long in ((one, other), (other, one)))
    return [f"“{printable(word)}” are the initials of “{printable(long.text)}”" for word, long in found if word]


def _letter_reasons(one: NameShape, other: NameShape) -> list[str]:
    """Words of one name that are words of the other but for a letter or two."""
    theirs = [word for word in other.words if word not in one.words]
    reasons: list[str] = []
    for mine in (word for word in one.words if word not in other.words):
        apart = {word: _letters_apart(mine, word) for word in theirs}
        nearest = min(theirs, key=lambda word: (apart[word], word), default=None)
        if nearest is not None and apart[nearest] <= _LETTERS_APART_MAXIMUM:
            theirs.remove(nearest)
            reasons.append(f"{_difference_in_letters(mine, nearest)}: “{printable(mine)}” and “{printable(nearest)}”")
    return reasons[:2]


def _letters_apart(one: str, other: str) -> int:
    """Letters to change, add, drop or swap; short words may differ in one letter only, or all would be alike."""
    allowed = _LETTERS_APART_MAXIMUM if min(len(one), len(other)) >= 6 else 1 if min(len(one), len(other)) >= 3 else 0
    apart = DamerauLevenshtein.distance(one, other, score_cutoff=allowed)
    return apart if apart <= allowed else _LETTERS_APART_MAXIMUM + 1


def _difference_in_letters(one: str, other: str) -> str:
    if DamerauLevenshtein.distance(one, other) > 1:
        return "differs in two letters"
    return "differs in one letter" if Levenshtein.distance(one, other) == 1 else "has two letters swapped"


def _beginning_reason(one: NameShape, other: NameShape) -> str:
    if not begins_the_other(one, other):
        return ""
    short, long = sorted((one.text_with_form, other.text_with_form), key=len)
    return f"“{printable(long)}” begins with “{printable(short)}”"


def _shared_words_reason(vendor: Named, one: NameShape, other: NameShape, rarity: WordRarity) -> str:
    shared = [word for word in one.words if word in other.words and word not in _CONNECTIVES]
    rare = [word for word in shared if rarity.is_rare(word)]
    if not shared:
        return ""
    listed = " and ".join(f"“{_as_written(word, vendor.name)}”" for word in dict.fromkeys((rare or shared)[:3]))
    kind = "rare word" if rare else "common word"
    plural = "s" if len((rare or shared)[:3]) > 1 else ""
    counts = f" (in {rarity.names_with(rare[0])} of {rarity.names_total} names)" if len(rare) == 1 else ""
    return f"shares the {kind}{plural} {listed}{counts}"


def _as_written(word: str, name: str) -> str:
    """The word as the name writes it, where that can be told; the folded word otherwise."""
    return next(
        (printable(part.strip(".,;:()")) for part in name.split() if display_key(part) == word), printable(word)
    )
