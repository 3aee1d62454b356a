"""Legs and mappings in, rows and verdicts out. A pure function: the same input gives the same bytes.

A row is one comparison: one client of the PSA, one product, and the vendor accounts and services mapped to them. Every
count of the vendor and every live line of a mapped product lands in exactly one row, unless a person excluded its
account or its service, or it counts a mere feature (a package nobody mapped). A sum that lacks a part is not compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from trueup.domain.accounts import ServiceCount, ServiceId, ServiceKind, VendorAccountId
from trueup.domain.billing import PsaAccount, PsaAccountId
from trueup.domain.canonical import sha256
from trueup.domain.counts import Count, Known, Missing
from trueup.domain.legs import Billing, agreement_leg, drifted_shares
from trueup.domain.legs_view import Legs, LegsView, Pair
from trueup.domain.mapping import AccountEntry, MappingState, MappingTotals
from trueup.domain.row_money import money_of, shares_of
from trueup.domain.third_leg import LICENSED_NOT_READ, NOT_COMPARED, ThirdLeg, licensed_alone, third_leg
from trueup.domain.totals import totals_of
from trueup.domain.verdicts import (
    VERDICT_ORDER,
    ExcludedAccount,
    Member,
    OpenAccount,
    Reconciliation,
    Row,
    RowCounts,
    Verdict,
)

__all__ = ["ABSENT_RUNS_TO_PROPOSE_END", "Legs", "mapping_totals", "reconcile"]


@dataclass(slots=True)
class _Gathered:
    """What is compared with what, as it is put together.

    ``members`` are the parts of each sum. ``silent`` are the mapped accounts of which the vendor says nothing, by
    client and with the reason. ``open_services`` says in words, by client, which counts wait for a service mapping and
    may belong to any product.
    """

    members: dict[Pair, list[Member]] = field(default_factory=lambda: defaultdict(list))
    silent: dict[PsaAccountId, list[tuple[AccountEntry, str]]] = field(default_factory=lambda: defaultdict(list))
    open_services: dict[PsaAccountId, list[str]] = field(default_factory=lambda: defaultdict(list))


def reconcile(legs: Legs) -> Reconciliation:
    """Compare the legs of one complete read of both sides."""
    view = LegsView(legs)
    gathered = _Gathered()
    rows: list[Row] = []
    for entry in view.entries:
        if entry.state is MappingState.EXCLUDED:
            continue
        if entry.state is not MappingState.MAPPED or entry.psa_id is None:
            rows.extend(_open_rows(view, entry))
        else:
            rows.extend(_gather(view, entry, entry.psa_id, gathered))
    rows.extend(_join_silent(view, gathered))
    rows.extend(_compared(view, pair, found, gathered) for pair, found in gathered.members.items())
    rows.extend(_not_sold(view, gathered))
    ordered = tuple(sorted(rows, key=_row_order))
    return Reconciliation(
        period=legs.period,
        rows=ordered,
        excluded=tuple(_excluded(view.entries)),
        unmapped=tuple(_open(view.entries, MappingState.UNMAPPED)),
        ambiguous=tuple(_open(view.entries, MappingState.AMBIGUOUS)),
        totals=totals_of(ordered, mapping_totals(view.entries)),
    )


def mapping_totals(accounts: Iterable[AccountEntry]) -> MappingTotals:
    """How many accounts are in each mapping state."""
    found: dict[MappingState, int] = defaultdict(int)
    for entry in accounts:
        found[entry.state] += 1
    return MappingTotals(
        mapped=found[MappingState.MAPPED],
        excluded=found[MappingState.EXCLUDED],
        ambiguous=found[MappingState.AMBIGUOUS],
        unmapped=found[MappingState.UNMAPPED],
    )


def _member(view: LegsView, entry: AccountEntry, count: ServiceCount) -> Member:
    return Member(
        vendor_id=entry.vendor_id,
        vendor_name=entry.vendor_name,
        account_state=entry.account_state,
        status_text=entry.status_text,
        service_id=count.service_id,
        service_name=view.service_name(count.service_id),
        count=count.count,
    )


def _billable(view: LegsView, entry: AccountEntry) -> list[ServiceCount]:
    """The counts of an account that ask for a decision: an unmapped package is a feature and asks for none."""
    found = view.counts.get(entry.vendor_id, [])
    wanted = []
    for count in found:
        service = view.services.get(count.service_id)
        kind = service.kind if service is not None else view.service_kinds.get(count.service_id)
        mapped = service is not None and service.state is not MappingState.UNMAPPED
        if mapped or kind is not ServiceKind.PACKAGE:
            wanted.append(count)
    return wanted or found[:1]


def _open_rows(view: LegsView, entry: AccountEntry) -> Iterator[Row]:
    """An account nobody has decided on still shows its seats, one row a service."""
    ambiguous = entry.state is MappingState.AMBIGUOUS
    verdict = Verdict.AMBIGUOUS if ambiguous else Verdict.UNMAPPED
    reason = entry.ambiguity if ambiguous else "this account is not mapped to a client of the PSA"
    if entry.vendor_id not in view.listed:
        reason += f"; {_absence(entry)}"
    counts = _billable(view, entry)
    if not counts:
        yield _row(view, (), verdict, (reason,), entry=entry)
    for count in counts:
        yield _row(view, (_member(view, entry, count),), verdict, (reason,))


def _absence(entry: AccountEntry) -> str:
    times = f"in {entry.absent_runs} complete reads in a row" if entry.absent_runs > 1 else "in the last complete read"
    return f"the vendor did not list account {entry.vendor_id} {times}"


def _silence(view: LegsView, entry: AccountEntry) -> str:
    """Why nothing can be said of a mapped account, or an empty text when the vendor counts something for it."""
    if entry.vendor_id not in view.listed:
        reason = _absence(entry)
        if entry.absent_runs >= ABSENT_RUNS_TO_PROPOSE_END:
            reason += "; if the client has left, end its line in the PSA and exclude the account"
        return reason
    return "" if view.counts.get(entry.vendor_id) else f"the vendor gives no count for account {entry.vendor_id}"


def _gather(view: LegsView, entry: AccountEntry, psa_id: PsaAccountId, gathered: _Gathered) -> Iterator[Row]:
    """Put each count of a mapped account where it is compared; yields the rows that cannot be compared yet."""
    silence = _silence(view, entry)
    if silence:
        gathered.silent[psa_id].append((entry, silence))
    for count in _billable(view, entry):
        service = view.services.get(count.service_id)
        if service is not None and service.state is MappingState.EXCLUDED:
            continue
        if service is not None and service.state is MappingState.MAPPED and service.product_id is not None:
            gathered.members[(psa_id, service.product_id)].append(_member(view, entry, count))
            continue
        words = f"the service {count.service_id} ({view.service_name(count.service_id)}) is not mapped to a product"
        gathered.open_services[psa_id].append(f"account {entry.vendor_id}: {words}")
        yield _row(view, (_member(view, entry, count),), Verdict.UNMAPPED, (words,), entry=entry)


def _join_silent(view: LegsView, gathered: _Gathered) -> Iterator[Row]:
    """Make a silent account a part of every sum of its client that it may belong to, so that none is called complete.

    Its lines keep their quantity until a person decides. Without any sum or live line it has a row of its own.
    """
    compared: dict[PsaAccountId, set[Pair]] = defaultdict(set)
    for pair in gathered.members:
        compared[pair[0]].add(pair)
    for psa_id, silent in gathered.silent.items():
        pairs = sorted(compared[psa_id].union(view.live_pairs.get(psa_id, ())))
        for pair in pairs:
            gathered.members[pair].extend(_silent(entry, reason) for entry, reason in silent)
        if not pairs:
            for entry, reason in silent:
                yield _row(view, (_silent(entry, reason),), Verdict.MISSING_DATA, (reason,), entry=entry)


def _silent(entry: AccountEntry, reason: str) -> Member:
    return Member(
        vendor_id=entry.vendor_id,
        vendor_name=entry.vendor_name,
        account_state=entry.account_state,
        status_text=entry.status_text,
        service_id=ServiceId(""),
        service_name="",
        count=Missing(reason),
    )


def _compared(view: LegsView, pair: Pair, found: Iterable[Member], gathered: _Gathered) -> Row:
    """One client and product with everything mapped to it."""
    members = tuple(sorted(found, key=lambda member: (member.vendor_id, member.service_id)))
    billing = view.billing(pair)
    account = view.psa_accounts.get(pair[0])
    doubled = _doubled(members)
    if doubled is not None:
        third = replace(licensed_alone(view, pair), target=Missing(doubled), is_agreement=False)
    else:
        third = third_leg(view, pair, members, agreement_leg(members), account)
    verdict, reasons = _judge(account, members, billing, third, doubled)
    if verdict.is_billing_change and _is_less(third.target, billing):
        reasons = (*reasons, *gathered.open_services.get(pair[0], ()))
    verdict, reasons = _with_order(verdict, reasons, third)
    return _row(view, members, verdict, reasons, pair=pair, billing=billing, third=third)


def _is_less(target: Count, billing: Billing) -> bool:
    return isinstance(target, Known) and isinstance(billing.count, Known) and target.seats < billing.count.seats


def _with_order(verdict: Verdict, reasons: tuple[str, ...], third: ThirdLeg) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict with the order side in it; one that waits for something else stays what it is."""
    need = third.order
    if need is None:
        return verdict, (*reasons, *third.notes)
    words = f"agreement {need.agreement}, licensed {need.target}: {need.words}"
    if verdict is Verdict.IN_LINE:
        return Verdict.ORDER_MORE if need.delta > 0 else Verdict.ORDER_LESS, (words, *reasons, *third.notes)
    if verdict.is_billing_change:
        verdict = Verdict.ORDER_AND_BILL
    return verdict, (*reasons, words, *third.notes)


