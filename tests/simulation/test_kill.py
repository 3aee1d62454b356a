"""kill -9 of the local system at fifty random moments of a month: nothing acknowledged is lost, nothing applied twice.

Method: the real command and the real store as processes of their own, both killed without warning; the vendors live on
in this process and record every write. After each kill everything that was ever acknowledged is looked for in the store
that is started again, and the auditor looks at the rest.
"""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

import pytest

from local.embedded_store import ENDPOINT_VARIABLE, is_durable
from tests.local.command_line import machine
from tests.simulation.auditor import writes_of
from tests.simulation.killing import KilledMonth

KILLS_OF_EACH = 25
KILLS_IN_A_ROW_MAXIMUM = 5
HOW_OFTEN = {"run": 0.7, "plan": 0.85}
"""How likely a command is killed, by its first word; half of the others are."""

CLIENTS = 4
SEEDS = (20261122, 7)
"""Two months at the same time, for two processors; each has a home, a store and vendors of its own."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(os.environ.get(ENDPOINT_VARIABLE)), reason="the store to be killed must be its own"),
    pytest.mark.skipif(not is_durable(), reason="without dynoxide the local store does not promise to survive a kill"),
]


@pytest.mark.fault("A1")
def test_A1_killed_at_fifty_random_moments(tmp_path: Path) -> None:
    with ExitStack() as stack:
        months = [
            KilledMonth(stack.enter_context(machine(tmp_path / str(seed), clients=CLIENTS)), random.Random(seed))
            for seed in SEEDS
        ]
        with ThreadPoolExecutor(max_workers=len(months)) as pool:
            list(pool.map(live_through, months))
        kinds = {name for month in months for name in month.killed_commands}
        assert sum(month.kills for month in months) == 50
        assert {"run", "plan apply", "plan approve"} <= kinds


def live_through(month: KilledMonth) -> None:
    """A month that is killed every so often, then finished in peace."""
    in_a_row = 0
    while month.kills < KILLS_OF_EACH:
        words = month.next_command(month.look())
        if month.is_settled:
            month.customers_grow(2)
            words = ["run"]
        if in_a_row < KILLS_IN_A_ROW_MAXIMUM and month.rng.random() < HOW_OFTEN.get(words[0], 0.5):
            in_a_row += month.kill(words)
        else:
            month.carry_out(words)
            in_a_row = 0
    finish(month)
    require_the_end(month)


def finish(month: KilledMonth) -> None:
    """Without any more kills, until a run that nobody interrupted finds nothing to do.

    A run that is taken up after a kill keeps what it had read before the kill, which may be older than the last change
    of an agreement: only a run of its own, begun afterwards, has seen everything.
    """
    begun_afterwards = False
    for _ in range(30):
        words = month.next_command(month.look())
        if month.is_settled and begun_afterwards:
            return
        if month.is_settled:
            month.wants_run, month.is_settled, begun_afterwards = True, False, True
            words = ["run"]
        month.carry_out(words)
    raise AssertionError("the month does not end")


def require_the_end(month: KilledMonth) -> None:
    """What the world and the store say when all is over."""
    world = month.there.world
    last = month.carry_out(["run"])
    assert (last.code, last.document["plan"]["changes"]) == (0, [])
    assert {row["verdict"] for row in last.document["rows"]} == {"in_line"}
    month.look(is_settled=True)
    assert month.report.checked >= {"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10"} - {"I3"}
    writes = writes_of(world)
    assert writes, "lines were written"
    for write in writes:
        assert Decimal(str(world.additions[int(write.line_id)].quantity)) >= write.asked
    print(f"{month.kills} kills: {dict(month.killed_commands)}; {len(writes)} writes; {len(month.facts)} facts held")
