"""How the demo tells its story: chapters, sentences, and commands typed as a person would type them.

Method: a command is carried out by the very handler that the command line calls, in the scene that is open already.
Must not: say anything about an outcome by itself; what a command prints is shown, whole or with a sign that it is cut.
"""

from __future__ import annotations

import importlib
import io
import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any

from local.cli.output import Output, shown
from local.cli.parser import parse
from local.cli.workplace import Workplace
from trueup.domain.errors import TrueupError

_COLUMNS = 100
_CUT = "…"


class Telling:
    """The stage of one demo month."""

    def __init__(self, workplace: Workplace) -> None:
        self.workplace = workplace
        self.stage = workplace.output
        self._chapter = 0

    def title(self, title: str, text: str) -> None:
        self._chapter += 1
        self.stage.line()
        self.stage.line(f"{self._chapter}. {title}", "bold")
        self.stage.paragraph(text)
        self.stage.line()

    def say(self, text: str) -> None:
        self.stage.line()
        self.stage.paragraph(text)

    def do(self, *words: str, lines_maximum: int | None = None) -> None:
        """Type one command. With ``lines_maximum`` only the first lines of what it prints are shown, and that."""
        self._show_command(words)
        if lines_maximum is None:
            self._carry_out(words, self.workplace)
            return
        printed = self._printed(words).splitlines()
        told = printed[:lines_maximum]
        for line in told:
            self.stage.line(line)
        if len(printed) > len(told):
            self.stage.line(f"  {_CUT}", "dim")

    def do_unseen(self, *words: str) -> None:
        """Type one command whose answer the story tells in its own words."""
        self._show_command(words)
        self._printed(words)

    def refused(self, *words: str) -> None:
        """Type one command that is expected to be refused, and show why it was. Carried out, it shows its answer."""
        self._show_command(words)
        try:
            self._carry_out(words, self.workplace)
        except TrueupError as refusal:
            self.stage.paragraph(f"trueup: {shown(refusal.message, 400).rstrip('.')}. {shown(refusal.remedy, 400)}")

    def document(self, *words: str) -> Any:
        """The JSON document of a command, as a program would read it."""
        page = io.StringIO()
        self._carry_out((*words, "--json"), self._aside(Output(as_json=True, out=page, err=io.StringIO())))
        return json.loads(page.getvalue())

    def _show_command(self, words: tuple[str, ...]) -> None:
        for line in _command_lines(words):
            self.stage.line(line, "cyan")

    def _printed(self, words: tuple[str, ...]) -> str:
        page = io.StringIO()
        self._carry_out(words, self._aside(Output(as_json=False, out=page, err=io.StringIO())))
        return page.getvalue()

    def _aside(self, output: Output) -> Workplace:
        return Workplace(self.workplace.home, output, self.workplace.actor)

    def _carry_out(self, words: tuple[str, ...], workplace: Workplace) -> None:
        parsed = parse(list(words))
        module_name, function_name = parsed.handler.split(":")
        handler: Callable[[Workplace, Any], int] = getattr(
            importlib.import_module(f"local.cli.{module_name}"), function_name
        )
        handler(workplace, parsed)


def _command_lines(words: tuple[str, ...]) -> Iterator[str]:
    """The command as one would type it, broken before an option where it is too long for one line."""
    line = "$ trueup"
    for index, word in enumerate(words):
        part = shlex.quote(word)
        follows = index + 1 < len(words) and not words[index + 1].startswith("--")
        ahead = len(part) + (len(shlex.quote(words[index + 1])) + 1 if word.startswith("--") and follows else 0)
        if word.startswith("--") and len(line) + ahead > _COLUMNS - 4:
            yield f"{line} \\"
            line = "   "
        line += f" {part}"
    yield line
