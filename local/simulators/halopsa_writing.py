"""What a POST of recurring invoices does in the simulated HaloPSA: every line is replaced by what was posted.

Seen in the field: the array is ``[{id, lines: [all lines]}]``. Inferred and imitated as the worst case: a line that is
missing from the array is removed, a calculated line keeps what HaloPSA works out, a line without an id is a new one.
"""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from local.simulators.halopsa_records import COMPUTED, EMPTY_DATE, halo_time, invoice_record, memory
from local.simulators.messages import Reply, Request, json_reply, wire_time
from local.simulators.world import CatalogItem, PsaAddition, World, WriteRecord

if TYPE_CHECKING:
    from local.simulators.halopsa import HaloPsaSimulator

MAX_QUANTITY = 999_999
API_AGENT = "Mimecast API"
WORLD_API_AGENT = "ApiMimecast"


class Refused(Exception):
    """What HaloPSA objects to in a posted invoice."""


def post_invoices(simulator: "HaloPsaSimulator", request: Request, record: WriteRecord) -> Reply:
    """Take one posted recurring invoice over. Several at once are refused here: nothing is known of halves."""
    document = _json(request.body)
    if not isinstance(document, list) or len(document) != 1 or not isinstance(document[0], dict):
        return simulator.error_reply(400, message="One recurring invoice is expected in an array.")
    posted: dict[str, Any] = document[0]
    agreement = simulator.world.agreements.get(posted.get("id", 0))
    if agreement is None:
        return simulator.error_reply(404)
    lines = posted.get("lines")
    if not isinstance(lines, list):
        return simulator.error_reply(400, message="Posting a recurring invoice without its lines is not simulated.")
    try:
        _Posting(simulator, request, record, agreement.id, lines).take_over()
    except Refused as refused:
        return simulator.error_reply(400, message=str(refused))
    return json_reply(201, [invoice_record(simulator.world, agreement, with_lines=True)])


