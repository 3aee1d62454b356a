"""Append-only history: who did what to which thing, each event with the hash of the one before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from trueup.domain.canonical import sha256


@dataclass(frozen=True, slots=True)
class Audit:
    """One thing that happened, before it has its place in the chain.

    ``action`` is a past participle with its subject (``account mapped``, ``change applied``); ``before`` and ``after``
    are the values in plain words or numbers; ``why`` is the reason or rule; ``evidence`` is a hash or an id that leads
    to what the decision was made on.
    """

    at: datetime
    actor: str
    action: str
    subject: str
    before: str = ""
    after: str = ""
    why: str = ""
    evidence: str = ""
    run_id: str = ""

    def facts(self) -> Mapping[str, object]:
        return {
            "at": self.at,
            "actor": self.actor,
            "action": self.action,
            "subject": self.subject,
            "before": self.before,
            "after": self.after,
            "why": self.why,
            "evidence": self.evidence,
            "run_id": self.run_id,
        }


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An audit with its place: ``number`` from 1, and the hash over its facts and the hash before."""

    number: int
    audit: Audit
    previous_hash: str
    hash: str


GENESIS = "0" * 64
"""The hash before the first event."""


def chained(audit: Audit, *, number: int, previous_hash: str) -> AuditEvent:
    """The audit in its place in the chain."""
    content = {"number": number, "previous": previous_hash, "audit": audit.facts()}
    return AuditEvent(number=number, audit=audit, previous_hash=previous_hash, hash=sha256(content))


def first_broken(events: list[AuditEvent]) -> int | None:
    """The number of the first event that does not follow from the one before, or None when the chain holds."""
    previous = GENESIS
    for expected, event in enumerate(events, start=1):
        again = chained(event.audit, number=expected, previous_hash=previous)
        if event.number != expected or event.previous_hash != previous or event.hash != again.hash:
            return expected
        previous = event.hash
    return None
