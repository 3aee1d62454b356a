"""How long the licenses of 200 tenants of 300 users take against what Graph's limits allow, and how much memory.

Run as ``python -m benchmarks.licenses [--tenants 200] [--users 300] [--json]``. The read is in a process of its own,
the simulated Microsoft 365 in another one, 100 ms latency on every call.

*Allowed* is what the buckets of the limits need to hand out exactly the calls that were answered: no client of those
limits can be faster, however many calls it sends at once and however quick the network is. The documented limits
(130,000 requests and 75,000 resource units in ten seconds) never come into play for so few tenants, so the first row
only tells how long the network takes. In the other rows all limits are the documented ones divided by the number in the
row; the clock is the real one and no wait is shortened.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[1]
LATENCY_SECONDS = 0.1
LIMITS_DIVIDED_BY = (1, 10, 20)
RATIO_MAXIMUM = 1.3
READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Measured:
    """One row. ``requests`` counts those inside batches one by one; memory is the reading process's peak resident set,
    ``page_mib`` by how much reading raised it.
    """

    divided_by: int
    tenants: int
    users: int
    requests: int
    units: int
    waits: int
    allowed_seconds: float
    read_seconds: float
    peak_memory_mib: float
    page_mib: float

    @property
    def ratio(self) -> float:
        return self.read_seconds / self.allowed_seconds if self.allowed_seconds else 0.0


def main() -> int:
    arguments = _arguments()
    if arguments.serve:
        return _serve(arguments.tenants, arguments.users)
    if arguments.read:
        print(json.dumps(_read(arguments.read)))
        return 0
    measured = []
    for divided_by in LIMITS_DIVIDED_BY:
        print(f"reading {arguments.tenants} tenants, limits divided by {divided_by} ...", file=sys.stderr, flush=True)
        measured.append(measure(arguments.tenants, arguments.users, divided_by))
    if arguments.json:
        print(json.dumps([asdict(row) | {"ratio": round(row.ratio, 3)} for row in measured]))
    else:
        _print_table(measured)
    return int(any(row.ratio > RATIO_MAXIMUM for row in measured))


def measure(tenants: int, users: int, divided_by: int) -> Measured:
    """One whole read with the documented limits divided by that."""
    from local.simulators.microsoft365_limits import REQUESTS_OF_APPLICATION, UNITS_OF_APPLICATION

    limits = {
        "latency_seconds": LATENCY_SECONDS,
        "requests_of_application": REQUESTS_OF_APPLICATION // divided_by,
        "units_of_application": UNITS_OF_APPLICATION // divided_by,
        "units_of_tenant": 0 if divided_by == 1 else 5_000 // divided_by,
    }
    with _simulator(tenants, users) as url:
        requests.post(f"{url}/_control/settings", json=limits, timeout=30).raise_for_status()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.licenses", "--read", url],
            cwd=ROOT,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"reading {tenants} tenants failed:\n{done.stderr}")
        given = requests.get(f"{url}/_control/settings", timeout=30).json()
    found = json.loads(done.stdout)
    if (found.pop("tenants"), found.pop("users")) != (tenants, tenants * users):
        raise SystemExit("the read does not hold every user")
    asked, units = int(given["requests_given"]), int(given["units_given"])
    allowed = max(
        _seconds(asked, REQUESTS_OF_APPLICATION / divided_by, 10),
        _seconds(units, UNITS_OF_APPLICATION / divided_by, 20),
    )
    return Measured(
        divided_by=divided_by,
        tenants=tenants,
        users=users,
        requests=asked,
        units=units,
        waits=int(given["requests_refused"]),
        allowed_seconds=round(allowed, 2),
        **found,
    )


def _seconds(taken: int, quota: float, window_seconds: float) -> float:
    """How long a bucket that is full at first needs to give so much."""
    return max(taken - quota, 0.0) * window_seconds / quota


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'core'}"}


@contextmanager
def _simulator(tenants: int, users: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.licenses", "--serve"]
    command += ["--tenants", str(tenants), "--users", str(users)]
    with subprocess.Popen(
        command, cwd=ROOT, env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise SystemExit("the simulator did not start")
            yield url
        finally:
            process.stdin.close()
            process.wait(timeout=30)


def _serve(tenants: int, users: int) -> int:
    """The simulator with so many tenants, until standard input ends."""
    from local.simulators.credentials import PARTNER_ACCOUNT_CODE
    from local.simulators.directory import ClientTenant, Directory
    from local.simulators.microsoft365 import Microsoft365Simulator
    from local.simulators.server import running
    from local.simulators.world import VendorAccount, World

    def tenant(number: int) -> ClientTenant:
        made = ClientTenant(f"{number:08x}-0000-4000-8000-{number:012x}", f"Client {number:04d}", f"c{number}.example")
        made.add(users)
        return made

    world = World("benchmark", 0, VendorAccount(PARTNER_ACCOUNT_CODE, "Sim MSP"))
    world.set_directory(Directory(tenant(number) for number in range(1, tenants + 1)))
    with running(Microsoft365Simulator(world)) as simulator:
        print(simulator.url, flush=True)
        sys.stdin.read()
    return 0


def _read(url: str) -> dict[str, Any]:
    """One whole read, page by page; of a page only its counts are kept."""
    from local.simulators.credentials import MICROSOFT365_FIELDS
    from trueup.adapters.clock import SystemClock
    from trueup.adapters.microsoft365.licenses import open_microsoft365

    source = open_microsoft365(url, MICROSOFT365_FIELDS, clock=SystemClock(), allow_loopback=True)
    before = _peak_mib()
    tenants = users = 0
    cursor = None
    began = time.monotonic()
    while True:
        page = source.read_page(cursor)
        failed = [tenant.failure for tenant in page.accounts if tenant.failure]
        if failed:
            raise SystemExit(f"a tenant could not be read: {failed[0]}")
        tenants += len(page.accounts)
        users += sum(len(tenant.users) for tenant in page.accounts)
        cursor = page.next_cursor
        if cursor is None:
            break
    read_seconds = round(time.monotonic() - began, 2)
    source.close()
    peak = _peak_mib()
    return {
        "tenants": tenants,
        "users": users,
        "read_seconds": read_seconds,
        "peak_memory_mib": peak,
        "page_mib": round(peak - before, 1),
    }


def _peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _print_table(measured: list[Measured]) -> None:
    first = measured[0]
    print(f"The licenses of {first.tenants} tenants of {first.users} users: {LATENCY_SECONDS * 1000:.0f} ms latency")
    print(
        f"{'limits':>8} {'requests':>9} {'units':>6} {'429s':>6} {'allowed s':>10} {'read s':>7} {'ratio':>6} "
        f"{'MiB':>6} {'of it reading':>14}"
    )
    for row in measured:
        limits = "as told" if row.divided_by == 1 else f"1/{row.divided_by}"
        ratio = f"{row.ratio:.2f}" if row.allowed_seconds else "-"
        print(
            f"{limits:>8} {row.requests:>9,} {row.units:>6,} {row.waits:>6,} {row.allowed_seconds:>10.1f} "
            f"{row.read_seconds:>7.1f} {ratio:>6} {row.peak_memory_mib:>6.1f} {row.page_mib:>14.1f}"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.licenses", description=__doc__)
    parser.add_argument("--tenants", type=int, default=200, help="how many client tenants (default: %(default)s)")
    parser.add_argument("--users", type=int, default=300, help="licensed users in each (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--read", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
