"""What must hold before a run starts, and what it must leave behind."""

from __future__ import annotations

import atexit
import logging
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline

from medallion import foreign
from medallion.errors import ConfigurationError, RequestError
from medallion.hooks.mending import mend
from medallion.hooks.startup import spare_viz_events, spare_viz_statistics
from medallion.lake.lock import LakeLock
from medallion.lake.names import as_run_id
from medallion.lake.store import Lake
from medallion.spec import load_spec

logger = logging.getLogger(__name__)

_WITHOUT_HOOKS = "ParallelRunner"


class RunGuard:
    """Checks the spec at start, holds the lake's lock, and mends what a crash has left."""

    def __init__(self) -> None:
        self._catalog: DataCatalog | None = None
        self._lake: Lake | None = None
        self._lock: LakeLock | None = None

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Reads the spec, so that a wrong one fails before anything runs.

        Raises:
            ConfigurationError: The results would go to a place that cannot be written.
        """
        spare_viz_statistics(context._hook_manager)  # noqa: SLF001
        spare_viz_events(context._hook_manager, Path(context.project_path))  # noqa: SLF001
        places = context.config_loader["globals"]
        if "://" in str(places["data_root"]):
            raise ConfigurationError(
                f"The data root {places['data_root']} is not a folder of this machine.",
                hint="set MEDALLION_DATA_ROOT to a local folder; only Bronze can lie elsewhere.",
            )
        foreign.know(load_spec(places["spec"]).names)
        self._lake = Lake(Path(places["data_root"]) / "silver")

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog, save_version: str | None) -> None:
        """Gives nodes the run's id."""
        self._catalog = catalog
        catalog["run_id"] = MemoryDataset(as_run_id(save_version or "session"), copy_mode="assign")

    # Before anyone tells of a run that may not start.
    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Checks the suites, takes the lock, then mends what an earlier run has left.

        Raises:
            SuiteError: A suite says something that cannot be.
            RequestError: The runner would leave hooks out.
            LockedError: Another run is at work.
            LakeError: The lake is damaged, and this run does not mend it.
        """
        if _WITHOUT_HOOKS in str(run_params.get("runner") or ""):
            raise RequestError(
                f"{_WITHOUT_HOOKS} does not run hooks in its workers, so a run under it would "
                "leave no record.",
                hint="use the SequentialRunner or the ThreadRunner.",
            )
        if self._lake is None or self._catalog is None:
            return
        self._catalog.load("suites")
        self._lock = LakeLock(self._lake.root, as_run_id(run_params["run_id"]))
        self._lock.acquire()
        atexit.register(self._end)
        completed = self._lake.recover()
        if completed:
            logger.warning(
                "An earlier run was cut short; %d partitions of its commit were put in place.",
                len(completed),
            )
        try:
            mend(self._catalog, pipeline.all_outputs())
        except BaseException:
            self._end()
            raise

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Gives the lock back."""
        self._end()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Clears what was staged and gives the lock back."""
        self._end()

    def _end(self) -> None:
        """Ends the run, however it ended; safe to call again."""
        if self._lock and self._lake:
            self._lake.recover()
            self._lock.release()
            self._lock = None
        atexit.unregister(self._end)
