"""Exported files in place of an API: looked at, confirmed once by a person, checked whole, kept, forgotten.

Which column is what is remembered with the file: the next one of its kind that has the same columns is taken without
asking. Must not: take a file of which any row is bad, or one whose columns nobody has seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from trueup.domain.audit import Audit
from trueup.domain.errors import Conflict, InputInvalid
from trueup.domain.exported_files import FILE_FIELDS, FileKind, FileLook, kept_content, kept_file
from trueup.domain.uploads import Upload
from trueup.ports.clock import Clock
from trueup.ports.exported_files import ExportedFiles
from trueup.ports.state import Uploads


@dataclass(frozen=True, slots=True)
class GivenFile:
    """What is known of a kind of file; ``upload`` is None where none is kept."""

    kind: FileKind
    upload: Upload | None
    columns: Mapping[str, str]


def look_at_file(
    kind: FileKind, content: bytes, *, columns: Mapping[str, str], files: ExportedFiles, uploads: Uploads
) -> FileLook:
    """What would be taken for what: by what the person says now, by what was confirmed before, by known names.

    Raises InputInvalid when it is no table, or has not the columns that were named.
    """
    remembered = given_file(kind, uploads=uploads).columns
    if remembered:
        try:
            look = files.look(kind, content, {**_without(remembered, columns), **columns})
        except InputInvalid:
            # Columns of another export of this kind: they are found anew, and confirmed anew.
            return files.look(kind, content, columns)
        # What the names would add to what a person confirmed is left out, as it was then.
        kept = {name: header for name, header in look.columns.items() if name in remembered or name in columns}
        return replace(look, columns=kept, remembered=kept == dict(remembered))
    return files.look(kind, content, columns)


def import_file(
    kind: FileKind,
    content: bytes,
    *,
    columns: Mapping[str, str],
    is_confirmed: bool,
    actor: str,
    files: ExportedFiles,
    uploads: Uploads,
    clock: Clock,
) -> GivenFile:
    """Keep a file in place of the one before.

    ``columns`` says of some fields which column it is; an empty header says that there is none. ``is_confirmed`` is a
    person's word that the columns are right; without it only columns that were confirmed before are taken. Raises
    Conflict naming the columns to confirm, InputInvalid naming every bad row; then the file before stays.
    """
    look = look_at_file(kind, content, columns={k: v for k, v in columns.items() if v}, files=files, uploads=uploads)
    chosen = {name: header for name, header in look.columns.items() if columns.get(name) != ""}
    if not is_confirmed and not (look.remembered and chosen == dict(look.columns)):
        raise Conflict(
            f"nobody has confirmed the columns yet: {columns_words(kind, chosen)}",
            remedy="Look whether each is right and confirm it (--yes, or confirm=true over the API); correct one with "
            "--column FIELD=HEADER (column=FIELD=HEADER).",
        )
    rows = files.check(kind, content, chosen)
    before, now = uploads.get(kind.upload_name), clock.now()
    upload = Upload(kind.upload_name, kept_content(chosen, content), rows, now, actor)
    uploads.put(
        upload,
        Audit(
            at=now,
            actor=actor,
            action=f"file of {kind.value} kept",
            subject=kind.integration,
            before=_words(before),
            after=_words(upload),
            why=columns_words(kind, chosen),
            evidence=hashlib.sha256(content).hexdigest(),
        ),
    )
    return GivenFile(kind, upload, chosen)


def given_file(kind: FileKind, *, uploads: Uploads) -> GivenFile:
    """The file of that kind that reads use, with its columns."""
    upload = uploads.get(kind.upload_name)
    return GivenFile(kind, upload, {} if upload is None else kept_file(kind, upload).columns)


def given_files(*, uploads: Uploads) -> tuple[GivenFile, ...]:
    """Every kind, given or not."""
    return tuple(given_file(kind, uploads=uploads) for kind in FileKind)


def forget_file(kind: FileKind, *, actor: str, uploads: Uploads, clock: Clock) -> bool:
    """Keep no file of that kind any more; False when there was none."""
    before = uploads.get(kind.upload_name)
    action = f"file of {kind.value} forgotten"
    audit = Audit(clock.now(), actor, action, kind.integration, before=_words(before))
    return uploads.remove(kind.upload_name, audit)


def columns_words(kind: FileKind, columns: Mapping[str, str]) -> str:
    """Which column is taken for what, in words: ``account code from "Account Code"; seats from "Users"``."""
    labels = {field.name: field.label for field in FILE_FIELDS[kind]}
    return "; ".join(f'{labels[name]} from "{header}"' for name, header in columns.items()) or "none was found"


def _without(remembered: Mapping[str, str], columns: Mapping[str, str]) -> dict[str, str]:
    """What was remembered, but for columns that the person now takes for something else."""
    return {name: header for name, header in remembered.items() if header not in columns.values()}


def _words(upload: Upload | None) -> str:
    return "" if upload is None else f"{upload.rows} rows, given {upload.uploaded_at.isoformat()}"
