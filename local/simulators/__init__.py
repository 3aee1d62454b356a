"""Mimecast, four PSAs and Microsoft 365 as real HTTP servers on loopback, over one made-up world, with faults to order.

    with running(MimecastSimulator(demo_world())) as mimecast:
        mimecast.faults.add("rate_limited", path="/partner/v1/customers", reset_milliseconds=2750)
        ...requests to mimecast.url...

The same over HTTP: `/_control/faults`, `/_control/requests`, `/_control/state`, `/_control/settings`.
As a process: `python -m local.simulators --help`.
"""

from local.simulators.connectwise import ConnectWiseSimulator
from local.simulators.demo_world import demo_world, scaled_world
from local.simulators.microsoft365 import Microsoft365Simulator
from local.simulators.mimecast import MimecastSimulator
from local.simulators.psas import DEFAULT_PSA, SIMULATED_PSAS, SimulatedPsa
from local.simulators.server import running
from local.simulators.world import World

__all__ = [
    "DEFAULT_PSA",
    "SIMULATED_PSAS",
    "ConnectWiseSimulator",
    "Microsoft365Simulator",
    "MimecastSimulator",
    "SimulatedPsa",
    "World",
    "demo_world",
    "running",
    "scaled_world",
]
