"""`trueup demo`: one month of a provider with 48 clients, played against simulated vendors and told as a story.

Method: the very commands a person would type, one after another, on a home and a world of their own. It is continued
where it was when the same home is used again. Must not: touch a state folder that is not a demo's, or leave a process
behind.
"""

from __future__ import annotations

import importlib
import io
import os
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.cli import EXIT_DONE, EXIT_FAILED
from local.cli.home import HOME_VARIABLE, ROOT, Home
from local.cli.output import Output, shown
from local.cli.parser import parse
from local.cli.tables import plural, undecided_accounts
from local.cli.workplace import Workplace
from local.demo_proof import prove, written
from local.demo_scene import claim, demo_home, scene
from local.simulator_process import (
    RunningSimulators,
    connect_microsoft365_command,
    connect_mimecast_command,
    connect_psa_command,
)
from trueup.api.plan_views import plan_view
from trueup.domain.mapping import MappingState
from trueup.domain.matching import MatchRule
from trueup.domain.plan import Plan, PlanState

PRODUCTS = {
    "9702": "MIME-EMAIL-S1",
    "main:email-security-s1": "MIME-EMAIL-S1",
    "account": "MIME-EMAIL-S1",
    "9731": "MIME-AWARE",
}
"""What the service manager maps. The archive add-on (9745) is left open, as real months leave something open."""

REASONS = {
    "decrease": "the client confirmed by e-mail that people have left",
    "to_zero": "the client closed its account with us last month",
    "jump": "the client took over another firm; confirmed by phone",
    "not_billable": "seen: the line stays free of charge, only its count is corrected",
}
"""Why the approver lets a held change go, by the guard that holds it."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one demo month: the plan that was applied last, and how much the run after it found to do."""

    applied: Plan | None
    left_to_do: int
    lines_checked: int
    lines_wrong: int


def play(folder: Path | None, *, psa: str, fresh: bool, output: Output) -> int:
    """The whole month with that PSA. 0 when nothing is left to do and every line reads back as it was written."""
    started_at = time.monotonic()
    home = demo_home(folder, psa)
    with home.writing("trueup demo"):
        claim(home, psa, fresh=fresh)
        stage = output if not output.as_json else Output(as_json=False, out=io.StringIO(), err=io.StringIO())
        with scene(home, psa, stage) as (simulators, workplace):
            played = _Month(workplace, simulators).tell()
        seconds = time.monotonic() - started_at
        _ending(stage, home, psa, played, seconds)
    output.document(
        {
            "home": str(home.path),
            "psa": psa,
            "plan": plan_view(played.applied) if played.applied is not None else None,
            "lines_checked": played.lines_checked,
            "lines_wrong": played.lines_wrong,
            "left_to_do": played.left_to_do,
            "seconds": round(seconds, 1),
        }
    )
    return EXIT_FAILED if played.lines_wrong or played.left_to_do else EXIT_DONE


