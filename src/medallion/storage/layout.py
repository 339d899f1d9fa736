"""Where everything is: the roots, and every path below them that the project owns.

No other module joins the names of these folders and files, so that a root can be set on its own:
`tests/storage/test_layout.py` holds the rest of the code to it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from stat import S_ISDIR
from typing import Any
from urllib.parse import unquote

from medallion.errors import ConfigurationError, shown
from medallion.project import WORK

#: What is written, each below a root of its own.
ROOTS = ("silver", "warehouse", "metrics", "reports", "logs", "runs", "cache", "dbt")
#: Of these, what can be in an object store.
IN_A_STORE = ("silver", "metrics", "reports", "logs", "runs")
#: In `globals.yml`, where the documents of runs are, which all processes of a run share.
RUN_DOCUMENTS = "run_documents"
_GOOGLE, _STORE = "gs://", "_store"
#: The report of each gate, for people.
REPORTS = {
    "bronze": "BRONZE_QUALITY.md",
    "dims": "DIMS_SNAPSHOT_QUALITY.md",
    "base_silver": "SILVER_QUALITY.md",
    "enriched": "ENRICHED_QUALITY.md",
    "gold": "GOLD_QUALITY.md",
}
_DATA = "data"
_BRONZE = "bronze"
_WAREHOUSE = "warehouse"
_FILE = "medallion.duckdb"
# Of a name with dots each part may be so long, and the whole name thrice as long.
_LONGEST = 63
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_FOLDER = re.compile(r"[A-Za-z0-9._=+-]{1,200}")
_LIKE_A_STORE = re.compile(r"(.*/)?gs:", re.IGNORECASE)
_FILE_URL = re.compile(r"file:(?://(?:localhost)?)?(/.*)", re.IGNORECASE)


def is_in_store(root: object) -> bool:
    """Whether a root, or a file, is in an object store, by its URL.

    >>> is_in_store("gs://bucket/silver"), is_in_store("/data/silver")
    (True, False)
    """
    return str(root).startswith(_GOOGLE)


def store_problem(url: str) -> str:
    """What is wrong with the URL of a folder in an object store, with what is allowed.

    >>> store_problem("gs://shop-lake/silver")
    ''
    >>> store_problem("gs://Shop")
    'a bucket has 3 to 63 lower-case letters, digits and - _ . with a letter or digit at both ends'
    """
    bucket, _, folders = url.removeprefix(_GOOGLE).partition("/")
    if not is_in_store(url):
        return f"it begins with {_GOOGLE}"
    parts_of_bucket = map(len, bucket.split("."))
    if not _BUCKET.fullmatch(bucket) or not all(0 < n <= _LONGEST for n in parts_of_bucket):
        return (
            "a bucket has 3 to 63 lower-case letters, digits and - _ . with a letter or digit at"
            " both ends"
        )
    parts = folders.split("/") if folders else []
    if not all(_FOLDER.fullmatch(part) and part not in (".", "..") for part in parts):
        return "a folder in a bucket has letters, digits and . _ = + - , and is not empty"
    return ""


def variable_of(root: str) -> str:
    """The environment variable that sets a root.

    >>> variable_of("silver")
    'MEDALLION_SILVER_ROOT'
    """
    return f"MEDALLION_{root.upper()}_ROOT"


def root_path(root: str, project: Path) -> str:
    """A root as an absolute path: relative ones start at the project, `gs://` ones stay.

    In a `file://` URL `%20` may stand for a blank; a folder that is named so is found, too.
    """
    if url := _FILE_URL.fullmatch(root):
        decoded = unquote(url[1])
        return decoded if Path(decoded).exists() or not Path(url[1]).exists() else url[1]
    if "://" in root:
        return root.rstrip("/")
    try:
        return str(project / Path(root).expanduser())
    except RuntimeError as error:
        raise ConfigurationError(
            f"{root} begins with the home folder of a user that this machine does not know.",
            hint="write the whole path.",
        ) from error


def with_roots(places: Mapping[str, Any]) -> dict[str, Any]:
    """Globals in which every root is an absolute path.

    A root that is empty, or not there, is the folder of its name below `data_root`. Of one in an
    object store, the root is a folder of the cache in which a run works, and `silver_store`, or
    what it is of, is the URL.

    Args:
        places: What `globals.yml` says, of all environments in use.

    Raises:
        ConfigurationError: A root holds braces.
    """
    data = root_path(str(places.get(f"{_DATA}_root") or _DATA), WORK)
    bronze = root_path(str(places.get(f"{_BRONZE}_root") or f"{_DATA}/{_BRONZE}"), WORK)
    roots = {
        f"{name}_root": root_path(str(places.get(f"{name}_root") or f"{data}/{name}"), WORK)
        for name in ROOTS
    }
    _check_stores({f"{_BRONZE}_root": bronze, **roots})
    stores = {f"{name}{_STORE}": places.get(f"{name}{_STORE}") for name in IN_A_STORE}
    for name in IN_A_STORE:
        if is_in_store(roots[f"{name}_root"]) and "://" not in roots["cache_root"]:
            stores[f"{name}{_STORE}"] = url = roots[f"{name}_root"]
            copy = f"{roots['cache_root']}/stores/{sha256(url.encode()).hexdigest()[:16]}"
            roots[f"{name}_root"] = f"{copy}/{name}"
    found = {f"{_BRONZE}_root": bronze, f"{_DATA}_root": data, **roots}
    for key, root in found.items():
        if {"{", "}"} & {*root}:
            raise ConfigurationError(
                f"{key} is {root}: Kedro's catalog takes what stands in braces for a pattern.",
                hint="point it at a folder without braces above it; a symbolic link will do.",
            )
    held = {_WAREHOUSE: _with_file(places.get(_WAREHOUSE), roots[f"{_WAREHOUSE}_root"])}
    found[RUN_DOCUMENTS] = str(stores[f"runs{_STORE}"] or roots["runs_root"])
    return {**places, **found, **held, **{key: url for key, url in stores.items() if url}}


def _with_file(warehouse: Any, root: str) -> dict[str, Any]:
    """How the warehouse is reached; DuckDB's file is below the warehouse's root."""
    said = dict(warehouse or {"backend": "duckdb"})
    return {**said, "database": f"{root}/{_FILE}"} if said.get("backend") == "duckdb" else said


@dataclass(frozen=True)
class Layout:
    """The roots of one configuration, and the paths below them.

    Attributes:
        bronze: What was delivered; a path, or a URL such as `gs://bucket/bronze`.
        data: Below it are the roots that were not set on their own.
        silver: The lake: base, quarantine, dims, keys, enriched, and their state.
        warehouse: The warehouse's file and its manifest.
        metrics: The audit trail, the metrics of runs, lineage.
        reports: What people read after a run.
        logs: The log files.
        runs: A folder for each run.
        cache: What may be deleted at any time: it is made again.
        dbt: What dbt keeps for itself.
        stores: Roots that are copies of what is in an object store, and its URL.
    """

    bronze: str
    data: Path
    silver: Path
    warehouse: Path
    metrics: Path
    reports: Path
    logs: Path
    runs: Path
    cache: Path
    dbt: Path
    stores: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, places: Mapping[str, Any]) -> Layout:
        """The layout that `globals.yml` describes.

        Raises:
            ConfigurationError: What is written would go to a place that is no folder.
        """
        complete = with_roots(places)
        # The copies of what is in a store lie in the cache: it is named before them.
        for name in sorted(ROOTS, key=IN_A_STORE.count):
            root = complete[f"{name}_root"]
            # What tells of a run may fail, and fails no run.
            needs_a_folder = name not in IN_A_STORE
            if "://" in root or (needs_a_folder and _is_in_a_file(Path(root))):
                raise _not_here(name, complete)
        bronze = complete[f"{_BRONZE}_root"]
        for name in IN_A_STORE:
            url = complete.get(f"{name}{_STORE}")
            if url and f"{url}/".startswith(f"{bronze}/"):
                raise _within_bronze(name, {f"{name}_root": url})
        written = {name: Path(complete[f"{name}_root"]) for name in ROOTS}
        for name, root in written.items():
            if root.is_relative_to(complete[f"{_BRONZE}_root"]):
                raise _within_bronze(name, complete)
        data = Path(complete[f"{_DATA}_root"])
        stores = {n: str(url) for n in IN_A_STORE if (url := complete.get(f"{n}{_STORE}"))}
        return cls(bronze=complete[f"{_BRONZE}_root"], data=data, stores=stores, **written)

    @classmethod
    def from_environment(cls) -> Layout:
        """The layout where nobody reads `globals.yml`: environment variables and defaults."""
        names = (_BRONZE, _DATA, *ROOTS)
        return cls.of({f"{name}_root": os.environ.get(variable_of(name)) for name in names})

    @classmethod
    def below(cls, data: str | Path) -> Layout:
        """The layout with all roots below one folder."""
        return cls.of({f"{_DATA}_root": str(data)})

    @property
    def audit(self) -> Path:
        """The audit trail."""
        return self.metrics / "audit"

    @property
    def run_metrics(self) -> Path:
        """The metrics of runs, a file each."""
        return self.metrics / "runs"

    @property
    def lineage(self) -> Path:
        """The events of OpenLineage, a file for each run."""
        return self.metrics / "lineage"

    @property
    def processes(self) -> Path:
        """The locks of living processes and of steps at work: they lie with what they guard.

        Whoever works on the lake sees them, wherever its runs are recorded.
        """
        return self.silver / "_processes"

    @property
    def run_documents(self) -> str:
        """Where the documents of runs are, which all processes of a run share."""
        return self.stores.get("runs", str(self.runs))

    @property
    def bronze_cache(self) -> Path:
        """What was read of Bronze: its manifests, and its files if it is in an object store."""
        return self.cache / "bronze"

    @property
    def published(self) -> Path:
        """What was read of a lake in an object store and never changes there."""
        return self.cache / "published"

    @property
    def lake_index(self) -> Path:
        """What is remembered of the lake's manifests, so that they need not be read again."""
        return self.cache / "lake"

    @property
    def warehouse_file(self) -> Path:
        """The DuckDB file."""
        return self.warehouse / _FILE

    @property
    def quarantine(self) -> Path:
        """The rows that were put aside."""
        return self.silver / "quarantine"

    @property
    def quality_results(self) -> Path:
        """The results of the gates, a file for each layer."""
        return self.reports / "quality"

    def quality_result(self, layer: str) -> Path:
        """The result of a layer's gate."""
        return self.quality_results / f"{layer}.json"

    def written_results(self) -> list[Path]:
        """The results that gates have written, in the order of the layers; others' files are not.

        Systems and people leave files of their own beside them.
        """
        return [path for layer in REPORTS if (path := self.quality_result(layer)).exists()]

    def kept_reports(self, layer: str) -> Path:
        """What the reports of a layer's gate were when they were written."""
        return self.quality_results / "_kept" / f"{layer}.json"

    def quality_report(self, layer: str) -> Path:
        """The report of a layer's gate, for people."""
        return self.reports / REPORTS[layer]

    @property
    def data_docs(self) -> Path:
        """Great Expectations' pages of the last validations."""
        return self.reports / "data_docs"

    @property
    def run_report(self) -> Path:
        """The record of the last run."""
        return self.reports / "run.json"

    @property
    def run_summary(self) -> Path:
        """The report of the last run, for people."""
        return self.reports / "RUN.md"

    def is_taken(self, run: str) -> bool:
        """Whether the page of a run of this id would lie where other reports are."""
        others = {self.run_report.name, self.quality_results.name, self.data_docs.name}
        return run.lower() in {name.lower() for name in (*others, *REPORTS.values())}

    def run_page(self, run: str) -> Path:
        """The page of a run, by its id as a file is named by it."""
        return self.reports / run / "index.html"

    def log(self, run: str) -> Path:
        """The log file of a run, by its id as a file is named by it."""
        return self.logs / f"{run}.jsonl"

    def shown(self, path: Path) -> str:
        """A path for people: of a copy, where the original is."""
        for name, url in self.stores.items():
            root: Path = getattr(self, name)
            if path.is_relative_to(root):
                return f"{url}/{path.relative_to(root).as_posix()}"
        return str(path)

    def name_of(self, path: Path) -> str:
        """A path by its root's name, wherever the root is: `silver/base/orders`.

        What is below no root that is written to is named by its place below the data root, or
        in full.
        """
        roots: dict[str, Path] = {name: getattr(self, name) for name in ROOTS}
        inside = [name for name, root in roots.items() if path.is_relative_to(root)]
        if inside:
            name = max(inside, key=lambda one: len(roots[one].parts))
            return (Path(name) / path.relative_to(roots[name])).as_posix()
        is_below = path.is_relative_to(self.data)
        return (path.relative_to(self.data) if is_below else path).as_posix()


