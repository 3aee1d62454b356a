"""What not every PSA can do: changes that count from a day, lines that are made, and one client read alone. Run for
those whose capabilities say so.

Method: as in test_psa_contract; each step of a change is lost once, and the same call again must finish it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tests.contracts.psa_subjects import Kind, Scene, Subject, a_line, an_account, an_agreement
from tests.contracts.test_psa_contract import (
    AWARENESS,
    EMAIL,
    HARBOR,
    LINE,
    MANAGED,
    SCENE,
    Opened,
    opened,
    read_whole,
    reference_of,
    with_traits,
)
from trueup.domain.billing import AgreementId, AgreementState, Line, NewLine, ProductId, WriteOutcome, WriteResult
from trueup.domain.counts import Seats
from trueup.domain.effective import EffectiveRule
from trueup.domain.errors import InputInvalid, ResourceAbsent, VendorTrouble, VendorUnavailable

__all__ = ["opened"]

TODAY = date(2026, 9, 1)
DAY = date(2026, 11, 1)
EMPTY_AGREEMENT = Scene((HARBOR,), (MANAGED,), (), (EMAIL, AWARENESS))


def _dates(kind: Kind) -> bool:
    return kind.traits is not None and EffectiveRule.DATED in kind.traits.capabilities.rules


def _by_second_line(kind: Kind) -> bool:
    return _dates(kind) and kind.traits is not None and not kind.traits.capabilities.delta_write


def _by_day(kind: Kind) -> bool:
    return _dates(kind) and kind.traits is not None and kind.traits.capabilities.delta_write


def _calls_back(kind: Kind) -> bool:
    return kind.traits is not None and kind.traits.capabilities.callbacks


def _makes_lines(kind: Kind) -> bool:
    return kind.traits is not None and kind.traits.capabilities.creates_lines


with_dates = with_traits(_dates)
without_dates = with_traits(lambda kind: kind.traits is not None and not _dates(kind))
with_a_second_line = with_traits(_by_second_line)
with_quantities_by_day = with_traits(_by_day)
makes_lines = with_traits(_makes_lines)
calls_back = with_traits(_calls_back)


def change_from(subject: Subject, day: date, target: int = 15, *, version: str = "") -> WriteResult:
    """Ask for the scene's first line to have the target from that day on."""
    result = subject.psa.set_quantity(
        reference_of(subject.holds.lines[0]),
        expected=Decimal(12),
        expected_version=version,
        target=Seats(target),
        effective=day,
    )
    assert result.reason
    return result


def quantity_on(subject: Subject, day: date) -> Decimal:
    """What all lines of the product together bill on that day."""
    billed = Decimal(0)
    for line in read_whole(subject).lines:
        if line.product_id == EMAIL.id and line.is_live(day):
            steps = [step.quantity for step in line.steps if step.starts_on <= day]
            billed += steps[-1] if steps else line.quantity
    return billed


def assert_settled(subject: Subject, target: int = 15) -> None:
    """The old quantity today, the new one from the day on, and never both."""
    assert quantity_on(subject, TODAY) == 12
    assert quantity_on(subject, DAY) == target
    assert quantity_on(subject, date(2027, 2, 1)) == target


@with_dates
@pytest.mark.parametrize("target", [15, 11, 0])
def test_a_change_from_a_day_counts_from_that_day(opened: Opened, target: int) -> None:
    subject = opened(SCENE)
    result = change_from(subject, DAY, target, version=subject.holds.lines[0].version)
    assert (result.outcome, result.quantity_seen) == (WriteOutcome.APPLIED, Decimal(target))
    assert_settled(subject, target)


@with_dates
def test_a_dated_change_that_was_done_before_sends_nothing(opened: Opened) -> None:
    subject = opened(SCENE)
    first = change_from(subject, DAY)
    sent = subject.writes_sent()
    again = change_from(subject, DAY)
    assert (again.outcome, again.line_id) == (WriteOutcome.ALREADY, first.line_id)
    assert subject.writes_sent() == sent
    assert_settled(subject)


