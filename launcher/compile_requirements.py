"""Compile requirements*.in to pinned, hashed requirements*.txt; names no package index."""

from __future__ import annotations

import subprocess
import sys

from launcher.bootstrap import uv_environment
from launcher.places import ROOT

_FILES = ("requirements", "requirements-dev")


def main(arguments: list[str]) -> int:
    for name in _FILES:
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--generate-hashes"]
        command += ["--no-header", "--no-emit-index-url", "--no-emit-find-links"]
        command += ["--universal", "--python-version", "3.11", *arguments]
        command += ["--output-file", f"{name}.txt", f"{name}.in"]
        environment = uv_environment(python=sys.executable)
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        if code != 0:
            return code
        print(f"{name}.txt: {_pins(name)} packages")
    return 0


def _pins(name: str) -> int:
    lines = (ROOT / f"{name}.txt").read_text().splitlines()
    return sum("==" in line for line in lines)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
