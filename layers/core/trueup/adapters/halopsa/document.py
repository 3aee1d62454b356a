"""A recurring invoice as HaloPSA sent it, and as it is sent back: every value of every line as it was read.

Posting replaces all lines, so what is not known here must come back untouched: numbers keep their digits, unknown
fields their values. Nothing here makes a call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trueup.adapters.halopsa.wire import INTEGRATION, InvoiceWire, LineWire, is_text_line, parse
from trueup.domain.billing import Line
from trueup.domain.errors import ReplyUnreadable

type RawLine = Mapping[str, object]

_DEPTH_MAXIMUM = 40
"""HaloPSA's own records nest four deep."""


@dataclass(frozen=True, slots=True)
class Invoice:
    """The header in our words and the lines as they came."""

    header: InvoiceWire
    raw_lines: tuple[RawLine, ...]

    def lines(self) -> tuple[Line, ...]:
        """The lines that bill something; headings and remarks are left out. Raises as ``parse``."""
        return tuple(self.wire(raw).line(self.header) for raw in self.raw_lines if not is_text_line(raw))

    def line(self, line_id: str) -> Line | None:
        """The line of that id, or None."""
        raw = self.raw(line_id)
        return None if raw is None or is_text_line(raw) else self.wire(raw).line(self.header)

    def raw(self, line_id: str) -> RawLine | None:
        """The line of that id as it came, or None."""
        return next((raw for raw in self.raw_lines if str(raw.get("id")) == line_id), None)

    def wire(self, raw: RawLine) -> LineWire:
        """The line's fields. Raises SchemaUnknown, and ReplyUnreadable for a line of another invoice."""
        wire = parse(LineWire, raw, source=f"reading the lines of recurring invoice {self.header.id}")
        if wire.ihid is not None and wire.ihid not in (0, self.header.id):
            raise ReplyUnreadable(
                f"HaloPSA sent a line of recurring invoice {wire.ihid} among those of {self.header.id}",
                integration=INTEGRATION,
            )
        return wire


def invoice_of(document: object, *, source: str) -> Invoice:
    """A whole invoice. Raises SchemaUnknown when it came without lines, and ReplyUnreadable when a line came twice."""
    header = parse(InvoiceWire, document, source=source)
    if header.lines is None:
        # A missing list is not an empty one: posting back an empty one would take every line away.
        raise ReplyUnreadable(f"HaloPSA sent recurring invoice {header.id} without its lines", integration=INTEGRATION)
    ids = [raw.get("id") for raw in header.lines]
    if len(set(map(str, ids))) != len(ids):
        raise ReplyUnreadable(f"HaloPSA sent a line of recurring invoice {header.id} twice", integration=INTEGRATION)
    return Invoice(header, tuple(header.lines))


def posted(invoice_id: int, lines: Sequence[RawLine]) -> bytes:
    """The body that replaces all lines of an invoice: ``[{id, lines}]`` (seen in the field)."""
    return exact_json([{"id": invoice_id, "lines": list(lines)}])


def exact_json(value: object) -> bytes:
    """JSON with every number as it was read: a Decimal keeps its digits. ReplyUnreadable when nested too deep."""
    return "".join(_pieces(value, 0)).encode("ascii")


def _pieces(value: object, depth: int) -> list[str]:
    if depth > _DEPTH_MAXIMUM:
        raise ReplyUnreadable("HaloPSA's lines are nested too deep to be sent back", integration=INTEGRATION)
    if isinstance(value, Mapping):
        pieces = ["{"]
        for number, (name, one) in enumerate(value.items()):
            pieces += ["," if number else "", json.dumps(str(name)), ":", *_pieces(one, depth + 1)]
        return [*pieces, "}"]
    if isinstance(value, list | tuple):
        pieces = ["["]
        for number, one in enumerate(value):
            pieces += ["," if number else "", *_pieces(one, depth + 1)]
        return [*pieces, "]"]
    if isinstance(value, Decimal):
        return [str(value)]
    return [json.dumps(value, allow_nan=False)]
