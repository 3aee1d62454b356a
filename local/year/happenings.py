"""What happens in a month that nobody at the provider has a hand in, drawn from the seed; and what goes wrong in it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from local.simulators import World
from local.simulators.server import Simulator

READ_FAULTS: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("rate_limited", {"retry_after": "30"}),
    ("status", {"status": 503}),
    ("status", {"status": 500}),
    ("html", {}),
    ("empty", {"status": 200}),
    ("truncated", {}),
    ("reset_mid_body", {}),
    ("drop_before_commit", {}),
    ("unauthorized", {}),
    ("duplicate_page", {}),
    ("total_disagrees", {}),
    ("duplicate_keys", {}),
)
WRITE_FAULTS: Sequence[tuple[str, Mapping[str, Any]]] = (
    ("drop_after_commit", {}),
    ("error_after_commit", {}),
    ("drop_before_commit", {}),
    ("status", {"status": 503}),
    ("rate_limited", {"retry_after": "20"}),
)
WRITES = ("PATCH", "POST", "PUT")


def pass_a_month(world: World, rng: random.Random) -> None:
    """People come and go, now and then the agreement moves by itself, and somebody edits a line by hand."""
    world.edit_directory(lambda directory: directory.drift(rng.randrange(1 << 30), share=0.25))
    codes = sorted(world.accounts)
    for code in rng.sample(codes, max(1, len(codes) // 20)):
        seats = world.accounts[code].partner_seats
        if seats:
            world.set_agreed_seats(code, max(1, seats + rng.randint(-2, 4)))
    lines = sorted(world.additions)
    for line_id in rng.sample(lines, max(1, len(lines) // 25)):
        world.edit_addition(line_id, quantity=max(0.0, world.additions[line_id].quantity + rng.randint(-3, 3)))


def break_reads(simulators: Sequence[Simulator], rng: random.Random) -> None:
    """One to three faults somewhere in the next reads."""
    for _ in range(rng.randint(1, 3)):
        kind, options = rng.choice(READ_FAULTS)
        rng.choice(simulators).faults.add(kind, nth=rng.randint(1, 12), times=rng.choice((1, 2, 8)), **options)


def break_writes(psa: Simulator, rng: random.Random) -> None:
    """One or two faults somewhere in the next writes to the PSA."""
    for _ in range(rng.randint(1, 2)):
        kind, options = rng.choice(WRITE_FAULTS)
        psa.faults.add(kind, method=rng.choice(WRITES), nth=rng.randint(1, 5), **options)


def heal(simulators: Sequence[Simulator]) -> int:
    """Take all faults back; how often they hit."""
    hits = sum(fault.fired for simulator in simulators for fault in simulator.faults)
    for simulator in simulators:
        simulator.faults.clear()
    return hits
