"""The part of the command line that is about lines: dividing seats among several, adding one to a plan, taking back."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.cli.parser import Parser, _Commands

EFFECTIVE = "now, next_invoice, next_period or a day as YYYY-MM-DD; the connected PSA says which it offers"


def add_effective(parser: Parser, *, default: str) -> None:
    parser.add_argument(
        "--effective", metavar="WHEN", default="", help=f"from when changes count: {EFFECTIVE} (default: {default})"
    )


def add_lines(commands: _Commands) -> None:
    group = commands.group("lines", "How seats are divided among several lines of one product")
    divide = group.add(
        "divide",
        "lines:divide",
        "write",
        "Say once how the seats of a client are divided; every run keeps to it",
        'trueup lines divide 250 560 --fixed 88431=10 --balance 88432 --reason "two sites"',
        "Every live line of the product is named once: all but one with --fixed, the one that takes the rest with "
        "--balance. The reason of the ambiguous row has the command ready.",
    )
    _add_pair(divide)
    divide.add_argument(
        "--fixed", metavar="LINE=SEATS", action="append", default=[], required=True, help="give it once for each line"
    )
    divide.add_argument("--balance", metavar="LINE", required=True, help="the line that takes the rest")
    divide.add_argument("--reason", metavar="TEXT", required=True, help="why; it is kept in the history")
    group.add("show", "lines:show", "read", "List the divisions with what their lines bill now", "trueup lines show")
    forget = group.add(
        "forget",
        "lines:forget",
        "write",
        "Forget a division: several lines of the product are ambiguous again",
        "trueup lines forget 250 560",
    )
    _add_pair(forget)


def _add_pair(parser: Parser) -> None:
    parser.add_argument("client", metavar="CLIENT", help="id of the client in the PSA")
    parser.add_argument("product", metavar="PRODUCT", help="Product ID or internal id in the PSA")


def add_plan_edits(plan: _Commands) -> None:
    """The commands that change a proposed plan, or propose one that takes another back."""
    adding = plan.add(
        "add-line",
        "plan_edits:add_line",
        "write",
        "Add the line that a new-revenue row lacks; the plan gets a new checksum",
        "trueup plan add-line ID ROW --agreement 1201",
        "Without --agreement it lists the agreements that the line could be made on. No line is ever added by itself.",
    )
    adding.add_argument("plan_id", metavar="ID")
    adding.add_argument("row_id", metavar="ROW", help="the row's id, as trueup run prints it beside a missing line")
    adding.add_argument("--agreement", metavar="AGREEMENT", help="id of the agreement that gets the line")
    add_effective(adding, default="as the run was asked")
    dropping = plan.add(
        "drop-line",
        "plan_edits:drop_line",
        "write",
        "Take an added line out of the plan again; the plan gets a new checksum",
        "trueup plan drop-line ID CHANGE",
    )
    dropping.add_argument("plan_id", metavar="ID")
    dropping.add_argument("change_id", metavar="CHANGE")
    undo = plan.add(
        "undo",
        "plan_edits:undo",
        "write",
        "Propose a plan that takes back what this one wrote; nothing is written before it is approved and applied",
        'trueup plan undo ID --change CHANGE --reason "the wrong client"',
        "A line goes back to its old quantity if it still has the written one. This month's open plan is replaced.",
    )
    undo.add_argument("plan_id", metavar="ID")
    undo.add_argument(
        "--change", dest="change_ids", metavar="CHANGE", action="append", default=[],
        help="only this change; give it once for each (default: all that the plan wrote)",
    )  # fmt: skip
    undo.add_argument("--reason", metavar="TEXT", required=True, help="why; it is kept in the history")
