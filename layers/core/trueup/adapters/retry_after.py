"""How long a reply asks to wait, in every form that vendors use. It must not wait itself or read a clock."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def requested_wait_seconds(
    headers: Mapping[str, str], *, now: datetime, maximum_seconds: float, reset_headers: Sequence[str] = ()
) -> float | None:
    """How long the reply asks to wait, in [0, maximum]; None when it says nothing that can be read.

    ``Retry-After`` comes first, as seconds or as an HTTP date. The reset headers are milliseconds; a value above 10^9
    cannot be that and is read as an epoch time in seconds (above 10^11 in milliseconds), as one public sample does.
    A moment is on the sender's clock, which may be ahead of ours or behind: it counts from the reply's own ``Date``,
    and from ``now`` where there is none.
    """
    sent_at = _moment(headers.get("Date", "")) or now
    after = headers.get("Retry-After")
    if after is not None:
        seconds = _retry_after_seconds(after.strip(), sent_at)
        if seconds is not None:
            return min(max(seconds, 0.0), maximum_seconds)
    for name in reset_headers:
        text = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]{1,18}", text, re.ASCII):
            value = int(text)
            epoch_seconds = value / 1000 if value > 10**11 else float(value)
            seconds = epoch_seconds - sent_at.timestamp() if value > 10**9 else value / 1000
            return min(max(seconds, 0.0), maximum_seconds)
    return None


def _retry_after_seconds(text: str, sent_at: datetime) -> float | None:
    if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", text, re.ASCII):
        return float(text)
    moment = _moment(text)
    return None if moment is None else (moment - sent_at).total_seconds()


def _moment(text: str) -> datetime | None:
    """The moment of an HTTP date; None for anything else."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
