"""One table in a gate's connection: its relations, and what is counted over them.

What is no row's own (files against manifests, what came in against what came out, keys over the
whole history) becomes a small relation, and expectations look at it as at any rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.gates.batch import Batch, Row
from medallion.gates.declared import Types
from medallion.gates.relations import differences, fill, stored_columns, view_files
from medallion.gates.suite import Suite
from medallion.lake.manifest import PartitionManifest
from medallion.lake.scans import read_files

if TYPE_CHECKING:
    import duckdb

# The columns by which a person finds a row of a measured relation.
_KEYS = {"partitions": ("partition",), "files": ("partition", "file"), "days": ("day",)}


class MeasuredTable:
    """Makes the relations of one table, and batches of them.

    Args:
        connection: The gate's connection.
        suite: What is expected of the table.
        subjects: The relations that it may have, and the columns of each.
        key: The columns by which a person finds a row of the table.
        hidden: Columns with personal data.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        suite: Suite,
        subjects: Mapping[str, Types],
        key: tuple[str, ...],
        hidden: frozenset[str],
    ) -> None:
        self.name = suite.table
        self.suite = suite
        self.subjects = subjects
        self._connection = connection
        self._key = key
        self._hidden = hidden

    @property
    def rows(self) -> str:
        """The relation of the rows themselves."""
        return f"{self.name}__rows"

    def view_files(
        self, files: Sequence[Path], manifests: Sequence[PartitionManifest], day: str
    ) -> Batch:
        """Lets `rows` show the files of some partitions.

        Args:
            files: All files of these partitions.
            manifests: The manifests of the partitions.
            day: The name of the partition column.
        """
        alike = all(manifest.columns == manifests[0].columns for manifest in manifests)
        view_files(self._connection, self.rows, files, self.subjects["rows"], day, alike=alike)
        return self._batch("rows", sum(manifest.rows for manifest in manifests))

    def view_relation(self, relation: str, rows: int) -> Batch:
        """Lets `rows` show another relation of the connection, which must have so many rows."""
        self._connection.execute(f"create view {self.rows} as from {relation}")
        return self._batch("rows", rows)

    def fill(
        self, subject: str, rows: Sequence[Row], evidence: Mapping[str, str] | None = None
    ) -> Batch:
        """Makes a relation of what was measured.

        Args:
            subject: Which of the table's relations.
            rows: Its rows, with at least the columns that are declared.
            evidence: Queries that find the rows behind a measure that fails, by its column.
        """
        fill(self._connection, f"{self.name}__{subject}", self.subjects[subject], rows)
        return self._batch(subject, len(rows), evidence)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """The rows that a query finds."""
        return self._connection.execute(query).fetchall()

    def count(self, query: str) -> int:
        """The one number that a query finds."""
        return int(self.ask(query)[0][0])

    def count_repeated(self, key: Sequence[str], others: Sequence[Path] = ()) -> int:
        """Rows whose key another row has.

        They are looked for by hash, which is cheaper; only the keys themselves convict.

        Args:
            key: The columns of the key; without any, one row is allowed.
            others: Files of the partitions that are not looked at, which may have the key, too.
        """
        if not key:
            return max(self.count(f"select count(*) from {self.rows}") - 1, 0)
        columns = ", ".join(key)
        suspects = self._count_repeated(f"hash({columns})", others)
        return self._count_repeated(f"row({columns})", others) if suspects else 0

    def repeated_rows(self, key: Sequence[str]) -> str:
        """The query that finds keys which several rows have; it is run when they are counted."""
        columns = ", ".join(key)
        return (
            f"select {columns}, count(*) as times from {self.rows}"
            f" group by {columns} having count(*) > 1 order by {columns}"
        )

    def schema_differences(
        self, files: Sequence[Path], day: str, optional: Iterable[str] = ()
    ) -> str | None:
        """How the columns of some files differ from the declared ones; None if not at all.

        Args:
            files: The files.
            day: The partition column, which no file holds.
            optional: Declared columns that may be absent.
        """
        declared = {n: kind for n, kind in self.subjects["rows"].items() if n != day}
        found = stored_columns(self._connection, files) if files else declared.items()
        return differences(found, declared, optional)

    def _count_repeated(self, key: str, others: Sequence[Path]) -> int:
        inside = self.count(
            f"select coalesce(sum(n - 1), 0) from"
            f" (select count(*) as n from (select {key} as k from {self.rows}) group by k)"
        )
        if not others:
            return inside
        outside = self.count(
            f"select count(*) from (select {key} as k from {read_files(others)})"
            f" semi join (select {key} as k from {self.rows}) using (k)"
        )
        return inside + outside

    def _batch(self, subject: str, rows: int, evidence: Mapping[str, str] | None = None) -> Batch:
        return Batch(
            table=self.name,
            subject=subject,
            relation=f"{self.name}__{subject}",
            expectations=self.suite.subjects.get(subject, ()),
            expected_rows=rows,
            key=self._key if subject == "rows" else _KEYS.get(subject, ()),
            hidden=self._hidden,
            evidence=evidence or {},
        )
