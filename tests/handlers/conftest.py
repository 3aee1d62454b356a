"""One store, both vendors and the loaded functions for all handler tests; a stage of its own for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from local.simulators.credentials import PASSPHRASE_CANARY
from tests.handlers.stage import CONNECTWISE_FIELDS, MIMECAST_FIELDS, Stage, Theater, unhurried_vendors
from tests.simulation.auditor import Evidence, audit, writes_of
from tests.store_fixture import store_endpoint
from trueup import bootstrap

__all__ = ["store_endpoint"]


@pytest.fixture(scope="session")
def theater(store_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theater]:
    made = Theater(store_endpoint, tmp_path_factory.mktemp("stages"))
    with made.mimecast, made.connectwise:
        made.load_functions()
        yield made
    assert made.mimecast.internal_errors + made.connectwise.internal_errors == []


@pytest.fixture
def stage_at(theater: Theater) -> Iterator[Callable[[str], Stage]]:
    """Sets up a stage at a level of the month; one for a test. What the test leaves behind is audited."""
    with ExitStack() as stack:

        def open_stage(level: str) -> Stage:
            # For this test alone: what is patched for a whole session would be so in other rooms' tests too.
            stack.enter_context(unhurried_vendors())
            stage = stack.enter_context(theater.stage(level))
            # Left before the stage is: the state must still be there to be looked at.
            stack.callback(lambda: audit(evidence_of(stage)).require_sound())
            return stage

        yield open_stage


def evidence_of(stage: Stage) -> Evidence:
    """What the auditor looks at: the stored month, and the writes that the PSA has had of it."""
    return Evidence(
        stage.state,
        writes=writes_of(stage.world),
        policy=bootstrap.reconciliation_policy(),
        secrets=(MIMECAST_FIELDS["client_secret"], CONNECTWISE_FIELDS["private_key"], PASSPHRASE_CANARY),
    )


@pytest.fixture(scope="module")
def untouched(theater: Theater) -> Iterator[Stage]:
    """One stage with a plan that waits, for all tests of a module that change nothing on it."""
    with unhurried_vendors(), theater.stage("proposed") as stage:
        yield stage


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What the functions printed since the last look."""
    return lambda: capsys.readouterr().out
