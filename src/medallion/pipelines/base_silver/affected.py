"""Which older partitions a freshly scored window changes.

A key belongs to one partition of the whole history. So a scored window touches others when
a row of it supersedes one of theirs, when a key that stood in it is gone (its duplicates and
children elsewhere must be looked at again) or is older now than it was (a duplicate elsewhere may
be the newest), and when a parent appears that quarantined children elsewhere have been waiting for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from medallion.lake.inventory import LakeInventory
from medallion.lake.partition_stats import Partition, days_holding, scan
from medallion.lake.scans import connect_to_settled
from medallion.spec import Spec

if TYPE_CHECKING:
    import duckdb

    from medallion.dbt_project import BuildResult

Window = Mapping[str, Mapping[date, Any]]


def affected_partitions(
    spec: Spec, lake: LakeInventory, window: Window, result: BuildResult
) -> dict[str, set[date]]:
    """Partitions outside the window whose rows the staged result changes, by table."""
    with connect_to_settled() as connection:
        return _Search(spec, lake, window, result, connection).run()


class _Search:
    def __init__(
        self,
        spec: Spec,
        lake: LakeInventory,
        window: Window,
        result: BuildResult,
        connection: duckdb.DuckDBPyConnection,
    ) -> None:
        self._spec = spec
        self._lake = lake
        self._window = window
        self._result = result
        self._connection = connection
        self._found: dict[str, set[date]] = defaultdict(set)

    def run(self) -> dict[str, set[date]]:
        for table in self._spec.events:
            self._superseded(table)
            self._weaker_winners(table)
            self._keys_gone(table)
            self._waiting_children(table)
        return {table: days for table, days in self._found.items() if days}

    def _superseded(self, table: str) -> None:
        """Older accepted rows with a key that the window now holds."""
        current = self._outside("base", table)
        staged = self._staged(table)
        if current and staged:
            key = self._spec.tables[table].key
            self._relation("wanted", scan(staged, key))
            columns = {column: column for column in key}
            self._found[table] |= days_holding(self._connection, current, columns, "wanted")

    def _weaker_winners(self, table: str) -> None:
        """Duplicates elsewhere of keys that are gone from the window, or older there than before.

        Versions in different partitions are told apart by `ingestion_ts` and the day alone.
        """
        key, staged = self._spec.tables[table].key, self._staged(table)
        held = [*key, "ingestion_ts"]
        before, losers = self._inside(table, held), self._outside("quarantine", table)
        if not before or not losers:
            return
        now = scan(staged, held) if staged else f"select * from ({before}) where false"
        compared = ", ".join(f"{self._comparable(table, c, f'was.{c}')} as {c}" for c in key)
        self._relation(
            "weaker",
            f"select {compared} from ({before}) as was"
            f" left join (select *, true as stands from ({now})) as now using ({', '.join(key)})"
            " where now.stands is null or now.ingestion_ts < was.ingestion_ts"
            " or (now.ingestion_ts is null and was.ingestion_ts is not null)",
        )
        raw = {column: self._from_text(table, column) for column in key}
        self._found[table] |= days_holding(
            self._connection, losers, raw, "weaker", "invalid_reason like 'duplicate:%'"
        )

    def _keys_gone(self, table: str) -> None:
        """Accepted children elsewhere of keys that stood in the window and stand there no more."""
        key, staged = self._spec.tables[table].key, self._staged(table)
        before = self._inside(table, key)
        if not before or not self._children(table):
            return
        gone = f"({before})" + (f" except ({scan(staged, key)})" if staged else "")
        self._relation("gone", gone)
        for child, column in self._children(table):
            accepted = self._outside("base", child)
            if accepted:
                columns = {key[0]: column}
                self._found[child] |= days_holding(self._connection, accepted, columns, "gone")

    def _waiting_children(self, table: str) -> None:
        """Children in older quarantines that lack a parent which the window now has."""
        staged = self._staged(table)
        for child, column in self._children(table):
            waiting = self._outside("quarantine", child)
            if not staged or not waiting:
                continue
            key = self._spec.tables[table].key[0]
            compared = self._comparable(table, key, key)
            self._relation("parents", f"select {compared} as {key} from ({scan(staged, [key])})")
            self._found[child] |= days_holding(
                self._connection,
                waiting,
                {key: self._from_text(child, column)},
                "parents",
                f"contains('|' || invalid_reason || '|', '|fk:{column}|')",
            )

    def _children(self, parent: str) -> list[tuple[str, str]]:
        return [
            (name, fk.column)
            for name, table in self._spec.events.items()
            for fk in table.foreign_keys
            if fk.parent == parent
        ]

    def _relation(self, name: str, sql: str) -> None:
        self._connection.execute(f"create or replace temp table {name} as {sql}")

    def _staged(self, table: str) -> list[Partition]:
        written = self._result.staged.get(f"base/{table}")
        return [
            (date.fromisoformat(partition.value), file)
            for partition in (written.partitions if written else ())
            for file in partition.files
        ]

    def _inside(self, table: str, columns: Sequence[str]) -> str:
        """The accepted rows that stood in the window; empty if there were none."""
        days = self._window.get(table, {})
        values = {str(day) for day in self._lake.base(table) if day in days}
        return self._lake.lake.rows(f"base/{table}", values, columns) if values else ""

    def _outside(self, layer: str, table: str) -> str:
        """The rows of a table outside the window; empty if there are none."""
        days = self._window.get(table, {})
        standing = self._lake.lake.partitions(f"{layer}/{table}")
        values = {value for value in standing if date.fromisoformat(value) not in days}
        return self._lake.lake.rows(f"{layer}/{table}", values) if values else ""

    def _from_text(self, table: str, column: str) -> str:
        """The value of a raw quarantine column, as `_comparable` makes the typed key of it."""
        trimmed = f"trim({column}, ' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13))"
        if self._spec.contract(table)[column].silver == "int":
            return f"try_cast(regexp_replace({trimmed}, '[.]0*$', '') as bigint)"
        return self._comparable(table, column, trimmed)

    def _comparable(self, table: str, column: str, value: str) -> str:
        """A typed value in the form in which it is compared with raw text.

        A number in a text column is written in one way when it is typed (`1001`) and in another
        when it is put aside as it came (`1001.0`, `1e+16`). Numbers that only a double takes for
        the same are a day too many to look at, never one too few.
        """
        if self._spec.contract(table)[column].silver == "int":
            return value
        return f"coalesce(cast(try_cast({value} as double) as varchar), {value})"
