"""The evidence pack of a client as a document and as a sheet. Both say the same; the same pack gives the same bytes."""

from __future__ import annotations

from collections.abc import Iterator

from trueup.api.html_document import Page
from trueup.api.spreadsheets import csv_table
from trueup.api.views import money_text, time_text
from trueup.domain.canonical import decimal_text
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.counts import Count, Known
from trueup.domain.mapping import AccountEntry, Decision, ServiceEntry
from trueup.domain.plan import Change, Plan
from trueup.domain.verdicts import Row
from trueup.usecases.evidence import EvidencePack

SHEET_COLUMNS = ("section", "subject", "name", "value", "detail")
"""One fact a line: which part of the pack, what it is about, which fact, its value, and what it rests on."""


def evidence_html(pack: EvidencePack) -> str:
    link = pack.link
    page = Page(f"Evidence {link.period}: {pack.client_name or pack.client_id}")
    page.line(f"Client {pack.client_id}. Month {link.period}, version {link.version}, of {link.tenant}.")
    page.line(f"Closed on {time_text(link.at)} by {link.by}{f': {link.reason}' if link.reason else ''}.", quiet=True)
    page.heading("Counts")
    page.table(
        ("Service", "Count", ">Seats", "Read from", "As of", "Evidence"),
        (cells for row in pack.rows for cells in _count_cells(row)),
    )
    page.heading("Outcome")
    page.table(
        ("Service", "Verdict", ">A month", "Currency", "Why"),
        (
            (_service(row), row.verdict.words, money_text(row.monthly_money), row.currency, "; ".join(row.reasons))
            for row in pack.rows
        ),
    )
    page.heading("Mapping")
    page.table(("What", "Is", "Decided by", "When", "Rule", "Why", "Replaced"), _mapping_cells(pack))
    page.heading("Changes in the PSA")
    page.table(
        ("Line", ">Before", ">After", "Counts from", "State", "Approved by", "Approved at", "Result", "Why"),
        (_change_cells(plan, change) for plan, change in pack.changes),
    )
    page.heading("Change orders to the vendor")
    page.table(
        ("Order", "Account", ">From", ">To", "State", "Approved by", "Submitted by", "Number", "What became of it"),
        (_order_cells(order) for order in pack.orders),
    )
    page.heading("Hashes")
    page.line("SHA-256 of what the month was closed with. The chain is proven with: trueup verify.", quiet=True)
    page.table(("What", ":SHA-256"), _hashes(pack))
    return page.text()


def evidence_csv(pack: EvidencePack) -> str:
    return csv_table(SHEET_COLUMNS, _facts(pack))


def _facts(pack: EvidencePack) -> Iterator[tuple[str, str, str, str, str]]:
    link = pack.link
    closed = f"by {link.by}, version {link.version}{f', {link.reason}' if link.reason else ''}"
    yield ("month", link.period, "closed", time_text(link.at) or "", closed)
    yield ("client", pack.client_id, "name", pack.client_name, "")
    for row in pack.rows:
        for service, leg, seats, basis, as_of, evidence in _count_cells(row):
            source = ", ".join(text for text in (basis, as_of, evidence) if text)
            yield ("count", service, leg, "" if seats is None else seats, source)
        money = money_text(row.monthly_money)
        yield ("outcome", _service(row), row.verdict.words, "" if money is None else f"{row.currency} {money}",
               "; ".join(row.reasons))  # fmt: skip
    for what, target, by, at, rule, why, replaced in _mapping_cells(pack):
        detail = [f"by {by}" if by else "", at, rule, why, f"replaced {replaced}" if replaced else ""]
        yield ("mapping", what, "is", target, "; ".join(text for text in detail if text))
    for plan, change in pack.changes:
        line, before, after, counts_from, state, by, at, result, why = _change_cells(plan, change)
        yield ("change", line, f"{before} to {after} from {counts_from}", state,
               f"plan {plan.id} {plan.checksum}; approved by {by or 'nobody'} {at}; {result}; {why}")  # fmt: skip
    for order in pack.orders:
        number, account, before, after, state, approved, submitted, reference, end = _order_cells(order)
        yield ("order", number, f"{account} {before} to {after}", state,
               f"approved by {approved or 'nobody'}; sent by {submitted or 'nobody'}; {reference}; {end}")  # fmt: skip
    for what, address in _hashes(pack):
        yield ("hash", what, "sha256", address, "")


