"""One execution of the monthly workflow, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from trueup.domain.integrations import Side


class RunState(StrEnum):
    """superseded: a newer run took the place of one that waited, and nothing of it can be approved any more."""

    RUNNING = "running"
    WAITING_FOR_APPROVAL = "waiting_for_approval"
    WAITING_FOR_ORDERS = "waiting_for_orders"
    DONE = "done"
    SUPERSEDED = "superseded"
    FAILED = "failed"


class Step(StrEnum):
    """What a run is doing; in this order."""

    SYNC = "sync"
    MATCH = "match"
    RECONCILE = "reconcile"
    APPROVE = "approve"
    APPLY = "apply"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class SideProgress:
    """How far the read of one side is. ``accounts_total`` is None while the other side has not said how many there
    are.

    ``failed`` are tenants that could not be read in a read of licenses that goes on. ``problem`` says why a side that
    is not required was not read at all, so that the month goes on without it, and ``remedy`` what to do about it.
    """

    side: Side
    pages: int = 0
    accounts: int = 0
    accounts_total: int | None = None
    done: bool = False
    failed: int = 0
    problem: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """``id`` is made of the period and a number, so that a duplicate trigger names the same run.

    ``callback_id`` is how a run that waits for a person is told to go on; empty when nothing waits. ``accept_drop`` is
    the word of who started it that a much shorter list than last time is right, and ``effective`` from when they want
    the changes to count (EffectiveWish.text; empty: as the PSA does it).
    """

    id: str
    period: str
    state: RunState
    step: Step
    started_at: datetime
    started_by: str
    updated_at: datetime
    sides: tuple[SideProgress, ...] = ()
    plan_id: str = ""
    plan_checksum: str = ""
    callback_id: str = ""
    problem_code: str = ""
    problem: str = ""
    remedy: str = ""
    ended_at: datetime | None = None
    accept_drop: bool = False
    version: int = 0
    effective: str = ""

    @property
    def is_over(self) -> bool:
        return self.state in {RunState.DONE, RunState.FAILED, RunState.SUPERSEDED}

    @property
    def holds_place(self) -> bool:
        """Whether no other run may start: one that waits for a person does not stand in the way of a fresh one."""
        return self.state is RunState.RUNNING


def is_later(run_id: str, other_id: str) -> bool:
    """Whether a run was begun after another one, by their ids: the period, then the number in it."""
    return _place(run_id) > _place(other_id)


def _place(run_id: str) -> tuple[str, int, str]:
    """Numbers have three digits or more, so a longer one is a larger one."""
    period, _, number = run_id.rpartition("-")
    return period, len(number), number


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The header of one complete read of one side. It is written last: a snapshot without a header does not exist.

    ``pages`` are the content addresses (SHA-256) of its pages in order; ``digest`` is over them, so two reads that say
    the same have the same digest whatever the time. ``system`` is what was read (Integration.system); empty in records
    of before it was kept. ``accounts_as_of`` is set where a file that a person gave listed the accounts: when that was.
    ``refreshed`` are accounts of a complete read that were read again alone since, with the time that began; the other
    times stay those of the complete read, so nothing is taken to be younger than it is.
    """

    id: str
    side: Side
    period: str
    run_id: str
    started_at: datetime
    completed_at: datetime
    pages: tuple[str, ...]
    digest: str
    accounts: int
    records: int
    system: str = ""
    accounts_as_of: datetime | None = None
    refreshed: tuple[tuple[str, datetime], ...] = ()

    def account_read_at(self, account_id: str) -> datetime:
        """Since when at the latest everything of that account is known: an earlier change of it was seen."""
        return dict(self.refreshed).get(account_id, self.started_at)