@dataclass(frozen=True)
class LakeLayout:
    """The paths in a lake; those of small objects are keys below its root.

    Attributes:
        root: The folder that holds `base/`, `quarantine/`, `dims/`, `keys/` and `enriched/`.
    """

    root: Path
    #: Names the newest snapshot of each dimension, for others.
    pointer = "dims/_latest.json"
    #: What the days of enriched tables were made from, an object for each table.
    made_from = "enriched/_state/"
    #: What gates have validated, an object for each layer.
    ledgers = "_validated/"
    #: Which earlier states of a lake on a disk can be gone back to.
    states = "_history/states.json"
    _kept_documents = "_history/documents/"

    @property
    def documents(self) -> tuple[str, ...]:
        """What the keys of small objects begin with that belong to the state of the lake."""
        return self.ledgers, self.made_from, self.pointer

    @property
    def state_folders(self) -> tuple[Path, ...]:
        """The folders that hold the small objects."""
        held = ("", *self.documents, self.states, self._kept_documents)
        return tuple(self.root / key.rpartition("/")[0] for key in held)

    @property
    def history(self) -> Path:
        """What is kept of earlier states; nothing reads it as data."""
        return self.root / "_history"

    @property
    def kept_partitions(self) -> Path:
        """Partitions of earlier states, a folder for each version of one."""
        return self.history / "partitions"

    def kept_partition(self, partition: str, version: str) -> Path:
        """A version of a partition such as `base/orders/ingestion_dt=2025-10-15`."""
        table, _, name = partition.rpartition("/")
        return self.kept_partitions / table / version / name

    def kept_document(self, digest: str) -> str:
        """The key of what a small object was in an earlier state."""
        return f"{self._kept_documents}{digest}.json"

    def made_from_key(self, transform: str) -> str:
        """What the days of an enriched table were made from."""
        return f"{self.made_from}{transform}.json"

    def ledger_key(self, layer: str) -> str:
        """What the gate of a layer has validated."""
        return f"{self.ledgers}{layer}.json"

    def table(self, table: str) -> Path:
        """The folder of a table such as `base/orders`."""
        return self.root / table

    @property
    def staging(self) -> Path:
        """What runs have written and not yet put in place, a folder for each."""
        return self.root / "_staging"

    def staged(self, run: str, step: str) -> Path:
        """What a step of a run writes, laid out as the lake is."""
        return self.staging / run / step

    def spill(self, run: str) -> Path:
        """What does not fit into memory while a run works."""
        return self.staging / run / "_spill"

    @property
    def removed(self) -> Path:
        """Where partitions go before they are deleted, so that each goes in one step."""
        return self.staging / "_removed"


