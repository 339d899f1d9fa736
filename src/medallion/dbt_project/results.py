"""What dbt has staged, and what it counted on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Receipt:
    """What a layer did with the rows it took in.

    Attributes:
        layer: The layer.
        tables: One entry for each table: `table`, `bronze_rows`, `accepted`, `quarantined`,
            `superseded`, `nullified` by column, `reasons` by code, `partitions` by day, `seconds`.
    """

    layer: str
    tables: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class StagedPartition:
    """One partition that stands in staging.

    Attributes:
        value: The partition value, such as `2025-10-15`.
        file_rows: Rows per file.
        columns: Name to DuckDB type, in file order.
    """

    value: str
    file_rows: Mapping[Path, int]
    columns: Mapping[str, str]

    @property
    def files(self) -> tuple[Path, ...]:
        """Its files."""
        return tuple(self.file_rows)

    @property
    def rows(self) -> int:
        """Rows of all its files."""
        return sum(self.file_rows.values())


@dataclass(frozen=True)
class StagedTable:
    """The staged partitions of one table, such as `base/orders`.

    Attributes:
        table: Layer and name.
        partitions: Its partitions that have rows, and of a dimension its snapshot in any case.
    """

    table: str
    partitions: tuple[StagedPartition, ...]

    @property
    def rows(self) -> int:
        """Rows of all partitions."""
        return sum(partition.rows for partition in self.partitions)


@dataclass
class Counts:
    """What was counted for one Bronze table.

    Attributes:
        partitions: Bronze rows per day; empty for dimensions.
        bronze_rows: Rows that came in.
        accepted: Rows that were accepted.
        quarantined: Rows that were put aside.
        superseded: Older versions of a dimension's rows.
        keys_left: Known keys of a dimension that are no longer in Bronze.
        nullified: Optional values that could not be read, by column.
        reasons: Rows put aside, by reason code.
        seconds: How long dbt took for the table.
    """

    partitions: dict[str, int] = field(default_factory=dict)
    bronze_rows: int = 0
    accepted: int = 0
    quarantined: int = 0
    superseded: int = 0
    keys_left: int = 0
    nullified: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class BuildResult:
    """What one dbt invocation did.

    Attributes:
        staged: Tables by layer and name, such as `base/orders`.
        counts: Counts by Bronze table, or by model for Gold.
    """

    staged: dict[str, StagedTable] = field(default_factory=dict)
    counts: dict[str, Counts] = field(default_factory=dict)

    def receipt(self, layer: str) -> Receipt:
        """The counts, one entry for each table."""
        return Receipt(layer, tuple(self._receipt()))

    def _receipt(self) -> Iterable[dict[str, Any]]:
        for table, counts in self.counts.items():
            yield {
                "table": table,
                "bronze_rows": counts.bronze_rows,
                "accepted": counts.accepted,
                "quarantined": counts.quarantined,
                "superseded": counts.superseded,
                "nullified": dict(sorted(counts.nullified.items())),
                "reasons": dict(sorted(counts.reasons.items())),
                "partitions": dict(sorted(counts.partitions.items())),
                "seconds": round(counts.seconds, 3),
            }
