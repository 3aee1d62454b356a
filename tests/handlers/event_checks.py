"""What each event file must have done when its function has answered, and at which point of the month it comes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.simulators import credentials
from tests.handlers import license_checks as licenses
from tests.handlers import line_checks as lines
from tests.handlers import month_checks as months
from tests.handlers import notice_checks as notices
from tests.handlers import order_checks as orders
from tests.handlers import portal_user_checks as portal_users
from tests.handlers import workflow_checks as workflow
from tests.handlers.stage import APPROVER, CALLBACK_ID, CONNECTWISE_FIELDS, PREPARER, Reply, Stage
from trueup import bootstrap
from trueup.domain.integrations import ConnectionState, IntegrationName, Side
from trueup.domain.mapping import MappingState
from trueup.domain.plan import PlanState
from trueup.domain.runs import RunState, Step

Check = Callable[[Stage, Any], None]


@dataclass(frozen=True, slots=True)
class Case:
    """``level`` of the month before the event; ``check`` gets the answer: a document, or a Reply of the portal.

    ``account`` is which vendor account stands for the one in the file: one in that state of mapping. ``prepare`` does
    what has to come before the event and says what stands for which words of the file.
    """

    level: str
    check: Check
    account: str = "unmapped"
    prepare: Callable[[Stage], dict[str, str]] = lambda stage: {}


# What each event must have done. One function each, in the order of the month.


def checked_both(stage: Stage, answer: Any) -> None:
    assert sorted(answer["checked"]) == ["connectwise", "mimecast"]
    assert answer["failing"] == []
    assert answer["monthly_run_overdue_days"] == 0
    for item in stage.state.integrations.all():
        assert (item.checked_at is not None) == (item.name.value in answer["checked"])


def checked_one(stage: Stage, answer: Any) -> None:
    assert answer["checked"] == ["mimecast"]


def vendor_was_read(stage: Stage, answer: Any) -> None:
    assert answer["done"]
    assert answer["progress"]["accounts"] == len(stage.world.accounts)
    sides = {side.side.value: side for side in stage.state.runs.get(stage.facts["run_id"]).sides}
    assert sides["vendor"].done


def psa_was_read(stage: Stage, answer: Any) -> None:
    assert answer["done"]
    assert answer["progress"]["accounts"] == len(stage.world.companies)


def names_were_matched(stage: Stage, answer: Any) -> None:
    totals = answer["accounts"]
    assert totals["all"] == len(stage.world.accounts)
    assert totals["mapped"] == answer["newly_mapped"] > 30
    assert totals["mapped"] + totals["ambiguous"] + totals["unmapped"] + totals["excluded"] == totals["all"]


def plan_was_proposed(stage: Stage, answer: Any) -> None:
    assert answer["waits_for_approval"]
    plan = stage.state.plans.get(answer["plan_id"])
    assert plan.checksum == answer["checksum"]
    assert plan.state is PlanState.PROPOSED
    run = stage.state.runs.get(stage.facts["run_id"])
    assert (run.state, run.step, run.plan_id) == (RunState.RUNNING, Step.APPROVE, plan.id), (
        "it waits from its callback on"
    )


def plan_was_applied(stage: Stage, answer: Any) -> None:
    assert answer["done"]
    results = answer["plan"]["results"]
    assert results["applied"] == answer["plan"]["ready"] > 0
    changes = {change.line_id: change for change in stage.state.plans.get(stage.facts["plan_id"]).ready}
    assert {str(write.line_id) for write in stage.world.writes} == {str(line) for line in changes}
    for line_id, change in changes.items():
        assert stage.world.additions[int(line_id)].quantity == change.target


def run_waits(stage: Stage, answer: Any) -> None:
    assert answer.state is RunState.WAITING_FOR_APPROVAL
    assert answer.plan_id


def month_applied_the_plan(stage: Stage, answer: Any) -> None:
    assert answer == {"plan_id": stage.facts["plan_id"], "state": "done"}
    assert stage.state.plans.get(stage.facts["plan_id"]).state is PlanState.APPLIED


def is_well(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200
    assert answer.json == {"status": "ok", "version": "1"}


def describes_itself(stage: Stage, answer: Reply) -> None:
    assert answer.json["openapi"].startswith("3.")
    assert "/v1/runs" in answer.json["paths"]


def lists_both_integrations(stage: Stage, answer: Reply) -> None:
    states = {item["name"]: item["state"] for item in answer.json["items"]}
    assert {states.pop("mimecast"), states.pop("connectwise")} == {"pending"}
    assert set(states.values()) == {"not_connected"}


def shows_one_integration(stage: Stage, answer: Reply) -> None:
    assert answer.json["name"] == "mimecast"
    assert answer.json["address"] == stage.mimecast.url


def connected_mimecast(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert stage.state.integrations.get(IntegrationName.MIMECAST).state is ConnectionState.PENDING
    assert (stage.vault / "mimecast.json").is_file()


def connected_connectwise(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert answer.json["settings"] == {"company_id": credentials.CONNECTWISE_COMPANY_ID}
    assert {capability["granted"] for capability in answer.json["capabilities"]} == {True}


def forgot_connectwise(stage: Stage, answer: Reply) -> None:
    assert answer.json["state"] == "not_connected"
    assert not (stage.vault / "connectwise.json").exists()


def tried_mimecast(stage: Stage, answer: Reply) -> None:
    assert answer.json["name"] == "mimecast"
    assert answer.json["cause"] is None


def finished_and_started_a_run(stage: Stage, answer: Reply) -> None:
    assert answer.status == 202, answer.text
    assert {item["state"] for item in answer.json["items"]} == {"active"}
    (call,) = stage.lambda_service.calls
    assert call.payload == {"run_id": answer.json["run"]["id"]}


def kept_a_customer_file(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert (answer.json["rows"], answer.json["uploaded_by"]) == (2, PREPARER)
    kept = stage.state.uploads.get("mimecast customers")
    assert kept is not None
    assert b"CEXB20B202" in kept.content
    assert "CEXB20B202" not in answer.text, "facts are told, names are not"
    assert stage.ok("GET", "/v1/integrations/mimecast/customer-file", role="viewer") == answer.json


def has_no_customer_file(stage: Stage, answer: Reply) -> None:
    assert answer.status == 200, answer.text
    assert answer.json == {
        "integration": "mimecast",
        "kept": False,
        "rows": None,
        "uploaded_at": None,
        "uploaded_by": None,
    }


def lists_unmapped_accounts(stage: Stage, answer: Reply) -> None:
    assert answer.json["items"]
    assert {item["mapping"] for item in answer.json["items"]} == {"unmapped"}


def decided_two_accounts(stage: Stage, answer: Reply) -> None:
    assert answer.json == {"rows": 2, "changed": 2}
    states = [entry.state for entry in stage.state.accounts.all() if entry.decision and entry.decision.by == PREPARER]
    assert sorted(states) == [MappingState.EXCLUDED, MappingState.MAPPED]


def shows_one_account(stage: Stage, answer: Reply) -> None:
    assert answer.json["mapping"] == "unmapped"
    assert answer.json["vendor_account_id"] in stage.world.accounts


def mapped_one_account(stage: Stage, answer: Reply) -> None:
    assert answer.json["mapping"] == "mapped"
    assert answer.json["decision"]["by"] == PREPARER
    assert int(answer.json["psa_account_id"]) in stage.world.companies


def excluded_one_account(stage: Stage, answer: Reply) -> None:
    assert answer.json["mapping"] == "excluded"
    assert answer.json["decision"]["reason"] == "left at the end of October"


def took_a_decision_back(stage: Stage, answer: Reply) -> None:
    assert answer.json["mapping"] == "unmapped"
    assert answer.json["decision"]["replaced"]


def lists_services(stage: Stage, answer: Reply) -> None:
    assert {item["service_id"]: item["mapping"] for item in answer.json["items"]}["9702"] == "mapped"


def told_who_it_is(stage: Stage, answer: Reply) -> None:
    assert answer.json["role"] == "viewer"
    assert "@" in answer.json["name"]


def found_clients(stage: Stage, answer: Reply) -> None:
    assert [item["psa_account_name"] for item in answer.json["items"]] == ["Larkfield Inc."]


def took_a_service_back(stage: Stage, answer: Reply) -> None:
    assert (answer.json["mapping"], answer.json["product_id"]) == ("unmapped", None)


def mapped_one_service(stage: Stage, answer: Reply) -> None:
    assert (answer.json["service_id"], answer.json["product_code"]) == ("9702", "MIME-EMAIL-S1")


def excluded_one_service(stage: Stage, answer: Reply) -> None:
    assert (answer.json["service_id"], answer.json["mapping"]) == ("9745", "excluded")


def found_products(stage: Stage, answer: Reply) -> None:
    assert "MIME-EMAIL-S1" in {item["product_code"] for item in answer.json["items"]}


def started_a_run(stage: Stage, answer: Reply) -> None:
    assert answer.status == 202
    (call,) = stage.lambda_service.calls
    assert call.execution_name == f"run-{answer.json['id']}"
    assert call.path.endswith("/trueup-local-monthly-run:live/invocations")


def lists_runs(stage: Stage, answer: Reply) -> None:
    assert [item["id"] for item in answer.json["items"]] == [stage.facts["run_id"]]


def shows_a_run(stage: Stage, answer: Reply) -> None:
    assert answer.json["id"] == stage.facts["run_id"]
    assert {side["done"] for side in answer.json["sides"]} == {True}


def lists_rows_to_bill_more(stage: Stage, answer: Reply) -> None:
    rows = answer.json["items"]
    assert rows
    for row in rows:
        assert row["verdict"] == "bill_more"
        assert row["counts"]["agreement"]["seats"] > row["counts"]["billed"]["seats"]
    assert answer.json["run_id"] == stage.facts["run_id"]
    whole = stage.ok("GET", f"/v1/exports/reconciliation.json?period={stage.facts['period']}")
    assert answer.json["totals"] == whole["totals"], "the totals are of the period, whatever rows are shown"
    assert datetime.fromisoformat(answer.json["at"]) <= datetime.now(UTC)


def lists_plans(stage: Stage, answer: Reply) -> None:
    assert [item["id"] for item in answer.json["items"]] == [stage.facts["plan_id"]]


def proposed_the_same_plan(stage: Stage, answer: Reply) -> None:
    assert answer.status == 201, answer.text
    assert (answer.json["id"], answer.json["checksum"]) == (stage.facts["plan_id"], stage.facts["checksum"])


def shows_a_plan(stage: Stage, answer: Reply) -> None:
    assert answer.json["checksum"] == stage.facts["checksum"]
    assert {"id", "line_id", "from", "to", "effective", "guard", "monthly_money"} <= answer.json["changes"][0].keys()


def released_a_change(stage: Stage, answer: Reply) -> None:
    released = next(change for change in answer.json["changes"] if change["id"] == stage.facts["held_change_id"])
    assert released["guard"]["state"] == "released"
    assert answer.json["checksum"] != stage.facts["checksum"], "who approves must approve the release too"


def approved_the_plan(stage: Stage, answer: Reply) -> None:
    assert (answer.json["state"], answer.json["approved_by"]) == ("approved", APPROVER)


def told_the_run_to_apply(stage: Stage, answer: Reply) -> None:
    assert answer.status == 202, answer.text
    (call,) = stage.lambda_service.calls
    assert call.path == f"/2025-12-01/durable-execution-callbacks/{CALLBACK_ID}/succeed"
    assert call.payload == {"checksum": stage.facts["checksum"], "actor": APPROVER}


def shows_history(stage: Stage, answer: Reply) -> None:
    numbers = [item["number"] for item in answer.json["items"]]
    assert numbers == sorted(numbers, reverse=True)
    assert answer.json["items"][0]["action"] == "plan proposed"


def wrote_a_note(stage: Stage, answer: Reply) -> None:
    assert answer.status == 201
    event = list(stage.state.history.all())[-1].audit
    assert (event.action, event.subject) == ("note written", answer.json["vendor_account_id"])
    assert event.why == answer.json["text"] == "the client moves offices in March; ask again then"


def proves_the_history(stage: Stage, answer: Reply) -> None:
    count = len(list(stage.state.history.all()))
    assert count > 5
    no_months = {"months": 0, "links": 0, "parts": 0, "pages": 0, "last_hash": None, "broken": None}
    assert answer.json == {"events": count, "holds": True, "first_broken": None, "months": no_months}


def exports_rows(stage: Stage, answer: Reply) -> None:
    lines = answer.text.splitlines()
    assert answer.headers["content-type"].startswith("text/csv")
    assert lines[0].startswith("vendor_account_id,vendor_account_name,")
    assert len(lines) > 40


def exports_the_comparison(stage: Stage, answer: Reply) -> None:
    assert answer.json["period"] == stage.facts["period"]
    assert answer.json["totals"]["rows"] == len(answer.json["rows"])


def exports_mappings(stage: Stage, answer: Reply) -> None:
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert {row["vendor_account_id"] for row in rows} == set(stage.world.accounts)


def made_a_key(stage: Stage, answer: Reply) -> None:
    assert answer.status == 201, answer.text
    (key,) = stage.state.api_keys.all()
    secret = answer.json["key"].split("_", 2)[2]
    assert key.accepts(secret)
    assert (answer.json["scopes"], answer.json["calls_a_minute"]) == (["counts:read", "plan:read"], 30)
    assert secret not in str(stage.everything_stored())


def lists_keys(stage: Stage, answer: Reply) -> None:
    assert [item["name"] for item in answer.json["items"]] == ["HaloPSA runbook"]
    assert "hash" not in answer.text


def revoked_a_key(stage: Stage, answer: Reply) -> None:
    assert answer.json["revoked_at"]
    assert stage.state.api_keys.get(answer.json["id"]).revoked_at is not None


def registered_callbacks(stage: Stage, answer: Reply) -> None:
    assert answer.status == 201, answer.text
    token = callback_secrets(stage)["path_token"]
    registered = {one["type"]: one["url"] for one in stage.world.callbacks}
    assert set(registered) == {"agreement", "company"}
    for url in registered.values():
        assert url == f"https://api.msp.example/v1/callbacks/connectwise/{token}?recordId="
    assert token not in answer.text
    assert {item["active"] for item in answer.json["items"]} == {True}


def lists_callbacks(stage: Stage, answer: Reply) -> None:
    assert {item["subject"] for item in answer.json["items"]} == {"agreement", "company"}
    assert callback_secrets(stage)["path_token"] not in answer.text


def removed_a_callback(stage: Stage, answer: Reply) -> None:
    assert [item["subject"] for item in answer.json["items"]] == ["company"]
    assert len(stage.world.callbacks) == 1


def told_one_client(stage: Stage, answer: Reply) -> None:
    assert answer.json["rows"]
    assert {row["psa_account_id"] for row in answer.json["rows"]} == {answer.json["psa_account_id"]}
    for row in answer.json["rows"]:
        assert row["verdict_words"] == row["verdict"].replace("_", " ")
        assert set(row["counts"]) == {"agreement", "licensed", "billed"}


def told_the_plan(stage: Stage, answer: Reply) -> None:
    assert (answer.json["id"], answer.json["checksum"]) == (stage.facts["plan_id"], stage.facts["checksum"])
    assert "changes" not in answer.json


def machine_approved_the_plan(stage: Stage, answer: Reply) -> None:
    assert (answer.json["state"], answer.json["approved_by"]) == ("approved", "key HaloPSA runbook (example-key-id)")


def queued_a_hint(stage: Stage, answer: Any) -> None:
    assert (answer["statusCode"], answer["body"]) == (204, "")
    (message,) = stage.queues.receive("trueup-local-callbacks", 10)
    told = json.loads(message.body)
    assert (told["psa"], told["subject"], told["record_id"]) == ("connectwise", "agreement", "1201")


def refused_a_forgery(stage: Stage, answer: Any) -> None:
    assert (answer["statusCode"], answer["body"]) == (401, "")
    assert stage.queues.count("trueup-local-callbacks") == 0


def read_one_client_again(stage: Stage, answer: Any) -> None:
    assert answer == {"batchItemFailures": [{"itemIdentifier": "00000000-0000-4000-8000-000000000003"}]}
    told = [event.audit for event in stage.state.history.all() if event.audit.action == "psa account read"]
    assert len(told) == 1
    read = stage.state.snapshots.latest(Side.PSA)
    assert read is not None
    assert (read.id, read.run_id) == (told[0].subject, stage.facts["run_id"])


def accepted_the_key(stage: Stage, answer: Any) -> None:
    (key,) = stage.state.api_keys.all()
    assert answer["isAuthorized"] is True
    assert answer["context"]["key_id"] == key.id
    assert all(isinstance(value, str) for value in answer["context"].values())


# What comes before some events.


def callback_secrets(stage: Stage) -> dict[str, str]:
    return dict(bootstrap.vault().get("connectwise-callbacks", host=stage.connectwise.url))


def a_key(stage: Stage) -> dict[str, str]:
    made = stage.ok("POST", "/v1/api-keys", {"name": "HaloPSA runbook", "scopes": ["plan:read"]})
    return {"example-key-id": made["id"], "example-api-key": made["key"]}


def callbacks(stage: Stage) -> dict[str, str]:
    made = stage.ok("POST", "/v1/callbacks", {"url": "https://trueup.example-msp.com"})
    (agreement,) = [item["id"] for item in made["items"] if item["subject"] == "agreement"]
    return {"example-path-token": callback_secrets(stage)["path_token"], "example-callback-id": agreement}


def a_client(stage: Stage) -> dict[str, str]:
    entry = next(entry for entry in stage.state.accounts.all() if entry.state is MappingState.MAPPED)
    return {"example-client-id": str(entry.psa_id)}


def an_edited_client(stage: Stage) -> dict[str, str]:
    """Somebody edits a line of a mapped client after it was read."""
    mapped = {entry.psa_id for entry in stage.state.accounts.all() if entry.state is MappingState.MAPPED}
    addition = next(
        one
        for one in stage.world.additions.values()
        if str(stage.world.agreements[one.agreement_id].company_id) in mapped
    )
    stage.world.edit_addition(addition.id, quantity=addition.quantity + 1)
    return {"example-client-id": str(stage.world.agreements[addition.agreement_id].company_id)}


def lists_no_files(stage: Stage, answer: Reply) -> None:
    assert {item["kind"]: item["kept"] for item in answer.json["items"]} == dict.fromkeys(
        ("accounts", "counts", "lines", "clients", "products", "licenses"), False
    )


def looked_at_a_file(stage: Stage, answer: Reply) -> None:
    assert answer.json["columns"] == {"account_id": "Account Code", "service_name": "Product", "seats": "Seats"}
    assert stage.state.uploads.get("counts file") is None


def kept_a_file(stage: Stage, answer: Reply) -> None:
    assert (answer.json["kept"], answer.json["rows"]) == (True, 2)
    assert stage.state.uploads.get("counts file") is not None


def has_no_file(stage: Stage, answer: Reply) -> None:
    assert answer.json["kept"] is False


def decided_two_services(stage: Stage, answer: Reply) -> None:
    assert answer.json == {"rows": 2, "changed": 1}, answer.text
    states = {str(entry.service_id): entry.state for entry in stage.state.services.all()}
    assert (states["9702"], states["9731"]) == (MappingState.MAPPED, MappingState.EXCLUDED)


def a_psa_that_was_left(stage: Stage) -> dict[str, str]:
    """Another PSA took the place of ConnectWise for a while, so what was mapped then is kept."""
    lines = b"Client,Product,Quantity\nSomebody,MIME-EMAIL-S1,5\n"
    stage.ok("PUT", "/v1/files/lines?confirm=true", raw=lines, headers={"content-type": "text/csv"})
    body = {"address": "files:psa", "fields": {}, "switch": True}
    kept = stage.ok("PUT", "/v1/integrations/psa_files", body)["to_be_matched_again"]
    back = {"address": stage.connectwise.url, "fields": CONNECTWISE_FIELDS, "switch": True}
    stage.ok("PUT", "/v1/integrations/connectwise", back)
    return {"0123456789ab": kept["id"]}


def lists_what_was_kept(stage: Stage, answer: Reply) -> None:
    (kept,) = answer.json["items"]
    assert (kept["psa"], kept["services"]) == ("connectwise", 2)


def downloads_what_was_kept(stage: Stage, answer: Reply) -> None:
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert {row["vendor_account_id"] for row in rows} == set(stage.world.accounts)


CASES = {
    "credential_validation_schedule": Case("proposed", checked_both),
    "credential_validation_one": Case("connected", checked_one),
    "vendor_sync_run": Case("begun", vendor_was_read),
    "vendor_sync_accept_drop": Case("begun", vendor_was_read),
    "psa_sync_run": Case("begun", psa_was_read),
    "license_sync_run": Case("begun", licenses.licenses_were_read, prepare=licenses.a_file_of_license_counts),
    "auto_matching_run": Case("read", names_were_matched),
    "reconciliation_run": Case("mapped", plan_was_proposed),
    "plan_apply_approved": Case("approved", plan_was_applied),
    "change_orders_run": Case("proposed", workflow.found_a_draft_outstanding, prepare=orders.an_order),
    "sealing_run": Case("proposed", workflow.closed_nothing_before_its_time),
    "monthly_run_schedule": Case("proposed", run_waits),
    "monthly_run_run": Case("mapped", run_waits),
    "monthly_run_plan": Case("approved", month_applied_the_plan),
    "portal_health": Case("empty", is_well),
    "portal_openapi": Case("empty", describes_itself),
    "portal_integrations_list": Case("connected", lists_both_integrations),
    "portal_integration_get": Case("connected", shows_one_integration),
    "portal_integration_put_mimecast": Case("empty", connected_mimecast),
    "portal_integration_put_connectwise": Case("empty", connected_connectwise),
    "portal_integration_delete": Case("connected", forgot_connectwise),
    "portal_integration_authenticate": Case("connected", tried_mimecast),
    "portal_integration_finish": Case("mapped", finished_and_started_a_run),
    "portal_customer_file_get": Case("connected", has_no_customer_file),
    "portal_customer_file_put": Case("mapped", kept_a_customer_file),
    "portal_customer_file_delete": Case("connected", has_no_customer_file),
    "portal_account_mappings_list": Case("mapped", lists_unmapped_accounts),
    "portal_account_mappings_bulk": Case("mapped", decided_two_accounts),
    "portal_account_mappings_import": Case("mapped", decided_two_accounts),
    "portal_account_mapping_get": Case("mapped", shows_one_account),
    "portal_account_mapping_put_map": Case("mapped", mapped_one_account),
    "portal_account_mapping_put_exclude": Case("mapped", excluded_one_account),
    "portal_account_mapping_delete": Case("mapped", took_a_decision_back, account="mapped"),
    "portal_service_mappings_list": Case("mapped", lists_services),
    "portal_service_mapping_put_map": Case("mapped", mapped_one_service),
    "portal_service_mapping_put_exclude": Case("mapped", excluded_one_service),
    "portal_service_mapping_delete": Case("mapped", took_a_service_back),
    "portal_psa_accounts": Case("read", found_clients),
    "portal_me": Case("empty", told_who_it_is),
    "portal_products_search": Case("connected", found_products),
    "portal_run_start": Case("connected", started_a_run),
    "portal_runs_list": Case("read", lists_runs),
    "portal_run_get": Case("read", shows_a_run),
    "portal_reconciliation": Case("proposed", lists_rows_to_bill_more),
    "portal_plans_list": Case("proposed", lists_plans),
    "portal_plan_propose": Case("proposed", proposed_the_same_plan),
    "portal_plan_get": Case("proposed", shows_a_plan),
    "portal_change_release": Case("proposed", released_a_change),
    "portal_plan_approve": Case("proposed", approved_the_plan),
    "portal_plan_apply": Case("approved", told_the_run_to_apply),
    "portal_license_mappings_list": Case("mapped", licenses.lists_tenants, prepare=licenses.read_licenses),
    "portal_license_mappings_bulk": Case("mapped", licenses.decided_on_tenants, prepare=licenses.read_licenses),
    "portal_license_mappings_import": Case("mapped", licenses.decided_on_tenants, prepare=licenses.read_licenses),
    "portal_license_mapping_get": Case("mapped", licenses.shows_one_tenant, prepare=licenses.read_licenses),
    "portal_license_mapping_put_map": Case(
        "mapped",
        licenses.is_now(MappingState.MAPPED, licenses.OPEN_TENANT, "tenant mapped"),
        prepare=licenses.read_licenses,
    ),
    "portal_license_mapping_put_exclude": Case(
        "mapped",
        licenses.is_now(MappingState.EXCLUDED, licenses.OPEN_TENANT, "tenant excluded"),
        prepare=licenses.read_licenses,
    ),
    "portal_license_mapping_delete": Case(
        "mapped",
        licenses.is_now(MappingState.UNMAPPED, licenses.KNOWN_TENANT, "tenant unmapped"),
        prepare=licenses.read_licenses,
    ),
    "portal_licensed_users": Case("mapped", licenses.shows_licensed_users, prepare=licenses.read_licenses),
    "portal_counting_policies_list": Case("mapped", licenses.lists_policies, prepare=licenses.a_policy),
    "portal_counting_policy_get": Case("mapped", licenses.shows_a_policy, prepare=licenses.a_policy),
    "portal_counting_policy_put": Case("mapped", licenses.said_a_policy, prepare=licenses.read_licenses),
    "portal_counting_policy_delete": Case("mapped", licenses.took_a_policy_back, prepare=licenses.a_policy),
    "portal_plan_add_line": Case("proposed", lines.added_a_line, prepare=lines.a_missing_line),
    "portal_plan_drop_line": Case("proposed", lines.dropped_a_line, prepare=lines.an_added_line),
    "portal_plan_undo": Case("approved", lines.proposed_an_undo, prepare=lines.an_applied_plan),
    "portal_change_orders_list": Case("proposed", orders.lists_orders, prepare=orders.an_order),
    "portal_change_order_get": Case("proposed", orders.shows_what_to_type, prepare=orders.an_order),
    "portal_change_order_approve": Case("proposed", orders.approved_the_order, prepare=orders.an_order),
    "portal_line_divisions_list": Case("proposed", lines.lists_divisions, prepare=lines.divided_lines),
    "portal_line_division_put": Case("proposed", lines.divided, prepare=lines.several_lines),
    "portal_line_division_delete": Case("proposed", lines.forgot_a_division, prepare=lines.divided_lines),
    "portal_users_list": Case("connected", portal_users.lists_users, prepare=portal_users.a_checked_user),
    "portal_user_add": Case("connected", portal_users.added),
    "portal_users_import": Case("connected", portal_users.imported),
    "portal_users_check": Case("connected", portal_users.checked, prepare=portal_users.one_user),
    "portal_users_mail": Case("connected", portal_users.wrote_the_mail, prepare=portal_users.a_checked_user),
    "portal_user_delete": Case("connected", portal_users.removed, prepare=portal_users.one_user),
    "portal_user_tick": Case("connected", portal_users.ticked, prepare=portal_users.one_user),
    "portal_user_invite": Case("connected", portal_users.invited, prepare=portal_users.one_user),
    "portal_run_start_effective": Case("connected", lines.started_a_dated_run),
    "portal_api_keys_list": Case("connected", lists_keys, prepare=a_key),
    "portal_api_key_create": Case("connected", made_a_key),
    "portal_api_key_revoke": Case("connected", revoked_a_key, prepare=a_key),
    "portal_callbacks_list": Case("connected", lists_callbacks, prepare=callbacks),
    "portal_callbacks_register": Case("connected", registered_callbacks),
    "portal_callback_remove": Case("connected", removed_a_callback, prepare=callbacks),
    "portal_psa_run_start": Case("connected", started_a_run),
    "portal_psa_client": Case("proposed", told_one_client, prepare=a_client),
    "portal_psa_plan": Case("proposed", told_the_plan),
    "portal_psa_plan_approve": Case("proposed", machine_approved_the_plan),
    "psa_callback_connectwise": Case("connected", queued_a_hint, prepare=callbacks),
    "psa_callback_forged": Case("connected", refused_a_forgery, prepare=callbacks),
    "account_refresh_hints": Case("proposed", read_one_client_again, prepare=an_edited_client),
    "machine_access_request": Case("connected", accepted_the_key, prepare=a_key),
    "notification_run": Case("proposed", notices.told_people, prepare=notices.a_ticket_channel),
    "portal_notice_channels_list": Case("proposed", notices.lists_channels, prepare=notices.a_ticket_channel),
    "portal_notice_channel_put": Case("connected", notices.set_the_channel),
    "portal_notice_channel_delete": Case("connected", notices.removed_the_channel, prepare=notices.a_ticket_channel),
    "portal_notice_channel_test": Case("connected", notices.sent_a_test, prepare=notices.a_ticket_channel),
    "portal_notices_list": Case("proposed", notices.lists_notices, prepare=notices.a_told_plan),
    "portal_account_note": Case("proposed", wrote_a_note),
    "portal_history": Case("proposed", shows_history),
    "portal_history_verification": Case("proposed", proves_the_history),
    "portal_months_list": Case("proposed", months.lists_months, prepare=months.a_closed_month),
    "portal_month_seal": Case("proposed", months.closed_the_month, prepare=months.this_month),
    "portal_month_reopen": Case("proposed", months.reopened_the_month, prepare=months.a_closed_month),
    "portal_month_replay": Case("proposed", months.made_it_again, prepare=months.a_closed_month),
    "portal_month_evidence": Case("proposed", months.gives_evidence, prepare=months.a_closed_month),
    "portal_report": Case("proposed", months.reports_the_month, prepare=months.this_month),
    "portal_trend": Case("proposed", months.shows_a_trend, prepare=months.this_month),
    "portal_export_reconciliation_csv": Case("proposed", exports_rows),
    "portal_export_reconciliation_json": Case("proposed", exports_the_comparison),
    "portal_export_mappings_csv": Case("mapped", exports_mappings),
    "portal_files_list": Case("connected", lists_no_files),
    "portal_file_preview": Case("connected", looked_at_a_file),
    "portal_file_put": Case("connected", kept_a_file),
    "portal_file_delete": Case("connected", has_no_file),
    "portal_service_mappings_import": Case("mapped", decided_two_services),
    "portal_kept_mappings_list": Case("mapped", lists_what_was_kept, prepare=a_psa_that_was_left),
    "portal_kept_mappings_get": Case("mapped", downloads_what_was_kept, prepare=a_psa_that_was_left),
}
