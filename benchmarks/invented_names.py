"""Invents company names in pairs, as the vendor and as the PSA has them, with the true partner known by number.

Surnames are made of syllables and used unevenly, trades and towns are few and common, legal forms are spelled in many
ways, and the PSA's copy differs from the vendor's as hand-kept lists do. Seeded: one size gives the same names always.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


ONSETS = _listed("b,br,c,ch,cl,d,dr,f,fr,g,gr,h,j,k,kl,l,m,n,p,pr,qu,r,s,sch,sh,st,t,tr,v,w,z,zw")
NUCLEI = _listed("a,e,i,o,u,ae,ai,ea,ee,ie,oo,ou,y,é,ö,ü")
NUCLEUS_WEIGHTS = (18, 18, 16, 14, 10, 2, 4, 4, 4, 4, 4, 4, 3, 1, 1, 1)
CODAS = ["", "", "", "ck", "ff", "ld", "ll", "m", "mann", "n", "nd", "ng", "r", "rd", "rt", "s", "sch", "son", "ston"]
TRADES = _listed(
    "Accountants,Architects,Auto Repair,Bakery,Builders,Capital,Care Homes,Catering,Chemicals,Clinic,Construction,"
    "Consulting,Dental,Dental Practice,Design,Distribution,Electrical,Energy,Engineering,Estates,Farms,Finance,Fitness,"
    "Foods,Foundation,Furniture,Garage,Glass,Haulage,Hotels,Housing,Insurance,Interiors,IT Services,Joinery,Kitchens,"
    "Labs,Landscapes,Law,Legal,Logistics,Machinery,Marine,Marketing,Media,Medical Centre,Metals,Motors,Packaging,"
    "Partners,Pharmacy,Physiotherapy,Plastics,Plumbing,Primary School,Printing,Properties,Recruitment,Roofing,"
    "Security,Solicitors,Surveyors,Systems,Textiles,Timber,Tools,Trading,Transport,Travel,Vets,Water,Wealth,Wines"
)
ADJECTIVES = _listed("Advanced,Atlantic,Blue,Bright,Central,City,Coastal,First,Global,Golden,Green,North,Northern,Oak")
NOUNS = _listed("Anchor,Arrow,Bridge,Crown,Eagle,Field,Forest,Gate,Harbour,Hill,Lion,Path,Peak,River,Stone,Tower")
TOWNS = _listed("Alderby,Brackwell,Corham,Denford,Elmsted,Farleigh,Garsby,Holmwick,Ixworth,Kelby,Lowick,Marsden Vale")
FORMS: tuple[tuple[str, ...], ...] = (
    ("Ltd", "Limited", "Ltd.", "LTD"),
    ("Inc", "Inc.", ", Inc.", "Incorporated"),
    ("LLC", ", LLC", "L.L.C."),
    ("LLP", "L.L.P."),
    ("PLC", "plc"),
    ("GmbH", "G.m.b.H."),
    ("B.V.", "BV", "B. V."),
    ("Pty Ltd", "Pty Limited", "(Pty) Ltd"),
    ("Corp", "Corporation", "Corp."),
)
FORM_WEIGHTS = (30, 20, 20, 4, 3, 5, 6, 6, 6)


@dataclass(frozen=True, slots=True)
class InventedCompany:
    """One true company: its name at the vendor and in the PSA, and how the second came from the first."""

    number: int
    vendor_name: str
    psa_name: str
    difference: str


class NameInventor:
    """Makes companies one by one. ``surnames`` is the size of the pool; a smaller pool means more shared words."""

    def __init__(self, seed: int, surnames: int) -> None:
        self.random = random.Random(seed)
        self.surnames = [self._new_surname() for _ in range(surnames)]

    def _new_surname(self) -> str:
        choose = self.random
        syllables = [
            choose.choice(ONSETS) + choose.choices(NUCLEI, NUCLEUS_WEIGHTS)[0]
            for _ in range(choose.choice((1, 2, 2, 2, 3)))
        ]
        return ("".join(syllables) + choose.choice(CODAS)).capitalize()

    def surname(self) -> str:
        """A surname of the pool; early ones come more often, as real surnames do."""
        return self.surnames[int(len(self.surnames) * self.random.random() ** 1.5)]

    def base(self) -> str:
        """A name without its legal form."""
        one, other, trade = self.surname(), self.surname(), self.random.choice(TRADES)
        adjective, noun, town = (self.random.choice(words) for words in (ADJECTIVES, NOUNS, TOWNS))
        initials = "".join(self.random.choices("ABCDEFGHJKLMNPRSTVW", k=3))
        patterns: tuple[tuple[int, str], ...] = (
            (30, f"{one} {trade}"),
            (10, f"{one} & {other}"),
            (8, f"{one} {other} {trade}"),
            (7, f"{one}-{other} {trade}"),
            (6, f"{one}, {other} and {self.surname()}"),
            (6, f"{one} & Sons"),
            (8, f"{one} Group"),
            (4, f"{one} {trade} Services"),
            (5, f"{adjective} {noun} {town} {trade}"),
            (5, f"{town} {one} {trade}"),
            (4, f"{initials} {one} {trade}"),
            (4, f"The {one} {noun} Company"),
            (3, f"{one} Holdings"),
        )
        return self.random.choices([name for _, name in patterns], [weight for weight, _ in patterns])[0]

    def companies(self, count: int) -> list[InventedCompany]:
        """``count`` companies; about 1 in 100 has a sister of the same words and another legal form."""
        made: list[InventedCompany] = []
        base = ""
        form: tuple[str, ...] | None = None
        for number in range(count):
            is_sister = made and self.random.random() < 0.01
            if is_sister:
                form = self.random.choice([other for other in FORMS if other != form])
            else:
                base = self.base()
                form = self.random.choices(FORMS, FORM_WEIGHTS)[0] if self.random.random() < 0.75 else None
            vendor_name = _with_form(base, self.random.choice(form) if form else "")
            difference, psa_name = self._psa_copy(base, form, vendor_name)
            made.append(InventedCompany(number, vendor_name, psa_name[:50].strip(), difference))
        return made

    def _psa_copy(self, base: str, form: tuple[str, ...] | None, vendor_name: str) -> tuple[str, str]:
        spelling = self.random.choice(form) if form else ""
        copies: tuple[tuple[int, str, Callable[[], str]], ...] = (
            (45, "identical", lambda: vendor_name),
            (12, "legal form spelled differently", lambda: _with_form(base, spelling)),
            (10, "legal form dropped or added", lambda: base if form else f"{base} Ltd"),
            (6, "capitals", lambda: vendor_name.upper()),
            (5, "punctuation", lambda: _with_form(base.replace("&", "and").replace("-", " "), spelling)),
            (8, "typing mistakes", lambda: _with_form(self._mistyped(base), spelling)),
            (3, "words dropped", lambda: " ".join(base.split()[:-1]) or base),
            (
                3,
                "words added",
                lambda: _with_form(f"{base} {self.random.choice(('(UK)', 'Europe', 'Head Office'))}", spelling),
            ),
            (2, "words in another order", lambda: " ".join(reversed(base.replace(",", "").split()))),
            (2, "words run together", lambda: base.replace(" ", "")),
            (2, "initials", lambda: _initials(base)),
            (2, "cut off", lambda: _with_form(base, spelling)[:22]),
        )
        _, difference, copy = self.random.choices(copies, [weight for weight, _, _ in copies])[0]
        return difference, copy()

    def _mistyped(self, text: str) -> str:
        for _ in range(self.random.choice((1, 1, 1, 2))):
            place = self.random.randrange(1, len(text))
            letter = self.random.choice("abcdefghijklmnopqrstuvwxyz")
            kind = self.random.randrange(4)
            if kind == 0:
                text = text[:place] + letter + text[place + 1 :]
            elif kind == 1:
                text = text[:place] + text[place + 1 :]
            elif kind == 2:
                text = text[:place] + letter + text[place:]
            else:
                text = text[: place - 1] + text[place : place + 1] + text[place - 1 : place] + text[place + 1 :]
        return text


def _initials(base: str) -> str:
    """The first letters of three words or more; a shorter name stays as it is."""
    words = [word for word in base.replace("-", " ").split() if word[0].isalpha()]
    return "".join(word[0] for word in words) if len(words) > 2 else base


def _with_form(base: str, spelling: str) -> str:
    return f"{base}{spelling}" if spelling.startswith(",") else f"{base} {spelling}".strip()


def invented_companies(count: int, seed: int = 20_240_601) -> list[InventedCompany]:
    """``count`` companies with as many surnames in the pool as half of them, so that words are shared as in life."""
    return NameInventor(seed, surnames=max(50, count // 2)).companies(count)
