r"""Bronze files with values that DuckDB cannot read, in a form that it can.

Text that is not UTF-8, and times that no engine has a name for, end a query at the first such
value. A copy of the file holds the same rows in the same order; beside each column that DuckDB
could not read stand two more, which differ where a value cannot be read. So every value can be
judged by itself. Text keeps its place in the copy, with `\xNN` for its bytes; a time is null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

from medallion.errors import LakeError
from medallion.foreign import disclosed
from medallion.lake.bronze import BronzeFile, BronzePartition
from medallion.lake.scans import literal_path

_TEXT = ("VARCHAR", "JSON")
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_DAY_SECONDS = 86_400
# The microseconds between which DuckDB has a name for a time.
_FIRST, _LAST = -9_223_372_022_400_000_000, 2**63 - 2


def with_readable_copies(
    bronze: Mapping[str, Sequence[BronzePartition]], scratch: Path
) -> dict[str, list[BronzePartition]] | None:
    """The partitions with copies in place of the files that hold values nobody can read.

    Args:
        bronze: Partitions by table.
        scratch: Where to write the copies.

    Returns:
        The partitions, or nothing where no file is in need of a copy, or a copy cannot help.
    """
    copies = {
        file.path: copy
        for table, partitions in bronze.items()
        for partition in partitions
        for file in partition.scanned
        if _problem(file) and (copy := _readable_copy(file, scratch / table))
    }
    if not copies:
        return None
    return {
        table: [
            replace(partition, files=tuple(copies.get(f.path, f) for f in partition.files))
            for partition in partitions
        ]
        for table, partitions in bronze.items()
    }


def refuse_unreadable(bronze: Mapping[str, Sequence[BronzePartition]]) -> None:
    """Looks at every value of some files whose footers could be read.

    Raises:
        LakeError: Some files are damaged or encrypted behind their footers.
    """
    broken = [
        f"{partition.table}/{partition.key}={partition.value}: {file.path.rsplit('/', 1)[-1]}"
        f" ({disclosed(problem)})"
        for partitions in bronze.values()
        for partition in partitions
        for file in partition.scanned
        if (problem := _problem(file))
    ]
    if broken:
        raise LakeError(
            "Bronze files cannot be read, although their footers can:",
            details=broken,
            hint="they are damaged or encrypted; have these partitions delivered again, "
            "unencrypted.",
        )


def _problem(file: BronzeFile) -> Exception | None:
    """What DuckDB says when it reads and writes out every value of a file; nothing if it can."""
    return _problem_in(file, range(len(file.fields)))


def _problem_in(file: BronzeFile, places: Iterable[int]) -> Exception | None:
    import duckdb

    names = ", ".join(f"c{place}" for place in range(len(file.fields)))
    read = ", ".join(f"bit_xor(hash(cast(c{place} as varchar)))" for place in places)
    query = f"select {read} from read_parquet(?, hive_partitioning = false) as held({names})"
    try:
        # A connection of its own for each: DuckDB closes a database after some errors.
        with duckdb.connect() as connection:
            connection.execute(query, [literal_path(file.path)]).fetchall()
    except (duckdb.Error, UnicodeDecodeError) as error:
        # DuckDB quotes the value in its message, and a message must be text, too.
        return error
    return None


def _readable_copy(file: BronzeFile, folder: Path) -> BronzeFile | None:
    """The copy of a file; nothing if the file, or then the copy, cannot be read at all."""
    from pyarrow.lib import ArrowException

    places = tuple(p for p in range(len(file.fields)) if _problem_in(file, [p]))
    try:
        copy = _copied(file, folder, places)
    except (ArrowException, OSError):
        return None
    return None if _problem(copy) else copy


def _copied(file: BronzeFile, folder: Path, places: tuple[int, ...]) -> BronzeFile:
    import pyarrow as pa
    from pyarrow import parquet as pq

    copy = folder / file.inside
    copy.parent.mkdir(parents=True, exist_ok=True)
    fs, path = url_to_fs(file.path)
    with fs.open(path, "rb") as source:
        # Without a type of ours, pyarrow takes the writer's: it checks all text of a dictionary.
        parquet = pq.ParquetFile(source, binary_type=pa.large_binary())
        schema = _readable(parquet.schema_arrow.empty_table(), places).schema
        with pq.ParquetWriter(copy, schema, compression="zstd") as writer:
            for batch in parquet.iter_batches():
                writer.write_table(_readable(pa.Table.from_batches([batch]), places))
    fields = tuple(
        (name, "VARCHAR" if place in places and kind in _TEXT else kind)
        for place, (name, kind) in enumerate(file.fields)
    )
    return BronzeFile(str(copy), file.rows, fields, file.inside, places)


def _readable(rows: Any, places: Sequence[int]) -> Any:
    """The rows with columns that DuckDB can read; at the end two more for each of them."""
    for place in places:
        column = rows.column(place).combine_chunks()
        kept = _with_leaves(column, _kept)
        rows = rows.set_column(place, rows.schema.field(place).name, kept)
        for told in (False, True):
            shown = _with_leaves(column, partial(_shown, told=told))
            rows = rows.append_column(f"shown {place} {told}", shown)
    return rows


def _with_leaves(array: Any, changed: Callable[[Any], Any]) -> Any:
    """An array, nested or not, with other values at its ends."""
    import pyarrow as pa

    array = getattr(array, "storage", array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if not pa.types.is_nested(kind):
        return changed(array)
    array = array.take(pa.array(range(len(array)), pa.int64()))  # so that it begins at 0
    of_struct = pa.types.is_struct(kind)
    inside = [array.field(n) for n in range(kind.num_fields)] if of_struct else [array.values]
    children = [_with_leaves(child, changed) for child in inside]
    fields = [kind.field(n).with_type(child.type) for n, child in enumerate(children)]
    buffers = array.buffers()[: kind.num_buffers]
    return pa.Array.from_buffers(_nested(kind, fields), len(array), buffers, children=children)


def _nested(kind: Any, fields: Sequence[Any]) -> Any:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return pa.struct(fields)
    (field,) = fields
    if pa.types.is_map(kind):
        return pa.map_(field.type.field(0), field.type.field(1))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(field, kind.list_size)
    return pa.large_list(field) if pa.types.is_large_list(kind) else pa.list_(field)


def _kept(leaf: Any) -> Any:
    """Values that can be read: bytes that are no text are written out, other times are null."""
    if _is_text(leaf.type):
        return _as_text(leaf, _written_out)
    return _unless(_no_time(leaf), leaf, None) if _is_time(leaf.type) else leaf


def _shown(leaf: Any, *, told: bool) -> Any:
    """Values as they can be shown; those that cannot be read are told, or left out."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is_text(leaf.type):
        return _as_text(leaf, _written_out if told else lambda _: "")
    if not _is_time(leaf.type):
        return leaf
    bad = _no_time(leaf)
    told_as = _numbers(leaf).cast(pa.string()) if told else None
    return _unless(bad, pc.cast(_unless(bad, leaf, None), pa.string()), told_as)


