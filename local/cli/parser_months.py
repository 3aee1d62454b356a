"""The part of the command line that is about closed months and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.cli.parser import Parser, _Commands


def add_months(commands: _Commands) -> None:
    seal = commands.add(
        "seal", "months:seal", "write", "Close a month with everything it was decided on; nobody can change it then",
        "trueup seal 2026-09",
        "Refused while a plan of the month waits or a change's outcome is not known, unless a reason is given.",
    )  # fmt: skip
    _add_period(seal)
    seal.add_argument("--reason", metavar="TEXT", default="", help="close it as it is; the reason is kept")
    reopen = commands.add(
        "reopen", "months:reopen", "write", "Open a closed month again; the word is kept in the chain",
        'trueup reopen 2026-09 --reason "the vendor corrected its count"',
    )  # fmt: skip
    _add_period(reopen)
    reopen.add_argument("--reason", metavar="TEXT", required=True, help="why; it is kept")
    commands.add("months", "months:months", "read", "List the months that were closed", "trueup months")
    verify = commands.add(
        "verify", "months:verify", "read", "Prove that nothing of the history or of a closed month was changed",
        "trueup verify 2026-09",
        "Exit code 1 when something was; the first broken link is named.",
    )  # fmt: skip
    verify.add_argument("period", metavar="PERIOD", nargs="?", help="only this month's parts (default: all of them)")
    verify.add_argument("--kept-hash", metavar="HASH", default="", help="a link must have this hash, kept elsewhere")
    replay = commands.add(
        "replay", "months:replay", "read", "Make a closed month again from its parts and compare the bytes",
        "trueup replay 2026-09",
        "Exit code 1 when something comes out otherwise; the first difference is named.",
    )  # fmt: skip
    _add_period(replay)
    evidence = commands.add(
        "evidence", "months:evidence", "read", "Write the evidence pack of each client: HTML and CSV",
        "trueup evidence 2026-09 --client 271 --out evidence",
    )  # fmt: skip
    _add_period(evidence)
    evidence.add_argument("--client", metavar="ID", default="", help="only this client (default: every client)")
    evidence.add_argument("--out", metavar="FOLDER", required=True, help="where the files go; it is made if missing")


def add_reports(commands: _Commands) -> None:
    report = commands.add(
        "report", "reports:report", "read", "What a month found, corrected and left outstanding",
        "trueup report 2026-09 --html report.html",
    )  # fmt: skip
    report.add_argument("period", metavar="PERIOD", nargs="?", help="YYYY-MM (default: this month)")
    report.add_argument("--html", metavar="FILE", help="also write it as the body of an e-mail")
    report.add_argument("--csv", metavar="FILE", help="also write its rows")
    trend = commands.add(
        "trend", "reports:trend", "read", "Counts and money of the last months", "trueup trend --client 271",
    )  # fmt: skip
    trend.add_argument("--months", metavar="N", type=int, default=12, help="how many (default: 12)")
    trend.add_argument("--client", metavar="ID", default="", help="only this client")
    trend.add_argument("--service", metavar="NAME", default="", help="only this service, as the report names it")
    trend.add_argument("--until", metavar="YYYY-MM", help="the last month (default: this month)")


def _add_period(parser: Parser) -> None:
    parser.add_argument("period", metavar="PERIOD", help="the month as YYYY-MM")
