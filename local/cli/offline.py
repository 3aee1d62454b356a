"""Exported files in place of an API: give one, list them, forget one; and what was kept when a PSA was left.

Which column is which is shown before the first file of a kind is taken. Must not: take columns that nobody has seen.
"""

from __future__ import annotations

import sys
from argparse import Namespace

from local.cli import EXIT_DONE
from local.cli.files import read_file
from local.cli.output import Column, Output, shown
from local.cli.workplace import Workplace
from trueup import bootstrap
from trueup.api.file_views import given_file_view, kept_mappings_view
from trueup.domain.exported_files import FILE_FIELDS, FileKind, FileLook
from trueup.domain.uploads import UPLOAD_BYTES_MAXIMUM
from trueup.usecases import file_import, psa_switch


def import_file(workplace: Workplace, arguments: Namespace) -> int:
    kind: FileKind = arguments.kind
    content = read_file(arguments.file, field="file", bytes_maximum=UPLOAD_BYTES_MAXIMUM)
    columns = dict(arguments.column)
    uploads, files = workplace.state.uploads, bootstrap.exported_files()
    is_confirmed: bool = arguments.yes
    if not is_confirmed and not workplace.output.as_json:
        chosen = {name: header for name, header in columns.items() if header}
        look = file_import.look_at_file(kind, content, columns=chosen, files=files, uploads=uploads)
        if not look.remembered or columns:
            _show_columns(workplace, look, columns)
            is_confirmed = not look.missing and sys.stdin.isatty() and _is_yes("Take these columns? [y/N] ")
    given = file_import.import_file(
        kind,
        content,
        columns=columns,
        is_confirmed=is_confirmed,
        actor=workplace.actor,
        files=files,
        uploads=uploads,
        clock=workplace.clock,
    )
    workplace.output.document(given_file_view(given, workplace.clock.now()))
    rows = given.upload.rows if given.upload is not None else 0
    workplace.output.line(f"{rows} rows were taken and are kept: {file_import.columns_words(kind, given.columns)}.")
    return EXIT_DONE


def _show_columns(workplace: Workplace, look: FileLook, columns: dict[str, str]) -> None:
    output = workplace.output
    output.line(f"The header is on line {look.header_line}; {look.rows} rows follow ({look.encoding}).", "bold")
    taken = {name: header for name, header in look.columns.items() if columns.get(name) != ""}
    example = {name: look.headers.index(header) for name, header in taken.items()}
    output.table(
        [Column("Field"), Column("Column of the file", "name"), Column("First row", "text")],
        [
            [
                f"{field.name}{'' if field.required else ' (optional)'}",
                shown(taken[field.name]) if field.name in taken else "MISSING" if field.required else "-",
                shown(look.sample[0][example[field.name]], 60)
                if field.name in taken and look.sample and example[field.name] < len(look.sample[0])
                else "",
            ]
            for field in FILE_FIELDS[look.kind]
        ],
    )
    left = [header for header in look.headers if header and header not in taken.values()]
    if left:
        output.paragraph(f"Not used: {', '.join(shown(header) for header in left)}", "  ")


def _is_yes(question: str) -> bool:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip().casefold() in {"y", "yes"}


def files(workplace: Workplace, arguments: Namespace) -> int:
    now = workplace.clock.now()
    every = file_import.given_files(uploads=workplace.state.uploads)
    items = [given_file_view(file, now) for file in every]
    workplace.output.document({"items": items})
    workplace.output.table(
        [Column("File"), Column("Rows", "number"), Column("Given"), Column("By"), Column("Columns", "text")],
        [
            [
                file.kind.value,
                str(file.upload.rows) if file.upload else "-",
                f"{file.upload.uploaded_at:%Y-%m-%d}{' (old)' if view['is_old'] else ''}" if file.upload else "never",
                shown(file.upload.uploaded_by, 20) if file.upload else "",
                shown(file_import.columns_words(file.kind, file.columns), 200) if file.upload else "",
            ]
            for file, view in zip(every, items, strict=True)
        ],
    )
    return EXIT_DONE


def forget(workplace: Workplace, arguments: Namespace) -> int:
    kind: FileKind = arguments.kind
    forgotten = file_import.forget_file(
        kind, actor=workplace.actor, uploads=workplace.state.uploads, clock=workplace.clock
    )
    workplace.output.document(given_file_view(file_import.GivenFile(kind, None, {}), workplace.clock.now()))
    workplace.output.line(
        f"The file of {kind.value} is forgotten." if forgotten else f"There was no file of {kind.value}."
    )
    return EXIT_DONE


def kept_mappings(workplace: Workplace, arguments: Namespace) -> int:
    kept = psa_switch.kept_mappings(uploads=workplace.state.uploads)
    workplace.output.document({"items": [kept_mappings_view(one) for one in kept]})
    if not kept:
        workplace.output.line("No PSA was left yet, so nothing had to be kept.")
        return EXIT_DONE
    workplace.output.table(
        [Column("Id"), Column("PSA"), Column("Address and company", "name"), Column("Kept"),
         Column("Accounts", "number"), Column("Services", "number")],
        [
            [one.id, one.psa or "-", shown(one.system), one.kept_at[:10], str(one.accounts), str(one.services)]
            for one in kept
        ],
    )  # fmt: skip
    workplace.output.line("Take one away: trueup export kept-accounts FILE.csv --kept ID (or kept-services)")
    return EXIT_DONE


def say_what_was_kept(output: Output, kept: psa_switch.KeptMappings) -> None:
    """What happens to the mappings of the PSA that was left."""
    output.paragraph(
        f"{kept.accounts} accounts and {kept.services} services were mapped in {shown(kept.system, 120)}. The next "
        "sync matches them again here by stored ids and names; trueup accounts --unmapped then lists what is left. "
        f"They are kept as files too: trueup export kept-accounts FILE.csv --kept {kept.id}",
    )
