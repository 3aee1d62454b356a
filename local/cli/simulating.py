"""`trueup simulate`: a year of months with faults, told month by month, and what it comes to."""

from __future__ import annotations

from argparse import Namespace

from local.cli import EXIT_DONE, EXIT_FAILED
from local.cli.output import Output
from local.year.play import MonthPlayed, Wanted, YearPlayed, play_year
from trueup.domain.errors import InputInvalid

LIMITS = {"months": (1, 120), "clients": (1, 2_000), "flips": (0, 10_000), "seed": (0, 2**31)}


def simulate(arguments: Namespace, output: Output) -> int:
    """Play the months in a folder that is gone afterwards. Exit code 1 when anything does not hold."""
    for name, (least, most) in LIMITS.items():
        if not least <= getattr(arguments, name) <= most:
            raise InputInvalid(f"--{name} must lie between {least} and {most}", field=name, remedy=f"Correct --{name}.")
    wanted = Wanted(
        arguments.months, arguments.seed, arguments.clients, arguments.psa, not arguments.no_faults, arguments.flips
    )

    def tell(month: MonthPlayed) -> None:
        words = f"{month.changes} changes, {month.done} done, {month.refused} refused"
        orders = f"{month.orders_reflected} orders shown, {month.orders_open} open"
        more = f"{orders}; {month.faults_met} faults met, {month.troubles} times tried again a day later"
        closed = f"sealed {month.seal[:12]}" if month.sealed else "NOT SEALED"
        output.line(f"{month.period}  {month.rows:>4} rows  {words}; {more}; {closed}", "" if month.sealed else "red")
        for words in month.wrong:
            output.line(f"         {words}", "red")

    output.note(f"Simulating {wanted.months} months of {wanted.clients} clients, seed {wanted.seed}")
    played: YearPlayed = play_year(wanted, on_month=tell)
    output.document(played.as_json())
    _ending(played, output)
    return EXIT_DONE if played.is_sound else EXIT_FAILED


def _ending(played: YearPlayed, output: Output) -> None:
    proof, tampering = played.proof, played.tampering
    held = "hold" if proof.holds else f"DO NOT HOLD: {proof.broken or f'event {proof.broken_event}'}"
    output.line()
    output.line(
        f"{proof.months} sealed months, {proof.parts} parts, {proof.pages} pages and {proof.events} events {held}."
    )
    same = played.replayed - len(played.differences)
    output.line(f"{same} of {played.replayed} months were made again to the same bytes.")
    for words in played.differences:
        output.line(f"  {words}", "red")
    found = tampering.flips - len(tampering.missed)
    output.line(f"{found} of {tampering.flips} flipped bytes were found, among {tampering.items} stored items.")
    for words in tampering.missed:
        output.line(f"  not found: {words}", "red")
