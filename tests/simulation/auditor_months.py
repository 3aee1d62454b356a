"""What the auditor asks of closed months (I7, I10): hashed again by hand, and never changed after they were closed.

Method: nothing of the product's proof is used; bytes are hashed here and links compared with the history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tests.simulation.evidence import Report
from trueup.domain.audit import AuditEvent
from trueup.ports.state_bundle import State


def check_months(state: State, events: Sequence[AuditEvent], report: Report) -> None:
    """Every part has its hash, every link names the one before, and the history tells of each in its place."""
    links = state.sealed_months.links()
    told = [event for event in events if event.audit.action in ("month sealed", "month reopened")]
    same = [event.audit.evidence for event in told] == [link.hash for link in links]
    report.check("I7", holds=same, otherwise="the history does not tell of the closed months as they are")
    previous = "0" * 64
    for link in links:
        name = f"link {link.number} of {link.period}"
        report.check(
            "I7", holds=link.previous_hash == previous, otherwise=f"{name} does not follow from the one before"
        )
        previous = link.hash
        for part in link.parts:
            content = state.sealed_months.part(part)
            holds = (hashlib.sha256(content).hexdigest(), len(content)) == (part.sha256, part.length_bytes)
            report.check("I10", holds=holds, otherwise=f"{name} does not have the bytes of {part.name}")
    for period in {link.period for link in links if state.sealed_months.is_closed(link.period)}:
        closed = next(event.number for event in reversed(told) if event.audit.subject == period)
        later = [
            event.audit.action
            for event in events[closed:]
            if event.audit.action in ("run started", "plan proposed", "plan approved", "change begun")
            and event.audit.subject.startswith((period, f"plan-{period}"))
        ]
        report.check("I7", holds=not later, otherwise=f"after {period} was closed: {later[:3]}")
