"""What `sam build` made: the layer's shape, its libraries and platform, and that it is a build of this source.

Needs a build, so it belongs to `make deployable` and not to `make test`.
"""

import re
import struct
from pathlib import Path

import pytest

from tests.infrastructure.template_reading import ROOT, functions, resources

BUILD = ROOT / ".aws-sam" / "build"
LAYER = BUILD / "CoreLayer" / "python"
AARCH64 = 183  # e_machine in the ELF header.
LAMBDA_LIMIT_MEGABYTES = 250  # Function and layers together, unzipped.

pytestmark = [
    pytest.mark.built,
    pytest.mark.skipif(not (BUILD / "template.yaml").is_file(), reason="nothing is built; run `make deployable`"),
]


def sources(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_package_is_importable_from_the_layer() -> None:
    assert (LAYER / "trueup" / "__init__.py").is_file()
    assert not (LAYER / "python").exists(), "built to python/python, which no function can import"


def test_the_layer_is_a_build_of_this_source() -> None:
    assert sources(LAYER / "trueup") == sources(ROOT / "layers" / "core" / "trueup")


def test_nothing_but_the_package_and_its_libraries_ships() -> None:
    strays = [path.name for path in LAYER.iterdir() if path.name in {"tests", "README.md"} or "egg-info" in path.name]
    assert strays == []


def test_the_libraries_are_the_locked_ones() -> None:
    lock = (ROOT / "layers" / "core" / "requirements.txt").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE))
    built = {}
    for folder in LAYER.glob("*.dist-info"):
        name, version = folder.name.removesuffix(".dist-info").rsplit("-", 1)
        built[name.replace("_", "-").lower()] = version
    assert built == locked


def test_compiled_libraries_are_for_python_3_13_on_arm64() -> None:
    compiled = list(LAYER.rglob("*.so"))
    assert compiled
    for path in compiled:
        (machine,) = struct.unpack_from("<H", path.read_bytes(), 18)
        assert machine == AARCH64, path
        assert "cpython-313" in path.name or "abi3" in path.name, path


def test_the_layer_leaves_room_under_the_limit() -> None:
    size = sum(path.stat().st_size for path in LAYER.rglob("*") if path.is_file())
    assert size / 1e6 < LAMBDA_LIMIT_MEGABYTES / 2


@pytest.mark.parametrize("capability", sorted(functions()))
def test_a_function_ships_its_door_only(capability: str) -> None:
    by_capability = {
        Path(body["Properties"]["CodeUri"]).name: name for name, body in resources("AWS::Serverless::Function").items()
    }
    built = BUILD / by_capability[capability]
    # The portal brings its screens with it, when it has some.
    files = {name: text for name, text in sources(built).items() if not name.startswith("static/")}
    assert files == {"app.py": (ROOT / "functions" / capability / "app.py").read_bytes()}
