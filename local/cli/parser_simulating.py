"""The part of the command line that plays months against simulated vendors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.cli.parser_connecting import PSAS_WITH_AN_API

if TYPE_CHECKING:
    from local.cli.parser import _Commands


def add_simulate(commands: _Commands) -> None:
    simulate = commands.add(
        "simulate",
        "simulating:simulate",
        "none",
        "Months with faults against simulated vendors: each is sealed and proven, then damaged on purpose and found",
        "trueup simulate --months 12 --seed 7",
        "One seed gives one year. Exit code 1 when a month stays open, a proof fails or a flipped byte is missed.",
    )
    for name, metavar, default, meaning in (
        ("--months", "N", 12, "how many months, 1 to 120"),
        ("--seed", "N", 1, "what happens and what fails is drawn from it"),
        ("--clients", "N", 24, "how many clients, 1 to 2,000"),
        ("--flips", "N", 50, "how many single bytes are flipped in the store at the end, 0 to 10,000"),
    ):
        simulate.add_argument(name, metavar=metavar, type=int, default=default, help=f"{meaning} (default: {default})")
    simulate.add_argument(
        "--psa", choices=PSAS_WITH_AN_API, default=PSAS_WITH_AN_API[0], help=f"default: {PSAS_WITH_AN_API[0]}"
    )
    simulate.add_argument("--no-faults", action="store_true", help="let nothing go wrong")
