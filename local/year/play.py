"""A whole year: months on simulated vendors with faults, each closed, all proven, then damaged on purpose and found."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local.cli.home import Home, environment_of, log_to, process_environment
from local.embedded_store import ENDPOINT_VARIABLE, running_store, store_client
from local.simulators import SIMULATED_PSAS, Microsoft365Simulator, MimecastSimulator, running, scaled_world
from local.simulators.credentials import MICROSOFT365_FIELDS, MIMECAST_CLIENT_ID, MIMECAST_CLIENT_SECRET
from local.year.clock import YearClock
from local.year.happenings import pass_a_month
from local.year.office import Office
from local.year.tampering import Tampering, tamper
from trueup import bootstrap
from trueup.domain.billing import WriteOutcome
from trueup.domain.integrations import IntegrationName
from trueup.domain.order_parts import OrderState
from trueup.domain.periods import Period
from trueup.domain.plan import Plan
from trueup.settings import settings
from trueup.usecases.month import Systems
from trueup.usecases.sealed_proof import Proof, replay_month, verify_months

LOOKS_A_MONTH = 4
"""How often in a month the vendor is asked for the orders that wait."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be simulated. ``flips`` is how many bytes are changed on purpose at the end."""

    months: int
    seed: int
    clients: int
    psa: str
    faults: bool
    flips: int


@dataclass(frozen=True, slots=True)
class MonthPlayed:
    """What one month came to. ``wrong`` are changes that the plan calls done and the PSA does not hold."""

    period: str
    rows: int
    changes: int
    done: int
    refused: int
    orders_open: int
    orders_reflected: int
    faults_met: int
    troubles: int
    sealed: bool
    seal: str
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class YearPlayed:
    """The months, the proof of all of them, what was made again to the same bytes, and what tampering came to."""

    months: tuple[MonthPlayed, ...]
    proof: Proof
    replayed: int
    differences: tuple[str, ...]
    tampering: Tampering

    @property
    def is_sound(self) -> bool:
        closed = all(month.sealed and not month.wrong for month in self.months)
        return closed and self.proof.holds and not self.differences and not self.tampering.missed

    def as_json(self) -> dict[str, Any]:
        return {
            "sound": self.is_sound,
            "months": [asdict(month) for month in self.months],
            "proof": asdict(self.proof),
            "replayed": self.replayed,
            "differences": list(self.differences),
            "tampering": asdict(self.tampering),
        }


def play_year(wanted: Wanted, *, on_month: Callable[[MonthPlayed], None] = lambda _: None) -> YearPlayed:
    """Play it in a folder of its own, which is gone afterwards. ``on_month`` hears of each month as it is closed."""
    rng = random.Random(wanted.seed)
    with tempfile.TemporaryDirectory(prefix="trueup-year-") as folder, _office(wanted, Path(folder), rng) as office:
        office.finish()
        played = []
        for _ in range(wanted.months):
            played.append(_month(office, rng))
            on_month(played[-1])
        state = office.systems.state
        replays = [replay_month(month.period, state=state) for month in played if month.sealed]
        return YearPlayed(
            months=tuple(played),
            proof=verify_months(None, state=state),
            replayed=len(replays),
            differences=tuple(f"{one.period}: {one.difference}" for one in replays if one.difference),
            tampering=_tampered(office, rng, wanted.flips),
        )


def _tampered(office: Office, rng: random.Random, flips: int) -> Tampering:
    client = store_client(os.environ[ENDPOINT_VARIABLE])
    chosen = settings()
    return tamper(client, table=chosen.table, tenant=chosen.tenant, clock=office.clock, rng=rng, flips=flips)


