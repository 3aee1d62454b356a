"""Folds a company name to what can be compared: words, a legal form, and warnings about odd characters.

One pass over at most NAME_CHARACTERS_MAXIMUM characters, with character tables in place of regular expressions, so
that no name can make it slow. Nothing depends on the machine's locale. It never decides whether two names are one
company.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from trueup.domain.legal_forms import (
    FILLER_WORDS,
    FORM_BY_SPELLING,
    LATIN_LOOKALIKES,
    LONGEST_SPELLING_WORDS,
    PLACEHOLDER_WORDS,
    WEAK_WORDS,
)

NAME_CHARACTERS_MAXIMUM: Final = 256
"""No vendor allows a longer company name; a longer one is a fault or an attack, and is never matched."""

_APOSTROPHES: Final = frozenset("'`´ʹʻʼʽˈ‘’‛′＇")
_MARKS_OF_TRADE: Final = frozenset("™®©℠")
_ASCII_WORD_SIGNS: Final = frozenset("#$%@")
_SIGNS_WITHIN_INITIALS: Final = frozenset("./-")
_BREAK: Final = "\n"
"""Stands for punctuation that parts words and also ends a run of initials: ``(U.K.), B.V.`` is ``uk bv``."""
_LETTERS_WITHOUT_DECOMPOSITION: Final = str.maketrans(
    {"ı": "i", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe", "þ": "th", "ŋ": "n"}
)
_DISGUISES: Final = frozenset({"<wide>", "<font>", "<circle>", "<square>"})
_SCRIPTS_THAT_PASS_FOR_EACH_OTHER: Final = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})
_INVISIBLE_LETTERS_AND_MARKS: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    chr(code) for code in (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)
_DIRECTION_CONTROLS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True)
class FoldedName:
    """What is left of a name to compare.

    ``words`` hold the name without its legal form; ``form`` is that form (``"Ltd"``), None when the name ends in none,
    and ``form_as_written`` its folded spelling (``"limited"``). ``lookalike`` is what the words look like to a reader;
    it differs from them when the name holds letters that pass for others or characters that cannot be seen.
    """

    words: tuple[str, ...]
    form: str | None
    form_as_written: str
    lookalike: str

    @property
    def stem(self) -> str:
        return " ".join(self.words)

    @property
    def significant_characters(self) -> int:
        """Length without spaces and without words like Group, Co or Services."""
        return sum(len(word) for word in self.words if word not in WEAK_WORDS)


def fold_name(name: str) -> FoldedName | None:
    """The name's words and legal form, or None for a name that may never match.

    None: longer than NAME_CHARACTERS_MAXIMUM; no letter or digit; nothing but a legal form (``Inc.``); nothing but
    placeholders and filler (``Test``, ``New Customer 2``). The fold: case, accents on Latin and Greek letters and white
    space go; apostrophes and full stops inside initials close up; other punctuation parts words; ``&`` is ``and``.
    Characters that cannot be seen and letters in disguise (full width, mathematical, circled) are kept as they are, so
    that such a name equals only its like.
    """
    if len(name) > NAME_CHARACTERS_MAXIMUM:
        return None
    words, form, form_as_written = _part_legal_form(name)
    if not any(character.isalnum() for word in words for character in word) or _is_placeholder(words):
        return None
    stem = " ".join(words)
    lookalike = stem if stem.isascii() and stem.isprintable() else _what_a_reader_sees(stem)
    return FoldedName(words=words, form=form, form_as_written=form_as_written, lookalike=lookalike)


def safe_key(name: str) -> str | None:
    """The folded name without its legal form; None when the name may never match.

    Two names with one key may still be two companies: ``Acme Ltd`` and ``Acme Inc`` share the key ``acme``, and only
    match_names weighs the legal forms. A key says nothing on its own.
    """
    folded = fold_name(name)
    return folded.stem if folded else None


def display_key(name: str) -> str:
    """The name for sorting and for finding it on a screen: folded, legal form kept, never empty for a non-empty
    name.
    """
    return " ".join(_words_of(name[:NAME_CHARACTERS_MAXIMUM])) or printable(name)


def printable(text: str, characters_maximum: int = 60) -> str:
    """The text for a reason or a message: characters that cannot be seen are spelled out, and length is capped."""
    cut = text[:characters_maximum]
    shown = "".join(character if character.isprintable() else f"<U+{ord(character):04X}>" for character in cut)
    return shown + "…" if len(text) > characters_maximum else shown


def _fold_ascii_character(character: str) -> str:
    if character in _ASCII_WORD_SIGNS:
        return f" {character} "
    if character.isalnum():
        return character.lower()
    if character == "&":
        return " and "
    if character == "+":
        return " plus "
    if character in _APOSTROPHES:
        return ""
    if character.isspace() or character in _SIGNS_WITHIN_INITIALS:
        return " "
    return character if unicodedata.category(character) == "Cc" else _BREAK


_ASCII_FOLD: Final = {code: _fold_ascii_character(chr(code)) for code in range(128)}


def _fold_ascii(name: str) -> str:
    return name.translate(_ASCII_FOLD)


@lru_cache(maxsize=8192)
def _is_disguised(character: str) -> bool:
    """Whether the character is a letter or digit of another shape: full width, bold mathematical, circled, raised."""
    tag = unicodedata.decomposition(character).partition(" ")[0]
    if tag in _DISGUISES:
        return unicodedata.normalize("NFKC", character).isalnum()
    return tag in {"<super>", "<sub>"} and unicodedata.category(character) == "Lm"


@lru_cache(maxsize=8192)
def _fold_character(character: str) -> str:
    """Compatibility form and case of one character; both look at one character at a time, so the order is safe."""
    if character in _MARKS_OF_TRADE or character in _APOSTROPHES:
        return ""
    if _is_disguised(character) or character in _INVISIBLE_LETTERS_AND_MARKS:
        return character.casefold()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold())


def _fold_characters(name: str) -> str:
    """Fold any text. Accents fall off Latin and Greek letters only: elsewhere a mark makes another letter."""
    decomposed = unicodedata.normalize("NFD", "".join(map(_fold_character, name)))
    kept: list[str] = []
    base = ""
    for character in decomposed:
        if not unicodedata.combining(character):
            base = character
        elif base < "\u0400" and "\u0300" <= character <= "\u036f":
            continue
        kept.append(character)
    composed = unicodedata.normalize("NFC", "".join(kept)).translate(_LETTERS_WITHOUT_DECOMPOSITION)
    return "".join(map(_fold_sign, composed))


@lru_cache(maxsize=8192)
def _fold_sign(character: str) -> str:
    if character.isascii():
        return _ASCII_FOLD[ord(character)]
    category = unicodedata.category(character)
    if character.isspace() or category[0] == "Z" or category == "Pd":
        return " "
    if category[0] == "P" or category == "Sk":
        return _BREAK
    return f" {character} " if category[0] == "S" else character


def _words_of(text: str) -> list[str]:
    """Fold and part into words. Runs of single letters close up (``B. V.`` is ``bv``); digits stay apart."""
    folded = _fold_ascii(text) if text.isascii() else _fold_characters(text)
    words: list[str] = []
    for part in folded.split(_BREAK):
        run_is_open = False
        for word in part.split():
            is_initial = len(word) == 1 and word.isalpha()
            if is_initial and run_is_open:
                words[-1] += word
            else:
                words.append(word)
            run_is_open = is_initial
    return words


def _part_legal_form(name: str) -> tuple[tuple[str, ...], str | None, str]:
    """Words without the legal form, the form, its spelling. ``Acme Ltd (UK)`` is read as ``Acme (UK) Ltd``."""
    words, form, spelling = _strip_form(_words_of(name))
    opening = name.rfind("(")
    if form is None and opening >= 0 and name.rstrip().endswith(")"):
        head, form, spelling = _strip_form(_words_of(name[:opening]))
        if form is not None:
            words = (*head, *_words_of(name[opening:]))
    return words, form, spelling


def _strip_form(words: list[str]) -> tuple[tuple[str, ...], str | None, str]:
    for count in range(min(LONGEST_SPELLING_WORDS, len(words)), 0, -1):
        spelling = " ".join(words[-count:])
        form = FORM_BY_SPELLING.get(spelling)
        if form is not None:
            return tuple(words[:-count]), form, spelling
    return tuple(words), None, ""


def _is_placeholder(words: tuple[str, ...]) -> bool:
    """Whether every word is a placeholder, a filler or a number, and the words are not numbers alone."""
    bare = [word.rstrip("0123456789") for word in words]
    return any(bare) and all(not word or word in PLACEHOLDER_WORDS or word in FILLER_WORDS for word in bare)


def _what_a_reader_sees(stem: str) -> str:
    seen = "".join(
        unicodedata.normalize("NFKC", character) if _is_disguised(character) else character
        for character in stem
        if not _is_invisible(character)
    )
    return seen.casefold().translate(LATIN_LOOKALIKES)


@lru_cache(maxsize=8192)
def _is_invisible(character: str) -> bool:
    return character in _INVISIBLE_LETTERS_AND_MARKS or unicodedata.category(character) in {"Cf", "Cc"}


def _script(character: str) -> str:
    """The script by the character's Unicode name (``CYRILLIC SMALL LETTER A``); empty for what is not a letter."""
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""


