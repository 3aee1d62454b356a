"""Suggests PSA accounts by likeness of names: an index of rare words and letter groups picks few, rapidfuzz ranks them.

Comparing all with all would take hours at 100,000 names a side. Here each name looks only at the accounts that share
its rarest features, and at a bounded number of them, so that time grows with the names and not with their square.
"""

from __future__ import annotations

import heapq
import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from rapidfuzz import fuzz

from trueup.adapters.name_shapes import NameShape, WordRarity, are_initials, begins_the_other, reasons_for, shape_of
from trueup.domain.matching import Named, Suggestion
from trueup.domain.names import fold_name

POSTINGS_PER_NAME_MAXIMUM: Final = 1500
"""How many index entries one name may look at, rarest feature first. Twice and four times as many found no more."""

CANDIDATES_PER_NAME_MAXIMUM: Final = 25
"""How many accounts are compared letter by letter with one name."""

SCORE_MINIMUM: Final = 50
"""Names that score lower are hardly ever one company's, and a suggestion would only distract."""

INITIALS_SCORE: Final = 75
"""What initials alone are worth: more than a chance likeness, less than nearly the same name."""

SAME_WORDS_SCORE: Final = 97
"""The same words, where only one of the names shows a legal form."""

WORD_SET_WEIGHT: Final = 0.3
"""Share of the score for words in common, however many more there are; the rest is for the spelling of the whole.

Tried from 0 to 0.5 on the benchmark's data: with less, a name with words added ranks too low; with more, ``Acme Ltd``
is drawn to ``Acme Group`` rather than to a mistyped ``Acme Ltd``.
"""

_LETTERS_PER_GRAM: Final = 3
_SHORT_NAME_LETTERS_MAXIMUM: Final = 8
_WORD_WEIGHT: Final = 3.0


class RapidNameSimilarity:
    """The NameSimilarity port. Keeps nothing between calls."""

    def suggest(
        self, vendor: Sequence[Named], psa: Sequence[Named], *, limit: int = 3
    ) -> Iterator[tuple[str, tuple[Suggestion, ...]]]:
        """Suggestions for each vendor account in the order given; see the port.

        Memory is an index of ``psa`` (a few hundred bytes a name) and a count of words; nothing is kept per suggestion.
        A name that may never match (``Test``, ``Inc.``, longer than any company name) gets none and is never suggested.
        """
        index = _Index(psa)
        rarity = _count_words(vendor, index)
        for account in vendor:
            folded = fold_name(account.name)
            yield account.id, index.best(account, shape_of(folded), rarity, limit) if folded else ()


def _count_words(vendor: Sequence[Named], index: _Index) -> WordRarity:
    counts = index.word_counts
    for account in vendor:
        folded = fold_name(account.name)
        if folded:
            counts.update(set(folded.lookalike.split()))
    return WordRarity(names_with=counts.__getitem__, names_total=len(vendor) + len(index.accounts))


def features_of(shape: NameShape) -> set[str]:
    """What the index knows a name by; kinds are told apart by the first character.

    ``=word``: a whole word. ``~abc``: letters that are a name's initials, or a short word that may be initials.
    ``abc``: three letters in a row of the name closed up, legal form included, which survive a typing mistake
    elsewhere; of short names also two letters in a row, since one mistake may spoil all groups of three.
    """
    closed_up = shape.closed_up
    features = {closed_up[start : start + _LETTERS_PER_GRAM] for start in range(len(closed_up) - _LETTERS_PER_GRAM + 1)}
    letters = shape.text.replace(" ", "")
    if len(letters) <= _SHORT_NAME_LETTERS_MAXIMUM:
        features.update(letters[start : start + 2] for start in range(len(letters) - 1))
    for word in shape.words:
        features.add("=" + word)
        if 3 <= len(word) <= 6:
            features.add("~" + word)
    features.update("~" + initials for initials in shape.initials)
    return features


class _Index:
    """The PSA accounts by feature. Postings are packed integers."""

    def __init__(self, psa: Sequence[Named]) -> None:
        folded = ((account, fold_name(account.name)) for account in psa)
        entries = [(account, shape_of(name)) for account, name in folded if name is not None]
        # Of a common feature only the first postings are looked at; a short name has the larger share of it in common.
        entries.sort(key=lambda entry: (len(entry[1].text), entry[0].id))
        self.accounts = [account for account, _ in entries]
        self.shapes = [shape for _, shape in entries]
        self.word_counts: Counter[str] = Counter()
        self.feature_counts = array("I")
        self.postings: dict[str, array[int]] = {}
        for number, shape in enumerate(self.shapes):
            features = features_of(shape)
            self.feature_counts.append(len(features))
            self.word_counts.update(set(shape.words))
            for feature in features:
                self.postings.setdefault(feature, array("I")).append(number)

    def best(self, account: Named, shape: NameShape, rarity: WordRarity, limit: int) -> tuple[Suggestion, ...]:
        """The ``limit`` most alike accounts that score enough, best first.

        Of equals the one written exactly the same comes first, then the order is by name and id.
        """
        scored = [(likeness(shape, self.shapes[number]), number) for number in self._candidates(shape)]

        def place(entry: tuple[float, int]) -> tuple[float, bool, str, str]:
            candidate = self.accounts[entry[1]]
            return -entry[0], candidate.name != account.name, candidate.name, candidate.id

        ranked = heapq.nsmallest(limit, (entry for entry in scored if entry[0] >= SCORE_MINIMUM), key=place)
        return tuple(
            Suggestion(
                psa_id=self.accounts[number].id,
                psa_name=self.accounts[number].name,
                score=round(score),
                reasons=reasons_for(account, self.accounts[number], shape, self.shapes[number], rarity),
            )
            for score, number in ranked
        )

    def _candidates(self, shape: NameShape) -> list[int]:
        """The accounts with the most rare features in common, weighed by how rare, for the size of both names."""
        known = [(feature, self.postings[feature]) for feature in features_of(shape) if feature in self.postings]
        known.sort(key=lambda entry: (len(entry[1]), entry[0]))
        budget = POSTINGS_PER_NAME_MAXIMUM
        weights: dict[int, float] = {}
        for feature, postings in known:
            weight = math.log1p(len(self.accounts) / len(postings)) * (_WORD_WEIGHT if feature[0] in "=~" else 1.0)
            for number in postings if len(postings) <= budget else postings[:budget]:
                weights[number] = weights.get(number, 0.0) + weight
            budget -= len(postings)
            if budget <= 0:
                break
        counts, own_count = self.feature_counts, len(known)
        ranked = heapq.nlargest(
            CANDIDATES_PER_NAME_MAXIMUM,
            ((weight / (own_count + counts[number]), -number) for number, weight in weights.items()),
        )
        return [-number for _, number in ranked]


def likeness(one: NameShape, other: NameShape) -> float:
    """How alike two names are, from 0 to 100."""
    if one.text == other.text and (one.form == other.form or one.form is None or other.form is None):
        return 100 if one.form == other.form else SAME_WORDS_SCORE
    spelling = max(
        fuzz.token_sort_ratio(one.text_with_form, other.text_with_form), fuzz.ratio(one.closed_up, other.closed_up)
    )
    score = (1 - WORD_SET_WEIGHT) * spelling + WORD_SET_WEIGHT * fuzz.token_set_ratio(one.text, other.text)
    if score < INITIALS_SCORE and are_initials(one, other):
        score = INITIALS_SCORE
    if begins_the_other(one, other):
        # A name cut off by a field's length: half of what is missing is forgiven, and it stays below a whole name.
        score = max(score, 45 + score / 2)
    return score
