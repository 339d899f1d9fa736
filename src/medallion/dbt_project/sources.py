"""What dbt reads: Bronze files as views that hold their drift together.

The files of a window may differ: columns come and go, a type changes. Files of one physical
schema are scanned together. A column that is held alike in all of them keeps its type; any
other is read as text in each file's own form, with a flag that says whether text it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from medallion.lake.bronze import BronzeFile, BronzePartition
from medallion.spec import BRONZE_DAY, INGESTION_DAY, SNAPSHOT_DAY, Spec

FILE, ROW = "_file", "_row"
_NATIVE = ("VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN")
_ADDED = (INGESTION_DAY, SNAPSHOT_DAY, "invalid_reason", FILE, ROW)


@dataclass(frozen=True)
class BronzeView:
    """The Bronze rows of a window as one relation.

    Attributes:
        table: The table.
        partitions: The window's partitions.
        spec: The contract.
    """

    table: str
    partitions: Sequence[BronzePartition] = field(repr=False)
    spec: Spec = field(repr=False)

    @cached_property
    def groups(self) -> dict[tuple[object, ...], list[BronzeFile]]:
        """Files by where their day comes from and what they hold."""
        groups: dict[tuple[object, ...], list[BronzeFile]] = defaultdict(list)
        for partition in self.partitions:
            for file in partition.files:
                groups[_day_from(partition, file), *file.columns.items()].append(file)
        return dict(groups)

    @cached_property
    def physical(self) -> dict[str, str]:
        """How each contract column is held: a native type, `MIXED`, or `ABSENT`."""
        return {name: self._physical(name) for name in self.spec.contract(self.table)}

    def _physical(self, column: str) -> str:
        held = {
            files[0].columns[column] for files in self.groups.values() if column in files[0].columns
        }
        if not held:
            return "ABSENT"
        if len(held) == 1 and (kind := held.pop()) in _NATIVE:
            return kind
        return "MIXED"

    @cached_property
    def unknown(self) -> dict[str, str]:
        """Columns beyond the contract: the name they keep, by the name in the file."""
        contract = self.spec.contract(self.table)
        flags = (_flag(name) for name in contract)
        taken = {name.lower() for name in (*contract, *flags, *_ADDED)}
        names = {name for files in self.groups.values() for name in files[0].columns}
        kept: dict[str, str] = {}
        for name in sorted(names - contract.keys()):
            # DuckDB does not tell case apart, so a name that is taken gets a suffix.
            kept[name] = f"{name}__bronze" if name.lower() in taken else name
            taken.add(kept[name].lower())
        return kept

    @property
    def statement(self) -> str:
        """The SELECT that reads the window."""
        scans = [self._scan(key, files) for key, files in self.groups.items()]
        return "\nunion all by name\n".join(scans) or self._nothing()

    def _scan(self, key: tuple[object, ...], files: Sequence[BronzeFile]) -> str:
        held = _Held(files[0].columns)
        selected = [*self._contract_columns(held), *self._unknown_columns(held)]
        path = held.free_name
        day = {
            "hive": BRONZE_DAY,
            "name": f"cast(regexp_extract({path}, '{BRONZE_DAY}=([0-9-]+)', 1) as date)",
            "none": "cast(null as date)",
        }[str(key[0])]
        paths = ", ".join(_literal(file.path) for file in files)
        hive = f", hive_types = {{'{BRONZE_DAY}': DATE}}" if key[0] == "hive" else ""
        return (
            f"select {', '.join(selected)}, {day} as {INGESTION_DAY},"
            f" {path} as {FILE}, {held.row_number} as {ROW}"
            f" from read_parquet([{paths}], filename = '{path}',"
            f" hive_partitioning = {str(key[0] == 'hive').lower()}{hive}){held.alias}"
        )

    def _contract_columns(self, held: _Held) -> Iterable[str]:
        for name, kind in self.physical.items():
            quoted = _quoted(name)
            if name not in held.types:
                yield (
                    f"null::varchar as {quoted}"
                    if kind in ("MIXED", "ABSENT")
                    else (f"null::{kind} as {quoted}")
                )
            elif kind == "MIXED":
                yield f"{held.text(name)} as {quoted}"
            else:
                yield f"{held.reference(name)} as {quoted}"
            if kind == "MIXED":
                is_text = held.types.get(name) == "VARCHAR"
                yield f"{str(is_text).lower()} as {_quoted(_flag(name))}"

    def _unknown_columns(self, held: _Held) -> Iterable[str]:
        for name, kept in self.unknown.items():
            value = held.text(name) if name in held.types else "null::varchar"
            yield f"{value} as {_quoted(kept)}"

    def _nothing(self) -> str:
        columns = [f"null::varchar as {_quoted(name)}" for name in self.physical]
        return (
            f"select {', '.join(columns)}, null::date as {INGESTION_DAY},"
            f" null::varchar as {FILE}, null::bigint as {ROW} where false"
        )


@dataclass(frozen=True)
class _Held:
    """The columns of files of one physical schema, as SQL can name them.

    DuckDB does not tell names apart by case, and refuses to number the rows of a file that has
    a column of the number's name; Bronze may hold both.
    """

    types: Mapping[str, str]

    @cached_property
    def _clash(self) -> bool:
        return len({name.lower() for name in self.types}) < len(self.types)

    def reference(self, name: str) -> str:
        """A column's name, or its place where names differ in case only."""
        return f"c{list(self.types).index(name)}" if self._clash else _quoted(name)

    def text(self, name: str) -> str:
        """A column's values as text; the sign of a NaN means nothing."""
        text = f"cast({self.reference(name)} as varchar)"
        is_float = self.types[name] in ("FLOAT", "DOUBLE")
        return f"replace({text}, '-nan', 'nan')" if is_float else text

    @property
    def alias(self) -> str:
        """The names by place, where they are needed."""
        if not self._clash:
            return ""
        return f" as held({', '.join(f'c{place}' for place in range(len(self.types)))})"

    @property
    def free_name(self) -> str:
        """A name for the path that no column can have, being longer than all of them."""
        return "path" + "_" * max((len(name) for name in self.types), default=0)

    @property
    def row_number(self) -> str:
        """A row's place: DuckDB's own number, or one counted in the order of the scan."""
        names = {name.lower() for name in self.types}
        return "row_number() over ()" if "file_row_number" in names else "file_row_number"


def _flag(name: str) -> str:
    """The column that says whether a mixed column's value was text in its file."""
    return f"{name}__is_text"


def _day_from(partition: BronzePartition, file: BronzeFile) -> str:
    """Where the day of a file's rows comes from."""
    if partition.key != BRONZE_DAY:
        return "none"
    shadowed = any(name.lower() == BRONZE_DAY for name in file.columns)
    return "name" if shadowed else "hive"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"
