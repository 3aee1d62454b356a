"""Portal users: added, imported whole or not at all, checked on the own account, ticked, invited only when ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from tests.fakes.clock import FakeClock
from tests.fakes.portal_users import PERMISSION, FakePortalAccount
from tests.fakes.state import FakeState, fake_state
from tests.usecases.office import open_office
from trueup.domain.audit import Audit
from trueup.domain.errors import (
    Conflict,
    CredentialRejected,
    InputInvalid,
    NotConnected,
    NotFound,
    StateUnavailable,
    VendorUnavailable,
    VersionConflict,
)
from trueup.domain.integrations import IntegrationName
from trueup.domain.portal_readiness import DirectoryIntegration, Reason
from trueup.domain.portal_users import PORTAL_USERS_MAXIMUM, ChecklistItem, PortalBook, PortalUser
from trueup.ports.portal_users import PortalUserReading
from trueup.usecases.opening import open_portal_users
from trueup.usecases.portal_readiness import (
    PortalUserImport,
    PortalUserRow,
    add_portal_user,
    check_portal_users,
    import_portal_users,
    mark_invited,
    remove_portal_user,
    tick_item,
)

DANA, LEE, KIM = (f"{name}@msp.example" for name in ("dana", "lee", "kim"))


@dataclass
class Office:
    """State, clock and the vendor's account, with every use case by a short name."""

    clock: FakeClock = field(default_factory=FakeClock)
    account: FakePortalAccount = field(default_factory=FakePortalAccount)

    def __post_init__(self) -> None:
        self.state: FakeState = fake_state(self.clock)

    @property
    def book(self) -> PortalBook:
        return self.state.portal_users.get()

    def add(self, address: str, name: str = "Somebody", actor: str = "ann") -> PortalUser:
        return add_portal_user(name, address, actor=actor, portal_users=self.state.portal_users, clock=self.clock)

    def take(self, *rows: tuple[str, str]) -> PortalUserImport:
        numbered = [PortalUserRow(line, name, address) for line, (name, address) in enumerate(rows, start=2)]
        return import_portal_users(
            numbered, actor="ann", portal_users=self.state.portal_users, clock=self.clock, evidence="e" * 64
        )

    def check(self) -> PortalBook:
        return check_portal_users(
            actor="bob", reading=self.account, portal_users=self.state.portal_users, clock=self.clock
        )

    def invite(self, address: str) -> PortalUser:
        return mark_invited(
            address, actor="bob", reading=self.account, portal_users=self.state.portal_users, clock=self.clock
        )

    def tick(self, address: str, *, is_done: bool = True, actor: str = "bob") -> PortalUser:
        return tick_item(
            address,
            ChecklistItem.TWO_FACTOR,
            is_done=is_done,
            actor=actor,
            portal_users=self.state.portal_users,
            clock=self.clock,
        )

    def audits(self) -> list[Audit]:
        return [event.audit for event in self.state.history.all()]

    def actions(self) -> list[str]:
        return [audit.action for audit in self.audits()]


@pytest.fixture
def office() -> Office:
    return Office()