@with_dates
def test_nothing_is_sent_when_the_quantity_moved(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.person_sets(LINE.id, 13)
    assert change_from(subject, DAY).outcome is WriteOutcome.CONFLICT
    assert subject.writes_sent() == 0


@with_dates
@pytest.mark.parametrize("committed", [True, False], ids=["after", "before"])
def test_a_lost_reply_to_the_first_step_is_finished_by_the_same_call(opened: Opened, committed: bool) -> None:
    subject = opened(SCENE)
    subject.lose_next_write_of_dated_change(committed=committed)
    outcome = change_from(subject, DAY).outcome
    assert outcome in (WriteOutcome.APPLIED, WriteOutcome.UNKNOWN)
    subject.mend()
    again = change_from(subject, DAY).outcome
    assert again is (WriteOutcome.ALREADY if outcome is WriteOutcome.APPLIED else again)
    assert again in (WriteOutcome.APPLIED, WriteOutcome.ALREADY)
    assert_settled(subject)


@with_a_second_line
@pytest.mark.parametrize("committed", [True, False], ids=["after", "before"])
def test_a_lost_reply_to_the_second_step_is_finished_by_the_same_call(opened: Opened, committed: bool) -> None:
    subject = opened(SCENE)
    subject.lose_second_step(committed=committed)
    change_from(subject, DAY)
    subject.mend()
    again = change_from(subject, DAY)
    assert again.outcome in (WriteOutcome.APPLIED, WriteOutcome.ALREADY)
    assert again.line_id is not None
    assert_settled(subject)
    assert len(read_whole(subject).lines) == 2


@with_a_second_line
def test_the_new_line_is_named_and_is_a_copy_and_the_old_one_ends_before_it(opened: Opened) -> None:
    subject = opened(SCENE)
    result = change_from(subject, DAY)
    old, new = read_whole(subject).lines
    before = subject.holds.lines[0]
    assert result.line_id == new.id
    assert (old.quantity, new.quantity, new.effective_from, new.effective_to) == (12, 15, DAY, None)
    assert old.effective_to is not None
    assert old.effective_to <= DAY
    copied = replace(new, id=old.id, quantity=old.quantity, version="", effective_from=old.effective_from)
    assert copied == replace(before, version="")


@with_a_second_line
def test_an_agreement_that_does_not_prorate_takes_no_dated_change(opened: Opened) -> None:
    subject = opened(Scene((HARBOR,), (replace(MANAGED, prorates=False),), (LINE,), (EMAIL,)))
    assert change_from(subject, DAY).outcome is WriteOutcome.REJECTED
    assert subject.writes_sent() == 0


@without_dates
def test_a_day_that_the_psa_cannot_take_is_refused_and_nothing_is_sent(opened: Opened) -> None:
    subject = opened(SCENE)
    assert refusal_of_a_day(subject) in ("effective", WriteOutcome.REJECTED)
    assert subject.writes_sent() == 0


def refusal_of_a_day(subject: Subject) -> str:
    """The outcome, or the field that is named as wrong."""
    try:
        return change_from(subject, DAY).outcome
    except InputInvalid as refused:
        return refused.field


@with_quantities_by_day
def test_a_change_without_a_day_is_refused_where_quantities_go_by_day(opened: Opened) -> None:
    subject = opened(SCENE)
    with pytest.raises(InputInvalid) as caught:
        subject.psa.set_quantity(reference_of(LINE), expected=Decimal(12), expected_version="", target=Seats(15))
    assert (caught.value.field, subject.writes_sent()) == ("effective", 0)


# Lines that are made.


def order(
    quantity: int = 7,
    *,
    agreement_id: str = MANAGED.id,
    product_id: str = AWARENESS.id,
    code: str = AWARENESS.code,
    effective: date | None = None,
) -> NewLine:
    return NewLine(HARBOR.id, AgreementId(agreement_id), ProductId(product_id), code, quantity, effective)


def lines_made(subject: Subject) -> list[Line]:
    return [line for line in read_whole(subject).lines if line.product_id == AWARENESS.id]


@makes_lines
@pytest.mark.parametrize("scene", [SCENE, EMPTY_AGREEMENT], ids=["beside another", "the first"])
def test_a_missing_line_is_made_and_named(opened: Opened, scene: Scene) -> None:
    subject = opened(scene)
    result = subject.maker.create_line(order())
    (made,) = lines_made(subject)
    assert (result.outcome, result.line_id, result.quantity_seen) == (WriteOutcome.APPLIED, made.id, 7)
    assert (made.agreement_id, made.account_id, made.quantity) == (MANAGED.id, HARBOR.id, 7)
    assert made.is_live(TODAY)
    assert made.billable
    assert read_whole(subject).lines[: len(scene.lines)] == subject.holds.lines


@makes_lines
def test_a_line_that_was_made_before_is_not_made_again(opened: Opened) -> None:
    subject = opened(SCENE)
    first = subject.maker.create_line(order())
    again = subject.maker.create_line(order())
    assert (again.outcome, again.line_id) == (WriteOutcome.ALREADY, first.line_id)
    assert len(lines_made(subject)) == 1


@makes_lines
def test_a_line_with_another_quantity_is_a_conflict(opened: Opened) -> None:
    subject = opened(Scene((HARBOR,), (MANAGED,), (LINE, a_line(88432, MANAGED, AWARENESS, "3")), (EMAIL, AWARENESS)))
    result = subject.maker.create_line(order())
    assert (result.outcome, result.quantity_seen) == (WriteOutcome.CONFLICT, Decimal(3))
    assert subject.writes_sent() == 0


@makes_lines
@pytest.mark.parametrize("committed", [True, False], ids=["after", "before"])
def test_a_lost_reply_is_never_a_second_line(opened: Opened, committed: bool) -> None:
    subject = opened(SCENE)
    subject.lose_next_creation(committed=committed)
    first = subject.maker.create_line(order()).outcome
    assert first is WriteOutcome.APPLIED or (first is WriteOutcome.UNKNOWN and not committed)
    assert len(lines_made(subject)) == int(committed)
    again = subject.maker.create_line(order()).outcome
    assert again is (WriteOutcome.ALREADY if committed else WriteOutcome.APPLIED)
    assert [line.quantity for line in lines_made(subject)] == [7]


@makes_lines
def test_a_refused_line_is_rejected(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.refuse_next_creation()
    assert subject.maker.create_line(order()).outcome is WriteOutcome.REJECTED
    assert lines_made(subject) == []


@makes_lines
@pytest.mark.parametrize(
    "wrong",
    [order(agreement_id="999"), order(product_id="999"), replace(order(), account_id=an_account(251).id)],
    ids=["no agreement", "no product", "another client's agreement"],
)
def test_a_line_that_has_no_place_is_rejected_and_nothing_is_sent(opened: Opened, wrong: NewLine) -> None:
    subject = opened(SCENE)
    assert subject.maker.create_line(wrong).outcome in (WriteOutcome.REJECTED, WriteOutcome.CONFLICT)
    assert subject.writes_sent() == 0


@makes_lines
def test_no_line_is_made_on_an_agreement_that_is_not_active(opened: Opened) -> None:
    for state in opened(SCENE).traits.states:
        agreement = an_agreement(1201, HARBOR, state)
        subject = opened(Scene((HARBOR,), (agreement,), (), (EMAIL, AWARENESS)))
        assert subject.maker.create_line(order()).outcome is WriteOutcome.REJECTED
        assert subject.writes_sent() == 0
    assert AgreementState.ACTIVE not in subject.traits.states


@makes_lines
def test_no_line_is_made_when_the_agreement_cannot_be_read(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.break_reading()
    with pytest.raises(VendorTrouble):
        subject.maker.create_line(order())
    assert subject.writes_sent() == 0


# One client alone.


@calls_back
def test_one_client_is_read_as_in_a_whole_read_and_no_other(opened: Opened) -> None:
    accounts = tuple(an_account(number) for number in range(100, 105))
    agreements = tuple(an_agreement(1000 + index, accounts[index % 5]) for index in range(10))
    lines = tuple(a_line(5000 + index, agreement, EMAIL, str(index)) for index, agreement in enumerate(agreements))
    subject = opened(Scene(accounts, agreements, lines, (EMAIL,)))
    page = subject.reader.read_account(accounts[2].id)
    whole = read_whole(subject)
    assert page.next_cursor is None
    assert page.accounts == (whole.accounts[2],)
    assert sorted(page.agreements, key=lambda one: int(one.id)) == [whole.agreements[2], whole.agreements[7]]
    assert sorted(page.lines, key=lambda one: int(one.id)) == [whole.lines[2], whole.lines[7]]


@calls_back
def test_a_client_without_agreements_is_read_as_such(opened: Opened) -> None:
    page = opened(Scene((HARBOR, an_account(251)), (MANAGED,), (LINE,), (EMAIL,))).reader.read_account(
        an_account(251).id
    )
    assert ([one.id for one in page.accounts], page.agreements, page.lines) == (["251"], (), ())


@calls_back
@pytest.mark.fault("C14")
def test_C14_a_client_that_is_gone_is_said_to_be_gone_and_not_empty(opened: Opened) -> None:
    subject = opened(SCENE)
    with pytest.raises(ResourceAbsent):
        subject.reader.read_account(an_account(999).id)


@calls_back
def test_a_client_that_cannot_be_read_is_trouble_and_not_empty(opened: Opened) -> None:
    subject = opened(SCENE)
    subject.break_reading()
    with pytest.raises(VendorUnavailable):
        subject.reader.read_account(HARBOR.id)
