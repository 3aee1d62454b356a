"""How long a month's reads take against what the rate limits allow, and how much memory they need.

Run as ``python -m benchmarks.month [--clients 1000,10000] [--json]``. Each size runs in a process of its own against
the simulators in another process: 100 ms latency on every call, ConnectWise's limit on (1,000 calls a minute).

*Allowed* is the ConnectWise calls of the read beyond the first 60, divided by the 8 a second that Trueup lets itself
make: no client of that budget can be faster. The 10,000-client row lifts the budget and the latency, because it
measures memory and 20 minutes of waiting would not change it; it says so in the table.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parents[1]
LATENCY_SECONDS = 0.1
CONNECTWISE_LIMIT_PER_MINUTE = 1000
PACED_CLIENTS_MAXIMUM = 2000
READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Measured:
    """One size. Seconds are wall time; memory is the peak resident set of the process that did the month."""

    clients: int
    paced: bool
    connectwise_calls: int
    mimecast_calls: int
    allowed_seconds: float
    read_seconds: float
    match_and_store_seconds: float
    reconcile_seconds: float
    rows: int
    changes: int
    peak_memory_mib: float

    @property
    def ratio(self) -> float:
        return self.read_seconds / self.allowed_seconds if self.allowed_seconds else 0.0


def main() -> int:
    arguments = _arguments()
    if arguments.child:
        print(json.dumps(_month(json.loads(arguments.child))))
        return 0
    sizes = [int(size) for size in arguments.clients.split(",")]
    measured = []
    for clients in sizes:
        print(f"measuring a month of {clients:,} clients ...", file=sys.stderr, flush=True)
        measured.append(measure(clients))
    if arguments.json:
        print(json.dumps([asdict(item) | {"ratio": round(item.ratio, 3)} for item in measured]))
    else:
        _print_table(measured)
    return 0


def measure(clients: int) -> Measured:
    """A whole read side of a month of that many clients."""
    paced = clients <= PACED_CLIENTS_MAXIMUM
    with tempfile.TemporaryDirectory() as folder, _simulators(clients, Path(folder), paced=paced) as urls:
        order = json.dumps({"urls": urls, "home": folder, "paced": paced})
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'core'}", "TRUEUP_ALLOW_LOOPBACK": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.month", "--child", order],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"the month of {clients} clients failed:\n{done.stderr}")
        found = json.loads(done.stdout)
    calls = found["connectwise_calls"]
    return Measured(clients=clients, paced=paced, allowed_seconds=max(0, calls - 60) / 8 if paced else 0.0, **found)


@contextmanager
def _simulators(clients: int, folder: Path, *, paced: bool) -> Iterator[dict[str, str]]:
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "local.simulators", "--world", str(clients), "--seed", "1"]
    command += ["--ready-file", str(ready)]
    if paced:
        command += ["--latency-seconds", str(LATENCY_SECONDS)]
        command += ["--psa-limit-per-minute", str(CONNECTWISE_LIMIT_PER_MINUTE)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + READY_SECONDS
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit("the simulators did not start")
            time.sleep(0.05)
        found = json.loads(ready.read_text())
        yield {"mimecast": found["mimecast"], "connectwise": found["connectwise"]}
    finally:
        process.terminate()
        process.wait(timeout=30)


def _month(order: dict[str, object]) -> dict[str, object]:
    """The month itself, in a process that does nothing else."""
    from local.cli.home import Home, environment_of, process_environment
    from local.embedded_store import running_store

    urls = order["urls"]
    assert isinstance(urls, dict)
    home = Home(Path(str(order["home"])) / "home")
    home.prepare()
    with (
        running_store(home.path) as endpoint,
        environment_of(process_environment(home, endpoint, is_own_store=True)),
    ):
        return _measured_month(urls, paced=bool(order["paced"]))


def _measured_month(urls: dict[str, str], *, paced: bool) -> dict[str, object]:
    from local.simulators import credentials
    from local.simulators.demo_world import SERVICE_TO_PRODUCT
    from trueup import bootstrap
    from trueup.adapters.connectwise import billing
    from trueup.domain.integrations import IntegrationName, Side
    from trueup.settings import settings
    from trueup.usecases.credential_validation import connect
    from trueup.usecases.mapping import map_service
    from trueup.usecases.month import Systems, read_and_match, reconcile_run
    from trueup.usecases.monthly_run import begin_run
    from trueup.usecases.opening import connected, open_psa

    if not paced:
        vars(billing)["REQUESTS_PER_SECOND"] = 100_000
    fields = {
        IntegrationName.MIMECAST: {
            "client_id": credentials.MIMECAST_CLIENT_ID,
            "client_secret": credentials.MIMECAST_CLIENT_SECRET,
        },
        IntegrationName.CONNECTWISE: {
            "company_id": credentials.CONNECTWISE_COMPANY_ID,
            "public_key": credentials.CONNECTWISE_PUBLIC_KEY,
            "private_key": credentials.CONNECTWISE_PRIVATE_KEY,
            "client_id": credentials.CONNECTWISE_CLIENT_ID,
        },
    }
    state, vault, connections, clock = bootstrap.state(), bootstrap.vault(), bootstrap.connections(), bootstrap.clock()
    for name, values in fields.items():
        connect(
            name,
            address=urls[name.value],
            fields=values,
            actor="benchmark",
            integrations=state.integrations,
            vault=vault,
            connections=connections,
            clock=clock,
        )
    systems = Systems(state, vault, connections, bootstrap.similarity(), clock)
    run = begin_run(actor="benchmark", time_zone=settings().time_zone, runs=state.runs, clock=clock)
    before = {name: _calls(url) for name, url in urls.items()}
    read_done: list[float] = []
    began = time.monotonic()
    read_and_match(
        run,
        systems,
        actor="benchmark",
        on_progress=lambda progress: read_done.append(time.monotonic()) if progress.done else None,
    )
    matched = time.monotonic()
    calls = {name: _calls(url) - before[name] for name, url in urls.items()}
    psa = open_psa(integrations=state.integrations, vault=vault, connections=connections)
    for service, product in SERVICE_TO_PRODUCT.items():
        if any(entry.service_id == service for entry in state.services.all()):
            map_service(
                service,
                product,
                actor="benchmark",
                services=state.services,
                psa=psa,
                psa_integration=connected(Side.PSA, state.integrations),
                clock=clock,
            )
    mapped = time.monotonic()
    outcome = reconcile_run(run, systems, actor="benchmark", policy=bootstrap.reconciliation_policy())
    return {
        "connectwise_calls": calls["connectwise"],
        "mimecast_calls": calls["mimecast"],
        "read_seconds": round(max(read_done) - began, 2),
        "match_and_store_seconds": round(matched - max(read_done), 2),
        "reconcile_seconds": round(time.monotonic() - mapped, 2),
        "rows": len(outcome.reconciliation.rows),
        "changes": len(outcome.plan.changes),
        "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def _calls(url: str) -> int:
    reply = requests.get(f"{url}/_control/requests", params={"entries": "no"}, timeout=30)
    return int(reply.json()["total"])


def _print_table(measured: list[Measured]) -> None:
    print("A month's reads: 100 ms latency, ConnectWise limit on, 8 calls a second after the first 60")
    print(
        f"{'clients':>8} {'CW calls':>9} {'allowed s':>10} {'read s':>8} {'ratio':>6} "
        f"{'match s':>8} {'plan s':>7} {'MiB':>7}"
    )
    for item in measured:
        allowed = f"{item.allowed_seconds:.1f}" if item.paced else "unpaced"
        ratio = f"{item.ratio:.2f}" if item.paced else "-"
        print(
            f"{item.clients:>8,} {item.connectwise_calls:>9,} {allowed:>10} {item.read_seconds:>8.1f} {ratio:>6} "
            f"{item.match_and_store_seconds:>8.1f} {item.reconcile_seconds:>7.1f} {item.peak_memory_mib:>7.1f}"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.month", description=__doc__)
    parser.add_argument("--clients", default="1000,10000", help="sizes, with commas between (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
