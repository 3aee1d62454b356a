"""Checks the invariants I1 to I10 against what a month has left behind. Call it at the end of every end-to-end test.

How to use it::

    report = audit(Evidence(state, writes=writes_of(psa or world), policy=policy, texts=[stdout, log], secrets=[...]))
    report.require_sound()                  # raises AssertionError listing every violation
    assert "I10" in report.checked          # where a test wants to be sure that an invariant could be checked

``state`` is any State bundle (the fake, or ``open_state(...)`` on a running store); ``writes_of`` takes a FakePsa, a
simulator's World, or the JSON of its state file. Everything else is optional: what is not given is not checked and does
not appear in ``report.checked``. As a fixture, ``audited`` of tests/audit_fixture.py audits when the test is over.

A plan may hold lines that people added, shares of seats divided among several lines, and what takes another plan back;
see ``auditor_writes`` for how a write is known to be one of them.

Method: only ports are read, and every number is worked out again from the stored pages, never taken from a summary.
Must not: change anything, or share code with what it judges, but for reading pages and for the comparison itself (I10).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from tests.simulation.auditor_months import check_months
from tests.simulation.auditor_writes import change_subject, check_writes, numbers
from tests.simulation.evidence import Evidence, PsaWrite, Report, writes_of
from trueup.domain.accounts import ServiceCount, ServiceKind, VendorFacts, VendorPage
from trueup.domain.audit import AuditEvent, first_broken
from trueup.domain.billing import PsaPage, WriteOutcome
from trueup.domain.canonical import sha256
from trueup.domain.counts import Known
from trueup.domain.errors import NotFound
from trueup.domain.facts import psa_facts, vendor_facts
from trueup.domain.integrations import Side
from trueup.domain.licenses import LicensePage
from trueup.domain.mapping import AccountEntry, MappingState, ServiceEntry
from trueup.domain.periods import local_day
from trueup.domain.plan import Change, Plan, PlanState
from trueup.domain.reconcile import Legs, reconcile
from trueup.domain.runs import RunState, Snapshot, Step
from trueup.domain.verdicts import Reconciliation
from trueup.usecases.account_refresh import REFRESHED
from trueup.usecases.license_sync import LicensedLegs, licensed_legs
from trueup.usecases.reconciliation import ReconciliationPolicy

__all__ = ["Evidence", "PsaWrite", "Report", "audit", "writes_of"]

PLANS_LISTED = 500
MAPPING_ACTIONS = ("account ", "accounts ", "service ", "lines divided", "division forgotten")


def audit(evidence: Evidence) -> Report:
    """Look at everything there is."""
    report = Report()
    view = _View(evidence)
    _check_snapshots(view, report)
    _check_mapping(view, report)
    _check_history(view, report)
    check_months(view.state, view.events, report)
    if evidence.writes is not None:
        reads = {event.audit.evidence: event for event in view.events if _is_read(event)}
        check_writes(view.plans, view.events, reads, evidence.writes, report)
    if evidence.policy is not None:
        _check_reconciliation(view, evidence.policy, report)
    if evidence.is_settled:
        _check_settled(view, report)
    _check_words(view, evidence, report)
    return report


class _View:
    """The state read once."""

    def __init__(self, evidence: Evidence) -> None:
        self.state = evidence.state
        self.events: list[AuditEvent] = list(self.state.history.all())
        self.plans: tuple[Plan, ...] = self.state.plan_index.latest(PLANS_LISTED)
        self.accounts: list[AccountEntry] = list(self.state.accounts.all())
        self.services: tuple[ServiceEntry, ...] = self.state.services.all()
        self.snapshots: dict[Side, Snapshot] = {
            side: snapshot for side in Side if (snapshot := self.state.snapshots.latest(side)) is not None
        }

    def pages(self, side: Side) -> list[VendorPage] | list[PsaPage] | list[LicensePage]:
        snapshot = self.snapshots[side]
        if side is Side.LICENSES:
            return list(self.state.snapshots.license_pages(snapshot))
        if side is Side.VENDOR:
            return list(self.state.snapshots.vendor_pages(snapshot))
        return list(self.state.snapshots.psa_pages(snapshot))

    def vendor(self) -> VendorFacts | None:
        if Side.VENDOR not in self.snapshots:
            return None
        return vendor_facts(self.state.snapshots.vendor_pages(self.snapshots[Side.VENDOR]))

    def numbers(self, action: str, subject: str) -> list[int]:
        """The places in the history where that was done to that."""
        return numbers(self.events, action, subject)

    def is_matched(self) -> bool:
        """Whether the accounts were brought up to date with the last read; a run may have ended in between."""
        try:
            run = self.state.runs.get(self.snapshots[Side.VENDOR].run_id)
        except NotFound:
            return False
        return run.step not in (Step.SYNC, Step.MATCH) or (run.step is Step.MATCH and run.state is RunState.DONE)

    def last_comparison(self) -> tuple[str, Reconciliation] | None:
        """The last comparison with its run, if the reads and the mapping still are what it was made of."""
        run_ids = {snapshot.run_id for snapshot in self.snapshots.values()}
        if len(self.snapshots) < 2 or len(run_ids) != 1:
            return None
        (run_id,) = run_ids
        try:
            run = self.state.runs.get(run_id)
        except NotFound:
            return None
        read_at = [event.number for event in self.events if event.audit.run_id == run_id and _is_read(event)]
        moved = [
            event.audit.action
            for event in self.events[max(read_at) :]
            if event.audit.action.startswith(MAPPING_ACTIONS) and event.audit.run_id != run_id
        ]
        compared = [event.number for event in self.events if event.audit.action == "plan proposed"]
        refreshed = [event.number for event in self.events if event.audit.action == REFRESHED]
        if not run.plan_id or moved or max(refreshed, default=0) > max(compared, default=0):
            return None
        try:
            return run_id, self.state.reconciliations.get(self.snapshots[Side.PSA].period)
        except NotFound:
            return None


def _is_read(event: AuditEvent) -> bool:
    """A complete read, or one in which a client was read again since: nothing else may a plan be made on."""
    return event.audit.action in {REFRESHED, *(f"{side.value} read" for side in Side)}


# I8: only whole reads are snapshots.


def _check_snapshots(view: _View, report: Report) -> None:
    for side, snapshot in view.snapshots.items():
        pages = view.pages(side)
        name = f"the {side.value} snapshot {snapshot.id}"
        ends = [page.next_cursor is None for page in pages]
        whole = bool(pages) and ends == [False] * (len(pages) - 1) + [True]
        report.check("I8", holds=whole, otherwise=f"{name} does not run from its first page to its last")
        marks = [page.next_cursor for page in pages[:-1]]
        report.check("I8", holds=len(set(marks)) == len(marks), otherwise=f"{name} holds a page mark twice")
        ids = {str(account.id) for page in pages for account in page.accounts}
        report.check(
            "I8", holds=snapshot.accounts == len(ids), otherwise=f"{name} says {snapshot.accounts}, holds {len(ids)}"
        )
        told = {page.accounts_total for page in pages} - {None}
        report.check("I8", holds=told <= {len(ids)}, otherwise=f"{name} holds {len(ids)} accounts and was told {told}")
        if side is Side.PSA:
            agreements = {str(item.id) for page in pages for item in getattr(page, "agreements", ())}
            told = {getattr(page, "agreements_total", None) for page in pages} - {None}
            report.check("I8", holds=told <= {len(agreements)}, otherwise=f"{name} was told {told} agreements")
        digest = sha256(list(snapshot.pages))
        report.check("I8", holds=digest == snapshot.digest, otherwise=f"{name} has another digest than its pages")
        read = [event for event in view.events if event.audit.subject == snapshot.id]
        recorded = any(event.audit.evidence == snapshot.digest for event in read)
        report.check("I8", holds=recorded, otherwise=f"{name} is not in the history")


# I4: nothing is lost between the states of a mapping, and no seat is counted twice or not at all.


def _check_mapping(view: _View, report: Report) -> None:
    facts = view.vendor()
    if facts is None or not view.is_matched():
        return
    known = {str(entry.vendor_id) for entry in view.accounts}
    listed = {str(account.id) for account in facts.accounts}
    absent = {str(entry.vendor_id) for entry in view.accounts if entry.absent_runs > 0}
    report.check(
        "I4", holds=listed <= known, otherwise=f"listed accounts without an entry: {sorted(listed - known)[:5]}"
    )
    report.check("I4", holds=known - listed == absent, otherwise="entries of accounts that are gone are not marked so")
    states = Counter(entry.state for entry in view.accounts)
    report.check("I4", holds=sum(states.values()) == len(known), otherwise="an account has two entries")
    for entry in view.accounts:
        bound = entry.psa_id is not None
        fits = bound == (entry.state is MappingState.MAPPED)
        report.check("I4", holds=fits, otherwise=f"{entry.vendor_id} is {entry.state.value} with client {entry.psa_id}")
    found = view.last_comparison()
    if found is not None:
        _check_units(view, facts, found[1], report)


def _check_units(view: _View, facts: VendorFacts, comparison: Reconciliation, report: Report) -> None:
    totals = comparison.totals.accounts
    states = Counter(entry.state for entry in view.accounts)
    same = (totals.mapped, totals.excluded, totals.ambiguous, totals.unmapped) == tuple(
        states[state]
        for state in (MappingState.MAPPED, MappingState.EXCLUDED, MappingState.AMBIGUOUS, MappingState.UNMAPPED)
    )
    report.check("I4", holds=same, otherwise=f"the totals {totals} are not the entries' {dict(states)}")
    members = Counter(
        (str(member.vendor_id), str(member.service_id)) for row in comparison.rows for member in row.members
    )
    twice = [key for key, times in members.items() if times > 1 and key[1]]
    report.check("I4", holds=not twice, otherwise=f"counted in more than one row: {twice[:5]}")
    left_out = _left_out(view, facts)
    all_keys = {(str(count.account_id), str(count.service_id)): count for count in facts.counts}
    lost = [key for key in all_keys if key not in members and key not in left_out]
    report.check("I4", holds=not lost, otherwise=f"counts in no row: {lost[:5]}")
    said = sum(_seats(count) for key, count in all_keys.items() if key not in left_out)
    shown = sum(m.count.seats for row in comparison.rows for m in row.members if isinstance(m.count, Known))
    report.check("I4", holds=said == shown, otherwise=f"the vendor counts {said} seats and the rows hold {shown}")


def _left_out(view: _View, facts: VendorFacts) -> set[tuple[str, str]]:
    """The counts that a person took out, and mere features nobody mapped (but the one that stands for an account)."""
    excluded = {str(entry.vendor_id) for entry in view.accounts if entry.state is MappingState.EXCLUDED}
    services = {str(entry.service_id): entry for entry in view.services}
    kinds = {str(service.id): service.kind for service in facts.services}
    out: set[tuple[str, str]] = set()
    of_account: dict[str, list[ServiceCount]] = defaultdict(list)
    for count in facts.counts:
        of_account[str(count.account_id)].append(count)
    mapped = {str(entry.vendor_id) for entry in view.accounts if entry.state is MappingState.MAPPED}
    for account_id, counts in of_account.items():
        features = [
            count
            for count in counts
            if kinds.get(str(count.service_id)) is ServiceKind.PACKAGE
            and services[str(count.service_id)].state is MappingState.UNMAPPED
        ]
        shown = features if len(features) < len(counts) else features[1:]
        for count in counts:
            service = services[str(count.service_id)]
            is_out = account_id in mapped and service.state is MappingState.EXCLUDED
            if account_id in excluded or is_out or count in shown:
                out.add((account_id, str(count.service_id)))
    return out


def _seats(count: ServiceCount) -> int:
    return count.count.seats if isinstance(count.count, Known) else 0


# I7: the history is whole, and every result has its row.


def _check_history(view: _View, report: Report) -> None:
    broken = first_broken(view.events)
    report.check("I7", holds=broken is None, otherwise=f"the chain of the history breaks at {broken}")
    for plan in view.plans:
        for result in plan.results:
            change = plan.change(result.change_id)
            subject = change_subject(plan, change)
            rows = [
                event.audit
                for event in view.events
                if event.audit.subject == subject and event.audit.action == f"change {result.outcome.value}"
            ]
            expected = 1 if result.outcome is not WriteOutcome.UNKNOWN else len(rows) or 1
            report.check("I7", holds=len(rows) == expected, otherwise=f"{subject}: {len(rows)} rows of its result")
            whole = all(
                row.evidence == change.evidence
                and row.before == _text(change.expected)
                and row.after
                and row.why
                and row.actor
                and row.run_id == plan.run_id
                for row in rows
            )
            report.check("I7", holds=whole, otherwise=f"{subject}: its row lacks before, after, why or evidence")
            is_begun = bool(view.numbers("change begun", subject))
            report.check("I7", holds=is_begun, otherwise=f"{subject} has a result and was never begun")
        finals = Counter(result.change_id for result in plan.results)
        report.check("I7", holds=all(n == 1 for n in finals.values()), otherwise=f"{plan.id} has two results of one")


def _text(value: Decimal) -> str:
    return format(value.normalize(), "f")


# I10 and I1: the same input gives the same bytes, and the plan is what the rows say.


def _check_reconciliation(view: _View, policy: ReconciliationPolicy, report: Report) -> None:
    for plan in view.plans:
        report.check("I3", holds=plan.tenant == policy.tenant, otherwise=f"{plan.id} is of tenant {plan.tenant}")
    found = view.last_comparison()
    facts = view.vendor()
    if found is None or facts is None:
        return
    run_id, stored = found
    psa_read, vendor_read = view.snapshots[Side.PSA], view.snapshots[Side.VENDOR]
    licensed = _licensed(view, run_id, psa_read.system)
    # Orders move on by themselves after a comparison, so those that it saw are the ones it keeps.
    inputs = view.state.comparison_records.inputs(psa_read.period)
    legs = Legs(
        period=psa_read.period,
        on=local_day(min(vendor_read.started_at, psa_read.started_at), policy.time_zone),
        vendor=facts,
        psa=psa_facts(view.state.snapshots.psa_pages(psa_read)),
        psa_read_at=psa_read.accounts_as_of or psa_read.completed_at,
        accounts=tuple(view.accounts),
        services=view.services,
        currency=policy.currency,
        allocations=tuple(one for one in view.state.allocations.all() if one.psa_system in ("", psa_read.system)),
        licensed=licensed.counts,
        ordered=inputs.legs.ordered if inputs is not None else (),
        basis=policy.billing_basis,
        open_orders=inputs.legs.open_orders if inputs is not None else (),
        licenses_are_connected=licensed.is_connected,
    )
    again, shuffled = reconcile(legs), reconcile(_turned_around(legs))
    report.check("I10", holds=repr(again) == repr(stored), otherwise="the stored comparison is not what its facts give")
    report.check("I10", holds=repr(again) == repr(shuffled), otherwise="the order of the input changes the comparison")
    current = view.state.plan_index.current(psa_read.period)
    if current is None or current.run_id != run_id:
        return
    rows = {row.id: row for row in again.rows}
    for change in current.changes:
        if change.undoes:
            continue
        row = rows.get(change.row_id)
        count = row.to_bill if row is not None else None
        shares = {share.line.id: share.target for share in row.shares} if row is not None else {}
        wanted = shares.get(change.line_id, count.seats if isinstance(count, Known) else None)
        fits = wanted == change.target
        if shares and isinstance(count, Known):
            added_up = sum(shares.values()) == count.seats
            report.check("I1", holds=added_up, otherwise=f"the shares of {change.row_id} are not its seats")
        report.check("I1", holds=fits, otherwise=f"{change.id} wants {change.target}, the reads do not say so")


def _licensed(view: _View, run_id: str, psa_system: str) -> LicensedLegs:
    state = view.state
    return licensed_legs(
        state.runs.get(run_id),
        psa_system=psa_system,
        integrations=state.integrations,
        snapshots=state.snapshots,
        license_accounts=state.license_accounts,
        counting_policies=state.counting_policies,
    )


def _turned_around(legs: Legs) -> Legs:
    return replace(
        legs,
        vendor=VendorFacts(legs.vendor.accounts[::-1], legs.vendor.services[::-1], legs.vendor.counts[::-1]),
        psa=type(legs.psa)(legs.psa.accounts[::-1], legs.psa.agreements[::-1], legs.psa.lines[::-1]),
        accounts=legs.accounts[::-1],
        services=legs.services[::-1],
    )


# I5: what was applied is not proposed again.


def _check_settled(view: _View, report: Report) -> None:
    written = [
        (plan, plan.change(result.change_id))
        for plan in view.plans
        for result in plan.results
        if result.outcome in (WriteOutcome.APPLIED, WriteOutcome.ALREADY)
    ]
    taken_back = {change.undoes for _, change in written}
    done = {_goal(plan, change) for plan, change in written if f"{plan.id}/{change.id}" not in taken_back}
    for plan in view.plans:
        if plan.state is not PlanState.PROPOSED:
            continue
        again = [change.id for change in plan.changes if _goal(plan, change) in done]
        report.check("I5", holds=not again, otherwise=f"{plan.id} proposes again what was applied: {again}")
    report.checked.add("I5")


def _goal(plan: Plan, change: Change) -> tuple[str, ...]:
    """What a change wants in its period; a line that is to be made has no id yet."""
    where = change.line_id or f"{change.agreement_id} {change.product_id}"
    return plan.period, where, str(change.target)


# I3 and I6: no words where they do not belong.


def _check_words(view: _View, evidence: Evidence, report: Report) -> None:
    kept: Iterable[object] = (
        view.events,
        view.plans,
        view.accounts,
        view.services,
        view.state.integrations.all(),
        view.state.runs.latest(PLANS_LISTED),
    )
    texts = [*evidence.texts, *(repr(item) for item in kept)]
    for invariant, words in (("I6", evidence.secrets), ("I3", evidence.foreign)):
        for number, word in enumerate(words):
            where = [text for text in texts if word in text]
            report.check(invariant, holds=not where, otherwise=f"word {number} of those is in {len(where)} texts")
