"""Bad input to every command: the promised exit code, one line with the fix, one JSON document, and nothing changed."""

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local.cli.home import Home, environment_of
from local.cli.output import Output
from local.cli.parser import build
from local.cli.workplace import opened
from tests.domain.order_samples import draft
from tests.local.command_line import Machine, machine, month_until_mapped, said
from trueup.domain.audit import Audit
from trueup.domain.order_parts import Signature

USAGE, FAILED = 64, 1


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A connected, mapped machine with a proposed plan and a drafted order."""
    with machine(tmp_path_factory.mktemp("bad_input") / "home", clients=3) as ready:
        month_until_mapped(ready)
        assert ready("run").code == 2
        draft_order(ready)
        yield ready


def draft_order(ready: Machine) -> None:
    """Four seats more for a client who is nobody's here."""
    with environment_of(ready.environment), opened(Home(ready.home), Output(as_json=True)) as workplace:
        now = workplace.clock.now()
        order = replace(draft(), drafted=Signature("schedule", now), confirmed_at=now)
        workplace.state.change_orders.draft(order, Audit(now, "schedule", "change order drafted", order.id))


# (words, exit code, code of the problem). PLAN, READY, HELD and ACCOUNT stand for what the machine has.
CASES: list[tuple[list[str], int, str]] = [
    ([], USAGE, "usage"),
    (["nonsense"], USAGE, "usage"),
    (["--wrong"], USAGE, "usage"),
    (["connect"], USAGE, "usage"),
    (["connect", "gmail"], USAGE, "usage"),
    (["connect", "mimecast"], USAGE, "usage"),
    (["connect", "mimecast", "--client-id", "x", "--client-secret-env", "NOT_SET"], USAGE, "usage"),
    (["connect", "mimecast", "--client-id", "x", "--client-secret-env", "SIM_SECRET", "--url", "http://169.254.169.254"],
     USAGE, "unsafe_address"),
    (["connect", "mimecast", "--client-id", "x\ny", "--client-secret-env", "SIM_SECRET", "--url", "MIMECAST"],
     USAGE, "input_invalid"),
    (["connect", "mimecast", "--client-id", "wrong", "--client-secret-env", "SIM_SECRET", "--url", "MIMECAST"],
     FAILED, "credential_rejected"),
    (["connect", "connectwise", "--company", "acmemsp"], USAGE, "usage"),
    (["connect", "connectwise", "--company", "acmemsp", "--public-key", "k", "--private-key-env", "SIM_KEY",
      "--client-id", "g", "--url", "https://user@evil.example/"], USAGE, "unsafe_address"),
    (["connect", "connectwise", "--company", "acmemsp", "--public-key", "k", "--private-key-env", "SIM_KEY",
      "--client-id", "g", "--url", "CONNECTWISE"], FAILED, "credential_rejected"),
    (["connect", "autotask", "--user-name", "u", "--secret-env", "NOT_SET"], USAGE, "usage"),
    (["connect", "autotask", "--user-name", "u", "--secret-env", "SIM_KEY", "--integration-code-env", "SIM_KEY",
      "--url", "https://webservices.autotask.net.evil.example"], USAGE, "unsafe_address"),
    (["connect", "halopsa", "--client-id", "c", "--client-secret-env", "SIM_KEY"], USAGE, "usage"),
    (["connect", "halopsa", "--client-id", "c", "--client-secret-env", "SIM_KEY", "--url", "https://acme.example"],
     USAGE, "unsafe_address"),
    (["connect", "syncro", "--url", "https://acme.syncromsp.com"], USAGE, "usage"),
    (["connect", "syncro", "--api-key-env", "SIM_KEY", "--url", "https://syncromsp.com"], USAGE, "unsafe_address"),
    (["connect", "syncro", "--api-key-env", "SIM_KEY", "--url", "CONNECTWISE"], FAILED, "conflict"),
    (["disconnect"], USAGE, "usage"),
    (["disconnect", "gmail"], USAGE, "usage"),
    (["check", "gmail"], USAGE, "usage"),
    (["integrations", "mimecast"], USAGE, "usage"),
    (["sync", "--accept"], USAGE, "usage"),
    (["sync", "--customers", "/no/such/file.csv"], USAGE, "input_invalid"),
    (["sync", "--customers", "BAD_FILE"], USAGE, "input_invalid"),
    (["sync", "--customers", "BAD_FILE", "--no-customers"], USAGE, "usage"),
    (["run", "--customers", "BAD_FILE"], USAGE, "input_invalid"),
    (["accounts", "--mapped", "--unmapped"], USAGE, "usage"),
    (["services", "9702"], USAGE, "usage"),
    (["products"], USAGE, "usage"),
    (["map"], USAGE, "usage"),
    (["note", "NOBODY", "asked"], FAILED, "not_found"),
    (["note", "ACCOUNT", "  "], USAGE, "input_invalid"),
    (["map", "account", "ACCOUNT"], USAGE, "usage"),
    (["map", "account", "NOBODY", "250"], FAILED, "not_found"),
    (["map", "account", "ACCOUNT", "999999"], USAGE, "input_invalid"),
    (["map", "account", "ACCOUNT", "\u202e\x1b[31m250"], USAGE, "input_invalid"),
    (["map", "service", "0000", "MIME-EMAIL-S1"], FAILED, "not_found"),
    (["map", "service", "9702", "NO-SUCH-PRODUCT"], USAGE, "input_invalid"),
    (["map", "service", "9702", " "], USAGE, "input_invalid"),
    (["map", "exclude", "ACCOUNT"], USAGE, "usage"),
    (["map", "exclude", "ACCOUNT", "--reason", "  "], USAGE, "input_invalid"),
    (["map", "exclude", "ACCOUNT", "--reason", "x" * 501], USAGE, "input_invalid"),
    (["map", "exclude", "NOBODY", "--reason", "because"], FAILED, "not_found"),
    (["map", "exclude", "ACCOUNT", "--reason", "because", "--owner", "x" * 101], USAGE, "input_invalid"),
    (["map", "exclude", "ACCOUNT", "--reason", "because", "--review-on", "soon"], USAGE, "usage"),
    (["map", "exclude", "ACCOUNT", "--reason", "because", "--review-on", "2020-01-31"], USAGE, "input_invalid"),
    (["map", "exclude-service", "9702", "--reason", ""], USAGE, "input_invalid"),
    (["map", "exclude-service", "0000", "--reason", "because"], FAILED, "not_found"),
    (["map", "per-user", "0000", "yes"], FAILED, "not_found"),
    (["map", "per-user", "9702", "perhaps"], USAGE, "usage"),
    (["map", "clear", "NOBODY"], FAILED, "not_found"),
    (["connect", "microsoft365", "--tenant-id", "x", "--client-id", "y"], USAGE, "usage"),
    (["connect", "microsoft365", "--tenant-id", "x", "--client-id", "y", "--client-secret-env", "SIM_KEY",
      "--url", "https://graph.microsoft.com.evil.example"], USAGE, "unsafe_address"),
    (["connect", "license_files"], FAILED, "configuration_invalid"),
    (["import", "licenses", "/no/such/file.csv"], USAGE, "input_invalid"),
    (["tenants"], USAGE, "usage"),
    (["tenants", "list", "--mapped", "--unmapped"], USAGE, "usage"),
    (["tenants", "map", "NOBODY"], USAGE, "usage"),
    (["tenants", "map", "NOBODY", "250"], FAILED, "not_found"),
    (["tenants", "exclude", "NOBODY"], USAGE, "usage"),
    (["tenants", "exclude", "NOBODY", "--reason", "our own"], FAILED, "not_found"),
    (["tenants", "clear", "NOBODY"], FAILED, "not_found"),
    (["tenants", "import", "BAD_FILE"], USAGE, "input_invalid"),
    (["tenants", "export", "/no/such/folder/file.csv"], USAGE, "input_invalid"),
    (["counting"], USAGE, "usage"),
    (["counting", "show", "999999"], USAGE, "input_invalid"),
    (["counting", "set", "--minimum", "5"], USAGE, "usage"),
    (["counting", "set", "--reason", "because"], USAGE, "input_invalid"),
    (["counting", "set", "--shared", "perhaps", "--reason", "because"], USAGE, "usage"),
    (["counting", "set", "--minimum", "-5", "--reason", "because"], USAGE, "usage"),
    (["counting", "set", "--minimum", "5", "--cap", "4", "--reason", "because"], USAGE, "input_invalid"),
    (["counting", "set", "--service-user", "*", "--reason", "because"], USAGE, "input_invalid"),
    (["counting", "set", "999999", "--minimum", "5", "--reason", "because"], USAGE, "input_invalid"),
    (["counting", "set", "--minimum", "5", "--reason", " "], USAGE, "input_invalid"),
    (["counting", "clear", "--reason", "because"], FAILED, "not_found"),
    (["counting", "clear", "999999", "--reason", "because"], USAGE, "input_invalid"),
    (["counting", "people"], USAGE, "usage"),
    (["counting", "people", "250"], FAILED, "not_connected"),
    (["map", "import", "/no/such/file.csv"], USAGE, "input_invalid"),
    (["map", "import", "BAD_FILE"], USAGE, "input_invalid"),
    (["map", "import", "."], USAGE, "input_invalid"),
    (["map", "export", "/no/such/folder/file.csv"], USAGE, "input_invalid"),
    (["finish", "now"], USAGE, "usage"),
    (["run", "--csv", "/no/such/folder/rows.csv"], USAGE, "input_invalid"),
    (["run", "--csv", "."], USAGE, "input_invalid"),
    (["run", "--customers", "/no/such/file.csv"], USAGE, "input_invalid"),
    (["plan"], USAGE, "usage"),
    (["plan", "show", "no-such-plan"], FAILED, "not_found"),
    (["plan", "list", "--limit", "0"], USAGE, "usage"),
    (["plan", "release", "no-such-plan", "HELD", "--reason", "because"], FAILED, "not_found"),
    (["plan", "release", "PLAN", "no-such-change", "--reason", "because"], FAILED, "not_found"),
    (["plan", "release", "PLAN", "READY", "--reason", "because"], FAILED, "conflict"),
    (["plan", "release", "PLAN", "HELD", "--reason", " "], USAGE, "input_invalid"),
    (["plan", "release", "PLAN", "HELD"], USAGE, "usage"),
    (["plan", "approve", "PLAN"], USAGE, "usage"),
    (["keys"], USAGE, "usage"),
    (["keys", "create", "--name", "Rule"], USAGE, "usage"),
    (["keys", "create", "--scope", "plan:read"], USAGE, "usage"),
    (["keys", "create", "--name", "Rule", "--scope", "everything"], USAGE, "usage"),
    (["keys", "create", "--name", "Rule", "--scope", "plan:read", "--calls-a-minute", "0"], USAGE, "usage"),
    (["keys", "create", "--name", " ", "--scope", "plan:read"], USAGE, "input_invalid"),
    (["keys", "create", "--name", "n" * 61, "--scope", "plan:read"], USAGE, "input_invalid"),
    (["keys", "list", "all"], USAGE, "usage"),
    (["keys", "revoke"], USAGE, "usage"),
    (["keys", "revoke", "nobody"], FAILED, "not_found"),
    (["callbacks"], USAGE, "usage"),
    (["callbacks", "register"], USAGE, "usage"),
    (["callbacks", "register", "--url", "http://trueup.example.com"], USAGE, "input_invalid"),
    (["callbacks", "register", "--url", "https://user@trueup.example.com"], USAGE, "input_invalid"),
    (["callbacks", "list", "all"], USAGE, "usage"),
    (["callbacks", "remove"], USAGE, "usage"),
    (["callbacks", "remove", "999"], FAILED, "not_found"),
    (["connect", "mimecast", "--ends-on", "tomorrow"], USAGE, "usage"),
    (["notices"], USAGE, "usage"),
    (["notices", "channels", "all"], USAGE, "usage"),
    (["notices", "set"], USAGE, "usage"),
    (["notices", "set", "pager"], USAGE, "usage"),
    (["notices", "set", "slack"], USAGE, "usage"),
    (["notices", "set", "slack", "--webhook-env", "NOT_SET"], USAGE, "usage"),
    (["notices", "set", "slack", "--webhook-env", "SIM_KEY"], USAGE, "unsafe_address"),
    (["notices", "set", "slack", "--webhook-env", "SIM_KEY", "--kind", "everything"], USAGE, "usage"),
    (["notices", "set", "email"], FAILED, "not_connected"),
    (["notices", "set", "ticket"], USAGE, "input_invalid"),
    (["notices", "set", "ticket", "--company", "acme"], USAGE, "input_invalid"),
    (["notices", "test", "slack"], FAILED, "not_found"),
    (["notices", "remove", "slack"], FAILED, "not_found"),
    (["notices", "list", "--period", "2026-13"], USAGE, "input_invalid"),
    (["connect", "vendor_files"], FAILED, "conflict"),
    (["connect", "psa_files"], FAILED, "conflict"),
    (["connect", "psa_files", "--url", "CONNECTWISE"], USAGE, "usage"),
    (["import"], USAGE, "usage"),
    (["import", "accounts", "/no/such/file.csv"], USAGE, "input_invalid"),
    (["import", "accounts", "BAD_FILE", "--yes"], USAGE, "input_invalid"),
    (["import", "counts", "BAD_FILE", "--yes"], USAGE, "input_invalid"),
    (["import", "lines", "BAD_FILE", "--yes"], USAGE, "input_invalid"),
    (["import", "clients", "BAD_FILE", "--yes"], USAGE, "input_invalid"),
    (["import", "products", "BAD_FILE", "--yes", "--column", "nonsense"], USAGE, "usage"),
    (["files", "accounts"], USAGE, "usage"),
    (["forget-file", "everything"], USAGE, "usage"),
    (["map", "import-services", "BAD_FILE"], USAGE, "input_invalid"),
    (["map", "kept", "all"], USAGE, "usage"),
    (["plan", "add-line", "PLAN", "no-such-row", "--agreement", "1201"], FAILED, "not_found"),
    (["plan", "add-line", "PLAN"], USAGE, "usage"),
    (["plan", "drop-line", "PLAN", "no-such-change"], FAILED, "not_found"),
    (["plan", "drop-line", "PLAN", "READY"], FAILED, "conflict"),
    (["plan", "undo", "PLAN"], USAGE, "usage"),
    (["plan", "undo", "PLAN", "--reason", " "], USAGE, "input_invalid"),
    (["plan", "undo", "PLAN", "--reason", "because"], FAILED, "plan_not_ready"),
    (["lines", "divide", "250", "560"], USAGE, "usage"),
    (["lines", "divide", "250", "560", "--fixed", "88431", "--balance", "2", "--reason", "because"],
     USAGE, "input_invalid"),
    (["lines", "divide", "999999", "560", "--fixed", "1=2", "--balance", "2", "--reason", "because"],
     FAILED, "not_found"),
    (["lines", "show", "all"], USAGE, "usage"),
    (["lines", "forget", "250", "560"], FAILED, "not_found"),
    (["orders"], USAGE, "usage"),
    (["orders", "list", "--period", "2026-13"], USAGE, "input_invalid"),
    (["orders", "show", "no-such-order"], FAILED, "not_found"),
    (["orders", "terms", "no-such-order", "--lead", "x"], FAILED, "not_found"),
    (["orders", "terms", "ORDER", "--lead", "two\nlines"], USAGE, "input_invalid"),
    (["orders", "terms", "ORDER", "--contract-starts", "2026-W01-1"], USAGE, "usage"),
    (["orders", "terms", "ORDER", "--contract-starts", "2026-02-30"], USAGE, "usage"),
    (["orders", "release", "ORDER", "--reason", "because"], FAILED, "conflict"),
    (["orders", "release", "ORDER", "--reason", " "], USAGE, "input_invalid"),
    (["orders", "approve", "ORDER"], USAGE, "usage"),
    (["orders", "approve", "ORDER", "--checksum", "0" * 64], FAILED, "checksum_mismatch"),
    (["orders", "submitted", "ORDER", "--number", "SO-1", "--agreement-acknowledged"], FAILED, "conflict"),
    (["orders", "submitted", "ORDER", "--number", "SO-1", "--downsell-deadline", "soon"], USAGE, "usage"),
    (["orders", "cancel", "ORDER", "--reason", ""], USAGE, "input_invalid"),
    (["orders", "reject", "no-such-order", "--reason", "because"], FAILED, "not_found"),
    (["orders", "resolve", "ORDER", "--outcome", "reflected", "--reason", "I think so"], USAGE, "usage"),
    (["orders", "resolve", "ORDER", "--outcome", "cancelled", "--reason", "because"], FAILED, "conflict"),
    (["orders", "send", "ORDER", "--agreement-acknowledged"], FAILED, "configuration_invalid"),
    (["portal-users"], USAGE, "usage"),
    (["portal-users", "list", "all"], USAGE, "usage"),
    (["portal-users", "add", "dana@msp.example"], USAGE, "usage"),
    (["portal-users", "add", "dana at msp.example", "--name", "Dana"], USAGE, "input_invalid"),
    (["portal-users", "add", "dana@msp.example\r\nBcc: eve@evil.example", "--name", "Dana"], USAGE, "input_invalid"),
    (["portal-users", "add", "dana@msp.example", "--name", "Dana\r\nBcc: eve@evil.example"], USAGE, "input_invalid"),
    (["portal-users", "add", "dana@msp.example", "--name", " "], USAGE, "input_invalid"),
    (["portal-users", "import", "/no/such/file.csv"], USAGE, "input_invalid"),
    (["portal-users", "import", "BAD_FILE"], USAGE, "input_invalid"),
    (["portal-users", "check", "dana@msp.example"], USAGE, "usage"),
    (["portal-users", "check"], FAILED, "conflict"),
    (["portal-users", "invite", "nobody@msp.example"], FAILED, "not_found"),
    (["portal-users", "tick", "nobody@msp.example", "sso"], FAILED, "not_found"),
    (["portal-users", "tick", "nobody@msp.example", "everything"], USAGE, "usage"),
    (["portal-users", "mail"], FAILED, "conflict"),
    (["portal-users", "mail", "--to", "a@b.example, c@d.example"], USAGE, "input_invalid"),
    (["portal-users", "remove", "nobody@msp.example"], FAILED, "not_found"),
    (["plan", "approve", "PLAN", "--checksum", ""], FAILED, "checksum_mismatch"),
    (["plan", "approve", "PLAN", "--checksum", "0" * 64], FAILED, "checksum_mismatch"),
    (["plan", "approve", "no-such-plan", "--checksum", "0" * 64], FAILED, "not_found"),
    (["plan", "apply", "PLAN"], USAGE, "usage"),
    (["plan", "apply", "PLAN", "--checksum", "CHECKSUM"], FAILED, "plan_not_ready"),
    (["plan", "apply", "no-such-plan", "--checksum", "0" * 64], FAILED, "not_found"),
    (["history", "--limit", "many"], USAGE, "usage"),
    (["verify", "all"], USAGE, "input_invalid"),
    (["verify", "2020-01"], FAILED, "not_found"),
    (["verify", "2020-01", "2020-02"], USAGE, "usage"),
    (["seal"], USAGE, "usage"),
    (["seal", "2026-9"], USAGE, "input_invalid"),
    (["seal", "2020-01"], FAILED, "not_found"),
    (["reopen", "2020-01"], USAGE, "usage"),
    (["reopen", "2020-01", "--reason", " "], USAGE, "input_invalid"),
    (["reopen", "January", "--reason", "because"], USAGE, "input_invalid"),
    (["reopen", "2020-01", "--reason", "because"], FAILED, "conflict"),
    (["months", "2020-01"], USAGE, "usage"),
    (["replay", "2020"], USAGE, "input_invalid"),
    (["replay", "2020-01"], FAILED, "not_found"),
    (["evidence", "2020-01"], USAGE, "usage"),
    (["evidence", "2020-13", "--out", "evidence"], USAGE, "input_invalid"),
    (["evidence", "2020-01", "--out", "evidence"], FAILED, "not_found"),
    (["report", "2026-1"], USAGE, "input_invalid"),
    (["report", "2020-01"], FAILED, "not_found"),
    (["report", "--html", "/no/such/folder/report.html"], USAGE, "input_invalid"),
    (["trend", "--months", "0"], USAGE, "input_invalid"),
    (["trend", "--months", "many"], USAGE, "usage"),
    (["trend", "--until", "soon"], USAGE, "input_invalid"),
    (["export", "everything", "x.csv"], USAGE, "usage"),
    (["export", "reconciliation", "/no/such/folder/x.csv"], USAGE, "input_invalid"),
    (["export", "reconciliation", "OUT_FILE", "--period", "2026-13"], USAGE, "input_invalid"),
    (["export", "reconciliation", "OUT_FILE", "--period", "2001-01"], FAILED, "not_found"),
    (["demo", "--home", "HOME"], FAILED, "conflict"),
    (["demo", "--fresh", "--home", "HOME"], FAILED, "conflict"),
    (["demo", "--psa", "quickbooks"], USAGE, "usage"),
    (["serve", "--port", "99999"], USAGE, "usage"),
    (["simulators", "--world", "none"], USAGE, "input_invalid"),
    (["simulators", "--latency-seconds", "-1"], USAGE, "input_invalid"),
    (["simulators", "--psa", "quickbooks"], USAGE, "usage"),
    (["simulate", "--months", "0"], USAGE, "input_invalid"),
    (["simulate", "--clients", "many"], USAGE, "usage"),
    (["simulate", "--flips", "-1"], USAGE, "input_invalid"),
    (["doctor", "please"], USAGE, "usage"),
    (["tenant"], USAGE, "usage"),
    (["tenant", "add"], USAGE, "usage"),
    (["tenant", "add", "Not Valid"], USAGE, "input_invalid"),
    (["tenant", "add", "example-msp"], FAILED, "conflict"),
    (["tenant", "add", "acme-msp", "--region", "mars", "--dry-run"], USAGE, "input_invalid"),
    (["tenant", "add", "acme-msp", "--time-zone", "Europe/Nowhere", "--dry-run"], USAGE, "input_invalid"),
    (["tenant", "add", "acme-msp", "--monthly-run-day", "31", "--dry-run"], USAGE, "input_invalid"),
    (["tenant", "add", "acme-msp", "--oidc-issuer", "https://login.example", "--dry-run"], USAGE, "input_invalid"),
]  # fmt: skip


