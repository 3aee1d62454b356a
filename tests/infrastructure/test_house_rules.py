"""The house rules that a program can check: which room may import which, names, sizes, and what no file may contain.

Method: the standard library's ast over every module; no file is run.
Must not: judge style that the formatter and the linter already judge.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "layers" / "core" / "trueup"
MAXIMUM_FUNCTION_LINES = 60
MAXIMUM_FILE_LINES = 400
FORBIDDEN_FILE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"}

# What each room may import of the package, as prefixes. Bootstrap is the one place that knows ports and adapters.
ALLOWED = {
    "domain": {"trueup.domain"},
    "ports": {"trueup.domain", "trueup.ports"},
    "usecases": {"trueup.domain", "trueup.ports", "trueup.usecases"},
    "adapters": {"trueup.domain", "trueup.ports", "trueup.adapters"},
    "api": {
        "trueup.api",
        "trueup.bootstrap",
        "trueup.usecases",
        "trueup.domain",
        "trueup.ports",
        "trueup.settings",
        "trueup.adapters.lambda_web",
    },
    "functions": {
        "trueup.api",
        "trueup.bootstrap",
        "trueup.usecases",
        "trueup.domain",
        "trueup.settings",
        "trueup.adapters.lambda_web",
    },
}
# The rules of the product must run without a clock, a disk, a network or a log.
NOT_IN_DOMAIN = {
    "asyncio",
    "http",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "socket",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
}
CLOCK_READINGS = {"now", "utcnow", "today"}
# Rooms that must not know by which library the outside is reached.
NOT_IN_USECASES = {"aws_durable_execution_sdk_python", "aws_lambda_powertools", "boto3", "botocore", "requests"}


def modules(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line number and full dotted name of everything a module imports, wherever in it; relative imports are refused."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def is_within(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


def offending_imports(room: str, folder: Path) -> list[str]:
    return [
        f"{short(path)}:{line}: {name}"
        for path in modules(folder)
        for line, name in imports(path)
        if name.split(".")[0] == "trueup" and not is_within(name, ALLOWED[room])
    ]


@pytest.mark.parametrize("room", ["domain", "ports", "usecases", "adapters", "api"])
def test_imports_point_inward(room: str) -> None:
    assert offending_imports(room, PACKAGE / room) == []


def test_doors_import_only_what_doors_need() -> None:
    assert offending_imports("functions", ROOT / "functions") == []


def test_nobody_imports_the_doors_and_the_layer_imports_nothing_outside_itself() -> None:
    offenders = [
        f"{short(path)}:{line}: {name}"
        for path in modules(PACKAGE)
        for line, name in imports(path)
        if name.split(".")[0] in {"functions", "local", "tests", "benchmarks"}
    ]
    assert offenders == []


def test_adapter_folders_are_strangers_to_each_other() -> None:
    """A folder may use itself and the files directly under adapters/ (the HTTP room); those may not use a folder."""
    adapters = PACKAGE / "adapters"
    folders = {path.name for path in adapters.iterdir() if path.is_dir()}
    offenders = []
    for path in modules(adapters):
        own_folder = path.relative_to(adapters).parts[0]
        for line, name in imports(path):
            if name.startswith("trueup.adapters."):
                target = name.split(".")[2]
                if target in folders and target != own_folder:
                    offenders.append(f"{short(path)}:{line}: {name}")
    assert offenders == []


def test_the_domain_uses_the_standard_library_only_and_touches_nothing() -> None:
    offenders = []
    for path in modules(PACKAGE / "domain"):
        for line, name in imports(path):
            top = name.split(".")[0]
            if top != "trueup" and (top not in sys.stdlib_module_names or top in NOT_IN_DOMAIN):
                offenders.append(f"{short(path)}:{line}: {name}")
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_READINGS:
                offenders.append(f"{short(path)}:{node.lineno}: reads the clock")
    assert offenders == []


@pytest.mark.parametrize("room", ["ports", "usecases"])
def test_ports_and_use_cases_do_not_know_the_outside(room: str) -> None:
    offenders = [
        f"{short(path)}:{line}: {name}"
        for path in modules(PACKAGE / room)
        for line, name in imports(path)
        if name.split(".")[0] in NOT_IN_USECASES
    ]
    assert offenders == []


def test_no_drawer_for_odds_and_ends() -> None:
    folders = [PACKAGE, ROOT / "functions", ROOT / "local", ROOT / "benchmarks", ROOT / "tests"]
    assert [short(path) for path in modules(*folders) if path.stem in FORBIDDEN_FILE_NAMES] == []


def test_functions_fit_on_a_screen() -> None:
    offenders = []
    for path in modules(PACKAGE, ROOT / "functions", ROOT / "local"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAXIMUM_FUNCTION_LINES:
                    offenders.append(f"{short(path)}:{node.lineno}: {node.name} has {lines} lines")
    assert offenders == []


def test_files_can_be_read_in_one_sitting() -> None:
    offenders = []
    for path in modules(PACKAGE, ROOT / "functions", ROOT / "local"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAXIMUM_FILE_LINES:
            offenders.append(f"{short(path)} has {lines} lines")
    assert offenders == []


def test_every_module_opens_by_saying_what_it_is_for() -> None:
    folders = [PACKAGE, ROOT / "functions", ROOT / "local", ROOT / "benchmarks"]
    silent = [
        short(path) for path in modules(*folders) if path.read_text().strip() and not ast.get_docstring(tree_of(path))
    ]
    assert silent == []


def docstring_positions(tree: ast.Module) -> set[int]:
    """Lines on which a docstring begins; what stands in one is prose."""
    positions = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                positions.add(first.value.lineno)
    return positions


def test_table_keys_are_written_on_one_page_only() -> None:
    offenders = []
    for path in modules(PACKAGE / "adapters" / "dynamodb"):
        if path.name == "keys.py":
            continue
        tree = tree_of(path)
        prose = docstring_positions(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node.lineno in prose:
                continue
            # "#name" alone is DynamoDB's placeholder for an attribute name, not a key.
            if re.search(r"#(?![a-z]\w*\b)|\w#", node.value):
                offenders.append(f"{short(path)}:{node.lineno}: {node.value!r}")
    assert offenders == []


def test_the_layer_and_the_doors_never_print() -> None:
    offenders = [
        f"{short(path)}:{node.lineno}"
        for path in modules(PACKAGE, ROOT / "functions")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert offenders == []


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
    offenders = []
    for path in modules(PACKAGE, ROOT / "functions", ROOT / "local", ROOT / "benchmarks", ROOT / "tests"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if marks.search(line):
                offenders.append(f"{short(path)}:{number}: {line.strip()}")
    assert offenders == []


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git working tree, so nobody can say which files are part of the project")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    return [ROOT / name for name in listing.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


# Written in two halves so that this file does not contain what it looks for.
MACHINE_TRACES = {
    "the address of a package index": (
        "py" + "pi.org",
        "python" + "hosted.org",
        "registry.npm" + "js",
        "yarnpkg" + ".com",
    ),
    "a path of one machine": ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/"),
}


@pytest.mark.parametrize("trace", MACHINE_TRACES)
def test_no_tracked_file_carries_traces_of_a_machine(trace: str) -> None:
    offenders = []
    for path in tracked_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        offenders += [f"{short(path)}: {word}" for word in MACHINE_TRACES[trace] if word in text]
    assert offenders == []


def test_lock_files_pin_every_package_with_hashes() -> None:
    for lock in [*ROOT.glob("requirements*.txt"), ROOT / "layers" / "core" / "requirements.txt"]:
        entries = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip())
        for entry in entries:
            assert re.match(r"[a-z0-9-]+(\[[a-z,]+\])?==\S+", entry), f"{lock.name}: {entry[:60]}"
            assert "--hash=sha256:" in entry, f"{lock.name}: {entry[:60]} has no hash"


def test_what_ships_is_what_is_tested() -> None:
    """Each package of the layer has the same version in the development environment."""

    def pins(path: Path) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE))

    development = pins(ROOT / "requirements-dev.txt")
    different = {
        name: (version, development.get(name))
        for name, version in pins(PACKAGE.parent / "requirements.txt").items()
        if development.get(name) != version
    }
    assert different == {}
