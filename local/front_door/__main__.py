"""`python -m local.front_door`: what `trueup serve` runs, with the state folder named on the command line."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from local.front_door.serving import serve
from trueup.domain.errors import TrueupError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.front_door", description="Serve Trueup on 127.0.0.1.")
    parser.add_argument("--home", type=Path, required=True, help="the state folder")
    parser.add_argument("--port", type=int, default=0, help="default: a free port")
    parser.add_argument("--no-schedules", action="store_true", help="leave the time triggers out")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        serve(options.home.absolute(), options.port, schedules=not options.no_schedules)
    except TrueupError as trouble:
        sys.stderr.write(f"{trouble.message} {trouble.remedy}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
