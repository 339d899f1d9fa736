"""The gate behind Bronze: partitions and their manifests, files and their footers, days.

Nothing of Bronze is this project's own, so the gate looks at how it was delivered; what the
rows hold is looked at when they are scored.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from medallion.gates.batch import Batch, Row
from medallion.gates.declared import Declared, Types
from medallion.gates.expectation import Expectation, Severity
from medallion.gates.layers import _common as common
from medallion.gates.layers._common import Expectations
from medallion.gates.layers.shape import LayerGate
from medallion.gates.measured_table import MeasuredTable
from medallion.gates.relations import differences, named
from medallion.gates.result import Due, Failure, Partitions, finding
from medallion.lake.bronze import (
    AMBIGUOUS,
    BRONZE_TYPES,
    BronzeFile,
    BronzePartition,
    Finding,
    Listed,
)
from medallion.lake.names import printable
from medallion.spec import Column, Spec
from medallion.spec.models import Volume

TITLE = "Bronze, as delivered"

# One row per partition folder that the run reads, or that is not complete.
PARTITIONS = {
    "partition": "varchar",
    "has_manifest": "boolean",
    "manifest_problem": "varchar",  # null if it can be read
    "unlisted_files": "varchar",  # null if there are none
}
# One row per file that a manifest lists.
FILES = {
    "partition": "varchar",
    "file": "varchar",
    "problem": "varchar",  # null if it can be read
    "manifest_rows": "bigint",
    "footer_rows": "bigint",
    "missing_required_columns": "varchar",  # names; null if none
    "ambiguous_columns": "varchar",  # names that stand twice in the file; null if none
    "schema_drift": "varchar",  # all other differences from the contract; null if none
}
# One row per ingest day of the run's window.
DAYS = {
    "day": "date",
    "is_delivered": "boolean",
    "row_count": "bigint",
    "trailing_rows": "double",  # median of the delivered days before
    "volume_ratio": "double",  # null while there is too little to compare with
}

_CONTRACT = "The producer delivers what the contract says."
_TWICE = "Of two columns of one name nobody can say which is meant."
_VOLUME = "Far more or fewer rows than the days before: something is lost or doubled."
_DRIFT = ("missing_required_columns", "ambiguous_columns", "schema_drift")
# What is found of folders, and no suite says.
_LAYOUT = (
    "known_table",
    "table_present",
    "partition_name",
    "partition_kept",
    "partition_lost",
    "partition_ahead",
    "snapshot_lost",
    "day_held_back",
)


def tables(declared: Declared) -> tuple[str, ...]:
    """All that are delivered."""
    return tuple(declared.spec.tables)


def subjects(declared: Declared, table: str) -> dict[str, Types]:
    """Partitions, their files and, of an event table, the days of the window."""
    days = {"days": DAYS} if declared.spec.tables[table].kind == "event" else {}
    return {"partitions": PARTITIONS, "files": FILES, **days}


def key(declared: Declared, table: str) -> tuple[str, ...]:
    """The key of the contract; the gate looks at no rows."""
    return declared.spec.tables[table].key


def other_tables(declared: Declared) -> dict[str, Types]:  # noqa: ARG001
    """None: its queries look at the table itself."""
    return {}


def expectations(declared: Declared, table: str) -> Expectations:
    """Every partition is complete, every file is what the manifest and the contract say."""
    spec = declared.spec
    origin = f"spec.yml: tables.{table}"
    found: Expectations = {"partitions": _of_partitions(origin), "files": _of_files(origin)}
    if spec.tables[table].kind == "event":
        found["days"] = list(_of_days(table, spec, origin))
    return found


def _of_partitions(origin: str) -> list[Expectation]:
    return [
        common.is_true(
            "has_manifest", "warning", "A folder without manifest is not complete.", origin
        ),
        common.is_null(
            "manifest_problem",
            "critical",
            "A manifest lists what to read.",
            origin,
            always_stops=True,
        ),
        common.is_null("unlisted_files", "critical", "A file nobody lists is not read.", origin),
    ]


def _of_files(origin: str) -> list[Expectation]:
    contract = f"{origin}.columns"
    return [
        common.is_null(
            "problem", "critical", "Every listed file must be readable.", origin, always_stops=True
        ),
        Expectation(
            "expect_column_pair_values_to_be_equal",
            {"column_A": "manifest_rows", "column_B": "footer_rows"},
            "critical",
            "A file must hold the rows that were delivered.",
            origin,
        ),
        common.is_null("missing_required_columns", "critical", _CONTRACT, contract),
        common.is_null("ambiguous_columns", "critical", _TWICE, contract),
        common.is_null("schema_drift", "warning", _CONTRACT, contract),
    ]


def _of_days(table: str, spec: Spec, origin: str) -> Iterable[Expectation]:
    if not spec.tables[table].may_be_absent:
        note = "A day without these rows is incomplete."
        yield common.is_true("is_delivered", "critical", note, origin)
    volume = spec.quality.volume
    bounds: tuple[tuple[Severity, tuple[float, float]], ...] = (
        ("warning", volume.warn),
        ("critical", volume.stop),
    )
    for severity, (low, high) in bounds:
        where = "spec.yml: quality.volume"
        yield common.is_between(
            "volume_ratio", severity, _VOLUME, where, min_value=low, max_value=high
        )


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


@dataclass(frozen=True)
class BronzeGate(LayerGate):
    """What a run reads of Bronze, or should find there.

    Attributes:
        declared: The contract.
        deliveries: What was delivered, by table.
        found: What listing and opening Bronze has found.
    """

    layer = "bronze"
    declared: Declared
    deliveries: Mapping[str, Delivered]
    found: Sequence[Finding] = ()

    def current(self) -> Partitions:
        """The partitions that the run reads; a table may have none, and is looked at."""
        return {
            table: {one.partition: one.fingerprint for one in delivered.listed}
            for table, delivered in self.deliveries.items()
        }

    def findings(self) -> Iterable[Failure]:
        """Odd folders, and incomplete ones of tables that are not read."""
        for one in self.found:
            incomplete = one.check == "manifest_present" and one.table not in self.deliveries
            if incomplete or one.check in _LAYOUT:
                made = finding(self.layer, one.check, one.table, one.partition, one.message)
                yield replace(made, severity="critical" if one.critical else "warning")

    def measure(self, table: MeasuredTable, due: Due) -> Iterable[Batch]:  # noqa: ARG002
        """A table's partitions and files and, of an event table, the days of the window."""
        delivered = self.deliveries[table.name]
        yield table.fill("partitions", list(_partition_rows(delivered)))
        yield table.fill("files", list(self._file_rows(table.name, delivered)))
        if "days" in table.suite.subjects:
            volume = self.declared.spec.quality.volume
            yield table.fill("days", list(_day_rows(delivered, volume)))

    def _file_rows(self, table: str, delivered: Delivered) -> Iterable[Row]:
        footers = {file.path: file for partition in delivered.opened for file in partition.files}
        unreadable = [f for f in delivered.findings if f.check == "file_readable"]
        for listed in delivered.listed:
            for path, rows in listed.rows.items():
                footer = footers.get(path)
                partition, name = listed.partition, printable(listed.below(path))
                # A file of nothing, without rows and columns, breaks no contract.
                held = footer if footer and footer.fields else None
                drift = _drift(self.declared.spec, table, held) if held else {}
                yield {
                    "partition": partition,
                    "file": name,
                    "problem": None if footer else _problem(unreadable, partition, name),
                    "manifest_rows": rows,
                    "footer_rows": footer.rows if footer else None,
                    **{column: drift.get(column) for column in _DRIFT},
                }


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


def _drift(spec: Spec, table: str, file: BronzeFile) -> Row:
    """How a file's columns differ from the contract's, by name; folders fill columns, too."""
    contract = spec.contract(table)
    columns = {**file.columns, **{n: _declared(contract[n]) for n in file.filled(contract)}}
    required = {n for n, column in contract.items() if column.required}
    twice = [n for n in contract if columns.get(n) == AMBIGUOUS]
    return {
        "missing_required_columns": named(
            n for n in contract if n in required and n not in columns
        ),
        "ambiguous_columns": named(twice),
        "schema_drift": differences(
            ((name, kind) for name, kind in columns.items() if name not in twice),
            {n: _declared(column) for n, column in contract.items()},
            optional={*required, *spec.lineage, *twice},
        ),
    }


def _declared(column: Column) -> str:
    return BRONZE_TYPES[column.bronze]


def _day_rows(delivered: Delivered, volume: Volume) -> Iterable[Row]:
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