class TestAdding:
    def test_one_is_kept_with_who_and_when(self, office: Office) -> None:
        user = office.add(" Dana@MSP.example ", " Dana  Ops")
        assert (user.address, user.name, user.added_by, user.added_at) == (DANA, "Dana Ops", "ann", office.clock.now())
        assert office.book.users == (user,)
        (audit,) = office.audits()
        assert (audit.action, audit.subject, audit.after, audit.actor) == ("portal user added", DANA, "Dana Ops", "ann")

    def test_adding_again_changes_nothing_and_another_name_keeps_the_rest(self, office: Office) -> None:
        office.account.add(DANA)
        office.add(DANA, "Dana")
        office.check()
        checked = office.book.get(DANA)
        assert office.add(DANA.upper(), "Dana") == checked
        renamed = office.add(DANA, "Dana Ops", actor="bob")
        assert (renamed.name, renamed.checked, renamed.added_by) == ("Dana Ops", checked.checked, "ann")
        assert office.actions() == ["portal user added", "portal users checked", "portal user renamed"]

    @pytest.mark.parametrize(("name", "address"), [("", DANA), ("Dana", "dana"), ("D\r\nX", DANA)])
    def test_bad_input_keeps_nothing(self, office: Office, name: str, address: str) -> None:
        with pytest.raises(InputInvalid):
            office.add(address, name)
        assert office.book == PortalBook()
        assert office.audits() == []

    def test_who_is_removed_is_gone_and_the_history_stays(self, office: Office) -> None:
        office.add(DANA)
        remove_portal_user(DANA.upper(), actor="bob", portal_users=office.state.portal_users, clock=office.clock)
        assert office.book.users == ()
        assert office.actions() == ["portal user added", "portal user removed"]
        with pytest.raises(NotFound):
            remove_portal_user(DANA, actor="bob", portal_users=office.state.portal_users, clock=office.clock)


class TestImporting:
    def test_all_rows_are_kept_in_one_step(self, office: Office) -> None:
        office.add(KIM, "Kim")
        office.add("old@msp.example", "Old")
        assert office.take(("Dana", DANA), ("Lee", LEE), ("Kim Split", KIM)) == PortalUserImport(3, 2, 1)
        assert [user.name for user in office.book.users] == ["Dana", "Kim Split", "Lee", "Old"]
        last = office.audits()[-1]
        assert (last.action, last.before, last.after, last.evidence) == (
            "portal users imported", "2 users", "4 users", "e" * 64
        )  # fmt: skip
        assert all(address in last.why for address in (DANA, LEE, KIM))

    def test_the_same_file_again_changes_nothing(self, office: Office) -> None:
        office.take(("Dana", DANA), ("Lee", LEE))
        before = office.book
        assert office.take(("Dana", DANA.upper()), ("Lee", LEE)) == PortalUserImport(2, 0, 0)
        assert office.book == before
        assert len(office.audits()) == 1

    def test_every_bad_line_is_named_and_nothing_is_kept(self, office: Office) -> None:
        rows = [("Dana", DANA), ("", LEE), ("Kim", "kim at msp"), ("Twin", DANA.upper()), ("X\nY", KIM), ("", "")]
        with pytest.raises(InputInvalid) as caught:
            office.take(*rows)
        message = caught.value.message
        assert [f"line {line}:" in message for line in range(2, 8)] == [False, True, True, True, True, True]
        assert "on line 2" in message
        assert message.isprintable()
        assert caught.value.field == "file"
        assert office.book == PortalBook()
        assert office.audits() == []

    def test_many_bad_lines_are_counted(self, office: Office) -> None:
        with pytest.raises(InputInvalid, match="and 30 more"):
            office.take(*(("", "") for _ in range(50)))

    def test_an_empty_file_and_one_that_is_too_long_are_refused(self, office: Office) -> None:
        with pytest.raises(InputInvalid):
            office.take()
        with pytest.raises(InputInvalid):
            office.take(*(("P", f"p{number}@msp.example") for number in range(PORTAL_USERS_MAXIMUM + 1)))
        assert office.book == PortalBook()

    def test_a_store_that_fails_leaves_nothing_half_written(self, office: Office) -> None:
        office.state.switches.fail("portal_users.save")
        with pytest.raises(StateUnavailable):
            office.take(("Dana", DANA), ("Lee", LEE))
        assert office.book == PortalBook()
        assert office.audits() == []
        assert office.take(("Dana", DANA), ("Lee", LEE)).added == 2


