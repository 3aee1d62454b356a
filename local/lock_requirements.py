"""Resolves pyproject.toml into the hashed requirement files; run by `make locks`.

Method: uv resolves each set for Python 3.13 on every platform, with the hash of every file a package index offers.
Must not: write the address of a package index into a file, so that a mirror serves as well as the public index.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Output file, and where its requirements come from. The layer's file lies beside the package, where `sam build` looks.
LOCKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("layers/core/requirements.txt", ("pyproject.toml",)),
    ("requirements-dev.txt", ("pyproject.toml", "--group", "dev", "--constraint", "layers/core/requirements.txt")),
    ("requirements-sam.txt", ("--group", "sam")),
    ("requirements-checkov.txt", ("--group", "checkov")),
    ("requirements-uv.txt", ("--group", "uv")),
)
OPTIONS = (
    "--python-version=3.13",
    "--universal",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--no-annotate",
    "--quiet",
)


def main(arguments: list[str]) -> int:
    """Write all lock files; arguments are passed on to uv, such as `--upgrade`. Returns uv's exit code."""
    uv = ROOT / ".venv" / "bin" / "uv"
    for output, sources in LOCKS:
        print(f"resolving {output}", flush=True)
        command = [str(uv), "pip", "compile", *OPTIONS, *arguments, *sources, "--output-file", output]
        result = subprocess.run(command, cwd=ROOT, check=False)
        if result.returncode != 0:
            return result.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
