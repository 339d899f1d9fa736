"""What dbt and the engine under it may use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from medallion.project import DBT


@dataclass(frozen=True)
class EngineSettings:
    """Limits of DuckDB, and a folder for dbt.

    Attributes:
        memory_limit: As DuckDB writes it; beyond it, work spills to `temp_directory`.
        threads: Worker threads; 0 is one per core.
        temp_directory: Where to spill.
        dbt_folder: Where dbt keeps its own files, `target` and `logs`.
    """

    memory_limit: str
    threads: int
    temp_directory: Path
    dbt_folder: Path = DBT

    @property
    def workers(self) -> int:
        """How many partitions are written at a time."""
        return self.threads or os.cpu_count() or 1