def _unless(bad: Any, values: Any, others: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(bad, pa.scalar(None, values.type) if others is None else others, values)


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _as_text(leaf: Any, otherwise: Callable[[bytes], str]) -> Any:
    import pyarrow as pa

    held = leaf.cast(pa.large_binary()).to_pylist()  # which looks at no value
    return pa.array([one and _decoded(one, otherwise) for one in held], pa.large_string())


def _decoded(held: bytes, otherwise: Callable[[bytes], str]) -> str:
    try:
        return held.decode("utf-8")
    except UnicodeDecodeError:
        return otherwise(held)


def _written_out(held: bytes) -> str:
    """Bytes in the form that DuckDB gives them."""
    plain = set(range(0x20, 0x7F)) - set(b"\"'\\")
    return "".join(chr(byte) if byte in plain else f"\\x{byte:02X}" for byte in held)


def _is_time(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_timestamp(kind) or pa.types.is_time(kind))


def _no_time(leaf: Any) -> Any:
    """Which values lie outside of the days of the calendar, or of the hours of a day."""
    import pyarrow as pa
    import pyarrow.compute as pc

    per_second = _PER_SECOND[leaf.type.unit]
    if pa.types.is_timestamp(leaf.type):
        first, last = (bound * per_second // 1_000_000 for bound in (_FIRST, _LAST))
    else:
        first, last = 0, _DAY_SECONDS * per_second - 1
    numbers = _numbers(leaf)
    return pc.or_(
        pc.less(numbers, pa.scalar(max(first, -(2**63)), pa.int64())),
        pc.greater(numbers, pa.scalar(min(last, 2**63 - 1), pa.int64())),
    )


def _numbers(leaf: Any) -> Any:
    import pyarrow as pa

    whole = pa.int32() if pa.types.is_time32(leaf.type) else pa.int64()
    return leaf.cast(whole).cast(pa.int64())
