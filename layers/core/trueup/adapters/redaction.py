"""Takes credentials out of text before it goes into an error or a log.

Method: known secrets, named fields, Bearer and Basic values, the user part of URLs.
It must not be relied on to pass whole outside bodies on: those are never put into an error at all.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_SENSITIVE_FIELDS = (
    r"authorization|client[_-]?secret|client[_-]?id|access[_-]?token|refresh[_-]?token|id[_-]?token|api[_-]?key"
    r"|private[_-]?key|public[_-]?key|signing[_-]?key|password|passphrase|secret|token"
)
_NAMED_SECRET = re.compile(
    rf"(?P<name>[\"']?(?:{_SENSITIVE_FIELDS})[\"']?\s*[:=]\s*)(?:(?:bearer|basic)\s+)?(?:\"[^\"]*\"|'[^']*'|[^\s,;&\"'}}]+)",
    re.IGNORECASE,
)
_SCHEME_SECRET = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{4,}", re.IGNORECASE)
_URL_USER = re.compile(r"://[^/\s@]+@")


def redact(text: str, secrets: Collection[str] = ()) -> str:
    """``text`` with credentials replaced by ``[redacted]``: known ``secrets``, named fields, Bearer and Basic values.

    For anything that goes into an error or a log and holds words that Trueup did not write itself.
    """
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "[redacted]")
    text = _URL_USER.sub("://[redacted]@", text)
    text = _NAMED_SECRET.sub(lambda found: f"{found.group('name')}[redacted]", text)
    return _SCHEME_SECRET.sub(lambda found: f"{found.group(1)} [redacted]", text)


def printable(text: str | None, maximum_characters: int = 100) -> str | None:
    """Outside text cut and made safe for a log line; None stays None."""
    if text is None:
        return None
    return redact("".join(character if character.isprintable() else "?" for character in text[:maximum_characters]))
