"""From when a change counts: what a person may ask for in each PSA, what it comes to, and the invoice line it makes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.building import agreement, line
from trueup.domain.billing import QuantityStep
from trueup.domain.effective import (
    AS_THE_PSA_DOES,
    PSA_CAPABILITIES,
    Effect,
    EffectiveRule,
    EffectiveWish,
    default_effect,
    effect_of,
    next_invoice_line,
)
from trueup.domain.errors import InputInvalid
from trueup.domain.integrations import IntegrationName, Side

ON = date(2026, 11, 15)
NEXT_MONTH = date(2026, 12, 1)
CONNECTWISE = PSA_CAPABILITIES[IntegrationName.CONNECTWISE]
AUTOTASK = PSA_CAPABILITIES[IntegrationName.AUTOTASK]
HALOPSA = PSA_CAPABILITIES[IntegrationName.HALOPSA]
PRORATES = agreement(prorates=True)


# What a person may write


@pytest.mark.parametrize(
    ("text", "rule", "day"),
    [
        ("", None, None),
        (" default ", None, None),
        ("now", EffectiveRule.NOW, None),
        ("NOW", EffectiveRule.NOW, None),
        ("next_invoice", EffectiveRule.NEXT_INVOICE, None),
        ("next-invoice", EffectiveRule.NEXT_INVOICE, None),
        ("next_period", EffectiveRule.NEXT_PERIOD, None),
        (" 2026-12-24 ", EffectiveRule.DATED, date(2026, 12, 24)),
    ],
)
def test_a_wish_is_read_from_words_or_a_day(text: str, rule: EffectiveRule | None, day: date | None) -> None:
    assert EffectiveWish.parse(text) == EffectiveWish(rule, day)


@pytest.mark.parametrize(
    "text",
    ["dated", "tomorrow", "2026-02-30", "20261224", "2026-W49-1", "2026-1-2", "24.12.2026", "２026-12-24", "x" * 5_000],
)
def test_anything_else_is_refused_with_what_may_be_given(text: str) -> None:
    with pytest.raises(InputInvalid, match="no effective date") as refused:
        EffectiveWish.parse(text)
    assert refused.value.field == "effective"
    assert len(refused.value.message) < 100
    assert "YYYY-MM-DD" in refused.value.remedy


@given(st.one_of(st.sampled_from(["", "now", "next_invoice", "next_period"]), st.dates(date(1000, 1, 1)).map(str)))
def test_what_a_wish_says_of_itself_is_read_back_as_the_same_wish(text: str) -> None:
    wish = EffectiveWish.parse(text)
    assert wish.text == text
    assert EffectiveWish.parse(wish.text) == wish


# What the connected PSA can do


@pytest.mark.parametrize("name", [name for name in IntegrationName if name.side is Side.PSA])
@pytest.mark.parametrize("text", ["now", "next_invoice", "next_period", "2026-12-24"])
def test_each_psa_takes_its_own_rules_and_refuses_the_others(name: IntegrationName, text: str) -> None:
    wish, able = EffectiveWish.parse(text), PSA_CAPABILITIES[name]
    AS_THE_PSA_DOES.require_possible(able, ON)
    if wish.rule in able.rules:
        wish.require_possible(able, ON)
        return
    with pytest.raises(InputInvalid) as refused:
        wish.require_possible(able, ON)
    assert text in refused.value.message
    assert "dated" not in refused.value.remedy


@pytest.mark.parametrize("name", [name for name in IntegrationName if name.side is Side.PSA])
def test_what_a_psa_does_unless_told_otherwise_may_be_asked_for(name: IntegrationName) -> None:
    able = PSA_CAPABILITIES[name]
    assert able.default_rule in able.rules
    assert not (able.delta_write and able.whole_document_write)


@pytest.mark.parametrize("day", ["2026-11-15", "2026-11-14", "2020-01-01"])
def test_a_day_that_is_not_in_the_future_is_refused(day: str) -> None:
    with pytest.raises(InputInvalid, match="not in the future"):
        EffectiveWish.parse(day).require_possible(CONNECTWISE, ON)
    EffectiveWish.parse("2026-11-16").require_possible(CONNECTWISE, ON)


# What it comes to


def test_the_defaults_are_at_once_the_next_month_and_the_next_invoice() -> None:
    assert default_effect(CONNECTWISE, ON) == Effect(EffectiveRule.NOW)
    assert default_effect(AUTOTASK, ON) == Effect(EffectiveRule.NEXT_PERIOD, NEXT_MONTH)
    assert default_effect(AUTOTASK, date(2026, 12, 31)) == Effect(EffectiveRule.NEXT_PERIOD, date(2027, 1, 1))
    assert default_effect(HALOPSA, ON) == Effect(EffectiveRule.NEXT_INVOICE)
    for able in (CONNECTWISE, AUTOTASK, HALOPSA):
        assert effect_of(AS_THE_PSA_DOES, able, agreement(), ON) == default_effect(able, ON)


def test_a_day_needs_an_agreement_that_prorates_where_dates_do() -> None:
    wish = EffectiveWish.parse("2026-12-24")
    assert effect_of(wish, CONNECTWISE, PRORATES, ON) == Effect(EffectiveRule.DATED, date(2026, 12, 24))
    refused = effect_of(wish, CONNECTWISE, agreement(), ON)
    assert (refused.rule, refused.day) == (EffectiveRule.NOW, None)
    assert "does not prorate" in refused.refusal
    assert effect_of(wish, AUTOTASK, agreement(), ON) == Effect(EffectiveRule.DATED, date(2026, 12, 24))


def test_next_period_is_a_day_too() -> None:
    wish = EffectiveWish.parse("next_period")
    assert effect_of(wish, CONNECTWISE, PRORATES, ON) == Effect(EffectiveRule.NEXT_PERIOD, NEXT_MONTH)
    assert effect_of(wish, CONNECTWISE, agreement(), ON).refusal


def test_an_agreement_with_periods_of_its_own_changes_with_its_own_next_one() -> None:
    own = replace(agreement(), next_period_on=date(2026, 12, 15))
    from_then = Effect(EffectiveRule.NEXT_PERIOD, date(2026, 12, 15))
    assert effect_of(AS_THE_PSA_DOES, AUTOTASK, own, ON) == from_then == default_effect(AUTOTASK, ON, own)
    assert effect_of(EffectiveWish.parse("next_period"), AUTOTASK, own, ON) == from_then
    assert effect_of(EffectiveWish.parse("2026-12-24"), AUTOTASK, own, ON).day == date(2026, 12, 24)
    assert default_effect(HALOPSA, ON, own) == Effect(EffectiveRule.NEXT_INVOICE)
    ends = replace(own, ends_on=date(2026, 12, 14))
    assert "before 2026-12-15" in effect_of(AS_THE_PSA_DOES, AUTOTASK, ends, ON).refusal


def test_a_next_period_that_has_begun_since_it_was_read_is_not_taken_again() -> None:
    for begun in (ON, date(2026, 10, 15)):
        stale = replace(agreement(), next_period_on=begun)
        assert default_effect(AUTOTASK, ON, stale).day == NEXT_MONTH


def test_an_agreement_that_ends_before_the_day_says_so() -> None:
    ends = agreement(ends=date(2026, 11, 30), prorates=True)
    assert "ends on 2026-11-30" in effect_of(EffectiveWish.parse("next_period"), CONNECTWISE, ends, ON).refusal
    assert "ends on 2026-11-30" in effect_of(AS_THE_PSA_DOES, AUTOTASK, ends, ON).refusal
    last = agreement(ends=NEXT_MONTH, prorates=True)
    assert not effect_of(EffectiveWish.parse("next_period"), CONNECTWISE, last, ON).refusal


def test_only_where_quantities_have_no_dates_does_a_dated_change_make_another_line() -> None:
    making = {name for name, able in PSA_CAPABILITIES.items() if able.dated_change_makes_line}
    assert making == {IntegrationName.CONNECTWISE}


# The next invoice line


def test_the_next_invoice_has_the_target_unless_the_change_counts_only_after_it() -> None:
    bills = agreement(next_invoice_on=date(2026, 12, 5))
    before, after = Effect(EffectiveRule.DATED, date(2026, 12, 5)), Effect(EffectiveRule.DATED, date(2026, 12, 6))
    for effect in (Effect(EffectiveRule.NOW), Effect(EffectiveRule.NEXT_INVOICE), before):
        told = next_invoice_line(line(quantity="10"), bills, 12, effect)
        assert (told.on, told.quantity, told.amount) == (date(2026, 12, 5), 12, Decimal("24.00"))
    told = next_invoice_line(line(quantity="10"), bills, 12, after)
    assert (told.quantity, told.amount) == (10, Decimal("20.00"))
    told = next_invoice_line(line(quantity="10"), agreement(), 12, after)
    assert (told.on, told.quantity) == (None, 12), "no day is known, so it is the first invoice that has the change"


def test_the_invoice_before_the_change_has_what_the_steps_say_of_its_day() -> None:
    steps = (
        QuantityStep(date(2026, 11, 1), Decimal(7)),
        QuantityStep(NEXT_MONTH, Decimal(10)),
        QuantityStep(date(2027, 1, 1), Decimal(11)),
    )
    stepped = replace(line(quantity="10"), steps=steps)
    january = Effect(EffectiveRule.DATED, date(2027, 2, 1))
    for on, quantity in ((date(2026, 10, 1), 7), (ON, 7), (date(2026, 12, 5), 10), (date(2027, 1, 5), 11)):
        assert next_invoice_line(stepped, agreement(next_invoice_on=on), 20, january).quantity == quantity


def test_free_units_prices_that_are_missing_and_lines_that_are_not_billable() -> None:
    now = Effect(EffectiveRule.NOW)
    assert next_invoice_line(line(quantity="10", free="5"), agreement(), 12, now).amount == Decimal("14.00")
    assert next_invoice_line(line(quantity="10", free="50"), agreement(), 12, now).amount == 0
    assert next_invoice_line(line(price=None), agreement(), 12, now).amount is None
    assert next_invoice_line(line(billable=False), agreement(), 12, now).amount == 0
