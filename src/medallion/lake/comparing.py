"""What differs between two states of a lake: the cause first, then the rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.lake.published import Piece, PublishedPartition, StateManifest
from medallion.lake.scans import read_days
from medallion.lake.states import States
from medallion.spec import INGESTION_DAY, SNAPSHOT_DAY, Spec
from medallion.sql import identifier, literal
from medallion.storage.parallel import in_parallel

if TYPE_CHECKING:
    import duckdb

# So many keys of each kind, and so many days, are shown.
_SAMPLES = 3
# Between values that make one text, and in place of null: no value holds them.
_BETWEEN, _NULL = "\x1f", "\x1e"
_TOLD = {"code_version": "code", "spec": "spec", "parameters": "parameters"}


@dataclass(frozen=True)
class Difference:
    """What differs in a table.

    Attributes:
        table: Layer and table, such as `base/orders`.
        partitions: The partitions that differ.
        added: Rows whose key only the second state has.
        removed: Rows whose key only the first state has.
        changed: Rows that both have, with other values.
        samples: Some keys of each kind, by `added`, `removed` and `changed`.
    """

    table: str
    partitions: tuple[str, ...]
    added: int
    removed: int
    changed: int
    samples: Mapping[str, Sequence[str]]

    @property
    def name(self) -> str:
        """The table as the catalog names it, such as `base_silver.orders`."""
        layer, _, table = self.table.partition("/")
        return f"{'base_silver' if layer == 'base' else layer}.{table}"


def causes(published: States, one: StateManifest, other: StateManifest) -> list[str]:
    """Why two states differ, as far as it is known: code, spec, parameters, Bronze."""
    found = [
        f"{name}: {_short(one.told.get(key))} -> {_short(other.told.get(key))}"
        for key, name in _TOLD.items()
        if one.told.get(key) != other.told.get(key)
    ]
    days: dict[str, list[str]] = {}
    for table, (before, after) in _changed_pieces(published, one, other).items():
        if table.startswith("base/"):
            for name in sorted({*before, *after}):
                if _delivery(before.get(name)) != _delivery(after.get(name)):
                    days.setdefault(table.partition("/")[2], []).append(name.partition("=")[2])
    return found + [f"Bronze: {table} of {_span(some)}" for table, some in days.items()]


def differences(
    published: States, one: StateManifest, other: StateManifest, spec: Spec
) -> Iterator[Difference]:
    """What differs in each table; only partitions that differ are read.

    Raises:
        LakeError: A file is not there, or not what its manifest describes.
    """
    for table, (before, after) in _changed_pieces(published, one, other).items():
        changed = sorted(n for n in {*before, *after} if before.get(n) != after.get(n))
        key = key_of(spec, table)
        with tempfile.TemporaryDirectory(prefix="medallion-diff-") as scratch:
            sides = [
                _fetched(published, side, changed, Path(scratch) / name)
                for name, side in (("before", before), ("after", after))
            ]
            counts, samples = _compared(sides, key)
        values = tuple(name.partition("=")[2] for name in changed)
        yield Difference(table, values, *counts, samples)


def key_of(spec: Spec, table: str) -> tuple[str, ...]:
    """What tells the rows of a table apart; nothing where rows that are alike may stand twice."""
    layer, name = table.split("/")
    if layer == "enriched":
        return (*spec.transforms[name].grain,) if name in spec.transforms else ()
    return tuple(spec.tables[name].key) if layer in ("base", "dims", "keys") else ()


def _changed_pieces(
    published: States, one: StateManifest, other: StateManifest
) -> dict[str, tuple[Mapping[str, PublishedPartition], Mapping[str, PublishedPartition]]]:
    """The partitions of tables whose pieces differ, in both states."""
    names = sorted({*one.tables, *other.tables})
    wanted = [name for name in names if one.tables.get(name) != other.tables.get(name)]

    def read(name: str) -> tuple[Mapping[str, PublishedPartition], ...]:
        sides = (state.tables.get(name) for state in (one, other))
        empty = Piece(table=name, partitions={})
        return tuple((published.piece(side) if side else empty).partitions for side in sides)

    pairs = zip(wanted, in_parallel(read, wanted), strict=True)
    return {name: (before, after) for name, (before, after) in pairs}


def _span(days: Sequence[str]) -> str:
    """Days, ascending, for people: all of a few, or how many of what time."""
    if len(days) <= _SAMPLES:
        return ", ".join(days)
    return f"{len(days)} days, {days[0]} to {days[-1]}"


def _delivery(partition: PublishedPartition | None) -> str:
    return partition.manifest.inputs.get("bronze", "") if partition else ""


def _fetched(
    published: States, side: Mapping[str, PublishedPartition], names: Sequence[str], top: Path
) -> str:
    """SQL of the rows of some partitions; empty if there are none."""
    wanted = [
        (key, top / name / file.path, file.sha256)
        for name in names
        if name in side
        for file, key in zip(side[name].manifest.files, side[name].objects, strict=True)
    ]
    paths = in_parallel(lambda one: published.bring(*one), wanted)
    day = names[0].partition("=")[0]
    kind = "date" if day in _DAYS else "varchar"
    return read_days(paths, day, union_by_name=True, kind=kind) if paths else ""


def _compared(
    sides: Sequence[str], key: Sequence[str]
) -> tuple[tuple[int, int, int], dict[str, list[str]]]:
    """Rows added, removed and changed, and some keys of each."""
    import duckdb

    with duckdb.connect() as connection:
        shapes = [_columns(connection, side) for side in sides]
        columns = list(dict.fromkeys(name for shape in shapes for name in shape))
        identity = [c for c in columns if not key or c in key or c in _DAYS]
        for name, side, shape in zip(("one", "other"), sides, shapes, strict=True):
            held = [f"{'' if c in shape else 'null as '}{identifier(c)}" for c in columns]
            rows = f"select {', '.join(held)} from ({side})" if side else ""
            values = f"select {_text(identity)} as k, {_text(columns)} as v from ({rows})"
            nothing = "select ''::varchar as k, ''::varchar as v where false"
            connection.execute(f"create table {name} as {values if rows else nothing}")
        found: dict[str, tuple[int, list[str]]] = {}
        for kind, query in (_QUERIES if key else _WITHOUT_KEY).items():
            total = connection.execute(f"select count(*) from ({query})").fetchall()[0][0]
            some = connection.execute(f"{query} order by k limit {_SAMPLES}").fetchall()
            found[kind] = int(total), [" ".join(str(k).split(_BETWEEN)) for (k,) in some]
    counts = (found["added"][0], found["removed"][0], found["changed"][0])
    # Without a key, rows are told apart by all that they hold, which may be somebody's address.
    return counts, {kind: some for kind, (_, some) in found.items() if some and key}


def _columns(connection: duckdb.DuckDBPyConnection, rows: str) -> list[str]:
    if not rows:
        return []
    return [str(name) for name, *_ in connection.execute(f"describe {rows}").fetchall()]


def _text(columns: Sequence[str]) -> str:
    """Some values as one text, the parts told apart."""
    nothing = literal(_NULL)
    texts = (f"coalesce(cast({identifier(c)} as varchar), {nothing})" for c in columns)
    return f"concat_ws({literal(_BETWEEN)}, {', '.join(texts)})"


def _short(value: object) -> str:
    text = "unknown" if value is None else str(value)
    return text[:12]


_DAYS = (INGESTION_DAY, SNAPSHOT_DAY)
_QUERIES = {
    "added": "select k from other anti join one using (k)",
    "removed": "select k from one anti join other using (k)",
    "changed": "select k from one join other using (k) where one.v <> other.v",
}
# Rows that are alike may stand twice: how often counts.
_WITHOUT_KEY = {
    "added": "select k from other except all select k from one",
    "removed": "select k from one except all select k from other",
    "changed": "select k from one where false",
}
