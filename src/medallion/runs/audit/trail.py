"""The trail on disk: a file of records for each run, never changed once the run has ended.

`<run_id>.json` holds the records of a run, one a line, and `runs/<run_id>.json` the run itself,
with what is needed to see whether either is still what was written.
While it is at work, `<run_id>.steps.jsonl` gathers its records; of a run that was killed they
are what is left, and the next run makes its records of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NotRequired, cast

from pydantic import ConfigDict
from typing_extensions import TypedDict

from medallion.errors import LakeError, UsageError
from medallion.lake.manifest import fingerprint
from medallion.lake.names import as_run_id, is_run_id
from medallion.lake.scans import literal_path
from medallion.runs.audit.record import TYPES, AuditRecord, kinds
from medallion.spec.types import TEXT
from medallion.sql import literal, no_rows
from medallion.storage import Document, open_storage
from medallion.storage.litter import is_hidden

STARTED = "started"
KILLED = "killed"
#: How the files end in which runs at work gather their records.
STEPS = ".steps.jsonl"
_MAP = f"map({TEXT.duckdb}, {TEXT.duckdb})"


_RUNS = "runs/"
_RECORDS, _SEAL = "records", "seal"


class _Run(TypedDict):
    """A run as it was written down, as far as everybody who reads it relies on it."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    run_id: str
    started_at: str
    status: str
    seconds: NotRequired[float]
    plan: NotRequired[dict[str, Any] | None]
    tables: NotRequired[dict[str, dict[str, int]]]
    gates: NotRequired[dict[str, dict[str, Any]]]


