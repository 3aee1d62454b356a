"""Closing the months that are over, without a person: what the unattended run does at its beginning and at its end."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from trueup.domain.errors import MonthNotReady, NotFound, TrueupError
from trueup.domain.periods import Period
from trueup.domain.sealing import SealLink, standing
from trueup.ports.clock import Clock
from trueup.ports.state_bundle import State
from trueup.usecases.sealing import seal_month

RUNS_LOOKED_AT = 200
MONTH_OVER = "the month is over"


@dataclass(frozen=True, slots=True)
class Closed:
    """Periods that were sealed now, and those that could not be, as (period, why)."""

    sealed: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


def close_months(run_id: str, *, actor: str, tenant: str, time_zone: ZoneInfo, state: State, clock: Clock) -> Closed:
    """Seal every month that is over by the MSP's calendar, has been compared and was not sealed, the oldest first.

    What was never approved or finished can no longer be: such a month is closed as it is, with what was left named. A
    month that a person opened again is theirs to close. Safe to repeat.
    """
    now = str(Period.at(clock.now(), time_zone))
    links = state.sealed_months.links()
    over = sorted({run.period for run in state.runs.latest(RUNS_LOOKED_AT) if run.period < now})
    sealed, refused = [], []
    for period in over:
        if standing(period, links) is not None:
            continue
        try:
            link = _sealed(period, run_id, actor, tenant, state, clock)
        except NotFound:
            continue  # Its runs came to no comparison, so there is nothing to close.
        except TrueupError as trouble:
            refused.append((period, trouble.message))
        else:
            sealed.append(link.period)
    return Closed(tuple(sealed), tuple(refused))


def _sealed(period: str, run_id: str, actor: str, tenant: str, state: State, clock: Clock) -> SealLink:
    try:
        return seal_month(period, actor=actor, run_id=run_id, tenant=tenant, state=state, clock=clock)
    except MonthNotReady as not_ready:
        why = f"{MONTH_OVER}: {not_ready.message}"
        return seal_month(period, actor=actor, run_id=run_id, tenant=tenant, state=state, clock=clock, reason=why)
