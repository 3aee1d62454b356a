"""`trueup tenant add`: a new section of samconfig.toml, checked against the template before a line is written.

Method: the section is appended as text, so that what stands in the file stays as it is, comments included; the result
is read back before it replaces the file. Must not: write a secret, or a value that CloudFormation would refuse.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from argparse import Namespace
from pathlib import Path
from typing import Any

from local.cli import EXIT_DONE
from local.cli.files import read_file, write_file
from local.cli.output import Output, shown
from local.template import ROOT, Deployment, Parameter, parameters
from trueup.domain.errors import ConfigurationInvalid, Conflict, InputInvalid
from trueup.domain.periods import zone

SAMCONFIG = ROOT / "samconfig.toml"
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")


def option_of(parameter: str) -> str:
    """``TimeZone`` becomes ``--time-zone``; ConnectWise is one word."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", parameter.replace("ConnectWise", "Connectwise"))
    return f"--{words.lower()}"


def add(arguments: Namespace, output: Output) -> int:
    file = Path(arguments.file) if arguments.file is not None else SAMCONFIG
    before = _read(file)
    name = parameters()["Tenant"].check(arguments.name)
    _require_new(name, before[1])
    if not _REGION.fullmatch(arguments.region):
        raise InputInvalid(
            f"{shown(arguments.region)!r} is no AWS region", field="region", remedy="Give one such as eu-west-1."
        )
    values = _values(name, arguments, output)
    deployment = Deployment(values)
    _require_time_zone(deployment.values["TimeZone"])
    section = _section(name, arguments.region, values)
    whole = before[0] + ("" if before[0].endswith("\n") or not before[0] else "\n") + "\n" + section
    _require_same_but_new(before[1], whole, name)
    if not arguments.dry_run:
        write_file(str(file), whole, field="file")
    commands = ["sam build", f"sam deploy --config-env {name}"]
    output.document(
        {
            "tenant": name,
            "file": str(file),
            "written": not arguments.dry_run,
            "parameters": values,
            "section": section,
            "next": commands,
        }
    )
    output.line(section)
    if arguments.dry_run:
        output.line("Nothing was written, as you asked.")
    else:
        output.line(f"Tenant {name} is in {shown(file, 200)}.", "green")
        output.line(f"Next: {' && '.join(commands)}", "bold")
    return EXIT_DONE


def _read(file: Path) -> tuple[str, dict[str, Any]]:
    if not file.exists():
        return "version = 0.1\n", {"version": 0.1}
    content = read_file(str(file), field="file")
    try:
        text = content.decode("utf-8")
        return text, tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as bad:
        raise InputInvalid(
            f"{file.name} is not valid TOML: {shown(bad, 200)}", field="file", remedy="Correct that line first."
        ) from bad


def _require_new(name: str, config: dict[str, Any]) -> None:
    stacks = {
        str(section.get("deploy", {}).get("parameters", {}).get("stack_name", ""))
        for section in config.values()
        if isinstance(section, dict)
    }
    if name in config or name == "default" or f"trueup-{name}" in stacks:
        raise Conflict(
            f"there is a tenant {name} in samconfig.toml already",
            remedy="Choose another name, or edit its section by hand.",
        )


def _require_time_zone(name: str) -> None:
    try:
        zone(name)
    except ConfigurationInvalid as unknown:
        raise InputInvalid(unknown.message, field="TimeZone", remedy=unknown.remedy) from unknown


def _values(name: str, arguments: Namespace, output: Output) -> dict[str, str]:
    """What differs from the template's defaults, each value checked; asked for on a terminal."""
    asks = sys.stdin.isatty() and not arguments.defaults
    values = {"Tenant": name}
    for parameter in parameters().values():
        if parameter.name == "Tenant":
            continue
        given: str | None = getattr(arguments, f"parameter_{parameter.name}")
        if given is None and asks:
            value = _asked(parameter, output)
        elif given is None:
            continue
        else:
            value = parameter.check(given)
        if value != parameter.default:
            values[parameter.name] = value
    return values


def _asked(parameter: Parameter, output: Output) -> str:
    """One answer that the template takes; Enter is the default."""
    default = parameter.default or ""
    while True:
        output.note(parameter.description, "dim")
        sys.stderr.write(f"{parameter.name} [{default}]: ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        try:
            return parameter.check(line.strip() or default)
        except InputInvalid as bad:
            output.note(f"{bad.message}. {bad.remedy}", "yellow")


def _section(name: str, region: str, values: dict[str, str]) -> str:
    overrides = "".join(f"    {_toml(_override(key, value))},\n" for key, value in values.items())
    return f"""\
[{name}.validate.parameters]
lint = true
region = {_toml(region)}

[{name}.build.parameters]
cached = true
parallel = true

[{name}.deploy.parameters]
stack_name = {_toml(f"trueup-{name}")}
region = {_toml(region)}
resolve_s3 = true
s3_prefix = {_toml(f"trueup-{name}")}
capabilities = "CAPABILITY_IAM"
confirm_changeset = true
fail_on_empty_changeset = false
parameter_overrides = [
{overrides}]
tags = ["product=trueup", {_toml(f"tenant={name}")}]
"""


def _override(key: str, value: str) -> str:
    """SAM splits an override at blanks unless the value is quoted."""
    return f'{key}="{value}"' if not value or " " in value else f"{key}={value}"


def _toml(text: str) -> str:
    """A basic string; JSON's escapes are a subset of TOML's for what the template's patterns let through."""
    return json.dumps(text, ensure_ascii=False)


def _require_same_but_new(before: dict[str, Any], whole: str, name: str) -> None:
    """The file with its new section says what it said before, and the section."""
    after = tomllib.loads(whole)
    if {key: value for key, value in after.items() if key != name} != before or name not in after:
        raise Conflict(
            "the file cannot take another section by appending it",
            remedy="Copy the section that --dry-run shows into the file by hand.",
        )
