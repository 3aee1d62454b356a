"""What people and programs are shown of exported files and of mappings that were kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trueup.api.views import time_text
from trueup.domain.exported_files import FILE_FIELDS, OLD_AFTER, FileLook
from trueup.usecases.file_import import GivenFile
from trueup.usecases.psa_switch import KeptMappings

View = dict[str, Any]

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def given_file_view(file: GivenFile, now: datetime) -> View:
    """What is known of a file that is kept, without a name that is in it."""
    upload = file.upload
    return {
        "kind": file.kind.value,
        "integration": file.kind.integration.value,
        "kept": upload is not None,
        "rows": upload.rows if upload else None,
        "uploaded_at": time_text(upload.uploaded_at) if upload else None,
        "uploaded_by": upload.uploaded_by if upload else None,
        "is_old": now - upload.uploaded_at > OLD_AFTER if upload else False,
        "columns": dict(file.columns),
        "fields": [
            {"name": field.name, "label": field.label, "required": field.required} for field in FILE_FIELDS[file.kind]
        ],
    }


def look_view(look: FileLook) -> View:
    return {
        "kind": look.kind.value,
        "header_line": look.header_line,
        "headers": list(look.headers),
        "columns": dict(look.columns),
        "missing": list(look.missing),
        "remembered": look.remembered,
        "encoding": look.encoding,
        "separator": _SEPARATORS[look.separator],
        "rows": look.rows,
        "sample": [list(row) for row in look.sample],
    }


def kept_mappings_view(kept: KeptMappings) -> View:
    return {
        "id": kept.id,
        "psa": kept.psa or None,
        "psa_system": kept.system,
        "kept_at": kept.kept_at.replace("+00:00", "Z"),
        "kept_by": kept.kept_by,
        "accounts": kept.accounts,
        "services": kept.services,
    }
