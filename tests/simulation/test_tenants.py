"""Two tenants one after the other in one process: nothing of the first is left in what the second can reach.

Method: tenant A's clients carry a word that exists nowhere else. After A's month is over and dropped, every object that
is still alive in the process is searched for the word.
"""

from __future__ import annotations

import gc
import secrets
from dataclasses import replace

import pytest

from local.simulators import World, scaled_world
from tests.simulation.auditor import Evidence, audit
from tests.simulation.simulated import simulated
from tests.usecases.office import Office, open_office


def month_of(office: Office, word: str) -> None:
    """A whole month of two clients whose names carry the word."""
    office.client(1, f"Harbor {word} Dental", 12, "10")
    office.client(2, f"Larkspur Legal {word}", 15, "12", psa_name=f"Larkspur {word} Law")
    office.connect_both()
    office.sync()
    office.map_service()
    office.map_account("V2", "P2")
    office.finish()
    office.apply(office.approve(office.run().plan))
    office.run()


def alive_with(word: str) -> list[str]:
    """What in this process still refers to a text with the word."""
    gc.collect()
    return [
        f"{type(holder).__name__} holds {text[:40]!r}"
        for holder in gc.get_objects()
        for text in gc.get_referents(holder)
        if isinstance(text, str) and word in text and text != word
    ]


@pytest.mark.fault("A22")
def test_A22_nothing_of_a_tenant_outlives_its_month() -> None:
    word = f"canary{secrets.token_hex(4)}"
    month_of(open_office(tenant="tenant-a"), word)
    assert alive_with(word) == []


@pytest.mark.fault("A22")
def test_A22_the_search_finds_what_is_left_behind() -> None:
    word = f"canary{secrets.token_hex(4)}"
    left_behind = open_office(tenant="tenant-a")
    month_of(left_behind, word)
    assert alive_with(word) != []


@pytest.mark.fault("A22")
def test_A22_nothing_of_a_tenant_is_left_in_the_adapters() -> None:
    word = f"canary{secrets.token_hex(4)}"

    def month() -> None:
        with simulated(named(scaled_world(4, 4), word), tenant="tenant-a") as office:
            office.set_up()
            plan = office.run().plan
            if plan.ready:
                office.apply(office.approve(plan))
            office.audit()

    month()
    assert alive_with(word) == []


def named(world: World, word: str) -> World:
    for account in world.accounts.values():
        account.name = f"{word} {account.name}"
    for company in world.companies.values():
        company.name = f"{word} {company.name}"
    return world


def test_the_second_tenant_sees_its_own_numbers_and_no_word_of_the_first() -> None:
    words = [f"canary{secrets.token_hex(4)}" for _ in range(2)]
    first, second = (open_office(tenant=f"tenant-{name}") for name in "ab")
    month_of(first, words[0])
    second.client(9, "Only The Second Has It", 7, "7")
    month_of(second, words[1])
    for office, own, foreign in ((first, words[0], words[1]), (second, words[1], words[0])):
        report = audit(Evidence(office.state, policy=office.policy, foreign=[foreign]))
        report.require_sound()
        assert "I3" in report.checked
        assert any(own in entry.vendor_name for entry in office.state.accounts.all())
    assert len(list(first.state.accounts.all())) == 2
    assert len(list(second.state.accounts.all())) == 3


def test_equal_months_of_two_tenants_have_plans_of_their_own() -> None:
    plans = []
    for tenant in ("tenant-a", "tenant-b"):
        office = open_office(tenant=tenant)
        month_of(office, "same")
        plans.append(office.state.plan_index.latest()[0])
    assert plans[0].tenant != plans[1].tenant
    assert plans[0].id != plans[1].id
    assert replace(plans[0], tenant="x").checksum == replace(plans[1], tenant="x").checksum
