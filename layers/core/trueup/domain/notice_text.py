"""A notice as plain text: for e-mail and tickets, and the pieces that every medium needs.

Method: whatever came from outside becomes one line without control characters, direction marks or more length than the
medium takes; only this file's own line ends remain. Must not: escape for a markup; the adapter of that medium does.
"""

from __future__ import annotations

import unicodedata

from trueup.domain.canonical import sha256
from trueup.domain.notices import Letterhead, Notice, NoticeLink

LINES_MAXIMUM = 40
LINE_CHARACTERS_MAXIMUM = 400
CUT = "..."

_BANNED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn"})
_JOINERS = frozenset({"\u200c", "\u200d"})
"""Format characters that words of some scripts are spelled with."""


def one_line(text: str, maximum_characters: int = LINE_CHARACTERS_MAXIMUM) -> str:
    """``text`` as one line of printable characters, cut with dots.

    Line ends and tabs become spaces; control characters, marks that turn the direction of writing, and half characters
    are left out, for they can make a message say what it does not.
    """
    spaced = "".join(" " if character in "\r\n\t\x0b\x0c\x85\u2028\u2029" else character for character in text)
    kept = "".join(
        character
        for character in spaced
        if character in _JOINERS or unicodedata.category(character) not in _BANNED_CATEGORIES
    )
    shown = " ".join(kept.split(" ")).strip()
    return shown if len(shown) <= maximum_characters else shown[: maximum_characters - len(CUT)].rstrip() + CUT


def subject_line(notice: Notice, letterhead: Letterhead, maximum_characters: int) -> str:
    """``Trueup TENANT: what it is about`` on one line."""
    return one_line(f"Trueup {letterhead.tenant}: {notice.subject}", maximum_characters)


def ascii_line(text: str, maximum_characters: int) -> str:
    """One line of printable ASCII, for media that take no other: accents are dropped, what remains becomes ``?``."""
    plain = unicodedata.normalize("NFKD", one_line(text, maximum_characters * 4))
    letters = (character for character in plain if not unicodedata.combining(character))
    return one_line("".join(letter if " " <= letter <= "~" else "?" for letter in letters), maximum_characters)


def body_lines(notice: Notice) -> tuple[str, ...]:
    """The body, one printable line each; what is too much is left out, and the last line says how much that is."""
    shown = [one_line(line.words) for line in notice.lines[:LINES_MAXIMUM]]
    left_out = len(notice.lines) - LINES_MAXIMUM
    if left_out > 0:
        shown.append(f"{left_out} more lines are in Trueup.")
    return tuple(shown)


def links_of(notice: Notice, letterhead: Letterhead) -> tuple[tuple[NoticeLink, str], ...]:
    """Each link with its whole address; none where the portal's address is not known."""
    found = ((link, letterhead.address(link)) for link in notice.links)
    return tuple((link, address) for link, address in found if address)


def plain_text(notice: Notice, letterhead: Letterhead, *, maximum_characters: int) -> str:
    """The whole message for e-mail and tickets, cut between two lines where the medium takes no more."""
    lines = [one_line(notice.subject), "", *body_lines(notice)]
    links = links_of(notice, letterhead)
    if links:
        lines += ["", *(f"{one_line(link.label)}: {address}" for link, address in links)]
    lines += ["", f"{notice.kind.words}, {notice.period}, {one_line(letterhead.tenant)}"]
    text = "\n".join(lines)
    while len(text) > maximum_characters and len(lines) > 1:
        lines = [*lines[:-2], CUT] if lines[-1] == CUT else [*lines[:-1], CUT]
        text = "\n".join(lines)
    return text[:maximum_characters]


def marker(notice: Notice, letterhead: Letterhead) -> str:
    """A short text that only this notice of this tenant has, by which a ticket is found again: ``trueup-`` and 16 hex
    digits. It is made of letters, digits and a hyphen, so that no search reads it as anything else."""
    return f"trueup-{sha256([letterhead.tenant, notice.key])[:16]}"