def identity(case: tuple[list[str], int, str]) -> str:
    return " ".join(case[0]).encode("ascii", "backslashreplace").decode()[:60] or "nothing"


def filled(words: list[str], there: Machine, folder: Path) -> list[str]:
    """The words with the names of what this machine has."""
    plan = there("plan", "show", "--json").document
    (held,) = (change for change in plan["changes"] if change["guard"])
    (ready,) = (change for change in plan["changes"] if not change["guard"])
    bad_file = folder / "bad.csv"
    bad_file.write_text("vendor_account_id,psa_account_id\nNOBODY,250\n", encoding="utf-8")
    values = {
        "PLAN": plan["id"], "CHECKSUM": plan["checksum"], "HELD": held["id"], "READY": ready["id"],
        "ACCOUNT": min(there.world.accounts), "HOME": str(there.home), "BAD_FILE": str(bad_file),
        "OUT_FILE": str(folder / "out.csv"), "ORDER": draft().id,
        "MIMECAST": there.mimecast.url, "CONNECTWISE": there.connectwise.url,
    }  # fmt: skip
    return [values.get(word, word) for word in words]


@pytest.mark.parametrize("case", CASES, ids=identity)
def test_bad_input_is_refused_in_one_line_and_changes_nothing(
    case: tuple[list[str], int, str], there: Machine, tmp_path: Path
) -> None:
    words, expected_code, expected_problem = case
    command = filled(words, there, tmp_path)
    before, lines_before = there.stored(), [line.quantity for line in there.world.additions.values()]
    refused = there(*command, "--json")
    assert refused.code == expected_code, refused.err
    (line,) = [line for line in refused.err.splitlines() if not line.startswith("Trying the credential")]
    assert line.startswith("trueup: ")
    assert "; " in line
    assert line.isprintable()
    problem = refused.document.get("problem") or refused.document
    assert problem["code"] == expected_problem
    assert problem["remedy"]
    text = there(*command)
    assert (text.code, text.out) == (expected_code, "")
    assert text.err.splitlines()[-1] == line
    assert there.stored() == before
    assert [line.quantity for line in there.world.additions.values()] == lines_before
    assert not (tmp_path / "out.csv").exists()


