"""How long a warm list page takes out of 10,000 accounts, and how many reads of the table it costs.

Run as ``python -m benchmarks.lists``. The same page is answered by the portal's real handler on the embedded store; the
table's calls are counted where boto3 sends them.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCOUNTS = 10_000
PAGE = 100
REPEATS = 30


@dataclass(slots=True)
class _Context:
    """What the handler looks at of a Lambda context."""

    function_name: str = "portal"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:000000000000:function:portal"
    aws_request_id: str = "benchmark"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def main() -> int:
    from local.cli.home import Home, environment_of, process_environment
    from local.embedded_store import running_store

    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        home.prepare()
        with running_store(home.path) as endpoint:
            environment = process_environment(home, endpoint, is_own_store=True)
            quiet = {"POWERTOOLS_SERVICE_NAME": "portal", "POWERTOOLS_LOG_LEVEL": "ERROR"}
            with environment_of(environment | quiet):
                _measure()
    return 0


def _measure() -> None:
    from functions.portal.app import handler
    from trueup import bootstrap
    from trueup.domain.accounts import AccountState, VendorAccountId
    from trueup.domain.mapping import AccountEntry, MappingState

    states = (MappingState.MAPPED, MappingState.MAPPED, MappingState.MAPPED, MappingState.UNMAPPED)
    bootstrap.state().accounts.save(
        [
            AccountEntry(
                VendorAccountId(f"C{number:06d}"), f"Client {number:06d}", AccountState.ACTIVE, states[number % 4]
            )
            for number in range(ACCOUNTS)
        ],
        [],
    )
    print(f"A page of {PAGE} out of {ACCOUNTS:,} accounts, {REPEATS} warm calls of the portal's handler")
    for name, query in (("all", {}), ("unmapped", {"mapping": "unmapped"})):
        event = _event({"limit": str(PAGE), **query})
        with _counted_queries() as count:
            rows = len(json.loads(handler(event, _Context())["body"])["items"])  # type: ignore[arg-type]
        seconds = sorted(_timed(lambda event=event: handler(event, _Context())) for _ in range(REPEATS))  # type: ignore
        median, slowest = statistics.median(seconds) * 1000, seconds[-1] * 1000
        print(f"{name:>9}: {rows} rows, {count()} query, median {median:.1f} ms, slowest {slowest:.1f} ms")


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


@contextmanager
def _counted_queries() -> Iterator[Callable[[], int]]:
    """Counts the calls that leave for the table."""
    from botocore.endpoint import Endpoint

    sent: list[str] = []
    original = Endpoint.make_request

    def counting(self: Endpoint, operation_model: Any, request_dict: Any) -> Any:
        sent.append(operation_model.name)
        return original(self, operation_model, request_dict)

    setattr(Endpoint, "make_request", counting)  # noqa: B010  # mypy forbids the plain assignment
    try:
        yield lambda: len(sent)
    finally:
        setattr(Endpoint, "make_request", original)  # noqa: B010


def _event(query: dict[str, str]) -> dict[str, Any]:
    """A list request as API Gateway (HTTP API, payload format 2.0) sends it."""
    return {
        "version": "2.0",
        "routeKey": "GET /v1/account-mappings",
        "rawPath": "/v1/account-mappings",
        "rawQueryString": "&".join(f"{key}={value}" for key, value in query.items()),
        "queryStringParameters": query,
        "headers": {},
        "requestContext": {
            "requestId": "benchmark",
            "stage": "$default",
            "http": {"method": "GET", "path": "/v1/account-mappings"},
        },
        "isBase64Encoded": False,
    }


if __name__ == "__main__":
    raise SystemExit(main())
