"""The read side of the month: sync, finish, run.

Method: the use cases of ``trueup.usecases.month`` in this process. A run that was killed goes on where it stopped, as
long as what it had read is fresh. Must not: print a plan when a read was not complete.
"""

from __future__ import annotations

from argparse import Namespace
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local.cli import EXIT_DIFFERENCES, EXIT_DONE
from local.cli.comparison_tables import reconciliation_table, totals_lines
from local.cli.files import read_file, require_writable, write_file
from local.cli.interrupts import interruptible
from local.cli.output import Output, Style, problem_view, shown
from local.cli.progress import ITEM_NAMES, SIDE_NAMES, reading_progress
from local.cli.tables import (
    TENANT_WORDS,
    mapping_totals_text,
    missing_lines,
    open_accounts,
    plan_money,
    plan_table,
    plural,
)
from local.cli.workplace import Workplace
from trueup import bootstrap
from trueup.api.plan_views import plan_view
from trueup.api.spreadsheets import reconciliation_csv
from trueup.api.views import (
    View,
    integration_view,
    mapping_totals_view,
    reconciliation_view,
    run_view,
    time_text,
)
from trueup.domain.effective import PSA_CAPABILITIES, EffectiveWish
from trueup.domain.errors import Conflict, LeaseHeld, TrueupError
from trueup.domain.exported_files import OLD_AFTER
from trueup.domain.integrations import DEFAULT_ADDRESS, Side
from trueup.domain.mapping import MappingState
from trueup.domain.order_parts import OrderState
from trueup.domain.plan import Plan, PlanState
from trueup.domain.runs import Run, RunState
from trueup.usecases import integrations as integration_usecases
from trueup.usecases.customer_file import forget_customer_file, keep_customer_file
from trueup.usecases.month import ReadSide, Systems, read_and_match, reconcile_run
from trueup.usecases.monthly_run import (
    begin_run,
    chosen_wish,
    end_run,
    fail_run,
    note_drop_accepted,
    note_effective,
)
from trueup.usecases.opening import connected, connected_sides, psa_capabilities

RESUMABLE_FOR = timedelta(hours=1)
"""An interrupted run that said nothing for longer is not resumed: what it had read is no longer what is billed."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a person chose for the reads of one command."""

    accept_drop: bool
    customer_file: bytes | None
    forgets_customer_file: bool
    effective: str = ""

    @classmethod
    def chosen(cls, arguments: Namespace) -> Reading:
        """Raises InputInvalid when the customer file cannot be read."""
        name = arguments.customers
        file = None if name is None else read_file(name, field="customers")
        return cls(arguments.accept_drop, file, arguments.no_customers, getattr(arguments, "effective", ""))

    @property
    def changes_source(self) -> bool:
        """Whether what an interrupted run has read may come from another list than it would now."""
        return self.customer_file is not None or self.forgets_customer_file


def sync(workplace: Workplace, arguments: Namespace) -> int:
    run, read = _sync(workplace, Reading.chosen(arguments))
    workplace.output.document(_sync_view(workplace, run, read))
    _describe_sync(workplace, read)
    return EXIT_DONE


def finish(workplace: Workplace, arguments: Namespace) -> int:
    """Finishing is done even when the sync after it fails; the sync can be repeated by itself."""
    reading = Reading.chosen(arguments)
    state = workplace.state
    done = integration_usecases.finish(
        actor=workplace.actor,
        integrations=state.integrations,
        accounts=state.accounts,
        services=state.services,
        clock=workplace.clock,
    )
    labels = [item.name.label for item in done]
    names = " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)
    workplace.output.paragraph(f"The mapping is finished: {names} are active. Reading everything again.")
    run, read = _sync(workplace, reading)
    workplace.output.document(
        {"integrations": [integration_view(item) for item in done], "sync": _sync_view(workplace, run, read)}
    )
    _describe_sync(workplace, read)
    return EXIT_DONE


