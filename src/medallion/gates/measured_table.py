"""One table in a gate's connection: its relations, and what is counted over them.

What is no row's own (files against manifests, what came in against what came out, keys over the
whole history) becomes a small relation, and expectations look at it as at any rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.gates.batch import Batch, Row
from medallion.gates.declared import Types
from medallion.gates.relations import differences, fill, stored_columns
from medallion.gates.suite import Suite
from medallion.lake.store import Lake
from medallion.sql import no_rows

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

    def view_partitions(self, lake: Lake, table: str, values: Collection[str]) -> Batch:
        """Lets `rows` show some partitions of a table of the lake; without any it is empty.

        Args:
            lake: The lake.
            table: Layer and table, such as `base/orders`.
            values: The partitions that are looked at; of some, no row may stand.
        """
        manifests = [one for value, one in lake.partitions(table).items() if value in values]
        shown = lake.rows(table, values) if manifests else no_rows(self.subjects["rows"])
        self._connection.execute(f"create or replace view {self.rows} as {shown}")
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

    def count_repeated(self, key: Sequence[str], others: str = "") -> int:
        """Rows whose key another row has.

        They are looked for by hash, which is cheaper; only the keys themselves convict.

        Args:
            key: The columns of the key; without any, one row is allowed.
            others: SQL of the rows of other partitions, which may have the key, too.
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

    def _count_repeated(self, key: str, others: str) -> int:
        inside = self.count(
            f"select coalesce(sum(n - 1), 0) from"
            f" (select count(*) as n from (select {key} as k from {self.rows}) group by k)"
        )
        if not others:
            return inside
        outside = self.count(
            f"select count(*) from (select {key} as k from ({others}))"
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
