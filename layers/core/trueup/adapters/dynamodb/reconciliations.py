"""The last comparison of each period: a header, and its rows one by one under a generation of their own.

Method: a new comparison is written beside the old one, and the header moves to it in one write, so that a reader sees
one or the other. The generation before stays for readers in the middle of a list; older ones are deleted.
Must not: give rows of two generations in one list, or a list with a hole.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from trueup.adapters.dynamodb.closing import ClosedPeriods
from trueup.adapters.dynamodb.conditions import CONTENT, VERSION, ConditionsFailed, Put, Value, at, version_is
from trueup.adapters.dynamodb.contents import Contents
from trueup.adapters.dynamodb.cursors import read_cursor, require_limit, write_cursor
from trueup.adapters.dynamodb.keys import PARTITION_KEY, SORT_KEY, Key, Prefix
from trueup.adapters.dynamodb.records import COMPARISON, COMPARISON_REST, ROW, ComparisonHeader, ComparisonRest
from trueup.adapters.dynamodb.sealed_forms import FINDINGS, input_parts, inputs_of
from trueup.adapters.dynamodb.table import DynamoDbTable, StoredItem
from trueup.domain.comparison import ComparisonInputs, Findings, findings_of
from trueup.domain.errors import Conflict, NotFound, StateUnavailable
from trueup.domain.verdicts import Reconciliation, Row, Verdict
from trueup.ports.state import ComparisonSummary, Page

_ATTEMPTS = 10
_ROWS_AT_ONCE = 500
_ADDRESS = "content_address"

type _Spans = dict[str, tuple[tuple[int, int], ...]]


@dataclass(frozen=True, slots=True)
class _Generation:
    """The rows of one generation: how many, and where those of each verdict are."""

    id: str
    rows: int
    spans: _Spans

    def spans_of(self, verdict: Verdict | None) -> tuple[tuple[int, int], ...]:
        return ((0, self.rows),) if verdict is None else self.spans.get(verdict.value, ())


class DynamoDbReconciliations:
    """Both ports: Reconciliations and ComparisonRecords."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._contents = Contents(table)
        self._closed = ClosedPeriods(table)

    def save(
        self, reconciliation: Reconciliation, *, run_id: str, at: datetime, inputs: ComparisonInputs | None = None
    ) -> None:
        """Of two that are saved at once, the one that moves the header last stays."""
        generation = secrets.token_hex(16)
        self._put_rows(generation, reconciliation.rows)
        rest = ComparisonRest(
            excluded=reconciliation.excluded,
            unmapped=reconciliation.unmapped,
            ambiguous=reconciliation.ambiguous,
            totals=reconciliation.totals,
        )
        address = self._contents.put(COMPARISON_REST.plain(rest))
        retired = self._switch(
            ComparisonHeader(
                period=reconciliation.period,
                run_id=run_id,
                at=at,
                generation=generation,
                rows=len(reconciliation.rows),
                spans=_spans(reconciliation.rows),
                rest=address,
                totals=reconciliation.totals,
                inputs=() if inputs is None else tuple(self._put_inputs(inputs)),
            ),
            self._contents.put(FINDINGS.plain(Findings(run_id, at, findings_of(reconciliation.rows)))),
        )
        # What a crash leaves undeleted here is still named by the header and is deleted by the next comparison.
        for old in retired:
            self._delete_rows(self._table.keys.rows(old))

    def get(self, period: str) -> Reconciliation:
        for _ in range(_ATTEMPTS):
            header, _version = self._header(period)
            items = list(self._table.query_all(self._table.keys.rows(header.generation)))
            if len(items) == header.rows:
                rest = COMPARISON_REST.read(self._contents.get(header.rest))
                return Reconciliation(
                    period=header.period,
                    rows=tuple(ROW.unpack(item[CONTENT]) for item in items),
                    excluded=rest.excluded,
                    unmapped=rest.unmapped,
                    ambiguous=rest.ambiguous,
                    totals=rest.totals,
                )
        raise StateUnavailable(f"the rows of period {period} are not whole")

    def summary(self, period: str) -> ComparisonSummary:
        header, _version = self._header(period)
        totals = header.totals
        if totals is None:
            totals = COMPARISON_REST.read(self._contents.get(header.rest)).totals
        return ComparisonSummary(header.run_id, header.at, totals)

    def inputs(self, period: str) -> ComparisonInputs | None:
        header, _version = self._header(period)
        names = [name for name, _ in header.inputs]
        contents = self._contents.get_all([address for _, address in header.inputs])
        return inputs_of(zip(names, contents, strict=True))

    def findings(self, period: str) -> tuple[Findings, ...]:
        items = self._table.query_all(self._table.keys.comparison_findings(period))
        return tuple(FINDINGS.read(plain) for plain in self._contents.get_all([item[_ADDRESS] for item in items]))

    def page(self, period: str, *, verdict: Verdict | None, cursor: str | None, limit: int) -> Page[Row]:
        """Begun on one comparison, a list stays on it; once that one is gone it raises Conflict: begin again."""
        require_limit(limit)
        name = f"rows {period} {verdict.value if verdict else ''}"
        wanted, start = read_cursor(cursor, name, parts=2) if cursor is not None else ("", "0")
        for _ in range(_ATTEMPTS):
            header, _version = self._header(period)
            generation = _generation(header, wanted)
            spans = generation.spans_of(verdict)
            first, many = _next(spans, int(start), limit)
            if not many:
                return Page((), None)
            items = self._read(generation, first, many)
            if items is not None:
                following, more = _next(spans, first + len(items), 1)
                next_cursor = write_cursor(name, generation.id, str(following)) if more else None
                return Page(tuple(ROW.unpack(item[CONTENT]) for item in items), next_cursor)
        raise StateUnavailable(f"the rows of period {period} are not whole")

    def _read(self, generation: _Generation, first: int, many: int) -> tuple[StoredItem, ...] | None:
        """That many rows or, of large ones, fewer; None when some are gone because the generation is being deleted."""
        keys = self._table.keys
        between = keys.row(generation.id, first).sk, keys.row(generation.id, first + many - 1).sk
        found = self._table.query(keys.rows(generation.id), limit=many, between=between)
        if not found.items or (len(found.items) < many and not found.has_more):
            return None
        expected = [keys.row(generation.id, first + place).sk for place in range(len(found.items))]
        return found.items if [item[SORT_KEY] for item in found.items] == expected else None

    def _header(self, period: str) -> tuple[ComparisonHeader, int]:
        item = self._table.get(self._table.keys.comparison(period))
        if item is None:
            raise NotFound(f"period {period} was never compared")
        return COMPARISON.unpack(item[CONTENT]), int(item[VERSION])

    def _put_rows(self, generation: str, rows: tuple[Row, ...]) -> None:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = enumerate(rows[start : start + _ROWS_AT_ONCE], start=start)
            self._table.put_many(
                [at(self._table.keys.row(generation, number), {CONTENT: ROW.pack(row)}) for number, row in some]
            )

    def _put_inputs(self, inputs: ComparisonInputs) -> Iterator[tuple[str, str]]:
        for name, content in input_parts(inputs):
            yield name, self._contents.put(content)

    def _switch(self, fresh: ComparisonHeader, findings: str) -> tuple[str, ...]:
        """Make it the one to read, with what it found; returns the generations that nobody reads any more."""
        key = self._table.keys.comparison(fresh.period)
        found = at(self._table.keys.comparison_finding(fresh.period, fresh.at, fresh.run_id), {_ADDRESS: findings})
        for attempt in range(_ATTEMPTS):
            item = self._table.get(key)
            old = None if item is None else COMPARISON.unpack(item[CONTENT])
            version = 0 if item is None else int(item[VERSION])
            header = fresh if old is None else _after(fresh, old)
            content: dict[str, Value] = {CONTENT: COMPARISON.pack(header), VERSION: version + 1}
            try:
                self._table.write(
                    [Put(at(key, content), version_is(version)), Put(found), self._closed.check(fresh.period)]
                )
            except ConditionsFailed as refused:
                self._closed.refuse_if(refused, 2, fresh.period)
                self._table.pause(attempt)
            else:
                return () if old is None else (*old.retired, *header.retired)
        raise StateUnavailable(f"others compared period {fresh.period} {_ATTEMPTS} times in a row")

    def _delete_rows(self, prefix: Prefix) -> None:
        keys: list[Key] = []
        for item in self._table.query_all(prefix):
            keys.append(Key(item[PARTITION_KEY], item[SORT_KEY]))
        self._table.delete_many(keys)


