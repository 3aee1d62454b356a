"""Every call that the adapter makes is one that Autotask publishes. Skipped where the list is not at hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.adapters.autotask.connected import HARBOR, REFERENCE, connected, read_all, write
from tests.contracts.psa_subject_autotask import AUTOTASK_FIELDS
from trueup.adapters.autotask.callbacks import open_callback_registration
from trueup.domain.billing import WriteOutcome
from trueup.domain.callbacks import CallbackSecrets

PATHS = Path(__file__).resolve().parents[4] / "shared" / "specs" / "autotask-v1.0-paths-2021.txt"
_NUMBER = re.compile(r"/\d+(?=/|$)")
_PLACE = re.compile(r"\{[a-zA-Z]+\}")


@pytest.mark.skipif(not PATHS.exists(), reason="the published list of Autotask's paths is not beside the project")
def test_every_call_is_a_published_one() -> None:
    published = {
        (found[1], _PLACE.sub("{id}", found[2]).casefold())
        for found in re.finditer(r"\*\*([A-Z]+)\*\* /V1\.0(/\S*)", PATHS.read_text())
    }
    with connected() as site:
        site.psa.check()
        read_all(site.psa)
        site.psa.read_account(HARBOR.id)
        site.psa.read_line(REFERENCE)
        site.psa.search_products("MIME")
        assert write(site).outcome is WriteOutcome.APPLIED
        registration = open_callback_registration(
            site.simulator.url, AUTOTASK_FIELDS, clock=site.clock, allow_loopback=True
        )
        (callback,) = registration.register("https://tenant.example/x/y", CallbackSecrets("y", "s" * 20, "u", "p"))
        site.world.vendor_state["autotask"]["webhooks"][0]["isActive"] = False
        registration.register("https://tenant.example/x/y", CallbackSecrets("y", "s" * 20, "u", "p"))
        registration.remove(callback.id)
        registration.close()
        entries = site.simulator.requests.entries
    assert all(entry.path.startswith("/ATServicesRest/V1.0/") for entry in entries)
    called = {
        (entry.method, _NUMBER.sub("/{id}", entry.path.removeprefix("/ATServicesRest/V1.0")).casefold())
        for entry in entries
    }
    assert len(called) > 20
    assert called <= published
    assert {entry.status for entry in entries} == {200}
