"""What the engine under dbt may use."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class EngineSettings:
    """Limits of DuckDB.

    Attributes:
        memory_limit: As DuckDB writes it; beyond it, work spills to `temp_directory`.
        threads: Worker threads; 0 is one per core.
        temp_directory: Where to spill.
    """

    memory_limit: str
    threads: int
    temp_directory: Path

    @property
    def workers(self) -> int:
        """How many partitions are written at a time."""
        return self.threads or os.cpu_count() or 1
