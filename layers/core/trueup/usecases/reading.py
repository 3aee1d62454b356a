"""Reading one side in full, page by page: a complete snapshot or nothing.

The pages are stored as they come; the header that makes them a snapshot is written last, and only when the read adds
up. A read that runs out of time leaves a checkpoint and goes on from it. Memory holds one page and the ids seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from trueup.domain.accounts import VendorPage
from trueup.domain.audit import Audit
from trueup.domain.billing import PsaPage
from trueup.domain.canonical import sha256
from trueup.domain.errors import ReadIncomplete, VendorTrouble
from trueup.domain.integrations import IntegrationName, Side
from trueup.domain.licenses import LicensePage, TenantLicenses
from trueup.domain.runs import SideProgress, Snapshot
from trueup.ports.clock import Clock
from trueup.ports.state import Checkpoints, Snapshots

PAGES_MAXIMUM = 20_000
"""More pages than any MSP has: a read that goes on longer does not end."""

SUSPICIOUS_DROP_SHARE = 2
"""A read with fewer than one account in this many of the last one's is not believed without a person. For a PSA its
agreements and lines count too: a role that was narrowed to some of them must not look like clients who left. For
licenses the users count too, of the tenants that could be read both times: one that failed is failed, not smaller.
"""

Progress = Callable[[SideProgress], None]
SidePage = VendorPage | PsaPage | LicensePage


@dataclass(frozen=True, slots=True)
class ReadOrder:
    """What is asked of one read.

    The read stops and leaves a checkpoint once ``clock.monotonic_seconds()`` passes ``stop_at_seconds``.
    ``accept_drop`` is a person's word that a much shorter list is right.
    """

    period: str
    run_id: str
    actor: str
    stop_at_seconds: float | None = None
    accept_drop: bool = False
    on_progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class ReadResult:
    """``snapshot`` is None while the read is not done; call again and it goes on where it stopped."""

    snapshot: Snapshot | None
    progress: SideProgress


@dataclass(slots=True)
class _Read:
    """An unfinished read: enough to go on in another process."""

    started_at: datetime
    system: str
    cursor: str | None = None
    second_pass: bool = False
    addresses: list[str] = field(default_factory=list)
    accounts: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    agreements: set[str] = field(default_factory=set)
    cursors: set[str] = field(default_factory=set)
    accounts_totals: list[int] = field(default_factory=list)
    agreements_totals: list[int] = field(default_factory=list)
    records: int = 0
    accounts_as_of: datetime | None = None
    is_whole: bool = False

    def add(self, page: SidePage, address: str) -> None:
        self.addresses.append(address)
        self.accounts.update(account.id for account in page.accounts)
        if page.accounts_total is not None and page.accounts_total not in self.accounts_totals:
            self.accounts_totals.append(page.accounts_total)
        self.records += len(page.accounts)
        self.accounts_as_of = page.accounts_as_of
        if isinstance(page, PsaPage):
            self.agreements.update(agreement.id for agreement in page.agreements)
            self.records += len(page.agreements) + len(page.lines)
            if page.agreements_total is not None and page.agreements_total not in self.agreements_totals:
                self.agreements_totals.append(page.agreements_total)
        elif isinstance(page, LicensePage):
            self.failed.update(tenant.id for tenant in page.accounts if tenant.failure)
            self.records += sum(len(tenant.users) for tenant in page.accounts)
        else:
            self.records += len(page.counts)

    def dump(self) -> bytes:
        return json.dumps(
            {
                "started_at": self.started_at.isoformat(),
                "system": self.system,
                "cursor": self.cursor,
                "second_pass": self.second_pass,
                "addresses": self.addresses,
                "cursors": sorted(self.cursors),
            }
        ).encode()


def read_side(
    order: ReadOrder,
    *,
    integration: IntegrationName,
    read_page: Callable[[str | None], SidePage],
    snapshots: Snapshots,
    checkpoints: Checkpoints,
    clock: Clock,
    system: str = "",
) -> ReadResult:
    """Read on until the side is read in full or the order's time is up. A run that has its snapshot keeps that one.

    ``system`` is what ``read_page`` reads (Integration.system). When another one was connected since, what this run had
    read is left behind, because half of one system and half of another is a read of neither.

    Raises ReadIncomplete when the pages repeat, do not end or do not add up after a second pass, or when far fewer
    accounts are listed than last time. Any VendorTrouble of a page passes through; the pages before it are kept, so
    that a later call with the same run goes on from there.
    """
    side = integration.side
    done = snapshots.latest(side)
    if done is not None and (done.run_id, done.system) == (order.run_id, system):
        failed = sum(1 for tenant in _tenants(done, snapshots) if tenant.failure) if side is Side.LICENSES else 0
        progress = SideProgress(side, len(done.pages), done.accounts, done.accounts, done=True, failed=failed)
        return ReadResult(done, progress)
    read = _resume(side, order.run_id, system, snapshots, checkpoints) or _Read(clock.now(), system)
    while True:
        try:
            page = read_page(read.cursor)
        except VendorTrouble:
            checkpoints.save(order.run_id, side, read.dump())
            raise
        try:
            read = _take(read, page, snapshots.add_page(side, page), integration)
        except ReadIncomplete:
            checkpoints.clear(order.run_id, side)
            raise
        if order.on_progress is not None:
            order.on_progress(_progress(side, read))
        if read.is_whole:
            break
        if order.stop_at_seconds is not None and clock.monotonic_seconds() >= order.stop_at_seconds:
            checkpoints.save(order.run_id, side, read.dump())
            return ReadResult(None, _progress(side, read))
    checkpoints.clear(order.run_id, side)
    if not order.accept_drop:
        _require_believable(integration, read, snapshots)
    snapshot = _header(order, side, read, clock.now())
    snapshots.complete(snapshot, _audit(order, snapshot))
    progress = replace(_progress(side, read), accounts_total=len(read.accounts), done=True)
    if order.on_progress is not None:
        order.on_progress(progress)
    return ReadResult(snapshot, progress)


def _take(read: _Read, page: SidePage, address: str, integration: IntegrationName) -> _Read:
    """The read with one more page; a read that does not add up at its end is begun again, once."""
    read.add(page, address)
    _require_progress(read, page.next_cursor, integration)
    read.cursor = page.next_cursor
    if page.next_cursor is not None:
        return read
    mismatch = _mismatch(read)
    if mismatch is None:
        read.is_whole = True
        return read
    if read.second_pass:
        raise ReadIncomplete(f"{integration}: {mismatch}", integration=integration)
    return _Read(read.started_at, read.system, second_pass=True)


def _header(order: ReadOrder, side: Side, read: _Read, now: datetime) -> Snapshot:
    digest = sha256(read.addresses)
    return Snapshot(
        id=f"{side.value}-{order.run_id}-{sha256([digest, now])[:8]}",
        side=side,
        period=order.period,
        run_id=order.run_id,
        started_at=read.started_at,
        completed_at=now,
        pages=tuple(read.addresses),
        digest=digest,
        accounts=len(read.accounts),
        records=read.records,
        system=read.system,
        accounts_as_of=read.accounts_as_of,
    )


def _audit(order: ReadOrder, snapshot: Snapshot) -> Audit:
    return Audit(
        at=snapshot.completed_at,
        actor=order.actor,
        action=f"{snapshot.side.value} read",
        subject=snapshot.id,
        after=f"{snapshot.accounts} accounts",
        evidence=snapshot.digest,
        run_id=order.run_id,
    )


def _resume(side: Side, run_id: str, system: str, snapshots: Snapshots, checkpoints: Checkpoints) -> _Read | None:
    content = checkpoints.load(run_id, side)
    if content is None:
        return None
    kept = json.loads(content)
    if kept.get("system", "") != system:
        return None
    read = _Read(
        started_at=datetime.fromisoformat(kept["started_at"]),
        system=system,
        cursor=kept["cursor"],
        second_pass=kept["second_pass"],
        cursors=set(kept["cursors"]),
    )
    for address, page in zip(kept["addresses"], _pages(side, kept["addresses"], read, snapshots), strict=True):
        read.add(page, address)
    return read


def _pages(side: Side, addresses: list[str], read: _Read, snapshots: Snapshots) -> Iterator[SidePage]:
    """The pages read so far, through a header that is never stored."""
    header = Snapshot("", side, "", "", read.started_at, read.started_at, tuple(addresses), "", 0, 0)
    match side:
        case Side.VENDOR:
            return snapshots.vendor_pages(header)
        case Side.PSA:
            return snapshots.psa_pages(header)
        case Side.LICENSES:
            return snapshots.license_pages(header)


def _tenants(snapshot: Snapshot, snapshots: Snapshots) -> Iterator[TenantLicenses]:
    return (tenant for page in snapshots.license_pages(snapshot) for tenant in page.accounts)


def _require_progress(read: _Read, cursor: str | None, integration: IntegrationName) -> None:
    """A cursor that was met before, or pages without end, can never become a complete read."""
    if cursor is not None and cursor in read.cursors:
        raise ReadIncomplete(f"{integration} sent the same page mark twice", integration=integration)
    if len(read.addresses) >= PAGES_MAXIMUM:
        raise ReadIncomplete(f"{integration} sent more than {PAGES_MAXIMUM} pages", integration=integration)
    if cursor is not None:
        read.cursors.add(cursor)


def _mismatch(read: _Read) -> str | None:
    """What the other side says there is against what it sent. A total that moves means that rows did, so that one may
    have slipped from a page still to come to one that was read.
    """
    for what, seen, totals in (
        ("accounts", read.accounts, read.accounts_totals),
        ("agreements", read.agreements, read.agreements_totals),
    ):
        if len(totals) > 1:
            return f"the number of {what} went from {totals[0]} to {totals[-1]} while it was read"
        if totals and totals[0] != len(seen):
            return f"it says there are {totals[0]} {what} and sent {len(seen)}"
    return None


def _require_believable(integration: IntegrationName, read: _Read, snapshots: Snapshots) -> None:
    """An empty or much shorter list after a fuller one is far more often a fault than the truth."""
    last = snapshots.latest(integration.side)
    if last is None or (integration.side is Side.LICENSES and last.system != read.system):
        # Another source of license counts knows other tenants: a list of files says nothing about Microsoft's.
        return
    compared = [("accounts", len(read.accounts), last.accounts)]
    if integration.side is Side.PSA:
        compared.append(("accounts, agreements and lines", read.records, last.records))
    if integration.side is Side.LICENSES:
        before = sum(
            1 + len(tenant.users)
            for tenant in _tenants(last, snapshots)
            if not tenant.failure and tenant.id not in read.failed
        )
        compared.append(("tenants and licensed users", read.records - len(read.failed), before))
    for what, listed, before in compared:
        if listed * SUSPICIOUS_DROP_SHARE < before:
            raise ReadIncomplete(
                f"{integration} listed {listed} {what}, last time it was {before}",
                integration=integration,
                remedy="Check there that this is right; then accept the smaller list: --accept-drop, or accept_drop in "
                "the body that starts a run over the API.",
            )


def _progress(side: Side, read: _Read) -> SideProgress:
    total = read.accounts_totals[-1] if read.accounts_totals else None
    return SideProgress(side, len(read.addresses), len(read.accounts), total, failed=len(read.failed))
