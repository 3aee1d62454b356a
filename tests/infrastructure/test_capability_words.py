"""One capability word runs all the way through: template, folder, service name, event file, use case, test, README."""

import pytest

from tests.infrastructure.template_reading import ROOT, functions

CAPABILITIES = sorted(functions())
# The portal is a door to all the use cases; its own logic is the HTTP API.
MODULES = {"portal": "layers/core/trueup/api/portal.py"}


def test_every_folder_is_a_function_and_every_function_a_folder() -> None:
    folders = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))
    assert folders == CAPABILITIES


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_word_is_the_service_name(capability: str) -> None:
    properties = functions()[capability]
    assert properties["CodeUri"] == f"functions/{capability}/"
    assert properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == capability
    assert properties["FunctionName"] == {"Fn::Sub": f"trueup-${{Tenant}}-{capability.replace('_', '-')}"}


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_word_names_the_event_file(capability: str) -> None:
    assert list((ROOT / "events").glob(f"{capability}*.json")), f"events/{capability}.json is missing"


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_word_names_the_module(capability: str) -> None:
    module = MODULES.get(capability, f"layers/core/trueup/usecases/{capability}.py")
    assert (ROOT / module).is_file(), f"{module} is missing"


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_word_names_the_test(capability: str) -> None:
    assert list((ROOT / "tests").glob(f"*/test_{capability}*.py")), f"no test is called test_{capability}"


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_the_word_is_explained_in_the_readme(capability: str) -> None:
    assert capability in (ROOT / "README.md").read_text(encoding="utf-8")


def test_function_folders_hold_one_door_and_nothing_else() -> None:
    for capability in CAPABILITIES:
        folder = ROOT / "functions" / capability
        files = {path.name for path in folder.iterdir() if path.name != "__pycache__"}
        # At run time a second module is top-level, in tests it is functions.x.module: two names for one thing.
        assert {name for name in files if name.endswith(".py")} == {"app.py"}
        assert "requirements.txt" not in files, "dependencies belong to the layer"
