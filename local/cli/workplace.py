"""The opened system that a command works with: the store runs, the environment is set, the ports are there.

Method: everything is reached through ``trueup.bootstrap``, exactly as the deployed functions reach it.
Must not: be imported for ``--help``; it pulls in what speaks to the store.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from local.cli.home import ENDPOINT_VARIABLE, Home, actor, environment_of, log_to, process_environment
from local.cli.output import Output
from local.embedded_store import running_store
from trueup import bootstrap
from trueup.domain.periods import Period
from trueup.ports.clock import Clock
from trueup.ports.psa import PsaBilling, PsaLineCreation
from trueup.ports.state_bundle import State
from trueup.settings import Settings, settings
from trueup.usecases.month import Systems
from trueup.usecases.opening import open_line_creation, open_psa


@dataclass(frozen=True, slots=True)
class Workplace:
    """One home, opened, with the person who is at work in it."""

    home: Home
    output: Output
    actor: str

    @property
    def settings(self) -> Settings:
        return settings()

    @property
    def state(self) -> State:
        return bootstrap.state()

    @property
    def clock(self) -> Clock:
        return bootstrap.clock()

    @property
    def period(self) -> str:
        """The billing month that it is now, in the tenant's time zone."""
        return str(Period.at(self.clock.now(), self.settings.time_zone))

    def systems(self) -> Systems:
        return Systems(
            state=bootstrap.state(),
            vault=bootstrap.vault(),
            connections=bootstrap.connections(),
            similarity=bootstrap.similarity(),
            clock=bootstrap.clock(),
        )

    def line_creation(self) -> PsaLineCreation:
        """What makes lines in the connected PSA. Raises NotConnected, InputInvalid where none can be made."""
        return open_line_creation(
            integrations=self.state.integrations, vault=bootstrap.vault(), connections=bootstrap.connections()
        )

    def psa(self) -> PsaBilling:
        """The connected PSA. Raises NotConnected."""
        return open_psa(
            integrations=self.state.integrations, vault=bootstrap.vault(), connections=bootstrap.connections()
        )


@contextmanager
def opened(home: Home, output: Output) -> Iterator[Workplace]:
    """Start the store of that home (or use the endpoint the caller names) and hand out a workplace.

    Raises ConfigurationInvalid when a setting is wrong, and what the embedded store raises when it does not start.
    """
    home.prepare()
    log_to(home)
    given = os.environ.get(ENDPOINT_VARIABLE, "")
    with running_store(home.path) as endpoint:
        values = process_environment(home, endpoint, is_own_store=endpoint != given)
        with environment_of(values):
            bootstrap.reset()
            try:
                yield Workplace(home=home, output=output, actor=actor())
            finally:
                bootstrap.reset()
