"""Complete reads: pages by their content address, and a header that is written last.

Must not: let a snapshot exist before its header, or let an older one take the place of a newer one.
"""

from __future__ import annotations

from collections.abc import Iterator

from trueup.adapters.dynamodb.conditions import (
    ABSENT,
    Condition,
    ConditionsFailed,
    Operation,
    Put,
    at,
    attribute_is,
)
from trueup.adapters.dynamodb.contents import Contents
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.keys import moment
from trueup.adapters.dynamodb.records import LICENSE_PAGE, PSA_PAGE, SNAPSHOT, VENDOR_PAGE
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.accounts import VendorPage
from trueup.domain.audit import Audit
from trueup.domain.billing import PsaPage
from trueup.domain.errors import InputInvalid, StateUnavailable, VersionConflict
from trueup.domain.integrations import Side
from trueup.domain.licenses import LicensePage
from trueup.domain.runs import Snapshot

_ADDRESS = "content_address"
_LATEST_ID = "snapshot_id"
_COMPLETED = "completed_at"


class DynamoDbSnapshots:
    """The Snapshots port."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)
        self._contents = Contents(table)

    def add_page(self, side: Side, page: VendorPage | PsaPage | LicensePage) -> str:
        match page:
            case VendorPage() if side is Side.VENDOR:
                return self._contents.put(VENDOR_PAGE.plain(page))
            case PsaPage() if side is Side.PSA:
                return self._contents.put(PSA_PAGE.plain(page))
            case LicensePage() if side is Side.LICENSES:
                return self._contents.put(LICENSE_PAGE.plain(page))
            case _:
                raise InputInvalid(f"a {type(page).__name__} is no page of the side {side.value}", field="side")

    def complete(self, snapshot: Snapshot, audit: Audit | None) -> None:
        """Completing the very same snapshot again changes nothing, so a repeat after a lost reply is safe."""
        plain = SNAPSHOT.plain(snapshot)
        # The list of pages grows with the read, so the header's bytes lie beside the item that makes it exist.
        address = self._contents.put(plain)
        key = self._table.keys.snapshot(snapshot.side, snapshot.id)
        header = Put(at(key, {_ADDRESS: address}), ABSENT)
        completed_at = moment(snapshot.completed_at)
        pointer = at(
            self._table.keys.latest_snapshot(snapshot.side), {_LATEST_ID: snapshot.id, _COMPLETED: completed_at}
        )
        forward = Condition(f"{ABSENT.expression} OR {_COMPLETED} <= :completed", {":completed": completed_at})
        try:
            self._complete([header, Put(pointer, forward)], audit)
        except ConditionsFailed as refused:
            if 0 in refused.failed:
                self._require_same(snapshot, address)
                return
            try:
                self._complete([header], audit)
            except ConditionsFailed:
                self._require_same(snapshot, address)

    def refresh(self, base: Snapshot, derived: Snapshot, audit: Audit) -> None:
        address = self._contents.put(SNAPSHOT.plain(derived))
        header = Put(at(self._table.keys.snapshot(derived.side, derived.id), {_ADDRESS: address}), ABSENT)
        place = self._table.keys.latest_snapshot(derived.side)
        pointer = at(place, {_LATEST_ID: derived.id, _COMPLETED: moment(derived.completed_at)})
        try:
            self._complete([header, Put(pointer, attribute_is(_LATEST_ID, base.id))], audit)
        except ConditionsFailed:
            latest = self._table.get(place)
            if latest is None or latest[_LATEST_ID] != derived.id:
                raise
            self._require_same(derived, address)

    def latest(self, side: Side) -> Snapshot | None:
        pointer = self._table.get(self._table.keys.latest_snapshot(side))
        if pointer is None:
            return None
        header = self._table.get(self._table.keys.snapshot(side, pointer[_LATEST_ID]))
        if header is None:
            raise StateUnavailable(f"the header of snapshot {pointer[_LATEST_ID]} is gone")
        return SNAPSHOT.read(self._contents.get(header[_ADDRESS]))

    def vendor_pages(self, snapshot: Snapshot) -> Iterator[VendorPage]:
        for plain in self._contents.get_all(snapshot.pages):
            yield VENDOR_PAGE.read(plain)

    def psa_pages(self, snapshot: Snapshot) -> Iterator[PsaPage]:
        for plain in self._contents.get_all(snapshot.pages):
            yield PSA_PAGE.read(plain)

    def license_pages(self, snapshot: Snapshot) -> Iterator[LicensePage]:
        for plain in self._contents.get_all(snapshot.pages):
            yield LICENSE_PAGE.read(plain)

    def _complete(self, operations: list[Operation], audit: Audit | None) -> None:
        self._chain.write(operations, [audit])

    def _require_same(self, snapshot: Snapshot, address: str) -> None:
        stored = self._table.get(self._table.keys.snapshot(snapshot.side, snapshot.id))
        if stored is None or stored[_ADDRESS] != address:
            raise VersionConflict(f"snapshot {snapshot.id} is complete already, with other content")
