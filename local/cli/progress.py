"""Progress of the reads, on standard error: bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from local.cli.output import Output
from trueup.domain.integrations import Side
from trueup.domain.runs import SideProgress
from trueup.usecases.reading import Progress

SIDE_NAMES = {Side.VENDOR: "Mimecast", Side.PSA: "PSA", Side.LICENSES: "licenses"}
ITEM_NAMES = {Side.VENDOR: "accounts", Side.PSA: "accounts", Side.LICENSES: "tenants"}
"""What a side is read in."""

_SECONDS_BETWEEN_LINES = 2.0


@contextmanager
def reading_progress(output: Output) -> Iterator[Progress]:
    """Something to call with each side's progress, from any thread but never from two at once."""
    if output.has_terminal:
        with _bars() as bars:
            yield bars
    else:
        yield _Lines(output)


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TextColumn("read"),
               TimeElapsedColumn())  # fmt: skip
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks = {side: bars.add_task(name, total=None) for side, name in SIDE_NAMES.items() if side.is_required}

        def show(progress: SideProgress) -> None:
            if progress.side not in tasks:
                tasks[progress.side] = bars.add_task(SIDE_NAMES[progress.side], total=None)
            bars.update(tasks[progress.side], completed=progress.accounts, total=progress.accounts_total)

        yield show


class _Lines:
    """One line every few seconds for each side, and one at its end."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._said_at: dict[Side, float] = {}

    def __call__(self, progress: SideProgress) -> None:
        now = time.monotonic()
        last = self._said_at.setdefault(progress.side, now)
        if not progress.done and now - last < _SECONDS_BETWEEN_LINES:
            return
        self._said_at[progress.side] = now
        name, items = SIDE_NAMES[progress.side], ITEM_NAMES[progress.side]
        if progress.done:
            pages = "1 page" if progress.pages == 1 else f"{progress.pages} pages"
            failed = f"; {progress.failed} of them could not be read" if progress.failed else ""
            self._output.note(f"{name}: read in full, {progress.accounts} {items} in {pages}{failed}")
        else:
            of = f" of {progress.accounts_total}" if progress.accounts_total is not None else ""
            self._output.note(f"{name}: {progress.accounts}{of} {items} read")