class TestChecking:
    def test_everybody_is_judged_and_the_judgment_is_kept_with_its_time(self, office: Office) -> None:
        office.account.add(DANA)
        office.account.add(LEE, disabled=True)
        office.account.add("alias@msp.example", alias=True)
        for address in (DANA, LEE, KIM, "alias@msp.example", "x@gmail.example"):
            office.add(address)
        office.clock.advance(60)
        book = office.check()
        assert book == office.book
        found = {user.address: user.checked.readiness.reason for user in book.users if user.checked is not None}
        assert found == {
            DANA: Reason.READY, LEE: Reason.DISABLED, KIM: Reason.MISSING, "alias@msp.example": Reason.ALIAS,
            "x@gmail.example": Reason.WRONG_DOMAIN,
        }  # fmt: skip
        checks = [user.checked for user in book.users if user.checked is not None]
        assert {(one.at, one.by) for one in checks} == {(office.clock.now(), "bob")}
        last = office.audits()[-1]
        assert (last.action, last.after, last.evidence) == ("portal users checked", "1 ready, 4 blocked", "CSIM00A001")
        assert "lee@msp.example (disabled)" in last.why
        assert DANA not in last.why

    def test_the_account_is_told_of_too(self, office: Office) -> None:
        office.account.integrations = (DirectoryIntegration("Entra ID", is_enabled=False),)
        office.add(DANA)
        check = office.check().check
        assert check is not None
        assert (check.account, check.by, check.at) == ("CSIM00A001", "bob", office.clock.now())
        assert check.integrations == office.account.integrations
        assert len(check.warnings) == 1

    def test_a_missing_permission_is_unknown_with_its_name(self, office: Office) -> None:
        office.account.add(DANA)
        office.account.refused = True
        office.add(DANA)
        (user,) = office.check().users
        assert user.state == "unknown"
        assert user.checked is not None
        assert user.checked.readiness.permission == PERMISSION

    def test_a_list_that_broke_off_takes_ready_back_from_nobody_it_names(self, office: Office) -> None:
        office.account.add(DANA)
        office.account.broken = True
        office.add(DANA)
        office.add(LEE)
        assert [user.state for user in office.check().users] == ["ready", "unknown"]

    @pytest.mark.parametrize(
        "error", [VendorUnavailable("away", integration="mimecast"), CredentialRejected("no", integration="mimecast")]
    )
    def test_a_check_that_fails_leaves_what_was_known(self, office: Office, error: Exception) -> None:
        office.account.add(DANA)
        office.add(DANA)
        before = office.check()
        office.account.error = error
        with pytest.raises(type(error)):
            office.check()
        assert office.book == before

    def test_nobody_to_check_is_said_and_nothing_is_asked(self, office: Office) -> None:
        with pytest.raises(Conflict):
            office.check()
        assert office.account.asked == []

    def test_what_others_do_during_a_check_is_kept(self, office: Office) -> None:
        office.account.add(DANA)
        for address in (DANA, LEE):
            office.add(address)

        def meanwhile() -> None:
            office.add(KIM, "Kim")
            office.tick(DANA)
            remove_portal_user(LEE, actor="ann", portal_users=office.state.portal_users, clock=office.clock)

        office.account.on_read = meanwhile
        book = office.check()
        assert [(user.address, user.state, len(user.ticks)) for user in book.users] == [
            (DANA, "ready", 1),
            (KIM, "unchecked", 0),
        ]

    def test_two_who_store_at_once_do_not_overwrite_each_other(self, office: Office) -> None:
        office.add(DANA)
        stale = office.book
        office.tick(DANA)
        with pytest.raises(VersionConflict):
            office.state.portal_users.save(stale, office.audits()[0])