def commands(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of the command line, by its words."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield path
    for group in groups:
        for name, child in group.choices.items():
            yield from commands(child, (*path, name))


def test_every_command_has_bad_input_to_refuse_and_an_example_in_its_help() -> None:
    for path in commands(build()):
        assert any(tuple(words[: len(path)]) == path for words, _, _ in CASES), path


@pytest.mark.parametrize("path", list(commands(build())), ids=" ".join)
def test_help_shows_an_example_and_json(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        build().parse_args([*path, "--help"])
    assert end.value.code == 0
    told = capsys.readouterr().out
    assert f"example:\n  trueup {' '.join(path)}" in told
    assert "--json" in told
    assert max(len(line) for line in told.splitlines()) <= 120


def test_nothing_can_be_finished_before_anything_is_mapped(tmp_path: Path) -> None:
    with machine(tmp_path / "home", clients=1) as fresh:
        refused = fresh("finish", "--json")
        assert (refused.code, refused.document["code"]) == (1, "conflict")
        for words in (["sync"], ["products", "mime"], ["map", "service", "1", "2"], ["check", "mimecast"],
                      ["disconnect", "mimecast"], ["plan", "show"]):  # fmt: skip
            refused = fresh(*words)
            assert refused.code == 1
            assert refused.err.count("\n") == 1
        assert fresh.stored() == []


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        ({"TRUEUP_TIME_ZONE": "Mars/Olympus"}, "Mars/Olympus"),
        ({"TRUEUP_GUARD_INCREASE_PERCENT": "lots"}, "TRUEUP_GUARD_INCREASE_PERCENT"),
        ({"TRUEUP_ALLOW_LOOPBACK": "perhaps"}, "TRUEUP_ALLOW_LOOPBACK"),
        ({"TRUEUP_BILLING_BASIS": "whatever"}, "TRUEUP_BILLING_BASIS"),
        ({"TRUEUP_HOME": "/dev/null/home"}, "TRUEUP_HOME"),
    ],
)
def test_a_wrong_setting_is_named(there: Machine, variables: dict[str, str], word: str) -> None:
    refused = said("run", "--json", **(there.environment | variables))
    assert refused.code == 1
    assert word in refused.err
    assert refused.err.count("\n") == 1
    problem = refused.document.get("problem") or refused.document
    assert problem["code"] == "configuration_invalid"


