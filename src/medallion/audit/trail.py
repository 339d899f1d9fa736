"""The trail on disk: a file for each run, never changed once the run has ended.

`<run_id>.json` holds the records of a run, `<run_id>.run.json` the run itself. While it is at
work, `<run_id>.started.json` says so and `<run_id>.steps.jsonl` gathers its records; a run that
was killed leaves these two behind, and they tell what it had written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from medallion.audit.record import AuditRecord, columns
from medallion.errors import RequestError
from medallion.lake.inventory import write_json
from medallion.lake.names import as_run_id

_STARTED = ".started.json"
_HEADER = ".run.json"
_STEPS = ".steps.jsonl"


class AuditTrail:
    """The audit records of all runs.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def begin(self, run: dict[str, Any]) -> None:
        """Leaves word that a run is at work."""
        write_json(self._path(run["run_id"], _STARTED), {**run, "status": "started"})

    def step(self, run_id: str, records: Sequence[AuditRecord]) -> None:
        """Adds what a run at work has just written, in case that it never ends."""
        lines = [json.dumps(record.as_json()) + "\n" for record in records]
        with self._path(run_id, _STEPS).open("a", encoding="utf-8") as file:
            file.writelines(lines)

    def end(self, run: dict[str, Any], records: Sequence[AuditRecord]) -> None:
        """Writes down a run and its records; the last thing is that it is no longer at work."""
        content = {"records": [record.as_json() for record in records]}
        write_json(self._path(run["run_id"], ".json"), content, sort_keys=False)
        write_json(self._path(run["run_id"], _HEADER), run, sort_keys=False)
        for suffix in (_STARTED, _STEPS):
            self._path(run["run_id"], suffix).unlink(missing_ok=True)

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the newest first; one that never ended has the status `started`."""
        found = {path.name.removesuffix(_HEADER): path for path in self._glob(_HEADER)}
        begun = {path.name.removesuffix(_STARTED): path for path in self._glob(_STARTED)}
        paths = {**begun, **found}
        read = [json.loads(paths[name].read_text(encoding="utf-8")) for name in sorted(paths)]
        return sorted(read, key=lambda run: str(run["started_at"]), reverse=True)

    def run(self, run_id: str) -> dict[str, Any]:
        """One run.

        Raises:
            RequestError: There is no such run.
        """
        for suffix in (_HEADER, _STARTED):
            path = self._path(run_id, suffix)
            if path.is_file():
                found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                return found
        raise self._unknown(run_id)

    def records(self, run_id: str) -> list[dict[str, Any]]:
        """The records of a run; of one that never ended, those of its steps."""
        return _records(self._text(run_id))

    def writers(self, layer: str, table: str, value: str | None) -> Iterator[dict[str, Any]]:
        """Records of the runs that wrote or removed a partition, the newest first."""
        for run in self.runs():
            text = self._text(str(run["run_id"]))
            if f'"{table}"' not in text:
                continue  # parsing thousands of files to find two would take seconds
            for record in _records(text):
                where = (record["layer"], record["table_name"], record["partition_value"])
                if where == (layer, table, value) and record["status"] in ("written", "removed"):
                    yield record

    def every_record(self) -> Iterator[dict[str, Any]]:
        """The records of all runs that ended, in the order of their ids."""
        for path in self._glob(_HEADER):
            yield from self.records(path.name.removesuffix(_HEADER))

    def view(self) -> str:
        """SQL that shows the records of all runs, as long as there is a file to look at."""
        declared = ", ".join(f"{name} {kind}" for name, kind in columns().items())
        pattern = str(self.folder / "*.json").replace("'", "''")
        return (
            "select unnest(records, recursive := true) from read_json("
            f"'{pattern}', columns = {{records: 'struct({declared})[]'}})"
        )

    def _text(self, run_id: str) -> str:
        for suffix in (".json", _STEPS):
            path = self._path(run_id, suffix)
            if path.is_file():
                return path.read_text(encoding="utf-8")
        return ""

    def _glob(self, suffix: str) -> list[Path]:
        return sorted(self.folder.glob(f"*{suffix}"))

    def _path(self, run_id: str, suffix: str) -> Path:
        return self.folder / f"{as_run_id(str(run_id))}{suffix}"

    def _unknown(self, run_id: str) -> RequestError:
        from difflib import get_close_matches

        known = [str(run["run_id"]) for run in self.runs()]
        close = get_close_matches(run_id, known, n=1, cutoff=0.0)
        meant = f"did you mean {close[0]}? " if close else ""
        return RequestError(
            f"There is no run {run_id!r}.", hint=f"{meant}`kedro runs list` shows them."
        )


def _records(text: str) -> list[dict[str, Any]]:
    """The records of a run's file, or of its steps; a step cut short by a kill is left out."""
    if text.startswith("{\n"):
        found: list[dict[str, Any]] = json.loads(text)["records"]
        return found
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]
