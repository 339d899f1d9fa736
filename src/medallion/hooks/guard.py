"""What must hold before a process of a run begins, and what it must leave behind."""

from __future__ import annotations

import atexit
import logging
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.io.core import generate_timestamp
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from medallion import foreign
from medallion.datasets.run_document import RunDocumentDataset
from medallion.errors import ConfigurationError, RequestError
from medallion.hooks.mending import mend
from medallion.hooks.startup import spare_viz_statistics
from medallion.lake.names import as_run_id
from medallion.lake.store import Lake
from medallion.planning.request import check_transforms, parse_request
from medallion.runs.folder import RunFolder
from medallion.runs.lifecycle import Run, Status
from medallion.spec import load_spec
from medallion.storage import LocalStorage

logger = logging.getLogger(__name__)

_WITHOUT_HOOKS = "ParallelRunner"


class RunGuard:
    """Gives the run its id, holds the lease on the lake, and mends what a dead run has left."""

    def __init__(self) -> None:
        self._unsaved: dict[str, int] = {}

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: Any) -> None:
        """Reads the spec and what is asked for, so that a wrong one fails before anything runs.

        A run that is joined is asked for what it was asked for when it began.

        Raises:
            RequestError: A parameter is unknown or has a value it cannot have.
            SpecError: The spec says what cannot be.
            ConfigurationError: The results would go to a place that cannot be written.
        """
        spare_viz_statistics(context._hook_manager)  # noqa: SLF001
        places = context.config_loader["globals"]
        if "://" in str(places["data_root"]):
            raise ConfigurationError(
                f"The data root {places['data_root']} is not a folder of this machine.",
                hint="set MEDALLION_DATA_ROOT to a local folder; only Bronze can lie elsewhere.",
            )
        spec = load_spec(places["spec"])
        foreign.know(spec.names)
        self._asked = dict(context.config_loader.runtime_params or {})
        request = parse_request(self._asked)
        check_transforms(request, spec)
        is_shared = "run_id" in self._asked
        run_id = request.run_id if is_shared else as_run_id(generate_timestamp())
        folder = RunFolder(LocalStorage(places["runs_root"]), run_id)
        self.run = Run(
            folder,
            Lake(Path(places["data_root"]) / "silver"),
            Path(places["runs_root"]) / "_processes",
            is_shared,
        )
        began = folder.request() or {}
        context.config_loader.runtime_params = {**began, **self._asked, "run_id": run_id}

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Checks the suites, takes the lease, then mends what a dead run has left.

        Raises:
            SuiteError: A suite says something that cannot be.
            RequestError: The runner would leave hooks out, or the run was asked for something
                else when it began.
            LockedError: Another run is at work.
            LakeError: The lake is damaged, and this run does not mend it.
        """
        if _WITHOUT_HOOKS in str(run_params.get("runner") or ""):
            raise RequestError(
                f"{_WITHOUT_HOOKS} does not run hooks in its workers, so a run under it would "
                "leave no record.",
                hint="use the SequentialRunner or the ThreadRunner.",
            )
        _check_inputs(pipeline, catalog)
        catalog.load("suites")
        self._unsaved = {}
        is_joined = self.run.folder.request() is not None
        completed = self.run.begin(self._asked)
        atexit.register(self._interrupted)
        if completed:
            logger.warning(
                "An earlier run was cut short; %d partitions of its commit were put in place.",
                completed,
            )
        if not is_joined:
            self._mend(catalog, pipeline)

    def _mend(self, catalog: DataCatalog, pipeline: Pipeline) -> None:
        try:
            mend(catalog, pipeline.all_outputs())
        except BaseException:
            self._end("failed")
            raise

    def _ended_step(self, node: Node) -> None:
        self._unsaved[node.name] -= 1
        if self._unsaved[node.name] == 0:
            self.run.end_step(node.name, {})

    @hook_impl(tryfirst=True)
    def before_node_run(self, node: Node) -> None:
        """Takes the step.

        Raises:
            LockedError: Another process is at it.
        """
        self._unsaved[node.name] = len(node.outputs)
        self.run.begin_step(node.name)

    @hook_impl(trylast=True)
    def after_dataset_saved(self, node: Node) -> None:
        """Notes that a step is done when all its outputs are saved."""
        self._ended_step(node)

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Lets this process go; the lake is free if it was the last of the run."""
        self._end("succeeded")

    @hook_impl(trylast=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Clears what was staged and lets this process go."""
        self._end("failed", error)

    # Kedro calls no hook when a run is interrupted.
    def _interrupted(self) -> None:
        self._end("interrupted")

    def _end(self, status: Status, error: Exception | None = None) -> None:
        atexit.unregister(self._interrupted)
        self.run.end(status, _steps_of_a_run(), error)


def _check_inputs(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Whether what the chosen nodes read, and do not make themselves, is there."""
    for name in sorted(pipeline.inputs()):
        dataset = catalog.get(name)
        if isinstance(dataset, RunDocumentDataset):
            dataset.load()


def _steps_of_a_run() -> set[str]:
    from kedro.framework.project import pipelines

    return {node.name for node in pipelines["__default__"].nodes}
