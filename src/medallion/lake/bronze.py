"""What stands in Bronze: partitions, their manifests and their files. Never written.

Listing reads manifests only; Parquet footers are read when a partition is opened, which
the pipeline does for the partitions of a run and for no others.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from medallion.errors import LakeError
from medallion.foreign import disclosed
from medallion.lake.bronze_files import data_files
from medallion.lake.bronze_index import MANIFEST, KnownManifests
from medallion.lake.bronze_mirror import BronzeMirror
from medallion.lake.delivery import ManifestError, read_manifest
from medallion.lake.names import MISSING, is_day, is_utf8, partition_value, printable
from medallion.lake.scans import literal_path
from medallion.spec import BRONZE_DAY, Spec, Table
from medallion.spec.types import BRONZE
from medallion.storage import Storage
from medallion.storage.google import BRONZE_CREDENTIALS
from medallion.storage.layout import is_in_store
from medallion.storage.litter import is_hidden

# What the Bronze types of the spec are called by DuckDB.
BRONZE_TYPES = {name: kind.duckdb.upper() for name, kind in BRONZE.items()}
# The type of a name that more than one column of a file has: nobody can say which is meant.
AMBIGUOUS = "AMBIGUOUS"
# The type of a column with columns inside it begins so; what is inside follows in brackets.
NESTED = "NESTED"
_BYTE_ORDER_MARK = "\ufeff"
_MIRRORS = "mirrors"


@dataclass(frozen=True, slots=True)
class BronzeFile:
    """One Parquet file that a manifest lists.

    Attributes:
        path: Where it is.
        rows: Rows as its footer says.
        fields: Physical columns in file order, as the file names them: name and DuckDB type
            (`VARCHAR`, `BIGINT`, ...). A name can stand twice.
        inside: The path below the table's folder; only these folders name partition values.
        judged: Places of columns with values that nobody can read. After the last field the
            file has two more columns for each of them, which differ where there is one.
    """

    path: str
    rows: int
    fields: tuple[tuple[str, str], ...]
    inside: str = ""
    judged: tuple[int, ...] = ()

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

    @property
    def outside(self) -> str:
        """The path of the table's folder."""
        return self.path.removesuffix(self.inside)

    @property
    def named(self) -> dict[str, str | None]:
        """What the folders below the table's folder say, by key; None is a missing value."""
        values: dict[str, str | None] = {}
        for folder in self.inside.split("/")[:-1]:
            key, separator, written = folder.partition("=")
            if separator:
                value = partition_value(written)
                values.setdefault(key, None if value == MISSING else value)
        return values

    def filled(self, contract: Iterable[str]) -> list[str]:
        """The columns of a contract that the file lacks and that a folder names, in order."""
        if "=" not in self.inside:
            return []
        named, held = self.named, set(self.names)
        return [name for name in contract if name in named and name not in held]


@dataclass(frozen=True, slots=True)
class BronzePartition:
    """One completed partition of a Bronze table.

    Attributes:
        table: The table.
        key: The partition key found on disk, such as `ingest_dt` or `signup_date`.
        value: The partition value, or `MISSING`.
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
        """The ingest day; None in the layouts that have none, and where it is missing."""
        return _day(self.key, self.value)

    @property
    def rows(self) -> int:
        """Rows of all files, from their footers."""
        return sum(file.rows for file in self.files)

    @property
    def scanned(self) -> list[BronzeFile]:
        """The files that can be scanned: one without any column has no row either."""
        return [file for file in self.files if file.fields]


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
        value: The partition value, or `MISSING`.
        folder: Where it is.
        rows: Rows the manifest claims per file path, in the manifest's order.
        problem: Why it cannot be processed.
        name: The folder's name as it is on disk; derived from key and value where not given.
        hides_rows: Whether the manifest counts no row, and files beside it hold some.
    """

    table: str
    key: str
    value: str
    folder: str
    fingerprint: str
    rows: Mapping[str, int] = field(hash=False)
    problem: Finding | None = None
    name: str = ""
    hides_rows: bool = False

    @property
    def day(self) -> date | None:
        """The ingest day; None in the layouts that have none, and where it is missing."""
        return _day(self.key, self.value)

    @property
    def partition(self) -> str:
        """The folder's name, for people."""
        return printable(self.name or f"{self.key}={self.value}")

    def below(self, path: str) -> str:
        """The path of one of its files below its folder."""
        return path.removeprefix(f"{self.folder}/")

    @property
    def total_rows(self) -> int:
        """Rows of the partition, as the manifest claims."""
        return sum(self.rows.values())

    @property
    def is_empty(self) -> bool:
        """Whether it holds no row: its manifest counts none, and no file contradicts it."""
        return not self.problem and not self.total_rows and not self.hides_rows


