"""Every PSA is connected over the API by the same route, and shows no secret."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from local.simulators import SIMULATED_PSAS
from tests.handlers.stage import Stage, require_problem
from trueup.domain.integrations import CREDENTIAL_FIELDS, IntegrationName

# A function that fails has nothing to measure, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


@pytest.mark.parametrize("psa", sorted(set(SIMULATED_PSAS) - {"connectwise"}))
def test_a_psa_is_connected_looked_at_and_disconnected(stage_at: Callable[[str], Stage], psa: str) -> None:
    stage, kind = stage_at("empty"), SIMULATED_PSAS[psa]
    path = f"/v1/integrations/{psa}"
    fields = CREDENTIAL_FIELDS[IntegrationName(psa)]
    secrets = [kind.fields[field.name] for field in fields if field.secret]
    with kind.open(stage.connectwise.world) as simulator:
        body = {"address": simulator.url, "fields": dict(kind.fields)}
        for field in fields:
            lacking = {**body, "fields": {**kind.fields, field.name: ""}}
            require_problem(stage.http("PUT", path, lacking), 400, "input_invalid")
        wrong = {**body, "fields": {**kind.fields, **{field.name: "wrong" for field in fields if field.secret}}}
        refused = stage.http("PUT", path, wrong)
        assert require_problem(refused, refused.status, "credential_rejected")
        elsewhere = {**body, "address": "https://psa.evil.example"}
        refused = stage.http("PUT", path, elsewhere)
        assert require_problem(refused, refused.status, "unsafe_address")
        connected = stage.http("PUT", path, body)
        assert connected.status == 200
        again = stage.http("POST", f"{path}/authenticate", {})
        assert again.status == 200
        shown = stage.http("GET", path)
        assert stage.ok("GET", "/v1/products?search=MIME")["items"]
        gone = stage.ok("DELETE", path)
    assert gone["state"] == "not_connected"
    assert not [secret for secret in secrets if secret in connected.text + again.text + shown.text]
    assert [field["name"] for field in stage.ok("GET", path)["fields"]] == [field.name for field in fields]