class _Month:
    """The story, chapter by chapter."""

    def __init__(self, workplace: Workplace, simulators: RunningSimulators) -> None:
        self._workplace = workplace
        self._simulators = simulators
        self._stage = workplace.output
        self._psa = simulators.psa.label
        self._chapter = 0

    def tell(self) -> Played:
        self._opening()
        self._connect()
        self._read_and_match()
        self._map_accounts()
        self._map_tenants()
        self._map_services()
        self._finish()
        self._compare()
        plan = self._newest_plan()
        if not plan.changes:
            self._say("There is nothing to do: every line that can be corrected has been corrected.")
            applied = self._last_applied()
            checked, wrong = self._prove(applied)
            return Played(applied, 0, checked, wrong)
        plan = self._release(plan)
        plan = self._approve_and_apply(plan)
        checked, wrong = self._prove(plan)
        return Played(plan, self._compare_again(), checked, wrong)

    def _opening(self) -> None:
        self._stage.line("One month at a managed service provider with 48 clients", "bold")
        self._say(
            "Mimecast sells e-mail security to the provider by the seat; the provider bills its clients for it through "
            f"{self._psa}; and in Microsoft 365 the clients come and go. The three numbers drift apart, and somebody "
            "pays for that. Trueup finds the differences, says what each is worth and what to order, and corrects what "
            "a person approves."
        )
        self._say(
            f"All of them are simulated on this machine: Mimecast at {self._simulators.mimecast}, {self._psa} at "
            f"{self._simulators.psa_url}, Microsoft 365 at {self._simulators.microsoft365}. They speak the real "
            "protocols, remember what is written, and know nothing of Trueup. Every line that begins with $ is a "
            "command you could type yourself."
        )

    def _connect(self) -> None:
        self._title("Connect", "A credential is tried before it is stored.")
        for command in (
            connect_mimecast_command(self._simulators.mimecast),
            connect_psa_command(self._simulators.psa, self._simulators.psa_url),
            connect_microsoft365_command(self._simulators.microsoft365),
        ):
            self._do(*command.words)

    def _read_and_match(self) -> None:
        self._title(
            "Read every side and match by name",
            f"Trueup reads everything or uses nothing. It keeps well below the pace that {self._psa} allows, so this "
            "takes some seconds.",
        )
        self._do("sync")
        entries = list(self._workplace.state.accounts.all())
        examples = [
            next((entry for entry in entries if entry.decision is not None and entry.decision.rule is rule), None)
            for rule in (MatchRule.EXACT, MatchRule.SAFE_KEY)
        ]
        self._stage.line()
        self._stage.line("Two of the automatic matches, with the reason Trueup gives:")
        for entry in examples:
            if entry is not None and entry.decision is not None:
                pair = f"{shown(entry.vendor_name, 40)} = {shown(entry.psa_name, 40)}"
                self._stage.paragraph(f"{pair}: {shown(entry.decision.reason, 300)}", "  ")

    def _map_accounts(self) -> None:
        self._title("Map the rest by hand", "A wrong match bills one client for another, so doubt goes to a person.")
        waiting = [entry for entry in self._workplace.state.accounts.all() if not entry.is_decided]
        if not waiting:
            self._say("Everything was decided in an earlier demo, and decisions hold by id through every rename.")
            return
        undecided_accounts(self._stage, waiting)
        self._say("The service manager knows the clients and decides: the first suggestion where there is one.")
        for entry in waiting:
            if entry.suggestions:
                self._do("map", "account", entry.vendor_id, entry.suggestions[0].psa_id)
            else:
                self._do("map", "exclude", entry.vendor_id, "--reason", "a trial that ended; never billed")

    def _map_tenants(self) -> None:
        self._title(
            "Say which tenant is which client",
            "The users who are licensed in Microsoft 365 are the third count. Tenants are matched by name as accounts "
            "are; one that could not be read has no count, and is never taken for empty.",
        )
        waiting = [entry for entry in self._workplace.state.license_accounts.all() if not entry.is_decided]
        if not waiting:
            self._say("Everything was decided in an earlier demo.")
            return
        for entry in waiting:
            if entry.suggestions:
                self._do("tenants", "map", entry.vendor_id, entry.suggestions[0].psa_id)
            else:
                self._do("tenants", "exclude", entry.vendor_id, "--reason", "its client has nothing of what we bill")

    def _map_services(self) -> None:
        self._title("Say which service is which product", f"Products are found by their Product ID in {self._psa}.")
        services = {str(entry.service_id): entry for entry in self._workplace.state.services.all()}
        wanted = [
            (service_id, product)
            for service_id, product in PRODUCTS.items()
            if service_id in services and services[service_id].product_code != product
        ]
        if wanted:
            self._do("products", "mime")
        for service_id, product in wanted:
            self._do("map", "service", service_id, product)
        self._do("services")
        if any(entry.state is MappingState.UNMAPPED for entry in self._workplace.state.services.all()):
            self._say("One add-on stays open on purpose: it will show up as unmapped, and nothing is billed for it.")

    def _finish(self) -> None:
        if all(item.finished_at is not None for item in self._workplace.state.integrations.all()):
            return
        self._title("Finish the mapping", "The connections become active, and every side is read once more.")
        self._do("finish")

    def _compare(self) -> None:
        self._title("Compare", "Three counts side by side, one verdict a row, and a plan. Nothing is written yet.")
        self._do("run")

    def _release(self, plan: Plan) -> Plan:
        if not plan.held:
            return plan
        self._title(
            "Look at what is held back",
            "Guards stop changes that are more often mistakes than truth. A person releases each with a reason.",
        )
        for change in plan.held:
            for hold in change.holds:
                self._stage.line(f"  {hold.guard.replace('_', ' ')}: {shown(hold.figures, 90)}", "yellow")
            reason = REASONS.get(change.holds[0].guard, "checked with the client")
            self._do("plan", "release", plan.id, change.id, "--reason", reason, quietly=True)
        return self._plan(plan.id)

    def _approve_and_apply(self, plan: Plan) -> Plan:
        self._title(
            "Approve exactly this", "The checksum is over every change and every release; one digit more, another sum."
        )
        if plan.state is PlanState.PROPOSED:
            self._do("plan", "approve", plan.id, "--checksum", plan.checksum, quietly=True)
        self._title("Apply", "Each line is read again, written once, and read back.")
        self._do("plan", "apply", plan.id, "--checksum", plan.checksum)
        return self._plan(plan.id)

    def _prove(self, plan: Plan | None) -> tuple[int, int]:
        """How many lines were asked for at the PSA itself, and how many are not what was written."""
        if plan is None:
            return 0, 0
        self._title("Prove it", f"Not Trueup's word for it: each line, asked of {self._psa} directly.")
        return prove(plan, self._simulators.psa, self._simulators.psa_url, self._stage)

    def _compare_again(self) -> int:
        self._title("Compare again", "The same run once more. What was corrected must be in line now.")
        sink = Output(as_json=False, out=io.StringIO(), err=io.StringIO())
        self._stage.line("$ trueup run", "cyan")
        self._carry_out(["run"], Workplace(self._workplace.home, sink, self._workplace.actor))
        plan = self._newest_plan()
        found = self._workplace.state.reconciliations.get(plan.period)
        left = ", ".join(
            f"{count} {verdict.words}" for verdict, count in found.totals.verdicts if count and verdict.is_exception
        )
        in_line = sum(1 for row in found.rows if not row.verdict.is_exception)
        if plan.changes:
            self._say(f"There are still {plural(len(plan.changes), 'change', 'changes')} to make.")
        else:
            self._stage.line("It finds nothing to do: 0 changes.", "green")
        self._say(
            f"{in_line} rows are in line. What is left is not a matter of a number: {left}. Those want a line, an "
            "order or a decision, and the table says which."
        )
        return len(plan.changes)

    def _newest_plan(self) -> Plan:
        return self._workplace.state.plan_index.latest(1)[0]

    def _last_applied(self) -> Plan | None:
        plans = self._workplace.state.plan_index.latest(50)
        return next((plan for plan in plans if written(plan)), None)

    def _plan(self, plan_id: str) -> Plan:
        return self._workplace.state.plans.get(plan_id)

    def _title(self, title: str, text: str) -> None:
        self._chapter += 1
        self._stage.line()
        self._stage.line(f"{self._chapter}. {title}", "bold")
        self._stage.paragraph(text)
        self._stage.line()

    def _say(self, text: str) -> None:
        self._stage.line()
        self._stage.paragraph(text)

    def _do(self, *words: str, quietly: bool = False) -> None:
        """Type one command; ``quietly`` leaves out the advice at its end."""
        for line in _command_lines(words):
            self._stage.line(line, "cyan")
        workplace = self._workplace
        if quietly:
            page = io.StringIO()
            aside = Output(as_json=False, out=page, err=io.StringIO())
            self._carry_out(list(words), Workplace(workplace.home, aside, workplace.actor))
            self._stage.line(page.getvalue().splitlines()[0])
        else:
            self._carry_out(list(words), workplace)

    def _carry_out(self, words: list[str], workplace: Workplace) -> None:
        """The handler of that command line, in the scene that is open already."""
        parsed = parse(words)
        module_name, function_name = parsed.handler.split(":")
        handler: Callable[[Workplace, Any], int] = getattr(
            importlib.import_module(f"local.cli.{module_name}"), function_name
        )
        handler(workplace, parsed)


