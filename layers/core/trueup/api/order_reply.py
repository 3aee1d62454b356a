"""What the function that follows orders answers: done or not, how the orders stand, how long to wait."""

from __future__ import annotations

from typing import Any

from trueup import bootstrap
from trueup.api.events import RunEvent
from trueup.domain.errors import RateLimited
from trueup.settings import settings
from trueup.usecases.order_following import Followed, follow_orders


def followed(event: RunEvent, *, stop_at_seconds: float) -> dict[str, Any]:
    """Read on and say how the orders stand. A request to wait is an answer: waiting here would cost money."""
    try:
        found = follow_orders(
            event.run_id,
            actor=event.actor,
            patience=settings().order_patience,
            time_zone=settings().time_zone,
            state=bootstrap.state(),
            vault=bootstrap.vault(),
            connections=bootstrap.connections(),
            clock=bootstrap.clock(),
            stop_at_seconds=stop_at_seconds,
        )
    except RateLimited as limited:
        return _reply(None, wait_seconds=max(1, round(limited.wait_seconds)))
    return _reply(found, wait_seconds=0)


def _reply(found: Followed | None, *, wait_seconds: int) -> dict[str, Any]:
    return {
        "done": found is not None and found.is_done,
        "wait_seconds": wait_seconds,
        "outstanding": found.outstanding if found is not None else 0,
        "reflected": len(found.noted.reflected) if found is not None else 0,
        "late": found.late if found is not None else 0,
        "period_is_over": found is not None and found.period_is_over,
    }
