"""A note is kept in the history with its account, and decides nothing."""

from __future__ import annotations

import pytest

from tests.usecases.office import PERSON, Office
from trueup.domain.errors import InputInvalid, NotFound
from trueup.usecases.notes import NOTE_WRITTEN, write_note


def note(month: Office, vendor_id: str, text: str) -> None:
    state = month.state
    write_note(vendor_id, text, actor=PERSON, accounts=state.accounts, history=state.history, clock=month.clock)


def test_a_note_is_in_the_history_and_changes_no_decision(month: Office) -> None:
    before = list(month.state.accounts.all())
    note(month, "V1", "  moves offices <b>in March</b> ")
    audit = list(month.state.history.all())[-1].audit
    assert (audit.action, audit.subject, audit.actor) == (NOTE_WRITTEN, "V1", PERSON)
    assert audit.why == "moves offices <b>in March</b>"
    assert list(month.state.accounts.all()) == before


@pytest.mark.parametrize("text", ["", "   ", "x" * 501])
def test_a_note_has_words_and_not_too_many(month: Office, text: str) -> None:
    events = len(list(month.state.history.all()))
    with pytest.raises(InputInvalid):
        note(month, "V1", text)
    assert len(list(month.state.history.all())) == events


def test_a_note_is_about_an_account_that_is_there(month: Office) -> None:
    with pytest.raises(NotFound):
        note(month, "V99", "who is this")
