"""Load jobs: objects of the storage's stand-in, Hive's folders, schemas that say what may come."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote as quoted
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import requests
from local_bigquery.catalog import datasets, names, tables
from local_bigquery.engine import types
from local_bigquery.engine.database import quote
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import load, runner
from local_bigquery.jobs.storage import literal
from local_bigquery.models import JobConfigurationLoad, JobStatistics3, TableFieldSchema
from local_bigquery.settings import settings

from tests.standins.bigquery import places
from tests.standins.bigquery.databases import Name
from tests.standins.bigquery.mending import Function, instead_of
from tests.standins.bigquery.schemas import kind

_KEY = re.compile(r"\{(\w+):(\w+)\}")
_NULL = "__HIVE_DEFAULT_PARTITION__"
_AUTO = {"DATE": r"\d{4}-\d\d-\d\d", "INTEGER": r"-?\d+", "TIMESTAMP": r"\d{4}-\d\d-\d\d[ T].*"}
_PAGE = 1000
# The folder of the objects of the job at work.
_folder: ContextVar[Path] = ContextVar("folder")
_session = requests.Session()


def _is_decimal(whole: int, scale: int) -> Callable[[pa.DataType], bool]:
    def fits(given: pa.DataType) -> bool:
        return (
            pa.types.is_decimal(given)
            and given.scale <= scale
            and given.precision - given.scale <= whole
        )

    return fits


# What a column of a Parquet file may become; the first is what it becomes without a schema.
_FITTING: dict[str, Callable[[pa.DataType], bool]] = {
    "INTEGER": pa.types.is_integer,
    "FLOAT": pa.types.is_floating,
    "NUMERIC": _is_decimal(29, 9),
    "BIGNUMERIC": _is_decimal(38, 38),
    "BOOLEAN": pa.types.is_boolean,
    "STRING": lambda one: pa.types.is_string(one) or pa.types.is_large_string(one),
    "BYTES": lambda one: pa.types.is_binary(one) or pa.types.is_large_binary(one),
    "DATE": pa.types.is_date,
    "TIMESTAMP": pa.types.is_timestamp,
    "DATETIME": lambda one: pa.types.is_timestamp(one) and one.tz is None,
    "TIME": pa.types.is_time,
}


def _get(path: str, **parameters: Any) -> requests.Response:
    host = settings.storage_emulator_host
    if not host:
        raise BigQueryError("invalid", "The stand-in of BigQuery was started without a storage.")
    return _session.get(f"{host}/storage/v1/b/{path}", params=parameters, timeout=60)


@instead_of(load, "paths")
def paths(original: Function, cursor: Any, uri: str) -> list[str]:
    """Files of this machine with what is at an address, which may have one `*`."""
    if not uri.startswith("gs://"):
        return original(cursor, uri)
    return [str(path) for path in _fetched([uri])]


def _fetched(uris: list[str]) -> dict[Path, str]:
    """Copies of objects, below the folder of the job, by path."""
    found = [one for uri in uris for one in (_matching(uri) if "*" in uri else [uri])]
    places = {_folder.get() / uri.removeprefix("gs://"): uri for uri in found}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(_fetch, places, places.values()))
    return places


def _fetch(path: Path, uri: str) -> None:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    answer = _get(f"{bucket}/o/{quoted(name, safe='')}", alt="media")
    if answer.status_code == requests.codes.not_found:
        raise BigQueryError("notFound", f"Not found: URI {uri}")
    answer.raise_for_status()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(answer.content)


def _matching(uri: str) -> Iterator[str]:
    bucket, _, pattern = uri.removeprefix("gs://").partition("/")
    wanted = re.compile(".*".join(map(re.escape, pattern.split("*"))))
    asked: dict[str, Any] = {"prefix": pattern.partition("*")[0], "maxResults": _PAGE}
    found = []
    while True:
        page = _get(f"{bucket}/o", **asked).json()
        found += [one["name"] for one in page.get("items", []) if wanted.fullmatch(one["name"])]
        if not page.get("nextPageToken"):
            break
        asked["pageToken"] = page["nextPageToken"]
    if not found:
        raise BigQueryError("notFound", f"Not found: Files {uri}")
    yield from (f"gs://{bucket}/{name}" for name in found)


@instead_of(load, "run")
def run(
    original: Function, cursor: Any, config: JobConfigurationLoad, upload: str | None
) -> JobStatistics3:
    reference = tables.reference(config.destinationTable)
    datasets.get(*reference[:2])
    _check_sources(config, reference, upload)
    with _own_folder():
        if config.sourceFormat == "PARQUET":
            return _parquet(cursor, config, reference, upload)
        return original(cursor, config, upload)


runner.HANDLERS["load"] = load.run


@contextmanager
def _own_folder() -> Iterator[None]:
    folder = settings.data_dir / "objects" / uuid.uuid4().hex
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)
        shutil.rmtree(folder, ignore_errors=True)


def _check_sources(config: JobConfigurationLoad, table: Name, upload: str | None) -> None:
    """Objects must lie where the table is, unless that is in all of the US."""
    uris = config.sourceUris or []
    if not uris and not upload:
        raise BigQueryError("invalid", "Required parameter is missing: sourceUris")
    target = places.of(*table[:2])
    for bucket in {uri.removeprefix("gs://").partition("/")[0] for uri in uris}:
        source = _get(bucket).json().get("location")
        if source and target != "US" and not places.same(source, target):
            raise BigQueryError(
                "invalid",
                "Cannot read and write in different locations: "
                f"source: {source}, destination: {target}",
            )


@dataclass(frozen=True)
class _File:
    """A Parquet file, and its columns by name."""

    uri: str
    rows: int
    columns: dict[str, pa.DataType]

    @classmethod
    def of(cls, path: Path, uri: str) -> _File:
        footer = pq.read_metadata(path)
        schema = footer.schema.to_arrow_schema()
        types_of = (one.value_type if pa.types.is_dictionary(one) else one for one in schema.types)
        return cls(uri, footer.num_rows, dict(zip(schema.names, types_of, strict=True)))

    def refuse(self, what: str) -> BigQueryError:
        message = f"Error while reading data, error message: {what} File: {self.uri}"
        return BigQueryError("invalid", message)


def _parquet(
    cursor: Any, config: JobConfigurationLoad, reference: Name, upload: str | None
) -> JobStatistics3:
    found = {Path(upload): "upload"} if upload else _fetched(config.sourceUris)
    files = [_File.of(path, uri) for path, uri in found.items()]
    keys = _hive_keys(config, [one.uri for one in files])
    schema = _schema(config, files, keys)
    for file in files:
        _check(file, schema, keys, config)
    values = [_value(one, files, keys) for one in schema]
    listed = ", ".join(literal(str(path)) for path in found)
    hive = ", ".join(f"{literal(name)}: {kind}" for name, kind in keys.items())
    reader = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = {bool(keys)}"
    reader += f", hive_types = {{{hive}}})" if keys else ")"
    prefix = f"Provided Schema does not match Table {names.label(*reference)}. "
    full = config.replace(schema={"fields": schema})
    with load._reading({str(path): uri for path, uri in found.items()}):
        query = f"select {', '.join(values)} from {reader}"
        tables.write(cursor, query, None, reference, full, "WRITE_APPEND", prefix)
    rows = sum(one.rows for one in files)
    return JobStatistics3(
        inputFiles=str(len(files)),
        inputFileBytes=str(sum(path.stat().st_size for path in found)),
        outputRows=str(rows),
        outputBytes=str(tables.logical_bytes(rows, len(schema))),
        badRecords="0",
    )


def _hive_keys(config: JobConfigurationLoad, uris: list[str]) -> dict[str, str]:
    """The keys of Hive's folders, and their types in DuckDB.

    Raises:
        BigQueryError: A file's folders are not what is said of them.
    """
    options = config.hivePartitioningOptions
    if not options or not options.mode:
        return {}
    if options.requirePartitionFilter:
        raise BigQueryError("invalid", "requirePartitionFilter cannot be set for a Hive load.")
    written = options.sourceUriPrefix or ""
    prefix = written.partition("{")[0].rstrip("/") + "/"
    found = [_folders(uri, prefix) for uri in uris]
    said = dict(_KEY.findall(written))
    names_of = {tuple(one) for one in found}
    if len(names_of) != 1 or (said and names_of != {tuple(said)}):
        raise BigQueryError(
            "invalid", f"The partition keys of the files below {prefix} are not {list(said)}."
        )
    kinds = said or {key: _detected(options.mode, key, found) for key in found[0]}
    return {key: types.duckdb_type(TableFieldSchema(type=kind)) for key, kind in kinds.items()}


def _folders(uri: str, prefix: str) -> dict[str, str]:
    if not uri.startswith(prefix):
        raise BigQueryError("invalid", f"The source URI {uri} is not below {prefix}.")
    parts = [part.partition("=") for part in uri.removeprefix(prefix).split("/")[:-1]]
    if not parts or not all(sign for _, sign, _ in parts):
        raise BigQueryError("invalid", f"The source URI {uri} has no partition keys.")
    return {key: unquote(value) for key, _, value in parts}


def _detected(mode: str, key: str, found: list[dict[str, str]]) -> str:
    values = [one[key] for one in found if one[key] != _NULL]
    for name, pattern in _AUTO.items():
        if mode == "AUTO" and all(re.fullmatch(pattern, value) for value in values):
            return name
    return "STRING"


def _schema(
    config: JobConfigurationLoad, files: list[_File], keys: dict[str, str]
) -> list[TableFieldSchema]:
    """The columns of what is loaded: keys of Hive come last, unless the schema has them."""
    given = (config.schema_ and config.schema_.fields) or []
    if not given:
        columns = {name: one for file in files for name, one in file.columns.items()}
        given = [TableFieldSchema(name=name, type=_type_of(one)) for name, one in columns.items()]
    declared = {one.name.casefold() for one in given}
    added = [key for key in keys if key.casefold() not in declared]
    by_duckdb = {types.duckdb_type(TableFieldSchema(type=one)): one for one in _FITTING}
    return [*given, *(TableFieldSchema(name=key, type=by_duckdb[keys[key]]) for key in added)]


def _type_of(given: pa.DataType) -> str:
    for name, fits in _FITTING.items():
        if fits(given):
            return name
    raise BigQueryError("invalid", f"No type of BigQuery takes {given}; say the schema.")


def _check(
    file: _File,
    schema: list[TableFieldSchema],
    keys: dict[str, str],
    config: JobConfigurationLoad,
) -> None:
    """Whether a file has the columns of a schema, in their types and in their order.

    Raises:
        BigQueryError: It has not.
    """
    wanted = {one.name.casefold(): one for one in schema}
    hidden = {key.casefold() for key in keys}
    for name, given in file.columns.items():
        if name.casefold() in hidden:
            raise file.refuse(f"Column {name} is a partition key of the folder, too.")
        field = wanted.get(name.casefold())
        if field is None and not config.ignoreUnknownValues:
            raise file.refuse(f"No such field: {name}.")
        if field and not _fits(field, given):
            raise file.refuse(
                f"Parquet column '{name}' has type {given} which does not match the target type "
                f"{kind(field)}."
            )
    order = [name for name in map(str.casefold, file.columns) if name in wanted]
    if config.sourceColumnMatch != "NAME" and order != [one for one in wanted if one in order]:
        raise file.refuse(
            "Columns are matched by position, and the file has them in another order than the "
            "schema."
        )
    for name, field in wanted.items():
        if field.mode == "REQUIRED" and name not in {*order, *hidden}:
            raise file.refuse(f"Required column {field.name} is missing.")


def _fits(field: TableFieldSchema, given: pa.DataType) -> bool:
    fits = _FITTING.get(kind(field))
    return field.mode == "REPEATED" or fits is None or fits(given)


def _value(field: TableFieldSchema, files: list[_File], keys: dict[str, str]) -> str:
    known = {name.casefold() for file in files for name in (*file.columns, *keys)}
    name = quote(field.name)
    source = name if field.name.casefold() in known else "null"
    return f"cast({source} as {types.duckdb_type(field)}) as {name}"
