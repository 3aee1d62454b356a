"""The simulated Microsoft 365 from the other end of a real socket: tokens, pages, deltas, batches, limits, a world that
changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from local.simulators import Microsoft365Simulator, World, demo_world, running, scaled_world
from local.simulators.credentials import MICROSOFT365_FIELDS, MICROSOFT365_TENANT_ID
from local.simulators.demo_directory import NO_ACCESS, NO_TENANT, OTHERS, TENANT_STORIES
from local.simulators.directory import ClientTenant

SELECTED = "id,userPrincipalName,displayName,accountEnabled,userType,assignedLicenses"


@pytest.fixture
def world() -> World:
    return demo_world()


@pytest.fixture
def simulator(world: World) -> Iterator[Microsoft365Simulator]:
    with running(Microsoft365Simulator(world)) as started:
        yield started


def named(world: World, name: str) -> ClientTenant:
    return next(one for one in world.directory.tenants.values() if one.name == name)


def ask_token(simulator: Microsoft365Simulator, tenant_id: str, **changes: str) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": MICROSOFT365_FIELDS["client_id"],
        "client_secret": MICROSOFT365_FIELDS["client_secret"],
        "scope": f"{simulator.url}/.default",
        **changes,
    }
    return requests.post(f"{simulator.url}/{tenant_id}/oauth2/v2.0/token", data=form, timeout=5)


def get(simulator: Microsoft365Simulator, tenant_id: str, path: str) -> requests.Response:
    """A call in a tenant, of a path or of a link that a page gave."""
    token = ask_token(simulator, tenant_id).json()["access_token"]
    url = path if path.startswith("http") else f"{simulator.url}/v1.0{path}"
    return requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=5)


def batch(simulator: Microsoft365Simulator, tenant_id: str, *user_ids: str) -> requests.Response:
    token = ask_token(simulator, tenant_id).json()["access_token"]
    wanted = [{"id": one, "method": "GET", "url": f"/users/{one}/mailboxSettings"} for one in user_ids]
    return requests.post(
        f"{simulator.url}/v1.0/$batch",
        json={"requests": wanted},
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    )


def delta(simulator: Microsoft365Simulator, tenant: ClientTenant, link: str = "") -> tuple[list[dict[str, Any]], str]:
    """All users of a round, and the link that the next one begins with."""
    users, url = [], link or f"/users/delta?$select={SELECTED}"
    while True:
        page = get(simulator, tenant.id, url).json()
        users += page["value"]
        if "@odata.deltaLink" in page:
            return users, page["@odata.deltaLink"]
        url = page["@odata.nextLink"]


# Tokens.


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"client_secret": "wrong"}, 401, 7000215),
        ({"client_id": "00000000-0000-4000-8000-000000000001"}, 400, 700016),
        ({"scope": "https://elsewhere.example/.default"}, 400, None),
        ({"grant_type": "password"}, 400, None),
    ],
)
def test_a_token_request_that_is_wrong_is_refused(
    simulator: Microsoft365Simulator, changes: dict[str, str], status: int, code: int | None
) -> None:
    reply = ask_token(simulator, MICROSOFT365_TENANT_ID, **changes)
    assert (reply.status_code, reply.json().get("error_codes", [None])[0]) == (status, code)


def test_a_tenant_without_consent_gives_no_token(simulator: Microsoft365Simulator, world: World) -> None:
    assert ask_token(simulator, named(world, NO_ACCESS).id).json()["error_codes"] == [700016]
    assert ask_token(simulator, "11111111-0000-4000-8000-000000000000").json()["error_codes"] == [90002]


def test_a_token_is_good_in_its_own_tenant_and_until_it_ends(simulator: Microsoft365Simulator, world: World) -> None:
    tenant = named(world, "Dunmore Architects")
    assert get(simulator, tenant.id, "/tenantRelationships/delegatedAdminCustomers").status_code == 403
    assert get(simulator, MICROSOFT365_TENANT_ID, "/subscribedSkus").status_code == 403
    token = ask_token(simulator, tenant.id).json()["access_token"]
    simulator.expire_tokens()
    reply = requests.get(
        f"{simulator.url}/v1.0/subscribedSkus", headers={"Authorization": f"Bearer {token}"}, timeout=5
    )
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


# Lists.


@pytest.mark.parametrize(
    ("path", "key"), [("/tenantRelationships/delegatedAdminCustomers?$top=7", "tenantId"), ("/contracts", "customerId")]
)
def test_clients_come_in_pages(simulator: Microsoft365Simulator, world: World, path: str, key: str) -> None:
    simulator.customer_page_size = 20
    found, url = [], path
    while url:
        page = get(simulator, MICROSOFT365_TENANT_ID, url).json()
        found += [row[key] for row in page["value"]]
        url = page.get("@odata.nextLink", "")
    assert found == list(world.directory.tenants)


def test_a_link_to_elsewhere_is_offered_on_order(simulator: Microsoft365Simulator) -> None:
    simulator.customer_page_size = 5
    simulator.faults.add("link_elsewhere", path="/v1.0/*")
    page = get(simulator, MICROSOFT365_TENANT_ID, "/contracts").json()
    assert page["@odata.nextLink"].startswith("https://elsewhere.example/")


def test_licenses_name_their_tenant_and_add_up(simulator: Microsoft365Simulator, world: World) -> None:
    tenant = named(world, "Foxglove Interiors")
    skus = get(simulator, tenant.id, "/subscribedSkus").json()["value"]
    assert {sku["accountId"] for sku in skus} == {tenant.id}
    assert sum(sku["consumedUnits"] for sku in skus) == len(tenant.licensed())


# Delta queries.


def test_a_round_holds_everyone_and_the_next_one_only_what_changed(
    simulator: Microsoft365Simulator, world: World
) -> None:
    tenant = named(world, "Quillhaven Publishing")
    users, link = delta(simulator, tenant)
    assert len(users) == len(tenant.users)
    assert set(users[0]) == set(SELECTED.split(","))
    assert delta(simulator, tenant, link)[0] == []
    gone, blocked = tenant.licensed()[:2]
    world.edit_directory(lambda directory: (tenant.remove([gone]), tenant.change([blocked], "blocked")))
    (coming,) = tenant.add(1)
    changed, later = delta(simulator, tenant, link)
    by_id = {user["id"]: user for user in changed}
    assert set(by_id) == {tenant.user_id(gone), tenant.user_id(blocked), coming}
    assert by_id[tenant.user_id(gone)]["@removed"] == {"reason": "changed"}
    assert by_id[tenant.user_id(blocked)]["accountEnabled"] is False
    assert delta(simulator, tenant, later)[0] == []


def test_a_state_is_lost_on_order_by_age_and_in_another_tenant(simulator: Microsoft365Simulator, world: World) -> None:
    tenant, other = named(world, "Foxglove Interiors"), named(world, "Dunmore Architects")
    _, link = delta(simulator, tenant)
    assert get(simulator, other.id, link).status_code == 410
    simulator.faults.add("sync_state_lost", path="/v1.0/users/delta")
    reply = get(simulator, tenant.id, link)
    assert (reply.status_code, reply.json()["error"]["code"]) == (410, "syncStateNotFound")
    simulator.delta_token_days = -1
    assert get(simulator, tenant.id, link).status_code == 410


def test_the_last_link_is_left_out_on_order(simulator: Microsoft365Simulator, world: World) -> None:
    simulator.faults.add("no_last_link", path="/v1.0/*")
    page = get(simulator, named(world, "Foxglove Interiors").id, "/users/delta").json()
    assert not {"@odata.deltaLink", "@odata.nextLink"} & set(page)


# Batches.


def test_a_batch_answers_each_request_for_itself(simulator: Microsoft365Simulator, world: World) -> None:
    tenant = named(world, "Dunmore Architects")
    (shared,), (nobody,) = tenant.add(1, "shared"), tenant.add(1, "unlicensed")
    stranger = "11111111-0000-4000-8000-000000000000"
    replies = {one["id"]: one for one in batch(simulator, tenant.id, shared, nobody, stranger).json()["responses"]}
    assert replies[shared]["body"]["userPurpose"] == "shared"
    assert replies[nobody]["body"]["error"]["code"] == "MailboxNotEnabledForRESTAPI"
    assert replies[stranger]["status"] == 404
    simulator.faults.add("rate_limited", path=f"/v1.0/users/{shared}/mailboxSettings", retry_after="7")
    limited = {one["id"]: one for one in batch(simulator, tenant.id, shared, nobody).json()["responses"]}
    assert (limited[shared]["status"], limited[shared]["headers"]["Retry-After"]) == (429, "7")
    assert limited[nobody]["status"] == 404
    simulator.faults.add("reply_missing", path="/v1.0/*")
    assert len(batch(simulator, tenant.id, shared, nobody).json()["responses"]) == 1


def test_a_batch_that_is_too_large_or_repeats_an_id_is_refused(simulator: Microsoft365Simulator, world: World) -> None:
    tenant = named(world, "Dunmore Architects")
    ids = [tenant.user_id(user) for user in tenant.licensed()]
    assert batch(simulator, tenant.id, *ids[:2], ids[0]).status_code == 400
    assert batch(simulator, tenant.id, *(f"{number}" for number in range(21))).status_code == 400


# Limits.


def test_a_tenant_that_used_up_its_units_is_told_how_long_to_wait(
    simulator: Microsoft365Simulator, world: World
) -> None:
    seconds = [0.0]
    simulator.monotonic = lambda: seconds[0]
    simulator.units_of_tenant = 4
    busy, other = named(world, "Dunmore Architects"), named(world, "Foxglove Interiors")
    assert get(simulator, busy.id, "/subscribedSkus").headers["x-ms-resource-unit"] == "3"
    limited = get(simulator, busy.id, "/subscribedSkus")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "5")
    assert limited.headers["x-ms-throttle-scope"].startswith("Tenant_Application/")
    assert get(simulator, other.id, "/subscribedSkus").status_code == 200
    seconds[0] = 5.0
    assert get(simulator, busy.id, "/subscribedSkus").status_code == 200


@pytest.mark.parametrize("switch", ["units_of_application", "requests_of_application"])
def test_the_application_has_limits_over_all_tenants(
    simulator: Microsoft365Simulator, world: World, switch: str
) -> None:
    simulator.monotonic = lambda: 0.0
    setattr(simulator, switch, 3 if switch == "units_of_application" else 1)
    assert get(simulator, named(world, "Dunmore Architects").id, "/subscribedSkus").status_code == 200
    limited = get(simulator, named(world, "Foxglove Interiors").id, "/subscribedSkus")
    assert limited.status_code == 429
    assert limited.headers["x-ms-throttle-scope"].startswith("Application/")


# The world.


def test_the_third_leg_of_the_demo_is_the_same_from_the_same_seed_and_survives_being_saved(tmp_path: Path) -> None:
    world = demo_world()
    assert world.directory.as_json() == demo_world().directory.as_json()
    names = {tenant.name for tenant in world.directory.tenants.values()}
    assert not names & set(NO_TENANT)
    assert names >= {*TENANT_STORIES, NO_ACCESS, *(name for name, _ in OTHERS)}
    world.edit_directory(lambda directory: directory.drift(5))
    world.save(tmp_path / "world.json")
    assert World.load(tmp_path / "world.json").directory.as_json() == world.directory.as_json()


def test_a_month_that_passes_is_the_same_from_the_same_seed() -> None:
    one, other = demo_world().directory, demo_world().directory
    assert one.drift(11, 0.5) == other.drift(11, 0.5) != []
    assert one.as_json() == other.as_json()
    assert one.drift(12, 0.0) == []


def test_a_person_changes_licenses_and_access_over_the_control_route(
    simulator: Microsoft365Simulator, world: World
) -> None:
    tenant = named(world, "Dunmore Architects")
    control = f"{simulator.url}/_control/state"

    def edit(**change: object) -> int:
        return requests.post(control, json=change, timeout=5).status_code

    assert edit(operation="set_licensed_users", code=tenant.account_code, count=33) == 204
    assert len(tenant.people()) == 33
    assert edit(operation="set_tenant_access", code=tenant.account_code, access="gone") == 204
    assert ask_token(simulator, tenant.id).status_code == 400
    assert edit(operation="set_tenant_access", code=tenant.account_code, access="x") == 400
    assert edit(operation="set_licensed_users", code="CSIM99", count=3) == 400
    assert edit(operation="drift_licenses", seed=3, share=1.0) == 204


def test_a_large_world_carries_no_users_that_nobody_asked_for(tmp_path: Path) -> None:
    world = scaled_world(30)
    with running(Microsoft365Simulator(world)) as simulator:
        assert "directory" not in world.as_json()
        assert len(get(simulator, MICROSOFT365_TENANT_ID, "/contracts").json()["value"]) == 30
        assert len(world.as_json()["directory"]) == 30