def test_a_second_writer_is_told_who_is_first_and_readers_are_not_held_up(there: Machine) -> None:
    with Home(there.home).writing("trueup run"):
        refused = there("map", "clear", min(there.world.accounts), "--json")
        assert (refused.code, refused.document["code"]) == (1, "already_running")
        assert refused.document["holder"] == str(os.getpid())
        assert str(os.getpid()) in refused.err
        assert there("accounts").code == 0
        assert there("history").code == 0


def test_a_fault_of_our_own_is_one_line_and_its_details_are_in_the_log(
    there: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> int:
        raise ZeroDivisionError("client_secret=hunter2-hunter2")

    monkeypatch.setattr("local.cli.records.history", broken)
    failed = there("history", "--json")
    assert failed.code == 1
    assert failed.document["code"] == "internal_error"
    assert failed.err.count("\n") == 1
    assert "hunter2" not in failed.err + failed.out
    log = Home(there.home).log
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")
    assert "hunter2" not in log.read_text(encoding="utf-8")
    assert log.stat().st_mode & 0o077 == 0


def test_secrets_are_nowhere_but_in_the_vault(there: Machine) -> None:
    secrets = [there.environment["SIM_SECRET"], there.environment["SIM_KEY"]]
    shown = there("integrations", "--json").out + there("history", "--json", "--limit", "100").out
    shown += json.dumps(there.stored()) + Home(there.home).log.read_text(encoding="utf-8")
    assert not any(secret in shown for secret in secrets)
    kept = [path for path in Home(there.home).vault.rglob("*") if path.is_file()]
    assert kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
