"""One store, both vendors and the loaded functions for all handler tests; a stage of its own for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.handlers.stage import Stage, Theater, unhurried_vendors
from tests.store_fixture import store_endpoint

__all__ = ["store_endpoint"]


@pytest.fixture(scope="session")
def theater(store_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theater]:
    made = Theater(store_endpoint, tmp_path_factory.mktemp("stages"))
    with unhurried_vendors(), made.mimecast, made.connectwise:
        made.load_functions()
        yield made
    assert made.mimecast.internal_errors + made.connectwise.internal_errors == []


@pytest.fixture
def stage_at(theater: Theater) -> Iterator[Callable[[str], Stage]]:
    """Sets up a stage at a level of the month; one for a test."""
    with ExitStack() as stack:
        yield lambda level: stack.enter_context(theater.stage(level))


@pytest.fixture(scope="module")
def untouched(theater: Theater) -> Iterator[Stage]:
    """One stage with a plan that waits, for all tests of a module that change nothing on it."""
    with theater.stage("proposed") as stage:
        yield stage


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What the functions printed since the last look."""
    return lambda: capsys.readouterr().out
