"""script/compile-contracts: contracts to artefacts (ABI and bytecode), the same bytes each time."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launcher.places import ROOT

_ARTIFACTS = {
    "tokens/chain/contracts": "tokens/chain/artifacts",
    "sandbox/contracts": "sandbox/contracts/artifacts",
}


class DoesNotCompile(Exception):
    """The compiler refused a contract; the text is what it said."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="script/compile-contracts", description="Compile the contracts to artefacts."
    )
    parser.add_argument("--check", action="store_true", help="change nothing, name what differs")
    is_check = parser.parse_args(arguments).check
    wanted = artifacts()
    differing = [path for path in {*wanted, *_committed()} if _text(path) != wanted.get(path)]
    for path in sorted(differing):
        print(f"{path.relative_to(ROOT)} {'is not' if is_check else 'was not'} what compiles")
        if not is_check:
            _put(path, wanted.get(path))
    print(f"{len(wanted)} contracts, {len(differing)} artefacts differed.")
    return 1 if is_check and differing else 0


def artifacts() -> dict[Path, str]:
    """Return each artefact's path and the text that it should have."""
    targets = {
        source: ROOT / artifacts / f"{source.stem}.json"
        for contracts, artifacts in _ARTIFACTS.items()
        for source in sorted((ROOT / contracts).glob("*.vy"))
    }
    found = compiled(sources=list(targets))
    return {
        targets[source]: json.dumps(artifact, indent=1) + "\n" for source, artifact in found.items()
    }


def compiled(
    *, sources: Sequence[Path], parts: Sequence[str] = ("abi", "bytecode")
) -> dict[Path, dict[str, Any]]:
    """Return the named parts (of Vyper's combined JSON) of each contract; raise DoesNotCompile."""
    vyper = Path(sys.executable).with_name("vyper")
    done = subprocess.run(
        [vyper, "-f", "combined_json", *sources], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise DoesNotCompile(done.stderr.strip())
    found = json.loads(done.stdout)
    by_name = {Path(name).name: found[name] for name in found if name.endswith(".vy")}
    return {source: {part: by_name[source.name][part] for part in parts} for source in sources}


def _committed() -> list[Path]:
    return [path for directory in _ARTIFACTS.values() for path in (ROOT / directory).glob("*.json")]


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def _put(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
