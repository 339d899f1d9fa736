"""Small changes to a copy of the clean Bronze, for cases that tests invent."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

FIRST, SECOND, THIRD = (f"ingest_dt=2025-10-0{n}" for n in (1, 2, 3))


def read(folder: Path) -> pa.Table:
    """A partition as one table, exactly as its files hold it."""
    files = sorted(folder.glob("*.parquet"))
    return pa.concat_tables([pq.ParquetFile(file).read() for file in files])


def write(folder: Path, *tables: pa.Table, names: Sequence[str] = (), **manifest: Any) -> None:
    """Delivers a partition anew: each table one file, and a manifest that lists them."""
    shutil.rmtree(folder, ignore_errors=True)
    files = [*names] or [f"part-{n:04}.parquet" for n in range(len(tables))]
    for name, table in zip(files, tables, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / name)
    rows = {name: table.num_rows for name, table in zip(files, tables, strict=True)}
    write_manifest(folder, rows, **manifest)


def write_manifest(folder: Path, rows: dict[str, Any], **facts: Any) -> None:
    """A manifest like the producer's; `facts` replace or add fields, None removes one."""
    table, partition = folder.parent.name, folder.name
    whole: dict[str, Any] = {
        "batch_id": "batch_x",
        "table": table,
        "partition": partition,
        "files": [{"path": f"{table}/{partition}/{name}", "rows": n} for name, n in rows.items()],
        "total_rows": sum(int(n) for n in rows.values() if str(n).isdecimal()),
        **facts,
    }
    whole = {name: value for name, value in whole.items() if value is not None}
    (folder / "_MANIFEST.json").write_text(json.dumps(whole), encoding="utf-8")


def change(folder: Path, *steps: Callable[[pa.Table], pa.Table]) -> pa.Table:
    """Delivers a partition again after some steps; returns what it was before."""
    before = table = read(folder)
    for step in steps:
        table = step(table)
    write(folder, table)
    return before


def put(name: str, values: Any, kind: pa.DataType | None = None) -> Callable[[pa.Table], pa.Table]:
    """A step that replaces a column in its place, or appends it."""

    def step(table: pa.Table) -> pa.Table:
        given = [values] * table.num_rows if isinstance(values, (str, int, float)) else values
        array = given if isinstance(given, (pa.Array, pa.ChunkedArray)) else pa.array(given, kind)
        n = table.schema.get_field_index(name)
        return table.append_column(name, array) if n < 0 else table.set_column(n, name, array)

    return step


def cell(name: str, row: int, value: Any) -> Callable[[pa.Table], pa.Table]:
    """A step that replaces one value."""

    def step(table: pa.Table) -> pa.Table:
        values = table[name].to_pylist()
        values[row] = value
        return put(name, values, table.schema.field(name).type)(table)

    return step


def again(name: str, values: Any = None) -> Callable[[pa.Table], pa.Table]:
    """A step that appends a column of a name that is there already."""

    def step(table: pa.Table) -> pa.Table:
        first = table.schema.names.index(name)
        column = table.column(first) if values is None else pa.array([values] * table.num_rows)
        return table.append_column(pa.field(name, column.type), column)

    return step


def as_bytes(*names: str, kind: pa.DataType | None = None) -> Callable[[pa.Table], pa.Table]:
    """A step that takes the mark of text from columns."""

    def step(table: pa.Table) -> pa.Table:
        for name in names:
            column = table[name].cast(kind or pa.binary())
            table = table.set_column(table.schema.get_field_index(name), name, column)
        return table

    return step


def broken_text(name: str, row: int, value: bytes) -> Callable[[pa.Table], pa.Table]:
    """A step that puts bytes that are no UTF-8 into a column that says it is text."""

    def step(table: pa.Table) -> pa.Table:
        values = [text.encode() if text else None for text in table[name].to_pylist()]
        values[row] = value
        raw = pa.array(values, pa.binary())
        buffers = raw.buffers()
        text = pa.StringArray.from_buffers(len(values), buffers[1], buffers[2], buffers[0])
        return table.set_column(table.schema.get_field_index(name), name, text)

    return step


def column(root: Path, table: str, name: str) -> list[Any]:
    """All values of a Bronze column, over all partitions."""
    folders = sorted((root / table).glob("*=*"))
    return [value for folder in folders for value in read(folder)[name].to_pylist()]


def keys(root: Path, table: str, name: str, parent: str, parents: Iterable[Any]) -> list[Any]:
    """Values of a column in the rows that refer to certain parents."""
    wanted = pa.array(sorted(set(parents)))
    found: list[Any] = []
    for folder in sorted((root / table).glob("*=*")):
        rows = read(folder)
        found += rows.filter(pc.is_in(rows[parent], wanted))[name].to_pylist()
    return found
