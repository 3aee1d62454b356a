"""Plans: show, list, release, approve, apply. Only ``apply`` writes to the PSA, and only what was approved."""

from __future__ import annotations

import socket
from argparse import Namespace
from typing import Any

from local.cli import EXIT_DIFFERENCES, EXIT_DONE, EXIT_FAILED
from local.cli.interrupts import stopping_between
from local.cli.month import say_what_comes_next
from local.cli.output import Column, problem_view, shown
from local.cli.tables import outcome_cell, plan_money, plan_table, plural
from local.cli.workplace import Workplace
from trueup.api.plan_views import change_view, plan_totals_view, plan_view
from trueup.api.views import View
from trueup.domain.billing import WriteOutcome
from trueup.domain.canonical import decimal_text
from trueup.domain.errors import NotFound, TrueupError
from trueup.domain.integrations import Side
from trueup.domain.plan import Change, ChangeResult, Plan
from trueup.domain.runs import RunState
from trueup.usecases.monthly_run import end_run
from trueup.usecases.opening import connected, psa_capabilities
from trueup.usecases.plan_apply import apply_plan
from trueup.usecases.plans import approve_plan, release_change


def show(workplace: Workplace, arguments: Namespace) -> int:
    plan = _newest(workplace) if arguments.plan_id is None else workplace.state.plans.get(arguments.plan_id)
    workplace.output.document(plan_view(plan))
    plan_table(workplace.output, plan)
    workplace.output.line(f"  checksum {plan.checksum}")
    say_what_comes_next(workplace.output, plan)
    return EXIT_DONE


def _newest(workplace: Workplace) -> Plan:
    newest = workplace.state.plan_index.latest(1)
    if not newest:
        raise NotFound("there is no plan yet", remedy="Make one: trueup run.")
    return newest[0]


def list_plans(workplace: Workplace, arguments: Namespace) -> int:
    plans = workplace.state.plan_index.latest(arguments.limit)
    workplace.output.document({"items": [_short_view(plan) for plan in plans]})
    if not plans:
        workplace.output.line("There is no plan yet. Next: trueup run")
        return EXIT_DONE
    workplace.output.table(
        [Column("Plan"), Column("Period"), Column("State"), Column("Changes", "number"), Column("Held", "number"),
         Column("A month", "number"), Column("Made")],
        [
            [
                plan.id,
                plan.period,
                plan.state.value,
                str(len(plan.changes)),
                str(len(plan.held)),
                plan_money(plan),
                f"{plan.created_at:%Y-%m-%d %H:%M} UTC",
            ]
            for plan in plans
        ],
    )  # fmt: skip
    return EXIT_DONE


def _short_view(plan: Plan) -> View:
    """A plan in a list: as over HTTP, without its changes."""
    return {
        "id": plan.id,
        "checksum": plan.checksum,
        "state": plan.state.value,
        "period": plan.period,
        "run_id": plan.run_id,
        "totals": plan_totals_view(plan),
    }


def release(workplace: Workplace, arguments: Namespace) -> int:
    plan = release_change(
        arguments.plan_id,
        arguments.change_id,
        reason=arguments.reason,
        actor=workplace.actor,
        plans=workplace.state.plans,
        clock=workplace.clock,
    )
    workplace.output.document(plan_view(plan))
    workplace.output.line(f"{shown(arguments.change_id)} goes with the plan, which has a new checksum.")
    say_what_comes_next(workplace.output, plan)
    return EXIT_DONE


def approve(workplace: Workplace, arguments: Namespace) -> int:
    plan = approve_plan(
        arguments.plan_id,
        checksum=arguments.checksum,
        actor=workplace.actor,
        two_person_approval=workplace.settings.two_person_approval,
        plans=workplace.state.plans,
        api_keys=workplace.state.api_keys,
        clock=workplace.clock,
    )
    workplace.output.document(plan_view(plan))
    workplace.output.line(
        f"Approved by {shown(plan.approved_by)}: {plural(len(plan.ready), 'change', 'changes')} worth "
        f"{plan_money(plan)} a month.",
        "green",
    )
    say_what_comes_next(workplace.output, plan)
    return EXIT_DONE


