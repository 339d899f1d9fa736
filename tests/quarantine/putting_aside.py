"""Small quarantines written by tests, without a run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from kedro.framework.startup import bootstrap_project

from medallion.lake.inventory import LakeInventory, move_pointer
from medallion.lake.quarantined import Selection, check_selection
from medallion.lake.sealing import seal
from tests.bronze_writing import DAY, GOOD, LINEAGE, Row
from tests.conftest import PROJECT


def put_aside(
    lake: LakeInventory, table: str, n: int, rows: Iterable[Row], *, good: int = 0
) -> None:
    """Writes a quarantined partition of the n-th day, and an accepted one of so many rows.

    Each row is the good one as text, with the given values changed; it needs its reason.
    """
    text = {k: None if v is None else str(v) for k, v in {**GOOD[table], **LINEAGE}.items()}
    frame = pl.DataFrame([{**text, **row} for row in rows], infer_schema_length=None)
    _seal(lake, f"quarantine/{table}", n, frame.cast(pl.String), frame.height)
    accept(lake, table, n, good)


def accept(lake: LakeInventory, table: str, n: int, rows: int) -> None:
    """Writes an accepted partition of which only the number of rows matters."""
    layer = "base" if table in lake.spec.events else "dims"
    frame = pl.DataFrame({"row": range(rows)}, schema={"row": pl.Int64})
    _seal(lake, f"{layer}/{table}", n, frame, rows)
    if layer == "dims":
        move_pointer(lake.lake, table, DAY + timedelta(days=n))


def _seal(lake: LakeInventory, table: str, n: int, frame: pl.DataFrame, rows: int) -> None:
    is_event = table.split("/")[1] in lake.spec.events
    key = "ingestion_dt" if is_event else "snapshot_dt"
    folder = lake.lake.root / table / f"{key}={DAY + timedelta(days=n)}"
    folder.mkdir(parents=True)
    frame.write_parquet(folder / "part-0.parquet")
    seal(folder, table, {"part-0.parquet": rows}, dict.fromkeys(frame.columns, "VARCHAR"))


def selected(lake: LakeInventory, *tables: str, **asked: Any) -> Selection:
    return check_selection(Selection(tables, **asked), lake)


def kedro(monkeypatch: pytest.MonkeyPatch, data: Path, *arguments: str, width: int = 200) -> Result:
    """A command of the project, inside the test process."""
    from medallion.cli import cli

    bootstrap_project(PROJECT)
    monkeypatch.setenv("MEDALLION_DATA_ROOT", str(data))
    monkeypatch.setenv("COLUMNS", str(width))
    return CliRunner().invoke(cli, arguments)
