"""`trueup doctor`: what is missing on this machine, and how to mend it. It changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from local.cli import EXIT_DONE, EXIT_FAILED
from local.cli.home import HOME_VARIABLE, ROOT, Home
from local.cli.output import Output, Style, shown
from trueup.domain.errors import TrueupError
from trueup.domain.integrations import ConnectionState

Standing = Literal["ok", "note", "missing"]

_SIGNS: dict[Standing, tuple[str, Style]] = {"ok": ("✓", "green"), "note": ("·", "yellow"), "missing": ("✗", "red")}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``note`` can wait, ``missing`` cannot; both come with a fix."""

    what: str
    standing: Standing
    found: str
    fix: str = ""


def doctor(arguments: Namespace, output: Output) -> int:
    """1 when something is missing that Trueup needs."""
    home = Home.chosen()
    findings = [*_machine(), *_tools(), *_home(home), *_opened(home, output)]
    healthy = all(finding.standing != "missing" for finding in findings)
    output.document({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
    for finding in findings:
        sign, style = _SIGNS[finding.standing]
        output.line(f"{sign} {finding.what}: {finding.found}", style if finding.standing != "ok" else "")
        if finding.fix:
            output.paragraph(finding.fix, "    ")
    output.line()
    output.line("Nothing that is needed is missing." if healthy else "Mend what is marked ✗ and ask again.", "bold")
    return EXIT_DONE if healthy else EXIT_FAILED


def _machine() -> Iterator[Finding]:
    version = platform.python_version()
    right = sys.version_info[:2] == (3, 13)
    yield Finding(
        "Python", "ok" if right else "missing", version, "" if right else "Install Python 3.13, then run make setup."
    )
    missing = [name for name in ("boto3", "pydantic", "requests", "rapidfuzz", "rich", "yaml") if not _has(name)]
    yield Finding(
        "Libraries",
        "missing" if missing else "ok",
        f"{', '.join(missing)} cannot be imported" if missing else "all there",
        "Run make setup." if missing else "",
    )


def _has(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


def _tools() -> Iterator[Finding]:
    from local.embedded_store import durable_binary

    npm = shutil.which("npm")
    binary = durable_binary()
    if binary is not None:
        yield Finding("Embedded store", "ok", "dynoxide, which keeps what was acknowledged through a power cut")
    elif _has("ministack"):
        fix = "Run make setup." if npm else "Install Node with npm, then run make setup."
        yield Finding("Embedded store", "note", "ministack, which forgets the last changes when it is killed", fix)
    else:
        yield Finding("Embedded store", "missing", "neither dynoxide nor ministack", "Run make setup.")
    if npm is None:
        yield Finding("Node", "note", "npm is not there", "Needed once, to install the durable store dynoxide.")
    for folder, purpose, command in (
        (".venv-sam", "to build and deploy", "make sam-tools"),
        (".venv-checkov", "to scan the template", "make checkov-tools"),
    ):
        there = (ROOT / folder / "bin").is_dir()
        what = "AWS SAM" if "sam" in folder else "checkov"
        yield Finding(
            what, "ok" if there else "note", "there" if there else f"not there; only needed {purpose}",
            "" if there else f"Run {command}.",
        )  # fmt: skip


def _home(home: Home) -> Iterator[Finding]:
    try:
        home.prepare()
    except TrueupError as trouble:
        yield Finding("State folder", "missing", shown(trouble.message, 300), trouble.remedy)
        return
    mode = stat.S_IMODE(home.path.stat().st_mode)
    private = not mode & 0o077
    yield Finding(
        "State folder",
        "ok" if private else "note",
        f"{shown(home.path, 200)}" + ("" if private else f" can be read by others (mode {mode:o})"),
        "" if private else f"Run chmod 700 on it, or set {HOME_VARIABLE} to a folder of your own.",
    )
    free_megabytes = shutil.disk_usage(home.path).free // 1_000_000
    if free_megabytes < 200:
        yield Finding("Disk", "missing", f"{free_megabytes} MB are free", "Free some space for the state folder.")


def _opened(home: Home, output: Output) -> Iterator[Finding]:
    """What can only be known with the store open; the settings come with it."""
    from local.cli.workplace import opened

    told = bool(os.environ.get("TRUEUP_TIME_ZONE"))
    try:
        with opened(home, output) as workplace:
            settings = workplace.settings
            yield Finding("Store", "ok", "it answers and has its table")
            yield Finding(
                "Time zone",
                "ok" if told else "note",
                f"{settings.time_zone.key}; it is {workplace.period} now",
                "" if told else "Billing months follow UTC. Set TRUEUP_TIME_ZONE to your own, such as Europe/London.",
            )
            for integration in workplace.state.integrations.all():
                name = integration.name.value
                if integration.state is ConnectionState.NOT_CONNECTED:
                    yield Finding(name, "note", "not connected", f"Run trueup connect {name}, or see trueup demo.")
                elif integration.cause:
                    yield Finding(name, "missing", shown(integration.cause, 300), shown(integration.fix, 300))
                else:
                    yield Finding(name, "ok", f"{integration.state.value} at {shown(integration.address, 200)}")
                for capability in integration.report.missing if integration.report else ():
                    fix = f"Give the credential {shown(capability.permission, 200)}, then trueup check {name}."
                    yield Finding(f"{name}: {shown(capability.name)}", "note", "not granted", fix)
    except TrueupError as trouble:
        yield Finding("Store and settings", "missing", shown(trouble.message, 500), shown(trouble.remedy, 300))
