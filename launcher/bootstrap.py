"""Set up .venv, then become a program in it: bootstrap.py runtime|dev PYTHON-ARGUMENTS.

Runs on the bare system Python, so it uses the standard library only. It ends
in exec, so that signals sent to the script reach the program itself.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from launcher import anvil_install, steps  # noqa: E402  (python -I leaves the repository out)
from launcher.progress import Progress  # noqa: E402
from launcher.steps import BootstrapError  # noqa: E402

VENV = ROOT / ".venv"
STAMP = VENV / "bootstrap.json"
LOCK = VENV / "bootstrap.lock"
UV_REQUIREMENTS = "launcher/uv.txt"
REQUIREMENTS = {
    "runtime": ["requirements.txt"],
    "dev": ["requirements.txt", "requirements-dev.txt"],
    "uv": [],
}


def ensure(*, requirements: list[str], progress: Progress) -> Path:
    """Make .venv hold these requirement files; returns its Python."""
    python = VENV / "bin" / "python"
    wanted = {name: _digest(ROOT / name) for name in requirements}
    if _is_current(python, wanted):
        return python
    VENV.mkdir(exist_ok=True)
    with steps.lock(LOCK, what=".venv", progress=progress):
        if _is_current(python, wanted):  # another set-up did it while we waited
            return python
        if _describe(python) is None:
            _create_venv(python, progress)
        for name in requirements:
            if _read_stamp(python).get(name) != wanted[name]:
                _install(python, name, progress)
                _write_stamp(python, name, wanted[name])
    return python


def _prepare(kind: str, progress: Progress) -> Path:
    python = ensure(requirements=REQUIREMENTS[kind], progress=progress)
    if kind == "uv" and not ensure_uv(python, progress):
        raise BootstrapError("uv could not be installed.")
    if _needs_chain(kind):
        anvil_install.ensure(python=python, progress=progress)
    return python


def _needs_chain(kind: str) -> bool:
    """A server with a node of its own needs no dev chain; tests never use that node."""
    given = os.environ.get("CHAIN_RPC_URL") or os.environ.get("CHAIN_RPC_URL_FILE")
    return kind == "dev" or (kind == "runtime" and not given)


def ensure_uv(python: Path, progress: Progress) -> bool:
    """uv installs in seconds what takes pip most of a minute; without it pip does."""
    digest = _digest(ROOT / UV_REQUIREMENTS)
    stamp = _read_stamp(python)
    if stamp.get(UV_REQUIREMENTS) == digest:
        return True
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    command += ["--require-hashes", "-r", UV_REQUIREMENTS]
    code, _ = _run("Installing uv", command, progress, environment=dict(os.environ))
    if code == 0:
        _write_stamp(python, UV_REQUIREMENTS, digest)
    return code == 0


def _create_venv(python: Path, progress: Progress) -> None:
    for item in VENV.iterdir():
        if item != LOCK:
            shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()
    command = [sys.executable, "-m", "venv", str(VENV)]
    code, tail = _run("Creating .venv", command, progress, environment=dict(os.environ))
    if code != 0 or _describe(python) is None:
        print("\n".join(tail), file=sys.stderr)
        raise BootstrapError(
            f"{sys.executable} cannot create a virtual environment: install its venv and pip."
        )


def _install(python: Path, requirements: str, progress: Progress) -> None:
    arguments = ["--require-hashes", "-r", requirements]
    title = f"Installing {requirements}"
    if ensure_uv(python, progress):
        command = [str(python), "-m", "uv", "pip", "install", "--python", str(python), *arguments]
        code, tail = _run(title, command, progress, environment=uv_environment(python=python))
        if code == 0:
            return
        progress.say("\n".join(f"    {line}" for line in tail[-5:]))
        title += " with pip instead of uv"
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    code, tail = _run(title, command, progress, environment=dict(os.environ))
    if code != 0:
        print("\n".join(tail), file=sys.stderr)
        raise BootstrapError(
            f"The packages of {requirements} could not be installed; see the lines above."
        )


def uv_environment(*, python: Path | str) -> dict[str, str]:
    """uv does not read pip's configuration: hand over where pip looks for packages."""
    environment = dict(os.environ)
    if not os.access(Path.home(), os.W_OK):
        environment.setdefault("UV_NO_CACHE", "1")
    listed = subprocess.run(
        [str(python), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    found: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        with contextlib.suppress(ValueError, SyntaxError):
            found[key.rpartition(".")[2]] = " ".join(str(ast.literal_eval(value)).split())
    if "index-url" in found:
        environment.setdefault("UV_DEFAULT_INDEX", found["index-url"])
    if "extra-index-url" in found:
        environment.setdefault("UV_INDEX", found["extra-index-url"])
        # pip looks at every index; safe here, as every file must match its hash.
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    if "find-links" in found:
        environment.setdefault("UV_FIND_LINKS", ",".join(found["find-links"].split()))
    if "cert" in found:
        environment.setdefault("SSL_CERT_FILE", found["cert"])
    return environment


def _run(
    title: str, command: list[str], progress: Progress, *, environment: dict[str, str]
) -> tuple[int, list[str]]:
    """Run one slow step; returns its exit code and the end of its output."""
    log = VENV / "bootstrap.log"
    return steps.run(title, command, progress, directory=ROOT, environment=environment, log=log)


def _describe(python: Path) -> str | None:
    """Version and place of .venv's Python, or None where it does not run."""
    try:
        answer = subprocess.run(
            [str(python), "-I", "-c", "import pip, sys; print(sys.version_info[:2], sys.prefix)"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    version, _, prefix = answer.stdout.strip().partition(") ")
    # A copied or moved .venv still runs, but its scripts point to the old place.
    return f"{version}) {prefix}" if Path(prefix).resolve() == VENV.resolve() else None


def _is_current(python: Path, wanted: dict[str, str]) -> bool:
    stamp = _read_stamp(python)
    return bool(stamp) and all(stamp.get(name) == digest for name, digest in wanted.items())


def _read_stamp(python: Path) -> dict[str, str]:
    """What is installed; empty where .venv was made by another Python or elsewhere."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    current = _describe(python)
    if not isinstance(stamp, dict) or current is None or stamp.get("python") != current:
        return {}
    return stamp


def _write_stamp(python: Path, name: str, digest: str) -> None:
    stamp = {**_read_stamp(python), "python": _describe(python) or "", name: digest}
    fresh = STAMP.with_suffix(".new")
    fresh.write_text(json.dumps(stamp, indent=1))
    fresh.replace(STAMP)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _stop(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> None:
    kind, *program = arguments
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    # Standard error, so that the standard output of a bench stays its own.
    progress = Progress(stream=sys.stderr)
    try:
        python = _prepare(kind, progress)
    except BootstrapError as error:
        raise SystemExit(str(error)) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    if os.environ.get("VAR_DIR"):
        os.environ["VAR_DIR"] = str(Path(os.environ["VAR_DIR"]).absolute())
    os.chdir(ROOT)
    sys.stdout.flush()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.execv(python, [str(python), *program])  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
