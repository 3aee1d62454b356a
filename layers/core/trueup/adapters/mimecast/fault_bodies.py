"""One parser for every error shape that Mimecast's gateway and services have been seen or documented to send.

HTTP 200 is no success at Mimecast: a ``fail`` list in the body is a failure, as is a ``meta.status`` of 400 or more.
Only the code is kept of an error, cut and made printable; its message may quote the request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from trueup.adapters.http import HttpReply
from trueup.adapters.redaction import printable
from trueup.domain.errors import ReplyUnreadable

PASSING_401_CODES: Final = frozenset({"token_verification_failed", "unauthorized request"})
"""401 codes that public integrations treat as trouble on Mimecast's side that passes (observed, not documented)."""

PASSING_CODES: Final = frozenset({"err_developer_key"})
"""Codes of a failure under HTTP 200 that were observed to come and go and to be cured by one retry."""

_CODE_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of a body. ``retryable`` is what the vendor says of it, None when it does not."""

    code: str
    retryable: bool | None = None

    @property
    def passes(self) -> bool:
        """Whether the same call may succeed a little later."""
        return self.retryable is True or self.code.casefold() in PASSING_CODES

    @property
    def is_denial(self) -> bool:
        """Whether the code says that the thing may not be seen. The words are a guess: the codes are not published."""
        code = self.code.casefold()
        return any(word in code for word in ("denied", "forbidden", "permission", "not_allowed", "unauthorized"))

    @property
    def is_absence(self) -> bool:
        """Whether the code says that the thing is not there. The words are a guess, as above."""
        code = self.code.casefold()
        return any(word in code for word in ("not_found", "notfound", "unknown_account", "does_not_exist"))


def faults_in(document: object) -> tuple[Fault, ...]:
    """Every error a body tells, in any of the five shapes; empty for a body that tells none.

    ``fail[].errors[]`` (documented), ``fail[]`` flat (seen at the gateway), ``errors[]`` (newer services), ``error``
    with ``error_description`` (OAuth), ``fault.detail.errorcode`` (the gateway product's default).
    """
    return tuple(_faults(document)) if isinstance(document, Mapping) else ()


def body_status(document: object) -> int | None:
    """``meta.status`` of an envelope, when it is a number."""
    meta = document.get("meta") if isinstance(document, Mapping) else None
    status = meta.get("status") if isinstance(meta, Mapping) else None
    return status if isinstance(status, int) and not isinstance(status, bool) else None


def faults_of_reply(reply: HttpReply) -> tuple[Fault, ...]:
    """The errors in a reply whose body may be anything; a body that is no JSON tells none."""
    try:
        return faults_in(reply.json())
    except ReplyUnreadable:
        return ()


def _faults(document: Mapping[object, object]) -> Iterator[Fault]:
    for entry in _entries(document.get("fail")):
        nested = entry.get("errors") if isinstance(entry, Mapping) else None
        if nested:
            yield from (_fault(error) for error in _entries(nested))
        else:
            yield _fault(entry)
    yield from (_fault(error) for error in _entries(document.get("errors")))
    if document.get("error"):
        yield _fault(document["error"])
    fault = document.get("fault")
    if isinstance(fault, Mapping):
        detail = fault.get("detail")
        yield _fault(detail if isinstance(detail, Mapping) else fault)


def _entries(value: object) -> list[object]:
    """What an error list holds; a lone error stands for a list of one, null and empty for none."""
    if isinstance(value, list):
        return value
    return [value] if value else []


def _fault(entry: object) -> Fault:
    if not isinstance(entry, Mapping):
        return Fault(_code(entry))
    code = next((entry[key] for key in ("code", "errorcode", "error") if entry.get(key)), None)
    retryable = entry.get("retryable")
    return Fault(_code(code), retryable if isinstance(retryable, bool) else None)


def _code(value: object) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return printable(str(value), _CODE_CHARACTERS) or "unnamed"
    return "unnamed"
