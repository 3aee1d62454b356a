"""A person says once how the seats of a client are divided among several lines of one product, and may take it back.

Method: the lines are those of the latest complete read; every live one is named once, so that nothing is left to guess.
Must not: change a line. The next run proposes what the division comes to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from trueup.domain.allocation import Allocation
from trueup.domain.audit import Audit
from trueup.domain.billing import AgreementState, Line, LineId, ProductId, PsaAccountId, PsaFacts
from trueup.domain.canonical import decimal_text
from trueup.domain.errors import InputInvalid, NotFound
from trueup.domain.facts import psa_facts
from trueup.domain.integrations import Side
from trueup.domain.periods import local_day
from trueup.ports.clock import Clock
from trueup.ports.state import Allocations, Integrations, Snapshots
from trueup.usecases.mapping import require_reason
from trueup.usecases.opening import connected


@dataclass(frozen=True, slots=True)
class Division:
    """A division as it stands: ``lines`` are the live lines of the latest read that it is for, ``fits`` whether they
    are the ones it names. ``client_name`` and ``product_code`` are empty where the read does not tell them.
    """

    allocation: Allocation
    client_name: str
    product_code: str
    lines: tuple[Line, ...]
    fits: bool


def divide_lines(
    client: str,
    product: str,
    *,
    fixed: Sequence[tuple[str, int]],
    balance: str,
    reason: str,
    actor: str,
    time_zone: ZoneInfo,
    integrations: Integrations,
    snapshots: Snapshots,
    allocations: Allocations,
    clock: Clock,
) -> Division:
    """Remember how the seats are divided, in place of what was said before.

    ``product`` is its internal id or Product ID. Raises InputInvalid naming the field when a line is not one of the
    live lines, is not named or named twice, NotFound for an unknown client or when the PSA was never read in full.
    """
    why = require_reason(reason)
    read = _LatestRead(integrations, snapshots, local_day(clock.now(), time_zone))
    account_id = read.client(client)
    product_id = read.product(account_id, product)
    before = _known(account_id, product_id, allocations)
    now = clock.now()
    said = Allocation(
        psa_account_id=account_id,
        product_id=product_id,
        fixed=tuple(sorted((LineId(line), seats) for line, seats in fixed)),
        balancing=LineId(balance),
        by=actor,
        at=now,
        reason=why,
        psa_system=read.system,
        version=before.version if before is not None else 0,
    )
    said.require_sound()
    _require_all_named(said, read.live_lines(account_id, product_id))
    old = "" if before is None else _words(before)
    return read.shown(allocations.save(said, _audit(said, actor, "lines divided", old, _words(said), why, clock)))


def forget_division(
    client: str,
    product: str,
    *,
    actor: str,
    time_zone: ZoneInfo,
    integrations: Integrations,
    snapshots: Snapshots,
    allocations: Allocations,
    clock: Clock,
) -> Allocation:
    """Forget how the seats are divided: several lines of the product are ambiguous again. Raises NotFound."""
    known = [one for one in allocations.all() if one.psa_account_id == client]
    found = next((one for one in known if one.product_id == product), None)
    if found is None and known:
        read = _LatestRead(integrations, snapshots, local_day(clock.now(), time_zone))
        named = read.product(PsaAccountId(client), product)
        found = next((one for one in known if one.product_id == named), None)
    if found is None:
        raise NotFound(f"nobody has divided product {product!r} of client {client!r}", remedy="See trueup lines show.")
    audit = _audit(found, actor, "division forgotten", _words(found), "", "taken back", clock)
    allocations.remove(found.psa_account_id, found.product_id, audit)
    return found


def list_divisions(
    *,
    time_zone: ZoneInfo,
    integrations: Integrations,
    snapshots: Snapshots,
    allocations: Allocations,
    clock: Clock,
) -> tuple[Division, ...]:
    """Every division with the lines it is for as they were last read, by client and product."""
    known = sorted(allocations.all(), key=lambda one: (one.psa_account_id, one.product_id))
    if not known:
        return ()
    read = _LatestRead(integrations, snapshots, local_day(clock.now(), time_zone))
    return tuple(read.shown(one) for one in known)


class _LatestRead:
    """The latest complete read of the connected PSA, as far as divisions look at it."""

    def __init__(self, integrations: Integrations, snapshots: Snapshots, on: date) -> None:
        """Raises NotConnected, and NotFound when the PSA that is connected now was never read in full."""
        self.system = connected(Side.PSA, integrations).system
        self._on = on
        snapshot = snapshots.latest(Side.PSA)
        if snapshot is None or snapshot.system not in ("", self.system):
            raise NotFound("the PSA was never read in full", remedy="Sync first: trueup sync.")
        self._facts: PsaFacts = psa_facts(snapshots.psa_pages(snapshot))
        self._states = {agreement.id: agreement.state_on(on) for agreement in self._facts.agreements}

    def client(self, client: str) -> PsaAccountId:
        found = next((one for one in self._facts.accounts if one.id == client and not one.deleted), None)
        if found is None:
            raise NotFound(f"{client!r} is not a client of the PSA", remedy="Use the id the ambiguous row names.")
        return found.id

    def product(self, client: PsaAccountId, product: str) -> ProductId:
        """By internal id, else by Product ID, among what is billed to the client."""
        lines = [line for line in self._facts.lines if line.account_id == client]
        named = {line.product_id for line in lines if line.product_id == product}
        named = named or {line.product_id for line in lines if line.product_code == product}
        if len(named) != 1:
            what = "no line" if not named else "more than one product"
            raise InputInvalid(
                f"{what} of client {client} has the Product ID {product!r}",
                field="product",
                remedy="Use the id the ambiguous row names.",
            )
        return named.pop()

    def live_lines(self, client: PsaAccountId, product: ProductId) -> tuple[Line, ...]:
        return tuple(
            line
            for line in sorted(self._facts.lines, key=lambda line: line.id)
            if (line.account_id, line.product_id) == (client, product)
            and line.is_live(self._on)
            and self._states.get(line.agreement_id) is AgreementState.ACTIVE
        )

    def shown(self, allocation: Allocation) -> Division:
        client, product = allocation.psa_account_id, allocation.product_id
        is_here = allocation.psa_system in ("", self.system)
        lines = self.live_lines(client, product) if is_here else ()
        name = next((one.name for one in self._facts.accounts if one.id == client), "") if is_here else ""
        code = lines[0].product_code if lines else ""
        return Division(allocation, name, code, lines, allocation.covers([line.id for line in lines]))


def _require_all_named(said: Allocation, live: Sequence[Line]) -> None:
    known = {line.id: line for line in live}
    lines = ", ".join(f"{line.id} ({decimal_text(line.quantity)})" for line in live) or "none"
    where = f"the live lines of product {said.product_id} of client {said.psa_account_id} are: {lines}"
    if len(live) < 2:
        raise InputInvalid(
            f"there is nothing to divide: {where}", field="product", remedy="Only several lines need it."
        )
    for line in sorted(said.lines - set(known)):
        field = "balance" if line == said.balancing else "fixed"
        raise InputInvalid(f"line {line} is none of them: {where}", field=field, remedy="Name exactly these lines.")
    for line in sorted(set(known) - said.lines):
        raise InputInvalid(f"line {line} is not named: {where}", field="fixed", remedy="Name every live line once.")


def _known(client: PsaAccountId, product: ProductId, allocations: Allocations) -> Allocation | None:
    return next((one for one in allocations.all() if (one.psa_account_id, one.product_id) == (client, product)), None)


def _words(allocation: Allocation) -> str:
    fixed = ", ".join(f"{line}={seats}" for line, seats in allocation.fixed)
    return f"{fixed}; the rest on {allocation.balancing}"


def _audit(allocation: Allocation, actor: str, action: str, before: str, after: str, why: str, clock: Clock) -> Audit:
    return Audit(
        at=clock.now(),
        actor=actor,
        action=action,
        subject=f"client {allocation.psa_account_id} product {allocation.product_id}",
        before=before,
        after=after,
        why=why,
    )
