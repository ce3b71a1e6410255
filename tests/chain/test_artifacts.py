"""Artefacts are what the sources compile to, and every part of a contract is explained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from launcher import compile_contracts
from launcher.places import ROOT
from tokens.chain.artifacts import artifact

CONTRACTS = sorted(
    path
    for directory in ("tokens/chain/contracts", "sandbox/contracts")
    for path in (ROOT / directory).glob("*.vy")
)


def test_artefacts_are_what_the_sources_compile_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert compile_contracts.main(["--check"]) == 0, capsys.readouterr().out


def test_an_altered_artefact_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    founded = tmp_path / "contracts"
    founded.mkdir()
    (founded / "Answer.vy").write_text("@external\ndef answer() -> uint256:\n    return 42\n")
    monkeypatch.setattr(compile_contracts, "ROOT", tmp_path)
    monkeypatch.setattr(compile_contracts, "_ARTIFACTS", {"contracts": "artifacts"})
    assert compile_contracts.main([]) == 0
    compiled = tmp_path / "artifacts" / "Answer.json"
    before = compiled.read_text()
    assert json.loads(before)["bytecode"].startswith("0x")
    compiled.write_text(before.replace("answer", "onswer"))
    (tmp_path / "artifacts" / "Gone.json").write_text("{}")
    capsys.readouterr()
    assert compile_contracts.main(["--check"]) == 1
    told = capsys.readouterr().out
    assert "artifacts/Answer.json is not what compiles" in told
    assert "artifacts/Gone.json is not what compiles" in told
    assert compile_contracts.main([]) == 0
    assert compiled.read_text() == before
    assert not (tmp_path / "artifacts" / "Gone.json").exists()


def test_what_does_not_compile_is_told_with_the_compilers_words(tmp_path: Path) -> None:
    source = tmp_path / "Broken.vy"
    source.write_text("def nothing(:\n")
    with pytest.raises(compile_contracts.DoesNotCompile, match=r"Broken\.vy"):
        compile_contracts.compiled(sources=[source])


def test_a_contract_that_is_not_there_has_no_artefact() -> None:
    with pytest.raises(FileNotFoundError):
        artifact("ImpactProxy")


@pytest.fixture(scope="module")
def documents() -> dict[Path, dict[str, Any]]:
    return compile_contracts.compiled(sources=CONTRACTS, parts=("abi", "userdoc", "devdoc"))


@pytest.mark.parametrize("source", CONTRACTS, ids=lambda path: path.stem)
def test_every_function_and_argument_is_explained(
    source: Path, documents: dict[Path, dict[str, Any]]
) -> None:
    found = documents[source]
    assert found["userdoc"]["notice"], "the contract itself"
    assert {"title", "license"} <= set(found["devdoc"])
    for item in found["abi"]:
        if item["type"] != "function" or is_a_variables_getter(source, item):
            continue
        signature = f"{item['name']}({','.join(kind(part) for part in item['inputs'])})"
        assert found["userdoc"]["methods"][signature]["notice"], signature
        explained = found["devdoc"]["methods"].get(signature, {}).get("params", {})
        assert set(explained) == {part["name"] for part in item["inputs"]}, signature


def is_a_variables_getter(source: Path, item: dict[str, Any]) -> bool:
    """A public variable's getter can't be explained: the product's contracts have none."""
    is_one = f"def {item['name']}(" not in source.read_text()
    assert not is_one or "sandbox" in source.parts, item["name"]
    return is_one


def kind(part: dict[str, Any]) -> str:
    found: str = part["type"]
    if found.startswith("tuple"):
        fields = ",".join(kind(field) for field in part["components"])
        return f"({fields}){found.removeprefix('tuple')}"
    return found