@dataclass(frozen=True)
class BronzeInventory:
    """All partitions of Bronze and what is odd about them.

    Attributes:
        root: Where Bronze is.
        tables: Partitions per table, in the order of their values.
        findings: Oddities found while listing.
        mirror: What brings the files here, if Bronze is not on this machine.
    """

    root: str
    tables: Mapping[str, tuple[Listed, ...]]
    findings: tuple[Finding, ...]
    mirror: BronzeMirror | None = None

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
        if self.mirror:
            self.mirror.fetch([one.folder for one in partitions])
        footers, findings = _read_footers(partitions)
        opened: dict[str, list[BronzePartition]] = defaultdict(list)
        for listed in partitions:
            if listed.problem:
                findings.append(listed.problem)
            elif all(path in footers for path in listed.rows):
                opened[listed.table].append(_opened(listed, footers))
                findings.extend(_disagreements(listed, footers, self.root))
        return dict(opened), findings


def list_bronze(root: str, spec: Spec, cache: Storage | None = None) -> BronzeInventory:
    """Lists the partitions of all tables of the spec.

    Args:
        root: A folder or a `gs://` prefix.
        spec: The tables to look for.
        cache: Where to remember manifests, so that each is read once while it stays as it is. For
            a `gs://` prefix there must be one, because its files are read from there.

    Raises:
        LakeError: There is no such folder, or it holds no table of the spec.
        StorageError: It is in an object store that cannot be read.
    """
    if cache and is_in_store(root):
        mirror = BronzeMirror.of(root, Path(cache.root) / _MIRRORS)
        mirror.look()
        try:
            found = _list(str(mirror.folder), spec, cache)
        except LakeError as error:
            raise LakeError(f"{root} holds no Bronze table.", hint=error.hint) from error
        return _looked_into(replace(found, mirror=mirror))
    return _looked_into(_list(root, spec, cache))


def _looked_into(found: BronzeInventory) -> BronzeInventory:
    """The inventory, after a look at the files of partitions whose manifests count no row."""
    silent = [one for listed in found.tables.values() for one in listed if one.is_empty]
    if not silent:
        return found
    if found.mirror:
        found.mirror.fetch([one.folder for one in silent])
    fs, _ = _filesystem(found.root)
    hiding = {one.folder for one in silent if _hides_rows(fs, one)}
    tables = {
        name: tuple(replace(one, hides_rows=one.folder in hiding) for one in listed)
        for name, listed in found.tables.items()
    }
    return replace(found, tables=tables)


def _hides_rows(fs: Any, listed: Listed) -> bool:
    """Whether files of a partition hold rows, or cannot be asked."""
    import duckdb

    try:
        return any(_footer(path).rows for path in data_files(fs, listed.folder))
    except (duckdb.Error, OSError, LakeError):
        return True


