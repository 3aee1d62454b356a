"""What is kept: the history, and files to take away."""

from __future__ import annotations

import csv
import io
import os
from argparse import Namespace

from local.cli import EXIT_DONE
from local.cli.files import require_writable, write_file
from local.cli.output import Column, shown
from local.cli.workplace import Workplace
from trueup.api.order_spreadsheet import all_orders, orders_csv
from trueup.api.plan_spreadsheet import plan_csv
from trueup.api.portal_spreadsheet import portal_users_csv
from trueup.api.spreadsheets import mappings_csv, reconciliation_csv, result_csv, services_csv
from trueup.api.views import event_view, time_text
from trueup.domain.audit import AuditEvent
from trueup.domain.errors import NotFound
from trueup.domain.periods import Period
from trueup.domain.verdicts import Reconciliation
from trueup.usecases import psa_switch
from trueup.usecases.notes import write_note
from trueup.usecases.plans import plan_of_period

PAGE_EVENTS = 200


def note(workplace: Workplace, arguments: Namespace) -> int:
    state = workplace.state
    kept = write_note(
        arguments.vendor_id,
        arguments.text,
        actor=workplace.actor,
        accounts=state.accounts,
        history=state.history,
        clock=workplace.clock,
    )
    workplace.output.document(
        {"vendor_account_id": kept.subject, "text": kept.why, "by": kept.actor, "at": time_text(kept.at)}
    )
    workplace.output.line(f"Noted for {shown(kept.subject, 40)}: {shown(kept.why, 200)}")
    return EXIT_DONE


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


def export(workplace: Workplace, arguments: Namespace) -> int:
    require_writable(arguments.file, field="file")
    content = _content(workplace, arguments)
    # The first line names the columns; a cell may hold line ends.
    rows = sum(1 for _ in csv.reader(io.StringIO(content, newline=""))) - 1
    path = write_file(arguments.file, content, field="file")
    workplace.output.document({"file": os.fspath(path), "rows": rows})
    workplace.output.line(f"{rows} rows were written to {shown(os.fspath(path), 200)}.")
    return EXIT_DONE


def _content(workplace: Workplace, arguments: Namespace) -> str:
    match arguments.what:
        case "mappings":
            return mappings_csv(workplace.state.accounts.all())
        case "service-mappings":
            return services_csv(workplace.state.services.all())
        case "change-orders":
            period = None if arguments.period is None else str(Period.parse(arguments.period))
            return orders_csv(all_orders(workplace.state.change_orders, period))
        case "portal-users":
            return portal_users_csv(workplace.state.portal_users.get().users)
        case "kept-accounts" | "kept-services":
            return _kept(workplace, arguments.kept, arguments.what.removeprefix("kept-"))
        case "plan":
            period = str(Period.parse(arguments.period)) if arguments.period is not None else workplace.period
            return plan_csv(plan_of_period(period, workplace.state.plan_index))
        case "result":
            return result_csv(_reconciliation(workplace, arguments.period))
    return reconciliation_csv(_reconciliation(workplace, arguments.period))


def _kept(workplace: Workplace, kept_id: str | None, what: str) -> str:
    """One file of what was kept, the newest where no id is given. Raises NotFound."""
    uploads = workplace.state.uploads
    if kept_id is None:
        newest = psa_switch.kept_mappings(uploads=uploads)[:1]
        kept_id = newest[0].id if newest else ""
    return psa_switch.kept_file(kept_id, what, uploads=uploads)


def _reconciliation(workplace: Workplace, wanted: str | None) -> Reconciliation:
    """The comparison of that period. Raises InputInvalid for a period that is none, NotFound when there is none."""
    period = str(Period.parse(wanted)) if wanted is not None else workplace.period
    try:
        return workplace.state.reconciliations.get(period)
    except NotFound as none:
        raise NotFound(f"{period} was never compared", remedy="Compare first: trueup run.") from none
