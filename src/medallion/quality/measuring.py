"""What is measured of a table, so that a suite can say what it must be.

Facts that are no row's own (files against manifests, what came in against what came out, keys
over the whole history) become small relations, and expectations look at them as at any rows.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.lake.bronze import (
    AMBIGUOUS,
    BRONZE_TYPES,
    BronzeFile,
    BronzePartition,
    Finding,
    Listed,
)
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import PartitionManifest
from medallion.lake.names import printable
from medallion.lake.scans import read_files
from medallion.quality.expectation import Expectation
from medallion.quality.gate import Due
from medallion.quality.relations import (
    differences,
    fill,
    named,
    stored_columns,
    view_files,
)
from medallion.quality.subjects import GoldModel, key_of, schemas
from medallion.quality.suites import Suite
from medallion.quality.validating import Batch
from medallion.spec import INGESTION_DAY, SNAPSHOT_DAY, Column, Spec
from medallion.sql import literal

if TYPE_CHECKING:
    import duckdb

Row = dict[str, Any]
Explain = Callable[[Expectation], Sequence[Mapping[str, Any]]]

# Facts whose failure is explained by the rows that were put aside.
_EXPLAINED = ("quarantine_share", "pass_rate")
_FOUND = "_found_share"


@dataclass(frozen=True)
class Delivered:
    """What is known of a table's delivery to Bronze.

    Attributes:
        listed: The partitions that the run reads, as their manifests describe them.
        opened: Those of them whose files could be read.
        findings: What was found of them.
        days: The ingest days of the window; empty for a dimension.
        rows: Rows of every delivered day, as manifests say.
    """

    listed: Sequence[Listed]
    opened: Sequence[BronzePartition]
    findings: Sequence[Finding]
    days: Sequence[date]
    rows: Mapping[date, int]


class Measurer:
    """Measures the tables of one layer and makes their batches.

    Args:
        connection: The gate's connection.
        spec: The facts about the tables.
        models: The marts.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        spec: Spec,
        models: Mapping[str, GoldModel],
    ) -> None:
        self._connection = connection
        self._spec = spec
        self._models = models

    def bronze(self, suite: Suite, delivered: Delivered) -> Iterable[Batch]:
        """A table's partitions and files and, of an event table, the days of the window."""
        yield self._facts(suite, "partitions", list(_partition_rows(delivered)))
        yield self._facts(suite, "files", list(self._file_rows(suite.table, delivered)))
        if "days" in suite.subjects:
            yield self._facts(suite, "days", list(self._day_rows(delivered)))

    def dimension(
        self, suite: Suite, lake: LakeInventory, nullified: Mapping[str, int] | None
    ) -> Iterable[Batch]:
        """The newest snapshot of a dimension and what it was made from."""
        name = suite.table
        newest = lake.newest_snapshot(name)
        if newest is None:
            nothing: Row = dict.fromkeys(self._schema(suite, "measures"))
            yield self._facts(suite, "measures", [nothing])
            return
        files = lake.lake.files(f"dims/{name}", {newest.value})
        yield self._rows(suite, files, [newest])
        put_aside = lake.lake.partitions(f"quarantine/{name}").get(newest.value)
        aside = lake.lake.files(f"quarantine/{name}", {newest.value})
        measures = {
            "snapshot_dt": date.fromisoformat(newest.value),
            **self._outcome(suite, [newest], [put_aside] if put_aside else []),
            "repeated_keys": self._repeated(suite, self._spec.tables[name].key),
            **_against_last(newest, lake.lake.partitions(f"dims/{name}")),
            **self._schema_of(suite, files, SNAPSHOT_DAY),
        }
        yield self._facts(suite, "measures", [measures], aside)
        yield from self._breakdown(suite, aside, measures["bronze_rows"], nullified)

    def events(
        self, suite: Suite, due: Due, lake: LakeInventory, nullified: Mapping[str, int] | None
    ) -> Iterable[Batch]:
        """The accepted rows of some days of a table, and what became of all Bronze rows."""
        name, days = suite.table, set(due.partitions)
        accepted = {str(d): m for d, m in lake.base(name).items() if str(d) in days}
        aside = {str(d): m for d, m in lake.quarantine(name).items() if str(d) in days}
        files = lake.lake.files(f"base/{name}", days)
        yield self._rows(suite, files, list(accepted.values()))
        partitions = [_outcome_of(day, accepted.get(day), aside.get(day)) for day in sorted(days)]
        yield self._facts(suite, "partitions", partitions)
        put_aside = lake.lake.files(f"quarantine/{name}", days)
        measures = self._outcome(suite, accepted.values(), aside.values())
        others = lake.lake.files(f"base/{name}", {str(d) for d in lake.base(name)} - days)
        measures |= {
            "repeated_keys": self._repeated(suite, self._spec.tables[name].key, others),
            **self._found_shares(suite, put_aside, measures["bronze_rows"]),
            **self._schema_of(suite, files, INGESTION_DAY),
        }
        yield self._facts(suite, "measures", [measures], put_aside)
        yield from self._breakdown(suite, put_aside, measures["bronze_rows"], nullified)

    def enriched(self, suite: Suite, due: Due, lake: LakeInventory) -> Iterable[Batch]:
        """Some days of a transform's result, against the rows they were made from."""
        days = set(due.partitions)
        table = f"enriched/{suite.table}"
        files = lake.lake.files(table, days)
        standing = lake.lake.partitions(table)
        made = [manifest for value, manifest in standing.items() if value in days]
        rows = sum(manifest.rows for manifest in made)
        yield self._rows(suite, files, made)
        grain = self._spec.transforms[suite.table].grain
        source = next((t for t, facts in self._spec.events.items() if facts.key == grain), None)
        source_rows = (
            sum(m.rows for d, m in lake.base(source).items() if str(d) in days) if source else None
        )
        measures = {
            "row_count": rows,
            "repeated_grains": self._repeated(suite, (INGESTION_DAY, *grain)),
            "source_rows": source_rows,
            "unmatched_rows": None if source_rows is None else abs(source_rows - rows),
            **self._schema_of(suite, files, INGESTION_DAY),
        }
        yield self._facts(suite, "measures", [measures])

    def gold(self, suite: Suite, rows: int) -> Iterable[Batch]:
        """A mart as it stands in the warehouse."""
        model = self._models[suite.table]
        self._connection.execute(f"create view {_rows_of(suite)} as from gold.{model.name}")
        yield self._batch(suite, "rows", rows)
        found = self._ask(
            "select column_name, data_type from duckdb_columns() where database_name ="
            f" 'warehouse' and schema_name = 'gold' and table_name = '{model.name}'"
        )
        measures = {
            "row_count": self._ask(f"select count(*) from {_rows_of(suite)}")[0][0],
            "repeated_grains": self._repeated(suite, model.grain),
            "schema_differences": differences(found, model.columns),
        }
        yield self._facts(suite, "measures", [measures])

    def _schema(self, suite: Suite, subject: str) -> Mapping[str, str]:
        return schemas(suite.layer, suite.table, self._spec, self._models)[subject]

    def _facts(
        self,
        suite: Suite,
        subject: str,
        rows: Sequence[Row],
        put_aside: Sequence[Path] = (),
    ) -> Batch:
        fill(self._connection, f"{suite.table}__{subject}", self._schema(suite, subject), rows)
        explain = partial(self._explain, suite, put_aside) if subject == "measures" else None
        return self._batch(suite, subject, len(rows), explain)

    def _explain(
        self, suite: Suite, put_aside: Sequence[Path], expectation: Expectation
    ) -> list[Row]:
        """A few keys behind a failed fact: of repeated rows, or of rows that were put aside."""
        column = str(expectation.arguments.get("column"))
        key = key_of(suite.layer, suite.table, self._spec, self._models)
        if column in ("repeated_keys", "repeated_grains") and key:
            columns = ", ".join(key)
            return self._few(
                f"select {columns}, count(*) as times from {_rows_of(suite)}"
                f" group by {columns} having count(*) > 1 order by {columns}"
            )
        if not put_aside or (column not in _EXPLAINED and not column.endswith(_FOUND)):
            return []
        about = f"fk:{column.removesuffix(_FOUND)}" if column.endswith(_FOUND) else ""
        columns = ", ".join(self._spec.tables[suite.table].key)
        return self._few(
            f"select {columns}, invalid_reason from {read_files(put_aside, union_by_name=True)}"
            f" where contains('|' || invalid_reason, '|{about}')"
            f" qualify row_number() over (partition by invalid_reason order by {columns}) = 1"
            f" order by count(*) over (partition by invalid_reason) desc, invalid_reason"
        )

    def _few(self, query: str) -> list[Row]:
        found = self._connection.execute(f"{query} limit 5")
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def _batch(
        self, suite: Suite, subject: str, rows: int, explain: Explain | None = None
    ) -> Batch:
        key = {
            "rows": key_of(suite.layer, suite.table, self._spec, self._models),
            "partitions": ("partition",),
            "files": ("partition", "file"),
            "days": ("day",),
        }.get(subject, ())
        return Batch(
            suite.table,
            subject,
            f"{suite.table}__{subject}",
            suite.subjects.get(subject, ()),
            rows,
            key,
            self._hidden(suite.table),
            explain,
        )

    def _hidden(self, table: str) -> frozenset[str]:
        facts = self._spec.tables.get(table)
        columns = facts.columns.items() if facts else ()
        return frozenset(name for name, column in columns if column.personal)

    def _rows(
        self, suite: Suite, files: Sequence[Path], manifests: Sequence[PartitionManifest]
    ) -> Batch:
        day = SNAPSHOT_DAY if suite.layer == "dims" else INGESTION_DAY
        columns = self._schema(suite, "rows")
        alike = all(manifest.columns == manifests[0].columns for manifest in manifests)
        view_files(self._connection, _rows_of(suite), files, columns, day, alike=alike)
        return self._batch(suite, "rows", sum(manifest.rows for manifest in manifests))

    def _schema_of(self, suite: Suite, files: Sequence[Path], day: str) -> Row:
        declared = {n: kind for n, kind in self._schema(suite, "rows").items() if n != day}
        # The producer leaves source_file out when it is given no prefix.
        optional = set(self._spec.lineage) if suite.layer != "enriched" else set()
        found = stored_columns(self._connection, files) if files else declared.items()
        return {"schema_differences": differences(found, declared, optional)}

    def _outcome(
        self,
        suite: Suite,
        accepted: Iterable[PartitionManifest],
        aside: Iterable[PartitionManifest],
    ) -> Row:
        """What became of the Bronze rows that some partitions were made from."""
        accepted, aside = list(accepted), list(aside)
        made_from = {m.value: m.counts for m in (*aside, *accepted)}
        bronze = sum(counts.get("bronze_rows", 0) for counts in made_from.values())
        superseded = sum(counts.get("superseded", 0) for counts in made_from.values())
        good, bad = sum(m.rows for m in accepted), sum(m.rows for m in aside)
        lost = bronze - superseded - good - bad
        facts = {
            "bronze_rows": bronze,
            "accepted_rows": good,
            "quarantined_rows": bad,
            "superseded_rows": superseded,
            "unaccounted_rows": lost,
            "lost_share": _share(max(lost, 0), bronze),
            "quarantine_share": _share(bad, bronze),
            "pass_rate": _share(good + superseded, bronze),
        }
        return {name: facts[name] for name in self._schema(suite, "measures") if name in facts}

    def _repeated(self, suite: Suite, key: Sequence[str], others: Sequence[Path] = ()) -> int:
        """Rows whose key another row has, by hash; only the keys themselves convict."""
        if not key:
            rows = self._ask(f"select count(*) from {_rows_of(suite)}")[0][0]
            return max(int(rows) - 1, 0)
        columns = ", ".join(key)
        suspects = self._count_repeated(suite, f"hash({columns})", others)
        exact = f"row({columns})"
        return self._count_repeated(suite, exact, others) if suspects else 0

    def _count_repeated(self, suite: Suite, key: str, others: Sequence[Path]) -> int:
        rows = _rows_of(suite)
        inside = self._ask(
            f"select coalesce(sum(n - 1), 0) from"
            f" (select count(*) as n from (select {key} as k from {rows}) group by k)"
        )[0][0]
        if not others:
            return int(inside)
        outside = self._ask(
            f"select count(*) from (select {key} as k from {read_files(others)})"
            f" semi join (select {key} as k from {rows}) using (k)"
        )[0][0]
        return int(inside) + int(outside)

    def _found_shares(self, suite: Suite, put_aside: Sequence[Path], bronze_rows: int) -> Row:
        """Per foreign key, the share of its values that have a parent; guests have none."""
        facts = self._spec.tables[suite.table]
        reasons = self._reasons(put_aside)
        guest = self._spec.cleaning.guest_pattern
        shares: Row = {}
        for fk in facts.foreign_keys:
            orphans = reasons.get(f"fk:{fk.column}", 0)
            guests = 0
            if fk.guests:
                guests = self._ask(
                    f"select count(*) filter (regexp_full_match({fk.column}, {literal(guest)}))"
                    f" from {_rows_of(suite)}"
                )[0][0]
            asked = bronze_rows - guests - reasons.get(f"missing:{fk.column}", 0)
            shares[f"{fk.column}_found_share"] = _share(asked - orphans, asked)
        return shares

    def _reasons(self, put_aside: Sequence[Path]) -> dict[str, int]:
        if not put_aside:
            return {}
        rows = read_files(put_aside, union_by_name=True)
        return dict(
            self._ask(
                "select reason, count(*) from (select unnest(string_split(invalid_reason, '|'))"
                f" as reason from {rows}) group by reason"
            )
        )

    def _breakdown(
        self,
        suite: Suite,
        put_aside: Sequence[Path],
        bronze_rows: int,
        nullified: Mapping[str, int] | None,
    ) -> Iterable[Batch]:
        reasons = [
            {"reason": code, "row_count": count, "share": _share(count, bronze_rows)}
            for code, count in self._reasons(put_aside).items()
        ]
        yield self._facts(suite, "reasons", reasons)
        if nullified is not None:
            values = [
                {"column_name": name, "row_count": n, "share": _share(n, bronze_rows)}
                for name, n in nullified.items()
                if n
            ]
            yield self._facts(suite, "nullified", values)

    def _file_rows(self, table: str, delivered: Delivered) -> Iterable[Row]:
        footers = {file.path: file for partition in delivered.opened for file in partition.files}
        unreadable = [f for f in delivered.findings if f.check == "file_readable"]
        for listed in delivered.listed:
            for path, rows in listed.rows.items():
                footer = footers.get(path)
                partition, name = listed.partition, printable(listed.below(path))
                drift = self._drift(table, footer) if footer else {}
                yield {
                    "partition": partition,
                    "file": name,
                    "problem": None if footer else _problem(unreadable, partition, name),
                    "manifest_rows": rows,
                    "footer_rows": footer.rows if footer else None,
                    **{column: drift.get(column) for column in _DRIFT},
                }

    def _drift(self, table: str, file: BronzeFile) -> Row:
        """How a file's columns differ from the contract's, by name; folders fill columns, too."""
        contract = self._spec.contract(table)
        columns = {**file.columns, **{n: _declared(contract[n]) for n in file.filled(contract)}}
        required = {n for n, column in contract.items() if column.required}
        declared = {n: _declared(column) for n, column in contract.items()}
        twice = [n for n in contract if columns.get(n) == AMBIGUOUS]
        return {
            "missing_required_columns": named(
                n for n in contract if n in required and n not in columns
            ),
            "ambiguous_columns": named(twice),
            "schema_drift": differences(
                ((name, kind) for name, kind in columns.items() if name not in twice),
                declared,
                optional={*required, *self._spec.lineage, *twice},
            ),
        }

    def _day_rows(self, delivered: Delivered) -> Iterable[Row]:
        volume = self._spec.quality.volume
        for day in delivered.days:
            before = sorted(known for known in delivered.rows if known < day)
            counts = [delivered.rows[known] for known in before[-volume.trailing_days :]]
            trailing = statistics.median(counts) if counts else None
            rows = delivered.rows.get(day)
            says_something = trailing is not None and trailing >= volume.min_rows
            yield {
                "day": day,
                "is_delivered": rows is not None,
                "row_count": rows,
                "trailing_rows": trailing,
                "volume_ratio": rows / trailing
                if rows is not None and trailing and says_something
                else None,
            }

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(query).fetchall()