def run(workplace: Workplace, arguments: Namespace) -> int:
    """2 when there are differences. A failed read prints the same JSON keys, with ``complete`` false and no plan."""
    if arguments.csv is not None:
        require_writable(arguments.csv, field="csv")
    reading = Reading.chosen(arguments)
    begun: Run | None = None
    try:
        systems = workplace.systems()
        _prepare(workplace, systems, reading)
        begun = _begin(workplace, systems, reading)
        read = _read(workplace, begun, systems)
        outcome = reconcile_run(begun, systems, actor=workplace.actor, policy=bootstrap.reconciliation_policy())
    except TrueupError as trouble:
        workplace.output.document(_incomplete(workplace, begun, trouble))
        raise
    found, plan = outcome.reconciliation, outcome.plan
    end_runs_that_wait_for_older_plans(workplace, plan)
    if arguments.csv is not None:
        write_file(arguments.csv, reconciliation_csv(found), field="csv")
    entries = list(workplace.state.accounts.all())
    workplace.output.document(
        {
            "run_id": begun.id,
            "complete": True,
            **reconciliation_view(found, entries),
            "plan": plan_view(plan),
            "problem": None,
        }
    )
    if not workplace.output.as_json:
        _describe_freshness(workplace, begun, read)
        reconciliation_table(workplace.output, found, with_all_rows=arguments.all)
        open_accounts(workplace.output, entries)
        workplace.output.line()
        totals_lines(workplace.output, found.totals)
        workplace.output.line()
        plan_table(workplace.output, plan)
        missing_lines(workplace.output, found.rows, plan, psa_capabilities(workplace.state.integrations))
        say_what_comes_next(workplace.output, plan)
        _say_what_is_to_be_ordered(workplace)
        if arguments.csv is not None:
            workplace.output.line(f"The rows are in {shown(arguments.csv, 200)}.")
    return EXIT_DIFFERENCES if found.has_differences else EXIT_DONE


def _say_what_is_to_be_ordered(workplace: Workplace) -> None:
    drafts = sum(1 for order in workplace.state.change_orders.open() if order.state is OrderState.DRAFT)
    if drafts:
        orders = "1 change order waits" if drafts == 1 else f"{drafts} change orders wait"
        workplace.output.line(f"  {orders} for a decision: trueup orders list")


def _incomplete(workplace: Workplace, begun: Run | None, trouble: TrueupError) -> dict[str, Any]:
    period: str | None = begun.period if begun is not None else None
    if period is None:
        # Wrong settings may be the very trouble, and then nobody knows which month it is.
        with suppress(TrueupError):
            period = workplace.period
    return {
        "run_id": begun.id if begun is not None else None,
        "complete": False,
        "period": period,
        "rows": [],
        "unmapped": [],
        "excluded": [],
        "ambiguous": [],
        "totals": None,
        "plan": None,
        "problem": problem_view(trouble),
    }


def _prepare(workplace: Workplace, systems: Systems, reading: Reading) -> None:
    """Both sides are connected and a given customer file makes sense and is kept: else no run is begun."""
    for side in connected_sides(systems.state.integrations):
        connected(side, systems.state.integrations)
    vendor, uploads = connected(Side.VENDOR, systems.state.integrations).name, systems.state.uploads
    if reading.customer_file is not None:
        kept = keep_customer_file(
            vendor,
            reading.customer_file,
            actor=workplace.actor,
            connections=systems.connections,
            uploads=uploads,
            clock=systems.clock,
        )
        workplace.output.note(f"The customer file ({kept.rows} customers) is kept for later reads too.")
    if reading.forgets_customer_file:
        forgotten = forget_customer_file(vendor, actor=workplace.actor, uploads=uploads, clock=systems.clock)
        workplace.output.note("The customer file is forgotten." if forgotten else "There was no customer file.")


