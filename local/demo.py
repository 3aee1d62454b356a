"""`trueup demo`: one month of a provider with 48 clients, played against simulated vendors and told as a story.

Method: the very commands a person would type, one after another, on a home and a world of their own. It is continued
where it was when the same home is used again. Must not: touch a state folder that is not a demo's, or leave a process
behind.
"""

from __future__ import annotations

import io
import os
import shlex
import time
from dataclasses import dataclass, field
from pathlib import Path

from local.cli import EXIT_DONE, EXIT_FAILED
from local.cli.home import HOME_VARIABLE, ROOT, Home
from local.cli.output import Output, shown
from local.cli.tables import plural, undecided_accounts
from local.cli.workplace import Workplace
from local.demo_closing import Closing
from local.demo_orders import ARRIVES, LOST, OrderStory, SimulatedPortal
from local.demo_proof import prove, written
from local.demo_scene import claim, demo_home, scene
from local.demo_sums import comparison_checks, say_checks
from local.demo_telling import Telling
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
from trueup.usecases.monthly_report import closed_by, plans_of

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


RUNS_MAXIMUM = 4
"""How often the month is compared again: once for each read an order needs to show, once to find nothing, one spare."""


@dataclass(slots=True)
class Played:
    """What came of one demo month: its plans, how much the last run found to do, what was asked for at the PSA, and how
    many printed sums do not add up."""

    plans: tuple[Plan, ...] = ()
    left_to_do: int = 0
    lines_checked: int = 0
    lines_wrong: int = 0
    sums_wrong: int = 0
    orders: dict[str, int] = field(default_factory=dict)
    is_closed: bool = False

    @property
    def is_sound(self) -> bool:
        return not (self.lines_wrong or self.left_to_do or self.sums_wrong) and self.is_closed


def play(folder: Path | None, *, psa: str, fresh: bool, output: Output) -> int:
    """The whole month with that PSA. 0 when nothing is left to do, every line reads back as it was written, the sums
    add up and the month is closed."""
    started_at = time.monotonic()
    home = demo_home(folder, psa)
    with home.writing("trueup demo"):
        claim(home, psa, fresh=fresh)
        stage = output if not output.as_json else Output(as_json=False, out=io.StringIO(), err=io.StringIO())
        with scene(home, psa, stage) as (simulators, workplace):
            period = workplace.period
            played = _Month(workplace, simulators, period).tell()
        seconds = time.monotonic() - started_at
        _ending(stage, home, psa, period, seconds)
    output.document(
        {
            "home": str(home.path),
            "psa": psa,
            "period": period,
            "plans": [plan_view(plan) for plan in played.plans],
            "lines_checked": played.lines_checked,
            "lines_wrong": played.lines_wrong,
            "left_to_do": played.left_to_do,
            "sums_wrong": played.sums_wrong,
            "orders": played.orders,
            "closed": played.is_closed,
            "seconds": round(seconds, 1),
        }
    )
    return EXIT_DONE if played.is_sound else EXIT_FAILED


