"""What terminals and programs get to see: hostile text made printable, exact JSON, tables that fit, color or none."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from local.cli.output import Cell, Column, Output, shown
from tests.local.command_line import PROJECT, Machine, machine, month_until_mapped
from trueup.domain.errors import Conflict, InputInvalid

HOSTILE = [
    "a\r\nX-Injected: yes",
    "\u202eevil\u202c",
    "\x1b[31mred\x1b[0m",
    "\ud800",
    "\u0085\u2028\x00\x9b2J",
    "x" * 10_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_one_short_printable_line(text: str) -> None:
    seen = shown(text)
    assert seen.isprintable()
    assert len(seen) <= 60 * len("<U+10FFFF>") + 1
    assert "\x1b" not in seen


@pytest.mark.parametrize("text", HOSTILE)
def test_json_keeps_names_exact_in_plain_ascii(text: str) -> None:
    page = io.StringIO()
    Output(as_json=True, out=page).document({"name": text})
    assert page.getvalue().isascii()
    assert json.loads(page.getvalue()) == {"name": text}


def test_json_mode_has_one_document_and_nothing_else() -> None:
    page = io.StringIO()
    output = Output(as_json=True, out=page, err=io.StringIO())
    output.line("text")
    output.paragraph("text")
    output.table([Column("a")], [["b"]])
    output.document([1])
    output.failure(Conflict("too late"))
    assert json.loads(page.getvalue()) == [1]
    with pytest.raises(RuntimeError):
        output.document([2])


def test_an_error_is_one_line_with_its_fix() -> None:
    err = io.StringIO()
    Output(as_json=False, out=io.StringIO(), err=err).failure(
        InputInvalid("the name \x1b[2J is bad.\nreally", field="name", remedy="Choose another one.")
    )
    assert err.getvalue() == "trueup: the name <U+001B>[2J is bad.<U+000A>really; choose another one\n"


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_numbers_and_ids_are_never_cut(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    page = io.StringIO()
    Output(as_json=False, out=page).table(
        [Column("Change"), Column("Client", "name"), Column("Why", "text"), Column("A month", "number")],
        [["chg-0123456789ab", "A very long name " * 5, "because " * 20, Cell("+1234567.00 USD", "green")]],
    )
    told = page.getvalue()
    assert "chg-0123456789ab" in told
    assert "+1234567.00 USD" in told
    assert max(len(line) for line in told.splitlines()) <= max(columns, 61)
    assert "\x1b" not in told


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> object:
    with machine(tmp_path_factory.mktemp("output") / "home", clients=2) as ready:
        hostile = min(ready.world.accounts)
        ready.world.rename("vendor", hostile, "Evil\r\n\u202e\x1b[31m" + "y" * 5_000)
        month_until_mapped(ready)
        yield ready


def on_a_terminal(there: Machine, *words: str, **variables: str) -> str:
    """What a person sees: the command with a terminal as input and output."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "local.cli", *words],
        env=os.environ | there.environment | {"TERM": "xterm-256color", "COLUMNS": "100"} | variables,
        cwd=PROJECT, stdin=theirs, stdout=theirs, stderr=theirs,
    ) as child:  # fmt: skip
        os.close(theirs)
        pieces = []
        try:
            while piece := os.read(ours, 65_536):
                pieces.append(piece)
        except OSError:
            pieces.append(b"")  # Linux says so when the other end is closed.
        child.wait(timeout=90)
    os.close(ours)
    return b"".join(pieces).decode()


def test_hostile_names_do_not_reach_the_terminal_and_stay_exact_in_json(there: Machine) -> None:
    told = there("accounts").out
    assert all(line.isprintable() for line in told.splitlines())
    assert "<U+202E>" in told
    names = {item["vendor_account_name"] for item in there("accounts", "--json").document["items"]}
    assert "Evil\r\n\u202e\x1b[31m" + "y" * 5_000 in names


def test_a_terminal_gets_color_and_bars_unless_it_does_not_want_them(there: Machine) -> None:
    told = on_a_terminal(there, "sync")
    assert "\x1b[" in told
    assert "Mimecast" in told
    assert "accounts" in told
    plain = on_a_terminal(there, "accounts", NO_COLOR="1")
    assert "\x1b[" not in plain


def test_what_is_not_given_is_asked_for_and_the_secret_is_not_shown(there: Machine, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    answers = f"{there.mimecast.url}\n{there.connect_mimecast[5]}\n{there.environment['SIM_SECRET']}\n"
    with subprocess.Popen(
        [sys.executable, "-m", "local.cli", "connect", "mimecast", "--json"],
        env=os.environ | there.environment | {"TRUEUP_HOME": str(tmp_path / "asked")},
        cwd=PROJECT, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as child:  # fmt: skip
        os.close(theirs)
        assert child.stderr is not None
        asked = ""
        for answer, prompt in zip(
            answers.splitlines(keepends=True), ("]: ", "Client ID: ", "(not shown): "), strict=True
        ):
            while not asked.endswith(prompt):
                letter = child.stderr.read(1)
                assert letter, asked
                asked += letter
            os.write(ours, answer.encode())
        out, rest = child.communicate(timeout=90)
    os.close(ours)
    assert child.returncode == 0, asked + rest
    assert json.loads(out)["state"] == "pending"
    assert there.environment["SIM_SECRET"] not in out + asked + rest
