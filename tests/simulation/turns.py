"""Threads that take turns at every call of a port, in an order drawn from a seed: interleavings that can be repeated.

Method: exactly one thread runs at any time; before each call of a wrapped port it hands the turn to a thread drawn at
random, maybe itself. Must not: depend on the machine's own scheduling.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from typing import Any

PATIENCE_SECONDS = 20


class Turns:
    """Who runs now. ``between`` is called at every change of turn, for instance to move a clock."""

    def __init__(self, seed: int, between: Callable[[random.Random], None] | None = None) -> None:
        self._random = random.Random(seed)
        self._between = between
        self._changed = threading.Condition()
        self._waiting: set[int] = set()
        self._running: int | None = None
        self.trail: list[int] = []

    def carry_out(self, *works: Callable[[], Any]) -> list[Any]:
        """Run all works in turns; each result, or the exception it ended with."""
        results: list[Any] = [None] * len(works)

        def carry(place: int, work: Callable[[], Any]) -> None:
            self._await(place)
            try:
                results[place] = work()
            except BaseException as error:  # noqa: BLE001 - what a work ends with is its result
                results[place] = error
            finally:
                self._leave(place)

        self._waiting = set(range(len(works)))
        threads = [threading.Thread(target=carry, args=(place, work), daemon=True) for place, work in enumerate(works)]
        self._places = {}
        for place, thread in enumerate(threads):
            thread.start()
            assert thread.ident is not None
            self._places[thread.ident] = place
        with self._changed:
            self._pass_on()
        for thread in threads:
            thread.join(timeout=PATIENCE_SECONDS)
            assert not thread.is_alive(), "the works wait for each other"
        return results

    def step(self) -> None:
        """Hand the turn on and wait for the next one. Threads that are not in the game pass."""
        place = self._places.get(threading.get_ident())
        if place is None:
            return
        with self._changed:
            self._pass_on()
        self._await(place)

    def wrap(self, port: Any) -> Any:
        """The port, with a change of turn before every call."""
        return _InTurns(port, self)

    def _pass_on(self) -> None:
        if self._between is not None:
            self._between(self._random)
        self._running = self._random.choice(sorted(self._waiting)) if self._waiting else None
        if self._running is not None:
            self.trail.append(self._running)
        self._changed.notify_all()

    def _await(self, place: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._running == place, timeout=PATIENCE_SECONDS)

    def _leave(self, place: int) -> None:
        with self._changed:
            self._waiting.discard(place)
            self._pass_on()


class _InTurns:
    def __init__(self, port: Any, turns: Turns) -> None:
        self._port = port
        self._turns = turns

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        if not callable(attribute):
            return attribute

        def call(*arguments: Any, **named: Any) -> Any:
            self._turns.step()
            return attribute(*arguments, **named)

        return call


def errors_of(results: Sequence[Any]) -> list[BaseException]:
    """The works that ended with an exception."""
    return [result for result in results if isinstance(result, BaseException)]
