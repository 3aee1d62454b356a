"""`python -m local.simulators`: Mimecast, one PSA and Microsoft 365 as one process, until SIGTERM or Ctrl-C.

It says where they listen in one line of JSON, on standard output and in the ready file. With a state file the world
survives the process, however it ends; the world options then count for the first start only.
"""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from local.simulators.demo_world import DEMO_SEED, demo_world, scaled_world
from local.simulators.microsoft365 import Microsoft365Simulator
from local.simulators.mimecast import MimecastSimulator
from local.simulators.psas import DEFAULT_PSA, SIMULATED_PSAS
from local.simulators.world import World


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.simulators",
        description="Serve a simulated Mimecast, a simulated PSA and a simulated Microsoft 365 on 127.0.0.1.",
    )
    parser.add_argument(
        "--psa", choices=sorted(SIMULATED_PSAS), default=DEFAULT_PSA, help=f"which PSA (default: {DEFAULT_PSA})"
    )
    parser.add_argument("--world", default="demo", help="demo (48 clients), or a number of clients (default: demo)")
    parser.add_argument("--seed", type=int, default=DEMO_SEED, help="the same seed gives the same world")
    parser.add_argument("--state", type=Path, help="file that keeps the world; made when it is not there")
    parser.add_argument("--latency-seconds", type=float, default=0.0, help="added to every answer (default: 0)")
    parser.add_argument(
        "--psa-limit-per-minute",
        type=int,
        help="answer 429 beyond this many; 0 is no limit (default: what the PSA documents by the minute; "
        "Autotask counts by the hour instead)",
    )
    parser.add_argument("--mimecast-port", type=int, default=0, help="default: a free port")
    parser.add_argument("--psa-port", type=int, default=0, help="default: a free port")
    parser.add_argument("--microsoft365-port", type=int, default=0, help="default: a free port")
    parser.add_argument("--ready-file", type=Path, help="file that gets the JSON line once all servers answer")
    parser.add_argument(
        "--until-stdin-ends",
        action="store_true",
        help="also stop when standard input ends, as it does when the process that holds its other end is killed",
    )
    options = parser.parse_args()
    if options.world != "demo" and not (options.world.isdecimal() and int(options.world) > 0):
        parser.error("--world is demo or a number of clients")
    return options


def _world(options: argparse.Namespace) -> World:
    state: Path | None = options.state
    if state is not None and state.exists():
        world = World.load(state)
    elif options.world == "demo":
        world = demo_world(options.seed)
    else:
        world = scaled_world(int(options.world), options.seed)
    if state is not None:
        state.parent.mkdir(parents=True, exist_ok=True)
        world.state_file = state
        world.persist()
    return world


def _set_at_end_of_input(stop: threading.Event) -> None:
    while os.read(0, 65536):
        continue
    stop.set()


def main() -> int:
    """Serve until told to stop; 1 when a simulator failed on the way."""
    options = _options()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    if options.until_stdin_ends:
        threading.Thread(target=_set_at_end_of_input, args=(stop,), daemon=True).start()
    world = _world(options)
    mimecast = MimecastSimulator(world, latency_seconds=options.latency_seconds, port=options.mimecast_port)
    psa = SIMULATED_PSAS[options.psa].open(
        world,
        latency_seconds=options.latency_seconds,
        port=options.psa_port,
        limit_per_minute=options.psa_limit_per_minute,
    )
    microsoft365 = Microsoft365Simulator(world, latency_seconds=options.latency_seconds, port=options.microsoft365_port)
    with mimecast, psa, microsoft365:
        told = {
            "mimecast": mimecast.url,
            "psa": psa.url,
            options.psa: psa.url,
            "microsoft365": microsoft365.url,
            "pid": os.getpid(),
        }
        line = json.dumps(told)
        if options.ready_file is not None:
            temporary = options.ready_file.with_name(options.ready_file.name + ".new")
            temporary.write_text(line + "\n")
            temporary.replace(options.ready_file)
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
        stop.wait()
    bugs = mimecast.internal_errors + psa.internal_errors + microsoft365.internal_errors
    for bug in bugs:
        sys.stderr.write(f"simulator bug: {type(bug).__name__}: {bug}\n")
    return 1 if bugs else 0


if __name__ == "__main__":
    sys.exit(main())
