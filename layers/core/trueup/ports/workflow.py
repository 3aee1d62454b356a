"""Having the monthly workflow carried out elsewhere, without waiting for it."""

from __future__ import annotations

from typing import Protocol


class Workflow(Protocol):
    def start(self, run_id: str) -> None:
        """Have the run carried out. Starting a run that was started already does nothing."""
        ...

    def apply(self, plan_id: str, checksum: str, actor: str, *, attempt: int) -> None:
        """Have an approved plan applied. Asking twice is harmless: a change that has a result is not written again.

        ``attempt`` tells a new try from a repeated call of the same one; the second in which it was asked for serves.
        """
        ...

    def go_on(self, callback_id: str, checksum: str, actor: str) -> None:
        """Tell a run that waits for a person to apply its plan, which was approved by that checksum."""
        ...