def _declared(column: Column) -> str:
    return BRONZE_TYPES[column.bronze]


_DRIFT = ("missing_required_columns", "ambiguous_columns", "schema_drift")


def _rows_of(suite: Suite) -> str:
    return f"{suite.table}__rows"


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _partition_rows(delivered: Delivered) -> Iterable[Row]:
    unlisted = {f.partition: f.message for f in delivered.findings if f.check == "files_listed"}
    for listed in delivered.listed:
        yield {
            "partition": listed.partition,
            "has_manifest": True,
            "manifest_problem": listed.problem.message if listed.problem else None,
            "unlisted_files": unlisted.get(listed.partition),
        }
    for found in delivered.findings:
        if found.check == "manifest_present":
            yield {
                "partition": found.partition,
                "has_manifest": False,
                "manifest_problem": None,
                "unlisted_files": None,
            }


def _problem(unreadable: Iterable[Finding], partition: str, file: str) -> str | None:
    """Why a file could not be read; null where only a neighbour of it could not be."""
    return next(
        (
            found.message
            for found in unreadable
            if found.partition == partition and found.message.startswith(f"{file} ")
        ),
        None,
    )


def _outcome_of(
    day: str, accepted: PartitionManifest | None, aside: PartitionManifest | None
) -> Row:
    made_from = (accepted or aside).counts if accepted or aside else Counter[str]()  # type: ignore[union-attr]
    bronze = made_from.get("bronze_rows", 0)
    good, bad = accepted.rows if accepted else 0, aside.rows if aside else 0
    return {
        "partition": f"{INGESTION_DAY}={day}",
        "bronze_rows": bronze,
        "accepted_rows": good,
        "quarantined_rows": bad,
        "unaccounted_rows": bronze - good - bad,
    }


def _against_last(newest: PartitionManifest, snapshots: Mapping[str, PartitionManifest]) -> Row:
    before = [manifest for value, manifest in snapshots.items() if value < newest.value]
    last = before[-1].rows if before else None
    return {
        "rows_of_last_snapshot": last,
        "share_of_last_snapshot": newest.rows / last if last else None,
    }
