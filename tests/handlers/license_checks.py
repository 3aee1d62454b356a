"""What the events about license counts must have done: tenants decided on, policies said, counts shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.handlers.stage import ADMIN, PREPARER, Reply, Stage
from trueup.domain.accounts import VendorAccountId
from trueup.domain.integrations import Side
from trueup.domain.mapping import MappingState

KNOWN_TENANT, OPEN_TENANT = "file:EX-1", "file:EX-2"
SEATS = 44


def _client(stage: Stage) -> Any:
    """A client of the world whose name nobody else has."""
    names = [company.name for company in stage.world.companies.values()]
    return next(one for one in stage.world.companies.values() if names.count(one.name) == 1 and not one.deleted)


def a_file_of_license_counts(stage: Stage) -> dict[str, str]:
    """Two clients' numbers in place of Microsoft 365: one that the PSA knows by this name, and one that it does not."""
    rows = ["Client,Client ID,Licensed users,As of", f'"{_client(stage).name}",EX-1,{SEATS},2026-11-01']
    rows.append("Quite Another Name,EX-2,3,2026-11-01")
    content = "\n".join([*rows, ""]).encode()
    stage.ok("PUT", "/v1/files/licenses?confirm=true", raw=content, headers={"content-type": "text/csv"})
    stage.ok("PUT", "/v1/integrations/license_files", {"address": "files:licenses", "fields": {}})
    return {"example-client-id": str(_client(stage).id)}


def licenses_were_read(stage: Stage, answer: Any) -> None:
    assert answer["done"]
    assert "problem" not in answer
    assert answer["progress"]["accounts"] == 2
    read = stage.state.snapshots.latest(Side.LICENSES)
    assert read is not None
    assert (read.run_id, read.accounts) == (stage.facts["run_id"], 2)


def read_licenses(stage: Stage) -> dict[str, str]:
    """The two clients read and matched, in the run of this stage."""
    words = a_file_of_license_counts(stage)
    order = {"run_id": stage.facts["run_id"], "actor": PREPARER}
    assert stage.call("license_sync", order)["done"]
    assert stage.call("auto_matching", {"run_id": stage.facts["run_id"]})["tenants"]["mapped"] == 1
    return words


def a_policy(stage: Stage) -> dict[str, str]:
    """A client with a policy of its own, beside the one of the MSP."""
    words = read_licenses(stage)
    for scope in ("msp", words["example-client-id"]):
        if stage.ok("GET", f"/v1/counting-policies/{scope}")["versions"]:
            continue
        body = {"minimum_seats": 5, "reason": "in the contract"}
        stage.ok("PUT", f"/v1/counting-policies/{scope}", body, role="admin", person=ADMIN)
    return words


def lists_tenants(stage: Stage, answer: Reply) -> None:
    found = {item["vendor_account_id"]: item for item in answer.json["items"]}
    assert sorted(found) == [KNOWN_TENANT, OPEN_TENANT]
    assert found[KNOWN_TENANT]["mapping"] == "mapped"
    assert found[OPEN_TENANT]["mapping"] == "unmapped"


def shows_one_tenant(stage: Stage, answer: Reply) -> None:
    assert answer.json["vendor_account_id"] == KNOWN_TENANT
    assert answer.json["psa_account_id"] == str(_client(stage).id)


def _state_of(stage: Stage, tenant: str) -> MappingState:
    return stage.state.license_accounts.get(VendorAccountId(tenant)).state


def is_now(state: MappingState, tenant: str, action: str) -> Callable[[Stage, Reply], None]:
    """The check that the tenant is in that state, and that the history says so."""

    def check(stage: Stage, answer: Reply) -> None:
        assert answer.status == 200, answer.text
        assert _state_of(stage, tenant) is state
        newest = stage.state.history.page(cursor=None, limit=1).items[0].audit
        assert (newest.action, newest.actor, newest.subject) == (action, PREPARER, tenant)

    return check


def decided_on_tenants(stage: Stage, answer: Reply) -> None:
    assert answer.json == {"rows": 2, "changed": 2}
    assert _state_of(stage, KNOWN_TENANT) is MappingState.EXCLUDED
    assert _state_of(stage, OPEN_TENANT) is MappingState.MAPPED


def shows_licensed_users(stage: Stage, answer: Reply) -> None:
    found = answer.json
    assert found["count"]["seats"] == SEATS
    assert found["count"]["basis"] == "license_file"
    assert [tenant["stated"]["seats"] for tenant in found["tenants"]] == [SEATS]
    assert found["items"] == []


def lists_policies(stage: Stage, answer: Reply) -> None:
    assert answer.json["general"]["minimum_seats"] == 5
    assert [item["psa_account_id"] for item in answer.json["items"]] == [str(_client(stage).id)]


def shows_a_policy(stage: Stage, answer: Reply) -> None:
    assert answer.json["policy"]["minimum_seats"] == 5
    assert [one["version"] for one in answer.json["versions"]] == [1]
    assert answer.json["versions"][0]["by"] == ADMIN


def said_a_policy(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert (answer.json["version"], answer.json["psa_account_id"]) == (1, str(_client(stage).id))
    assert answer.json["counts_shared"] is True
    assert answer.json["service_users"] == ["svc-*"]
    assert answer.json["cap_seats"] == 60
    newest = stage.state.history.page(cursor=None, limit=1).items[0].audit
    assert (newest.action, newest.why) == ("counting policy set", "in the contract")


def took_a_policy_back(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert (answer.json["version"], answer.json["cleared"]) == (2, True)
    kept = stage.state.counting_policies.all()
    assert [(one.scope, one.cleared) for one in kept] == [("", False), (str(_client(stage).id), True)]
