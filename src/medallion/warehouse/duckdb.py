"""The local warehouse: a DuckDB file that is replaced whole.

It is built beside the live file and takes its place when it is complete, so a notebook that
has it open never stops a run, and a crash never leaves half of Gold.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from typing_extensions import TypedDict

from medallion.errors import LakeError
from medallion.lake.manifest import file_hash, fingerprint
from medallion.lake.views import create_views, lake_views, reading_views
from medallion.sql import literal, literals
from medallion.storage import Document
from medallion.storage.index import Stamp, stamp_of
from medallion.warehouse.marts import MartsState
from medallion.warehouse.protocol import GOLD, VIEWS, MartsBuild, Publication

if TYPE_CHECKING:
    import duckdb
    import ibis.expr.types as ir

    from medallion.dbt_project.settings import EngineSettings
    from medallion.lake.inventory import LakeInventory
    from medallion.warehouse.marts import MartsPlan

logger = logging.getLogger(__name__)

# What this project makes in the file. Whatever else somebody keeps in it stays.
_SCHEMAS = ("audit", "base_silver", "dims", "enriched", "gold", "quarantine")
# What the manifest says besides the stamps of the parts.
_FILE, _STATEMENTS, _MARTS, _IS_SHARED = "file", "statements", "marts", "is_shared"
_TABLES = "select table_schema || '.' || table_name from information_schema.tables"
# Everything in a database that has a name, whoever made it.
_CONTENT = """
    select schema_name || '.' || table_name from duckdb_tables() where not internal
    union all select schema_name || '.' || view_name from duckdb_views() where not internal
    union all select schema_name || '.' || function_name from duckdb_functions()
      where not internal and function_type in ('macro', 'table_macro')
    union all select schema_name || '.' || sequence_name from duckdb_sequences()
    union all select schema_name || '.' || index_name from duckdb_indexes()
    union all select schema_name || '.' || type_name from duckdb_types() where not internal
    union all select schema_name from duckdb_schemas() where not internal
