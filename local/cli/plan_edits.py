"""Change a proposed plan: add the line a client lacks or drop it again; and propose to take a plan back."""

from __future__ import annotations

from argparse import Namespace

from local.cli import EXIT_DONE
from local.cli.month import end_runs_that_wait_for_older_plans, say_what_comes_next
from local.cli.output import Column, shown
from local.cli.tables import plan_table
from local.cli.workplace import Workplace
from trueup import bootstrap
from trueup.api.plan_views import plan_view, undo_view
from trueup.api.views import agreement_view
from trueup.domain.verdicts import Row, Verdict
from trueup.usecases import plan_lines
from trueup.usecases.plan_undo import propose_undo


def add_line(workplace: Workplace, arguments: Namespace) -> int:
    """Without an agreement it only lists which ones there are."""
    state = workplace.state
    if arguments.agreement is None:
        row = plan_lines.row_of_plan(
            arguments.plan_id, arguments.row_id, plans=state.plans, reconciliations=state.reconciliations
        )
        return _list_choices(workplace, arguments.plan_id, row)
    plan = plan_lines.add_line(
        arguments.plan_id,
        arguments.row_id,
        agreement_id=arguments.agreement,
        effective=arguments.effective,
        actor=workplace.actor,
        policy=bootstrap.reconciliation_policy(),
        integrations=state.integrations,
        snapshots=state.snapshots,
        services=state.services,
        reconciliations=state.reconciliations,
        runs=state.runs,
        plans=state.plans,
        clock=workplace.clock,
    )
    workplace.output.document(plan_view(plan))
    plan_table(workplace.output, plan)
    workplace.output.line("  The plan has a new checksum.")
    say_what_comes_next(workplace.output, plan)
    return EXIT_DONE


def _list_choices(workplace: Workplace, plan_id: str, row: Row) -> int:
    workplace.output.document(
        {
            "plan_id": plan_id,
            "row_id": row.id,
            "verdict": row.verdict.value,
            "agreement_choices": [agreement_view(agreement) for agreement in row.choices],
        }
    )
    name = shown(row.psa_account_name, 40)
    if row.verdict is not Verdict.NEW_REVENUE:
        workplace.output.line(f"{name} lacks no line here: the row is {row.verdict.words}.")
        return EXIT_DONE
    if not row.choices:
        workplace.output.line(f"{name} has no active agreement in the PSA. Make one there, then run again.", "yellow")
        return EXIT_DONE
    workplace.output.table(
        [Column("Agreement"), Column("Name", "name"), Column("Type", "name"), Column("Prorates"),
         Column("Next invoice"), Column("Ends")],
        [
            [
                shown(agreement.id, 24),
                shown(agreement.name, 40),
                shown(agreement.type_name, 24),
                "yes" if agreement.prorates else "no",
                "" if agreement.next_invoice_on is None else agreement.next_invoice_on.isoformat(),
                "" if agreement.ends_on is None else agreement.ends_on.isoformat(),
            ]
            for agreement in row.choices
        ],
    )  # fmt: skip
    workplace.output.line("Next:", "bold")
    workplace.output.line(f"  trueup plan add-line {shown(plan_id)} {row.id} --agreement AGREEMENT")
    return EXIT_DONE


def drop_line(workplace: Workplace, arguments: Namespace) -> int:
    plan = plan_lines.drop_line(
        arguments.plan_id,
        arguments.change_id,
        actor=workplace.actor,
        plans=workplace.state.plans,
        clock=workplace.clock,
    )
    workplace.output.document(plan_view(plan))
    workplace.output.line(f"{shown(arguments.change_id)} is out of the plan, which has a new checksum.")
    say_what_comes_next(workplace.output, plan)
    return EXIT_DONE


def undo(workplace: Workplace, arguments: Namespace) -> int:
    state, output = workplace.state, workplace.output
    proposed = propose_undo(
        arguments.plan_id,
        arguments.change_ids,
        reason=arguments.reason,
        actor=workplace.actor,
        policy=bootstrap.reconciliation_policy(),
        integrations=state.integrations,
        snapshots=state.snapshots,
        plans=state.plans,
        plan_index=state.plan_index,
        clock=workplace.clock,
    )
    end_runs_that_wait_for_older_plans(workplace, proposed.plan)
    output.document(undo_view(proposed))
    if proposed.superseded:
        output.line(f"It takes the place of plan {proposed.superseded}, which was open.", "yellow")
    for change_id, why in proposed.left_out:
        output.paragraph(f"{change_id} stays: {shown(why, 200)}.", "  ")
    plan_table(output, proposed.plan)
    output.line(f"  checksum {proposed.plan.checksum}")
    say_what_comes_next(output, proposed.plan)
    return EXIT_DONE