def _list(root: str, spec: Spec, cache: Storage | None) -> BronzeInventory:
    """Lists the partitions of a Bronze that can be read where it is."""
    fs, folders = _root_folders(root)
    on_disk = cache if isinstance(fs, LocalFileSystem) else None
    tables: dict[str, tuple[Listed, ...]] = {}
    findings = [
        Finding("known_table", printable(name), "", "is no table of the spec; ignored")
        for name, folder in folders.items()
        if name not in spec.tables and not is_hidden(name) and fs.isdir(folder)
    ]
    for name in spec.tables:
        known = KnownManifests.of(on_disk, folders.get(name, ""), name, spec)
        listed, odd = _list_table(fs, folders.get(name), known, spec)
        known.learned()
        tables[name] = tuple(listed)
        findings.extend(odd)
    if not folders.keys() & spec.tables.keys():
        raise LakeError(
            f"{root} holds no Bronze table.",
            hint=f"expected are folders named {', '.join(sorted(spec.tables))}.",
        )
    return BronzeInventory(root, tables, tuple(findings))


def _root_folders(root: str) -> tuple[Any, dict[str, str]]:
    """The file system of the Bronze root, and what lies in the root by name."""
    fs, path = _filesystem(root)
    if not fs.isdir(path):
        raise LakeError(
            f"There is no Bronze folder at {root}.",
            hint="make sample data with `kedro bronze generate`, or point "
            "MEDALLION_BRONZE_ROOT at your own.",
        )
    try:
        return fs, {_name(entry): entry for entry in sorted(fs.ls(path, detail=False))}
    except OSError as error:
        raise LakeError(f"The Bronze folder {root} cannot be listed ({error.strerror}).") from error


def _filesystem(root: str) -> tuple[Any, str]:
    """How the root is reached; `gs://` needs a package that not everyone installs."""
    try:
        fs, path = url_to_fs(root, **_reading(root))
    except ImportError as error:
        raise LakeError(
            f"The Bronze root {root} cannot be opened: a package for {root.partition(':')[0]}:// "
            "is not installed.",
            hint="for gs://, install the extra gcp: `uv sync --extra gcp`, or "
            "`pip install '.[gcp]'` in the project's folder.",
        ) from error
    except ValueError as error:
        raise LakeError(
            f"The Bronze root {root} cannot be opened: {root.partition(':')[0]}:// is unknown.",
            hint="name a folder, or a prefix such as gs://bucket/raw.",
        ) from error
    # Who reads a pattern takes `..` out of it, and gives the paths of files another name.
    is_plain = not isinstance(fs, LocalFileSystem) or os.path.normpath(path) == path
    return fs, path if is_plain else os.path.realpath(path)


def _reading(root: str) -> dict[str, Any]:
    """That nothing but reading is asked for, and by whom."""
    named = os.environ.get(BRONZE_CREDENTIALS) or None
    return {"access": "read_only", "token": named} if is_in_store(root) else {}


def _name(path: str) -> str:
    return path.rstrip("/").rsplit("/", 1)[-1]


def _day(key: str, value: str) -> date | None:
    return date.fromisoformat(value) if key == BRONZE_DAY and value != MISSING else None


def _list_table(
    fs: Any, folder: str | None, known: KnownManifests, spec: Spec
) -> tuple[list[Listed], list[Finding]]:
    name = known.table
    if folder is None:
        return [], [Finding("table_present", name, "", "there is no such folder in Bronze")]
    try:
        entries = sorted(fs.ls(folder, detail=False)) if fs.isdir(folder) else None
    except OSError as error:
        said = f"the folder cannot be listed ({error.strerror})"
        return [], [Finding("partition_name", name, "", said, critical=True)]
    if entries is None:
        said = "is a file; a folder of partitions is expected"
        return [], [Finding("partition_name", name, "", said, critical=True)]
    found = [
        _list_entry(fs, entry, known, spec) for entry in entries if not is_hidden(_name(entry))
    ]
    listed = [one for one in found if isinstance(one, Listed)]
    repeated = list(_repeated_days(listed)) if name in spec.events else []
    findings = [one for one in found if isinstance(one, Finding)]
    if repeated:
        told = {finding.partition for finding in repeated}
        listed = [one for one in listed if one.partition not in told]
    return listed, [*findings, *repeated]


