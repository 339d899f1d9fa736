"""What sinks are told: where they are, the record of a run, and a process of one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from kedro.io import DataCatalog, MemoryDataset

from medallion import events
from medallion.hooks import Current, RunRecorder
from medallion.lake.store import Lake
from medallion.masking import Mask
from medallion.planning.request import RunRequest
from medallion.runs.folder import RunFolder
from medallion.runs.lifecycle import Run, Status
from medallion.runs.record import RunRecord, compiled
from medallion.runs.settings import parse_observability
from medallion.runs.sinks.sink import Sink, Surroundings
from medallion.storage import LocalStorage
from medallion.storage.layout import Layout
from tests.conftest import PROJECT

NOON = datetime(2025, 10, 1, 12, tzinfo=UTC)
_SECRETS = {"SHOP_TOKEN": "tr0ub4dor"}


def surroundings(data_root: Path, run_id: str = "run-1", **settings: Any) -> Surroundings:
    """Those of a run that writes below a folder of the test's own."""
    return Surroundings(
        run_id=run_id,
        is_shared=False,
        environment="local",
        pipelines=("__default__",),
        parameters={},
        settings=parse_observability(settings),
        mask=Mask(_SECRETS),
        layout=Layout.below(data_root),
        spec_path=str(PROJECT / "conf/base/spec.yml"),
    )


def record_of(
    run_id: str = "run-1",
    *happened: events.Event,
    seconds: float = 1.0,
    status: Status = "succeeded",
    error: str | None = None,
    warnings: Mapping[str, int] | None = None,
) -> RunRecord:
    """The record of a run that has ended."""
    start = events.RunStarted(
        at=NOON,
        process="host-1",
        environment="local",
        pipelines=("__default__",),
        parameters={},
        git_sha=None,
        code_version="1",
        config_hash="2",
    )
    end = NOON + timedelta(seconds=seconds)
    warned = [
        events.Warned(at=NOON, message=message, logger="medallion")
        for message, count in (warnings or {}).items()
        for _ in range(count)
    ]
    ended = events.RunEnded(at=end, status=status, error=error)
    return compiled(run_id, [start, *happened, *warned, ended])


class Process:
    """A process of a run, which tells some sinks of it as every run does, without Kedro's session.

    Args:
        data_root: A folder of the test's own.
        sinks: Who is told.
        run_id: The run.
        is_shared: Whether others may join it.
        catalog: Datasets of its catalog.
        settings: What `observability.yml` says.
    """

    def __init__(
        self,
        data_root: Path,
        *sinks: Sink,
        run_id: str = "run-1",
        is_shared: bool = False,
        catalog: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self._current = Current()
        self.recorder = RunRecorder(self._current, sinks)
        runs = data_root / "runs"
        folder = RunFolder(LocalStorage(runs), run_id)
        lake = Lake(data_root / "silver")
        self._current.run = Run(folder, lake, data_root / "silver" / "_processes", is_shared)
        request = MemoryDataset(RunRequest(run_id=run_id))
        self._catalog = DataCatalog({**(catalog or {}), "params:run": request})
        self._context = SimpleNamespace(
            config_loader=_configuration(data_root, settings), env=None, project_path=PROJECT
        )

    def begin(self) -> Process:
        """Takes part in the run."""
        for remember in self._current.on_context:
            remember(self._context)
        with mock.patch.dict(os.environ, _SECRETS):
            for check in self._current.on_check:
                check({"pipeline_names": None}, self._catalog)
        self._current.run.begin({})
        return self

    def end(self, status: Status = "succeeded", error: BaseException | None = None) -> None:
        """Ends its part, and the run if it is its only process."""
        self._current.run.end(status, {"a step that nobody does"}, error)


class _Configuration(dict[str, Any]):
    """What Kedro's configuration loader has read."""

    conf_source = str(PROJECT / "conf")


def _configuration(data_root: Path, settings: dict[str, Any]) -> _Configuration:
    places = {
        "data_root": str(data_root),
        "runs_root": str(data_root / "runs"),
        "bronze_root": str(data_root / "bronze"),
        "spec": str(PROJECT / "conf/base/spec.yml"),
    }
    return _Configuration(globals=places, observability=settings)
