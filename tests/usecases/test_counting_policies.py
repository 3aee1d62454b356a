"""Saying who counts: versions, clients of their own, and everybody of a client in or out with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.licenses import licensed_user
from tests.usecases.office import PERSON, Office, open_office
from trueup.domain.billing import PsaAccountId
from trueup.domain.counting_policy import DEFAULT_POLICY, CountingPolicy
from trueup.domain.counts import Failed, Known
from trueup.domain.errors import InputInvalid, NotConnected, NotFound
from trueup.domain.integrations import IntegrationName
from trueup.domain.licenses import MailboxKind, UserKind
from trueup.usecases import counting, mapping
from trueup.usecases.month import read_and_match
from trueup.usecases.monthly_run import end_run


@pytest.fixture
def office() -> Office:
    """Two clients with a tenant each, everything read."""
    office = open_office()
    for number, name in enumerate(("Harbor Dental Group", "Larkspur Legal"), start=1):
        office.client(number, name, 10, "10")
        office.licenses.add_tenant(f"t-{number}", name, 3)
    office.set_up()
    office.connect_licenses()
    read(office)
    return office


def read(office: Office) -> None:
    office.clock.advance(60)
    run = office.begin()
    read_and_match(run, office.systems, actor=PERSON)
    end_run(run.id, runs=office.state.runs, clock=office.clock)


def say(office: Office, client: str = "", reason: str = "in the contract", **rules: Any) -> CountingPolicy:
    state = office.state
    return counting.set_policy(
        client,
        rules,
        reason=reason,
        actor=PERSON,
        counting_policies=state.counting_policies,
        snapshots=state.snapshots,
        clock=office.clock,
    )


def clear(office: Office, client: str = "") -> CountingPolicy:
    state = office.state
    return counting.clear_policy(
        client,
        reason="as everybody",
        actor=PERSON,
        counting_policies=state.counting_policies,
        snapshots=state.snapshots,
        clock=office.clock,
    )


def in_force(office: Office, client: str = "") -> counting.PolicyInForce:
    state = office.state
    return counting.policy_in_force(client, counting_policies=state.counting_policies, snapshots=state.snapshots)


def people(office: Office, client: str = "P1") -> counting.LicensedPeople:
    state = office.state
    return counting.licensed_people(
        client,
        integrations=state.integrations,
        snapshots=state.snapshots,
        license_accounts=state.license_accounts,
        counting_policies=state.counting_policies,
    )


def test_what_is_not_said_stays_as_it_is_in_force(office: Office) -> None:
    assert in_force(office).policy == DEFAULT_POLICY
    first = say(office, minimum_seats=5, counts_shared=True)
    second = say(office, minimum_seats=6)
    assert (first.version, second.version) == (1, 2)
    assert (second.minimum_seats, second.counts_shared, second.by) == (6, True, PERSON)
    assert in_force(office).versions == (second, first)
    assert in_force(office).policy == second


def test_a_client_begins_with_the_policy_of_the_msp_and_then_has_its_own(office: Office) -> None:
    say(office, minimum_seats=5)
    own = say(office, "P1", cap_seats=9)
    assert (own.scope, own.version, own.minimum_seats, own.cap_seats) == ("P1", 1, 5, 9)
    say(office, minimum_seats=7)
    assert in_force(office, "P1").policy == own
    assert in_force(office, "P2").policy.minimum_seats == 7
    assert in_force(office, "P2").versions == ()


def test_a_policy_is_taken_back_and_every_version_stays_readable(office: Office) -> None:
    say(office, minimum_seats=5)
    own = say(office, "P1", minimum_seats=9)
    gone = clear(office, "P1")
    assert (gone.version, gone.cleared, gone.reason) == (2, True, "as everybody")
    assert in_force(office, "P1").policy.minimum_seats == 5
    assert in_force(office, "P1").versions == (gone, own)
    again = say(office, "P1", counts_guests=True)
    assert (again.version, again.minimum_seats, again.cleared) == (3, 5, False)
    with pytest.raises(NotFound):
        clear(office, "P2")
    clear(office)
    assert in_force(office, "P2").policy == DEFAULT_POLICY
    with pytest.raises(NotFound):
        clear(office)


def test_the_history_says_what_was_said_and_why(office: Office) -> None:
    say(office, minimum_seats=5, service_users=("svc-*", "scan@*"), counts_blocked=True)
    say(office, minimum_seats=0, service_users=(), counts_blocked=False)
    clear(office)
    events = [event.audit for event in office.state.history.all()][-3:]
    assert [event.action for event in events] == [
        "counting policy set",
        "counting policy set",
        "counting policy cleared",
    ]
    assert events[0].after == "counts_blocked yes; minimum_seats 5; service_users scan@*, svc-*"
    assert (events[0].before, events[0].why, events[0].subject) == ("", "in the contract", "MSP")
    assert (events[1].before, events[1].after) == (events[0].after, "the defaults")
    assert events[2].after == "none"


@pytest.mark.parametrize(
    ("client", "rules", "field"),
    [
        ("", {}, "rules"),
        ("", {"version": 7}, "version"),
        ("", {"scope": "P2"}, "scope"),
        ("", {"minimum_seats": -1}, "minimum_seats"),
        ("", {"service_users": ("*",)}, "service_users"),
        ("P9", {"minimum_seats": 1}, "psa_account_id"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_stored(
    office: Office, client: str, rules: dict[str, Any], field: str
) -> None:
    with pytest.raises(InputInvalid) as refused:
        say(office, client, **rules)
    assert refused.value.field == field
    assert office.state.counting_policies.all() == ()
    with pytest.raises(InputInvalid):
        say(office, reason=" ", minimum_seats=3)


def test_policies_of_clients_of_another_psa_are_not_those_of_this_one(office: Office) -> None:
    own = say(office, "P1", minimum_seats=9)
    office.change_psa(IntegrationName.HALOPSA)
    read(office)
    assert in_force(office, "P1").policy == DEFAULT_POLICY
    assert say(office, "P1", minimum_seats=2).version == 1
    assert office.state.counting_policies.versions(own.psa_system, "P1") == (own,)


# Who counts


def test_everybody_of_a_client_is_listed_in_or_out(office: Office) -> None:
    office.licenses.set_users(
        "t-1",
        licensed_user("ann"),
        licensed_user("desk", mailbox=MailboxKind.SHARED, enabled=False),
        licensed_user("guest", kind=UserKind.GUEST),
    )
    read(office)
    found = people(office)
    assert (found.client_name, found.counted.count.state) == ("Harbor Dental Group", "known")
    assert {one.user.id: (one.is_counted, one.reason) for one in found.counted.users} == {
        "ann": (True, "has O365_BUSINESS_PREMIUM"),
        "desk": (False, "a shared mailbox"),
        "guest": (False, "a guest"),
    }
    say(office, "P1", counts_shared=True)
    assert sum(one.is_counted for one in people(office).counted.users) == 2


def test_several_tenants_are_listed_together_and_a_failed_one_says_why(office: Office) -> None:
    office.licenses.add_tenant("t-3", "Something Else", 2)
    read(office)
    mapping.map_account(
        "t-3",
        "P1",
        actor=PERSON,
        accounts=office.state.license_accounts,
        snapshots=office.state.snapshots,
        clock=office.clock,
        what=mapping.TENANT,
    )
    found = people(office)
    assert isinstance(found.counted.count, Known)
    assert (found.counted.count.seats, len(found.counted.users)) == (5, 5)
    office.licenses.fails("t-3", "consent was withdrawn")
    read(office)
    again = people(office)
    assert isinstance(again.counted.count, Failed)
    assert [tenant.failure for tenant in again.counted.tenants] == ["", "consent was withdrawn"]


def test_nobody_is_listed_without_a_tenant_or_a_read(office: Office) -> None:
    for entry in office.state.license_accounts.all():
        office.state.license_accounts.save([replace(entry, psa_id=PsaAccountId("P2"))], [])
    with pytest.raises(NotFound, match="no tenant"):
        people(office)
    with pytest.raises(InputInvalid):
        people(office, "P9")
    fresh = open_office()
    fresh.client(1, "Harbor Dental Group", 10, "10")
    fresh.set_up()
    with pytest.raises(NotConnected):
        people(fresh)
    fresh.connect_licenses()
    with pytest.raises(NotFound, match="never read"):
        people(fresh)


# Services


def test_a_service_says_whether_it_is_sold_by_the_user(office: Office) -> None:
    services = office.state.services
    assert services.get(services.all()[0].service_id).is_per_user is True
    changed = mapping.set_per_user("plan", False, actor=PERSON, services=services, clock=office.clock)
    assert (changed.is_per_user, changed.product_code) == (False, "MIME-EMAIL")
    assert office.actions()[-1] == "service not sold by the user"
    assert mapping.set_per_user("plan", False, actor=PERSON, services=services, clock=office.clock) == changed
    assert office.actions().count("service not sold by the user") == 1
    read(office)
    assert services.get(changed.service_id).is_per_user is False
    with pytest.raises(NotFound):
        mapping.set_per_user("none", True, actor=PERSON, services=services, clock=office.clock)
