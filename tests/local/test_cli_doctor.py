"""`trueup doctor` names what is missing with its fix, and ends with 1 only for what is needed."""

from pathlib import Path
from typing import Any

import pytest

from tests.local.command_line import Machine, machine, said


@pytest.fixture
def there(tmp_path: Path) -> Any:
    with machine(tmp_path / "home", clients=1) as ready:
        yield ready


def findings(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {item["what"]: item for item in document["findings"]}


def test_a_healthy_machine(there: Machine) -> None:
    told = there("doctor", "--json")
    assert told.code == 0, told.out
    found = findings(told.document)
    assert found["Store"]["standing"] == "ok"
    assert found["mimecast"]["found"] == "not connected"
    assert "trueup connect mimecast" in found["mimecast"]["fix"]
    assert found["Time zone"]["standing"] == "note"
    assert (
        findings(there("doctor", "--json", TRUEUP_TIME_ZONE="Europe/London").document)["Time zone"]["standing"] == "ok"
    )
    assert all(item["fix"] for item in told.document["findings"] if item["standing"] != "ok")


def test_a_vendor_that_fails_is_named(there: Machine) -> None:
    assert there(*there.connect_mimecast).code == 0
    there.mimecast.faults.add("status", status=403, times=0)
    checked = there("check", "mimecast", "--json")
    assert checked.code == 1
    assert checked.document["cause"]
    told = there("doctor", "--json")
    assert told.code == 1
    assert findings(told.document)["mimecast"]["found"] == checked.document["cause"]


def test_a_state_folder_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    told = said("doctor", "--json", TRUEUP_HOME=str(file))
    assert told.code == 1
    assert findings(told.document)["State folder"]["standing"] == "missing"
