"""script/lint: runs every check and reports all that failed."""

from __future__ import annotations

import subprocess
import sys
import time

from launcher.places import ROOT

_PYTHON = sys.executable
_MANAGE = [_PYTHON, "manage.py"]
CHECKS: dict[str, list[str]] = {
    "ruff check": [_PYTHON, "-m", "ruff", "check", "."],
    "ruff format": [_PYTHON, "-m", "ruff", "format", "--check", "."],
    "mypy": [_PYTHON, "-m", "mypy"],
    "import-linter": [
        *(_PYTHON, "-c"),
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
    ],
    "django check": [*_MANAGE, "check", "--fail-level", "WARNING"],
    "migrations": [*_MANAGE, "makemigrations", "--check", "--dry-run"],
    "contracts": [_PYTHON, "-m", "launcher.compile_contracts", "--check"],
    "API schema": [*_MANAGE, "spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null"],
}


def main(arguments: list[str]) -> int:
    """Run the named checks, or all of them."""
    unknown = set(arguments) - set(CHECKS)
    if unknown:
        print(f"No such check: {', '.join(sorted(unknown))}; there are {', '.join(CHECKS)}.")
        return 2
    failed = [name for name in arguments or CHECKS if not _passes(name)]
    if failed:
        print(f"Failed: {', '.join(failed)}.")
        return 1
    print("All checks passed.")
    return 0


def _passes(name: str) -> bool:
    began = time.monotonic()
    done = subprocess.run(
        CHECKS[name],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    passed = done.returncode == 0
    print(f"- {name}: {'ok' if passed else 'FAILED'}, {time.monotonic() - began:.1f} s", flush=True)
    if not passed:
        print(done.stdout, flush=True)
    return passed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