class _Posting:
    """One posted document on its way into the world."""

    def __init__(
        self, simulator: "HaloPsaSimulator", request: Request, record: WriteRecord, invoice_id: int, posted: list[Any]
    ) -> None:
        self._simulator = simulator
        self._world = simulator.world
        self._request = request
        self._record = record
        self._invoice_id = invoice_id
        self._now = halo_time(self._world.clock())
        self._held = {line.id: line for line in self._world.lines_of(invoice_id)}
        self._posted = self._checked(posted)

    def take_over(self) -> None:
        """Change the world: one write record for each line that changed, saved together with it."""
        self._break_by_fault()
        steps: list[tuple[int | None, Callable[[WriteRecord], None]]] = []
        if self._request.fault("false_success") is None:
            posted_ids = {one["id"] for one in self._posted if one.get("id")}
            steps += [(line_id, self._removal(line_id)) for line_id in self._held if line_id not in posted_ids]
            for one in self._posted:
                step = self._change(one)
                if step is not None:
                    steps.append((one.get("id") or None, step))
        # One save for the whole document: a crash keeps all of it or nothing.
        state_file, self._world.state_file = self._world.state_file, None
        try:
            for number, (line_id, step) in enumerate(steps):
                self._commit(number, line_id, step)
            if self._request.fault("false_success") is None:
                self._world.edit_agreement(self._invoice_id, WORLD_API_AGENT)
        finally:
            self._world.state_file = state_file
        self._world.persist()

    def _commit(self, number: int, line_id: int | None, step: Callable[[WriteRecord], None]) -> None:
        """The first changed line takes the record of the request; each further one has its own, as an auditor counts
        changed lines.
        """
        record = self._record if number == 0 else replace(self._record, status=201)
        self._world.commit(record, line_id, lambda: step(record))
        if number:
            self._simulator.further_writes.setdefault(id(self._request), []).append(record)

    def _checked(self, posted: list[Any]) -> list[dict[str, Any]]:
        for one in posted:
            if not isinstance(one, dict):
                raise Refused("Invalid invoice line")
            line_id = one.get("id")
            if line_id and line_id not in self._held:
                raise Refused("Invalid invoice line")
            if not line_id and one.get("_itemid") not in self._world.catalog:
                raise Refused("Invalid item")
            quantity = one.get("qty_order")
            if isinstance(quantity, bool) or not isinstance(quantity, int | float) or not math.isfinite(quantity):
                raise Refused("Invalid quantity")
            if not 0 <= quantity <= MAX_QUANTITY:
                raise Refused("Invalid quantity")
        return [dict(one) for one in posted]

    def _break_by_fault(self) -> None:
        untouched = [
            one
            for one in self._posted
            if one.get("id") in self._held and one["qty_order"] == self._held[one["id"]].quantity
        ]
        lost, moved = self._request.fault("other_line_lost"), self._request.fault("other_line_moved")
        clamp = self._request.fault("clamped_quantity")
        if lost is not None and untouched:
            line_id = lost.option("line_id", untouched[0]["id"])
            self._posted = [one for one in self._posted if one.get("id") != line_id]
        if moved is not None and untouched:
            line_id = moved.option("line_id", untouched[0]["id"])
            for one in self._posted:
                if one.get("id") == line_id:
                    one["qty_order"] = moved.option("quantity", one["qty_order"] + 1)
        if clamp is not None:
            for one in self._posted:
                held = self._held.get(one.get("id", 0))
                if held is None or one["qty_order"] != held.quantity:
                    one["qty_order"] = min(one["qty_order"], clamp.option("maximum", held.quantity if held else 0))

    def _removal(self, line_id: int) -> Callable[[WriteRecord], None]:
        def work(record: WriteRecord) -> None:
            kept = memory(self._world)
            kept["last_line_id"] = max(kept.get("last_line_id", 0), *self._world.additions)
            line = self._world.remove_addition(line_id)
            record.before, record.after = line.quantity, 0.0
            memory(self._world)["lines"].pop(str(line_id), None)
            self._note(line_id, "line removed", f"{line.quantity:g}", "")

        return work

    def _change(self, posted: dict[str, Any]) -> Callable[[WriteRecord], None] | None:
        if not posted.get("id"):
            return self._addition(posted)
        line = self._held[posted["id"]]
        changes: dict[str, Any] = {}
        # HaloPSA works a calculated line out itself, whatever is posted.
        if not self._world.catalog[line.product_id].serialized and float(posted["qty_order"]) != line.quantity:
            changes["quantity"] = float(posted["qty_order"])
        if posted.get("item_shortdescription", line.description) != line.description:
            changes["description"] = str(posted["item_shortdescription"])
        price = posted.get("unit_price")
        if line.bill_customer == "Billable" and isinstance(price, int | float) and float(price) != line.unit_price:
            changes["unit_price"] = float(price)
        self._keep(line.id, posted)
        if not changes:
            return None

        def work(record: WriteRecord) -> None:
            record.before = line.quantity
            self._world.edit_addition(line.id, WORLD_API_AGENT, **changes)
            record.after = line.quantity
            if "quantity" in changes:
                self._note(line.id, "qty_order", f"{record.before:g}", f"{line.quantity:g}")

        return work

    def _addition(self, posted: dict[str, Any]) -> Callable[[WriteRecord], None]:
        def work(record: WriteRecord) -> None:
            item = self._world.catalog[posted["_itemid"]]
            line = add_line(
                self._world,
                self._invoice_id,
                item,
                quantity=float(posted["qty_order"]),
                unit_price=float(posted.get("unit_price") or 0),
                unit_cost=float(posted.get("unit_cost") or 0),
                effective_date=_world_day(posted.get("startdate")) or "",
                cancelled_date=_world_day(posted.get("enddate")),
                description=str(posted.get("item_shortdescription") or item.description),
                updated_by=WORLD_API_AGENT,
            )
            self._keep(line.id, posted)
            record.line_id, record.before, record.after = line.id, 0.0, line.quantity
            self._note(line.id, "line added", "", f"{line.quantity:g}")

        return work

    def _keep(self, line_id: int, posted: dict[str, Any]) -> None:
        kept = {name: value for name, value in posted.items() if name not in COMPUTED}
        if kept:
            memory(self._world)["lines"][str(line_id)] = kept

    def _note(self, line_id: int, field: str, old: str, new: str) -> None:
        note_change(self._simulator, self._invoice_id, line_id, field, (old, new), API_AGENT)


def add_line(world: World, invoice_id: int, item: CatalogItem, **fields: Any) -> PsaAddition:
    """Put a new line on an invoice. An id is never used twice, as in a database."""
    kept = memory(world)
    kept["last_line_id"] = max(max(world.additions, default=88_430), kept.get("last_line_id", 0)) + 1
    plain = {"quantity": 1.0, "unit_price": item.price, "unit_cost": item.cost, "effective_date": ""}
    text = {"description": item.description, "updated_by": "jsmith", "last_updated": wire_time(world.clock())}
    line = PsaAddition(kept["last_line_id"], invoice_id, item.id, **{**plain, **text, **fields})
    world.add_addition(line)
    return line


def note_change(
    simulator: "HaloPsaSimulator", invoice_id: int, line_id: int, field: str, values: tuple[str, str], who: str
) -> None:
    """Add a row to the audit that InvoiceChange serves."""
    changes = memory(simulator.world)["changes"]
    changes.append(
        {
            "id": len(changes) + 1,
            "invoice_id": invoice_id,
            "invoice_line_id": line_id,
            "field_name": field,
            "old_value": values[0],
            "new_value": values[1],
            "who": who,
            "datetime": halo_time(simulator.world.clock()),
        }
    )


def _world_day(moment: Any) -> str | None:
    return f"{moment[:10]}T00:00:00Z" if isinstance(moment, str) and moment != EMPTY_DATE else None


def _json(body: bytes) -> Any:
    """The body as JSON; None when it is not JSON (which no route accepts either)."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