def _begin(workplace: Workplace, systems: Systems, reading: Reading) -> Run:
    """A new run, or the one that was interrupted. The caller holds the lock, so a run that is open has nobody left."""
    begun = next((earlier for earlier in systems.state.runs.latest(20) if earlier.holds_place), None)
    if begun is None:
        return _begin_run(workplace, systems, reading)
    now = workplace.clock.now()
    if workplace.home.is_served:
        raise LeaseHeld(
            f"trueup serve carries out run {begun.id} in this state folder", holder=begun.id,
            remedy="Wait for it, or stop trueup serve; the run can then be resumed here.",
        )  # fmt: skip
    fresh = begun.period == workplace.period and now - begun.updated_at <= RESUMABLE_FOR
    if fresh and not begun.callback_id and not reading.changes_source:
        workplace.output.note(f"Run {begun.id} was interrupted; going on from where it stopped.")
        return _with_later_words(begun, workplace, systems, reading)
    fail_run(
        begun.id,
        Conflict(f"run {begun.id} was interrupted and what it had read is not used", remedy="Run again."),
        runs=systems.state.runs,
        clock=systems.clock,
    )
    return _begin_run(workplace, systems, reading)


def _with_later_words(begun: Run, workplace: Workplace, systems: Systems, reading: Reading) -> Run:
    """The run that goes on, with what a person said this time; what was not said again stays as it was."""
    wish = _wish(workplace, systems, reading)
    if wish.text and wish.text != begun.effective:
        begun = note_effective(begun.id, wish, actor=workplace.actor, runs=systems.state.runs, clock=systems.clock)
    if reading.accept_drop and not begun.accept_drop:
        return note_drop_accepted(begun.id, actor=workplace.actor, runs=systems.state.runs, clock=systems.clock)
    return begun


def _wish(workplace: Workplace, systems: Systems, reading: Reading) -> EffectiveWish:
    return chosen_wish(
        reading.effective,
        integrations=systems.state.integrations,
        time_zone=workplace.settings.time_zone,
        clock=systems.clock,
    )


def _begin_run(workplace: Workplace, systems: Systems, reading: Reading) -> Run:
    return begin_run(
        wish=_wish(workplace, systems, reading),
        actor=workplace.actor,
        time_zone=workplace.settings.time_zone,
        runs=systems.state.runs,
        clock=systems.clock,
        accept_drop=reading.accept_drop,
        sides=connected_sides(systems.state.integrations),
    )


def _read(workplace: Workplace, begun: Run, systems: Systems) -> ReadSide:
    with reading_progress(workplace.output) as progress:
        return interruptible(
            lambda: read_and_match(
                begun,
                systems,
                actor=workplace.actor,
                on_progress=progress,
            )
        )


def _sync(workplace: Workplace, reading: Reading) -> tuple[Run, ReadSide]:
    systems = workplace.systems()
    _prepare(workplace, systems, reading)
    begun = _begin(workplace, systems, reading)
    read = _read(workplace, begun, systems)
    return end_run(begun.id, runs=systems.state.runs, clock=systems.clock), read


def _sync_view(workplace: Workplace, ended: Run, read: ReadSide) -> View:
    return {
        "run": run_view(ended),
        "accounts": mapping_totals_view(read.matching.totals),
        "newly_mapped": read.matching.newly_mapped,
        "renamed": list(read.matching.renamed),
        "accounts_as_of": time_text(read.accounts_as_of),
        "tenants": None if read.tenants is None else mapping_totals_view(read.tenants.totals),
        "licenses_problem": None if read.licenses_trouble is None else problem_view(read.licenses_trouble),
        "next": _next_step(workplace),
    }


def _describe_sync(workplace: Workplace, read: ReadSide) -> None:
    output = workplace.output
    output.line(
        f"{mapping_totals_text(read.matching.totals)} ({read.matching.newly_mapped} of them just now, by name)."
    )
    if read.tenants is not None:
        words = mapping_totals_text(read.tenants.totals, TENANT_WORDS)
        output.line(f"{words} ({read.tenants.newly_mapped} of them just now, by name).")
        if read.tenants.totals.unmapped or read.tenants.totals.ambiguous:
            output.line(
                "  Until they are mapped or excluded (trueup tenants list) their clients have no licensed count."
            )
    _describe_licenses_trouble(workplace, read)
    for snapshot in read.snapshots:
        if snapshot.accounts_as_of is not None:
            old = snapshot.completed_at - snapshot.accounts_as_of > OLD_AFTER
            style: Style = "red" if old else "yellow"
            remedy = "; give a newer one" if old else ""
            words = _file_words(snapshot.accounts_as_of, snapshot.completed_at)
            output.line(f"  {SIDE_NAMES[snapshot.side]}: {words}{remedy}.", style)
    for vendor_id in read.matching.renamed:
        output.line(f"  {shown(vendor_id)} was renamed since it was mapped; its mapping stays.", "yellow")
    output.line(f"Next: {_next_step(workplace)}", "bold")