def _after(fresh: ComparisonHeader, old: ComparisonHeader) -> ComparisonHeader:
    return replace(
        fresh,
        previous=old.generation,
        previous_rows=old.rows,
        previous_spans=old.spans,
        retired=(old.previous,) if old.previous else (),
    )


def _generation(header: ComparisonHeader, wanted: str) -> _Generation:
    if wanted in {"", header.generation}:
        return _Generation(header.generation, header.rows, header.spans)
    if wanted == header.previous:
        return _Generation(header.previous, header.previous_rows, header.previous_spans or {})
    raise Conflict(
        f"period {header.period} was compared again since this list was begun",
        remedy="Begin again with the first page; it shows the new comparison.",
    )


def _spans(rows: Iterable[Row]) -> _Spans:
    found: dict[str, list[tuple[int, int]]] = {}
    last: Verdict | None = None
    for number, row in enumerate(rows):
        mine = found.setdefault(row.verdict.value, [])
        if row.verdict is last:
            first, many = mine.pop()
            mine.append((first, many + 1))
        else:
            mine.append((number, 1))
        last = row.verdict
    return {verdict: tuple(spans) for verdict, spans in found.items()}


def _next(spans: tuple[tuple[int, int], ...], start: int, limit: int) -> tuple[int, int]:
    """The first row at or after ``start`` that lies in a span, and how many may be read from there at once."""
    for first, many in spans:
        if start < first + many:
            begin = max(start, first)
            return begin, min(limit, first + many - begin)
    return start, 0