def _list_entry(fs: Any, entry: str, known: KnownManifests, spec: Spec) -> Listed | Finding:
    """A partition, or what is odd about something that lies where only partitions should."""
    name, table = _name(entry), known.table
    key, separator, written = name.partition("=")
    value = partition_value(written) if separator else None
    odd = _odd_partition(spec.tables[table], key, value)
    if odd:
        lost = _holds_rows(fs, entry)
        so = "its rows are missing" if lost else "ignored, as it holds no file with rows"
        return Finding("partition_name", table, printable(name), f"{odd}; {so}", critical=lost)
    listed = partial(Listed, table, key, str(value), entry, name=name)
    if said := known.get(name):
        return listed(fingerprint=said.fingerprint, rows=_below(entry, said.rows))
    return _read_manifest(fs, entry, listed, known, spec.tables.keys() - {table})


def _odd_partition(table: Table, key: str, value: str | None) -> str:
    """Why a name is not that of a partition of the table; nothing if it is."""
    if key not in table.partition_keys:
        wanted = " or ".join(f"{key}=..." for key in table.partition_keys)
        return f"is no partition ({wanted} is expected)"
    if value is None:
        return "has a name that is not UTF-8, once %XX is decoded as Hive escapes it"
    if key != BRONZE_DAY or (value == MISSING and table.kind == "dimension"):
        return ""
    return "" if is_day(value) else "is no day of the calendar (YYYY-MM-DD is expected)"


def _holds_rows(fs: Any, entry: str) -> bool:
    """Whether there is a file with rows in a folder, or it is one itself."""
    try:
        return bool(data_files(fs, entry))
    except OSError:
        return True


def _repeated_days(listed: Iterable[Listed]) -> Iterable[Finding]:
    """Folders that name a day which another folder of the table has named before."""
    first: dict[str, Listed] = {}
    for one in listed:
        other = first.setdefault(one.value, one)
        if other is not one:
            said = f"names the same day as {other.partition}; its rows are missing"
            yield Finding("partition_name", one.table, one.partition, said, critical=True)


def _read_manifest(
    fs: Any,
    folder: str,
    listed: partial[Listed],
    known: KnownManifests,
    others: Collection[str],
) -> Listed | Finding:
    name = _name(folder)
    stamp = known.stamp(name)
    asked: list[str] = []
    try:
        content = fs.cat_file(f"{folder}/{MANIFEST}")
    except FileNotFoundError:
        said = f"has no {MANIFEST}, so it is not complete yet"
        return Finding("manifest_present", listed.args[0], printable(name), said)
    except OSError as error:
        return _unreadable(listed, b"", f"cannot be read ({error.strerror})")
    if not is_utf8(folder):
        return _unreadable(listed, content, "lies in a folder whose path is not UTF-8")

    def exists(file: str) -> bool:
        asked.append(file)
        return bool(fs.isfile(f"{folder}/{file}"))

    try:
        rows = read_manifest(content, name, exists, others)
    except ManifestError as error:
        return _unreadable(listed, content, error.message)
    if odd := _odd_folder(rows):
        said = "a folder whose name is not UTF-8, once %XX is decoded as Hive escapes it"
        return _unreadable(listed, content, f"lists files below {printable(odd)}, {said}")
    fingerprint = _sha256(content)
    if not asked:  # else what it says depends on more than the manifest
        known.note(name, stamp, fingerprint, rows)
    return listed(fingerprint=fingerprint, rows=_below(folder, rows))


def _below(folder: str, rows: Mapping[str, int]) -> dict[str, int]:
    return {f"{folder}/{file}": count for file, count in rows.items()}


def _odd_folder(files: Iterable[str]) -> str:
    """A folder below a partition that names a value which is no text; empty if there is none."""
    folders = (part for file in files for part in file.split("/")[:-1] if "=" in part)
    return next((name for name in folders if partition_value(name.partition("=")[2]) is None), "")


