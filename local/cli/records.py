"""What is kept: the history, the proof that it is whole, and files to take away."""

from __future__ import annotations

import os
from argparse import Namespace

from local.cli import EXIT_DONE, EXIT_FAILED
from local.cli.files import require_writable, write_file
from local.cli.output import Column, shown
from local.cli.workplace import Workplace
from trueup.api.spreadsheets import mappings_csv, reconciliation_csv
from trueup.api.views import event_view, verification_view
from trueup.domain.audit import AuditEvent
from trueup.domain.errors import NotFound
from trueup.domain.periods import Period

PAGE_EVENTS = 200


def history(workplace: Workplace, arguments: Namespace) -> int:
    events: list[AuditEvent] = []
    cursor: str | None = None
    while len(events) < arguments.limit:
        wanted = min(PAGE_EVENTS, arguments.limit - len(events))
        page = workplace.state.history.page(cursor=cursor, limit=wanted)
        events += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    workplace.output.document({"items": [event_view(event) for event in events]})
    if not events:
        workplace.output.line("Nothing has happened yet.")
        return EXIT_DONE
    workplace.output.table(
        [Column("No.", "number"), Column("When (UTC)"), Column("Who"), Column("What", "text"),
         Column("Why", "text")],
        [
            [
                str(event.number),
                f"{event.audit.at:%Y-%m-%d %H:%M:%S}",
                shown(event.audit.actor, 20),
                _what(event),
                shown(event.audit.why, 200),
            ]
            for event in events
        ],
    )  # fmt: skip
    return EXIT_DONE


def _what(event: AuditEvent) -> str:
    audit = event.audit
    text = f"{audit.action}: {shown(audit.subject, 120)}"
    if audit.before and audit.after:
        return f"{text}, {shown(audit.before, 40)} -> {shown(audit.after, 40)}"
    return f"{text}, {shown(audit.after, 40)}" if audit.after else text


def verify(workplace: Workplace, arguments: Namespace) -> int:
    """1 when a link of the chain is broken."""
    found = verification_view(list(workplace.state.history.all()))
    workplace.output.document(found)
    if not found["holds"]:
        workplace.output.note(
            f"trueup: event {found['first_broken']} of the history does not follow from the one before; "
            "restore the table from a backup of before the change and compare"
        )
        return EXIT_FAILED
    workplace.output.line(
        f"The history is whole: {found['events']} events, each with the hash of the one before.", "green"
    )
    return EXIT_DONE


def export(workplace: Workplace, arguments: Namespace) -> int:
    require_writable(arguments.file, field="file")
    if arguments.what == "mappings":
        entries = list(workplace.state.accounts.all())
        content, rows = mappings_csv(entries), len(entries)
    else:
        content, rows = _reconciliation(workplace, arguments.period)
    path = write_file(arguments.file, content, field="file")
    workplace.output.document({"file": os.fspath(path), "rows": rows})
    workplace.output.line(f"{rows} rows were written to {shown(os.fspath(path), 200)}.")
    return EXIT_DONE


def _reconciliation(workplace: Workplace, wanted: str | None) -> tuple[str, int]:
    """The comparison of that period. Raises InputInvalid for a period that is none, NotFound when there is none."""
    period = str(Period.parse(wanted)) if wanted is not None else workplace.period
    try:
        found = workplace.state.reconciliations.get(period)
    except NotFound as none:
        raise NotFound(f"{period} was never compared", remedy="Compare first: trueup run.") from none
    return reconciliation_csv(found), len(found.rows)
