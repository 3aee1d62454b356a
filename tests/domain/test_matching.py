"""Matching by name: the seed rule, the safe key, what must stay with a person, and properties of all of it."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.matching import COMPANY_NAMES, leuven_draws, measure_automatic, perturbed_pairs
from trueup.domain.errors import InputInvalid
from trueup.domain.legal_forms import FORM_BY_SPELLING
from trueup.domain.matching import (
    Ambiguity,
    MatchOutcome,
    MatchRule,
    Named,
    display_key,
    match_names,
    name_warnings,
    safe_key,
)
from trueup.domain.names import NAME_CHARACTERS_MAXIMUM, fold_name, printable


def side(prefix: str, *names: str) -> list[Named]:
    """Accounts with ids ``v1``, ``v2``, ... in the order of the names."""
    return [Named(f"{prefix}{number}", name) for number, name in enumerate(names, start=1)]


def match(vendor: list[str], psa: list[str]) -> MatchOutcome:
    return match_names(side("v", *vendor), side("p", *psa))


def pairs(outcome: MatchOutcome) -> list[tuple[str, str, MatchRule]]:
    return [(match.vendor_id, match.psa_id, match.rule) for match in outcome.matches]


EXACT, SAFE_KEY = MatchRule.EXACT, MatchRule.SAFE_KEY


def test_exact_means_code_point_equal_and_unique_on_both_sides() -> None:
    outcome = match(["Acme Ltd", "Birch Dental"], ["Birch Dental", "Acme Ltd"])
    assert pairs(outcome) == [("v1", "p2", EXACT), ("v2", "p1", EXACT)]
    assert outcome.ambiguous == ()
    assert outcome.unmatched_vendor_ids == ()


def test_exact_beats_another_account_of_the_same_safe_key() -> None:
    outcome = match(["Acme Ltd"], ["ACME Limited", "Acme Ltd", "Acme"])
    assert pairs(outcome) == [("v1", "p2", EXACT)]


def test_an_account_matched_exactly_still_makes_its_name_common() -> None:
    outcome = match(["Acme Ltd", "ACME LTD."], ["Acme Ltd", "acme limited"])
    assert pairs(outcome) == [("v1", "p1", EXACT)]
    assert [(found.vendor_ids, found.psa_ids) for found in outcome.ambiguous] == [(("v2",), ("p1", "p2"))]
    assert "p1" in outcome.ambiguous[0].reason


@pytest.mark.parametrize(
    ("vendor", "psa"),
    [
        ("Acme Ltd", "ACME Limited"),
        ("Acme, Inc.", "acme incorporated"),
        ("Birch & Sons LLC", "Birch and Sons, L.L.C."),
        ("Van Dijk B.V.", "VAN DIJK BV"),
        ("Van Dijk B. V.", "Van Dijk BV"),
        ("Koala Tools Pty Ltd", "Koala Tools (Pty) Limited"),
        ("Weber GmbH & Co. KG", "WEBER GmbH und Co KG".replace("und", "and")),
        ("Kowalski Sp. z o.o.", "KOWALSKI SP. Z O. O."),
        ("Acme (UK) Ltd", "Acme Ltd. (UK)"),
        ("Acme-Dental", "Acme Dental"),
        ("O'Hara Foods", "OHara Foods"),
        ("J.P. Quill", "J P QUILL"),
        ("Acme™ Foods", "Acme Foods"),
        ("  Acme   Foods ", "Acme\tFoods"),
        ("Acme Foods", "ACME FOODS LTD"),
    ],
)
def test_safe_key_matches_spellings_of_one_name(vendor: str, psa: str) -> None:
    assert pairs(match([vendor], [psa])) == [("v1", "p1", SAFE_KEY)]


@pytest.mark.parametrize(
    ("vendor", "psa"),
    [
        ("Acme Ltd", "Acme Inc"),
        ("Acme LLC", "Acme LLP"),
        ("Acme Ltd", "Acme Pty Ltd"),
        ("Acme Inc", "Acme Corp"),
        ("Acme Group", "Acme"),
        ("Acme Holdings", "Acme Group"),
        ("Acme Co", "Acme"),
        ("Acme UK Ltd", "Acme Ltd"),
        ("Acme Services Ltd", "Acme Ltd"),
        ("Unit 12 Media", "Unit 1 2 Media"),
        ("C# Studio", "C Studio"),
        ("Health+", "Healthy"),
        ("The Limited", "Limited"),
        ("Мой Дом", "Мои Дом"),
    ],
)
def test_safe_key_keeps_different_names_apart(vendor: str, psa: str) -> None:
    outcome = match([vendor], [psa])
    assert pairs(outcome) == []
    assert outcome.ambiguous == ()
    assert outcome.unmatched_vendor_ids == ("v1",)


def test_each_legal_form_matches_its_own_when_no_name_lacks_one() -> None:
    outcome = match(["Acme Ltd", "Acme Inc"], ["ACME Incorporated", "ACME Limited"])
    assert pairs(outcome) == [("v1", "p2", SAFE_KEY), ("v2", "p1", SAFE_KEY)]


@pytest.mark.parametrize(
    ("vendor", "psa"),
    [
        (["Acme"], ["Acme Ltd", "Acme Inc"]),
        (["Acme", "Acme Inc"], ["Acme Ltd"]),
        (["ACME LTD"], ["Acme", "Acme Limited"]),
        (["Acme Ltd", "ACME Limited"], ["Acme"]),
    ],
)
def test_a_name_without_legal_form_is_ambiguous_when_several_share_the_key(vendor: list[str], psa: list[str]) -> None:
    outcome = match(vendor, psa)
    assert pairs(outcome) == []
    (ambiguity,) = outcome.ambiguous
    assert len(ambiguity.vendor_ids) == len(vendor)
    assert len(ambiguity.psa_ids) == len(psa)
    assert outcome.unmatched_vendor_ids == ()


@pytest.mark.fault("M1")
def test_M1_two_psa_accounts_of_one_name_are_ambiguous() -> None:
    outcome = match(["Birch Dental", "Oak Legal"], ["Birch Dental", "Birch Dental", "Oak Legal"])
    assert pairs(outcome) == [("v2", "p3", EXACT)]
    (ambiguity,) = outcome.ambiguous
    assert ambiguity.vendor_ids == ("v1",)
    assert ambiguity.psa_ids == ("p1", "p2")


@pytest.mark.fault("M1")
def test_M1_two_vendor_accounts_of_one_name_are_ambiguous() -> None:
    outcome = match(["Birch Dental", "Birch Dental"], ["Birch Dental"])
    assert pairs(outcome) == []
    assert [(found.vendor_ids, found.psa_ids) for found in outcome.ambiguous] == [(("v1", "v2"), ("p1",))]


@pytest.mark.fault("M1")
def test_M1_duplicate_names_too_short_for_the_safe_key_are_ambiguous_as_well() -> None:
    outcome = match(["IBM"], ["IBM", "IBM", "I.B.M."])
    assert [(found.vendor_ids, found.psa_ids) for found in outcome.ambiguous] == [(("v1",), ("p1", "p2"))]


@pytest.mark.fault("M3")
def test_M3_country_in_parentheses_is_kept_and_never_matched_by_itself() -> None:
    assert pairs(match(["Acme Ltd"], ["ACME Limited (UK)"])) == []
    assert pairs(match(["Acme UK Ltd"], ["ACME Limited (UK)"])) == [("v1", "p1", SAFE_KEY)]
    assert pairs(match(["Acme Ltd"], ["ACME Limited"])) == [("v1", "p1", SAFE_KEY)]


@pytest.mark.fault("M4")
def test_M4_group_holdings_and_incorporated_are_not_one_company() -> None:
    outcome = match(["Zorvane Group Holdings"], ["Zorvane Inc."])
    assert pairs(outcome) == []
    assert outcome.unmatched_vendor_ids == ("v1",)


DISGUISED = [
    pytest.param("\u0410cme Foods", id="cyrillic-a"),
    pytest.param("Ac\u200bme Foods", id="zero-width-space"),
    pytest.param("\ufeffAcme Foods", id="byte-order-mark"),
    pytest.param("Acme\u202e Foods", id="right-to-left-override"),
    pytest.param("Ac\u034fme Foods", id="grapheme-joiner"),
    pytest.param("\uff21\uff43\uff4d\uff45 Foods", id="full-width"),
    pytest.param("\U0001d400cme Foods", id="mathematical-bold"),
    pytest.param("Acm\u0435 F\u03bfods", id="cyrillic-e-and-greek-o"),
]


@pytest.mark.fault("M5")
@pytest.mark.parametrize("disguised", DISGUISED)
def test_M5_a_name_in_disguise_is_warned_of_and_never_equal(disguised: str) -> None:
    assert name_warnings("Acme Foods") == ()
    assert name_warnings(disguised) != ()
    assert safe_key(disguised) != safe_key("Acme Foods")
    for vendor, psa in ((disguised, "Acme Foods"), ("Acme Foods", disguised), ("ACME FOODS LTD", disguised)):
        outcome = match([vendor], [psa])
        assert pairs(outcome) == []
        assert outcome.unmatched_vendor_ids == ("v1",)


@pytest.mark.fault("M5")
@pytest.mark.parametrize("disguised", DISGUISED)
def test_M5_a_name_in_disguise_casts_doubt_on_the_safe_key_but_not_on_the_exact_name(disguised: str) -> None:
    outcome = match(["ACME FOODS LTD"], ["Acme Foods Ltd", f"{disguised} Ltd"])
    assert pairs(outcome) == []
    assert [(found.vendor_ids, found.psa_ids) for found in outcome.ambiguous] == [(("v1",), ("p1", "p2"))]
    assert pairs(match(["Acme Foods"], ["Acme Foods", disguised])) == [("v1", "p1", EXACT)]
    assert pairs(match([disguised], ["Acme Foods", disguised])) == [("v1", "p2", EXACT)]


@pytest.mark.fault("M6")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Café Zürich", "CAFE ZURICH"),
        ("Straße Nord", "STRASSE NORD"),
        ("STRAẞE NORD", "strasse nord"),
        ("Diyarbakır Gıda", "DIYARBAKIR GIDA"),
        ("İstanbul Tekstil", "istanbul tekstil"),
        ("Smørrebrød København", "SMORREBROD KOBENHAVN"),
        ("Łódź Dental", "Lodz Dental"),
        ("Müller Œuvre", "MULLER OEUVRE"),
        ("ΑΘΗΝΑΣ ΟΔΟΣ", "αθηνας οδος"),
        ("ﬁne ﬀood Ⅳ", "FINE FFOOD IV"),
    ],
)
def test_M6_accents_and_case_fold_alike_on_both_sides(one: str, other: str) -> None:
    for left in (one, unicodedata.normalize("NFD", one), unicodedata.normalize("NFC", one)):
        assert safe_key(left) == safe_key(other)
        assert len(match([left], [other]).matches) == 1
        assert len(match([other], [left]).matches) == 1


@pytest.mark.fault("M7")
@pytest.mark.parametrize(
    "name",
    ["", "   ", "-", "...", "(&)", "!!!", "\u200b", "\x00", "Test", "TEST 2", "test company", "Inc.", "Ltd", "L.L.C."]
    + ["Pty Ltd", "N/A", "Unknown", "New Customer", "The Company Ltd", "Demo Client Inc", "Group Holdings", "n.a."]
    + ["Catchall (for email connector)", "XYZ Test Company", "A" * (NAME_CHARACTERS_MAXIMUM + 1)],
)
def test_M7_a_name_that_names_nobody_never_matches(name: str) -> None:
    assert safe_key(name) is None
    outcome = match([name], [name])
    assert pairs(outcome) == []
    assert outcome.ambiguous == ()
    assert outcome.unmatched_vendor_ids == ("v1",)


@pytest.mark.fault("M7")
@pytest.mark.parametrize(
    "name", ["Contest Media", "Testa Foods", "Unknown Pleasures Records", "Incorporated Arts", "1871"]
)
def test_M7_a_name_that_only_resembles_a_placeholder_is_a_name(name: str) -> None:
    assert pairs(match([name], [name])) == [("v1", "p1", EXACT)]


@pytest.mark.fault("M10")
@pytest.mark.parametrize(
    ("vendor", "psa"),
    [
        ("IBM", "I.B.M."),
        ("IBM", "ibm"),
        ("IBM Ltd", "IBM Limited"),
        ("ABC Group", "ABC GROUP"),
        ("The Co Ltd X", "the co x"),
    ],
)
def test_M10_short_names_and_acronyms_are_not_matched_by_key(vendor: str, psa: str) -> None:
    outcome = match([vendor], [psa])
    assert pairs(outcome) == []
    assert outcome.ambiguous == ()
    assert outcome.unmatched_vendor_ids == ("v1",)


@pytest.mark.fault("M10")
def test_M10_an_acronym_is_not_matched_to_the_words_it_stands_for() -> None:
    assert pairs(match(["NHC"], ["Northern Hill Clinics"])) == []
    assert pairs(match(["IBM"], ["IBM"])) == [("v1", "p1", EXACT)]


@pytest.mark.fault("M8")
def test_M8_a_renamed_account_that_is_mapped_is_left_alone() -> None:
    vendor, psa = side("v", "Birch Dental (new name)", "Oak Legal"), side("p", "Birch Dental", "Oak Legal")
    outcome = match_names(vendor, psa, mapped_vendor_ids={"v1"}, mapped_psa_ids={"p1"})
    assert pairs(outcome) == [("v2", "p2", EXACT)]
    assert outcome.unmatched_vendor_ids == ()


@pytest.mark.fault("M9")
def test_M9_an_account_that_takes_the_old_name_of_a_mapped_one_does_not_take_its_partner() -> None:
    vendor, psa = side("v", "Oak Legal", "Birch Dental"), side("p", "Birch Dental", "Oak Legal")
    both_mapped = match_names(vendor, psa, mapped_vendor_ids={"v1", "v2"}, mapped_psa_ids={"p1", "p2"})
    assert (both_mapped.matches, both_mapped.ambiguous, both_mapped.unmatched_vendor_ids) == ((), (), ())
    one_mapped = match_names(vendor, psa, mapped_vendor_ids={"v1"}, mapped_psa_ids={"p1"})
    assert pairs(one_mapped) == []
    assert one_mapped.unmatched_vendor_ids == ("v2",)


def test_a_mapped_account_still_makes_its_name_common() -> None:
    outcome = match_names(side("v", "ACME"), side("p", "Acme Ltd", "Acme Inc"), mapped_psa_ids={"p1"})
    assert pairs(outcome) == []
    assert [(found.vendor_ids, found.psa_ids) for found in outcome.ambiguous] == [(("v1",), ("p1", "p2"))]


@pytest.mark.parametrize("which", ["vendor", "psa"])
def test_an_id_that_occurs_twice_on_one_side_is_refused(which: str) -> None:
    doubled = [Named("x1", "Acme"), Named("x1", "Birch")]
    with pytest.raises(InputInvalid, match="x1"):
        match_names(doubled if which == "vendor" else [], doubled if which == "psa" else [])


def test_reasons_say_what_was_set_aside() -> None:
    (spelled,) = match(["Acme Foods Ltd"], ["ACME Foods Limited"]).matches
    assert "“ltd” and “limited” are the same legal form" in spelled.reason
    (bare,) = match(["Acme Foods"], ["ACME Foods Limited"]).matches
    assert "“limited”" in bare.reason


def test_display_key_keeps_the_legal_form_and_shows_what_cannot_be_seen() -> None:
    assert display_key("Acmé, Ltd.") == "acme ltd"
    assert display_key("!!!") == "!!!"
    assert printable("a\u202eb" + "c" * 100) == "a<U+202E>b" + "c" * 57 + "…"


@pytest.mark.fault("S12")
@pytest.mark.parametrize(
    "unit", ["a", "&", "-", "(", ")", "a.", "ltd ", "\u0301", "a\u0301\u0327", "\u200b", "ﷺ", "ß", "\x00", "' "]
)
def test_S12_a_hostile_name_costs_no_more_than_its_first_characters(unit: str) -> None:
    """A name of 10,000 or a million characters takes no longer than a short one; 5 s is far above either."""
    started = time.process_time()
    for length in (10_000, 1_000_000):
        name = unit * (length // len(unit))
        assert fold_name(name) is None
        assert match([name], [name]).matches == ()
        assert len(display_key(name)) < 20 * NAME_CHARACTERS_MAXIMUM
        name_warnings(name)
    longest = (unit * NAME_CHARACTERS_MAXIMUM)[:NAME_CHARACTERS_MAXIMUM]
    for _ in range(20):
        fold_name(longest)
        name_warnings(longest)
    assert time.process_time() - started < 5


@pytest.mark.fault("C18")
@pytest.mark.parametrize("name", ["\ufeffAcme", "Ac\ud800me", "Ac\x00me", "Acme\u202e", "Z" * 10_000])
def test_C18_odd_names_are_compared_warned_of_and_shown_without_harm(name: str) -> None:
    assert name_warnings(name) != ()
    assert all(warning.isprintable() for warning in name_warnings(name))
    assert printable(name).isprintable()
    outcome = match([name, "Acme"], ["Acme", "ACME Ltd"])
    assert pairs(outcome) == [("v2", "p1", EXACT)]


# Names made of few parts, so that keys collide often; plus any text at all.
_stem = st.sampled_from(
    ["Acme", "ACME", "acmé", "Аcme", "Birch Dental", "birch  dental", "Birch-Dental", "IBM", "Test", ""]
)
_form = st.sampled_from(["", " Ltd", " Limited", ", Inc.", " Incorporated", " B.V.", " Group", " (UK)"])
_name = st.one_of(st.builds(lambda stem, form: stem + form, _stem, _form), st.text(max_size=12))
_names = st.lists(_name, max_size=9)


def _named(prefix: str, names: list[str]) -> list[Named]:
    return [Named(f"{prefix}{number:02}", name) for number, name in enumerate(names)]


@given(_names, _names, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(vendor: list[str], psa: list[str], random: object) -> None:
    vendor_accounts, psa_accounts = _named("v", vendor), _named("p", psa)
    before = match_names(vendor_accounts, psa_accounts)
    random.shuffle(vendor_accounts)  # type: ignore[attr-defined]
    random.shuffle(psa_accounts)  # type: ignore[attr-defined]
    assert match_names(vendor_accounts, psa_accounts) == before


@given(_names, _names)
def test_matches_are_injective_symmetric_and_every_vendor_account_is_accounted_for_once(
    vendor: list[str], psa: list[str]
) -> None:
    vendor_accounts, psa_accounts = _named("v", vendor), _named("p", psa)
    outcome = match_names(vendor_accounts, psa_accounts)
    matched = [match.vendor_id for match in outcome.matches]
    assert len({match.psa_id for match in outcome.matches}) == len(outcome.matches)
    listed = (
        matched + [one for found in outcome.ambiguous for one in found.vendor_ids] + [*outcome.unmatched_vendor_ids]
    )
    assert sorted(listed) == [account.id for account in vendor_accounts]
    mirrored = match_names(psa_accounts, vendor_accounts)
    assert {(match.psa_id, match.vendor_id) for match in mirrored.matches} == {
        (match.vendor_id, match.psa_id) for match in outcome.matches
    }


@given(_names, _names)
def test_no_match_contradicts_itself(vendor: list[str], psa: list[str]) -> None:
    """Checks every match against the words of the rule, one by one, without the grouping that found it."""
    names = {account.id: account.name for account in (*_named("v", vendor), *_named("p", psa))}
    for found in match_names(_named("v", vendor), _named("p", psa)).matches:
        left, right = names[found.vendor_id], names[found.psa_id]
        if found.rule is EXACT:
            assert left == right
            assert vendor.count(left) == psa.count(right) == 1
            continue
        one, other = fold_name(left), fold_name(right)
        assert one is not None
        assert other is not None
        assert one.stem == other.stem
        assert one.form == other.form or None in (one.form, other.form)
        same_key = [fold for fold in map(fold_name, (*vendor, *psa)) if fold is not None and fold.stem == one.stem]
        rivals = [fold for fold in same_key if fold.form == one.form] if one.form == other.form else same_key
        assert len(rivals) == 2


@given(_names, _names)
def test_more_accounts_never_turn_a_safe_key_match_into_another_one(vendor: list[str], psa: list[str]) -> None:
    """Doubt only grows: what a further PSA account changes is that a match becomes exact, ambiguous, or stays."""
    vendor_accounts, psa_accounts = _named("v", vendor), _named("p", psa)
    before = {match.vendor_id: match for match in match_names(vendor_accounts, psa_accounts[:-1]).matches}
    for found in match_names(vendor_accounts, psa_accounts).matches:
        earlier = before.get(found.vendor_id)
        if found.rule is SAFE_KEY and earlier is not None:
            assert found == earlier


@given(st.text(max_size=NAME_CHARACTERS_MAXIMUM))
@settings(max_examples=300)
def test_any_text_folds_the_same_in_every_normal_form_and_case(text: str) -> None:
    key = safe_key(text)
    assert safe_key(f"  {text} ") == key or len(text) > NAME_CHARACTERS_MAXIMUM - 3
    for form in ("NFC", "NFD"):
        normalized = unicodedata.normalize(form, text)  # type: ignore[arg-type]
        if len(normalized) <= NAME_CHARACTERS_MAXIMUM:
            assert safe_key(normalized) == key
    assert all(warning.isprintable() for warning in name_warnings(text))


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=60))
def test_upper_and_lower_case_of_ascii_text_have_one_key(text: str) -> None:
    assert safe_key(text.upper()) == safe_key(text.lower()) == safe_key(text)


def test_every_spelling_of_a_legal_form_is_a_fixed_point_of_the_fold() -> None:
    """A spelling in the table that the fold would never produce could never be found."""
    for spelling, form in FORM_BY_SPELLING.items():
        folded = fold_name(f"Zorvane {spelling}")
        assert folded is not None
        assert (folded.words, folded.form) == (("zorvane",), form)


@pytest.mark.skipif(not COMPANY_NAMES.is_dir(), reason="the real company names are not beside the project")
def test_no_orphan_is_mapped_to_a_stranger_among_real_names() -> None:
    for label, draws in (("perturbed", [perturbed_pairs()] * 3), ("leuven", leuven_draws(3))):
        (figures,) = measure_automatic(label, draws, ["Trueup: exact, then safe key"])
        assert figures.wrong == 0
        assert figures.right > 0


def test_the_outcome_is_plain_data() -> None:
    outcome = match(["Acme"], ["Acme Ltd", "Acme Inc"])
    assert outcome == MatchOutcome(
        matches=(),
        ambiguous=(
            Ambiguity(
                vendor_ids=("v1",),
                psa_ids=("p1", "p2"),
                reason="Several accounts share this name, at most apart from its legal form.",
            ),
        ),
        unmatched_vendor_ids=(),
    )
