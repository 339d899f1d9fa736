"""Running the project inside the test process, on folders of the test's own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import polars as pl
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from medallion.sample import SampleRequest, generate
from medallion.spec import Spec
from tests.conftest import PROJECT


def two_light_days(bronze: Path, spec: Spec, *, seed: int = 5, defects: bool = True) -> Path:
    """Bronze of two days with twenty orders each and a light mess; returns its folder."""
    request = SampleRequest(
        output=bronze,
        start=date(2025, 10, 1),
        days=2,
        orders_per_day=20,
        seed=seed,
        mess="light",
        defects=defects,
    )
    generate(request, spec=spec)
    return bronze


@dataclass(frozen=True)
class Shop:
    """A Bronze folder and the place where its results go."""

    bronze: Path
    data: Path

    @contextmanager
    def session(self, **parameters: Any) -> Iterator[KedroSession]:
        roots = {
            "MEDALLION_BRONZE_ROOT": str(self.bronze),
            "MEDALLION_DATA_ROOT": str(self.data),
        }
        with mock.patch.dict(os.environ, roots):
            bootstrap_project(PROJECT)
            with KedroSession.create(PROJECT, runtime_params=parameters) as session:
                yield session

    def run(self, *pipelines: str, **parameters: Any) -> dict[str, Any]:
        """Runs pipelines (all by default) and returns the run report."""
        with self.session(**parameters) as session:
            session.run(pipeline_names=list(pipelines) or None)
        return self.report()

    def report(self) -> dict[str, Any]:
        text = (self.data / "reports" / "run.json").read_text(encoding="utf-8")
        report: dict[str, Any] = json.loads(text)
        return report

    def load(self, name: str) -> Any:
        with self.session() as session:
            return session.load_context().catalog.load(name)

    def table(self, name: str) -> pl.DataFrame:
        """A table of the lake, sorted so that frames of two runs can be compared."""
        frame: pl.DataFrame = self.load(name).collect()
        return frame.sort(frame.columns)

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Asks the warehouse."""
        path = self.data / "warehouse" / "medallion.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def fingerprints(self, under: str = "silver") -> dict[str, str]:
        """The bytes of every file below a folder of the results, as hashes.

        What is kept of earlier states tells of runs, and is left out.
        """
        root = self.data / under
        return {
            path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file() and path.name != "_LOCK" and "_history" not in path.parts
        }


def kedro(shop: Shop, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as a person types it."""
    environment = {
        **os.environ,
        "MEDALLION_BRONZE_ROOT": str(shop.bronze),
        "MEDALLION_DATA_ROOT": str(shop.data),
        "COLUMNS": "200",
    }
    return subprocess.run(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
