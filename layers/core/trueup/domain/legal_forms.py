"""The words that name matching knows: legal forms, placeholder names, words of little weight, lookalike letters.

Data only, in the folded spelling that trueup.domain.names produces (lower case, no accents, ``&`` as ``and``, dotted
letters joined: ``B.V.`` is ``bv``). Only spellings that are hardly ever an ordinary word belong here. A word that is
not here stays part of the name, which costs a match at worst; a word that is here wrongly could make one.
"""

from __future__ import annotations

from typing import Final


def _words(spaced: str) -> frozenset[str]:
    return frozenset(spaced.split())


_SPELLINGS_BY_FORM: Final[dict[str, tuple[str, ...]]] = {
    # Britain, Ireland, Commonwealth
    "Ltd": ("ltd", "limited"),
    "PLC": ("plc", "public limited company"),
    "LLP": ("llp", "limited liability partnership"),
    "LP": ("lp", "limited partnership"),
    "CIC": ("cic", "community interest company"),
    "DAC": ("dac", "designated activity company"),
    "Pty Ltd": ("pty", "pty ltd", "pty limited", "proprietary ltd", "proprietary limited"),
    "Pvt Ltd": ("pvt ltd", "pvt limited", "private ltd", "private limited", "p ltd", "p limited"),
    "Pte Ltd": ("pte", "pte ltd", "pte limited"),
    "Sdn Bhd": ("sdn bhd", "sendirian berhad"),
    "Bhd": ("bhd", "berhad"),
    "ULC": ("ulc", "unlimited liability company"),
    # United States, Canada
    "LLC": ("llc", "limited liability company", "limited liability co"),
    "PLLC": ("pllc", "professional limited liability company"),
    "LLLP": ("lllp", "limited liability limited partnership"),
    "Inc": ("inc", "incorporated"),
    "Corp": ("corp", "corporation"),
    "Ltee": ("ltee", "limitee"),
    # Germany, Austria, Switzerland
    "GmbH": ("gmbh", "gesellschaft mit beschrankter haftung"),
    "gGmbH": ("ggmbh",),
    "GmbH & Co. KG": ("gmbh and co kg", "gmbh co kg", "gmbh and cokg"),
    "UG": ("ug", "ug haftungsbeschrankt", "unternehmergesellschaft haftungsbeschrankt"),
    "AG": ("ag", "aktiengesellschaft"),
    "KG": ("kg", "kommanditgesellschaft"),
    "KGaA": ("kgaa",),
    "OHG": ("ohg",),
    # Netherlands, Belgium, France, Spain, Italy, Portugal, Latin America
    "BV": ("bv", "besloten vennootschap"),
    "NV": ("nv", "naamloze vennootschap"),
    "VOF": ("vof", "vennootschap onder firma"),
    "BVBA": ("bvba",),
    "SPRL": ("sprl",),
    "SA": ("sa", "societe anonyme", "sociedad anonima"),
    "SAS": ("sas", "societe par actions simplifiee"),
    "SASU": ("sasu",),
    "SARL": ("sarl", "societe a responsabilite limitee"),
    "EURL": ("eurl",),
    "SL": ("sl", "sociedad limitada"),
    "SLU": ("slu", "sociedad limitada unipersonal"),
    "SRL": ("srl", "societa a responsabilita limitata"),
    "SRLS": ("srls",),
    "Ltda": ("ltda", "limitada"),
    "SA de CV": ("sa de cv",),
    "S de RL de CV": ("s de rl de cv",),
    # Nordic countries
    "AB": ("ab", "aktiebolag"),
    "AS": ("as", "aksjeselskap", "aktieselskab"),
    "ASA": ("asa",),
    "ApS": ("aps", "anpartsselskab"),
    "Oy": ("oy", "osakeyhtio"),
    "Oyj": ("oyj",),
    # Central Europe, Asia
    "Sp. z o.o.": ("sp zoo", "sp z oo", "spolka z ograniczona odpowiedzialnoscia"),
    "s.r.o.": ("sro", "spol sro", "spolecnost s rucenim omezenym"),
    "d.o.o.": ("doo",),
    "Kft": ("kft",),
    "Zrt": ("zrt",),
    "KK": ("kk", "kabushiki kaisha"),
}

FORM_BY_SPELLING: Final[dict[str, str]] = {
    spelling: form for form, spellings in _SPELLINGS_BY_FORM.items() for spelling in spellings
}
"""Folded spelling at the end of a name, to the legal form that it stands for. Two forms are two kinds of company."""

LONGEST_SPELLING_WORDS: Final = max(spelling.count(" ") + 1 for spelling in FORM_BY_SPELLING)

PLACEHOLDER_WORDS: Final[frozenset[str]] = _words(
    "catchall default delete deleted demo dummy duplicate example internal na none null placeholder sample temp"
    " temporary test tester testing tba tbc tbd unassigned undefined unknown unnamed untitled various"
)
"""Words that stand where a name should be. ``Catchall`` is the company that ConnectWise ships for its mail
connector.
"""

FILLER_WORDS: Final[frozenset[str]] = _words(
    "a account accounts agreement all an and any business catch client clients co companies company connector contact"
    " customer customers dba do email entry for from group here holding holdings in mail misc miscellaneous my name new"
    " no not of old only or other our record service services tenant the this to use user users xyz your"
)
"""Words that do not tell one company from another. A name made of these and placeholders alone is no name."""

WEAK_WORDS: Final[frozenset[str]] = _words("and co company group holding holdings of service services the")
"""Words that stay in the key, yet do not make a short name long enough to match on."""

LATIN_LOOKALIKES: Final[dict[int, int]] = str.maketrans(
    # Cyrillic, then Greek, in lower case; a letter is here when its small or its capital shape passes for a Latin one.
    "авсеһніјкморԛѕтуԝхԁӏ" + "αβεηικμνορτυχζ",
    "abcehhijkmopqstywxdl" + "abehikmnoptyxz",
)
"""For warnings and for doubt only: a name that looks like another is never taken to be that other."""