def apply(workplace: Workplace, arguments: Namespace) -> int:
    """0 when all is applied, 2 when a line had moved, 1 when a write was rejected, is unknown or could not be tried."""
    output = workplace.output

    def tell(change: Change, result: ChangeResult) -> None:
        text = _result_text(change, result)
        if output.as_json:
            output.note(text)
        else:
            output.line(text, outcome_cell(result.outcome).style)
        stop_if_asked()

    def tell_wait(seconds: float) -> None:
        output.note(
            f"An earlier apply was interrupted while a change was on its way. Waiting {seconds:.0f} seconds until that "
            f"one has surely arrived or never will; nothing is sent twice."
        )

    state = workplace.state
    try:
        with stopping_between(output) as stop_if_asked:
            applied = apply_plan(
                arguments.plan_id,
                checksum=arguments.checksum,
                actor=workplace.actor,
                # The home's lock lets one writer in, so a lease that this home left when it was killed is its own.
                owner=f"{socket.gethostname()}:{workplace.home.path}",
                period_now=workplace.period,
                psa=workplace.psa(),
                psa_system=connected(Side.PSA, state.integrations).system,
                capabilities=psa_capabilities(state.integrations),
                open_line_creation=workplace.line_creation,
                accounts=state.accounts,
                services=state.services,
                snapshots=state.snapshots,
                plans=state.plans,
                plan_index=state.plan_index,
                leases=state.leases,
                clock=workplace.clock,
                on_result=tell,
                on_wait=tell_wait,
            )
    except TrueupError as trouble:
        output.document(_unfinished(workplace, arguments.plan_id, trouble))
        raise
    plan = applied.plan
    if applied.is_done:
        _end_runs_of(workplace, plan)
    output.document({**_results_view(plan), "problem": None})
    counted = {outcome: sum(1 for item in plan.results if item.outcome is outcome) for outcome in WriteOutcome}
    words = ", ".join(f"{number} {outcome.value}" for outcome, number in counted.items() if number)
    output.line(f"Plan {plan.id} is {plan.state.value}: {words or 'nothing was to be written'}.", "bold")
    return _exit_code(counted)


def _exit_code(counted: dict[WriteOutcome, int]) -> int:
    if counted[WriteOutcome.REJECTED] or counted[WriteOutcome.UNKNOWN]:
        return EXIT_FAILED
    return EXIT_DIFFERENCES if counted[WriteOutcome.CONFLICT] else EXIT_DONE


def _result_text(change: Change, result: ChangeResult) -> str:
    cell = outcome_cell(result.outcome)
    name = shown(change.psa_account_name, 30)
    text = f"{cell.text:<11} {name:<30} {shown(change.product_code, 16):<16} "
    text += f"{decimal_text(change.expected)} -> {change.target}"
    if result.outcome in {WriteOutcome.APPLIED, WriteOutcome.ALREADY}:
        return text
    return f"{text}: {shown(result.reason, 200)}"


def _results_view(plan: Plan) -> dict[str, Any]:
    return {
        "plan_id": plan.id,
        "checksum": plan.checksum,
        "results": [_result_view(plan, change) for change in plan.changes if plan.result(change.id) is not None],
        "plan": plan_view(plan),
    }


def _result_view(plan: Plan, change: Change) -> View:
    whole = change_view(plan, change)
    result = whole["result"]
    return {
        "change_id": change.id,
        "line_id": change.line_id,
        "psa_account_id": change.psa_account_id,
        "psa_account_name": change.psa_account_name,
        "product_code": change.product_code,
        "from": whole["from"],
        "to": whole["to"],
        **result,
    }


def _unfinished(workplace: Workplace, plan_id: str, trouble: TrueupError) -> dict[str, Any]:
    """What was recorded before the trouble, under the same keys."""
    document: dict[str, Any] = {"plan_id": plan_id, "checksum": None, "results": [], "plan": None}
    try:
        document = _results_view(workplace.state.plans.get(plan_id))
    except TrueupError as unknown:
        # The plan that was named may not exist; what went wrong first is what the caller hears.
        document["plan_problem"] = unknown.code
    return {**document, "problem": problem_view(trouble)}


def _end_runs_of(workplace: Workplace, plan: Plan) -> None:
    """The runs that waited for this plan are done. One that the durable workflow carries ends by itself."""
    for run in workplace.state.runs.latest(20):
        if run.plan_id == plan.id and run.state is RunState.WAITING_FOR_APPROVAL and not run.callback_id:
            end_run(run.id, runs=workplace.state.runs, clock=workplace.clock)
