"""The benchmark measures whole processes and says what it could not do."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

import processes
import run

GIB = 2**30


def test_a_process_is_measured_with_its_children(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    measured = processes.measure([sys.executable, "-c", script], {}, tmp_path / "log")
    assert measured["cpu_seconds"] >= 0.3
    assert measured["peak_rss_bytes"] > 1_000_000


def test_a_process_that_fails_ends_the_benchmark_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"(?s)ended with 3.*no bronze here"):
        processes.measure(
            [sys.executable, "-c", "print('no bronze here'); raise SystemExit(3)"],
            {},
            tmp_path / "log",
        )


def test_missed_targets_are_named() -> None:
    pipeline = {"seconds": 130.0, "peak_rss_bytes": 6 * GIB}
    result = {"pipeline": pipeline, "times_the_floor": 2.6}
    assert run.missed(10_000_000, result) == [
        "130.0 s, wanted 120 s",
        "6.00 GiB, wanted 5 GiB",
        "2.6 x the floor, wanted 2.5",
    ]
    assert run.missed(5_000, result) == []


def test_the_floor_alone_gives_a_table_without_the_pipeline(
    write_bronze: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def generate(bronze: Path, days: int, orders_per_day: int) -> None:
        assert (days, orders_per_day) == (30, 71)
        write_bronze(orders={"2025-10-01": [{}]}).rename(bronze)

    monkeypatch.setattr(run, "generate", generate)
    options = Namespace(data=tmp_path / "d", days=30, floor_only=True, check=False, keep=False)
    size = run.measure_size(100_000, options)
    assert size["rows"] == 3
    assert [stage["name"] for stage in size["floor"]["stages"]] == [
        "dims",
        "base_silver",
        "enriched",
        "gold",
    ]
    result = {"at": "2025-10-01", "machine": run.machine(), "sizes": [size], "history": []}
    text = run.to_markdown(result)
    assert "| 3 | floor |" in text
    assert "| floor | base_silver |" in text
    assert list((tmp_path / "d").iterdir()) == []
