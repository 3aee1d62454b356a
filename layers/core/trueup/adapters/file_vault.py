"""Credentials on one machine: one file for each integration that only its owner can read.

Method: a file is written beside the old one, flushed to the disk and renamed over it, so that a crash leaves the old or
the new one. Must not: read a file that others can read, leave its folder, or show what is in a file.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from trueup.domain.errors import ConfigurationInvalid, InputInvalid, NotConnected, StateUnavailable

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class FileVault:
    """Implements the Vault port in that folder, which is made with mode 0700 when it is first written to."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __repr__(self) -> str:
        return f"FileVault({str(self._directory)!r})"

    def put(self, name: str, *, host: str, fields: Mapping[str, str]) -> None:
        path = self._path(name)
        content = json.dumps({"schema": 1, "host": host, "fields": dict(fields)}).encode("ascii")
        with self._one_writer():
            fresh = path.with_name(f".{name}.new")
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(fresh, flags, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            fresh.replace(path)
            self._flush_directory()

    def get(self, name: str, *, host: str) -> Mapping[str, str]:
        path = self._path(name)
        try:
            self._require_private(self._directory, self._directory.stat(), "700")
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise NotConnected(f"there is no credential for {name}") from None
        except OSError as error:
            raise ConfigurationInvalid(f"{path} cannot be read: {error.strerror}") from None
        with os.fdopen(descriptor, "rb") as file:
            self._require_private(path, os.fstat(descriptor), "600")
            content = file.read()
        saved_host, fields = _parsed(path, content)
        if saved_host != host:
            raise NotConnected(
                f"the credential for {name} was saved for another address",
                remedy="Connect again with the address and the secret together.",
            )
        return fields

    def delete(self, name: str) -> None:
        path = self._path(name)
        if not self._directory.exists():
            return
        with self._one_writer():
            path.unlink(missing_ok=True)
            path.with_name(f".{name}.new").unlink(missing_ok=True)
            self._flush_directory()

    def _path(self, name: str) -> Path:
        if _NAME.fullmatch(name) is None:
            raise InputInvalid("the integration's name is not one that a file can have", field="name")
        return self._directory / f"{name}.json"

    @contextlib.contextmanager
    def _one_writer(self) -> Iterator[None]:
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._require_private(self._directory, self._directory.stat(), "700")
            lock = os.open(self._directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)
        except OSError as error:
            raise StateUnavailable(
                f"the credential could not be written into {self._directory}: {error.strerror}",
                remedy="Check the disk and who may write into this folder; the old credential is unchanged.",
            ) from None

    def _flush_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _require_private(self, path: Path, found: os.stat_result, mode: str) -> None:
        if found.st_uid != os.geteuid():
            raise ConfigurationInvalid(
                f"{path} belongs to another user", remedy=f"Run: chown {os.geteuid()} '{path}', or connect again."
            )
        if found.st_mode & _OTHERS:
            raise ConfigurationInvalid(
                f"{path} can be read by others",
                remedy=f"Run: chmod {mode} '{path}' - and make a new credential if somebody may have read it.",
            )


def _parsed(path: Path, content: bytes) -> tuple[str, dict[str, str]]:
    """The host and the fields. What is in the file never gets into the error."""
    damaged = ConfigurationInvalid(f"{path} is damaged", remedy="Connect the integration again.")
    try:
        found = json.loads(content)
    except ValueError:
        raise damaged from None
    if (
        not isinstance(found, dict)
        or not isinstance(found.get("host"), str)
        or not isinstance(found.get("fields"), dict)
    ):
        raise damaged
    fields = found["fields"]
    if not all(isinstance(value, str) for value in fields.values()):
        raise damaged
    return found["host"], fields