def _month(office: Office, rng: random.Random) -> MonthPlayed:
    """From the run on the first to the seal when the month is over."""
    clock, state = office.clock, office.systems.state
    period = Period.at(clock.now(), office.policy.time_zone)
    troubles, faults_met = office.troubles, office.faults_met
    pass_a_month(office.world, rng)
    outcome = office.run()
    plan: Plan | None = None
    wrong: tuple[str, ...] = ()
    reflected = 0
    if outcome is not None:
        approved = office.decide(outcome.plan)
        if approved is not None:
            plan = office.apply(approved)
            wrong = _wrong(office, plan)
        office.order()
        reflected = _let_days_pass(office, outcome.plan.run_id, period)
    clock.advance_to(_first_moment(period.next(), office))
    run_id = state.runs.latest(1)[0].id
    sealed = office.close(run_id)
    links = {link.period: link for link in state.sealed_months.links()}
    return MonthPlayed(
        period=str(period),
        rows=0 if outcome is None else len(outcome.reconciliation.rows),
        changes=0 if plan is None else len(plan.ready),
        done=0 if plan is None else sum(1 for one in plan.results if one.outcome in DONE),
        refused=0 if plan is None else sum(1 for one in plan.results if one.outcome not in DONE),
        orders_open=sum(1 for order in state.change_orders.open() if order.state is not OrderState.DRAFT),
        orders_reflected=reflected,
        faults_met=office.faults_met - faults_met,
        troubles=office.troubles - troubles,
        sealed=str(period) in sealed,
        seal=links[str(period)].hash if str(period) in links else "",
        wrong=wrong,
    )


DONE = frozenset({WriteOutcome.APPLIED, WriteOutcome.ALREADY})


def _wrong(office: Office, plan: Plan) -> tuple[str, ...]:
    """Changes that are said to be done and that the world does not hold."""
    found = []
    for result in plan.results:
        change = plan.change(result.change_id)
        line = office.world.additions.get(int(result.line_id or change.line_id))
        is_there = line is not None and line.quantity == change.target
        if result.outcome in DONE and not is_there:
            found.append(f"{change.id}: {change.target} was written and the line has {line and line.quantity}")
    return tuple(found)


def _let_days_pass(office: Office, run_id: str, period: Period) -> int:
    """The rest of the month; how many orders were shown by a read in it."""
    reflected = 0
    end = _first_moment(period.next(), office)
    step = (end - office.clock.now()) / (LOOKS_A_MONTH + 1)
    for _ in range(LOOKS_A_MONTH):
        office.clock.advance(max(0.0, step.total_seconds()))
        reflected += office.follow(run_id)
    return reflected


def _first_moment(period: Period, office: Office) -> datetime:
    """Six in the morning of the first day, in the provider's time zone."""
    first = period.first_day
    return datetime(first.year, first.month, first.day, 6, tzinfo=office.policy.time_zone)


@contextmanager
def _office(wanted: Wanted, folder: Path, rng: random.Random) -> Iterator[Office]:
    clock, kind = YearClock(), SIMULATED_PSAS[wanted.psa]
    world = scaled_world(wanted.clients, wanted.seed)
    world.clock = clock.now
    home = Home(folder)
    home.prepare()
    log_to(home)
    with ExitStack() as stack:
        endpoint = stack.enter_context(running_store(home.path))
        values = process_environment(home, endpoint, is_own_store=True) | {"TRUEUP_ALLOW_LOOPBACK": "true"}
        stack.enter_context(environment_of(values))
        # Waits are over at once here, so a limit by the minute of real time would be met in seconds.
        psa = stack.enter_context(running(kind.open(world, limit_per_minute=0)))
        mimecast = stack.enter_context(running(MimecastSimulator(world)))
        graph = stack.enter_context(running(Microsoft365Simulator(world)))
        mimecast.monotonic = graph.monotonic = clock.monotonic_seconds
        bootstrap.reset(clock)
        stack.callback(bootstrap.reset)
        systems = Systems(
            bootstrap.state(), bootstrap.vault(), bootstrap.connections(), bootstrap.similarity(), bootstrap.clock()
        )
        policy = bootstrap.reconciliation_policy()
        simulators = (mimecast, psa, graph)
        office = Office(world, mimecast, psa, simulators, systems, clock, policy, rng, wanted.faults)
        secrets = {"client_id": MIMECAST_CLIENT_ID, "client_secret": MIMECAST_CLIENT_SECRET}
        office.connect(IntegrationName.MIMECAST, mimecast.url, secrets)
        office.connect(IntegrationName(kind.name), psa.url, dict(kind.fields))
        office.connect(IntegrationName.MICROSOFT365, graph.url, dict(MICROSOFT365_FIELDS))
        yield office
