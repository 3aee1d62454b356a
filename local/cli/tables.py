"""The tables of the month: comparisons, accounts, plans. Words, signs and widths only; the numbers come ready.

Method: every status is a sign, a word and a color, so that none of the three is needed; a missing count says so and is
never a zero or a dash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from local.cli.output import Cell, Column, Output, Style, shown
from trueup.api.views import money_text
from trueup.domain.billing import WriteOutcome
from trueup.domain.canonical import decimal_text
from trueup.domain.counts import Basis, Count, Known, Missing
from trueup.domain.effective import PsaCapabilities
from trueup.domain.mapping import AccountEntry, MappingState, MappingTotals, ServiceEntry
from trueup.domain.matching import MatchRule
from trueup.domain.plan import Change, ChangeKind, Plan, PlanState
from trueup.domain.rematching import former_words
from trueup.domain.verdicts import OrderNeed, Reconciliation, Row, Totals, Verdict

_VERDICTS: dict[Verdict, tuple[str, Style]] = {
    Verdict.IN_LINE: ("=", "green"),
    Verdict.BILL_MORE: ("▲", "yellow"),
    Verdict.BILL_LESS: ("▼", "yellow"),
    Verdict.ORDER_MORE: ("△", "cyan"),
    Verdict.ORDER_LESS: ("▽", "cyan"),
    Verdict.ORDER_AND_BILL: ("◆", "yellow"),
    Verdict.NEW_REVENUE: ("+", "cyan"),
    Verdict.NOT_SOLD: ("-", "magenta"),
    Verdict.HELD: ("!", "red"),
    Verdict.AMBIGUOUS: ("?", "red"),
    Verdict.MISSING_DATA: ("?", "red"),
    Verdict.UNMAPPED: ("?", "dim"),
}

_BASES = {
    Basis.CONTRACT: "contract",
    Basis.PARTNER_CUSTOMER: "partner",
    Basis.ACCOUNT_USER_COUNT: "account",
    Basis.MANUAL_FILE: "file",
    Basis.PSA_LINE: "",
    Basis.LICENSED_USERS: "",
    Basis.LICENSE_FILE: "file",
    Basis.ORDERED: "ordered",
    Basis.SUM: "sum",
}

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

_SELF_EXPLAINING = frozenset(
    {
        Verdict.IN_LINE,
        Verdict.BILL_MORE,
        Verdict.BILL_LESS,
        Verdict.ORDER_MORE,
        Verdict.ORDER_LESS,
        Verdict.ORDER_AND_BILL,
    }
)
"""Verdicts whose reason the numbers tell."""


def reconciliation_table(output: Output, found: Reconciliation, *, with_all_rows: bool) -> None:
    """The rows that a person has something to do with, or all of them.

    Rows of an account that nobody has decided on are left to the list of those accounts.
    """
    rows = [row for row in found.rows if with_all_rows or (row.verdict.is_exception and not _waits_for_mapping(row))]
    has_licenses = any(not isinstance(row.counts.licensed, Missing) for row in found.rows)
    columns = [Column("Client", "name"), Column("Service", "name"), Column("Agreement", "number")]
    columns += [Column("Licensed", "number")] if has_licenses else []
    columns += [Column("Billed", "number"), Column("Verdict"), Column("A month", "number")]
    columns += [Column("To order", "number")] if has_licenses else []
    output.table(columns, [_row_cells(row, has_licenses) for row in rows])
    in_line = sum(1 for row in found.rows if not row.verdict.is_exception)
    if in_line and not with_all_rows:
        output.line(f"{plural(in_line, 'more row is', 'more rows are')} in line (trueup run --all shows them).", "dim")
    _explain(output, rows)


def _waits_for_mapping(row: Row) -> bool:
    return row.verdict in {Verdict.UNMAPPED, Verdict.AMBIGUOUS} and row.psa_account_id is None


def _row_cells(row: Row, has_licenses: bool) -> list[str | Cell]:
    sign, style = _VERDICTS[row.verdict]
    cells: list[str | Cell] = [client_name(row), _service(row), _count(row.counts.agreement)]
    if has_licenses:
        cells.append(_count(row.counts.licensed))
    cells += [_count(row.counts.billed), Cell(f"{sign} {row.verdict.words}", style), _row_money(row)]
    return [*cells, _order(row.order)] if has_licenses else cells


def _order(need: OrderNeed | None) -> str | Cell:
    """The change to order with the new total; a question mark where no order can be drafted yet."""
    if need is None:
        return ""
    return Cell(f"{need.delta:+d} to {need.target}{' ?' if need.obstacle else ''}", "yellow" if need.obstacle else "")


def client_name(row: Row, characters_maximum: int = 34) -> str:
    name = row.psa_account_name or (row.members[0].vendor_name if row.members else "")
    return shown(name, characters_maximum)


def _service(row: Row) -> str:
    if row.product_code:
        return shown(row.product_code, 20)
    named = [member.service_name or member.service_id for member in row.members if member.service_id]
    return shown(named[0], 20) if named else "-"


def _count(count: Count) -> str | Cell:
    if not isinstance(count, Known):
        return Cell("no data" if count.state == "missing" else "failed", "dim" if count.state == "missing" else "red")
    basis = _BASES[count.basis]
    return f"{count.seats} {basis}" if basis else str(count.seats)


def _row_money(row: Row) -> str:
    if row.verdict in {Verdict.IN_LINE, Verdict.ORDER_MORE, Verdict.ORDER_LESS}:
        return ""
    return "no price" if row.monthly_money is None else money(row.monthly_money, row.currency)


def money(amount: Decimal | None, currency: str) -> str:
    """With a sign, because the direction is what matters: ``+17.00 USD``."""
    if amount is None:
        return "no price"
    sign = "+" if amount > 0 else ""
    return f"{sign}{money_text(amount)} {currency}"


def _explain(output: Output, rows: Iterable[Row]) -> None:
    """The reasons, each once with the clients it is about."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.verdict not in _SELF_EXPLAINING and row.reasons:
            reasons.setdefault((row.verdict.words, row.reasons[0]), []).append(client_name(row, 40))
        if row.order is not None and row.order.obstacle:
            reasons.setdefault((row.order.words, row.order.obstacle), []).append(client_name(row, 40))
    if not reasons:
        return
    output.line()
    output.line("Why some of them need a person", "bold")
    for (words, reason), names in reasons.items():
        why = shown(reason, 300).rstrip(".")
        output.paragraph(f"{words}: {', '.join(dict.fromkeys(names))}: {why}.", "  ")