def _check_stores(roots: Mapping[str, str]) -> None:
    for key, root in roots.items():
        if _LIKE_A_STORE.match(root) and (problem := store_problem(root)):
            raise ConfigurationError(
                f"{key} is {shown(root)}: {problem}.", hint="write it as in gs://shop-lake/silver."
            )


def _within_bronze(name: str, places: Mapping[str, Any]) -> ConfigurationError:
    return ConfigurationError(
        f"The {name} root {places[f'{name}_root']} lies in Bronze, which is never written.",
        hint=f"set {variable_of(name)} or {variable_of(_DATA)} to another folder.",
    )


def _is_in_a_file(root: Path) -> bool:
    """Whether a folder can never be there: it, or what it should lie in, is a file."""
    for place in (root, *root.parents):
        with suppress(OSError):
            return not S_ISDIR(place.stat().st_mode)
    return False


def _not_here(name: str, places: Mapping[str, Any]) -> ConfigurationError:
    root, data = places[f"{name}_root"], places[f"{_DATA}_root"]
    is_below = root == f"{data}/{name}" and ("://" in data or _is_in_a_file(Path(data)))
    named = _DATA if is_below else name
    return ConfigurationError(
        f"The {named} root {places[f'{named}_root']} is not a folder of this machine.",
        hint=f"set {variable_of(named)} to a local folder; at gs:// can be Bronze,"
        f" {', '.join(IN_A_STORE)}.",
    )