def _describe_licenses_trouble(workplace: Workplace, read: ReadSide) -> None:
    if read.licenses_trouble is not None:
        why = f"{shown(read.licenses_trouble.message, 500).rstrip('.')}; {shown(read.licenses_trouble.remedy, 500)}"
        workplace.output.paragraph(f"Licenses were not read, and count as failed: {why}")


def _next_step(workplace: Workplace) -> str:
    """What the mapping still lacks, else the comparison."""
    totals = {entry.state for entry in workplace.state.accounts.all()}
    if MappingState.UNMAPPED in totals or MappingState.AMBIGUOUS in totals:
        return "trueup accounts --unmapped (and --ambiguous), then trueup map account or trueup map exclude"
    if not any(entry.state is MappingState.MAPPED for entry in workplace.state.services.all()):
        return "trueup services, then trueup map service"
    if any(item.state.value == "pending" for item in workplace.state.integrations.all()):
        return "trueup finish"
    return "trueup run"


def _describe_freshness(workplace: Workplace, begun: Run, sides: ReadSide) -> None:
    parts = []
    for read in sides.snapshots:
        file = "" if read.accounts_as_of is None else f", {_file_words(read.accounts_as_of, read.completed_at)}"
        name = SIDE_NAMES[read.side]
        parts.append(
            f"{name} read {read.completed_at:%Y-%m-%d %H:%M} UTC, {read.accounts} {ITEM_NAMES[read.side]}{file}"
        )
    if Side.LICENSES not in connected_sides(workplace.state.integrations):
        parts.append("license counts are not connected")
    workplace.output.line(f"Period {begun.period}", "bold")
    workplace.output.paragraph("; ".join(parts), "  ")
    _describe_licenses_trouble(workplace, sides)
    workplace.output.line()


def _file_words(given_at: datetime, read_at: datetime) -> str:
    """How old what was read was, where it came from a file."""
    days = (read_at - given_at).days
    age = f", {plural(days, 'day', 'days')} before" if days else ""
    return f"the list is from a file given {given_at:%Y-%m-%d %H:%M} UTC{age}"


_ENTERED_BY_HAND = frozenset(
    DEFAULT_ADDRESS[name] for name, capabilities in PSA_CAPABILITIES.items() if not capabilities.takes_writes
)
"""Systems (Integration.system) that nothing can be written to."""


def say_what_comes_next(output: Output, plan: Plan) -> None:
    """The next commands for this plan, ready to copy."""
    if not plan.changes or plan.state not in {PlanState.PROPOSED, PlanState.APPROVED}:
        return
    output.line(f"  {len(plan.ready)} ready, {len(plan.held)} held; what is ready is worth {plan_money(plan)} a month")
    output.line("Next:", "bold")
    if plan.psa_system in _ENTERED_BY_HAND:
        output.line("  enter these quantities in the PSA by hand (trueup export result FILE.csv lists them),")
        output.line("  then export its lines again: trueup import lines FILE.csv, trueup run")
        return
    if plan.state is PlanState.APPROVED:
        output.line(f"  trueup plan apply {plan.id} --checksum {plan.checksum}")
        return
    if plan.held:
        output.line("  for each held change that is right:")
        output.line(f'  trueup plan release {plan.id} {plan.held[0].id} --reason "..."')
    if plan.ready:
        output.line(f"  trueup plan approve {plan.id} --checksum {plan.checksum}")


def end_runs_that_wait_for_older_plans(workplace: Workplace, plan: Plan) -> None:
    """A newer plan took the place of theirs. Runs of the durable workflow end by themselves."""
    for earlier in workplace.state.runs.latest(20):
        waits = earlier.state is RunState.WAITING_FOR_APPROVAL and not earlier.callback_id
        if waits and earlier.plan_id != plan.id:
            end_run(earlier.id, runs=workplace.state.runs, clock=workplace.clock)
