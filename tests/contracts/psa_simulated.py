"""What is the same for every PSA that is spoken to over a socket to its simulator: the trouble it can be put into.

A PSA's own subject names the routes; how a route goes wrong is said here, by the fault board that all simulators have.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol, cast

from local.simulators.server import Simulator
from tests.contracts.psa_subjects import Patch, Scene, Traits
from tests.fakes.clock import FakeClock
from trueup.adapters.http import HttpLimits
from trueup.ports.psa import PsaAccountReading, PsaBilling, PsaLineCreation

HASTY = HttpLimits(read_timeout_seconds=0.25, attempts=3)
"""For the one test that waits for a timeout of the socket itself."""


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path pattern of the fault board; ``*`` is any."""

    method: str
    path: str


class Closable(PsaBilling, Protocol):
    """An adapter, which has connections to close."""

    def close(self) -> None: ...


class SimulatedSubject[Adapter: Closable]:
    """A Subject over a simulator. The PSA's own class fills in the routes and what people do at the PSA.

    ``reads`` are all calls that read with the credential, ``lists`` the first list of a whole read, ``line_reads``
    those that a write makes of its line; ``reads_before_write`` is how many of those come before the write is sent.
    ``write`` is the call that changes a quantity, ``second_step`` the one that completes a dated change, ``creation``
    the one that makes a line.
    """

    traits: ClassVar[Traits]
    secrets: ClassVar[tuple[str, ...]]
    authenticated: ClassVar[Route]
    reads: ClassVar[Route]
    lists: ClassVar[Route]
    line_reads: ClassVar[Route]
    product_reads: ClassVar[Route]
    write: ClassVar[Route]
    creation: ClassVar[Route]
    second_step: ClassVar[Route | None] = None
    reads_before_write: ClassVar[int] = 1
    refusal_status: ClassVar[int] = 400

    def __init__(
        self,
        simulator: Simulator,
        open_psa: Callable[[HttpLimits | None], Adapter],
        holds: Scene,
        clock: FakeClock,
        patch: Patch,
    ) -> None:
        self.simulator = simulator
        self.holds = holds
        self.clock = clock
        self.patch = patch
        self._open = open_psa
        self.psa = open_psa(None)

    @property
    def maker(self) -> PsaLineCreation:
        """The adapter, for a PSA whose capabilities say that it makes lines."""
        return cast(PsaLineCreation, self.psa)

    @property
    def reader(self) -> PsaAccountReading:
        """The adapter, for a PSA whose capabilities say that it sends callbacks."""
        return cast(PsaAccountReading, self.psa)

    # The next write.

    def clamp_next_write(self, maximum: int) -> None:
        self._fault("clamped_quantity", self.write, maximum=maximum)

    def ignore_next_write(self) -> None:
        self._fault("false_success", self.write)

    def refuse_next_write(self) -> None:
        self._fault("status", self.write, status=self.refusal_status)

    def limit_next_write(self) -> None:
        self._fault("rate_limited", self.write, retry_after="3")

    def forbid_writing(self) -> None:
        self._fault("status", self.write, times=0, status=403)

    def lose_next_write(self, *, committed: bool) -> None:
        self._fault("drop_after_commit" if committed else "drop_before_commit", self.write)

    def break_reading_after_next_write(self) -> None:
        self._fault("status", self.line_reads, nth=self.reads_before_write + 1, times=0, status=503)

    def lose_next_creation(self, *, committed: bool) -> None:
        self._fault("drop_after_commit" if committed else "drop_before_commit", self.creation)

    def refuse_next_creation(self) -> None:
        self._fault("status", self.creation, status=self.refusal_status)

    def lose_next_write_of_dated_change(self, *, committed: bool) -> None:
        """A dated change that is two steps begins by making a line."""
        route = self.write if self.second_step is None else self.creation
        self._fault("drop_after_commit" if committed else "drop_before_commit", route)

    def lose_second_step(self, *, committed: bool) -> None:
        if self.second_step is None:
            raise AssertionError("a dated change is one step here")
        self._fault("drop_after_commit" if committed else "drop_before_commit", self.second_step, times=0)

    # Reading.

    def break_reading(self) -> None:
        self._fault("status", self.reads, times=0, status=503)

    def mend(self) -> None:
        """Take every fault away again."""
        self.simulator.faults.clear()

    def limit_next_read(self) -> None:
        self._fault("rate_limited", self.lists, retry_after="7")

    def stall_next_read(self) -> None:
        self._fault("late_reply", self.lists, seconds=0.7)
        self.psa.close()
        self.psa = self._open(HASTY)

    def lose_next_read(self) -> None:
        self._fault("drop_before_commit", self.lists)

    def repeat_pages(self) -> None:
        self._fault("repeated_token", self.lists, times=0)

    def add_unknown_fields(self) -> None:
        self._fault("unknown_fields", self.reads, times=0)

    def drop_quantity_field(self) -> None:
        self._fault("set_field", self.reads, times=0, field=self.traits.quantity_field, remove=True)

    def answer_everything(self, status: int, text: str) -> None:
        body = json.dumps({"code": text, "message": text, "error": text, "errors": [text], "Message": text})
        self._fault("raw", self.authenticated, times=0, status=status, body=body)

    # The credential.

    def reject_credential(self) -> None:
        self._fault("unauthorized", self.authenticated, times=0)

    def forbid_reading(self) -> None:
        self._fault("status", self.reads, times=0, status=403)

    def forbid_products(self) -> None:
        self._fault("status", self.product_reads, times=0, status=403)

    # What was seen.

    def writes_sent(self) -> int:
        return len(self.simulator.world.writes)

    def waited_seconds(self) -> float:
        """The longest single wait so far."""
        return max(self.clock.sleeps, default=0.0)

    def _fault(self, kind: str, route: Route, *, nth: int = 1, times: int = 1, **options: object) -> None:
        self.simulator.faults.add(kind, method=route.method, path=route.path, nth=nth, times=times, **options)
