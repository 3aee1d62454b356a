"""Builds the environments `make` needs, from the hashed lock files, and does nothing when they are up to date.

Method: one stamp per environment holds a hash of everything that went into it; a matching stamp ends the work at once.
Only the standard library may be imported here, because this runs before anything is installed.
Must not: write outside the project folder (package managers keep their own caches), or install an unhashed package.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIRED_PYTHON = (3, 13)
HEARTBEAT_SECONDS = 10.0
UV_LOCK = "requirements-uv.txt"
STORE_FOLDER = ROOT / ".local-tools" / "dynoxide"
STORE_BINARY = STORE_FOLDER / "node_modules" / "@dynoxide" / "linux-x64" / "dynoxide"


class SetupError(Exception):
    """A set-up step failed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One virtual environment: its folder and the hashed requirement files that fill it, relative to the project."""

    folder: str
    requirement_files: tuple[str, ...]
    is_development: bool = False

    @property
    def path(self) -> Path:
        return ROOT / self.folder

    @property
    def python(self) -> Path:
        return self.path / "bin" / "python"

    @property
    def stamp_path(self) -> Path:
        return self.path / ".trueup-setup"


# aws-sam-cli and checkov pin old versions of libraries the product uses, so each lives alone.
ENVIRONMENTS = {
    "dev": Environment(".venv", ("requirements-dev.txt", UV_LOCK), is_development=True),
    "sam": Environment(".venv-sam", ("requirements-sam.txt",)),
    "checkov": Environment(".venv-checkov", ("requirements-checkov.txt",)),
}


def say(message: str) -> None:
    """Print one progress line at once, also into a pipe."""
    print(f"setup: {message}", flush=True)


def run_with_heartbeat(command: Sequence[str | Path], doing: str, *, cwd: Path = ROOT) -> None:
    """Run `command` quietly, printing a line every ten seconds while it works.

    Raises SetupError with the command's own output when it fails.
    """
    say(doing)
    started_at = time.monotonic()
    finished = threading.Event()

    def beat() -> None:
        while not finished.wait(HEARTBEAT_SECONDS):
            say(f"  still {doing[0].lower()}{doing[1:]} ({time.monotonic() - started_at:.0f} s)")

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        result = subprocess.run(  # noqa: S603 - a fixed list of arguments, no shell
            [str(part) for part in command],
            cwd=cwd,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    finally:
        finished.set()
        heart.join()
    if result.returncode != 0:
        output = (result.stdout + result.stderr).strip()
        raise SetupError(f"{doing} failed (exit code {result.returncode}):\n{output}")


@contextmanager
def one_setup_at_a_time() -> Iterator[None]:
    """Let two `make` commands in the same tree wait for each other instead of building one environment together."""
    lock_folder = ROOT / ".local-tools"
    lock_folder.mkdir(exist_ok=True)
    with (lock_folder / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another set-up in this folder to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fingerprint(*parts: str, files: Sequence[Path] = ()) -> str:
    """SHA-256 over the given words and the bytes of the given files."""
    digest = hashlib.sha256()
    for part in (*parts, str(ROOT), sys.version, platform.machine()):
        digest.update(part.encode() + b"\0")
    for file in (*files, Path(__file__)):
        digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()


def is_stamped(stamp_path: Path, expected: str) -> bool:
    return stamp_path.is_file() and stamp_path.read_text(encoding="utf-8") == expected


def ensure_environment(environment: Environment) -> None:
    """Bring one virtual environment to exactly what its lock files say."""
    files = [ROOT / name for name in environment.requirement_files]
    expected = fingerprint(environment.folder, files=files)
    if is_stamped(environment.stamp_path, expected):
        return
    environment.stamp_path.unlink(missing_ok=True)
    create_virtual_environment(environment)
    install_requirements(environment, files)
    if environment.is_development:
        link_project(environment)
    environment.stamp_path.write_text(expected, encoding="utf-8")


def create_virtual_environment(environment: Environment) -> None:
    """Make the folder, or make it anew when it came from another place or another Python."""
    configuration = environment.path / "pyvenv.cfg"
    if configuration.is_file():
        text = configuration.read_text(encoding="utf-8")
        if f"{platform.python_version()}" in text and str(environment.path) in text and environment.python.exists():
            return
    if environment.path.exists():
        say(f"{environment.folder} was made by another Python or in another folder; making it anew")
        shutil.rmtree(environment.path)
    doing = f"Creating {environment.folder} with Python {platform.python_version()}"
    run_with_heartbeat([sys.executable, "-m", "venv", environment.path], doing)


def install_requirements(environment: Environment, files: Sequence[Path]) -> None:
    """Install with uv, which takes seconds where pip takes a minute; with pip itself where uv has no build."""
    doing = f"Installing {' and '.join(file.name for file in files)} into {environment.folder}"
    command: list[str | Path]
    try:
        uv = find_installer(environment)
        command = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", environment.python, *files]
    except SetupError as error:
        say(f"uv cannot be installed here, so pip does the work (slower): {str(error).splitlines()[-1]}")
        command = [environment.python, "-m", "pip", "install", "--quiet", "--require-hashes"]
        for file in files:
            if file.name != UV_LOCK:
                command += ["-r", file]
    run_with_heartbeat(command, doing)


def find_installer(environment: Environment) -> Path:
    """The pinned, hash-checked uv of the development environment; installed with pip first where it is missing."""
    uv = ENVIRONMENTS["dev"].path / "bin" / "uv"
    if environment.is_development:
        lock = ROOT / UV_LOCK
        pinned_version = lock.read_text(encoding="utf-8").split("==", 1)[1].split()[0]
        if not uv.exists() or pinned_version not in installed_version(uv):
            options = ["--quiet", "--no-deps", "--require-hashes"]
            command: list[str | Path] = [environment.python, "-m", "pip", "install", *options, "-r", lock]
            run_with_heartbeat(command, "Installing the package installer (uv)")
    if not uv.exists():
        raise SetupError("uv is not in .venv; run `make setup` first")
    return uv


def installed_version(program: Path) -> str:
    result = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return result.stdout


def link_project(environment: Environment) -> None:
    """Make `trueup`, `local` and `functions` importable, and put the `trueup` command in place.

    A .pth file does it. An editable install would leave an egg-info folder in the layer, and all in it ships.
    """
    site_packages = (
        environment.path / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    )
    (site_packages / "trueup-project.pth").write_text(f"{ROOT}\n{ROOT / 'layers' / 'core'}\n", encoding="utf-8")
    launcher = environment.path / "bin" / "trueup"
    # -P keeps the caller's folder out of the import path: a folder named `local` there must not be run for ours.
    launcher.write_text(f'#!/bin/sh\nexec "{environment.python}" -P -m local.cli "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)


def ensure_embedded_store() -> None:
    """Install dynoxide, the embedded DynamoDB, where npm is there; say what stands in where it is not."""
    manifest, lock = (ROOT / "local" / "dynoxide" / name for name in ("package.json", "package-lock.json"))
    expected = fingerprint("dynoxide", files=[manifest, lock])
    stamp_path = STORE_FOLDER / ".trueup-setup"
    link = ENVIRONMENTS["dev"].path / "bin" / "dynoxide"
    if is_stamped(stamp_path, expected) and (link.exists() or not STORE_BINARY.exists()):
        return
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        say("The embedded store dynoxide has no build for this machine; ministack stands in for it")
        return
    npm = shutil.which("npm")
    if npm is None:
        say("Node's npm is not installed, so ministack stands in for the embedded store dynoxide (slower)")
        return
    STORE_FOLDER.mkdir(parents=True, exist_ok=True)
    stamp_path.unlink(missing_ok=True)
    for file in (manifest, lock):
        shutil.copy(file, STORE_FOLDER / file.name)
    # npm compares the download with the sha512 in the lock file and refuses another one.
    command = [npm, "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        run_with_heartbeat(command, "Installing the embedded store (dynoxide)", cwd=STORE_FOLDER)
        if not installed_version(STORE_BINARY):
            raise SetupError("dynoxide does not run on this machine")
    except (SetupError, OSError) as error:
        say(f"{error}\nsetup: ministack stands in for the embedded store; run `make setup` again to retry")
        return
    link.unlink(missing_ok=True)
    link.symlink_to(os.path.relpath(STORE_BINARY, link.parent))
    stamp_path.write_text(expected, encoding="utf-8")


def check_python() -> None:
    if sys.version_info[:2] != REQUIRED_PYTHON:
        wanted = ".".join(str(part) for part in REQUIRED_PYTHON)
        raise SetupError(f"This is Python {platform.python_version()}; Trueup needs Python {wanted}")


def main(arguments: Sequence[str]) -> int:
    """Entry point. Exit code 0 when the environment is ready, 1 with one message when it is not."""
    parser = argparse.ArgumentParser(description="Build the environments of this project.")
    parser.add_argument("environment", choices=sorted(ENVIRONMENTS), nargs="?", default="dev")
    chosen = parser.parse_args(arguments).environment
    started_at = time.monotonic()
    try:
        check_python()
        with one_setup_at_a_time():
            ensure_environment(ENVIRONMENTS["dev"])
            if chosen == "dev":
                ensure_embedded_store()
            else:
                ensure_environment(ENVIRONMENTS[chosen])
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr, flush=True)
        return 1
    if time.monotonic() - started_at > 1:
        say(f"{ENVIRONMENTS[chosen].folder} is ready")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
