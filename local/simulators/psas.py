"""Which PSAs are simulated: how each is started, and what opens it. A simulator is loaded only when it is named."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from local.simulators import credentials
from local.simulators.server import Simulator
from local.simulators.world import World


@dataclass(frozen=True, slots=True)
class SimulatedPsa:
    """One PSA that can be simulated. ``fields`` is the credential that opens it, as a person gives it to Trueup.

    ``limit_per_minute`` is what the vendor documents and the simulator counts by the minute; None where it counts
    otherwise by itself.
    """

    name: str
    label: str
    module: str
    simulator: str
    fields: Mapping[str, str]
    limit_per_minute: int | None = 0

    def open(
        self, world: World, *, latency_seconds: float = 0.0, port: int = 0, limit_per_minute: int | None = None
    ) -> Simulator:
        """Its server on loopback over that world; it is not started. ``limit_per_minute`` None is the vendor's own."""
        make = getattr(importlib.import_module(self.module), self.simulator)
        named: dict[str, Any] = {"latency_seconds": latency_seconds, "port": port}
        if self.limit_per_minute is not None:
            named["limit_per_minute"] = self.limit_per_minute if limit_per_minute is None else limit_per_minute
        return cast(Simulator, make(world, **named))


DEFAULT_PSA = "connectwise"

SIMULATED_PSAS: Mapping[str, SimulatedPsa] = {
    one.name: one
    for one in (
        SimulatedPsa(
            "connectwise",
            "ConnectWise",
            "local.simulators.connectwise",
            "ConnectWiseSimulator",
            {
                "company_id": credentials.CONNECTWISE_COMPANY_ID,
                "public_key": credentials.CONNECTWISE_PUBLIC_KEY,
                "private_key": credentials.CONNECTWISE_PRIVATE_KEY,
                "client_id": credentials.CONNECTWISE_CLIENT_ID,
            },
        ),
        SimulatedPsa(
            "autotask",
            "Autotask",
            "local.simulators.autotask",
            "AutotaskSimulator",
            {
                "user_name": credentials.AUTOTASK_USER_NAME,
                "secret": credentials.AUTOTASK_SECRET,
                "integration_code": credentials.AUTOTASK_INTEGRATION_CODE,
            },
            limit_per_minute=None,
        ),
        SimulatedPsa(
            "halopsa",
            "HaloPSA",
            "local.simulators.halopsa",
            "HaloPsaSimulator",
            {"client_id": credentials.HALOPSA_CLIENT_ID, "client_secret": credentials.HALOPSA_CLIENT_SECRET},
        ),
        SimulatedPsa(
            "syncro",
            "Syncro",
            "local.simulators.syncro",
            "SyncroSimulator",
            {"api_key": credentials.SYNCRO_API_KEY},
            limit_per_minute=180,
        ),
    )
}
