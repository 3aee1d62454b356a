"""What every state must do for the portal users: one book, whole, by version, with its history."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.contracts.state_samples import NOW, audit
from tests.contracts.test_state_contract import actions, interleaved
from tests.store_fixture import StateSubject
from trueup.domain.errors import VersionConflict
from trueup.domain.portal_readiness import DirectoryIntegration, Readiness, ReadinessState, Reason
from trueup.domain.portal_users import (
    NAME_CHARACTERS_MAXIMUM,
    PORTAL_USERS_MAXIMUM,
    AccountCheck,
    Checked,
    ChecklistItem,
    PortalBook,
    PortalUser,
    Tick,
)
from trueup.ports.state_bundle import State

READINESS = Readiness(
    ReadinessState.BLOCKED,
    Reason.ALIAS,
    "it is an alias",
    "Give the primary address instead.",
    permission="",
    primary="dana@msp.example",
    role="Full Administrator",
    has_cloud_password=False,
    warnings=("one", "two"),
    evidence=("GET /user: alias",),
)


def person(number: int, name: str = "Dana Ops") -> PortalUser:
    return PortalUser(
        name,
        f"dana{number:04d}@msp.example",
        NOW,
        "ann@example.com",
        Checked(READINESS, NOW, "ann"),
        (Tick(ChecklistItem.TWO_FACTOR, "bob", NOW),),
        NOW + timedelta(days=1),
        "bob",
    )


def check() -> AccountCheck:
    directories = (
        DirectoryIntegration("Entra ID", "m365", True, "ok", NOW, False),
        DirectoryIntegration("other"),
    )
    return AccountCheck(NOW, "ann", "CSIM00A001", directories, ("paused",), ("no domains",))


class TestPortalUsers:
    def test_there_is_an_empty_book_before_anybody_is_added(self, state: State) -> None:
        assert state.portal_users.get() == PortalBook()

    def test_a_book_comes_back_whole(self, subject: StateSubject) -> None:
        book = PortalBook().with_users([person(1), person(2)])
        saved = subject.state.portal_users.save(replace(book, check=check()), audit("added"))
        assert saved == replace(book, check=check(), version=1)
        assert subject.reopen().portal_users.get() == saved
        assert actions(subject.state) == ["added"]

    def test_directories_that_could_not_be_read_are_not_none_at_all(self, subject: StateSubject) -> None:
        for directories in (None, ()):
            book = subject.state.portal_users.get()
            subject.state.portal_users.save(replace(book, check=replace(check(), integrations=directories)), audit())
            kept = subject.reopen().portal_users.get().check
            assert kept is not None
            assert kept.integrations == directories

    def test_one_that_moved_is_refused_and_nothing_is_stored(self, state: State) -> None:
        first = state.portal_users.save(PortalBook().with_users([person(1)]), audit("added"))
        for stale in (PortalBook(), replace(first, version=9)):
            with pytest.raises(VersionConflict):
                state.portal_users.save(stale, audit("lost"))
        assert state.portal_users.get() == first
        assert actions(state) == ["added"]

    def test_as_many_as_there_may_be_with_the_longest_names_fit(self, state: State) -> None:
        people = [
            person(number, "".join(chr(0x4E00 + (number * 97 + place * 31) % 20_000) for place in range(
                NAME_CHARACTERS_MAXIMUM))) for number in range(PORTAL_USERS_MAXIMUM)
        ]  # fmt: skip
        saved = state.portal_users.save(PortalBook().with_users(people), audit("imported"))
        assert state.portal_users.get() == saved
        assert len(saved.users) == PORTAL_USERS_MAXIMUM

    def test_of_many_at_once_one_is_stored(self, state: State) -> None:
        def save(number: int) -> str:
            try:
                state.portal_users.save(PortalBook().with_users([person(number)]), audit(f"added {number}"))
            except VersionConflict:
                return "moved"
            return "saved"

        said = interleaved([lambda number=number: save(number) for number in range(4)])
        assert sorted(said) == ["moved", "moved", "moved", "saved"]
        assert state.portal_users.get().version == 1
        assert len(actions(state)) == 1