class TestTicking:
    def test_a_tick_is_kept_with_who_and_when(self, office: Office) -> None:
        office.add(DANA)
        tick = office.tick(DANA).tick(ChecklistItem.TWO_FACTOR)
        assert tick is not None
        assert (tick.by, tick.at) == ("bob", office.clock.now())
        office.clock.advance(60)
        assert office.tick(DANA, actor="ann").tick(ChecklistItem.TWO_FACTOR) == tick
        assert office.tick(DANA, is_done=False).ticks == ()
        assert office.tick(DANA, is_done=False).ticks == ()
        assert office.actions()[1:] == ["portal checklist ticked", "portal checklist tick taken back"]

    def test_a_tick_makes_nobody_ready(self, office: Office) -> None:
        office.add(DANA)
        office.tick(DANA)
        assert not office.check().get(DANA).is_ready
        with pytest.raises(NotFound):
            office.tick(LEE)


class TestInviting:
    def test_who_is_ready_now_is_noted(self, office: Office) -> None:
        office.account.add(DANA)
        office.add(DANA)
        user = office.invite(DANA.upper())
        assert (user.invited_at, user.invited_by, user.state) == (office.clock.now(), "bob", "ready")
        assert office.account.asked == [(DANA,)]
        assert office.actions() == ["portal user added", "portal user invited"]

    @pytest.mark.parametrize(
        ("prepare", "word"),
        [
            (lambda account: account.people.clear(), "blocked"),
            (lambda account: setattr(account, "refused", True), "unknown"),
            (lambda account: account.people.__setitem__(0, account.people[1]), "blocked"),
        ],
    )
    def test_an_earlier_ready_does_not_count(
        self, office: Office, prepare: Callable[[FakePortalAccount], None], word: str
    ) -> None:
        office.account.add(DANA)
        office.account.add(LEE)
        office.add(DANA)
        assert office.check().get(DANA).is_ready
        office.clock.advance(3600)
        prepare(office.account)
        with pytest.raises(Conflict, match=word) as caught:
            office.invite(DANA)
        assert caught.value.remedy
        user = office.book.get(DANA)
        assert user.invited_at is None
        assert user.state == word
        assert office.actions()[-1] == "portal invite refused"

    def test_a_failed_check_is_no_invite(self, office: Office) -> None:
        office.account.add(DANA)
        office.add(DANA)
        office.check()
        office.account.error = VendorUnavailable("away", integration="mimecast")
        with pytest.raises(VendorUnavailable):
            office.invite(DANA)
        assert office.book.get(DANA).invited_at is None
        assert office.book.get(DANA).is_ready, "what was known stays known"

    def test_who_was_invited_stays_as_noted(self, office: Office) -> None:
        office.account.add(DANA)
        office.add(DANA)
        first = office.invite(DANA)
        office.clock.advance(timedelta(days=3).total_seconds())
        office.account.people.clear()
        assert office.invite(DANA) == first
        assert len(office.account.asked) == 1

    def test_nobody_unknown_is_asked_for(self, office: Office) -> None:
        with pytest.raises(NotFound):
            office.invite(DANA)
        assert office.account.asked == []

    def test_who_is_removed_meanwhile_is_not_invited(self, office: Office) -> None:
        office.account.add(DANA)
        office.add(DANA)
        office.account.on_read = lambda: (
            remove_portal_user(DANA, actor="ann", portal_users=office.state.portal_users, clock=office.clock), None
        )[1]  # fmt: skip
        with pytest.raises(NotFound):
            office.invite(DANA)
        assert office.book.users == ()


class TestOpening:
    @pytest.mark.parametrize("name", [None, IntegrationName.MIMECAST, IntegrationName.VENDOR_FILES])
    def test_only_mimecast_itself_has_an_account_to_look_at(self, name: IntegrationName | None) -> None:
        month = open_office()
        month.connections.portal_reading = FakePortalAccount()
        month.connections.accepted_secret = None
        if name is not None:
            month.connect(name)

        def opened() -> PortalUserReading:
            return open_portal_users(
                integrations=month.state.integrations, vault=month.vault, connections=month.connections
            )

        if name is IntegrationName.MIMECAST:
            assert opened() is month.connections.portal_reading
            return
        with pytest.raises(NotConnected, match="vendor is connected" if name is None else "only Mimecast files"):
            opened()