def totals_lines(output: Output, totals: Totals) -> None:
    """The totals in words: rows by verdict, accounts by mapping, seats, money."""
    verdicts = ", ".join(f"{count} {verdict.words}" for verdict, count in totals.verdicts if count)
    output.line("Totals", "bold")
    output.paragraph(f"{plural(totals.rows, 'row', 'rows')}: {verdicts or 'none'}", "  ")
    output.paragraph(mapping_totals_text(totals.accounts), "  ")
    licensed = f", {totals.licensed_seats} licensed" if totals.licensed_seats else ""
    output.paragraph(
        f"seats: {totals.agreement_seats} in Mimecast agreements{licensed}, {totals.billed_seats} billed", "  "
    )
    if totals.order_more_seats or totals.order_less_seats:
        output.line(f"  to order: {totals.order_more_seats} seats more, {totals.order_less_seats} less")
    for currency, verdict, amount in totals.money:
        output.line(f"  {verdict.words}: {money(amount, currency)} a month")
    if totals.rows_without_price:
        output.line(f"  {plural(totals.rows_without_price, 'row has', 'rows have')} no price and no part in the money")


ACCOUNT_WORDS = ("Mimecast account", "trueup map account VENDOR_ID PSA_ID, or trueup map exclude VENDOR_ID")
TENANT_WORDS = ("tenant", "trueup tenants map TENANT_ID PSA_ID, or trueup tenants exclude TENANT_ID")
"""What entries are called, and how a person decides on one."""


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
    return shown(entry.decision.reason if entry.decision else "", 200)


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
        output.line(f"  {client_name(row)} {_service(row)}, {seats} seats:")
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
