"""License counts on the command line: connect Microsoft 365, map tenants, say who counts, see everybody in and out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.simulators.credentials import (
    MICROSOFT365_CLIENT_ID,
    MICROSOFT365_CLIENT_SECRET,
    MICROSOFT365_TENANT_ID,
)
from local.simulators.directory import ClientTenant
from local.simulators.microsoft365 import Microsoft365Simulator
from tests.local.command_line import Machine, Said, machine, month_until_mapped


class Desk:
    """A machine with a simulated Microsoft 365 beside its vendors."""

    def __init__(self, there: Machine, microsoft365: Microsoft365Simulator) -> None:
        self.there = there
        self.microsoft365 = microsoft365

    def __call__(self, *words: str) -> Said:
        return self.there(*words, SIM_GRAPH=MICROSOFT365_CLIENT_SECRET)

    def document(self, *words: str) -> Any:
        done = self(*words, "--json")
        assert done.code in {0, 2}, done.err
        return done.document

    def connect(self) -> Said:
        return self("connect", "microsoft365", "--url", self.microsoft365.url, "--tenant-id", MICROSOFT365_TENANT_ID,
                    "--client-id", MICROSOFT365_CLIENT_ID, "--client-secret-env", "SIM_GRAPH")  # fmt: skip

    def tenant(self, number: int) -> ClientTenant:
        """The tenant of the client of that place, by name."""
        return sorted(self.microsoft365.directory.tenants.values(), key=lambda one: one.name)[number]

    def client_of(self, tenant: ClientTenant) -> str:
        found = {item["vendor_account_id"]: item for item in self.document("tenants", "list")["items"]}
        return str(found[tenant.id]["psa_account_id"])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Everything connected and read; each client's tenant has the client's name."""
    with (
        machine(tmp_path_factory.mktemp("licenses") / "home", clients=3) as there,
        Microsoft365Simulator(there.world) as microsoft365,
    ):
        desk = Desk(there, microsoft365)
        month_until_mapped(there)
        done = desk.connect()
        assert done.code == 0, done.err
        assert "Next: trueup sync" in done.out
        done = desk("sync")
        assert done.code == 0, done.err
        yield desk


def test_a_sync_reads_tenants_and_maps_equal_names(desk: Desk) -> None:
    found = desk.document("tenants", "list")
    assert found["totals"]["all"] == len(desk.microsoft365.directory.tenants)
    assert found["totals"]["mapped"] > 0
    shown = desk("tenants", "list", "--mapped")
    assert desk.tenant(0).id in shown.out
    assert "tenants:" in shown.out or "tenant:" in shown.out
    assert MICROSOFT365_CLIENT_SECRET not in desk("integrations", "--json").out


def test_a_run_shows_the_licensed_count_beside_the_others(desk: Desk) -> None:
    rows = desk.document("run")["rows"]
    licensed = [row["counts"]["licensed"] for row in rows if row["counts"]["licensed"]["state"] == "known"]
    assert licensed
    assert all(count["basis"] == "licensed_users" for count in licensed)
    shown = desk("run", "--all")
    assert "Licensed" in shown.out
    assert "licenses read" in shown.out


def test_a_tenant_is_decided_on_and_taken_back(desk: Desk, tmp_path: Path) -> None:
    tenant = desk.tenant(1)
    client = desk.client_of(tenant)
    kept = tmp_path / "tenants.csv"
    assert desk("tenants", "export", str(kept)).code == 0
    assert desk("tenants", "exclude", tenant.id, "--reason", "our own tenant").code == 0
    assert "our own tenant" in desk("tenants", "list", "--excluded").out
    assert desk("tenants", "clear", tenant.id).code == 0
    assert "Waiting for a decision (trueup tenants map" in desk("tenants", "list", "--unmapped").out
    assert desk("tenants", "map", tenant.id, client).code == 0
    assert desk("tenants", "exclude", tenant.id, "--reason", "our own tenant").code == 0
    assert desk.document("tenants", "import", str(kept))["changed"] == 1
    assert desk.client_of(tenant) == client
    kept.write_text(f"tenant_id,psa_account_id,reason\n{tenant.id},,our own\n", encoding="utf-8")
    assert desk.document("tenants", "import", str(kept))["changed"] == 1
    assert desk("tenants", "map", tenant.id, client).code == 0


