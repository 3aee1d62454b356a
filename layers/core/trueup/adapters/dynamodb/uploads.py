"""Files that people gave: a header for each name, and the bytes in pieces under a generation of their own.

Method: the pieces are written first and the header moves to them in one write with its audit, so that a reader gets the
old file or the new one, whole. Pieces that no header names are deleted, because they may name every client: at once
when they were replaced or removed, with the next change when a crash left them.
Must not: delete pieces of a file that somebody else is storing right now.
"""

from __future__ import annotations

import hashlib
import secrets

from trueup.adapters.dynamodb.conditions import CONTENT, VERSION, ConditionsFailed, Put, Value, at, version_is
from trueup.adapters.dynamodb.contents import PIECE_BYTES
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.keys import PARTITION_KEY, SORT_KEY, Key
from trueup.adapters.dynamodb.records import UPLOAD, UploadHeader, pack, unpack
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.audit import Audit
from trueup.domain.errors import StateUnavailable
from trueup.domain.uploads import Upload

STORING_SECONDS_MAXIMUM = 3600
"""Longer than any process stores one file: pieces without a header that are older were left by a crash."""

_ATTEMPTS = 10
_GENERATION = "generation"
_WRITTEN_AT = "written_at_epoch_seconds"


class DynamoDbUploads:
    """The Uploads port. A file that was removed leaves a header that names no pieces, so that versions only grow."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)

    def put(self, upload: Upload, audit: Audit) -> None:
        """Of two that are put at once, the one that moves the header last stays."""
        upload.require_size()
        generation = secrets.token_hex(16)
        content = upload.content
        pieces = [content[start : start + PIECE_BYTES] for start in range(0, len(content), PIECE_BYTES)]
        told: dict[str, Value] = {_GENERATION: generation, _WRITTEN_AT: self._now_epoch_seconds()}
        self._table.put_many(
            [
                at(self._table.keys.upload_part(upload.name, generation, number), {CONTENT: pack(piece), **told})
                for number, piece in enumerate(pieces)
            ]
        )
        header = UploadHeader(
            generation=generation,
            pieces=len(pieces),
            digest=hashlib.sha256(content).hexdigest(),
            rows=upload.rows,
            uploaded_at=upload.uploaded_at,
            uploaded_by=upload.uploaded_by,
        )
        self._move(upload.name, header, audit)

    def get(self, name: str) -> Upload | None:
        for _ in range(_ATTEMPTS):
            header, _version = self._header(name)
            if header is None or not header.generation:
                return None
            content = self._content(name, header)
            if content is not None:
                return Upload(name, content, header.rows, header.uploaded_at, header.uploaded_by)
            if self._header(name)[0] == header:
                break
        raise StateUnavailable(f"the stored file {name!r} is not whole")

    def remove(self, name: str, audit: Audit) -> bool:
        header, _version = self._header(name)
        if header is None or not header.generation:
            return False
        self._move(name, UploadHeader("", 0, "", 0, audit.at, audit.actor), audit)
        return True

    def _header(self, name: str) -> tuple[UploadHeader | None, int]:
        item = self._table.get(self._table.keys.upload(name))
        return (None, 0) if item is None else (UPLOAD.unpack(item[CONTENT]), int(item[VERSION]))

    def _content(self, name: str, header: UploadHeader) -> bytes | None:
        """The bytes; None when they are not all there, or not the ones that were stored."""
        keys = [self._table.keys.upload_part(name, header.generation, number) for number in range(header.pieces)]
        found = self._table.get_many(keys)
        if len(found) != len(keys):
            return None
        content = b"".join(unpack(found[key][CONTENT]) for key in keys)
        return content if hashlib.sha256(content).hexdigest() == header.digest else None

    def _move(self, name: str, header: UploadHeader, audit: Audit) -> None:
        """Make this header the one in force, then delete what it leaves behind."""
        for attempt in range(_ATTEMPTS):
            old, version = self._header(name)
            item = at(self._table.keys.upload(name), {CONTENT: UPLOAD.pack(header), VERSION: version + 1})
            try:
                self._chain.write([Put(item, version_is(version))], [audit])
            except ConditionsFailed:
                self._table.pause(attempt)
            else:
                self._sweep(name, header.generation, "" if old is None else old.generation)
                return
        raise StateUnavailable(f"others changed the stored file {name!r} {_ATTEMPTS} times in a row")

    def _sweep(self, name: str, kept: str, replaced: str) -> None:
        """Delete the replaced pieces, and others that are not kept and too old to belong to a file being stored."""
        oldest = self._now_epoch_seconds() - STORING_SECONDS_MAXIMUM
        gone = [
            Key(item[PARTITION_KEY], item[SORT_KEY])
            for item in self._table.query_all(self._table.keys.upload_parts(name))
            if item[_GENERATION] != kept and (item[_GENERATION] == replaced or item[_WRITTEN_AT] < oldest)
        ]
        self._table.delete_many(gone)

    def _now_epoch_seconds(self) -> int:
        return int(self._table.clock.now().timestamp())