def _judge(
    account: PsaAccount | None, members: Sequence[Member], billing: Billing, third: ThirdLeg, doubled: str | None
) -> tuple[Verdict, tuple[str, ...]]:
    """The billing side: what is to be billed against what the PSA bills."""
    if account is None or account.deleted:
        state = "deleted" if account is not None else "no longer listed"
        return Verdict.HELD, (f"the mapped client is {state} in the PSA; map the account to another or exclude it",)
    if doubled is not None:
        return Verdict.AMBIGUOUS, (doubled, *billing.reasons)
    agreement, target = agreement_leg(members), third.target
    notes = billing.reasons
    if isinstance(agreement, Known) and agreement.conflict is not None:
        notes = (*notes, agreement.conflict)
    if len(members) > 1:
        parts = " + ".join(f"{member.vendor_id} {_seats(member.count)}" for member in members)
        notes = (*notes, f"{len(members)} vendor accounts are added up: {parts}")
    if not isinstance(target, Known):
        notes = (target.reason, *notes) if billing.verdict is None else (*notes, target.reason)
    if not isinstance(agreement, Known) and not third.is_agreement:
        notes = (*notes, f"agreement: {agreement.reason}")
    if billing.verdict is not None:
        return billing.verdict, notes
    if not isinstance(target, Known):
        return Verdict.MISSING_DATA, notes
    return _against_lines(target, billing, third, notes)


