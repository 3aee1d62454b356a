"""Suggestions: what is found, in what order, why, and that time and memory stay bounded."""

from __future__ import annotations

import random
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.invented_names import invented_companies
from benchmarks.matching import invented_pairs, measure_suggestions
from trueup.adapters.name_shapes import shape_of
from trueup.adapters.name_similarity import (
    CANDIDATES_PER_NAME_MAXIMUM,
    SCORE_MINIMUM,
    RapidNameSimilarity,
    likeness,
)
from trueup.domain.matching import Named, Suggestion, match_names
from trueup.domain.names import fold_name
from trueup.ports.similarity import NameSimilarity

PSA_NAMES = [
    "Acme Ltd",
    "Acme Inc",
    "Quitzon Group",
    "Northern Hill Clinics",
    "The University of Corham",
    "Birch Dental Practice",
    "Sunrise Dental",
    "Crown Dental",
    "Oak Legal LLP",
    "Zwomeas Furniture Manufacturing and Sons Ltd",
    "O'Connell and Sons",
]


def suggestions_for(name: str, psa_names: list[str] | None = None, limit: int = 3) -> tuple[Suggestion, ...]:
    similarity: NameSimilarity = RapidNameSimilarity()
    psa = [Named(f"p{number}", psa_name) for number, psa_name in enumerate(psa_names or PSA_NAMES)]
    ((vendor_id, suggestions),) = similarity.suggest([Named("v", name)], psa, limit=limit)
    assert vendor_id == "v"
    return suggestions


@pytest.mark.parametrize(
    ("name", "expected", "reason"),
    [
        ("ACME", "Acme Inc", "the same words after dropping “inc”"),
        ("Acme Corp", "Acme Inc", "but the legal forms differ: “corp” and “inc”"),
        ("Group Quitzon", "Quitzon Group", "the same words in another order"),
        ("Quitzon Holdings", "Quitzon Group", "shares the rare word “Quitzon” (in 2 of 12 names)"),
        ("NHC", "Northern Hill Clinics", "“nhc” are the initials of “northern hill clinics”"),
        ("UOC", "The University of Corham", "“uoc” are the initials of “the university of corham”"),
        ("Oaklegal", "Oak Legal LLP", "the same letters, spaced differently"),
        ("OConell & Sons", "O'Connell and Sons", "differs in one letter: “oconell” and “oconnell”"),
        ("Brich Dental Practice", "Birch Dental Practice", "has two letters swapped: “brich” and “birch”"),
        ("Sunrize Dentel", "Sunrise Dental", "differs in one letter: “sunrize” and “sunrise”"),
        (
            "Zwomeas Furniture Manufactu",
            "Zwomeas Furniture Manufacturing and Sons Ltd",
            "“zwomeas furniture manufacturing and sons ltd” begins with “zwomeas furniture manufactu”",
        ),
        ("Ratkeson Crown Dental", "Crown Dental", "shares the rare word “Crown” (in 2 of 12 names)"),
    ],
)
def test_the_best_suggestion_and_its_reason(name: str, expected: str, reason: str) -> None:
    best = suggestions_for(name)[0]
    assert best.psa_name == expected
    assert reason in best.reasons
    assert SCORE_MINIMUM <= best.score <= 100


@pytest.mark.fault("M10")
def test_M10_an_acronym_is_suggested_and_not_mapped() -> None:
    vendor, psa = [Named("v", "NHC")], [Named("p", "Northern Hill Clinics")]
    assert match_names(vendor, psa).matches == ()
    ((_, (suggestion,)),) = RapidNameSimilarity().suggest(vendor, psa)
    assert suggestion.psa_id == "p"
    ((_, (turned,)),) = RapidNameSimilarity().suggest(psa, vendor)
    assert turned.score == suggestion.score


@pytest.mark.fault("M4")
def test_M4_group_holdings_finds_the_incorporated_company_as_a_suggestion() -> None:
    best = suggestions_for("Zorvane Group Holdings", ["Zorvane Inc.", "Birch Inc.", "Oak Group Holdings"])
    assert best[0].psa_name == "Zorvane Inc." or best[1].psa_name == "Zorvane Inc."


@pytest.mark.fault("M5")
@pytest.mark.parametrize("disguised", ["\u0410cme Foods", "Ac\u200bme Foods", "\uff21\uff43\uff4d\uff45 Foods"])
def test_M5_a_disguised_name_is_suggested_with_a_warning(disguised: str) -> None:
    (suggestion,) = suggestions_for("Acme Foods", [disguised])
    assert any(reason.startswith("careful: the PSA's name") for reason in suggestion.reasons)
    (turned,) = suggestions_for(disguised, ["Acme Foods"])
    assert any(reason.startswith("careful: the vendor's name") for reason in turned.reasons)


@pytest.mark.fault("M7")
@pytest.mark.parametrize("name", ["", "...", "Test", "Inc.", "New Customer 2", "A" * 10_000])
def test_M7_a_name_that_names_nobody_gets_no_suggestion_and_is_none(name: str) -> None:
    assert suggestions_for(name) == ()
    assert suggestions_for("Test Acme Inc.", [name]) == ()


