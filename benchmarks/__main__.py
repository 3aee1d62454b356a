"""All measurements, one after another: ``python -m benchmarks`` or ``make bench``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MEASUREMENTS = (
    "benchmarks.matching",
    "benchmarks.month",
    "benchmarks.licenses",
    "benchmarks.lists",
    "benchmarks.screens",
)


def main() -> int:
    failed = 0
    for module in MEASUREMENTS:
        print(f"\n== {module}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", module], cwd=ROOT, check=False).returncode
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