class AuditTrail:
    """The audit records of all runs.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.storage = open_storage(folder)

    def begin(self, run: dict[str, Any]) -> None:
        """Leaves word that a run is at work."""
        self._write_records(run["run_id"], [])
        self.note(run)

    def note(self, run: dict[str, Any]) -> None:
        """Adds to the word of a run at work what is known of it by now."""
        self._header(run["run_id"]).write({**run, "status": STARTED}, sort_keys=False)

    def step(self, run_id: str, records: Sequence[AuditRecord]) -> None:
        """Adds what a run at work has just written, in case that it never ends."""
        lines = "".join(json.dumps(record.as_json()) + "\n" for record in records)
        self.storage.append(self._steps(run_id), lines.encode())

    def end(self, run: dict[str, Any], records: Iterable[AuditRecord]) -> None:
        """Writes down the records of a run; the last thing is that it is no longer at work."""
        text = self._write_records(run["run_id"], records).encode()
        told = {**run, _RECORDS: [len(text), hashlib.sha256(text).hexdigest()]}
        self._header(run["run_id"]).write({**told, _SEAL: fingerprint(told)}, sort_keys=False)
        self.storage.delete(self._steps(run["run_id"]))

    def changed(self, ended: Iterable[str], *, thorough: bool = False) -> list[str]:
        """Files that are not what was written when their runs ended, a line each.

        Args:
            ended: Runs that are known to have ended.
            thorough: Read the records and compare their checksums; else their sizes are.
        """
        there = {entry.key: entry.size for entry in self.storage.listed()}
        runs = {_run_of(key): key for key in there if _is_own(key.removeprefix(_RUNS), key, _RUNS)}
        records = [key for key in there if _is_own(key, key)]
        told = {**dict.fromkeys(map(_run_of, records)), **dict.fromkeys(ended)}
        absent = [f"{_RUNS}{run}.json is not there" for run in sorted(told.keys() - runs.keys())]
        found = [self._difference(run, key, there, thorough) for run, key in sorted(runs.items())]
        return [*absent, *filter(None, found)]

    def _difference(self, run: str, key: str, there: Mapping[str, int], thorough: bool) -> str:
        """What is wrong with the files of a run; nothing if they are what was written."""
        told = Document(self.storage, key).read_or(dict[str, Any], {})
        if str(told.get("run_id")).replace(":", ".") != run:
            return f"{key} does not tell of its run any more"
        seal, records = told.pop(_SEAL, None), told.get(_RECORDS)
        if told.get("status") == STARTED or seal is None:
            return ""  # it is at work, or was written by an earlier version
        if seal != fingerprint(told) or not isinstance(records, list):
            return f"{key} was changed"
        size, checksum = records
        name = f"{run}.json"
        if name not in there:
            return f"{name} is not there"
        if there[name] != size:
            return f"{name} has {there[name]:,} bytes, not {size:,}"
        content = self.storage.read(name).data if thorough else None
        is_same = content is None or hashlib.sha256(content).hexdigest() == checksum
        return "" if is_same else f"{name} has another checksum"

    def unfinished(self) -> list[dict[str, Any]]:
        """Runs that have not ended: the one at work, and those that were killed."""
        return [run for run in self.runs() if run["status"] == STARTED]

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the newest first; one that has not ended has the status `started`."""
        keys = [entry.key for entry in self.storage.listed(_RUNS) if entry.key.endswith(".json")]
        read = [run for key in keys if (run := _read_run(Document(self.storage, key)))]
        return sorted(read, key=lambda run: (run["started_at"], run["run_id"]), reverse=True)

    def knows(self, run_id: str) -> bool:
        """Whether a run of this id has left word."""
        return self._header(run_id).exists()

    def run(self, run_id: str) -> dict[str, Any]:
        """One run.

        Raises:
            UsageError: There is no such run.
            LakeError: What was written down of it cannot be read.
        """
        header = self._header(run_id)
        if not header.exists():
            raise self._unknown(run_id)
        found = _read_run(header)
        if found is None:
            raise LakeError(
                f"{header} does not tell of a run any more.",
                hint="put it back from a copy, or remove it; the other runs are not concerned.",
            )
        return found

    def records(self, run_id: str) -> list[dict[str, Any]]:
        """The records of a run; of one that has not ended, those of its steps."""
        return [json.loads(line) for line in self._lines(run_id)]

    def writers(self, layer: str, table: str, value: str | None) -> Iterator[dict[str, Any]]:
        """Records of the runs that wrote or removed a partition for people, the newest first.

        Args:
            layer: The layer.
            table: The table.
            value: The partition; None for a table without any.
        """
        for run in self.runs():
            for line in self._lines(str(run["run_id"])):
                if f'"{table}"' not in line or (value and f'"{value}"' not in line):
                    continue  # parsing millions of lines to find two would take long
                record = json.loads(line)
                where = tuple(map(record.get, ("layer", "table_name", "partition_value")))
                if where == (layer, table, value) and record["status"] in ("written", "removed"):
                    yield record

    def view(self) -> str:
        """SQL that shows the records of all runs that have ended; without any, no row.

        Runs that published nothing are among them: their partitions have the status `unpublished`.
        Of a file that was cut short it shows the records that are whole, as `records` does.
        """
        types = {
            name: TYPES[kind].duckdb if kind in TYPES else _MAP for name, kind in kinds().items()
        }
        if all(is_hidden(path.name) for path in self.folder.glob("*.json")):
            return no_rows(types)
        shape = literal(json.dumps(types))
        pattern = literal(f"{literal_path(self.folder)}/[!._]*.json")
        return (
            f"select unnest(from_json(rtrim(line, ','), {shape}))"
            " from (select unnest(string_split(try(decode(content)), chr(10))) as line"
            f" from read_blob({pattern}))"
            " where starts_with(line, '{\"') and json_valid(rtrim(line, ','))"
        )

    def _write_records(self, run_id: str, records: Iterable[AuditRecord]) -> str:
        lines = ",\n".join(json.dumps(record.as_json()) for record in records)
        text = f"[\n{lines}\n]\n" if lines else "[]\n"
        self._records(run_id).write_text(text)
        return text

    def _lines(self, run_id: str) -> Iterator[str]:
        """The records of a run as text; a step cut short by a kill is left out."""
        steps = Document(self.storage, self._steps(run_id)).content()
        content = self._records(run_id).content() if steps is None else steps
        lines = (content or b"").decode(errors="replace").splitlines()
        # A step that was done again has written its partitions twice: the last word comes first.
        for line in lines if steps is None else reversed(lines):
            record = line.removesuffix(",")
            if _is_record(record):
                yield record

    def _records(self, run_id: str) -> Document:
        return Document(self.storage, f"{as_run_id(run_id)}.json")

    def _steps(self, run_id: str) -> str:
        return f"{as_run_id(run_id)}{STEPS}"

    def _header(self, run_id: str) -> Document:
        return Document(self.storage, f"{_RUNS}{as_run_id(run_id)}.json")

    def _unknown(self, run_id: str) -> UsageError:
        from difflib import get_close_matches

        known = [str(run["run_id"]) for run in self.runs()]
        close = get_close_matches(run_id, known, n=1, cutoff=0.0)
        meant = f"did you mean {close[0]}? " if close else ""
        return UsageError(
            f"There is no run {run_id!r}.", hint=f"{meant}`kedro runs list` shows them."
        )


def _is_record(line: str) -> bool:
    """Whether a line is a whole record; parsing millions to know would take long."""
    return line.startswith('{"') and line.endswith("}") and '"table_name": ' in line


def _read_run(header: Document) -> dict[str, Any] | None:
    """A run as it was written down; None if a power cut or a hand has left something else."""
    found = cast("dict[str, Any] | None", header.read_or(_Run, None))
    return found and {name: told for name, told in found.items() if name not in (_RECORDS, _SEAL)}


def _run_of(key: str) -> str:
    return key.removeprefix(_RUNS).removesuffix(".json")


def _is_own(name: str, key: str, folder: str = "") -> bool:
    """Whether a key is that of a file of a run in a folder of the trail."""
    return key == f"{folder}{name}" and name.endswith(".json") and is_run_id(_run_of(name))