def _service(row: Row) -> str:
    if row.product_code:
        return row.product_code
    return " + ".join(dict.fromkeys(member.service_name or str(member.service_id) for member in row.members))


def _count_cells(row: Row) -> Iterator[tuple[str, str, str | None, str, str, str]]:
    legs = (("agreement", row.counts.agreement), ("licensed", row.counts.licensed), ("billed", row.counts.billed))
    for name, count in legs:
        yield (_service(row), name, *_count(count))


def _count(count: Count) -> tuple[str | None, str, str, str]:
    if not isinstance(count, Known):
        return None, count.state, "", count.reason
    pieces = [f"{piece.source} {piece.key} {piece.reference}: {piece.seats}" for piece in count.evidence]
    if count.conflict:
        pieces.append(count.conflict)
    return str(count.seats), count.basis.value, time_text(count.as_of) or "", "; ".join(pieces)


def _mapping_cells(pack: EvidencePack) -> Iterator[tuple[str, str, str, str, str, str, str]]:
    for account in pack.accounts:
        name = f"account {account.vendor_id} ({account.vendor_name})"
        yield (name, _account_target(account), *_decision(account.decision))
    for service in pack.services:
        yield (f"service {service.service_id} ({service.name})", _product(service), *_decision(service.decision))


def _account_target(account: AccountEntry) -> str:
    return account.state.value if account.psa_id is None else f"client {account.psa_id} ({account.psa_name})"


def _product(service: ServiceEntry) -> str:
    return (
        service.state.value if service.product_id is None else f"product {service.product_code or service.product_id}"
    )


def _decision(decision: Decision | None) -> tuple[str, str, str, str, str]:
    if decision is None:
        return "", "", "", "", ""
    return decision.by, time_text(decision.at) or "", decision.rule.value, decision.reason, decision.replaced


def _change_cells(plan: Plan, change: Change) -> tuple[str, str, str, str, str, str, str, str, str]:
    result = plan.result(change.id)
    release = change.release
    why = "; ".join(hold.guard.replace("_", " ") for hold in change.holds)
    if release is not None:
        why = f"{why}: released by {release.by} on {time_text(release.at)}: {release.reason}"
    became = "not sent" if result is None else f"{result.outcome.value} on {time_text(result.at)}"
    if result is not None and result.reason:
        became = f"{became}: {result.reason}"
    return (
        f"{change.line_id or 'a new line'} on {change.agreement_name or change.agreement_id}",
        decimal_text(change.expected),
        str(change.target),
        change.effective_text,
        plan.state.value,
        plan.approved_by,
        time_text(plan.approved_at) or "",
        became,
        why,
    )


def _order_cells(order: ChangeOrder) -> tuple[str, str, str, str, str, str, str, str, str]:
    return (
        order.id,
        f"{order.vendor_id} ({order.vendor_name}) {order.service_name or order.service_id}",
        str(order.current),
        str(order.target),
        order.state.value,
        "" if order.approved is None else order.approved.by,
        "" if order.submitted is None else order.submitted.by,
        order.order_number,
        order.settled_why or order.remark,
    )


def _hashes(pack: EvidencePack) -> Iterator[tuple[str, str]]:
    link = pack.link
    yield ("this link of the chain", link.hash)
    yield ("the link before", link.previous_hash)
    yield ("all parts (seal)", link.seal)
    if link.history is not None:
        yield (f"history up to event {link.history.last_number}", link.history.last_hash)
    for part in link.parts:
        yield (f"part {part.name}", part.sha256)
    for read in pack.reads:
        yield (f"pages of the {read.side.value} read {read.id}", read.digest)
        for number, page in enumerate(read.pages, start=1):
            yield (f"{read.side.value} page {number}", page)
    for plan in dict.fromkeys(plan.id for plan, _ in pack.changes):
        checksum = next(one.checksum for one, _ in pack.changes if one.id == plan)
        yield (f"plan {plan}", checksum)
