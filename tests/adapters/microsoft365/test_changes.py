"""Going on from an earlier read: only changes are asked for, and the outcome is what a full read gives."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.simulators.directory import Kind
from tests.adapters.microsoft365.connected import BATCH, DELTA, HARBOR, QUAY, SKUS, Connected, connected, of
from tests.contracts.license_subjects import Tenant
from trueup.adapters.microsoft365.users import FULL_READ_AFTER_DAYS
from trueup.domain.licenses import MailboxKind

DAY_SECONDS = 86_400.0


def delta_queries(site: Connected) -> list[str]:
    """The queries of all delta calls: whether each began anew or went on."""
    return [
        unquote(entry.query.partition("=")[0])
        for entry in site.simulator.requests.entries
        if entry.path == DELTA and entry.method == "GET"
    ]


def test_nothing_changed_costs_two_calls_a_tenant() -> None:
    with connected((HARBOR,)) as site:
        site.keep()
        assert len(site.users()) == 5
        assert delta_queries(site) == ["$deltatoken"]
        assert (site.asked(SKUS), site.asked(BATCH, "POST")) == (1, 0)


def test_who_comes_goes_and_changes_is_merged() -> None:
    with connected((HARBOR,)) as site:
        site.keep()
        tenant = site.tenant(HARBOR)
        people = tenant.licensed()
        tenant.remove(people[:1])
        tenant.change(people[1:2], "unlicensed")
        tenant.change(people[2:3], "blocked")
        tenant.add(2)
        unlicensed = [user for user in tenant.users.values() if user.kind == "unlicensed" and user.number in (6, 7)]
        tenant.change(unlicensed, "user")
        users = site.users()
        assert [user.id for user in users] == sorted(tenant.user_id(user) for user in tenant.licensed())
        assert len(users) == 5 - 2 + 2 + 2
        assert [user.enabled for user in users].count(False) == 1
        assert all(user.address and user.name and user.mailbox is MailboxKind.USER for user in users)
        assert delta_queries(site) == ["$deltatoken"]


def test_changes_that_fill_pages_are_all_merged() -> None:
    with connected((HARBOR,)) as site:
        site.keep()
        site.simulator.user_page_size = 3
        site.tenant(HARBOR).add(10)
        assert len(site.users()) == 15
        assert delta_queries(site) == ["$deltatoken", "$skiptoken", "$skiptoken", "$skiptoken"]


def test_only_the_mailboxes_of_who_changed_are_asked_for_again() -> None:
    with connected((Tenant(1, HARBOR.name, 60),)) as site:
        site.keep()
        tenant = site.tenant(HARBOR)
        tenant.change(tenant.licensed()[:1], "shared")
        users = site.users()
        assert [user.mailbox for user in users].count(MailboxKind.SHARED) == 1
        assert site.asked(BATCH, "POST") == 1


@pytest.mark.parametrize(
    "trouble", [{"kind": "sync_state_lost"}, {"kind": "status", "status": 400}, {"kind": "no_last_link"}]
)
def test_a_state_that_is_gone_leads_to_a_full_read(trouble: dict[str, object]) -> None:
    with connected((HARBOR,)) as site:
        site.keep()
        site.tenant(HARBOR).add(1)
        site.simulator.faults.add(path=DELTA, query="$deltatoken", **trouble)  # type: ignore[arg-type]  # options
        assert len(site.users()) == 6
        assert delta_queries(site) == ["$deltatoken", "$select"]


def test_a_round_that_is_called_off_in_the_middle_is_begun_once_more() -> None:
    with connected((HARBOR,)) as site:
        site.simulator.user_page_size = 2
        site.simulator.faults.add("sync_state_lost", path=DELTA, query="$skiptoken")
        assert len(site.users()) == 5
        assert delta_queries(site).count("$select") == 2
        site.simulator.faults.add("sync_state_lost", path=DELTA, query="$skiptoken", times=0)
        assert "410" in site.read_harbor().failure


def test_a_state_that_expired_at_the_vendor_leads_to_a_full_read() -> None:
    with connected((HARBOR,)) as site:
        site.simulator.delta_token_days = 2
        site.keep()
        site.clock.advance(3 * DAY_SECONDS)
        assert len(site.users()) == 5
        assert delta_queries(site) == ["$deltatoken", "$select"]


def test_after_some_days_everything_and_every_mailbox_is_read_anew_however_often_it_went_on() -> None:
    with connected((HARBOR,)) as site:
        site.keep()
        shared = site.tenant(HARBOR).licensed()[0]
        # The mailbox became a shared one, which no delta query tells.
        shared.kind = "shared"
        for _ in range(FULL_READ_AFTER_DAYS - 1):
            site.clock.advance(DAY_SECONDS)
            site.keep()
        assert [user.mailbox for user in site.users()].count(MailboxKind.SHARED) == 0
        site.clock.advance(DAY_SECONDS)
        assert [user.mailbox for user in site.users()].count(MailboxKind.SHARED) == 1


def test_changes_that_do_not_add_up_to_the_licenses_in_use_are_not_believed() -> None:
    with connected((HARBOR,)) as site:
        site.keep()
        site.tenant(HARBOR).add(3)
        site.simulator.faults.add("raw", path=DELTA, body=_empty_round(site), query="$deltatoken")
        assert len(site.users()) == 8
        assert delta_queries(site) == ["$deltatoken", "$select"]
        # The mailboxes that were known stay known: only the three who came are asked for.
        assert site.asked(BATCH, "POST") == 1


def _empty_round(site: Connected) -> str:
    link = f"{site.simulator.url}{DELTA}?$deltatoken=later"
    return f'{{"value":[],"@odata.deltaLink":"{link}"}}'


def test_a_user_who_comes_without_a_name_to_keep_leads_to_a_full_read() -> None:
    with connected((HARBOR,)) as site:
        site.keep()
        site.tenant(HARBOR).add(1)
        site.simulator.faults.add("set_field", path=DELTA, query="$deltatoken", field="userPrincipalName", remove=True)
        assert len(site.users()) == 6
        assert delta_queries(site) == ["$deltatoken", "$select"]


def test_a_change_that_tells_only_what_changed_keeps_the_rest() -> None:
    with connected((HARBOR,)) as site:
        site.keep()
        tenant = site.tenant(HARBOR)
        tenant.change(tenant.licensed()[:1], "blocked")
        for field in ("userPrincipalName", "displayName", "userType", "assignedLicenses"):
            site.simulator.faults.add("set_field", path=DELTA, query="$deltatoken", field=field, remove=True)
        before = site.earlier.kept[HARBOR.id].users[0]
        after = site.users()[0]
        assert after == replace(before, enabled=False)
        assert delta_queries(site) == ["$deltatoken"]


@pytest.mark.parametrize(
    "mark",
    [
        "",
        "x",
        "1:2026-09-01:https://evil.example/v1.0/users/delta?$deltatoken=x",
        "1:2026-09-01:/v1.0/me",
        "1:2026-13-01:/v1.0/users/delta?$deltatoken=x",
        "1:2027-09-01:/v1.0/users/delta?$deltatoken=x",
        "1:2026-09-01:/v1.0/users/../../evil",
        "2:2026-09-01:/v1.0/users/delta?$deltatoken=x",
        "1:2026-09-01:/v1.0/users/delta?$deltatoken=x\r\nX-Injected: yes",
    ],
)
def test_a_mark_that_is_none_of_ours_leads_to_a_full_read(mark: str) -> None:
    with connected((HARBOR,)) as site:
        site.keep()
        site.earlier.kept[HARBOR.id] = replace(site.earlier.kept[HARBOR.id], mark=mark)
        assert len(site.users()) == 5
        assert all(entry.path != "/v1.0/me" for entry in site.simulator.requests.entries)


def test_nothing_is_gone_on_with_from_a_tenant_that_had_failed() -> None:
    with connected((HARBOR, QUAY)) as site:
        site.keep()
        kept = site.earlier.kept[QUAY.id]
        site.earlier.kept[QUAY.id] = replace(kept, users=(), failure="it was away")
        assert len(site.users(QUAY)) == 4


def test_a_failure_after_an_earlier_read_shows_none_of_its_users() -> None:
    with connected((HARBOR, QUAY)) as site:
        site.keep()
        site.simulator.faults.add("status", path=of(QUAY, SKUS), times=0, status=403)
        tenant = site.read()[QUAY.name]
        assert tenant.failure
        assert (tenant.users, tenant.mark) == ((), "")


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "user", "unlicensed", "blocked", "shared", "guest"]),
        st.integers(1, 9),
        st.integers(1, 4),
    ),
    max_size=8,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rounds=st.lists(CHANGES, min_size=1, max_size=3), page_size=st.integers(1, 6))
def test_going_on_always_gives_what_a_full_read_gives(rounds: list[list[tuple[str, int, int]]], page_size: int) -> None:
    kinds: dict[str, Kind] = {
        "user": "user",
        "unlicensed": "unlicensed",
        "blocked": "blocked",
        "shared": "shared",
        "guest": "guest",
    }
    with connected((HARBOR,)) as site:
        site.simulator.user_page_size = page_size
        site.keep()
        tenant = site.tenant(HARBOR)
        for changes in rounds:
            for what, first, count in changes:
                chosen = [
                    user for user in tenant.users.values() if first <= user.number < first + count and not user.removed
                ]
                if what == "add":
                    tenant.add(count)
                elif what == "remove":
                    tenant.remove(chosen)
                else:
                    tenant.change(chosen, kinds[what])
            going_on = site.users()
            site.keep()
            site.earlier.kept.clear()
            anew = site.read()
            assert list(anew[HARBOR.name].users) == going_on
            site.earlier.kept = {one.id: one for one in anew.values()}