"""


class _Described(TypedDict):
    """The file as it was put in place."""

    bytes: int
    changed_ns: int
    sha256: str


class _Manifest(TypedDict, total=False):
    """What the manifest says: the stamps of the parts, and what the file is and shows."""

    views: str
    gold: str
    statements: dict[str, str]
    marts: list[str]
    is_shared: bool
    file: _Described


class _MadeFrom(TypedDict):
    """What each mart was made from, by day, and the stamp of the marts that it is true of."""

    stamp: str
    code: str
    made_from: dict[str, dict[str, str]]


class DuckDBWarehouse:
    """A DuckDB file and what it was made from.

    Its manifest says what each part was made from, and what the file is: bytes, time of the
    last change, checksum. What it says counts as long as the file is that one.

    Args:
        path: The file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._manifest = Document.at(self.path.with_name("_MANIFEST.json"))
        self._made_from = Document.at(self.path.with_name("_MARTS.json"))

    def publish(self, publication: Publication) -> tuple[str, ...]:
        """Makes views of the lake's tables as they are; no row is copied.

        Raises:
            LakeError: DuckDB cannot keep a file there.
        """
        views = {**lake_views(publication.spec, publication.lake), **publication.views}
        stamp = fingerprint(views)
        if self.made_from(VIEWS) != stamp:
            current = self._current()
            with self._drafting() as draft:
                self._copy_to(draft, current)
                with _open(draft) as connection:
                    create_views(connection, views)
                    is_shared = _holds_more(connection, (*views, *current.get(_MARTS, ())))
                said = {_STATEMENTS: views, _IS_SHARED: is_shared}
                self._replace(draft, {**current, **said, VIEWS: stamp})
        return tuple(sorted(views))

    def marts_state(self) -> MartsState:
        """What each mart was made from; nothing while they do not stand as they were made."""
        noted = cast("_MadeFrom", self._made_from.read_or(_MadeFrom, {}))
        if not noted or noted["stamp"] != self.made_from(GOLD):
            return MartsState()
        return MartsState(noted["code"], noted["made_from"])

    def build(self, lake: LakeInventory, plan: MartsPlan, settings: EngineSettings) -> MartsBuild:
        """Lets dbt build marts in a draft of the file.

        The draft is a copy in which marts, or days of them, are replaced. If all are made anew it
        is an empty file with the same views, and a copy only if somebody keeps something of their
        own in the file.

        Raises:
            DbtError: A model failed.
            LakeError: DuckDB cannot keep a file there.
        """
        from medallion.dbt_project import build_gold

        current = self._current()
        with self._drafting() as draft:
            if not plan.is_whole or current.get(_IS_SHARED, True):
                self._copy_to(draft, current)
            if plan.is_whole:
                with _open(draft) as connection:
                    connection.execute("drop schema if exists gold cascade")
                    create_views(
                        connection, current.get(_STATEMENTS) or lake_views(lake.spec, lake)
                    )
            marts = {name: planned.as_var() for name, planned in plan.marts.items()}
            read = reading_views(lake.spec, lake, plan.reads.__contains__, plan.reads)
            built = build_gold(lake.spec, draft, read, marts, settings)
            return MartsBuild(plan.stamp, built, draft, plan.state)

    def accept(self, build: MartsBuild) -> None:
        """Puts the draft in the place of the file.

        What days are made from is noted before: it counts only for the marts that have the same
        stamp, so that a crash at any moment costs no more than making them all anew.
        """
        if isinstance(build.draft, Path):
            current = self._current()
            built = {f"gold.{model}" for model in build.result.counts}
            state = {"code": build.state.code, "made_from": build.state.made_from}
            self._made_from.write({"stamp": build.stamp, **state})
            marts = sorted({*current.get(_MARTS, ()), *built})
            self._replace(build.draft, {**current, _MARTS: marts, GOLD: build.stamp})

    def made_from(self, part: str) -> str:
        """The stamp of a part; empty while it does not stand as it was made."""
        return str(self._current().get(part, ""))

    def damage(self, *, thorough: bool = False) -> str:
        """What is wrong with the file; nothing if it is what it was.

        Args:
            thorough: Compare the checksum even if size and time are the same.
        """
        was = self._read_manifest().get(_FILE)
        if not self.path.is_file():
            return "is not there" if was else ""
        if not was:
            return "has no record of what it was made from"
        if self._log.exists():
            return f"was changed by another program ({self._log.name} stands beside it)"
        stat = self.path.stat()
        if stat.st_size != was["bytes"]:
            return f"has {stat.st_size:,} bytes, not {was['bytes']:,}"
        if (thorough or stat.st_mtime_ns != was["changed_ns"]) and (
            file_hash(self.path) != was["sha256"]
        ):
            return "was changed by another program: its checksum is another one"
        return ""

    def relation(self, name: str) -> str:
        """The file, and the table in it."""
        return f"{self.path}/{name}"

    @property
    def marts_place(self) -> str:
        """The file, and the schema in it."""
        return f"{self.path} (schema {GOLD})"

    def table(self, name: str) -> ir.Table:
        """A table for ibis, which opens the file for reading."""
        import ibis

        schema, _, table = name.partition(".")
        return ibis.duckdb.connect(str(self.path), read_only=True).table(table, database=schema)

    def has(self, name: str) -> bool:
        """Whether the file holds such a table or view."""
        return name in _names(self.path, stamp_of(str(self.path)))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a query gives; the file is opened for reading."""
        with _open(self.path, read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def show_to(self, connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
        """Attaches the file for reading, as `warehouse`, and makes views `gold.<table>`."""
        connection.execute(f"attach {literal(self.path)} as warehouse (read_only)")
        create_views(connection, {f"gold.{t}": f"from warehouse.gold.{t}" for t in tables})

    @contextmanager
    def _drafting(self) -> Iterator[Path]:
        """Gives a place beside the file; what is there goes if the work fails.

        Raises:
            LakeError: DuckDB would take the path for one with a query string.
        """
        if "?" in str(self.path):
            raise LakeError(
                f"The warehouse cannot be written to {self.path}: DuckDB keeps no database below "
                "a folder whose name holds a question mark.",
                hint="point MEDALLION_DATA_ROOT at a folder of another name.",
            )
        draft = self.path.with_name(f"_draft.{self.path.name}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        _remove(draft)
        try:
            yield draft
        except BaseException:
            _remove(draft)
            raise

    def _copy_to(self, draft: Path, current: Mapping[str, Any]) -> None:
        """Copies the file; of one that others have changed, only what they keep in it."""
        if self.path.is_file():
            shutil.copyfile(self.path, draft)
            if not current:
                self._clear(draft)

    def _replace(self, draft: Path, said: Mapping[str, Any]) -> None:
        """Puts a draft in the file's place, then writes down what it is."""
        draft.replace(self.path)
        # It belongs to the file that was there before.
        self._log.unlink(missing_ok=True)
        self._manifest.write({**said, _FILE: self._describe_file()})

    @property
    def _log(self) -> Path:
        """What DuckDB has not yet written into the file."""
        return _log_of(self.path)

    def _current(self) -> dict[str, Any]:
        """What the manifest says of a file that is still the one it describes."""
        return {} if self.damage() else self._read_manifest()

    def _clear(self, draft: Path) -> None:
        """Takes out of a file that others have changed whatever this project makes."""
        import duckdb

        try:
            with _open(draft) as connection:
                for schema in _SCHEMAS:
                    connection.execute(f"drop schema if exists {schema} cascade")
        except duckdb.Error:
            logger.warning("%s is no DuckDB file that can be opened; it is made anew.", self.path)
            draft.unlink()

    def _describe_file(self) -> dict[str, Any]:
        stat = self.path.stat()
        return {
            "bytes": stat.st_size,
            "changed_ns": stat.st_mtime_ns,
            "sha256": file_hash(self.path),
        }

    def _read_manifest(self) -> dict[str, Any]:
        """The manifest; one that cannot be read says nothing, so all is made again."""
        return cast("dict[str, Any]", self._manifest.read_or(_Manifest, {}))


def _open(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(str(path), read_only=read_only)


def _holds_more(connection: duckdb.DuckDBPyConnection, ours: Iterable[str]) -> bool:
    """Whether a database holds anything beyond some tables and views in our schemas."""
    known = literals((*ours, *_SCHEMAS))
    found = f"select 1 from ({_CONTENT}) as content(name) where name not in ({known}) limit 1"
    return bool(connection.execute(found).fetchall())


@lru_cache(maxsize=4)
def _names(path: Path, stamp: Stamp) -> frozenset[str]:
    """The tables and views in a file, as long as it has this stamp."""
    if not stamp:
        return frozenset()
    with _open(path, read_only=True) as connection:
        return frozenset(name for (name,) in connection.execute(_TABLES).fetchall())


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _remove(draft: Path) -> None:
    for left in (draft, _log_of(draft)):
        left.unlink(missing_ok=True)
