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
from medallion.lake.names import MISSING
from medallion.lake.scans import FILE_COLUMN, file_list
from medallion.spec import BRONZE_DAY, INGESTION_DAY, SNAPSHOT_DAY, Spec

FILE, ROW = "_file", "_row"
_NATIVE = ("VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN")
_ADDED = (INGESTION_DAY, SNAPSHOT_DAY, "invalid_reason", FILE, ROW, FILE_COLUMN)


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
        """Files by their partition key, the columns that folders fill, and what they hold."""
        groups: dict[tuple[object, ...], list[BronzeFile]] = defaultdict(list)
        for partition in self.partitions:
            for file in partition.files:
                filled = tuple(file.filled(self.spec.contract(self.table)))
                groups[partition.key, filled, *file.columns.items()].append(file)
        return dict(groups)

    def _kind(self, file: BronzeFile, column: str) -> str | None:
        """How a file holds a column; what only its folder holds is text."""
        filled = column in file.filled([column])
        return "VARCHAR" if filled else file.columns.get(column)

    @cached_property
    def physical(self) -> dict[str, str]:
        """How each contract column is held: a native type, `MIXED`, or `ABSENT`."""
        return {name: self._physical(name) for name in self.spec.contract(self.table)}

    def _physical(self, column: str) -> str:
        kinds = [self._kind(files[0], column) for files in self.groups.values()]
        held = {kind for kind in kinds if kind}
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
        filled = files[0].filled(self.spec.contract(self.table))
        path = _free_name(files[0].columns)
        held = _Held(files[0].columns, {name: _in_path(name, path, files[0]) for name in filled})
        selected = [*self._contract_columns(held), *self._unknown_columns(held)]
        day = _in_path(BRONZE_DAY, path, files[0]) if key[0] == BRONZE_DAY else "null"
        return (
            f"select {', '.join(selected)}, cast({day} as date) as {INGESTION_DAY},"
            f" {path} as {FILE}, {held.row_number} as {ROW}"
            f" from read_parquet({file_list(file.path for file in files)},"
            f" filename = '{path}', hive_partitioning = false){held.alias}"
        )

    def _contract_columns(self, held: _Held) -> Iterable[str]:
        for name, kind in self.physical.items():
            quoted = _quoted(name)
            if held.kind(name) is None:
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
                is_text = held.kind(name) == "VARCHAR"
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

    Attributes:
        types: The columns of the files, in their order.
        filled: The columns that only the folders hold, as text, and how to read them there.
    """

    types: Mapping[str, str]
    filled: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _clash(self) -> bool:
        return len({name.lower() for name in self.types}) < len(self.types)

    def kind(self, name: str) -> str | None:
        """How a column is held, if it is."""
        return "VARCHAR" if name in self.filled else self.types.get(name)

    def reference(self, name: str) -> str:
        """A column's name, or its place where names differ in case only."""
        if name in self.filled:
            return self.filled[name]
        return f"c{list(self.types).index(name)}" if self._clash else _quoted(name)

    def text(self, name: str) -> str:
        """A column's values as text; the sign of a NaN means nothing."""
        text = f"cast({self.reference(name)} as varchar)"
        is_float = self.kind(name) in ("FLOAT", "DOUBLE")
        return f"replace({text}, '-nan', 'nan')" if is_float else text

    @property
    def alias(self) -> str:
        """The names by place, where they are needed."""
        if not self._clash:
            return ""
        return f" as held({', '.join(f'c{place}' for place in range(len(self.types)))})"

    @property
    def row_number(self) -> str:
        """A row's place: DuckDB's own number, or one counted in the order of the scan."""
        names = {name.lower() for name in self.types}
        return "row_number() over ()" if "file_row_number" in names else "file_row_number"


def _flag(name: str) -> str:
    """The column that says whether a mixed column's value was text in its file."""
    return f"{name}__is_text"


def _free_name(columns: Mapping[str, str]) -> str:
    """A name for the path that no column can have, being longer than all of them."""
    return "path" + "_" * max((len(name) for name in columns), default=0)


def _in_path(key: str, path: str, file: BronzeFile) -> str:
    """SQL of the value that a folder below the table's folder gives a key.

    Args:
        key: The key, in plain letters.
        path: The column that holds the paths.
        file: A file of the table; all of them lie below one folder.
    """
    inside = f"substr({path}, {len(file.path) - len(file.inside) + 1})"
    written = f"regexp_extract({inside}, '(?:^|/){key}=([^/]*)/', 1)"
    return f"url_decode(nullif({written}, '{MISSING}'))"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
