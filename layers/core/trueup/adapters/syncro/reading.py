"""Reads customers, recurring invoices and lines: page by page for a snapshot, and one line as it is right now.

The list of schedules has a place for their lines (published schema), but no sample shows it filled. So a schedule that
is listed with lines costs nothing more, and one that is listed without is asked for by itself: should the list never
carry lines, every schedule costs a call, and none is taken for empty. It must not turn an unreadable record into a
missing one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from trueup.adapters.syncro.paging import Listing, Position, read_numbered
from trueup.adapters.syncro.replies import CUSTOMERS_PERMISSION, SCHEDULES_PERMISSION
from trueup.adapters.syncro.session import SyncroSession
from trueup.adapters.syncro.wire import INTEGRATION, CustomerWire, LineWire, ScheduleWire, parse_under
from trueup.domain.billing import Agreement, AgreementId, Line, LineReference, LineState, PsaPage
from trueup.domain.errors import InputInvalid, ReadIncomplete, ReplyUnreadable, ResourceAbsent
from trueup.ports.clock import Clock

PARALLEL_CALLS: Final = 2

CUSTOMERS: Final = Listing(
    "/customers",
    "customers",
    # Disabled customers may still have schedules; "id ASC" is asked for so that new rows come last.
    (("include_disabled", "true"), ("sort", "id ASC")),
    "reading customers",
    CUSTOMERS_PERMISSION,
)
SCHEDULES: Final = Listing("/schedules", "schedules", (), "reading recurring invoices", SCHEDULES_PERMISSION)

_CUSTOMERS_PHASE = "customers"
_SCHEDULES_PHASE = "schedules"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One recurring invoice as it is right now, with its lines as Syncro sends them."""

    agreement: Agreement
    wires: tuple[LineWire, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(wire.line(self.agreement) for wire in self.wires)

    def wire_of(self, reference: LineReference) -> LineWire:
        """The line as sent. Raises ResourceAbsent when it is not on the schedule."""
        for wire in self.wires:
            if str(wire.id) == reference.line_id:
                return wire
        raise ResourceAbsent(
            f"Syncro: recurring invoice {reference.agreement_id} has no line {reference.line_id}",
            integration=INTEGRATION,
        )


class BillingReader:
    """The read side. Stateless between pages: all that a read needs to go on is in its cursor."""

    def __init__(self, session: SyncroSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    def read_page(self, cursor: str | None) -> PsaPage:
        """One page: first all customers, then schedules with the lines of each."""
        if cursor is None:
            return self._customers(Position(_CUSTOMERS_PHASE))
        position = Position.of(cursor, phases=(_CUSTOMERS_PHASE, _SCHEDULES_PHASE))
        return self._customers(position) if position.phase == _CUSTOMERS_PHASE else self._schedules(position)

    def read_line(self, reference: LineReference) -> LineState:
        """The line and its schedule as they are now. Raises ResourceAbsent when either is gone."""
        record_id(reference.line_id, "line_id")
        schedule = self.read_schedule(reference.agreement_id)
        line = schedule.wire_of(reference).line(schedule.agreement)
        return LineState(line, schedule.agreement, self._clock.now())

    def read_schedule(self, agreement_id: AgreementId) -> Schedule:
        """One schedule with all its lines, in one call. Raises ResourceAbsent when it is gone."""
        doing = f"reading recurring invoice {agreement_id}"
        path = f"/schedules/{record_id(agreement_id, 'agreement_id')}"
        reply = self._session.read(path, doing=doing, permission=SCHEDULES_PERMISSION)
        wire = parse_under(ScheduleWire, reply.json(), "schedule", source=doing)
        if str(wire.id) != agreement_id or wire.lines is None:
            what = "without its lines" if wire.lines is None else f"with recurring invoice {wire.id}"
            raise ReplyUnreadable(
                f"Syncro answered {what} when asked for recurring invoice {agreement_id}", integration=INTEGRATION
            )
        return _schedule(wire, wire.lines)

    def _customers(self, position: Position) -> PsaPage:
        page = read_numbered(self._session, CUSTOMERS, CustomerWire, position)
        return PsaPage(
            accounts=tuple(record.account() for record in page.records),
            agreements=(),
            lines=(),
            next_cursor=(page.following or Position(_SCHEDULES_PHASE)).cursor(),
            accounts_total=page.told_total,
        )

    def _schedules(self, position: Position) -> PsaPage:
        page = read_numbered(self._session, SCHEDULES, ScheduleWire, position)
        with ThreadPoolExecutor(max_workers=PARALLEL_CALLS, thread_name_prefix="syncro") as pool:
            schedules = tuple(pool.map(self._with_lines, page.records))
        return PsaPage(
            accounts=(),
            agreements=tuple(schedule.agreement for schedule in schedules),
            lines=tuple(line for schedule in schedules for line in schedule.lines),
            next_cursor=page.following.cursor() if page.following else None,
            agreements_total=page.told_total,
        )

    def _with_lines(self, wire: ScheduleWire) -> Schedule:
        """The schedule with its lines, asked for by itself where the list shows none."""
        if wire.lines:
            return _schedule(wire, wire.lines)
        try:
            return self.read_schedule(AgreementId(str(wire.id)))
        except ResourceAbsent as absent:
            raise ReadIncomplete(
                f"Syncro recurring invoice {wire.id} went away while its lines were read", integration=INTEGRATION
            ) from absent


def line_path(reference: LineReference) -> str:
    """Where one line is written. Raises InputInvalid for ids that Syncro cannot have given."""
    schedule_id = record_id(reference.agreement_id, "agreement_id")
    return f"/schedules/{schedule_id}/line_items/{record_id(reference.line_id, 'line_id')}"


def record_id(text: str, field_name: str) -> str:
    """The id if it is a whole number, as all ids of Syncro are; it goes into an address. Raises InputInvalid."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise InputInvalid(f"{field_name} is not a Syncro id, which is a whole number", field=field_name)
    return text


def _schedule(wire: ScheduleWire, lines: list[LineWire]) -> Schedule:
    strangers = [line.schedule_id for line in lines if line.schedule_id not in (None, wire.id)]
    if strangers or len({line.id for line in lines}) != len(lines):
        what = f"a line of recurring invoice {strangers[0]}" if strangers else "a line twice"
        raise ReplyUnreadable(f"Syncro sent {what} on recurring invoice {wire.id}", integration=INTEGRATION)
    return Schedule(wire.agreement(), tuple(lines))
