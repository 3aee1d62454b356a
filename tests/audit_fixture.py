"""The fixture that has the invariants I1 to I10 checked when an end-to-end test is over.

A room imports it in its conftest (``from tests.audit_fixture import audited``); a test says what to look at, at once or
as soon as it is there::

    def test_a_month(audited, ...):
        audited(lambda: Evidence(state, writes=writes_of(simulator.world), policy=policy, texts=[printed]))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.simulation.auditor import Evidence, audit

type Audited = Callable[[Callable[[], Evidence]], None]


@pytest.fixture
def audited() -> Iterator[Audited]:
    """Call it with what makes the evidence, which is asked for and audited when the test is over."""
    wanted: list[Callable[[], Evidence]] = []
    yield wanted.append
    for evidence in wanted:
        audit(evidence()).require_sound()