def _unreadable(listed: Callable[..., Listed], content: bytes, reason: str) -> Listed:
    whole = listed(fingerprint=_sha256(content), rows={})
    message = f"{MANIFEST} {reason}"
    problem = Finding("manifest_readable", whole.table, whole.partition, message, critical=True)
    return replace(whole, problem=problem)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _opened(listed: Listed, footers: Mapping[str, BronzeFile]) -> BronzePartition:
    above = f"{listed.folder.rpartition('/')[0]}/"
    files = tuple(
        replace(footers[path], inside=path.removeprefix(above) if listed.folder else "")
        for path in listed.rows
    )
    return BronzePartition(listed.table, listed.key, listed.value, listed.fingerprint, files)


def _read_footers(partitions: Iterable[Listed]) -> tuple[dict[str, BronzeFile], list[Finding]]:
    import duckdb

    placed = {path: listed for listed in partitions for path in listed.rows}
    try:
        return _footers(list(placed)), []
    except (duckdb.Error, OSError, LakeError):
        return _footers_one_by_one(placed)


def _footers_one_by_one(
    placed: Mapping[str, Listed],
) -> tuple[dict[str, BronzeFile], list[Finding]]:
    import duckdb

    footers: dict[str, BronzeFile] = {}
    findings: list[Finding] = []
    for path, listed in placed.items():
        try:
            footers[path] = _footer(path)
        except (duckdb.Error, OSError, LakeError) as error:
            fs, local = url_to_fs(path)
            name = printable(listed.below(path))
            message = (
                f"{name} cannot be read as Parquet ({disclosed(error)})"
                if fs.exists(local)
                else f"{name} is listed in {MANIFEST} and is not there"
            )
            findings.append(
                Finding("file_readable", listed.table, listed.partition, message, critical=True)
            )
    return footers, findings


def _footer(path: str) -> BronzeFile:
    """The footer of one file; DuckDB refuses those of frames that had neither rows nor columns."""
    import duckdb

    try:
        return _footers([path])[path]
    except duckdb.InvalidInputException:
        if _is_of_nothing(path):
            return BronzeFile(path, 0, ())
        raise


def _is_of_nothing(path: str) -> bool:
    """Whether a file is Parquet without rows and without columns."""
    from pyarrow import ArrowException
    from pyarrow import parquet as pq

    fs, local = url_to_fs(path)
    try:
        with fs.open(local, "rb") as file:
            metadata = pq.ParquetFile(file).metadata
    except ArrowException:
        return False
    return not metadata.num_columns and not metadata.num_rows


def _footers(paths: list[str]) -> dict[str, BronzeFile]:
    import duckdb

    if not paths:
        return {}
    literal = [literal_path(path) for path in paths]
    with duckdb.connect() as connection:
        rows = dict(
            connection.execute(
                "select file_name, num_rows from parquet_file_metadata(?)", [literal]
            ).fetchall()
        )
        described = connection.execute(
            "select file_name, name, duckdb_type, coalesce(num_children, 0) from parquet_schema(?)",
            [literal],
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


def _disagreements(listed: Listed, footers: Mapping[str, BronzeFile], root: str) -> list[Finding]:
    fs, _ = url_to_fs(root)
    finding = partial(Finding, table=listed.table, partition=listed.partition, critical=True)
    findings = [
        finding(
            "manifest_rows",
            message=f"{printable(listed.below(path))} has {footers[path].rows:,} rows,"
            f" {MANIFEST} says {rows:,}",
        )
        for path, rows in listed.rows.items()
        if footers[path].rows != rows
    ]
    there = {listed.below(path) for path in data_files(fs, listed.folder)}
    unlisted = sorted(there - {listed.below(path) for path in listed.rows})
    if names := ", ".join(printable(name) for name in unlisted):
        findings.append(
            finding("files_listed", message=f"{names} not listed in {MANIFEST}; not read")
        )
    return findings
