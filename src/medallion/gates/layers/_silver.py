"""What dimensions and Base Silver have in common: rows that came in, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medallion.gates.batch import Batch, Row
from medallion.gates.expectation import Expectation
from medallion.gates.layers import _common as common
from medallion.gates.measured_table import MeasuredTable
from medallion.lake.manifest import PartitionManifest
from medallion.lake.scans import read_files
from medallion.spec import Column, Spec

OUTCOME = {
    "bronze_rows": "bigint",
    "accepted_rows": "bigint",
    "quarantined_rows": "bigint",
    "unaccounted_rows": "bigint",
    "lost_share": "double",  # rows that ended nowhere, of the Bronze rows
    "quarantine_share": "double",
    "pass_rate": "double",
    "repeated_keys": "bigint",  # rows whose key another row has
}
REASONS = {"reason": "varchar", "row_count": "bigint", "share": "double"}
NULLIFIED = {"column_name": "varchar", "row_count": "bigint", "share": "double"}


def columns_hold(table: str, spec: Spec) -> Iterable[Expectation]:
    """What the spec says of the values of each column."""
    for name, column in spec.tables[table].columns.items():
        origin = f"spec.yml: tables.{table}.columns.{name}"
        if column.required:
            yield common.is_there(name, "The column is required.", origin)
        yield from _values(name, column, origin, spec)


def _values(name: str, column: Column, origin: str, spec: Spec) -> Iterable[Expectation]:
    if column.accepted:
        yield Expectation(
            "expect_column_values_to_be_in_set",
            {"column": name, "value_set": list(column.accepted)},
            "warning",
            "A value nobody knows yet: a typing error, or something new.",
            origin,
        )
    if column.check:
        is_money = column.check == "negative"
        least = 0 if is_money else 1
        most = spec.cleaning.max_money if is_money else spec.cleaning.max_quantity
        note = "Scoring puts such rows aside."
        yield common.is_between(name, "critical", note, origin, min_value=least, max_value=most)
    if column.nullify and column.nullify != "email":
        bounds = {"min_value": column.nullify.below, "max_value": column.nullify.above}
        note = "Scoring makes such values null."
        yield common.is_between(name, "critical", note, origin, **bounds)


def key_is_unique(table: str, spec: Spec) -> Expectation:
    """That no two rows have the table's key."""
    note = f"{' + '.join(spec.tables[table].key)} is the key."
    return common.is_zero("repeated_keys", note, f"spec.yml: tables.{table}.key")


def none_is_left_over(table: str) -> Expectation:
    """That what came in is what came out."""
    note = "Every Bronze row ends in exactly one place."
    return common.is_zero("unaccounted_rows", note, f"spec.yml: tables.{table}")


def enough_pass(table: str, spec: Spec) -> Iterable[Expectation]:
    """How many rows may be lost or put aside."""
    quality, sla = spec.quality, spec.tables[table].sla
    where = f"spec.yml: tables.{table}.sla"
    yield common.is_between(
        "lost_share",
        "critical",
        "Every Bronze row ends somewhere.",
        "spec.yml: quality.max_lost_share",
        max_value=quality.max_lost_share,
        strict_max=True,
    )
    yield common.is_between(
        "quarantine_share",
        "critical",
        "So many rows put aside mean that a source has changed.",
        "spec.yml: quality.max_quarantine_share",
        max_value=quality.max_quarantine_share,
        strict_max=True,
    )
    yield common.is_between("pass_rate", "warning", "The table's SLA.", where, min_value=sla)
    least = round(sla * (1 - quality.sla_warns_within), 6)
    note = "Too far below the table's SLA."
    yield common.is_between("pass_rate", "critical", note, where, min_value=least)


