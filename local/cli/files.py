"""Files that a person names: read within a limit, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from local.cli.output import shown
from trueup.domain.errors import InputInvalid

TEXT_BYTES_MAXIMUM = 20 * 1024 * 1024


def read_file(name: str, *, field: str, bytes_maximum: int = TEXT_BYTES_MAXIMUM) -> bytes:
    """The bytes of that file. Raises InputInvalid when it cannot be read or is larger than it may be."""
    try:
        with Path(name).open("rb") as file:
            content = file.read(bytes_maximum + 1)
    except (OSError, ValueError) as unreadable:
        raise _invalid(name, field, _why(unreadable), "Name a file that you can read.") from unreadable
    if len(content) > bytes_maximum:
        raise _invalid(name, field, f"it is larger than {bytes_maximum // 1024 // 1024} MB", "Split it.")
    return content


def require_writable(name: str, *, field: str) -> Path:
    """The path, if a file can be made there. Raises InputInvalid; nothing is written yet."""
    path = Path(name)
    try:
        if not name or path.is_dir():
            raise _invalid(name, field, "it is a folder", "Name a file in it.")
        if not path.absolute().parent.is_dir():
            raise _invalid(name, field, "its folder does not exist", "Make the folder first.")
        if not os.access(path.absolute().parent, os.W_OK):
            raise _invalid(name, field, "its folder cannot be written", "Name another folder.")
    except (OSError, ValueError) as unusable:
        raise _invalid(name, field, _why(unusable), "Name another file.") from unusable
    return path


def write_file(name: str, content: str, *, field: str) -> Path:
    """Replace the file whole. Raises InputInvalid when it cannot be written; what was there then stays."""
    path = require_writable(name, field=field)
    if path.exists() and not path.is_file():
        # A pipe or a device has no place to put a whole file beside.
        path.write_text(content, encoding="utf-8", newline="")
        return path
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:50]}.", dir=path.absolute().parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="", errors="backslashreplace") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as unusable:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
        raise _invalid(name, field, _why(unusable), "Name another file.") from unusable
    return path


def _invalid(name: str, field: str, why: str, remedy: str) -> InputInvalid:
    return InputInvalid(f"the file {shown(name, 200)!r} cannot be used: {why}", field=field, remedy=remedy)


def _why(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
