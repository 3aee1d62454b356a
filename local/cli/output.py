"""What a person or a program gets to see: text and tables, or one JSON document; errors in one line.

Method: in JSON mode only ``document`` writes to standard output, in text mode only the others. Everything that came
from outside passes ``shown`` before a terminal sees it; JSON keeps it exact, escaped to ASCII.
Must not: fail because a reader went away; whoever applies a plan into ``head`` still applies all of it.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TextIO

from trueup.domain.errors import TrueupError
from trueup.domain.names import printable

if TYPE_CHECKING:
    from rich.text import Text

COLUMNS_WITHOUT_TERMINAL = 100
COLUMNS_MINIMUM = 60
NAME_CHARACTERS_MAXIMUM = 60
MESSAGE_CHARACTERS_MAXIMUM = 2000

Style = Literal["", "dim", "bold", "green", "yellow", "red", "cyan", "magenta"]


def shown(text: object, characters_maximum: int = NAME_CHARACTERS_MAXIMUM) -> str:
    """Any text from outside as a terminal may see it: one line, nothing invisible, nothing endless.

    Control characters, direction marks and line ends are spelled out (``<U+202E>``), and what is longer is cut.
    """
    return printable(str(text), characters_maximum)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    A name may be cut on a narrow terminal and a text may take a second line; everything else (numbers, ids, verdicts)
    keeps its width, because half of it is worse than none.
    """

    title: str
    kind: Literal["exact", "number", "name", "text"] = "exact"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell; a plain str in a row is a Cell without style."""

    text: str
    style: Style = ""


class Output:
    """Where a command writes. ``as_json`` decides for the whole life of the command."""

    def __init__(self, *, as_json: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.as_json = as_json
        self._out = out if out is not None else sys.stdout
        self._err = err if err is not None else sys.stderr
        self._documents = 0
        for stream in (self._out, self._err):
            if isinstance(stream, io.TextIOWrapper):
                # A terminal that lacks a character shows its escape; it is no reason to stop half-way.
                stream.reconfigure(errors="backslashreplace")

    @property
    def has_terminal(self) -> bool:
        """Whether notes go to a terminal, so that they may move."""
        return _is_terminal(self._err) and os.environ.get("TERM", "") != "dumb"

    @property
    def columns(self) -> int:
        if not _is_terminal(self._out) and "COLUMNS" not in os.environ:
            return COLUMNS_WITHOUT_TERMINAL
        return max(COLUMNS_MINIMUM, shutil.get_terminal_size((COLUMNS_WITHOUT_TERMINAL, 24)).columns)

    def document(self, value: object) -> None:
        """The one JSON document; nothing in text mode."""
        if not self.as_json:
            return
        if self._documents:
            raise RuntimeError("a command wrote a second JSON document")
        self._documents += 1
        _write(self._out, json.dumps(value, indent=2, ensure_ascii=True) + "\n")

    def line(self, text: str = "", style: Style = "") -> None:
        """One line of text; nothing in JSON mode."""
        if not self.as_json:
            _write(self._out, self._styled(text, style, self._out) + "\n")

    def paragraph(self, text: str, indent: str = "") -> None:
        """A text wrapped to the width; nothing in JSON mode."""
        import textwrap

        if not self.as_json:
            width = min(self.columns, 100)
            _write(self._out, textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent) + "\n")

    def note(self, text: str, style: Style = "") -> None:
        """One line for whoever watches, on standard error, in both modes."""
        _write(self._err, self._styled(text, style, self._err) + "\n")

    def table(self, columns: Sequence[Column], rows: Sequence[Sequence[str | Cell]]) -> None:
        """A table that fits the width; nothing in JSON mode."""
        if self.as_json:
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
        widths = self._widths(columns, rows)
        for column, width in zip(columns, widths, strict=True):
            table.add_column(
                column.title,
                justify="right" if column.kind == "number" else "left",
                overflow="fold" if column.kind == "text" else "ellipsis",
                no_wrap=column.kind != "text",
                width=width,
            )
        for row in rows:
            table.add_row(*(_rich_cell(cell) for cell in row))
        page = io.StringIO()
        console = Console(
            file=page,
            # Where the terminal is too narrow even so, it breaks the line itself; nothing is cut off.
            width=max(self.columns, sum(widths) + _GAP * (len(columns) - 1)),
            force_terminal=_has_color(self._out),
            no_color=not _has_color(self._out),
            legacy_windows=False,
        )
        console.print(table)
        _write(self._out, "\n".join(line.rstrip() for line in page.getvalue().splitlines()) + "\n")

    def _widths(self, columns: Sequence[Column], rows: Sequence[Sequence[str | Cell]]) -> list[int]:
        """As wide as the content; where that is too wide for the terminal, the widest names and texts give way."""
        from rich.cells import cell_len

        widths = [
            max([cell_len(column.title), *(cell_len(_text(row[index])) for row in rows)])
            for index, column in enumerate(columns)
        ]
        giving = [index for index, column in enumerate(columns) if column.kind in {"name", "text"}]
        over = sum(widths) + _GAP * (len(columns) - 1) - self.columns
        while over > 0 and giving:
            widest = max(giving, key=lambda index: widths[index])
            if widths[widest] <= _NARROWEST:
                break
            widths[widest] -= 1
            over -= 1
        return widths

    def failure(self, error: TrueupError) -> None:
        """An error raised on purpose: one line for a person, and the problem document for a program.

        A command that has written its document already (with the problem in it) writes no second one.
        """
        what = shown(error.message, MESSAGE_CHARACTERS_MAXIMUM).rstrip(" .")
        self.note(f"trueup: {what}; {_continued(error.remedy)}")
        if not self._documents:
            self.document(problem_view(error))

    def _styled(self, text: str, style: Style, stream: TextIO) -> str:
        if not style or not _has_color(stream):
            return text
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m"


_NARROWEST = 12
"""Columns of characters that a name or a text always gets."""

_GAP = 2
"""Columns of characters between two columns of a table."""

_CODES: dict[str, str] = {
    "dim": "2",
    "bold": "1",
    "green": "32",
    "yellow": "33",
    "red": "31",
    "cyan": "36",
    "magenta": "35",
}


def problem_view(error: TrueupError) -> dict[str, Any]:
    """The problem document of the HTTP API, which a command has no request id for."""
    from trueup.adapters.lambda_web import problem

    return {name: value for name, value in problem(error, request_id="").items() if name != "request_id"}


def _continued(remedy: str) -> str:
    """The remedy as the second half of a sentence. A word written in capitals (a name) stays as it is."""
    text = shown(remedy, MESSAGE_CHARACTERS_MAXIMUM).rstrip(" .")
    is_name = len(text) > 1 and text[1].isupper()
    return text if is_name else text[:1].lower() + text[1:]


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False  # closed


def _has_color(stream: TextIO) -> bool:
    return _is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"


def _text(cell: str | Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


def _rich_cell(cell: str | Cell) -> Text:
    from rich.text import Text

    return Text(cell) if isinstance(cell, str) else Text(cell.text, style=cell.style)


def _write(stream: TextIO, text: str) -> None:
    """Write and flush; a reader that went away is no error, and the work goes on without one."""
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        silence(stream)


def silence(stream: TextIO) -> None:
    """Point the stream to nowhere, so that neither this nor the flush at exit fails again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
