"""Proving closed months: the chain, every part, every page that was read, the history; and making a month again.

Method: nothing is believed that is not hashed again. A month is made again from its sealed parts alone, and compared
byte for byte. Must not: change anything, or stop at the first thing that cannot be read without naming it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace

from trueup.domain.audit import AuditEvent, first_broken
from trueup.domain.canonical import sha256
from trueup.domain.comparison import ComparisonInputs, with_facts
from trueup.domain.counting import licensed_counts
from trueup.domain.counting_policy import PolicyBook
from trueup.domain.errors import Conflict, NotFound, TrueupError
from trueup.domain.facts import psa_facts, vendor_facts
from trueup.domain.integrations import Side
from trueup.domain.periods import Period
from trueup.domain.plan import ChangeKind, Plan
from trueup.domain.reconcile import reconcile
from trueup.domain.runs import Snapshot
from trueup.domain.sealed_contents import SealedContents
from trueup.domain.sealing import (
    BrokenLink,
    LinkKind,
    SealLink,
    first_broken_link,
    first_contradiction,
    is_closed,
)
from trueup.domain.verdicts import Reconciliation, Row
from trueup.ports.sealing import SealedStore
from trueup.ports.state import Snapshots
from trueup.ports.state_bundle import State
from trueup.usecases.monthly_report import contents_of
from trueup.usecases.reconciliation import plan_on


@dataclass(frozen=True, slots=True)
class Proof:
    """What was proven. ``broken`` is the first place of the sealed months that does not hold, ``broken_event`` the
    first event of the history; both None when everything holds. ``last_hash`` is the hash of the newest link: kept
    elsewhere, it tells later whether the whole chain was made anew.
    """

    months: int
    links: int
    parts: int
    pages: int
    events: int
    broken: BrokenLink | None
    broken_event: int | None
    last_hash: str

    @property
    def holds(self) -> bool:
        return self.broken is None and self.broken_event is None


def verify_months(period: str | None, *, state: State, kept_hash: str = "") -> Proof:
    """Prove the chain of closed months and the history, with the parts and pages of one month or of all.

    ``kept_hash`` is the hash of a link that somebody kept elsewhere: a chain without it was made anew or set back; that
    is what no proof from within can tell.

    Raises InputInvalid (``period``), NotFound for a month that was never closed.
    """
    if period is not None:
        Period.parse(period)
    events, broken_event = _history(state)
    try:
        links = state.sealed_months.links()
    except TrueupError as damaged:
        return Proof(0, 0, 0, 0, len(events), BrokenLink(0, "", "", damaged.message), broken_event, "")
    chosen = [link for link in links if link.kind is LinkKind.SEALED and period in (None, link.period)]
    if period is not None and not chosen:
        raise NotFound(f"{period} was never closed", remedy="See which months are closed: trueup months.")
    pages = _Pages(state)
    broken = (
        first_broken_link(links, state.sealed_months.part, period=period or "")
        or _first_broken_page(chosen, state.sealed_months, pages)
        or first_contradiction(links, events)
        or _first_wrong_mark(links, state.sealed_months)
        or _missing_hash(links, kept_hash.strip().lower())
    )
    return Proof(
        months=len({link.period for link in chosen}),
        links=len(links),
        parts=sum(len(link.parts) for link in chosen),
        pages=pages.read,
        events=len(events),
        broken=broken,
        broken_event=broken_event,
        last_hash=links[-1].hash if links else "",
    )


def _history(state: State) -> tuple[list[AuditEvent], int | None]:
    """The events that can be read, and the first that does not follow; one that cannot be read does not."""
    events: list[AuditEvent] = []
    try:
        for event in state.history.all():
            events.append(event)
    except TrueupError:
        return events, first_broken(events) or len(events) + 1
    return events, first_broken(events)


class _Pages:
    """Reads the pages of snapshots to prove them; counts what was read."""

    def __init__(self, state: State) -> None:
        self._snapshots: Snapshots = state.snapshots
        self.read = 0

    def fault(self, snapshot: Snapshot) -> str:
        """What is wrong with that read; empty when it is what it was."""
        if sha256(list(snapshot.pages)) != snapshot.digest:
            return f"the read {snapshot.id} does not have its digest"
        readers: dict[Side, Callable[[Snapshot], Iterable[object]]] = {
            Side.VENDOR: self._snapshots.vendor_pages,
            Side.PSA: self._snapshots.psa_pages,
            Side.LICENSES: self._snapshots.license_pages,
        }
        try:
            for _ in readers[snapshot.side](snapshot):
                self.read += 1
        except TrueupError as fault:
            return f"a page of the read {snapshot.id}: {fault.message}"
        return ""


def _first_broken_page(links: Sequence[SealLink], store: SealedStore, pages: _Pages) -> BrokenLink | None:
    """The parts are proven by now, so what they say can be read."""
    seen: set[tuple[str, str]] = set()
    for link in links:
        for snapshot in contents_of(link, store, only=("reads",)).reads:
            if (snapshot.id, snapshot.digest) in seen:
                continue
            seen.add((snapshot.id, snapshot.digest))
            words = pages.fault(snapshot)
            if words:
                return BrokenLink(link.number, link.period, f"pages of the {snapshot.side.value} read", words)
    return None


def _first_wrong_mark(links: Sequence[SealLink], store: SealedStore) -> BrokenLink | None:
    """The mark by which the stores refuse a closed month says what the chain says."""
    for link in links:
        try:
            agrees = store.is_closed(link.period) == is_closed(link.period, links)
        except TrueupError as damaged:
            return BrokenLink(link.number, link.period, "mark", damaged.message)
        if not agrees:
            return BrokenLink(
                link.number, link.period, "mark", "the mark of the month does not say what the chain says"
            )
    return None


def _missing_hash(links: Sequence[SealLink], kept_hash: str) -> BrokenLink | None:
    if not kept_hash or any(link.hash == kept_hash for link in links):
        return None
    period = links[-1].period if links else ""
    words = "no link has the hash that was kept: the chain was made anew, or the table set back to an earlier time"
    return BrokenLink(len(links), period, "chain", words)


def newest_sealing(period: str, links: Sequence[SealLink]) -> SealLink:
    """The last time the month was closed, whether or not it was opened again since. Raises NotFound."""
    for link in reversed(links):
        if link.period == period and link.kind is LinkKind.SEALED:
            return link
    raise NotFound(f"{period} was never closed", remedy="See which months are closed: trueup months.")


@dataclass(frozen=True, slots=True)
class Replay:
    """A month made again from what it was closed with. ``difference`` is the first one in words, empty when every byte
    is the same. ``is_same_form`` is False where this version of Trueup writes the same content in another form than the
    one that closed the month; the content was compared in today's form then."""

    period: str
    version: int
    rows: int
    changes: int
    bytes_compared: int
    difference: str
    is_same_form: bool