def _against_lines(
    target: Known, billing: Billing, third: ThirdLeg, notes: tuple[str, ...]
) -> tuple[Verdict, tuple[str, ...]]:
    """A known target against lines that can be compared, or none."""
    if not isinstance(billing.count, Known):
        if target.seats == 0:
            where = "no seats in the agreement" if third.is_agreement else f"no seats to bill ({third.words})"
            return Verdict.IN_LINE, (f"{where} and no line in the PSA", *notes)
        what = (
            f"the vendor bills {target.seats} seats" if third.is_agreement else f"{third.words}: {target.seats} seats"
        )
        return Verdict.NEW_REVENUE, (f"{what} and no line bills them on", *notes)
    difference = target.seats - billing.count.seats
    if difference == 0:
        return Verdict.IN_LINE, (*notes, *drifted_shares(billing, target.seats))
    words = f"{third.words}, billed {billing.count.seats}"
    if billing.pending:
        return Verdict.HELD, (f"{words}: {billing.pending}", *notes)
    if billing.allocation is not None and billing.allocation.targets(target.seats) is None:
        return Verdict.HELD, (f"{words}: the fixed lines alone bill more; divide the seats again", *notes)
    if difference > 0:
        return Verdict.BILL_MORE, (f"{words}: bill {difference} more", *notes)
    return Verdict.BILL_LESS, (f"{words}: bill {-difference} less", *notes)


def _seats(count: Count) -> str:
    return str(count.seats) if isinstance(count, Known) else count.state


def _doubled(members: Sequence[Member]) -> str | None:
    """Two services of one account on one product would bill the same users twice, so a person must choose one."""
    seen: dict[VendorAccountId, Member] = {}
    for member in members:
        other = seen.setdefault(member.vendor_id, member)
        if other is not member:
            return (
                f"services {other.service_id} and {member.service_id} of account {member.vendor_id} are both mapped to "
                "this product; exclude one of them"
            )
    return None


