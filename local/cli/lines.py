"""Divide the seats of a client among several lines of one product, list the divisions, forget one."""

from __future__ import annotations

from argparse import Namespace

from local.cli import EXIT_DONE
from local.cli.output import Cell, Column, Output, shown
from local.cli.workplace import Workplace
from trueup.api.line_routes import allocation_view, division_view
from trueup.domain.canonical import decimal_text
from trueup.domain.errors import InputInvalid
from trueup.usecases.allocation import Division, divide_lines, forget_division, list_divisions


def divide(workplace: Workplace, arguments: Namespace) -> int:
    state = workplace.state
    division = divide_lines(
        arguments.client,
        arguments.product,
        fixed=[_fixed(text) for text in arguments.fixed],
        balance=arguments.balance,
        reason=arguments.reason,
        actor=workplace.actor,
        time_zone=workplace.settings.time_zone,
        integrations=state.integrations,
        snapshots=state.snapshots,
        allocations=state.allocations,
        clock=workplace.clock,
    )
    workplace.output.document(division_view(division))
    _table(workplace.output, [division])
    workplace.output.line("Next: trueup run", "bold")
    return EXIT_DONE


def _fixed(text: str) -> tuple[str, int]:
    line, equals, seats = text.rpartition("=")
    if not line or not equals or not seats.isascii() or not seats.isdigit() or len(seats) > 9:
        raise InputInvalid(
            f"--fixed {shown(text, 60)} is not LINE=SEATS", field="fixed", remedy="For instance --fixed 88431=10."
        )
    return line, int(seats)


def show(workplace: Workplace, arguments: Namespace) -> int:
    state = workplace.state
    found = list_divisions(
        time_zone=workplace.settings.time_zone,
        integrations=state.integrations,
        snapshots=state.snapshots,
        allocations=state.allocations,
        clock=workplace.clock,
    )
    workplace.output.document({"items": [division_view(one) for one in found]})
    if not found:
        workplace.output.line("Nobody has divided any seats. An ambiguous row says when that is needed, and how.")
        return EXIT_DONE
    _table(workplace.output, found)
    return EXIT_DONE


def forget(workplace: Workplace, arguments: Namespace) -> int:
    state = workplace.state
    forgotten = forget_division(
        arguments.client,
        arguments.product,
        actor=workplace.actor,
        time_zone=workplace.settings.time_zone,
        integrations=state.integrations,
        snapshots=state.snapshots,
        allocations=state.allocations,
        clock=workplace.clock,
    )
    workplace.output.document(allocation_view(forgotten))
    workplace.output.line(
        f"Product {shown(forgotten.product_id)} of client {shown(forgotten.psa_account_id)} is divided no more."
    )
    return EXIT_DONE


def _table(output: Output, divisions: list[Division] | tuple[Division, ...]) -> None:
    output.table(
        [Column("Client", "name"), Column("Product"), Column("Line"), Column("Gets", "number"),
         Column("Bills", "number"), Column("Said by", "name"), Column("Fits")],
        [row for division in divisions for row in _rows(division)],
    )  # fmt: skip


def _rows(division: Division) -> list[list[str | Cell]]:
    said = division.allocation
    bills = {line.id: decimal_text(line.quantity) for line in division.lines}
    gets = {**{line: str(seats) for line, seats in said.fixed}, said.balancing: "the rest"}
    fits = Cell("✓ yes", "green") if division.fits else Cell("✗ other lines now", "red")
    name = f"{said.psa_account_id} {division.client_name}".strip()
    code = division.product_code or said.product_id
    return [
        [shown(name, 34), shown(code, 20), shown(line, 24), quantity, bills.get(line, "gone"), shown(said.by, 24), fits]
        for line, quantity in gets.items()
    ]
