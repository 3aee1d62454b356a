"""Months with faults on simulated vendors: every one is sealed, all are proven, and no flipped byte goes unnoticed."""

from __future__ import annotations

import pytest

from local.year.play import Wanted, play_year


@pytest.mark.parametrize("psa", ["connectwise", "halopsa"])
def test_months_with_faults_are_sealed_proven_and_made_again(psa: str) -> None:
    played = play_year(Wanted(months=2, seed=11, clients=8, psa=psa, faults=True, flips=8))
    assert played.is_sound, played
    assert sum(month.faults_met for month in played.months) > 0
    assert sum(month.done for month in played.months) > 0
    assert sum(month.orders_reflected for month in played.months) > 0
    assert (played.proof.months, played.replayed, played.tampering.flips) == (2, 2, 8)


def test_one_seed_gives_one_year() -> None:
    wanted = Wanted(months=1, seed=5, clients=6, psa="syncro", faults=True, flips=0)
    first, second = play_year(wanted), play_year(wanted)
    assert [(month.period, month.changes, month.done) for month in first.months] == [
        (month.period, month.changes, month.done) for month in second.months
    ]
