"""The parts of a sealed month as bytes and back: the same envelopes as every stored record, long lists in groups.

Must not: have two byte forms of one value, or need more than one group in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trueup.adapters.dynamodb.records import Codec, ComparisonRest
from trueup.domain.allocation import Allocation
from trueup.domain.change_orders import ChangeOrder
from trueup.domain.comparison import ComparisonInputs, Figure, Findings
from trueup.domain.counting_policy import CountingPolicy
from trueup.domain.errors import StateUnavailable
from trueup.domain.mapping import AccountEntry, ServiceEntry
from trueup.domain.monthly_report import MonthlyReport, ReportRow, in_order
from trueup.domain.plan import Plan
from trueup.domain.runs import Run, Snapshot
from trueup.domain.sealed_contents import SealedContents
from trueup.domain.verdicts import Reconciliation, Row

GROUP_ITEMS = 2_000
"""So many items are one part: a few megabytes."""


@dataclass(frozen=True, slots=True)
class _Summary:
    """A comparison without its rows."""

    period: str
    rest: ComparisonRest


class _InputsCodec(Codec[ComparisonInputs]):
    """A set has no order, so what a PSA can do is written sorted."""

    def plain(self, value: ComparisonInputs) -> bytes:
        envelope = json.loads(super().plain(value))
        capabilities = envelope["data"]["terms"]["capabilities"]
        capabilities["rules"] = sorted(capabilities["rules"])
        return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode("ascii")


INPUTS = _InputsCodec("comparison inputs", ComparisonInputs)
FINDINGS = Codec[Findings]("findings", Findings)
_SUMMARY = Codec[_Summary]("sealed comparison", _Summary)
_REPORT = Codec[MonthlyReport]("sealed report", MonthlyReport)
_LISTS: dict[str, Codec[Any]] = {
    "reads": Codec("sealed reads", tuple[Snapshot, ...]),
    "accounts": Codec("sealed accounts", tuple[AccountEntry, ...]),
    "services": Codec("sealed services", tuple[ServiceEntry, ...]),
    "license_accounts": Codec("sealed license accounts", tuple[AccountEntry, ...]),
    "allocations": Codec("sealed allocations", tuple[Allocation, ...]),
    "rows": Codec("sealed rows", tuple[Row, ...]),
    "counting_policies": Codec("sealed counting policies", tuple[CountingPolicy, ...]),
    "plans": Codec("sealed plans", tuple[Plan, ...]),
    "orders": Codec("sealed orders", tuple[ChangeOrder, ...]),
    "runs": Codec("sealed runs", tuple[Run, ...]),
    "findings": Codec("sealed findings", tuple[Findings, ...]),
    "figures": Codec("sealed figures", tuple[Figure, ...]),
    "report_rows": Codec("sealed report rows", tuple[ReportRow, ...]),
}
"""The parts that are lists, in the order in which they are sealed."""

_MAPPING = ("accounts", "services", "allocations")
"""The lists that are the mapping as it was when it was compared."""


class SealedPartForms:
    """The SealedForms port."""

    def parts(self, contents: SealedContents) -> Iterator[tuple[str, bytes]]:
        found = contents.comparison
        rest = ComparisonRest(found.excluded, found.unmapped, found.ambiguous, found.totals)
        yield "totals", _SUMMARY.plain(_Summary(found.period, rest))
        if contents.inputs is not None:
            yield "policy", INPUTS.plain(_without_mapping(contents.inputs))
        if contents.report is not None:
            yield "report", _REPORT.plain(replace(contents.report, rows=()))
        apart = {"rows": found.rows, "report_rows": _by_client(contents.report)}
        for name in _LISTS:
            yield from _groups(name, apart[name] if name in apart else getattr(contents, name))

    def items(self, name: str, content: bytes) -> tuple[Any, ...]:
        found: tuple[Any, ...] = _LISTS[name.partition(" ")[0]].read(content)
        return found

    def contents(self, parts: Iterable[tuple[str, bytes]]) -> SealedContents:
        read = _Read()
        for name, content in parts:
            read.add(name, content)
        if read.summary is None:
            raise StateUnavailable("a sealed month has no part 'totals'")
        lists = read.tuples()
        report_rows = lists.pop("report_rows")
        report = None if read.report is None else replace(read.report, rows=in_order(report_rows))
        rest = read.summary.rest
        comparison = Reconciliation(
            read.summary.period, lists.pop("rows"), rest.excluded, rest.unmapped, rest.ambiguous, rest.totals
        )
        return SealedContents(comparison, read.whole_inputs(), report=report, **lists)


def input_parts(inputs: ComparisonInputs) -> Iterator[tuple[str, bytes]]:
    """What a comparison was made of, in the same parts in which a sealed month holds it."""
    yield "policy", INPUTS.plain(_without_mapping(inputs))
    yield from _groups("reads", inputs.reads)
    for name in _MAPPING:
        yield from _groups(name, getattr(inputs.legs, name))


def inputs_of(parts: Iterable[tuple[str, bytes]]) -> ComparisonInputs | None:
    """What these parts were made of; None when there are none."""
    read = _Read()
    for name, content in parts:
        read.add(name, content)
    return read.whole_inputs()


class _Read:
    """Parts as they are read, in any order of their kinds."""

    def __init__(self) -> None:
        self.summary: _Summary | None = None
        self.report: MonthlyReport | None = None
        self._inputs: ComparisonInputs | None = None
        self._lists: dict[str, list[Any]] = {name: [] for name in _LISTS}

    def add(self, name: str, content: bytes) -> None:
        """A kind that this code does not know is left out: later code may seal more."""
        kind = name.partition(" ")[0]
        if kind == "totals":
            self.summary = _SUMMARY.read(content)
        elif kind == "policy":
            self._inputs = INPUTS.read(content)
        elif kind == "report":
            self.report = _REPORT.read(content)
        elif kind in self._lists:
            self._lists[kind].extend(_LISTS[kind].read(content))

    def tuples(self) -> dict[str, Any]:
        return {name: tuple(items) for name, items in self._lists.items()}

    def whole_inputs(self) -> ComparisonInputs | None:
        if self._inputs is None:
            return None
        lists = self.tuples()
        legs = replace(self._inputs.legs, **{name: lists[name] for name in _MAPPING})
        return replace(self._inputs, reads=lists["reads"], legs=legs)


def _groups(name: str, items: Sequence[Any]) -> Iterator[tuple[str, bytes]]:
    for number, start in enumerate(range(0, len(items), GROUP_ITEMS), start=1):
        yield f"{name} {number}", _LISTS[name].plain(tuple(items[start : start + GROUP_ITEMS]))


def _by_client(report: MonthlyReport | None) -> tuple[ReportRow, ...]:
    """The rows of a report by client, so that those of one can be found without reading all."""
    rows = () if report is None else report.rows
    return tuple(sorted(rows, key=lambda row: (row.client_id, row.service, row.row_id, row.currency)))


def _without_mapping(inputs: ComparisonInputs) -> ComparisonInputs:
    """The mapping and the reads are parts of their own, so that a broken one is named by what it is."""
    return replace(inputs, reads=(), legs=replace(inputs.legs, accounts=(), services=(), allocations=()))