def test_everybody_of_a_client_is_in_or_out_with_the_reason(desk: Desk) -> None:
    tenant = desk.tenant(0)
    client = desk.client_of(tenant)
    found = desk.document("counting", "people", client)
    assert found["users"] == len(found["items"]) == len(tenant.licensed())
    assert found["count"]["seats"] == found["users_counted"] == sum(one["counted"] for one in found["items"])
    assert all(one["reason"] for one in found["items"])
    shown = desk("counting", "people", client)
    assert "✓ in" in shown.out
    assert "by the default policy" in shown.out
    out = desk.document("counting", "people", client, "--out")
    assert [one["counted"] for one in out["items"]] == [False] * (found["users"] - found["users_counted"])


def test_a_policy_is_said_shown_and_taken_back(desk: Desk) -> None:
    client = desk.client_of(desk.tenant(0))
    before = desk.document("counting", "people", client)["count"]["seats"]
    rules = ["--minimum", str(before + 7), "--cap", "none", "--shared", "yes"]
    rules += ["--service-user", "svc-*", "--service-user", "scan@*"]
    said = desk.document("counting", "set", client, *rules, "--reason", "in the contract")
    assert (said["version"], said["minimum_seats"], said["service_users"]) == (1, before + 7, ["scan@*", "svc-*"])
    assert desk.document("counting", "people", client)["count"]["seats"] == before + 7
    shown = desk("counting", "show", client)
    assert f"at least {before + 7}" in shown.out
    assert "svc-*" in shown.out
    assert "in the contract" in shown.out
    assert client in desk("counting", "show").out
    assert desk.document("counting", "set", client, "--service-user", "", "--reason", "none any more")["version"] == 2
    assert desk.document("counting", "show", client)["policy"]["service_users"] == []
    assert desk("counting", "clear", client, "--reason", "as everybody").code == 0
    assert desk.document("counting", "people", client)["count"]["seats"] == before
    assert [one["version"] for one in desk.document("counting", "show", client)["versions"]] == [3, 2, 1]
    assert desk.document("counting", "set", "--included", "0", "--reason", "said")["psa_account_id"] is None
    assert desk("counting", "clear", "--reason", "back").code == 0


def test_a_tenant_that_cannot_be_read_fails_its_client_and_not_the_month(desk: Desk) -> None:
    tenant = desk.tenant(2)
    client = desk.client_of(tenant)

    def withdraw(access: str) -> None:
        desk.microsoft365.world.edit_directory(
            lambda directory: setattr(directory.tenants[tenant.id], "access", access)
        )

    withdraw("no_consent")
    try:
        shown = desk("sync")
        assert shown.code == 0, shown.err
        assert "1 of them could not be read" in shown.err
        found = desk.document("counting", "people", client)
        assert found["count"]["state"] == "failed"
        assert found["tenants"][0]["problem"]
        assert "could not be read" in desk("tenants", "list").out
    finally:
        withdraw("open")


def test_licenses_that_cannot_be_read_do_not_hinder_the_month(desk: Desk) -> None:
    desk.microsoft365.gdap_allowed = desk.microsoft365.contracts_allowed = False
    try:
        found = desk.document("sync")
        assert found["licenses_problem"]["remedy"]
        assert [side["side"] for side in found["run"]["sides"] if side["problem"]] == ["licenses"]
        assert "count as failed" in desk("sync").out
        done = desk("run", "--json")
        assert done.code in {0, 2}, done.err
        states = {row["counts"]["licensed"]["state"] for row in done.document["rows"]}
        assert "known" not in states
        assert "failed" in states
    finally:
        desk.microsoft365.gdap_allowed = desk.microsoft365.contracts_allowed = True


def test_a_service_says_whether_it_is_sold_by_the_user(desk: Desk) -> None:
    assert desk.document("map", "per-user", "9731", "no")["is_per_user"] is False
    assert "By user" in desk("services").out
    assert desk.document("map", "per-user", "9731", "yes")["is_per_user"] is True