def _command_lines(words: tuple[str, ...]) -> Iterator[str]:
    """The command as one would type it, broken before an option where it is too long for one line."""
    line = "$ trueup"
    for index, word in enumerate(words):
        part = shlex.quote(word)
        ahead = len(part) + (len(shlex.quote(words[index + 1])) + 1 if word.startswith("--") else 0)
        if word.startswith("--") and len(line) + ahead > 96:
            yield f"{line} \\"
            line = "   "
        line += f" {part}"
    yield line


def _ending(stage: Output, home: Home, psa: str, played: Played, seconds: float) -> None:
    stage.line()
    if played.lines_wrong:
        stage.line(f"{plural(played.lines_wrong, 'line differs', 'lines differ')} from what was approved.", "red")
    stage.line(f"The month took {seconds:.0f} seconds.", "bold")
    folder = os.path.relpath(home.path) if home.path.is_relative_to(ROOT) else str(home.path)
    stage.line("What to try next:")
    stage.line(f"  export {HOME_VARIABLE}={shlex.quote(folder)}")
    for command, purpose in (
        (".venv/bin/trueup history", "who did what, and why"),
        (".venv/bin/trueup verify", "prove that nothing in it was changed"),
        (".venv/bin/trueup plan show", "the newest plan"),
        (f"make demo PSA={psa}", "the same again: it finds nothing to do"),
        (f".venv/bin/trueup demo --psa {psa} --fresh", "begin anew"),
    ):
        stage.line(f"  {command:<48} {purpose}")
    stage.line(f"  {'unset ' + HOME_VARIABLE:<48} back to your own state; then:")
    stage.line(f"  {'.venv/bin/trueup connect mimecast':<48} your own accounts")
