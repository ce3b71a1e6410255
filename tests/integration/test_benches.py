"""The benchmarks run, at a size that says nothing about speed; what they print keeps its shape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from benches import chain, dashboard, load, outcome, page
from benches.load import BadAnswer
from benches.outcome import Outcome
from benches.requests import RAILS
from launcher.places import ROOT

RATIOS = {
    "settle": {"vs_bare", "vs_orm", "vs_hordak"},
    "ussd": {"vs_empty_view"},
    "hooks": {"vs_empty_view", *(f"vs_empty_view_{rail}" for rail in RAILS)},
    "chain": {
        "vs_one_mint_each_100_households",
        "vs_batch_mint_100_households",
        "vs_keccak_tree",
    },
    "dashboard": {"vs_empty_cache"},
}
FIGURES = {
    "settle": {
        "readings_per_second",
        "readings_per_second_two_processes",
        "readings_per_second_1000_households_x_1_slot",
        "bare_readings_per_second",
        "orm_readings_per_second_extrapolated_from_sample",
        "hordak_transfers_per_second_extrapolated_from_sample",
        "rss_growth_mb",
    },
    "ussd": {
        "hop_p50_ms_at_100_per_second",
        "hop_p99_ms_at_100_per_second",
        "hops_per_second",
        "empty_view_per_second",
    },
    "hooks": {
        "hook_p50_ms_at_100_per_second",
        "hook_p99_ms_at_100_per_second",
        "hooks_per_second",
        "empty_view_per_second",
        *(f"accepted_{rail}_per_second" for rail in RAILS),
    },
    "chain": {
        "gas_per_epoch_100_households",
        "gas_per_household_100_households",
        "gas_per_one_mint_each",
        "gas_per_mint_in_a_batch_of_500",
        *(f"gas_of_{call}" for call in ("propose", "veto", "activate", "create_forwarder")),
        *(f"gas_of_first_claim_depth_{depth}" for depth in (5, 10)),
        *(f"gas_per_node_{name}" for name in ("sha256", "keccak")),
        *(f"tree_us_per_leaf_{name}" for name in ("sha256", "keccak")),
    },
    "dashboard": {
        f"{page}_page_{figure}"
        for page in dashboard.PAGES
        for figure in ("cold_ms", "warm_ms", "gzipped_bytes")
    },
}
# Named after their size, which a small run does not have.
LARGE = {
    f"{figure}_{households}_households"
    for figure in ("gas_per_epoch", "tree_build_seconds", "tree_build_peak_mb")
    for households in chain.FULL.households
}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run on a stack of its own, as script/bench does."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "DATABASE_OWNER_URL", "BROKER_URL", "CACHE_URL"}
    }
    return subprocess.run(
        [
            *(sys.executable, "-m", "launcher.run", "--quiet", "--"),
            *("python", "-m", "benches", *arguments),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_each_benchmark_prints_one_json_object() -> None:
    names = list(RATIOS)
    done = bench(*names, "--json", "--small")
    assert done.returncode == 0, done.stderr[-4000:]
    found: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["bench"] for one in found] == names
    for one in found:
        assert set(one) == {"bench", "figures", "ratios"}
        assert set(one["ratios"]) >= RATIOS[one["bench"]]
        assert set(one["figures"]) >= FIGURES[one["bench"]]
        numbers = [*one["figures"].values(), *one["ratios"].values()]
        assert all(isinstance(number, int | float) and number > 0 for number in numbers)


def test_an_unknown_benchmark_is_refused_with_the_names_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benches", "speed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "settle" in done.stderr


def test_every_budget_names_what_its_benchmark_measures() -> None:
    for name, budget in outcome.BUDGETS.items():
        assert set(budget) == RATIOS[name]
    for name, ceilings in outcome.CEILINGS.items():
        assert set(ceilings) <= FIGURES[name] | LARGE


def test_a_row_says_whether_its_budget_is_met() -> None:
    found = Outcome(
        bench="ussd",
        figures={"hop_p99_ms_at_100_per_second": 51.26, "hops_per_second": 1234.5},
        ratios={"vs_empty_view": 0.2614},
    )
    assert found.rows() == [
        ("ussd", "vs_empty_view", "0.261", ">= 0.2: met"),
        ("ussd", "hop_p99_ms_at_100_per_second", "51.3", "< 50: missed"),
        ("ussd", "hops_per_second", "1,234", ""),
    ]


def test_writing_replaces_the_table_and_leaves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "benchmarks.md"
    copy.write_text(f"Before.\n\n{page.BEGIN}\n\nold\n\n{page.END}\n\nAfter.\n", encoding="utf-8")
    monkeypatch.setattr(page, "PAGE", copy)
    found = Outcome(bench="settle", ratios={"vs_bare": 0.6})
    for _ in range(2):
        page.write(outcomes=[found], on=date(2026, 3, 2))
    text = copy.read_text(encoding="utf-8")
    assert text.startswith(f"Before.\n\n{page.BEGIN}")
    assert text.endswith(f"{page.END}\n\nAfter.\n")
    assert text.count("| settle | `vs_bare` | 0.6 | >= 0.5: met |") == 1
    assert "old" not in text
    assert "2026-03-02" in text


@pytest.mark.parametrize(
    "received",
    [
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nEND x",
    ],
)
def test_an_answer_that_is_not_the_expected_one_ends_the_measurement(received: bytes) -> None:
    with pytest.raises(BadAnswer):
        load.is_whole(received, expected=b"CON ")


def test_an_answer_is_whole_when_all_of_its_body_is_there() -> None:
    received = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nCON Hell"
    assert not load.is_whole(received[:20], expected=b"CON ")
    assert not load.is_whole(received[:-3], expected=b"CON ")
    assert load.is_whole(received, expected=b"CON ")
