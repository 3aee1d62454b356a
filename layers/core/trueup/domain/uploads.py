"""Files that a person gives to be kept, and to be read again each month until another one takes their place."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from trueup.domain.errors import InputInvalid

UPLOAD_BYTES_MAXIMUM = 5 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """One file as it was given. ``rows`` is how many records it lists, so that this can be told without reading it.

    The content is left out of the representation: it may name every client.
    """

    name: str
    content: bytes = field(repr=False)
    rows: int
    uploaded_at: datetime
    uploaded_by: str

    def require_size(self) -> None:
        """Raises InputInvalid for a file that is larger than any that is kept."""
        if len(self.content) > UPLOAD_BYTES_MAXIMUM:
            raise InputInvalid(
                f"the file is larger than {UPLOAD_BYTES_MAXIMUM // 1024 // 1024} MB",
                field="file",
                remedy="Leave out what is not needed, or split it.",
            )