def test_nothing_alike_gives_nothing() -> None:
    assert suggestions_for("Xyqwv Zzkrt") == ()
    assert list(RapidNameSimilarity().suggest([Named("v", "Acme")], [])) == [("v", ())]
    assert list(RapidNameSimilarity().suggest([], [Named("p", "Acme")])) == []


def test_at_most_so_many_are_suggested_and_equals_are_ordered_by_name_then_id() -> None:
    names = ["Birch Dental"] * 5
    assert [suggestion.psa_id for suggestion in suggestions_for("Birch Dental", names)] == ["p0", "p1", "p2"]
    assert len(suggestions_for("Birch Dental", names, limit=1)) == 1
    assert [one.psa_name for one in suggestions_for("ACME", ["Acme Ltd", "Acme Inc"])] == ["Acme Inc", "Acme Ltd"]


def test_suggestions_come_one_by_one_in_the_order_of_the_vendor_accounts() -> None:
    vendor = [Named("v2", "Acme"), Named("v1", "Quitzon"), Named("v3", "Test")]
    stream = RapidNameSimilarity().suggest(vendor, [Named("p", "Acme Ltd")])
    assert next(stream)[0] == "v2"
    assert [vendor_id for vendor_id, _ in stream] == ["v1", "v3"]


def test_the_order_of_the_psa_accounts_does_not_matter() -> None:
    companies = invented_companies(400)
    vendor = [Named(f"v{company.number}", company.vendor_name) for company in companies]
    psa = [Named(f"p{company.number}", company.psa_name) for company in companies]
    before = dict(RapidNameSimilarity().suggest(vendor, psa))
    random.Random(7).shuffle(psa)
    assert dict(RapidNameSimilarity().suggest(vendor, psa)) == before


_texts = st.text(max_size=30) | st.sampled_from(
    ["Acme Ltd", "ACME", "Acmé Group", "NHC", "Northern Hill Clinics", "Аcme"]
)


@given(st.lists(_texts, max_size=6), st.lists(_texts, max_size=6))
@settings(max_examples=150)
def test_any_text_gives_well_formed_suggestions(vendor_names: list[str], psa_names: list[str]) -> None:
    vendor = [Named(f"v{number}", name) for number, name in enumerate(vendor_names)]
    psa = [Named(f"p{number}", name) for number, name in enumerate(psa_names)]
    found = list(RapidNameSimilarity().suggest(vendor, psa))
    assert [vendor_id for vendor_id, _ in found] == [account.id for account in vendor]
    for _, suggestions in found:
        scores = [suggestion.score for suggestion in suggestions]
        assert scores == sorted(scores, reverse=True)
        assert all(SCORE_MINIMUM <= score <= 100 for score in scores)
        assert len({suggestion.psa_id for suggestion in suggestions}) == len(suggestions) <= 3
        for suggestion in suggestions:
            assert psa[int(suggestion.psa_id[1:])].name == suggestion.psa_name
            assert suggestion.reasons
            assert all(reason.isprintable() for reason in suggestion.reasons)


@given(_texts, _texts)
def test_likeness_is_symmetric_and_whole_for_equal_names(one: str, other: str) -> None:
    left, right = fold_name(one), fold_name(other)
    if left is None or right is None:
        return
    assert likeness(shape_of(left), shape_of(right)) == pytest.approx(likeness(shape_of(right), shape_of(left)))
    assert likeness(shape_of(left), shape_of(left)) == 100


def test_a_safe_key_match_is_always_suggested_first() -> None:
    """What matching would map must not look worse than something else in the list of suggestions."""
    companies = invented_companies(1000)
    vendor = [Named(f"v{company.number}", company.vendor_name) for company in companies]
    psa = [Named(f"p{company.number}", company.psa_name) for company in companies]
    suggestions = dict(RapidNameSimilarity().suggest(vendor, psa))
    matches = match_names(vendor, psa).matches
    assert len(matches) > 500
    assert all(suggestions[match.vendor_id][0].psa_id == match.psa_id for match in matches)


def test_the_partner_of_an_invented_company_is_nearly_always_among_the_first_two() -> None:
    (ours, plain) = measure_suggestions("invented", [invented_pairs(300)])
    assert ours.top_2 >= 0.97
    assert ours.top_2 >= plain.top_2


@pytest.mark.fault("M12")
def test_M12_work_per_name_is_bounded_when_all_names_are_alike() -> None:
    """The worst case for an index: all accounts share every word. Looking at all would be 1.6 million pairs."""
    vendor = [Named(f"v{number}", f"Dental Services {number % 7}") for number in range(200)]
    psa = [Named(f"p{number}", f"Dental Services Group {number % 11} Ltd") for number in range(8_000)]
    tracemalloc.start()
    started = time.process_time()
    count = sum(len(suggestions) for _, suggestions in RapidNameSimilarity().suggest(vendor, psa))
    seconds = time.process_time() - started
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 3 * len(vendor)
    assert seconds < 15
    assert peak_bytes < 50_000_000


def test_no_more_candidates_are_compared_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def counting(one: object, other: object) -> float:
        nonlocal compared
        compared += 1
        return 60.0

    monkeypatch.setattr("trueup.adapters.name_similarity.likeness", counting)
    suggestions_for("Dental Services", [f"Dental Services {number}" for number in range(500)])
    assert compared == CANDIDATES_PER_NAME_MAXIMUM
