"""The exported customer list: checked before it is kept, told in the history, and gone once it is forgotten."""

from __future__ import annotations

import hashlib

import pytest

from tests.usecases.office import PERSON, Office, open_office
from trueup.domain.errors import InputInvalid, StateUnavailable
from trueup.domain.integrations import IntegrationName
from trueup.domain.uploads import Upload
from trueup.usecases.customer_file import forget_customer_file, keep_customer_file, kept_customer_file

MIMECAST = IntegrationName.MIMECAST


@pytest.fixture
def office() -> Office:
    return open_office()


def keep(office: Office, content: bytes, name: IntegrationName = MIMECAST) -> Upload:
    return keep_customer_file(
        name,
        content,
        actor=PERSON,
        connections=office.connections,
        uploads=office.state.uploads,
        clock=office.clock,
    )


def kept(office: Office) -> Upload | None:
    return kept_customer_file(MIMECAST, uploads=office.state.uploads)


def forget(office: Office) -> bool:
    return forget_customer_file(MIMECAST, actor=PERSON, uploads=office.state.uploads, clock=office.clock)


def test_it_is_kept_with_its_facts_and_both_acts_are_in_the_history(office: Office) -> None:
    assert kept(office) is None
    first = keep(office, b"one\ntwo\n")
    assert kept(office) == first
    assert (first.rows, first.uploaded_at, first.uploaded_by) == (2, office.clock.now(), PERSON)
    office.clock.advance(3600)
    second = keep(office, b"one\n")
    assert kept(office) == second
    assert forget(office)
    assert kept(office) is None
    told = [event.audit for event in office.state.history.all()]
    assert [(audit.actor, audit.action, audit.subject) for audit in told] == [
        (PERSON, "customer file kept", "mimecast"),
        (PERSON, "customer file kept", "mimecast"),
        (PERSON, "customer file forgotten", "mimecast"),
    ]
    assert told[0].evidence == hashlib.sha256(b"one\ntwo\n").hexdigest()
    assert (told[1].before, told[2].before) == (told[0].after, told[1].after)
    assert told[0].after.startswith("2 customers, given 20")


def test_a_bad_file_leaves_the_one_before_and_no_trace(office: Office) -> None:
    before = keep(office, b"one\n")
    for content in (b"", b"one\nbad\n"):
        with pytest.raises(InputInvalid):
            keep(office, content)
    with pytest.raises(InputInvalid):
        keep(office, b"one\n", IntegrationName.CONNECTWISE)
    assert kept(office) == before
    assert office.actions() == ["customer file kept"]


def test_forgetting_what_was_never_kept_is_no_event(office: Office) -> None:
    assert not forget(office)
    assert office.actions() == []


def test_a_file_that_could_not_be_stored_is_not_in_the_history(office: Office) -> None:
    office.state.switches.fail("uploads.put")
    with pytest.raises(StateUnavailable):
        keep(office, b"one\n")
    assert kept(office) is None
    assert office.actions() == []
