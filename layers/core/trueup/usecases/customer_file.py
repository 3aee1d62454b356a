"""The customer list that the vendor's portal exports: kept once it makes sense, used by every later read, forgotten.

It stands in where the vendor's API may not list the customers. What it tells is as old as the file.
"""

from __future__ import annotations

import hashlib

from trueup.domain.audit import Audit
from trueup.domain.integrations import IntegrationName
from trueup.domain.uploads import Upload
from trueup.ports.clock import Clock
from trueup.ports.connections import Connections
from trueup.ports.state import Uploads


def kept_customer_file(name: IntegrationName, *, uploads: Uploads) -> Upload | None:
    """The file that reads of this integration use, or None."""
    return uploads.get(_upload_name(name))


def keep_customer_file(
    name: IntegrationName, content: bytes, *, actor: str, connections: Connections, uploads: Uploads, clock: Clock
) -> Upload:
    """Keep an exported file in place of the one before.

    Raises InputInvalid naming every bad line; then the one before stays.
    """
    rows = connections.customer_file_rows(name, content)
    now, before = clock.now(), kept_customer_file(name, uploads=uploads)
    upload = Upload(_upload_name(name), content, rows, now, actor)
    uploads.put(
        upload,
        Audit(
            at=now,
            actor=actor,
            action="customer file kept",
            subject=name,
            before=_words(before),
            after=_words(upload),
            evidence=hashlib.sha256(content).hexdigest(),
        ),
    )
    return upload


def forget_customer_file(name: IntegrationName, *, actor: str, uploads: Uploads, clock: Clock) -> bool:
    """Keep no file any more; False when there was none."""
    before = kept_customer_file(name, uploads=uploads)
    audit = Audit(at=clock.now(), actor=actor, action="customer file forgotten", subject=name, before=_words(before))
    return uploads.remove(_upload_name(name), audit)


def _upload_name(name: IntegrationName) -> str:
    return f"{name.value} customers"


def _words(upload: Upload | None) -> str:
    return "" if upload is None else f"{upload.rows} customers, given {upload.uploaded_at.isoformat()}"