def _not_sold(view: LegsView, gathered: _Gathered) -> Iterator[Row]:
    """Lines of mapped products that nothing from the vendor is compared with. They are shown, never edited.

    While a service of the client's accounts waits for its product the seats may be there, so the line is not called
    unsold and is worth nothing yet.
    """
    mapped = defaultdict(list)
    for entry in view.entries:
        if entry.state is MappingState.MAPPED and entry.psa_id is not None:
            mapped[entry.psa_id].append(entry)
    for pair in (pair for pairs in view.live_pairs.values() for pair in pairs if pair not in gathered.members):
        owners = mapped.get(pair[0], [])
        waiting = gathered.open_services.get(pair[0], [])
        names = ", ".join(str(entry.vendor_id) for entry in owners)
        if not owners:
            reason = "the PSA bills this product and no vendor account is mapped to the client"
        elif waiting:
            reason = f"no service of {names} is mapped to this product; map what is open before ending the line"
        else:
            reason = (
                f"the vendor's agreement of {names} lists no service for this product; end the line or check the order"
            )
        owner = owners[0] if len(owners) == 1 else None
        billing = view.billing(pair)
        verdict = Verdict.MISSING_DATA if waiting else Verdict.NOT_SOLD
        if isinstance(billing.count, Known) and billing.count.seats == 0:
            verdict, reason = Verdict.IN_LINE, "the line bills no seats and the vendor's agreements hold none"
        reasons = (reason, *waiting, *billing.reasons)
        third = licensed_alone(view, pair)
        yield _row(view, (), verdict, reasons, entry=owner, pair=pair, billing=billing, third=third)


def _row(
    view: LegsView,
    members: tuple[Member, ...],
    verdict: Verdict,
    reasons: tuple[str, ...],
    *,
    entry: AccountEntry | None = None,
    pair: Pair | None = None,
    billing: Billing | None = None,
    third: ThirdLeg | None = None,
) -> Row:
    if entry is not None and not members:
        members = (_silent(entry, reasons[0]),)
    psa_id = pair[0] if pair is not None else (entry.psa_id if entry is not None else None)
    account = view.psa_accounts.get(psa_id) if psa_id is not None else None
    product = view.products.get(pair[1]) if pair is not None else None
    agreement_count = agreement_leg(members)
    not_compared = NOT_COMPARED if view.legs.licenses_are_connected else LICENSED_NOT_READ
    target = None if third is None or third.is_agreement else third.target
    to_bill = agreement_count if target is None else target
    billed = billing.count if billing is not None else NOT_COMPARED
    line = billing.line if billing is not None else None
    agreement = billing.agreement if billing is not None else None
    return Row(
        id=sha256([[m.vendor_id, m.service_id] for m in members] + [psa_id, pair[1] if pair else None])[:16],
        members=members,
        psa_account_id=psa_id,
        psa_account_name=account.name if account is not None else (entry.psa_name if entry is not None else ""),
        product_id=pair[1] if pair is not None else None,
        product_code=product.product_code if product is not None else "",
        counts=RowCounts(agreement_count, third.licensed if third is not None else not_compared, billed),
        verdict=verdict,
        monthly_money=money_of(verdict, to_bill, billing, product),
        currency=view.currency(agreement),
        reasons=reasons,
        line=line,
        agreement=agreement,
        shares=shares_of(verdict, to_bill, billing),
        choices=view.active_agreements(psa_id) if verdict is Verdict.NEW_REVENUE else (),
        order=third.order if third is not None else None,
        target=target,
    )


def _row_order(row: Row) -> tuple[int, Decimal, str, str, str]:
    """Verdicts in the table's order, most money first, then names; the id makes the order total."""
    money = -abs(row.monthly_money) if row.monthly_money is not None else Decimal(1)
    name = row.members[0].vendor_name if row.members else row.psa_account_name
    return VERDICT_ORDER.index(row.verdict), money, name, str(row.product_id or ""), row.id


def _excluded(accounts: Iterable[AccountEntry]) -> Iterator[ExcludedAccount]:
    for entry in accounts:
        if entry.state is MappingState.EXCLUDED:
            decision = entry.decision
            reason = decision.reason if decision is not None else ""
            yield ExcludedAccount(
                entry.vendor_id, entry.vendor_name, reason, decision.by if decision is not None else ""
            )


def _open(accounts: Iterable[AccountEntry], state: MappingState) -> Iterator[OpenAccount]:
    for entry in accounts:
        if entry.state is state:
            yield OpenAccount(entry.vendor_id, entry.vendor_name, entry.ambiguity or "not decided yet")


ABSENT_RUNS_TO_PROPOSE_END = 3
"""After this many complete reads without an account, a person is asked to end its line. Nothing is deleted."""
