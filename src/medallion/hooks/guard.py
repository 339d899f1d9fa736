"""What must hold before a process of a run begins, and what it must leave behind."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.io.core import generate_timestamp
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import BaseModel, ValidationError

from medallion import events, foreign
from medallion.datasets.run_document import EarlierDocumentDataset, RunDocumentDataset
from medallion.errors import ConfigurationError, RequestError, StorageError, UsageError
from medallion.hooks.current import Current
from medallion.hooks.mending import mend
from medallion.hooks.startup import spare_viz_events, spare_viz_statistics
from medallion.lake import bronze_index
from medallion.lake.disk_states import AsOf
from medallion.lake.forgetting import drop_beyond
from medallion.lake.inventory import LakeInventory
from medallion.lake.kept_states import HistorySettings
from medallion.lake.names import as_run_id
from medallion.lake.published import Published
from medallion.lake.store import Lake
from medallion.lake.working_copy import WorkingCopy
from medallion.planning.plan import check_forgettable
from medallion.planning.request import RunRequest, check_transforms, parse_request
from medallion.runs.audit.trail import STEPS
from medallion.runs.folder import RunFolder
from medallion.runs.lease import living_run
from medallion.runs.lifecycle import CUT_SHORT, Run, Status
from medallion.spec import Spec, load_spec
from medallion.storage import open_storage
from medallion.storage.eviction import evict
from medallion.storage.layout import Layout
from medallion.storage.mirror import Mirror
from medallion.storage.patience import Patience, be_patient

logger = logging.getLogger(__name__)

_STAND_INS = ("STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST")
_WITHOUT_HOOKS = "ParallelRunner"
# What names a run, or a state of the lake: every process must be given it.
_GIVEN_ALONE = ("run_id", "as_of")
_M = TypeVar("_M", bound=BaseModel)


class RunGuard:
    """Gives the run its id, holds the lease on the lake, and mends what a dead run has left.

    Args:
        current: The run that this process takes part in.
    """

    def __init__(self, current: Current) -> None:
        self._current = current

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
        spare_viz_events(context._hook_manager, Path(context.project_path))  # noqa: SLF001
        places = context.config_loader["globals"]
        layout = Layout.of(places)
        _check_stand_ins(str(places["emulator"]))
        be_patient(declared(places, "retries", Patience))
        self._layers = tuple(places["layers"])
        self._layout = layout
        self._most_bytes = int(float(places["cache_gib"]) * 2**30)
        spec = load_spec(places["spec"])
        foreign.know(spec.names)
        self._asked = dict(context.config_loader.runtime_params or {})
        request = parse_request(self._asked)
        is_shared = "run_id" in self._asked
        run_id = request.run_id if is_shared else as_run_id(generate_timestamp())
        if is_shared:
            self._asked["run_id"] = run_id
            _check_free(run_id, layout)
        folder = RunFolder(open_storage(layout.run_documents), run_id)
        lake = Lake(layout.silver)
        lake.state.release()
        lake.state.remember_in(layout.lake_index)
        lake.state.kept_runs = declared(places, "history", HistorySettings).runs
        lake.state.source = working_copy(layout, request.as_of)
        lake.state.past = None
        self._as_of = request.as_of
        if self._as_of and not lake.state.source:
            lake.state.past = AsOf(lake, self._as_of)
        self._mirrors = _mirrors(layout)
        for mirror in self._mirrors:
            if mirror.folder != layout.logs:
                mirror.pull()
        self._current.run = Run(folder, lake, layout.processes, is_shared, bronze=layout.bronze)
        self._settle(context.config_loader, folder, spec)
        for listener in self._current.on_context:
            listener(context)

    def _settle(self, loader: Any, folder: RunFolder, spec: Spec) -> None:
        """Lets the configuration say what the run is asked for, as a whole.

        Raises:
            RequestError: That cannot be.
            ConfigurationError: A file says what only the command line can.
        """
        began, run_id = _asked_before(folder), {"run_id": folder.run_id}
        given = {**began, **self._asked, **run_id}
        then = _effective(loader, {**began, **run_id}) if began else None
        request = _effective(loader, given)
        check_transforms(request, spec)
        if request == then:
            # What is given, and is so anyway, is no other request.
            self._asked = {name: v for name, v in self._asked.items() if name in run_id}

    @hook_impl(tryfirst=True)
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Checks what can be checked, takes the lease, then mends what a dead run has left.

        Raises:
            SuiteError: A suite says something that cannot be.
            StepError: The chosen nodes read what no step of the run has made.
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
        if self._as_of:
            raise RequestError(
                f"A run cannot begin as of {self._as_of}: it goes on from what is current.",
                hint="`kedro lake rollback --to RUN` makes another state current.",
            )
        _check_inputs(pipeline, catalog)
        catalog.load("suites")
        self._current.check(run_params, catalog)
        is_joined = self._current.run.folder.request() is not None
        completed = self._current.run.begin(self._asked)
        self._current.run.lake.state.hold()
        self._written: set[str] = set()
        self._unlisten = events.listen(self._note)
        atexit.register(self._interrupted)
        if completed:
            logger.warning(CUT_SHORT, completed)
        if not is_joined:
            self._mend(catalog, pipeline)

    def _mend(self, catalog: DataCatalog, pipeline: Pipeline) -> None:
        try:
            if not self._current.run.lake.state.source:
                mend(catalog, pipeline.all_outputs())
            _forget(catalog)
            if self._current.run.is_shared:
                self._current.run.share("begin", None)
        except BaseException as error:
            self._end("failed", error)
            raise

    # First: whoever is refused has not tried.
    @hook_impl(tryfirst=True)
    def before_node_run(self, node: Node, catalog: DataCatalog) -> None:
        """Takes the step, and takes back what a former try of it, and of its gate, has left.

        Raises:
            LockedError: Another process is at it.
        """
        run = self._current.run
        run.begin_step(node.name)
        if run.is_shared:
            for document in _to_withdraw(node, catalog):
                if document.withdraw() and document.made_by != node.name:
                    run.folder.begin_step(document.made_by)

    def _note(self, event: events.Event) -> None:
        """Notes that a step is done."""
        if isinstance(event, events.TableWritten):
            self._written.add(f"{event.layer}/{event.table}")
        if isinstance(event, events.StepFinished) and event.error is None:
            written, self._written = self._written, set()
            self._current.run.end_step(event.step, {"seconds": event.seconds}, written)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Ends this process's part; the lake is free if it was the last of the run."""
        self._end("succeeded")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Ends this process's part, and a run that no other process can go on with."""
        self._end("failed", error)

    # Kedro calls no hook when a run is interrupted.
    def _interrupted(self) -> None:
        self._end("interrupted")

    def _end(self, status: Status, error: BaseException | None = None) -> None:
        atexit.unregister(self._interrupted)
        self._unlisten()
        if self._current.run.is_shared:
            # Whoever ends the run has the last word, so what others know must be there before.
            self._push()
        ended = self._current.run.end(status, _steps_of(self._layers), error)
        state = self._current.run.lake.state
        state.save()
        if ended and state.copies:
            state.copies.prune()
        bronze_index.remember()
        state.release()
        if ended:
            self._push()
        if ended and self._layout.stores:
            evict([self._layout.bronze_cache], self._most_bytes // 2, empty=True)
            evict([self._layout.silver], self._most_bytes // 2)

    def _push(self) -> None:
        for mirror in self._mirrors:
            _push(mirror)


def working_copy(layout: Layout, as_of: str | None = None) -> WorkingCopy | None:
    """What brings a lake here that is in an object store; None for a lake on a disk.

    Args:
        layout: Where things are.
        as_of: The run whose state is read; the current one if None.
    """
    url = layout.stores.get("silver")
    if not url:
        return None
    lake = Lake(layout.silver)
    return WorkingCopy(
        Published.at(url, layout.published),
        lake.root,
        lake.state,
        lambda: bool(living_run(layout.processes)),
        as_of,
    )


def _mirrors(layout: Layout) -> list[Mirror]:
    """The folders that stand for such in an object store: what tells of runs."""
    return [
        Mirror(open_storage(url), getattr(layout, name), getattr(layout, name).parent, (STEPS,))
        for name, url in layout.stores.items()
        if name not in ("silver", "runs")
    ]


def _push(mirror: Mirror) -> None:
    """Copies what tells of a run to the store; the run itself stands, whatever comes of it."""
    try:
        mirror.push()
    except StorageError as error:
        logger.warning(
            "What tells of the run could not be copied to %s: %s It is in %s; the next run of this"
            " machine copies it.",
            mirror.storage.root,
            error.message,
            mirror.folder,
        )


def _forget(catalog: DataCatalog) -> None:
    """Takes out what only stands because the lake reached the days that go."""
    request: RunRequest = catalog.load("params:run")
    if request.forget:
        lake: LakeInventory = catalog.load("lake")
        check_forgettable(request.forget, lake.spec, catalog.load("bronze.inventory"), lake)
        gone = drop_beyond(lake, request.forget)
        for table, partitions in groupby(sorted(gone), lambda path: path.rpartition("/")[0]):
            layer, _, name = table.partition("/")
            changes = tuple(_removed(path.rpartition("/")[2]) for path in partitions)
            made = events.TableWritten(
                run_id=request.run_id, layer=layer, table=name, partitions=changes
            )
            events.announce(made)


def _removed(partition: str) -> events.PartitionChange:
    key, _, value = partition.partition("=")
    return events.PartitionChange(key=key, value=value, status="removed")


def _asked_before(folder: RunFolder) -> dict[str, Any]:
    """What a run was asked for when it began; whoever joins it is told if nobody can read that."""
    try:
        return folder.request() or {}
    except RequestError:
        return {}


def _effective(loader: Any, given: Mapping[str, Any]) -> RunRequest:
    """What a run is asked for by the command line and by the files of all environments."""
    loader.ask(given)
    told = loader["parameters"].get("run", {})
    for name in _GIVEN_ALONE:
        if isinstance(told, Mapping) and told.get(name) != given.get(name):
            raise ConfigurationError(
                f"A file of parameters sets run.{name}, which is one run's and no configuration.",
                hint=f"take it out there, and give it with the command: --params {name}=...",
            )
    return parse_request(told)


def _check_free(run_id: str, layout: Layout) -> None:
    """Whether a run may be called so."""
    if run_id == RunRequest().run_id or layout.is_taken(run_id):
        raise UsageError(
            f"A run cannot be called {run_id}: the name has another meaning.",
            hint="give another run id, or leave it out.",
        )


def _check_inputs(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Whether what the chosen nodes read, and do not make themselves, is there."""
    for name in sorted(pipeline.inputs()):
        dataset = catalog.get(name)
        if isinstance(dataset, RunDocumentDataset):
            dataset.load()


def _steps_of(layers: Iterable[str]) -> set[str]:
    """The steps of a whole run."""
    from kedro.framework.project import pipelines

    return {node.name for layer in layers for node in pipelines[layer].nodes}


def _to_withdraw(node: Node, catalog: DataCatalog) -> Iterator[RunDocumentDataset]:
    """What says nothing any more when a step is done again.

    That is what the step itself makes, and what all later steps make of that: a gate has let other
    data through. A step that reads what it makes goes on from it, and so do other layers. So they
    do from the plan: the pipeline of each layer begins with it.
    """
    from kedro.framework.project import pipelines

    before = [catalog.get(name) for name in node.inputs]
    kept = {one.place for one in before if isinstance(one, EarlierDocumentDataset)}
    whole = pipelines["__default__"]
    is_known = any(one.name == node.name for one in whole.nodes)
    later = whole.from_nodes(node.name).nodes if is_known else [node]
    goes_on = kept or node.namespace == "bronze"
    for one in later:
        for name in one.outputs if not goes_on or one.namespace == node.namespace else ():
            made = catalog.get(name)
            if isinstance(made, RunDocumentDataset) and made.place not in kept:
                yield made


def declared(places: Mapping[str, Any], key: str, model: type[_M]) -> _M:
    """What `globals.yml` says under a key.

    Raises:
        ConfigurationError: It says something that cannot be.
    """
    try:
        return model.model_validate(places.get(key, {}))
    except ValidationError as error:
        raise ConfigurationError(
            f"globals.yml: {key} says something that cannot be:",
            details=[
                f"{'.'.join(map(str, one['loc'])) or key}: {one['msg']}"
                for one in error.errors(include_url=False)
            ],
            hint=f"it takes {', '.join(model.model_fields)}; conf/base/globals.yml explains them.",
        ) from error


def _check_stand_ins(wanted: str) -> None:
    """Whether a stand-in of Google Cloud is used where it is meant, and nowhere else."""
    named = [name for name in _STAND_INS if os.environ.get(name)]
    if named and wanted == "refused":
        raise ConfigurationError(
            f"{' and '.join(named)} would send this run to a stand-in of Google Cloud.",
            hint="take them out of the environment; --env emulator is meant for it.",
        )
    absent = [name for name in _STAND_INS if name not in named]
    if absent and wanted == "expected":
        raise ConfigurationError(
            f"This environment is meant for stand-ins, and {' and '.join(absent)} would be"
            " Google's: not set.",
            hint=f"start one, then set {absent[0]}=http://127.0.0.1:4443; `make demo-cloud` does"
            " both.",
        )
