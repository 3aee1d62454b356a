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
from tests.fakes.psa import FakePsa
from trueup.ports.state_bundle import State
from trueup.usecases.reconciliation import ReconciliationPolicy


@dataclass(frozen=True, slots=True)
class PsaWrite:
    """A write that reached the PSA and changed a line: what it had, what was asked for, what it has since."""

    line_id: str
    before: Decimal
    asked: Decimal
    after: Decimal


def writes_of(source: FakePsa | World | Mapping[str, Any]) -> tuple[PsaWrite, ...]:
    """The committed writes of a fake, of a running simulator's world, or of the JSON a simulator keeps."""
    if isinstance(source, FakePsa):
        return tuple(PsaWrite(str(one.reference.line_id), one.before, one.asked, one.after) for one in source.writes)
    records = source.as_json()["writes"] if isinstance(source, World) else source["writes"]
    return tuple(
        PsaWrite(str(one["line_id"]), _number(one["before"]), _asked(one), _number(one["after"]))
        for one in records
        if one["committed"] and one["line_id"] is not None  # a callback that was registered changes no line
    )


def _number(value: float) -> Decimal:
    return Decimal(str(value)).normalize()


def _asked(record: Mapping[str, Any]) -> Decimal:
    """The quantity that one write names, in whatever way its PSA writes: an operation, a difference, all lines of a
    document, or one field.
    """
    body = json.loads(record["body"])
    if record["method"] == "PATCH":
        (operation,) = body
        assert (operation["op"], operation["path"]) == ("replace", "quantity"), "only a quantity may be written"
        return Decimal(operation["value"])
    if "unitChange" in body:
        return _number(record["before"]) + body["unitChange"]
    if isinstance(body, list):
        ((line,),) = ([one for one in document["lines"] if one["id"] == record["line_id"]] for document in body)
        return _number(line["qty_order"])
    assert set(body) == {"quantity"}, f"only a quantity may be written: {sorted(body)}"
    return Decimal(body["quantity"])


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