def replay_month(period: str, *, state: State) -> Replay:
    """Compare and plan again with the sealed reads, mapping and policy, and compare the bytes with the sealed ones.

    Raises InputInvalid (``period``), NotFound, StateUnavailable when a part or a page is gone or damaged, and Conflict
    for a month that was compared before what it was made of was kept.
    """
    Period.parse(period)
    link = newest_sealing(period, state.sealed_months.links())
    sealed = contents_of(link, state.sealed_months)
    if sealed.inputs is None:
        raise Conflict(
            f"{period} was compared by a version of Trueup that did not keep what a comparison was made of",
            remedy="Its chain can still be proven: trueup verify.",
        )
    again, plan = _made_again(sealed.inputs, state)
    stored, made = _bytes(sealed.comparison, state), _bytes(again, state)
    difference = "" if stored == made else _first_difference(sealed.comparison, again)
    difference = difference or _licensed_difference(sealed.inputs, state)
    originals = {name: content for name, content in _sealed_bytes(link, state) if name in stored}
    return Replay(
        period=period,
        version=link.version,
        rows=len(again.rows),
        changes=len(plan.changes),
        bytes_compared=sum(len(content) for content in made.values()) + len(plan.canonical()),
        difference=difference or _plan_difference(plan, sealed.plans),
        is_same_form=originals == stored,
    )


def _made_again(inputs: ComparisonInputs, state: State) -> tuple[Reconciliation, Plan]:
    reads = {read.side: read for read in inputs.reads}
    legs = with_facts(
        inputs.legs,
        vendor_facts(state.snapshots.vendor_pages(reads[Side.VENDOR])),
        psa_facts(state.snapshots.psa_pages(reads[Side.PSA])),
    )
    found = reconcile(legs)
    return found, plan_on(inputs, found)


def _bytes(found: Reconciliation, state: State) -> dict[str, bytes]:
    """The comparison alone in the form in which it is sealed."""
    return dict(state.sealed_months.parts(SealedContents(comparison=found, inputs=None)))


def _sealed_bytes(link: SealLink, state: State) -> Iterable[tuple[str, bytes]]:
    for part in link.parts:
        yield part.name, state.sealed_months.part(part)


def _first_difference(sealed: Reconciliation, again: Reconciliation) -> str:
    for before, after in zip(sealed.rows, again.rows, strict=False):
        if before != after:
            name = _field_that_differs(before, after)
            return f"row {before.id} ({before.psa_account_name or before.product_code}) has another {name}"
    if len(sealed.rows) != len(again.rows):
        return f"{len(sealed.rows)} rows were sealed and {len(again.rows)} were made"
    return f"the comparison has another {_field_that_differs(sealed, again)}"


def _field_that_differs(before: Row | Reconciliation, after: Row | Reconciliation) -> str:
    names = [field.name for field in fields(before) if getattr(before, field.name) != getattr(after, field.name)]
    return ", ".join(names) or "byte form"


def _licensed_difference(inputs: ComparisonInputs, state: State) -> str:
    """Whether the licensed users come to the counts that were compared, counted again by the rules of then."""
    read = next((read for read in inputs.reads if read.side is Side.LICENSES), None)
    if read is None or not inputs.policies:
        return ""
    tenants = (tenant for page in state.snapshots.license_pages(read) for tenant in page.accounts)
    general, *own = inputs.policies
    again = licensed_counts(tenants, inputs.tenants, PolicyBook(general, tuple(own)))
    for client in sorted({*again, *inputs.legs.licensed}):
        if again.get(client) != inputs.legs.licensed.get(client):
            return f"the licensed users of client {client} come to another count"
    return ""


def _plan_difference(plan: Plan, sealed: Sequence[Plan]) -> str:
    """Whether the plan that the comparison proposes is among those that were sealed, but for what people did to it:
    releases and lines they added."""
    if not plan.changes or any(_as_proposed(one) == _as_proposed(plan) for one in sealed):
        return ""
    return f"no sealed plan proposes what the comparison proposes ({len(plan.changes)} changes)"


def _as_proposed(plan: Plan) -> bytes:
    changes = [replace(one, release=None) for one in plan.changes if one.kind is not ChangeKind.CREATE_LINE]
    return replace(plan, changes=tuple(changes)).canonical()