@dataclass(frozen=True)
class Outcome:
    """What became of the Bronze rows that some partitions were made from, in rows.

    Attributes:
        bronze: Rows that came in.
        superseded: Of them, those that newer ones replace.
        accepted: Those that were accepted.
        quarantined: Those that were put aside.
    """

    bronze: int
    superseded: int
    accepted: int
    quarantined: int

    def as_row(self) -> Row:
        """The counts and their shares, as the relation `measures` names them."""
        lost = self.bronze - self.superseded - self.accepted - self.quarantined
        return {
            "bronze_rows": self.bronze,
            "accepted_rows": self.accepted,
            "quarantined_rows": self.quarantined,
            "superseded_rows": self.superseded,
            "unaccounted_rows": lost,
            "lost_share": share(max(lost, 0), self.bronze),
            "quarantine_share": share(self.quarantined, self.bronze),
            "pass_rate": share(self.accepted + self.superseded, self.bronze),
        }


def outcome(accepted: Sequence[PartitionManifest], aside: Sequence[PartitionManifest]) -> Outcome:
    """What became of the rows, as the manifests of the partitions say."""
    made_from = {m.value: m.counts for m in (*aside, *accepted)}
    return Outcome(
        bronze=sum(counts.get("bronze_rows", 0) for counts in made_from.values()),
        superseded=sum(counts.get("superseded", 0) for counts in made_from.values()),
        accepted=sum(manifest.rows for manifest in accepted),
        quarantined=sum(manifest.rows for manifest in aside),
    )


def share(part: int, whole: int) -> float | None:
    """A part of a whole, from 0 to 1; None where there is nothing."""
    return part / whole if whole else None


def reasons(table: MeasuredTable, put_aside: Sequence[Path]) -> dict[str, int]:
    """How many rows each reason has put aside; a row may have several."""
    if not put_aside:
        return {}
    rows = read_files(put_aside, union_by_name=True)
    return dict(
        table.ask(
            "select reason, count(*) from (select unnest(string_split(invalid_reason, '|'))"
            f" as reason from {rows}) group by reason"
        )
    )


def breakdown(
    table: MeasuredTable,
    put_aside: Sequence[Path],
    bronze_rows: int,
    nullified: Mapping[str, int] | None,
) -> Iterable[Batch]:
    """Why rows were put aside, and which values were made null.

    Args:
        table: The table.
        put_aside: The files with the rows that were put aside.
        bronze_rows: Rows that came in.
        nullified: Values made null, by column; None where nobody has counted them.
    """
    codes = [
        {"reason": code, "row_count": count, "share": share(count, bronze_rows)}
        for code, count in reasons(table, put_aside).items()
    ]
    yield table.fill("reasons", codes)
    if nullified is not None:
        values = [
            {"column_name": name, "row_count": n, "share": share(n, bronze_rows)}
            for name, n in nullified.items()
            if n
        ]
        yield table.fill("nullified", values)


def evidence(
    table: MeasuredTable, key: Sequence[str], put_aside: Sequence[Path], foreign: Iterable[str] = ()
) -> dict[str, str]:
    """The queries that find a few rows behind a measure that fails.

    Args:
        table: The table.
        key: Its key.
        put_aside: The files with the rows that were put aside.
        foreign: Its foreign keys.
    """
    found = {"repeated_keys": table.repeated_rows(key)}
    if put_aside:
        of_any = _put_aside_for("", key, put_aside)
        found |= {"quarantine_share": of_any, "pass_rate": of_any}
        found |= {
            found_share(column): _put_aside_for(f"fk:{column}", key, put_aside)
            for column in foreign
        }
    return found


def found_share(column: str) -> str:
    """The measure that says how often a foreign key has a parent."""
    return f"{column}_found_share"


def _put_aside_for(reason: str, key: Sequence[str], put_aside: Sequence[Path]) -> str:
    """One row of each list of reasons that holds one, the most frequent first."""
    columns = ", ".join(key)
    return (
        f"select {columns}, invalid_reason from {read_files(put_aside, union_by_name=True)}"
        f" where contains('|' || invalid_reason, '|{reason}')"
        f" qualify row_number() over (partition by invalid_reason order by {columns}) = 1"
        f" order by count(*) over (partition by invalid_reason) desc, invalid_reason"
    )
