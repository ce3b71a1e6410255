"""Install the dev chain's binary (anvil) under .anvil/ from its npm package.

Runs on the bare system Python, so it uses the standard library only. The
package's own install script would download; it is never run, as the binary
lies in an optional dependency, one per platform. npm checks every file against
the hash in launcher/anvil/package-lock.json.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from launcher import steps
from launcher.progress import Progress
from launcher.steps import BootstrapError

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".anvil"
LOCK_FILE = ROOT / "launcher" / "anvil" / "package-lock.json"
NODE_REQUIREMENTS = "launcher/node.txt"
_STAMP = HOME / "installed.json"
_OLDEST_NPM = 7  # the first that reads a lock file of version 3
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def binary() -> Path:
    """Where the server of this machine is, or would be; raises BootstrapError where none is made.

    TEST_ANVIL names another one.
    """
    if os.environ.get("TEST_ANVIL"):
        return Path(os.environ["TEST_ANVIL"])
    machine = _MACHINES.get(platform.machine().lower())
    if sys.platform not in ("linux", "darwin") or machine is None:
        raise BootstrapError(
            f"There is no dev chain for {platform.system()} on {platform.machine()}: "
            "set CHAIN_RPC_URL to a node of your own."
        )
    return _under(HOME) / f"anvil-{sys.platform}-{machine}" / "bin" / "anvil"


def ensure(*, python: Path, progress: Progress) -> Path:
    """Install what launcher/anvil pins, once; returns the binary. python gets Node where it lacks.

    Raises BootstrapError with one sentence where it can't be installed.
    """
    path = binary()
    if os.environ.get("TEST_ANVIL") or _is_current(path):
        return path
    HOME.mkdir(exist_ok=True)
    with steps.lock(HOME / "install.lock", what="the dev chain", progress=progress):
        if not _is_current(path):  # another set-up did it while we waited
            _install(path, python=python, progress=progress)
    return path


def _install(path: Path, *, python: Path, progress: Progress) -> None:
    npm, folders = _npm(python=python, progress=progress)
    fresh = HOME / "new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(LOCK_FILE.with_name(name), fresh / name)
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--include=optional"]
    code, tail = steps.run(
        "Installing the dev chain (anvil)",
        command,
        progress,
        directory=fresh,
        environment=_environment(folders),
        log=HOME / "install.log",
    )
    found = fresh / path.relative_to(HOME)
    if code == 0 and not _works(found):
        tail.append(f"{found} does not run on this machine.")
    if code != 0 or not _works(found):
        print("\n".join(tail), file=sys.stderr)
        raise BootstrapError(
            "The dev chain (anvil) could not be installed, see the lines above: mend the way to "
            "the npm registry, or set CHAIN_RPC_URL to a node of your own."
        )
    shutil.rmtree(HOME / "node_modules", ignore_errors=True)
    (fresh / "node_modules").replace(HOME / "node_modules")
    shutil.rmtree(fresh)
    _STAMP.write_text(json.dumps({"lock": _digest(LOCK_FILE)}))


def _npm(*, python: Path, progress: Progress) -> tuple[list[str], list[Path]]:
    """The command of an npm that is new enough, and folders that its PATH needs first."""
    found = shutil.which("npm")
    if (
        found is not None
        and shutil.which("node") is not None
        and _npm_version([found]) >= _OLDEST_NPM
    ):
        return [found], []
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    command += ["--require-hashes", "-r", NODE_REQUIREMENTS]
    code, tail = steps.run(
        "Installing Node.js",
        command,
        progress,
        directory=ROOT,
        environment=dict(os.environ),
        log=HOME / "install.log",
    )
    scripts = python.parent
    if code != 0 or not (scripts / "npm").exists():
        print("\n".join(tail), file=sys.stderr)
        raise BootstrapError(
            "Node.js, which the dev chain is installed with, could not be installed: "
            "install node and npm, or set CHAIN_RPC_URL to a node of your own."
        )
    return [str(scripts / "npm")], [scripts]


def _npm_version(npm: list[str]) -> int:
    """Its major version; 0 where it does not run."""
    done = _answer([*npm, "--version"])
    major = done.partition(".")[0].strip()
    return int(major) if major.isdigit() else 0


def _works(path: Path) -> bool:
    return "anvil" in _answer([str(path), "--version"]).lower()


def _answer(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _environment(folders: list[Path]) -> dict[str, str]:
    environment = dict(os.environ)
    environment["PATH"] = os.pathsep.join([*map(str, folders), environment.get("PATH", "")])
    if not os.access(Path.home(), os.W_OK):
        environment.setdefault("npm_config_cache", str(HOME / "cache"))
    return environment


def _is_current(path: Path) -> bool:
    try:
        stamp = json.loads(_STAMP.read_text())
    except (OSError, ValueError):
        return False
    return stamp == {"lock": _digest(LOCK_FILE)} and os.access(path, os.X_OK)


def _under(home: Path) -> Path:
    return home / "node_modules" / "@foundry-rs"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
