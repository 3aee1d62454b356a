"""Users of the Mimecast partner portal: list, add, import, check, invite, tick, remove, and the mail for them."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from dataclasses import asdict

from local.cli import EXIT_DIFFERENCES, EXIT_DONE
from local.cli.files import read_file
from local.cli.output import Cell, Column, Output, Style, shown
from local.cli.workplace import Workplace
from trueup import bootstrap
from trueup.api.portal_spreadsheet import read_portal_users
from trueup.api.portal_user_views import portal_book_view, portal_mail_view, portal_user_view
from trueup.api.spreadsheets import FILE_BYTES_MAXIMUM
from trueup.domain.portal_mail import account_manager_mail
from trueup.domain.portal_users import ChecklistItem, PortalBook, PortalUser, parse_address
from trueup.ports.portal_users import PortalUserReading
from trueup.usecases import portal_readiness
from trueup.usecases.opening import open_portal_users

_STATES: dict[str, tuple[str, Style]] = {
    "ready": ("✓ ready", "green"),
    "blocked": ("✗ blocked", "red"),
    "unknown": ("? unknown", "yellow"),
    "unchecked": ("- not checked", "dim"),
}


def show(workplace: Workplace, arguments: Namespace) -> int:
    book = workplace.state.portal_users.get()
    workplace.output.document(portal_book_view(book))
    _tell(workplace.output, book)
    return EXIT_DONE


def add(workplace: Workplace, arguments: Namespace) -> int:
    user = portal_readiness.add_portal_user(
        arguments.name,
        arguments.address,
        actor=workplace.actor,
        portal_users=workplace.state.portal_users,
        clock=workplace.clock,
    )
    workplace.output.document(portal_user_view(user))
    workplace.output.line(f"{shown(user.name)} <{shown(user.address, 254)}> is kept. Next: trueup portal-users check")
    return EXIT_DONE


def import_file(workplace: Workplace, arguments: Namespace) -> int:
    content = read_file(arguments.file, field="file", bytes_maximum=FILE_BYTES_MAXIMUM)
    done = portal_readiness.import_portal_users(
        read_portal_users(content),
        actor=workplace.actor,
        portal_users=workplace.state.portal_users,
        clock=workplace.clock,
        evidence=hashlib.sha256(content).hexdigest(),
    )
    workplace.output.document(asdict(done))
    workplace.output.line(
        f"{done.rows} lines were read: {done.added} users are new and {done.renamed} have another name. "
        "Next: trueup portal-users check"
    )
    return EXIT_DONE


def check(workplace: Workplace, arguments: Namespace) -> int:
    """2 when somebody is not ready."""
    book = portal_readiness.check_portal_users(
        actor=workplace.actor,
        reading=_reading(workplace),
        portal_users=workplace.state.portal_users,
        clock=workplace.clock,
    )
    workplace.output.document(portal_book_view(book))
    _tell(workplace.output, book)
    return EXIT_DONE if all(user.is_ready for user in book.users) else EXIT_DIFFERENCES


def invite(workplace: Workplace, arguments: Namespace) -> int:
    users = workplace.state.portal_users
    users.get().get(arguments.address)
    user = portal_readiness.mark_invited(
        arguments.address,
        actor=workplace.actor,
        reading=_reading(workplace),
        portal_users=users,
        clock=workplace.clock,
    )
    workplace.output.document(portal_user_view(user))
    workplace.output.line(
        f"{shown(user.address, 254)} was ready a moment ago and is noted as invited. Ask your account manager for it: "
        "trueup portal-users mail --with-invited"
    )
    return EXIT_DONE


def tick(workplace: Workplace, arguments: Namespace) -> int:
    item = ChecklistItem(arguments.item)
    user = portal_readiness.tick_item(
        arguments.address,
        item,
        is_done=not arguments.undo,
        actor=workplace.actor,
        portal_users=workplace.state.portal_users,
        clock=workplace.clock,
    )
    workplace.output.document(portal_user_view(user))
    what = "no longer ticked" if arguments.undo else "ticked"
    workplace.output.line(f"{shown(user.address, 254)}: {what}: {item.words}.")
    return EXIT_DONE


def mail(workplace: Workplace, arguments: Namespace) -> int:
    book = workplace.state.portal_users.get()
    written = account_manager_mail(
        book.users,
        account=book.check.account if book.check is not None else "",
        to=parse_address(arguments.to) if arguments.to else "",
        with_invited=arguments.with_invited,
    )
    output = workplace.output
    output.document(portal_mail_view(written))
    if written.to:
        output.line(f"To: {shown(written.to, 254)}")
    output.line(f"Subject: {shown(written.subject, 200)}")
    output.line()
    for line in written.text.split("\n"):
        output.line(shown(line, 400))
    output.line(
        f"Or open: {written.mailto}"
        if written.mailto
        else "The link would be too long for mail programs: copy the text."
    )
    return EXIT_DONE


def remove(workplace: Workplace, arguments: Namespace) -> int:
    user = portal_readiness.remove_portal_user(
        arguments.address,
        actor=workplace.actor,
        portal_users=workplace.state.portal_users,
        clock=workplace.clock,
    )
    workplace.output.document(portal_user_view(user))
    workplace.output.line(f"{shown(user.address, 254)} is kept no longer.")
    return EXIT_DONE


def _reading(workplace: Workplace) -> PortalUserReading:
    return open_portal_users(
        integrations=workplace.state.integrations, vault=bootstrap.vault(), connections=bootstrap.connections()
    )


def _tell(output: Output, book: PortalBook) -> None:
    if not book.users:
        output.line('No portal user was added yet. Next: trueup portal-users add ADDRESS --name "NAME"')
        return
    output.table(
        [Column("Name", "name"), Column("Address"), Column("State"), Column("Role", "name"), Column("Ticked"),
         Column("Invited")],
        [_row(user) for user in book.users],
    )  # fmt: skip
    for user in book.users:
        _tell_what_to_do(output, user)
    if book.check is not None:
        for text in (*book.check.warnings, *book.check.notes):
            output.paragraph(shown(text, 600))
        account = f" on account {shown(book.check.account, 60)}" if book.check.account else ""
        output.line(f"Checked {book.check.at:%Y-%m-%d %H:%M} UTC by {shown(book.check.by)}{account}.", "dim")


def _tell_what_to_do(output: Output, user: PortalUser) -> None:
    found = user.checked.readiness if user.checked is not None else None
    if found is None:
        return
    told = [] if user.is_ready else [f"{found.words}. {found.fix}"]
    for text in (*told, *found.warnings):
        output.paragraph(f"{shown(user.address, 254)}: {shown(text, 600)}")


def _row(user: PortalUser) -> list[str | Cell]:
    found = user.checked.readiness if user.checked is not None else None
    text, style = _STATES[user.state]
    return [
        shown(user.name, 40),
        shown(user.address, 80),
        Cell(text, style),
        shown(found.role, 30) if found is not None else "",
        f"{len(user.ticks)} of {len(ChecklistItem)}",
        f"{user.invited_at:%Y-%m-%d}" if user.invited_at is not None else "",
    ]