class _Month:
    """The story, chapter by chapter."""

    def __init__(self, workplace: Workplace, simulators: RunningSimulators, period: str) -> None:
        self._workplace = workplace
        self._simulators = simulators
        self._stage = workplace.output
        self._psa = simulators.psa.label
        self._period = period
        self._played = Played()
        self._portal = SimulatedPortal(simulators.mimecast)
        telling = Telling(workplace)
        self._orders = OrderStory(telling, self._portal)
        self._closing = Closing(telling, period)
        self._title, self._say, self._do = telling.title, telling.say, telling.do
        self._do_unseen = telling.do_unseen

    def tell(self) -> Played:
        self._opening()
        if closed_by(self._period, self._workplace.state.sealed_months) is None:
            self._prepare()
            self._compare()
            self._correct(self._newest_plan())
            self._closing.show_people(ARRIVES)
            self._orders.order()
            self._compare_until_nothing_is_left()
            self._played.sums_wrong += self._closing.report()
            if self._played.left_to_do:
                self._say("The month stays open, because changes are left to make.")
            else:
                self._closing.close()
        else:
            self._played.sums_wrong += self._closing.show_closed_month()
            self._prove(self._plans())
        played = self._played
        played.plans = self._plans()
        played.orders = self._orders.counts()
        played.is_closed = closed_by(self._period, self._workplace.state.sealed_months) is not None
        return played

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
            "command you could type yourself; where its answer is cut short, “…” says so."
        )

    def _prepare(self) -> None:
        self._connect()
        self._read_and_match()
        self._map_accounts()
        self._map_tenants()
        self._map_services()
        self._finish()

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
        self._check()

    def _check(self) -> None:
        """Count again what the newest comparison printed as sums."""
        found = self._workplace.state.reconciliations.get(self._period)
        self._played.sums_wrong += say_checks(self._stage, comparison_checks(found, self._portal.accounts()))

    def _correct(self, plan: Plan) -> None:
        """Let what is held go, approve, apply, and ask the PSA; nothing where nothing is to be corrected."""
        if not plan.changes:
            self._say("No line has to be corrected: every line that can be has been corrected.")
            self._prove(self._plans())
            return
        plan = self._release(plan)
        self._title(
            "Approve exactly this, and apply it",
            "The checksum is over every change and every release; one digit more, another sum. Then each line is read "
            "again, written once, and read back."
            if not self._played.lines_checked
            else "As before: what is approved is a checksum, and what is written is exactly that.",
        )
        if plan.state is PlanState.PROPOSED:
            self._do("plan", "approve", plan.id, "--checksum", plan.checksum, lines_maximum=1)
        self._do("plan", "apply", plan.id, "--checksum", plan.checksum)
        self._prove((self._workplace.state.plans.get(plan.id),))

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
            self._do_unseen("plan", "release", plan.id, change.id, "--reason", reason)
        return self._workplace.state.plans.get(plan.id)

    def _prove(self, plans: tuple[Plan, ...]) -> None:
        """Ask the PSA itself for every line that these plans wrote; nothing where none was written."""
        if not plans:
            return
        self._title("Prove it", f"Not Trueup's word for it: each line, asked of {self._psa} directly.")
        checked, wrong = prove(plans, self._simulators.psa, self._simulators.psa_url, self._stage)
        self._played.lines_checked += checked
        self._played.lines_wrong += wrong

    def _compare_until_nothing_is_left(self) -> None:
        """Run again while an order is still to show, and apply what it brings with it; then nothing may be left."""
        for number in range(1, RUNS_MAXIMUM + 1):
            plan = self._compare_again(number)
            if plan.changes:
                self._say(
                    f"Mimecast shows the order of {ARRIVES} now, and bills more seats than the client pays for: so the "
                    "bill follows. (A tenant that bills on order has this as soon as an order is submitted.)"
                )
                self._correct(plan)
            elif not self._orders.waits_for(ARRIVES):
                break
        self._played.left_to_do = len(plan.changes)
        self._say_what_is_left(plan)

    def _compare_again(self, number: int) -> Plan:
        self._title(
            "Compare again" if number == 1 else "And again",
            "The same run once more. What was corrected must be in line now."
            if number == 1
            else "Every side is read anew, and with it what became of the orders.",
        )
        self._do_unseen("run")
        plan = self._newest_plan()
        if plan.changes:
            self._stage.line(f"It finds {plural(len(plan.changes), 'change', 'changes')} to make.", "yellow")
        else:
            self._stage.line("It finds nothing to do: 0 changes.", "green")
        self._stage.line(f"{self._orders.standing()}.")
        if number == 1 or plan.changes:
            self._orders.show(ARRIVES)
        else:
            self._orders.say_what_is_outstanding(LOST)
        return plan

    def _say_what_is_left(self, plan: Plan) -> None:
        found = self._workplace.state.reconciliations.get(plan.period)
        in_line = sum(1 for row in found.rows if not row.verdict.is_exception)
        self._say(
            f"{in_line} of {len(found.rows)} rows are in line. What is left is not a number to correct: it wants a "
            "line, an order or a decision, and the table says which."
        )
        self._check()

    def _newest_plan(self) -> Plan:
        return self._workplace.state.plan_index.latest(1)[0]

    def _plans(self) -> tuple[Plan, ...]:
        """The plans of the month that were applied, the oldest first."""
        return tuple(plan for plan in plans_of(self._period, self._workplace.state.plan_index) if written(plan))


def _ending(stage: Output, home: Home, psa: str, period: str, seconds: float) -> None:
    stage.line()
    stage.line(f"The month took {seconds:.0f} seconds.", "bold")
    folder = os.path.relpath(home.path) if home.path.is_relative_to(ROOT) else str(home.path)
    stage.line("What to try next:")
    stage.line(f"  export {HOME_VARIABLE}={shlex.quote(folder)}")
    for command, purpose in (
        (".venv/bin/trueup history", "who did what, and why"),
        (".venv/bin/trueup orders list", "the orders that are still open"),
        (f".venv/bin/trueup evidence {period} --out evidence", "what to show each client"),
        (".venv/bin/trueup report --html report.html", "the month as a page"),
        (f"make demo PSA={psa}", "the same again: it finds nothing to do"),
        (f".venv/bin/trueup demo --psa {psa} --fresh", "begin anew"),
    ):
        stage.line(f"  {command:<54} {purpose}")
    stage.line(f"  {'unset ' + HOME_VARIABLE:<54} back to your own state; then:")
    stage.line(f"  {'.venv/bin/trueup connect mimecast':<54} your own accounts")
