"""What stands in Bronze: partitions, their manifests and their files. Never written.

Listing reads manifests only; Parquet footers are read when a partition is opened, which
the pipeline does for the partitions of a run and for no others.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from fsspec.core import url_to_fs

from medallion.errors import LakeError
from medallion.lake.names import is_day, is_partition_value
from medallion.spec import BRONZE_DAY, Spec, Table

MANIFEST = "_MANIFEST.json"
# What the Bronze types of the spec are called by DuckDB.
BRONZE_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN"}
# The type of a name that more than one column of a file has: nobody can say which is meant.
AMBIGUOUS = "AMBIGUOUS"
# The type of a column with columns inside it begins so; what is inside follows in brackets.
NESTED = "NESTED"
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class BronzeFile:
    """One Parquet file that a manifest lists.

    Attributes:
        path: Where it is.
        rows: Rows as its footer says.
        fields: Physical columns in file order, as the file names them: name and DuckDB type
            (`VARCHAR`, `BIGINT`, ...). A name can stand twice.
    """

    path: str
    rows: int
    fields: tuple[tuple[str, str], ...]

    @property
    def names(self) -> list[str]:
        """The columns' names in file order, without byte order marks.

        A CSV that Excel has written begins with such a mark, which ends up in front of the
        first column's name and belongs to no name.
        """
        return [name.lstrip(_BYTE_ORDER_MARK) for name, _ in self.fields]

    @property
    def columns(self) -> dict[str, str]:
        """Name to DuckDB type; `AMBIGUOUS` where a name stands more than once."""
        times = Counter(self.names)
        kinds = zip(self.names, (kind for _, kind in self.fields), strict=True)
        return {name: AMBIGUOUS if times[name] > 1 else kind for name, kind in kinds}


@dataclass(frozen=True, slots=True)
class BronzePartition:
    """One completed partition of a Bronze table.

    Attributes:
        table: The table.
        key: The partition key found on disk, such as `ingest_dt` or `signup_date`.
        value: The partition value as on disk.
        fingerprint: SHA-256 of the manifest; it changes whenever the partition is delivered again.
        files: The files the manifest lists.
    """

    table: str
    key: str
    value: str
    fingerprint: str
    files: tuple[BronzeFile, ...]

    @property
    def day(self) -> date | None:
        """The ingest day, or None in the layouts that have none."""
        return date.fromisoformat(self.value) if self.key == BRONZE_DAY else None

    @property
    def rows(self) -> int:
        """Rows of all files, from their footers."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about Bronze that a person should know.

    Attributes:
        check: What was checked, such as `manifest_readable`.
        table: The table, or the folder's name where it is none.
        partition: The partition folder's name, or nothing.
        message: What is wrong, and what was expected.
        critical: The partition cannot be processed as it is.
    """

    check: str
    table: str
    partition: str
    message: str
    critical: bool = False

    def __str__(self) -> str:
        """One line: where, then what."""
        where = "/".join(part for part in (self.table, self.partition) if part)
        return f"{where}: {self.message}"


@dataclass(frozen=True, slots=True)
class Listed:
    """A partition as its manifest describes it; no data file has been opened.

    Attributes:
        rows: Rows the manifest claims per file path, in the manifest's order.
    """

    table: str
    key: str
    value: str
    folder: str
    fingerprint: str
    rows: Mapping[str, int] = field(hash=False)
    problem: Finding | None = None

    @property
    def day(self) -> date | None:
        """The ingest day, or None in the layouts that have none."""
        return date.fromisoformat(self.value) if self.key == BRONZE_DAY else None

    @property
    def total_rows(self) -> int:
        """Rows of the partition, as the manifest claims."""
        return sum(self.rows.values())


@dataclass(frozen=True)
class BronzeInventory:
    """All partitions of Bronze and what is odd about them.

    Attributes:
        root: Where Bronze is.
        tables: Partitions per table, in the order of their values.
        findings: Oddities found while listing.
    """

    root: str
    tables: Mapping[str, tuple[Listed, ...]]
    findings: tuple[Finding, ...]

    def days(self) -> list[date]:
        """All ingest days that any event table has, ascending."""
        return sorted({p.day for found in self.tables.values() for p in found if p.day})

    def open(
        self, partitions: Sequence[Listed]
    ) -> tuple[dict[str, list[BronzePartition]], list[Finding]]:
        """Reads the footers of the partitions' files and compares them with the manifests.

        Returns:
            The opened partitions per table, and what does not agree.
        """
        footers, findings = _read_footers(partitions)
        opened: dict[str, list[BronzePartition]] = defaultdict(list)
        for listed in partitions:
            if listed.problem:
                findings.append(listed.problem)
            elif all(path in footers for path in listed.rows):
                opened[listed.table].append(_opened(listed, footers))
                findings.extend(_disagreements(listed, footers, self.root))
        return dict(opened), findings


def list_bronze(root: str, spec: Spec) -> BronzeInventory:
    """Lists the partitions of all tables of the spec.

    Args:
        root: A folder or a `gs://` prefix.
        spec: The tables to look for.

    Raises:
        LakeError: There is no such folder, or it holds no table of the spec.
    """
    fs, path = url_to_fs(root)
    if not fs.isdir(path):
        raise LakeError(
            f"There is no Bronze folder at {root}.",
            hint="make sample data with `kedro bronze generate`, or point "
            "MEDALLION_BRONZE_ROOT at your own.",
        )
    folders = {_name(entry): entry for entry in sorted(fs.ls(path, detail=False))}
    tables: dict[str, tuple[Listed, ...]] = {}
    findings = [
        Finding("known_table", name, "", "is no table of the spec; ignored")
        for name, folder in folders.items()
        if name not in spec.tables and name[:1] not in "._" and fs.isdir(folder)
    ]
    for name, table in spec.tables.items():
        listed, odd = _list_table(fs, folders.get(name), name, table)
        tables[name] = tuple(listed)
        findings.extend(odd)
    if not folders.keys() & spec.tables.keys():
        raise LakeError(
            f"{root} holds no Bronze table.",
            hint=f"expected are folders named {', '.join(sorted(spec.tables))}.",
        )
    return BronzeInventory(root, tables, tuple(findings))


def _name(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1]


def _list_table(
    fs: Any, folder: str | None, name: str, table: Table
) -> tuple[list[Listed], list[Finding]]:
    if folder is None:
        return [], [Finding("table_present", name, "", "there is no such folder in Bronze")]
    listed: list[Listed] = []
    findings: list[Finding] = []
    for entry in sorted(fs.ls(folder, detail=False)):
        key, separator, value = _name(entry).partition("=")
        if key[:1] in "._":
            continue
        odd = _odd_partition(table, key, separator, value)
        if odd:
            findings.append(Finding("partition_name", name, _name(entry), odd))
            continue
        found = _read_manifest(fs, entry, name, key, value)
        if isinstance(found, Finding):
            findings.append(found)
        else:
            listed.append(found)
    return listed, findings


def _odd_partition(table: Table, key: str, separator: str, value: str) -> str:
    if not separator or key not in table.partition_keys:
        wanted = " or ".join(f"{key}=..." for key in table.partition_keys)
        return f"is no partition ({wanted} is expected); ignored"
    if key == BRONZE_DAY and not is_day(value):
        return "is no day of the calendar (YYYY-MM-DD is expected); ignored"
    if not is_partition_value(value):
        return "has a value that no partition may have; ignored"
    return ""


def _read_manifest(fs: Any, folder: str, table: str, key: str, value: str) -> Listed | Finding:
    partition = f"{key}={value}"
    try:
        content = fs.cat_file(f"{folder}/{MANIFEST}")
    except FileNotFoundError:
        return Finding(
            "manifest_present", table, partition, f"has no {MANIFEST}, so it is not complete yet"
        )
    except OSError as error:
        return _unreadable(folder, table, key, value, b"", f"cannot be read ({error.strerror})")
    try:
        manifest = json.loads(content)
        rows = {
            f"{folder}/{_name(str(file['path']))}": int(file["rows"]) for file in manifest["files"]
        }
    except (ValueError, TypeError, KeyError) as error:
        reason = f"is not a manifest ({type(error).__name__}: {error})"
        return _unreadable(folder, table, key, value, content, reason)
    if sum(rows.values()) != manifest.get("total_rows"):
        reason = "says total_rows that are not the sum of its files' rows"
        return _unreadable(folder, table, key, value, content, reason)
    return Listed(table, key, value, folder, _sha256(content), rows)


def _unreadable(
    folder: str, table: str, key: str, value: str, content: bytes, reason: str
) -> Listed:
    problem = Finding(
        "manifest_readable", table, f"{key}={value}", f"{MANIFEST} {reason}", critical=True
    )
    return Listed(table, key, value, folder, _sha256(content), {}, problem)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _opened(listed: Listed, footers: Mapping[str, BronzeFile]) -> BronzePartition:
    files = tuple(footers[path] for path in listed.rows)
    return BronzePartition(listed.table, listed.key, listed.value, listed.fingerprint, files)


def _read_footers(partitions: Iterable[Listed]) -> tuple[dict[str, BronzeFile], list[Finding]]:
    import duckdb

    placed = {path: listed for listed in partitions for path in listed.rows}
    try:
        return _footers(list(placed)), []
    except (duckdb.Error, OSError):
        return _footers_one_by_one(placed)


def _footers_one_by_one(
    placed: Mapping[str, Listed],
) -> tuple[dict[str, BronzeFile], list[Finding]]:
    import duckdb

    footers: dict[str, BronzeFile] = {}
    findings: list[Finding] = []
    for path, listed in placed.items():
        try:
            footers |= _footers([path])
        except (duckdb.Error, OSError) as error:
            fs, local = url_to_fs(path)
            message = (
                f"{_name(path)} cannot be read as Parquet ({_first_line(error)})"
                if fs.exists(local)
                else f"{_name(path)} is listed in {MANIFEST} and is not there"
            )
            findings.append(
                Finding(
                    "file_readable", listed.table, f"{listed.key}={listed.value}", message, True
                )
            )
    return footers, findings


def _footers(paths: list[str]) -> dict[str, BronzeFile]:
    import duckdb

    if not paths:
        return {}
    with duckdb.connect() as connection:
        rows = dict(
            connection.execute(
                "select file_name, num_rows from parquet_file_metadata(?)", [paths]
            ).fetchall()
        )
        described = connection.execute(
            "select file_name, name, duckdb_type, coalesce(num_children, 0) from parquet_schema(?)",
            [paths],
        ).fetchall()
    elements: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for path, name, kind, children in described:
        elements[path].append((name, kind, children))
    return {path: BronzeFile(path, rows[path], _top_level(elements[path])) for path in paths}


def _top_level(elements: Sequence[tuple[str, str | None, int]]) -> tuple[tuple[str, str], ...]:
    """The columns of a schema that Parquet lists depth first, its root at the head."""
    columns: list[tuple[str, str]] = []
    inside, held = 0, ""
    for name, kind, children in elements[1:]:
        if inside:
            inside += children - 1
            held += f" {name} {kind}[{children}]"
            columns[-1] = (columns[-1][0], f"{NESTED}({held.strip()})")
        else:
            inside, held = children, ""
            columns.append((name, kind if kind and not children else NESTED))
    return tuple(columns)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]


def _disagreements(listed: Listed, footers: Mapping[str, BronzeFile], root: str) -> list[Finding]:
    fs, _ = url_to_fs(root)
    partition = f"{listed.key}={listed.value}"
    findings = [
        Finding(
            "manifest_rows",
            listed.table,
            partition,
            f"{_name(path)} has {footers[path].rows:,} rows, {MANIFEST} says {rows:,}",
            critical=True,
        )
        for path, rows in listed.rows.items()
        if footers[path].rows != rows
    ]
    there = {_name(path) for path in fs.ls(listed.folder, detail=False)}
    unlisted = sorted(
        name for name in there - {_name(path) for path in listed.rows} if name.endswith(".parquet")
    )
    if unlisted:
        message = f"{', '.join(unlisted)} not listed in {MANIFEST}; not read"
        findings.append(Finding("files_listed", listed.table, partition, message, critical=True))
    return findings
