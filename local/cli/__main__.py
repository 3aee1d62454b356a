"""`trueup`: parse, open what the command needs, carry it out, and end with the promised exit code.

Method: the product is imported only by the command that needs it. Must not: show a traceback; what nobody foresaw
is one line here, with its details in the log of the state folder.
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from types import FrameType

from local.cli import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE
from local.cli.home import Home, log_to
from local.cli.output import Output
from local.cli.parser import parse
from trueup.domain.errors import Action, Blame, InputInvalid, TrueupError, UnsafeAddress


class Unforeseen(TrueupError):
    """A fault of Trueup itself; the log of the state folder has the details."""

    code = "internal_error"


class Interrupted(TrueupError):
    """Somebody pressed Ctrl-C."""

    code = "interrupted"
    action = Action.RETRY
    blame = Blame.CALLER


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command line; the exit code. Nothing but ``--help`` exits by itself."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    output = Output(as_json="--json" in words)
    try:
        parsed = parse(words)
        output.as_json = parsed.json
        return carry_out(parsed, output)
    except TrueupError as error:
        output.failure(error)
        return exit_code(error, typed_an_address=bool({"connect", "notices"} & set(words)))
    except KeyboardInterrupt:
        output.failure(
            Interrupted("interrupted", remedy="What was done is kept, and the same command goes on from there.")
        )
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the outermost boundary: nobody should have to read a traceback
        output.failure(_logged(error))
        return EXIT_FAILED


def exit_code(error: TrueupError, *, typed_an_address: bool) -> int:
    """64 for what the caller typed, 1 for everything else that was raised.

    Where no address was typed, an unsafe one is the vendor's doing: a redirect, or a link to another server.
    """
    is_typed = isinstance(error, InputInvalid) or (typed_an_address and isinstance(error, UnsafeAddress))
    return EXIT_USAGE if is_typed else EXIT_FAILED


def carry_out(parsed: Namespace, output: Output) -> int:
    """Open what the command needs and call its handler."""
    module_name, function_name = parsed.handler.split(":")
    if parsed.access == "none":
        free: Callable[[Namespace, Output], int] = getattr(_module(module_name), function_name)
        return free(parsed, output)
    home = Home.chosen()
    home.prepare()
    if parsed.access == "read":
        return _opened(home, module_name, function_name, parsed, output)
    with home.writing(f"trueup {module_name} {function_name}"):
        return _opened(home, module_name, function_name, parsed, output)


def _opened(home: Home, module_name: str, function_name: str, parsed: Namespace, output: Output) -> int:
    from local.cli.workplace import Workplace, opened

    handler: Callable[[Workplace, Namespace], int] = getattr(_module(module_name), function_name)
    with opened(home, output) as workplace:
        return handler(workplace, parsed)


def _module(name: str) -> object:
    return importlib.import_module(f"local.cli.{name}")


def _logged(error: Exception) -> Unforeseen:
    """The error for a person, after its details went to the log; without a log the kind of error has to do."""
    home = Home.chosen()
    what = f"something went wrong inside Trueup ({type(error).__name__})"
    try:
        home.prepare()
        log_to(home)
    except (TrueupError, OSError):
        return Unforeseen(
            what, remedy="The state folder cannot be written, so the details are lost: run trueup doctor."
        )
    logging.getLogger("trueup.cli").error("unforeseen", exc_info=error)
    return Unforeseen(what, remedy=f"The details are in {home.log}; report them.")


def _end(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM ends like an exception, so that everything that was started is stopped on the way out."""
    raise SystemExit(128 + signal.SIGTERM)


def run() -> int:
    """The process's entry point: as ``main``, with signals handled and a quiet end."""
    signal.signal(signal.SIGTERM, _end)
    try:
        code = main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else EXIT_DONE
    if code in {EXIT_INTERRUPTED, 128 + signal.SIGTERM}:
        # A read may still be under way in a thread. All that was started has been stopped, so nobody waits for it.
        _flush()
        os._exit(code)
    _flush()
    return code


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            from local.cli.output import silence

            silence(stream)


if __name__ == "__main__":
    sys.exit(run())
