"""The raw rows of a Bronze table as one lazy frame, read as a run reads them.

DuckDB reads the files, because it reads all that a run reads: Polars refuses names that stand
twice, and knows no common type for much of what the files of one table can hold.
"""

from __future__ import annotations

import logging
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from polars.io.plugins import register_io_source

from medallion.dbt_project.repairing import refuse_unreadable, with_readable_copies
from medallion.dbt_project.sources import BronzeView, Held, Occurrence, in_path, occurrences
from medallion.lake.bronze import NESTED, BronzeFile, BronzePartition
from medallion.lake.scans import file_list
from medallion.spec import BRONZE_DAY
from medallion.sql import identifier, identifiers

if TYPE_CHECKING:
    import duckdb

_LOG = logging.getLogger(__name__)
_BATCH_ROWS = 100_000
_INTEGERS = frozenset(
    ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
)
# Numbers of which one type holds each as it is: that of the second set of each pair.
_COMMON = (
    (_INTEGERS, _INTEGERS),
    (frozenset(("TINYINT", "SMALLINT", "UTINYINT", "USMALLINT", "FLOAT")), {"FLOAT"}),
    (_INTEGERS - {"BIGINT"} | {"FLOAT", "DOUBLE"}, {"DOUBLE"}),
)
# What Polars has, too, besides decimals.
_KEPT = _INTEGERS | {
    *("FLOAT", "DOUBLE"),
    *("BOOLEAN", "UBIGINT", "VARCHAR", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_S"),
    *("TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"),
}


def bronze_rows(view: BronzeView) -> pl.LazyFrame:
    """The rows of a view's partitions, every column as it was, and the partition column.

    A column that all files hold alike keeps its type, numbers of several types get one that
    holds each as it is, and any other is text, as in quarantine: whole numbers of 64 bits beside
    doubles are. Bytes that are UTF-8 are text.
    """
    rows = _Rows(view)

    def batches(
        columns: list[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator[pl.DataFrame]:
        wanted = n_rows if predicate is None else None
        for batch in rows.read(columns, wanted, batch_size or _BATCH_ROWS):
            yield batch if predicate is None else batch.filter(predicate)

    return register_io_source(batches, schema=rows.schema)


@dataclass(frozen=True)
class _Rows:
    """Reads the partitions of a view, raw."""

    view: BronzeView

    @cached_property
    def schema(self) -> pl.Schema:
        """Names and types; no rows are read for them."""
        with _connection() as connection:
            query = f"from ({_Query(self.view).statement}) limit 0"
            return pl.DataFrame(connection.sql(query).to_arrow_table()).schema

    def read(
        self, columns: Sequence[str] | None, n_rows: int | None, batch_rows: int
    ) -> Iterator[pl.DataFrame]:
        """The rows in the order of partitions and files.

        Where a value turns out to be none that can be read, reading goes on from a copy of it:
        text then shows its bytes, and a time is null.

        Raises:
            LakeError: A file is damaged or encrypted behind its footer.
        """
        import duckdb

        shown = identifiers(self.schema if columns is None else columns)
        done = 0

        def batches(view: BronzeView) -> Iterator[pl.DataFrame]:
            nonlocal done
            limit = "" if n_rows is None else f" limit {n_rows - done}"
            query = f"select {shown} from ({_Query(view).statement}){limit} offset {done}"
            for batch in _batches(query, batch_rows):
                done += batch.height
                yield batch

        try:
            yield from batches(self.view)
        except (duckdb.Error, OSError, UnicodeDecodeError):
            named = {self.view.table: self.view.partitions}
            with tempfile.TemporaryDirectory() as scratch:
                repaired = with_readable_copies(named, Path(scratch))
                if repaired is None:
                    refuse_unreadable(named)
                    raise
                _LOG.warning(
                    "bronze.%s holds values that cannot be read: text that is not UTF-8 shows its"
                    " bytes, a time outside of the calendar is null.",
                    self.view.table,
                )
                yield from batches(replace(self.view, partitions=repaired[self.view.table]))


@dataclass(frozen=True)
class _Query:
    """The SQL that reads the partitions of a view, raw."""

    view: BronzeView

    @property
    def statement(self) -> str:
        """The SELECT over all files."""
        return "\nunion all by name\n".join(self._scan(files) for files in self._groups)

    @cached_property
    def _groups(self) -> list[list[tuple[BronzePartition, BronzeFile]]]:
        """Files of one physical schema are scanned together, as long as they follow each other.

        So rows come in the order of files, whatever becomes of a file's schema.
        """
        files = [
            (partition, file) for partition in self.view.partitions for file in partition.scanned
        ]
        return [list(group) for _, group in groupby(files, _scanned_with)]

    @cached_property
    def _names(self) -> dict[Occurrence, str]:
        """All columns with the names they are shown under: the contract's, then the others."""
        known = {(name, 0): name for name in self.view.spec.contract(self.view.table)}
        kept, taken = {}, {name.lower() for name in self.view.unknown.values()} | {BRONZE_DAY}
        for found, name in self.view.unknown.items():
            kept[found] = name
            # DuckDB does not tell case apart, and the day of the folder has this name.
            while name.lower() == BRONZE_DAY and kept[found].lower() in taken:
                kept[found] += "__bronze"
            taken.add(kept[found].lower())
        return {found: name for found, name in {**known, **kept}.items() if found in self._kinds}

    @cached_property
    def _kinds(self) -> dict[Occurrence, set[str]]:
        """The types that each column has in some file."""
        kinds: dict[Occurrence, set[str]] = defaultdict(set)
        for partition, file in (files[0] for files in self._groups):
            for (_, kind), found in zip(file.fields, occurrences(file), strict=True):
                kinds[found].add(kind)
            for name in self._filled(partition, file):
                kinds[name, 0].add("VARCHAR")
        return dict(kinds)

    def _filled(self, partition: BronzePartition, file: BronzeFile) -> list[str]:
        """The columns that the folders of a file fill, as in a run, besides the ingest day.

        Those are columns of the contract; without the file's own, the partition key, too.
        """
        key = [] if partition.key == BRONZE_DAY else [partition.key]
        return file.filled(dict.fromkeys([*key, *self.view.spec.contract(self.view.table)]))

    def _is_kept(self, column: Occurrence) -> bool:
        """Whether a column's values can stay what they are, or must be text."""
        kind, *others = self._kinds[column]
        if others:
            kinds = self._kinds[column]
            return any(kinds <= numbers and kinds & common for numbers, common in _COMMON)
        return kind in _KEPT or kind.startswith(("DECIMAL", NESTED))

    def _scan(self, files: Sequence[tuple[BronzePartition, BronzeFile]]) -> str:
        partition, file = files[0]
        held = Held(file)
        folders = {name: _folder_value(name, held, file) for name in self._filled(partition, file)}
        if partition.key == BRONZE_DAY:
            folders[BRONZE_DAY] = _folder_value(BRONZE_DAY, held, file)
        values = {name: self._value(held, column) for column, name in self._names.items()} | folders
        selected = [f"{value} as {identifier(name)}" for name, value in values.items()]
        return (
            f"select {', '.join(selected)}"
            f" from read_parquet({file_list(one.path for _, one in files)},"
            f" filename = '{held.free_name}', hive_partitioning = false) as {held.alias}"
        )

    def _value(self, held: Held, column: Occurrence) -> str:
        place = held.places.get(column)
        if place is None:
            return "null"
        return f"c{place}" if self._is_kept(column) else held.text(place)


def _scanned_with(found: tuple[BronzePartition, BronzeFile]) -> tuple[object, ...]:
    partition, file = found
    return partition.key, file.outside, tuple(file.named), file.fields, file.judged


def _folder_value(key: str, held: Held, file: BronzeFile) -> str:
    """What the folder of each row's file says."""
    kind = "date" if key == BRONZE_DAY else "varchar"
    return f"cast({in_path(key, held.free_name, file)} as {kind})"


def _batches(query: str, rows: int) -> Iterator[pl.DataFrame]:
    with _connection() as connection:
        reader: Iterable[Any] = connection.sql(query).to_arrow_reader(rows)
        for batch in reader:
            yield pl.DataFrame(batch)


@contextmanager
def _connection() -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection
