"""`trueup tenant add` and the template it checks against: what is written deploys, and what was there stays."""

import tomllib
from pathlib import Path

import pytest

from local.cli.tenants import SAMCONFIG, option_of
from local.template import ROOT, Deployment, local_deployment, parameters, read_template
from tests.infrastructure.template_reading import routes, template
from tests.local.command_line import said
from trueup.domain.errors import InputInvalid


def test_a_section_is_added_and_the_rest_stays_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "samconfig.toml"
    before = SAMCONFIG.read_text(encoding="utf-8") + "# the last word"
    file.write_text(before, encoding="utf-8")
    words = ["tenant", "add", "acme-msp", "--file", str(file), "--region", "us-east-1", "--time-zone", "Europe/London",
             "--connectwise-hosts", "cw.acme.example psa.acme.example", "--two-person-approval", "false"]  # fmt: skip
    done = said(*words, "--json")
    assert done.code == 0, done.err
    after = file.read_text(encoding="utf-8")
    assert after.startswith(before)
    section = tomllib.loads(after)["acme-msp"]["deploy"]["parameters"]
    assert section["stack_name"] == "trueup-acme-msp"
    assert section["region"] == "us-east-1"
    assert section["parameter_overrides"] == [
        "Tenant=acme-msp",
        "TimeZone=Europe/London",
        "TwoPersonApproval=false",
        'ConnectWiseHosts="cw.acme.example psa.acme.example"',
    ]
    again = said(*words, "--json")
    assert (again.code, again.document["code"]) == (1, "conflict")
    assert file.read_text(encoding="utf-8") == after


def test_a_dry_run_writes_nothing_and_a_broken_file_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "samconfig.toml"
    assert said("tenant", "add", "acme-msp", "--file", str(file), "--dry-run").code == 0
    assert not file.exists()
    file.write_text("[broken\n", encoding="utf-8")
    refused = said("tenant", "add", "acme-msp", "--file", str(file), "--json")
    assert (refused.code, refused.document["field"]) == (64, "file")
    assert file.read_text(encoding="utf-8") == "[broken\n"
    assert [item.name for item in tmp_path.iterdir()] == ["samconfig.toml"]


def test_every_parameter_has_an_option() -> None:
    help_text = {option_of(name) for name in parameters()}
    assert {"--time-zone", "--connectwise-hosts", "--oidc-issuer"} <= help_text
    for name, parameter in parameters().items():
        assert parameter.default is None or parameter.check(parameter.default) == parameter.default, name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MonthlyRunDay", "0"),
        ("MonthlyRunDay", "29"),
        ("MonthlyRunDay", "one"),
        ("MonthlyRunDay", "1.0"),
        ("TwoPersonApproval", "yes"),
        ("Currency", "usd"),
        ("Tenant", "A"),
        ("AlarmEmail", "not an address"),
        ("OidcIssuer", "http://login.example"),
        ("NoSuchParameter", "x"),
    ],
)
def test_what_cloudformation_would_refuse_is_refused_here(name: str, value: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        Deployment({"Tenant": "acme", name: value})
    assert refused.value.field == name


def test_one_machine_has_the_routes_and_the_environment_of_the_template() -> None:
    deployment = local_deployment()
    found = {
        (route.method, route.path, route.is_public) for function in deployment.functions() for route in function.routes
    }
    assert found == routes()
    shared = template()["Globals"]["Function"]["Environment"]["Variables"]
    for function in deployment.functions():
        assert set(function.environment) >= set(shared)
        assert (function.code_directory / "app.py").is_file()
        assert all(isinstance(value, str) for value in function.environment.values())
    assert deployment.table()["TableName"] == "trueup-local-state" == deployment.shared_environment()["TRUEUP_TABLE"]
    assert {item.expression for function in deployment.functions() for item in function.schedules} == {
        "cron(0 5 * * ? *)",
        "cron(0 6 1 * ? *)",
    }


def test_parameters_reach_the_environment() -> None:
    chosen = Deployment({"Tenant": "acme", "TimeZone": "Europe/London", "MonthlyRunHour": "9"})
    assert chosen.shared_environment()["TRUEUP_TENANT"] == "acme"
    assert chosen.shared_environment()["TRUEUP_TIME_ZONE"] == "Europe/London"
    (monthly,) = (function for function in chosen.functions() if function.durable)
    assert monthly.schedules[0].expression == "cron(0 9 1 * ? *)"
    assert monthly.schedules[0].time_zone == "Europe/London"


def test_the_template_is_the_projects() -> None:
    assert read_template() is read_template()
    assert (ROOT / "template.yaml").is_file()
