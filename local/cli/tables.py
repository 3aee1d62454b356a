"""The tables of the month: accounts, services, plans. Words, signs and widths only; the numbers come ready.

Method: every status is a sign, a word and a color, so that none of the three is needed; a missing count says so and is
never a zero or a dash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from local.cli.output import Cell, Column, Output, Style, shown
from trueup.api.views import money_text
from trueup.domain.billing import WriteOutcome
from trueup.domain.canonical import decimal_text
from trueup.domain.effective import PsaCapabilities
from trueup.domain.mapping import AccountEntry, MappingState, MappingTotals, ServiceEntry
from trueup.domain.matching import MatchRule
from trueup.domain.plan import Change, ChangeKind, Plan, PlanState
from trueup.domain.rematching import former_words
from trueup.domain.verdicts import Row, Verdict

_OUTCOMES: dict[WriteOutcome, tuple[str, Style]] = {
    WriteOutcome.APPLIED: ("✓", "green"),
    WriteOutcome.ALREADY: ("✓", "green"),
    WriteOutcome.CONFLICT: ("!", "yellow"),
    WriteOutcome.REJECTED: ("✗", "red"),
    WriteOutcome.UNKNOWN: ("?", "red"),
}

_MAPPINGS: dict[MappingState, tuple[str, Style]] = {
    MappingState.MAPPED: ("✓", "green"),
    MappingState.EXCLUDED: ("-", "dim"),
    MappingState.AMBIGUOUS: ("?", "yellow"),
    MappingState.UNMAPPED: ("?", "yellow"),
}

ACCOUNT_WORDS = ("Mimecast account", "trueup map account VENDOR_ID PSA_ID, or trueup map exclude VENDOR_ID")
TENANT_WORDS = ("tenant", "trueup tenants map TENANT_ID PSA_ID, or trueup tenants exclude TENANT_ID")
"""What entries are called, and how a person decides on one."""


def client_name(row: Row, characters_maximum: int = 34) -> str:
    name = row.psa_account_name or (row.members[0].vendor_name if row.members else "")
    return shown(name, characters_maximum)


def service_name(row: Row) -> str:
    if row.product_code:
        return shown(row.product_code, 20)
    named = [member.service_name or member.service_id for member in row.members if member.service_id]
    return shown(named[0], 20) if named else "-"


def money(amount: Decimal | None, currency: str) -> str:
    """With a sign, because the direction is what matters: ``+17.00 USD``."""
    if amount is None:
        return "no price"
    sign = "+" if amount > 0 else ""
    return f"{sign}{money_text(amount)} {currency}"


def mapping_totals_text(totals: MappingTotals, words: tuple[str, str] = ACCOUNT_WORDS) -> str:
    return (
        f"{plural(totals.all, words[0], f'{words[0]}s')}: {totals.mapped} mapped, "
        f"{totals.excluded} excluded, {totals.ambiguous} ambiguous, {totals.unmapped} unmapped"
    )


def open_accounts(output: Output, entries: Sequence[AccountEntry]) -> None:
    """What is left for a person, with suggestions; then what was left out and why."""
    undecided_accounts(output, [entry for entry in entries if not entry.is_decided])
    excluded = [entry for entry in entries if entry.state is MappingState.EXCLUDED]
    if excluded:
        output.line()
        output.line("Excluded", "bold")
        for entry in excluded:
            why = entry.decision.reason if entry.decision else ""
            output.paragraph(f"{shown(entry.vendor_id)} {shown(entry.vendor_name, 40)}: {shown(why, 300)}", "  ")


def undecided_accounts(output: Output, waiting: Sequence[AccountEntry], words: tuple[str, str] = ACCOUNT_WORDS) -> None:
    """Each account that waits for a decision, with what is known about it."""
    if not waiting:
        return
    output.line()
    output.line(f"Waiting for a decision ({words[1]})", "bold")
    for entry in waiting:
        output.line(f"  {shown(entry.vendor_id)} {shown(entry.vendor_name)}: {entry.state.value}", "yellow")
        if entry.former:
            output.paragraph(shown(former_words(entry.former[0]), 300), "      ")
        if entry.ambiguity:
            output.paragraph(shown(entry.ambiguity, 300), "      ")
        for item in entry.suggestions:
            reasons = "; ".join(shown(reason, 120) for reason in item.reasons)
            output.paragraph(
                f"{shown(item.psa_id)} {shown(item.psa_name, 40)}? {item.score} of 100: {reasons}", "      "
            )
        if not entry.suggestions and not entry.ambiguity:
            output.line("      no client of the PSA has a name that is alike", "dim")


def accounts_table(output: Output, entries: Sequence[AccountEntry], words: tuple[str, str] = ACCOUNT_WORDS) -> None:
    """Decided accounts with their client."""
    title = words[0].rpartition(" ")[2].capitalize()
    output.table(
        [Column(title), Column("Name", "name"), Column("Mapping"), Column("Client, or why it is excluded", "text")],
        [
            [
                shown(entry.vendor_id, 40),
                shown(entry.vendor_name, 34),
                Cell(f"{_MAPPINGS[entry.state][0]} {entry.state.value}", _MAPPINGS[entry.state][1]),
                _partner(entry),
            ]
            for entry in entries
        ],
    )


_RULES = {
    MatchRule.EXACT: "same name",
    MatchRule.SAFE_KEY: "same name but for spelling",
    MatchRule.PERSON: "by a person",
    MatchRule.IMPORT: "from a file",
    MatchRule.STORED_ID: "id of the PSA before",
    MatchRule.FORMER_NAME: "name in the PSA before",
}


def _partner(entry: AccountEntry) -> str:
    if entry.state is MappingState.MAPPED:
        rule = _RULES[entry.decision.rule] if entry.decision else ""
        warning = f"; {shown(entry.warnings[0], 120)}" if entry.warnings else ""
        return f"{shown(entry.psa_id or '')} {shown(entry.psa_name, 34)} ({rule}{warning})"
    if entry.decision is None:
        return ""
    said = [f"owner {shown(entry.decision.owner, 34)}"] if entry.decision.owner else []
    if entry.decision.review_on is not None:
        is_due = entry.decision.is_review_due(datetime.now(UTC).date())
        said.append(f"{'REVIEW IS DUE since' if is_due else 'review on'} {entry.decision.review_on}")
    return "; ".join([shown(entry.decision.reason, 200), *said])


def services_table(output: Output, entries: Sequence[ServiceEntry]) -> None:
    output.table(
        [Column("Service"), Column("Name", "name"), Column("Kind"), Column("Accounts", "number"), Column("Mapping"),
         Column("Product", "name"), Column("By user")],
        [
            [
                shown(entry.service_id, 40),
                shown(entry.name, 40),
                entry.kind.value,
                str(entry.accounts_counted),
                Cell(f"{_MAPPINGS[entry.state][0]} {entry.state.value}", _MAPPINGS[entry.state][1]),
                _product(entry),
                "yes" if entry.is_per_user else "no",
            ]
            for entry in entries
        ],
    )  # fmt: skip


def _product(entry: ServiceEntry) -> str:
    if entry.state is MappingState.MAPPED:
        return f"{shown(entry.product_code, 30)} {shown(entry.product_name, 40)}"
    if entry.state is MappingState.EXCLUDED and entry.decision is not None:
        return shown(entry.decision.reason, 80)
    return f"was {shown(entry.former[0].code or entry.former[0].target_id, 30)}" if entry.former else "-"


def plan_table(output: Output, plan: Plan) -> None:
    """The plan with what would be written, what is held and why, and what became of it."""
    output.line(f"Plan {plan.id}: {plan.state.value}", "bold")
    if not plan.changes:
        output.line("  There is nothing to change.", "green")
        return
    has_results = bool(plan.results)
    shared = _when_all_count(plan)
    if shared:
        output.line(f"  {shared}")
    when = Column("Next invoice", "number") if shared else Column("Counts from, next invoice", "text")
    columns = [Column("Change"), Column("Client", "name"), Column("Product", "name"), Column("From", "number"),
               Column("To", "number"), when,
               Column("A month", "number"), Column("Guard", "text")]  # fmt: skip
    columns += [Column("Result")] if has_results else []
    output.table(columns, [_change_cells(plan, change, has_results, bool(shared)) for change in plan.changes])
    for change in plan.held:
        for hold in change.holds:
            output.paragraph(
                f"{change.id} is held: {hold.guard.replace('_', ' ')}, {shown(hold.figures, 200)}. "
                f"It goes when {shown(hold.release, 200)}.",
                "  ",
            )


def _when_all_count(plan: Plan) -> str:
    """From when every change counts and on which invoice, said once; empty where they differ or a seat does not show
    on the next invoice yet, for then each change says it for itself.
    """
    said = {(change.effective_text, change.next_invoice.on if change.next_invoice else None) for change in plan.changes}
    shows = all(change.next_invoice and change.next_invoice.quantity == change.target for change in plan.changes)
    if len(said) > 1 or not shows:
        return ""
    ((effective, on),) = said
    words = {"now": "the moment it is written", "next_invoice": "the next invoice"}.get(effective, effective)
    return f"Counts from {words}: every change" + (f"; the next invoice is of {on}." if on is not None else ".")


def _change_cells(plan: Plan, change: Change, has_results: bool, is_said: bool) -> list[str | Cell]:
    invoice = change.next_invoice
    amount = "no price" if invoice is None or invoice.amount is None else f"{money_text(invoice.amount)}"
    each = "; ".join(part for part in (change.effective_text.replace("_", " "), _next_invoice(change)) if part)
    cells: list[str | Cell] = [
        change.id,
        shown(change.psa_account_name, 26),
        shown(change.product_code, 16),
        decimal_text(change.expected),
        f"{change.target} new line" if change.kind is ChangeKind.CREATE_LINE else str(change.target),
        amount if is_said else each,
        money(change.monthly_money, change.currency),
        _guard(change),
    ]
    if has_results:
        result = plan.result(change.id)
        cells.append(outcome_cell(result.outcome) if result is not None else "")
    return cells


def _next_invoice(change: Change) -> str:
    """What the line will say on its next invoice: seats, amount and day, as far as the PSA tells them."""
    invoice = change.next_invoice
    if invoice is None:
        return ""
    amount = "" if invoice.amount is None else f": {money_text(invoice.amount)}"
    day = "" if invoice.on is None else f" on {invoice.on}"
    return f"{invoice.quantity}{amount}{day}"


def missing_lines(output: Output, rows: Iterable[Row], plan: Plan, able: PsaCapabilities) -> None:
    """Clients whose seats no line bills, with the command that adds the line, where the PSA lets a program make one."""
    added = {change.row_id for change in plan.changes if change.kind is ChangeKind.CREATE_LINE}
    lacking = [row for row in rows if row.verdict is Verdict.NEW_REVENUE and row.id not in added]
    if not lacking or not able.creates_lines or plan.state is not PlanState.PROPOSED:
        return
    output.line()
    output.line("Lines that are missing (a person adds them, each on an agreement they choose)", "bold")
    for row in lacking:
        seats = "" if row.bill_target is None else row.bill_target
        output.line(f"  {client_name(row)} {service_name(row)}, {seats} seats:")
        output.line(f"    trueup plan add-line {plan.id} {row.id}")


def outcome_cell(outcome: WriteOutcome) -> Cell:
    sign, style = _OUTCOMES[outcome]
    return Cell(f"{sign} {outcome.value}", style)


def _guard(change: Change) -> Cell:
    if not change.holds:
        return Cell("ready", "green")
    names = ", ".join(hold.guard.replace("_", " ") for hold in change.holds)
    return Cell(f"held: {names}", "yellow") if change.is_held else Cell(f"released: {names}", "cyan")


def plan_money(plan: Plan) -> str:
    """What the changes that would go are worth together, by currency."""
    sums: dict[str, Decimal] = {}
    for change in plan.ready:
        if change.monthly_money is not None:
            sums[change.currency] = sums.get(change.currency, Decimal(0)) + change.monthly_money
    return ", ".join(money(amount, currency) for currency, amount in sorted(sums.items())) or "0.00"


def plural(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
