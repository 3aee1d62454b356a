"""What the auditor is given and what it answers: the state, the PSA's own record of writes, and everything said aloud.

Must not: judge anything. That is the auditor's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from local.simulators.world import World
from tests.fakes.psa import CommittedWrite, FakePsa
from trueup.ports.state_bundle import State
from trueup.usecases.reconciliation import ReconciliationPolicy


@dataclass(frozen=True, slots=True)
class PsaWrite:
    """A write that reached the PSA and changed a line: what it had, what was asked for, what it has since.

    ``made`` is what a line was made by: a missing line, or the line that a dated change puts in the place of another;
    ``agreement_id`` and ``product_id`` then say where. ``ends`` is the other half of such a dated change: the line
    keeps its quantity and gets a last day.
    """

    line_id: str
    before: Decimal
    asked: Decimal
    after: Decimal
    made: bool = False
    ends: bool = False
    agreement_id: str = ""
    product_id: str = ""


def writes_of(source: FakePsa | World | Mapping[str, Any]) -> tuple[PsaWrite, ...]:
    """The committed writes of a fake, of a running simulator's world, or of the JSON a simulator keeps."""
    if isinstance(source, FakePsa):
        return tuple(_of_fake(one) for one in source.writes)
    records = source.as_json()["writes"] if isinstance(source, World) else source["writes"]
    return tuple(
        _of_record(one)
        for one in records
        if one["committed"] and one["line_id"] is not None  # a callback that was registered changes no line
    )


def _number(value: float) -> Decimal:
    return Decimal(str(value)).normalize()


def _of_fake(write: CommittedWrite) -> PsaWrite:
    where = write.reference
    return PsaWrite(
        str(where.line_id),
        write.before,
        write.asked,
        write.after,
        made=write.made,
        agreement_id=str(where.agreement_id),
        product_id=str(where.product_id or ""),
    )


def _of_record(record: Mapping[str, Any]) -> PsaWrite:
    """One write as a simulator kept it, in whatever way its PSA writes: an operation, a difference, a new line, all
    lines of a document, or one field.
    """
    line_id, body = str(record["line_id"]), json.loads(record["body"])
    before, after = _number(record["before"]), _number(record["after"])
    if record["method"] == "PATCH":
        (operation,) = body
        if operation["path"] == "cancelledDate":
            return PsaWrite(line_id, before, before, after, ends=True)
        assert (operation["op"], operation["path"]) == ("replace", "quantity"), "only a quantity may be written"
        return PsaWrite(line_id, before, Decimal(operation["value"]), after)
    if "unitChange" in body:
        return PsaWrite(line_id, before, before + body["unitChange"], after)
    if isinstance(body, list):
        return _of_document(record, body, line_id, before, after)
    if record["path"].rstrip("/").endswith("/additions"):
        agreement_id = record["path"].rstrip("/").split("/")[-2]
        return PsaWrite(
            line_id,
            before,
            _number(body["quantity"]),
            after,
            made=True,
            agreement_id=agreement_id,
            product_id=str(body["product"]["id"]),
        )
    assert set(body) == {"quantity"}, f"only a quantity may be written: {sorted(body)}"
    return PsaWrite(line_id, before, Decimal(body["quantity"]), after)


def _of_document(record: Mapping[str, Any], body: list[Any], line_id: str, before: Decimal, after: Decimal) -> PsaWrite:
    """All lines of a document were written: the one with the id of the record, or the one that has none yet."""
    (document,) = body
    named = [line for line in document["lines"] if line.get("id") == record["line_id"]]
    if named:
        (line,) = named
        return PsaWrite(line_id, before, _number(line["qty_order"]), after)
    (line,) = [line for line in document["lines"] if not line.get("id")]
    return PsaWrite(
        line_id,
        before,
        _number(line["qty_order"]),
        after,
        made=True,
        agreement_id=str(document["id"]),
        product_id=str(line["_itemid"]),
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What there is to look at.

    ``policy`` is what the tenant reconciles with (I3, I10). ``texts`` is everything that was printed, logged or
    exported, ``secrets`` what must not be in it, ``foreign`` words that only another tenant knows. ``is_settled`` says
    that nobody has changed anything since the last apply and that a run came after it (I5).
    """

    state: State
    writes: Sequence[PsaWrite] | None = None
    policy: ReconciliationPolicy | None = None
    texts: Sequence[str] = ()
    secrets: Sequence[str] = ()
    foreign: Sequence[str] = ()
    is_settled: bool = False


@dataclass(slots=True)
class Report:
    """``violations`` name the invariant first; ``checked`` are the invariants that there was evidence for."""

    violations: list[str] = field(default_factory=list)
    checked: set[str] = field(default_factory=set)

    def require_sound(self) -> None:
        """Raise AssertionError with every violation."""
        assert not self.violations, "\n".join(self.violations)

    def check(self, invariant: str, *, holds: bool, otherwise: str) -> None:
        """Note that the invariant was looked at, and what is wrong when it does not hold."""
        self.checked.add(invariant)
        if not holds:
            self.violations.append(f"{invariant}: {otherwise}")
