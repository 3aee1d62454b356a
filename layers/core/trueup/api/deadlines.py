"""How long a function may go on: it stops at four fifths of its time and is called again."""

from __future__ import annotations

from aws_lambda_powertools.utilities.typing import LambdaContext

from trueup.ports.clock import Clock

SHARE_OF_TIME = 0.8


def stop_at_seconds(context: LambdaContext, clock: Clock) -> float:
    """The monotonic reading at which the work must be set down, with time left to store where it is."""
    return clock.monotonic_seconds() + context.get_remaining_time_in_millis() / 1000 * SHARE_OF_TIME
