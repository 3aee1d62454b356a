"""The part of the command line that works with files in place of an API, and changes one PSA for another."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from trueup.domain.exported_files import FILE_FIELDS, FileKind
from trueup.domain.integrations import CREDENTIAL_FIELDS, IntegrationName

if TYPE_CHECKING:
    from local.cli.parser import Parser, _Commands

_KINDS = {
    FileKind.ACCOUNTS: "the list of accounts that the Mimecast portal exports",
    FileKind.COUNTS: "seats by account and product, from the Mimecast portal",
    FileKind.LINES: "what the PSA bills: client, product, quantity, price",
    FileKind.CLIENTS: "clients of the PSA with their ids, where the lines have none",
    FileKind.PRODUCTS: "products of the PSA with their prices",
    FileKind.LICENSES: "counts of licensed users by client, where Microsoft 365 may not be read",
}


def add_switch(command: Parser) -> None:
    """The word of a person that a system takes the place of the connected one."""
    command.add_argument(
        "--switch",
        action="store_true",
        help="take the place of the one that is connected now; vendor data, mappings, plans and history stay",
    )


def add_connecting_files(connect: _Commands) -> None:
    """Files need no credential, only a word that they are to be read."""
    for name in IntegrationName:
        if CREDENTIAL_FIELDS[name]:
            continue
        command = connect.add(
            name.value,
            "connecting:connect",
            "write",
            f"Read exported files in place of an API ({name.label})",
            f"trueup connect {name.value}",
            "Give the files first: trueup import.",
        )
        command.set_defaults(integration=name, url="")
        add_switch(command)


def add_offline(commands: _Commands) -> None:
    importing = commands.group("import", "Give an exported file (CSV) in place of an API: all its rows or none")
    for kind, what in _KINDS.items():
        fields = ", ".join(f"{field.name}{'' if field.required else ' (optional)'}" for field in FILE_FIELDS[kind])
        command = importing.add(
            kind.value,
            "offline:import_file",
            "write",
            f"Give {what}",
            f"trueup import {kind.value} {kind.value}.csv",
            "The header row is found, and which column is which is shown and asked once; it is remembered for the next "
            f"file of the kind. Fields: {fields}.",
        )
        command.set_defaults(kind=kind)
        command.add_argument("file", metavar="FILE.csv")
        command.add_argument(
            "--column",
            metavar="FIELD=HEADER",
            type=_column,
            action="append",
            default=[],
            help="take that column for the field; FIELD= says that the file has none for it",
        )
        command.add_argument("--yes", action="store_true", help="the columns are right; ask nothing")
    commands.add("files", "offline:files", "read", "Show which files are kept and how old they are", "trueup files")
    forget = commands.add("forget-file", "offline:forget", "write", "Forget a file", "trueup forget-file lines")
    forget.add_argument("kind", metavar="KIND", type=_kind, help=", ".join(kind.value for kind in FileKind))


def add_kept_mappings(group: _Commands) -> None:
    """Commands beside ``trueup map``."""
    services = group.add(
        "import-services", "mapping:import_services_file", "write",
        "Take decisions on services from a file: all of them or none", "trueup map import-services services.csv",
        "Columns: service_id, product_code and, to exclude, reason.",
    )  # fmt: skip
    services.add_argument("file", metavar="FILE.csv")
    group.add(
        "kept", "offline:kept_mappings", "read", "List what was mapped each time another PSA was connected",
        "trueup map kept",
    )  # fmt: skip


def _column(text: str) -> tuple[str, str]:
    name, equals, header = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError("must be FIELD=HEADER, such as seats=Users")
    return name.strip(), header.strip()


def _kind(text: str) -> FileKind:
    try:
        return FileKind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(kind.value for kind in FileKind)}") from None
