"""What dbt reads: Bronze files as views that hold their drift together.

The files of a window may differ: columns come and go, a type changes. Files of one physical
schema are scanned together. A column that is held alike in all of them keeps its type; any
other is read as text in each file's own form, with a word that says how the file holds it. A
column is found by its place in the file, because names may be empty, stand twice or differ in
case only, and DuckDB has names of its own for such columns.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from medallion.lake.bronze import AMBIGUOUS, BronzeFile, BronzePartition
from medallion.lake.names import MISSING
from medallion.lake.scans import FILE_COLUMN, file_list
from medallion.spec import BRONZE_DAY, INGESTION_DAY, SNAPSHOT_DAY, Spec
from medallion.spec.types import BRONZE
from medallion.sql import identifier

FILE, ROW = "_file", "_row"
_NATIVE = frozenset(kind.duckdb.upper() for kind in BRONZE.values())
_TEXT = ("VARCHAR", "JSON")
_TEXT_WORD = "'text'"
_NAMELESS = "unnamed"
Occurrence = tuple[str, int]
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
        """Files by partition key, place, the columns that folders fill, and what they hold."""
        groups: dict[tuple[object, ...], list[BronzeFile]] = defaultdict(list)
        for partition in self.partitions:
            for file in partition.scanned:
                filled = tuple(file.filled(self.spec.contract(self.table)))
                key = (partition.key, file.outside, filled, file.judged, *file.fields)
                groups[key].append(file)
        return dict(groups)

    @cached_property
    def physical(self) -> dict[str, str]:
        """How each contract column is held: a native type, `MIXED`, or `ABSENT`."""
        return {name: self._physical(name) for name in self.spec.contract(self.table)}

    def _physical(self, column: str) -> str:
        held = {columns[column] for columns in self._schemas if column in columns}
        if not held:
            return "ABSENT"
        if column in self._judged:
            return "MIXED"
        if len(held) == 1 and (kind := held.pop()) in _NATIVE:
            return kind
        return "MIXED"

    @cached_property
    def _schemas(self) -> list[dict[str, str]]:
        """The columns of each group of files, by name; what only folders hold is text."""
        contract = self.spec.contract(self.table)
        return [
            {**files[0].columns, **dict.fromkeys(files[0].filled(contract), "VARCHAR")}
            for files in self.groups.values()
        ]

    @cached_property
    def _judged(self) -> set[str]:
        """The columns that hold a value nobody can read."""
        return {
            files[0].names[place] for files in self.groups.values() for place in files[0].judged
        }

    @cached_property
    def ambiguous(self) -> frozenset[str]:
        """The contract columns that stand more than once in some file."""
        return frozenset(
            name
            for name in self.spec.contract(self.table)
            if any(columns.get(name) == AMBIGUOUS for columns in self._schemas)
        )

    @cached_property
    def unknown(self) -> dict[Occurrence, str]:
        """Columns beyond the contract: the name they keep, by where they stand in a file.

        A column that stands twice is kept twice, under numbered names.
        """
        contract = self.spec.contract(self.table)
        words = (_held_as(name) for name in contract)
        taken = {name.lower() for name in (*contract, *words, *_ADDED)}
        kept: dict[Occurrence, str] = {}
        for name, number in sorted(self._beyond_contract()):
            proposed = (name or _NAMELESS) + (f"__{number}" if number else "")
            # DuckDB does not tell case apart, so a name that is taken gets a suffix.
            while proposed.lower() in taken:
                proposed += "__bronze"
            kept[name, number] = proposed
            taken.add(proposed.lower())
        return kept

    def _beyond_contract(self) -> set[Occurrence]:
        contract = self.spec.contract(self.table)
        return {
            occurrence
            for files in self.groups.values()
            for occurrence in occurrences(files[0])
            if occurrence[1] or occurrence[0] not in contract
        }

    @property
    def statement(self) -> str:
        """The SELECT that reads the window."""
        scans = [self._scan(key, files) for key, files in self.groups.items()]
        return "\nunion all by name\n".join(scans) or self._nothing()

    def _scan(self, key: tuple[object, ...], files: Sequence[BronzeFile]) -> str:
        file = files[0]
        held = Held(file)
        path = held.free_name
        filled = {
            name: in_path(name, path, file) for name in file.filled(self.spec.contract(self.table))
        }
        selected = [*self._contract_columns(held, filled), *self._unknown_columns(held)]
        day = in_path(BRONZE_DAY, path, file) if key[0] == BRONZE_DAY else "null"
        return (
            f"select {', '.join(selected)}, cast({day} as date) as {INGESTION_DAY},"
            f" {path} as {FILE}, {held.row_number} as {ROW}"
            f" from read_parquet({file_list(file.path for file in files)},"
            f" filename = '{path}', hive_partitioning = false) as {held.alias}"
        )

    def _contract_columns(self, held: Held, filled: Mapping[str, str]) -> Iterable[str]:
        for name, kind in self.physical.items():
            place = held.places.get((name, 0))
            value = filled.get(name)
            if kind == "MIXED":
                yield f"{value or held.text(place)} as {identifier(name)}"
                yield f"{_TEXT_WORD if value else held.word(name)} as {identifier(_held_as(name))}"
            elif value or place is not None:
                yield f"{value or f'c{place}'} as {identifier(name)}"
            else:
                yield f"null::{'varchar' if kind == 'ABSENT' else kind} as {identifier(name)}"

    def _unknown_columns(self, held: Held) -> Iterable[str]:
        for occurrence, kept in self.unknown.items():
            yield f"{held.text(held.places.get(occurrence))} as {identifier(kept)}"

    def _nothing(self) -> str:
        columns = [f"null::varchar as {identifier(name)}" for name in self.physical]
        return (
            f"select {', '.join(columns)}, null::date as {INGESTION_DAY},"
            f" null::varchar as {FILE}, null::bigint as {ROW} where false"
        )


@dataclass(frozen=True)
class Held:
    """The columns of files of one physical schema, as SQL can name them: by their places."""

    file: BronzeFile

    @cached_property
    def places(self) -> dict[Occurrence, int]:
        """Where each column stands."""
        return {found: place for place, found in enumerate(occurrences(self.file))}

    def text(self, place: int | None) -> str:
        """A column's values as text: bytes are decoded; the sign of a NaN means nothing."""
        if place is None:
            return "null::varchar"
        kind = self.file.fields[place][1]
        text = f"cast(c{place} as varchar)"
        if place in self.file.judged:
            return f"coalesce({_unreadable(place)}, {text})"
        if kind in ("FLOAT", "DOUBLE"):
            return f"replace({text}, '-nan', 'nan')"
        return f"coalesce(try(decode(c{place})), {text})" if kind == "BLOB" else text

    def word(self, name: str) -> str:
        """How a column's values are held: text, bytes that are no text, something other."""
        place = self.places.get((name, 0))
        if place is None:
            return "'ambiguous'" if (name, 1) in self.places else _TEXT_WORD
        kind = self.file.fields[place][1]
        if kind == "BLOB":
            return f"case when try(decode(c{place})) is null then 'bytes' else 'text' end"
        word = _TEXT_WORD if kind in _TEXT else "'other'"
        if place in self.file.judged:
            return f"case when {_unreadable(place)} is null then {word} else 'bytes' end"
        return word

    @property
    def alias(self) -> str:
        """Names for all columns."""
        columns = [f"c{place}" for place in range(len(self.file.fields))]
        beside = [f"{word}{place}" for place in self.file.judged for word in ("left", "told")]
        return f"held({', '.join(columns + beside)})"

    @property
    def free_name(self) -> str:
        """A name for the path that no column can have, being longer than all of them."""
        return "path" + "_" * max((len(name) for name, _ in self.file.fields), default=0)

    @property
    def row_number(self) -> str:
        """A row's place: DuckDB's own number, or one counted in the order of the scan.

        DuckDB refuses to number the rows of a file that has a column of the number's name.
        """
        names = {name.lower() for name, _ in self.file.fields}
        return "row_number() over ()" if "file_row_number" in names else "file_row_number"


def occurrences(file: BronzeFile) -> list[Occurrence]:
    """The columns of a file in its order: name, and 0, or 1, 2, ... if the name stands twice."""
    times = Counter(file.names)
    seen: Counter[str] = Counter()
    found: list[Occurrence] = []
    for name in file.names:
        seen[name] += 1
        found.append((name, seen[name] if times[name] > 1 else 0))
    return found


def _unreadable(place: int) -> str:
    """SQL of a value that nobody can read, as it can be told; null for any other."""
    left, told = (f"cast({word}{place} as varchar)" for word in ("left", "told"))
    return f"case when {left} is distinct from {told} then {told} end"


def _held_as(name: str) -> str:
    """The column that says how a mixed column's value is held in its file."""
    return f"{name}__held"


def in_path(key: str, path: str, file: BronzeFile) -> str:
    """SQL of the value that a folder below the table's folder gives a key.

    Args:
        key: The key, in plain letters.
        path: The column that holds the paths.
        file: A file of the table; all of them lie below one folder.
    """
    inside = f"substr({path}, {len(file.outside) + 1})"
    written = f"regexp_extract({inside}, '(?:^|/){key}=([^/]*)/', 1)"
    return f"url_decode(nullif({written}, '{MISSING}'))"
