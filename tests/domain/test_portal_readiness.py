"""Who can be a portal user: the table of decisions, what may never be called ready, and the words beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.domain.portal_readiness import (
    AccountFacts,
    DirectoryIntegration,
    ListedUser,
    ListState,
    Profile,
    Readiness,
    ReadinessState,
    Reason,
    UserList,
    directory_warnings,
    judge,
    normalized_address,
    same_address,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DANA = "dana.ops@msp.example"
ROW = "Directories | Internal | Read"


def user(
    alias: bool | None = False, disabled: bool | None = False, address: str = DANA, source: str = ""
) -> ListedUser:
    return ListedUser(address, "Dana", alias, disabled, source)


def whole(*users: ListedUser, origin: str = "GET /users") -> UserList:
    return UserList(origin, ListState.WHOLE, users)


def broken(*users: ListedUser) -> UserList:
    return UserList("POST /list", ListState.INCOMPLETE, users, trouble="it does not end")


def refused(permission: str = ROW) -> UserList:
    return UserList("POST /list", ListState.REFUSED, trouble="status 403", permission=permission)


def judged(
    *lists: UserList, domains: frozenset[str] | None = frozenset({"msp.example"}), address: str = DANA, **facts: object
) -> Readiness:
    return judge(address, AccountFacts(lists, domains, **facts), now=NOW)  # type: ignore[arg-type]


DECISIONS: list[tuple[str, Sequence[UserList], ReadinessState, Reason]] = [
    ("primary and enabled", [whole(user())], ReadinessState.READY, Reason.READY),
    ("an alias", [whole(user(alias=True))], ReadinessState.BLOCKED, Reason.ALIAS),
    ("a disabled alias", [whole(user(alias=True, disabled=True))], ReadinessState.BLOCKED, Reason.ALIAS),
    ("disabled", [whole(user(disabled=True))], ReadinessState.BLOCKED, Reason.DISABLED),
    ("not there", [whole()], ReadinessState.BLOCKED, Reason.MISSING),
    ("no permission", [refused()], ReadinessState.UNKNOWN, Reason.PERMISSION_MISSING),
    ("no permission twice", [refused(), refused()], ReadinessState.UNKNOWN, Reason.PERMISSION_MISSING),
    ("no list at all", [refused("")], ReadinessState.UNKNOWN, Reason.LIST_INCOMPLETE),
    ("nothing was asked", [], ReadinessState.UNKNOWN, Reason.LIST_INCOMPLETE),
    ("both say primary", [whole(user()), whole(user(disabled=None))], ReadinessState.READY, Reason.READY),
    ("one says alias", [whole(user()), whole(user(alias=True, disabled=None))], ReadinessState.UNKNOWN,
     Reason.DISAGREEMENT),
    ("one does not list", [whole(user()), whole()], ReadinessState.UNKNOWN, Reason.DISAGREEMENT),
    ("the other does not list", [whole(), whole(user(disabled=None))], ReadinessState.UNKNOWN, Reason.DISAGREEMENT),
    ("one says disabled", [whole(user()), whole(user(disabled=True))], ReadinessState.UNKNOWN, Reason.DISAGREEMENT),
    ("a disabled one is not on the other", [whole(user(disabled=True)), whole()], ReadinessState.UNKNOWN,
     Reason.DISAGREEMENT),
    ("twice in one list", [whole(user(), user(alias=True))], ReadinessState.UNKNOWN, Reason.DISAGREEMENT),
    ("one is refused", [whole(user()), refused()], ReadinessState.READY, Reason.READY),
    ("met, then it broke off", [broken(user())], ReadinessState.READY, Reason.READY),
    ("an alias, then it broke off", [broken(user(alias=True))], ReadinessState.BLOCKED, Reason.ALIAS),
    ("not met before it broke off", [broken()], ReadinessState.UNKNOWN, Reason.LIST_INCOMPLETE),
    ("one whole, one broke off", [whole(), broken()], ReadinessState.UNKNOWN, Reason.LIST_INCOMPLETE),
    ("listed, the other broke off", [whole(user()), broken()], ReadinessState.READY, Reason.READY),
    ("broken, refused", [broken(), refused()], ReadinessState.UNKNOWN, Reason.LIST_INCOMPLETE),
    ("alias not told", [whole(user(alias=None))], ReadinessState.UNKNOWN, Reason.NOT_TOLD),
    ("disabled not told", [whole(user(disabled=None)), refused()], ReadinessState.UNKNOWN, Reason.NOT_TOLD),
    ("disabled not told by what broke off", [whole(user(disabled=None)), broken()], ReadinessState.UNKNOWN,
     Reason.LIST_INCOMPLETE),
]  # fmt: skip


class TestDecisions:
    @pytest.mark.parametrize(("name", "lists", "state", "reason"), DECISIONS, ids=[one[0] for one in DECISIONS])
    def test_the_table(self, name: str, lists: Sequence[UserList], state: ReadinessState, reason: Reason) -> None:
        found = judged(*lists)
        assert (found.state, found.reason) == (state, reason)
        assert found.words
        assert bool(found.fix) is (state is not ReadinessState.READY), "what is not ready says what to do"
        assert len(found.evidence) == len(lists)

    def test_every_reason_is_in_the_table(self) -> None:
        elsewhere = {Reason.WRONG_DOMAIN, Reason.NOT_LISTED}
        assert {reason for _, _, _, reason in DECISIONS} | elsewhere == set(Reason)

    @pytest.mark.parametrize(
        ("domains", "reason"),
        [
            (frozenset({"msp.example"}), Reason.MISSING),
            (frozenset({"other.example"}), Reason.WRONG_DOMAIN),
            (frozenset({"example"}), Reason.WRONG_DOMAIN),
            (frozenset[str](), Reason.WRONG_DOMAIN),
            (None, Reason.NOT_LISTED),
        ],
    )
    def test_who_is_not_listed_is_blocked_by_the_domain(self, domains: frozenset[str] | None, reason: Reason) -> None:
        found = judged(whole(), domains=domains)
        assert (found.state, found.reason) == (ReadinessState.BLOCKED, reason)

    def test_the_missing_permission_is_named_once(self) -> None:
        found = judged(refused(), refused())
        assert found.permission == ROW
        assert found.words.count(ROW) == 1
        assert ROW in found.fix
        assert judged(whole(user(disabled=None)), refused()).permission == ROW

    def test_the_primary_of_an_alias_is_told(self) -> None:
        found = judged(whole(user(alias=True)), primaries={DANA: "dana@msp.example"})
        assert found.primary == "dana@msp.example"
        assert "dana@msp.example" in found.fix
        assert judged(whole(user(alias=True))).primary == ""

    @pytest.mark.parametrize("typed", [DANA, DANA.upper(), f"  {DANA}\t", "Dana.Ops@MSP.Example\n"])
    def test_addresses_are_compared_trimmed_and_in_lower_case(self, typed: str) -> None:
        assert judged(whole(user(address=" DANA.Ops@msp.EXAMPLE ")), address=typed).state is ReadinessState.READY
        assert same_address(typed, DANA)

    def test_neighbors_are_somebody_else(self) -> None:
        for other in ("dana.ops@msp.example.org", "adana.ops@msp.example", "dana-ops@msp.example"):
            assert judged(whole(user(address=other))).reason is Reason.MISSING

    def test_the_profile_comes_with_the_judgment(self) -> None:
        found = judged(whole(user()), profiles={DANA: Profile("Full Administrator", True)})
        assert (found.role, found.has_cloud_password) == ("Full Administrator", True)


LISTED = st.builds(
    ListedUser, st.sampled_from([DANA, DANA.upper()]), st.just("x"), st.sampled_from([True, False, None]),
    st.sampled_from([True, False, None]),
)  # fmt: skip
LISTS = st.lists(
    st.builds(UserList, st.just("list"), st.sampled_from(ListState), st.lists(LISTED, max_size=3).map(tuple)),
    max_size=3,
)


@given(LISTS, st.none() | st.just(frozenset({"msp.example"})))
def test_ready_rests_on_every_fact_and_on_no_contradiction(
    lists: list[UserList], domains: frozenset[str] | None
) -> None:
    found = judged(*lists, domains=domains)
    answered = [one for one in lists if one.state is not ListState.REFUSED]
    said = [one for each in answered for one in each.users]
    if found.state is ReadinessState.READY:
        assert {one.is_alias for one in said} - {None} == {False}
        assert {one.is_disabled for one in said} - {None} == {False}
        assert all(one.users for one in answered if one.state is ListState.WHOLE)
    if found.reason in {Reason.MISSING, Reason.NOT_LISTED, Reason.WRONG_DOMAIN}:
        assert answered
        assert all(one.state is ListState.WHOLE and not one.users for one in answered)
    assert (found.state is ReadinessState.READY) == (found.reason is Reason.READY)


class TestDirectories:
    WELL = DirectoryIntegration("Entra ID", "m365", True, "ok", NOW - timedelta(hours=5), False)

    @pytest.mark.parametrize(
        ("directory", "word"),
        [
            (DirectoryIntegration("Entra ID", is_enabled=False, status="ok"), "disabled"),
            (DirectoryIntegration("Entra ID", is_enabled=True, status="error"), "reports error"),
            (DirectoryIntegration("Entra ID", is_enabled=None, status="auth_failed"), "reports auth_failed"),
            (DirectoryIntegration("Entra ID", status="ok", last_sync_at=NOW - timedelta(days=3)), "2026-11-19"),
        ],
    )
    def test_one_that_is_not_well_is_a_warning(self, directory: DirectoryIntegration, word: str) -> None:
        (warning,) = directory_warnings((self.WELL, directory), now=NOW)
        assert word in warning
        assert "Entra ID" in warning

    @pytest.mark.parametrize(
        "directory",
        [
            WELL,
            DirectoryIntegration("Entra ID"),
            DirectoryIntegration("Entra ID", status=" OK "),
            DirectoryIntegration("Entra ID", last_sync_at=NOW - timedelta(days=9), is_running=True),
        ],
    )
    def test_one_that_is_well_or_says_nothing_is_none(self, directory: DirectoryIntegration) -> None:
        assert directory_warnings((directory,), now=NOW) == []

    def test_no_directory_and_directories_that_cannot_be_read_are_two_things(self) -> None:
        assert directory_warnings(None, now=NOW) == []
        (warning,) = directory_warnings((), now=NOW)
        assert "cloud password" in warning

    def test_removals_are_paused_by_one_that_is_off_or_fails(self) -> None:
        for directory in (DirectoryIntegration("A", is_enabled=False), DirectoryIntegration("A", status="failed")):
            (warning,) = directory_warnings((directory,), now=NOW)
            assert "pauses removals" in warning

    def test_who_waits_for_a_directory_that_is_off_is_told(self) -> None:
        off = (DirectoryIntegration("A", is_enabled=False),)
        assert judged(whole(), integrations=off).warnings
        assert judged(whole(user()), integrations=off).warnings == ()

    def test_a_hostile_name_of_a_directory_is_spelled_out(self) -> None:
        (warning,) = directory_warnings((DirectoryIntegration("A\u202e\r\nB", is_enabled=False),), now=NOW)
        assert warning.isprintable()

    def test_who_may_have_no_way_to_sign_in_is_a_warning(self) -> None:
        def warned(source: str, password: bool | None, integrations: tuple[DirectoryIntegration, ...] | None) -> bool:
            facts = AccountFacts((whole(user(source=source)),), None, integrations, {DANA: Profile("", password)})
            return bool(judge(DANA, facts, now=NOW).warnings)

        off = (DirectoryIntegration("A", is_enabled=False),)
        assert warned("cloud", False, ())
        assert warned("cloud", False, off)
        assert not warned("cloud", True, ())
        assert not warned("cloud", None, ())
        assert not warned("", False, ())
        assert not warned("LDAP", False, ())
        assert not warned("cloud", False, None)
        assert not warned("cloud", False, (self.WELL,))


@given(st.text())
def test_normalizing_twice_changes_nothing_for_plain_letters(text: str) -> None:
    once = normalized_address(text)
    assert normalized_address(once) == once