def name_warnings(name: str) -> tuple[str, ...]:
    """What is odd about a name's characters, in plain words, for a person to see. Never used to call names equal."""
    warnings: list[str] = []
    if len(name) > NAME_CHARACTERS_MAXIMUM:
        warnings.append(f"is {len(name)} characters long; only the first {NAME_CHARACTERS_MAXIMUM} were looked at")
    cut = name[:NAME_CHARACTERS_MAXIMUM]
    if cut.isascii() and cut.isprintable():
        return tuple(warnings)
    characters = sorted(set(cut))
    findings = (
        ("changes the direction of the text", [c for c in characters if c in _DIRECTION_CONTROLS]),
        (
            "holds characters that cannot be seen",
            [
                c
                for c in characters
                if _is_invisible(c) and c not in _DIRECTION_CONTROLS and unicodedata.category(c) != "Cc"
            ],
        ),
        ("holds control characters", [c for c in characters if unicodedata.category(c) == "Cc"]),
        (
            "holds code points that are no characters",
            [c for c in characters if unicodedata.category(c) in {"Cs", "Cn", "Co"}],
        ),
        ("holds full-width or ornamental letters", [c for c in characters if _is_disguised(c)]),
    )
    warnings += [f"{finding} ({_code_points(found)})" for finding, found in findings if found]
    return (*warnings, *_script_warnings(cut))


def _code_points(characters: list[str]) -> str:
    shown = ", ".join(f"U+{ord(character):04X}" for character in characters[:5])
    return shown + ", …" if len(characters) > 5 else shown


def _script_warnings(name: str) -> list[str]:
    warnings: list[str] = []
    for word in name.split():
        scripts = sorted({_script(character) for character in word} & _SCRIPTS_THAT_PASS_FOR_EACH_OTHER)
        if len(scripts) > 1:
            listed = " and ".join(script.title() for script in scripts)
            warnings.append(f"mixes {listed} letters in the word “{printable(word)}”")
        elif scripts and scripts != ["LATIN"]:
            seen = word.casefold().translate(LATIN_LOOKALIKES)
            if seen.isascii():
                warnings.append(
                    f"has the word “{printable(word)}” in {scripts[0].title()} letters that look like Latin ones"
                )
    return warnings
