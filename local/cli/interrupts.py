"""Ctrl-C that is answered at once, or after the write that is under way.

Method: long reads run in a thread that nobody has to wait for, because a read that is cut off loses nothing; writes run
in the main thread and are asked to stop between two of them. Must not: swallow an interrupt.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from local.cli.output import Output

_POLL_SECONDS = 0.2


def interruptible[Result](work: Callable[[], Result]) -> Result:
    """The result of ``work`` or what it raised. An interrupt leaves it behind; the process then ends without it."""
    results: list[Result] = []
    failures: list[BaseException] = []

    def carry_out() -> None:
        try:
            results.append(work())
        except BaseException as failure:  # noqa: BLE001 - raised again in the thread that waits
            failures.append(failure)

    worker = threading.Thread(target=carry_out, name="work", daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(_POLL_SECONDS)
    if failures:
        raise failures[0]
    return results[0]


@contextmanager
def stopping_between(output: Output) -> Iterator[Callable[[], None]]:
    """Something to call between two writes: it raises KeyboardInterrupt once somebody pressed Ctrl-C.

    A second Ctrl-C interrupts at once; the write it cuts off is recognized when the plan is applied again.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def note(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        output.note("trueup: stopping after the change that is under way; Ctrl-C again stops at once")

    def check() -> None:
        if asked.is_set():
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, note)
    try:
        yield check
        check()
    finally:
        signal.signal(signal.SIGINT, before)
