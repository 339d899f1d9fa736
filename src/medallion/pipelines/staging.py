"""From what dbt has staged to a commit of the lake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.lake.commits import Commit
from medallion.lake.inventory import LakeInventory
from medallion.lake.sealing import seal
from medallion.lake.store import Lake
from medallion.planning.request import RunRequest

if TYPE_CHECKING:
    from medallion.dbt_project import BuildResult, EngineSettings

Stats = Callable[[str, str], Mapping[str, Any]]


def engine_settings(request: RunRequest, lake: LakeInventory) -> EngineSettings:
    """What DuckDB may use, spilling into the run's staging folder; dbt writes nowhere else."""
    from medallion.dbt_project import EngineSettings

    spill = lake.lake.places.spill(request.run_id)
    return EngineSettings(
        memory_limit=request.engine.memory_limit,
        threads=request.engine.threads,
        temp_directory=spill,
        dbt_folder=lake.layout.dbt,
    )


def publish_staged(
    lake: Lake,
    staging: Path,
    result: BuildResult,
    replaced: Mapping[str, set[str]],
    stats: Stats,
) -> Commit:
    """Seals the staged partitions and prepares the commit that puts them in place.

    Args:
        lake: The lake to change.
        staging: The staging folder, laid out as the lake is.
        result: What dbt has written there.
        replaced: Per table, the partitions that the build stands for: those it left empty go.
        stats: Per table name and partition value, further stats for the manifest.
    """
    staged: dict[str, set[str]] = {}
    for table, written in result.staged.items():
        for partition in written.partitions:
            folder = partition.files[0].parent
            staged.setdefault(table, set()).add(folder.name)
            seal(
                folder,
                table,
                {file.name: rows for file, rows in partition.file_rows.items()},
                partition.columns,
                **stats(table.split("/")[1], partition.value),
            )
    remove = {table: names - staged.get(table, set()) for table, names in replaced.items()}
    return lake.prepare(staging, remove)


def as_day(value: str) -> date:
    """The day of a partition value."""
    return date.fromisoformat(value)
