"""Bronze files that say their text is UTF-8 when it is not, in a form that DuckDB can read.

DuckDB ends the query at the first such value, or drops and replaces the bytes without a word.
A copy of the file whose text columns are plain bytes holds the same rows in the same order,
and every value can be judged by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

from medallion.errors import LakeError
from medallion.lake.bronze import BronzeFile, BronzePartition
from medallion.lake.scans import literal_path

_TEXT = ("VARCHAR", "JSON")


def with_bytes_for_bad_text(
    bronze: Mapping[str, Sequence[BronzePartition]], scratch: Path
) -> dict[str, list[BronzePartition]] | None:
    """The partitions with copies in place of the files whose text is not UTF-8.

    Args:
        bronze: Partitions by table.
        scratch: Where to write the copies.

    Returns:
        The partitions, or nothing where the text of all files is what it says.
    """
    bad = {file.path for file in _files(bronze) if not _is_utf8(file)}
    if not bad:
        return None
    return {
        table: [_repaired(partition, bad, scratch) for partition in partitions]
        for table, partitions in bronze.items()
    }


def refuse_unreadable(bronze: Mapping[str, Sequence[BronzePartition]]) -> None:
    """Looks at every value of some files whose footers could be read.

    Raises:
        LakeError: Some files are damaged or encrypted behind their footers.
    """
    broken = [
        f"{partition.table}/{partition.key}={partition.value}: {file.path.rsplit('/', 1)[-1]}"
        for partitions in bronze.values()
        for partition in partitions
        for file in partition.scanned
        if _problem(file)
    ]
    if broken:
        raise LakeError(
            "Bronze files cannot be read, although their footers can:",
            details=broken,
            hint="they are damaged or encrypted; have these partitions delivered again, "
            "unencrypted.",
        )


def _files(bronze: Mapping[str, Sequence[BronzePartition]]) -> Iterable[BronzeFile]:
    for partitions in bronze.values():
        for partition in partitions:
            yield from partition.scanned


def _is_utf8(file: BronzeFile) -> bool:
    """Whether DuckDB reads every value, or stumbles over something else than text."""
    return "not valid UTF8" not in _problem(file)


def _problem(file: BronzeFile) -> str:
    """What DuckDB says when it reads every value of a file; nothing if it can."""
    import duckdb

    query = "select bit_xor(hash(columns(*))) from read_parquet(?, hive_partitioning = false)"
    try:
        with duckdb.connect() as connection:
            connection.execute(query, [literal_path(file.path)]).fetchall()
    except duckdb.Error as error:
        return str(error)
    return ""


def _repaired(partition: BronzePartition, bad: set[str], scratch: Path) -> BronzePartition:
    folder = scratch / partition.table
    files = tuple(_copied(f, folder) if f.path in bad else f for f in partition.files)
    return replace(partition, files=files)


def _copied(file: BronzeFile, folder: Path) -> BronzeFile:
    from pyarrow import parquet as pq

    copy = folder / file.inside
    copy.parent.mkdir(parents=True, exist_ok=True)
    fs, path = url_to_fs(file.path)
    with fs.open(path, "rb") as source:
        parquet = pq.ParquetFile(source)
        schema = _without_text(parquet.schema_arrow)
        with pq.ParquetWriter(copy, schema, compression="zstd") as writer:
            for batch in parquet.iter_batches():
                writer.write_batch(_as_bytes(batch, schema))
    fields = tuple((name, "BLOB" if kind in _TEXT else kind) for name, kind in file.fields)
    return BronzeFile(str(copy), file.rows, fields, file.inside)


def _without_text(schema: Any) -> Any:
    import pyarrow as pa

    def as_bytes(field: Any) -> Any:
        return field.with_type(pa.large_binary()) if _is_text(field.type) else field

    return pa.schema([as_bytes(field) for field in schema])


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    held = getattr(held, "storage_type", held)
    return bool(
        pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held)
    )


def _as_bytes(batch: Any, schema: Any) -> Any:
    """The batch with bytes for text; pyarrow looks at no value on the way."""
    import pyarrow as pa

    columns = [
        _bytes_of(column, field.type) if _is_text(column.type) else column
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.record_batch(columns, schema=schema)


def _bytes_of(column: Any, kind: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return getattr(column, "storage", column).cast(kind)
