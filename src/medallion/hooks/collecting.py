"""What is known of a run, collected once for all who tell of it."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from threading import Lock
from typing import Any, ParamSpec

from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node

from medallion.audit.trail import AuditTrail
from medallion.errors import MedallionError
from medallion.foreign import disclosed
from medallion.hooks.configuration import Observability, parse_observability
from medallion.hooks.summary import RunFacts, Stage
from medallion.lake.names import as_run_id
from medallion.lake.store import Lake
from medallion.lake.writes import FrameWrite, StagedWrite
from medallion.masking import Mask

logger = logging.getLogger(__name__)
LAYERS = ("bronze", "dims", "base_silver", "enriched", "warehouse", "gold", "reporting")
_GATE_NODES = ("validate", "gate")
_GATES = "gates"
_P = ParamSpec("_P")


@dataclass
class Clock:
    """When something began."""

    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)


@dataclass(frozen=True)
class Written:
    """What a save has put into a dataset."""

    rows: int
    bytes: int | None = None
    files: int | None = None


def layer_of(node: Node) -> str:
    """The layer of a node."""
    return node.namespace or LAYERS[0]


def harmless(hook: Callable[_P, None]) -> Callable[_P, None]:
    """A hook that tells of a run and must not be what fails it."""

    @wraps(hook)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            hook(*args, **kwargs)
        # Whatever it is, the data are not concerned; the trace is in the log file.
        except Exception as error:
            told = f"{hook.__qualname__} could not tell of the run: {_reason(error)}"
            logger.warning("%s", told)
            logger.debug("%s", told, exc_info=error)

    return guarded


def _reason(error: Exception) -> str:
    """What may be said on the console: other errors may quote anything."""
    if isinstance(error, MedallionError):
        return error.message
    text = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__} ({text})" if text else type(error).__name__


class RunCollector:
    """Collects the facts of a run. It is called before the hooks that read it.

    Attributes:
        facts: What is known of the run so far.
        settings: What shall be told of it, and where.
        mask: Takes personal data and secrets out of a text.
        data_root: Where the project writes.
        spec_path: The spec.
        bronze_root: Where Bronze lies.
        running: The nodes at work.
        written: What each dataset was given in this run.
    """

    def __init__(self) -> None:
        self.facts = RunFacts()
        self.settings = Observability()
        self.mask = Mask()
        self._lock = Lock()
        self._reset()

    def _reset(self) -> None:
        self.facts = RunFacts()
        self.running: dict[str, Node] = {}
        self.written: dict[str, Written] = {}
        self._clocks: dict[str, Clock] = {}
        self._unsaved: dict[str, int] = {}
        self._start = Clock()

    @property
    def lake(self) -> Lake:
        """The lake that the run writes."""
        return Lake(self.data_root / "silver")

    @property
    def trail(self) -> AuditTrail:
        """The audit records of all runs."""
        return AuditTrail(self.data_root / "metrics" / "audit")

    @property
    def is_lineage_due(self) -> bool:
        """Whether anyone reads `written`."""
        return self.settings.lineage.transport != "off"

    @hook_impl(tryfirst=True)
    def after_context_created(self, context: Any) -> None:
        """Remembers where things are."""
        places = context.config_loader["globals"]
        self.data_root = Path(places["data_root"])
        self.bronze_root = str(places["bronze_root"])
        self.spec_path = str(places["spec"])
        self._config_loader = context.config_loader

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Starts the clock.

        Raises:
            ConfigurationError: `observability.yml` says what cannot be.
        """
        self._reset()
        self.settings = parse_observability(self._config_loader["observability"])
        self.mask = Mask(os.environ, self.settings.secret_variables)
        self.facts.run_id = str(self._config_loader.runtime_params["run_id"])
        self.facts.environment = str(run_params.get("env") or "local")

    @property
    def file_name(self) -> str:
        """The run's id as the name of a file."""
        return as_run_id(self.facts.run_id)

    @hook_impl(tryfirst=True)
    def before_node_run(self, node: Node) -> None:
        """Notes when a node starts."""
        with self._lock:
            self._clocks[node.name] = Clock()
            self._unsaved[node.name] = len(node.outputs)
            self.running[node.name] = node

    @hook_impl(tryfirst=True)
    def after_node_run(self, outputs: dict[str, Any]) -> None:
        """Takes the plan, receipts and gate results that nodes hand on."""
        for name, output in outputs.items():
            self._collect(name, output)

    @hook_impl(tryfirst=True)
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Adds the time of saving, in which transforms run, and their rows."""
        written = self._measured(dataset_name, data)
        with self._lock:
            if written:
                self.written[dataset_name] = written
            if isinstance(data, FrameWrite):
                self.facts.enriched[dataset_name.split(".")[1]] = {
                    "days": len(data.days),
                    "rows": written.rows if written else 0,
                    "seconds": round(time.perf_counter() - self._clocks[node.name].wall, 3),
                }
            self._account(node)
            self._unsaved[node.name] -= 1
            if self.has_ended(node):
                self.running.pop(node.name, None)

    def has_ended(self, node: Node) -> bool:
        """Whether all outputs of a node are saved."""
        return self._unsaved.get(node.name) == 0

    def _account(self, node: Node) -> None:
        """Accounts for a node up to now; it is called again for each of its outputs."""
        clock = self._clocks[node.name]
        layer, spent = layer_of(node), time.perf_counter() - clock.wall
        is_gate = node.short_name in _GATE_NODES
        stage = self.facts.stages.setdefault(_GATES if is_gate else layer, Stage())
        if is_gate:
            known = self.facts.gate_seconds.get(layer, 0.0)
            self.facts.gate_seconds[layer] = known + spent
        stage.seconds += spent
        stage.cpu_seconds += time.process_time() - clock.cpu
        self._clocks[node.name] = Clock()

    def _measured(self, name: str, data: Any) -> Written | None:
        """Rows and bytes that a save has written, by manifests; no file is opened."""
        if isinstance(data, FrameWrite):
            return self._of_frames(data)
        if not self.is_lineage_due:
            return None
        if isinstance(data, StagedWrite):
            return _of_commit(data)
        layer, _, table = name.partition(".")
        made = [row for row in self.facts.receipts.get(layer, []) if row["table"] == table]
        return Written(int(made[0]["accepted"])) if layer == "gold" and made else None

    def _of_frames(self, write: FrameWrite) -> Written:
        days = {str(day) for day in write.days}
        standing = self.lake.partitions(write.table)
        made = [manifest for day, manifest in standing.items() if day in days]
        return Written(
            sum(manifest.rows for manifest in made),
            sum(manifest.bytes for manifest in made),
            sum(len(manifest.files) for manifest in made),
        )

    def _collect(self, name: str, output: Any) -> None:
        layer, _, kind = name.partition(".")
        if name == "run_plan":
            self.facts.plan = output
        elif kind == "receipt":
            self.facts.receipts[layer] = output
        elif kind == "quality":
            self.facts.gates[layer] = output

    @hook_impl(tryfirst=True)
    def after_pipeline_run(self) -> None:
        """Stops the clock."""
        self._finish("succeeded")

    @hook_impl(tryfirst=True)
    def on_pipeline_error(self, error: Exception) -> None:
        """Stops the clock of a run that failed."""
        self._finish("failed", error)

    def interrupted(self) -> None:
        """Stops the clock of a run that was interrupted, of which Kedro tells no hook."""
        self._finish("interrupted")

    def _finish(self, status: str, error: Exception | None = None) -> None:
        self.facts.status = status
        self.facts.error = self.mask(disclosed(error)) if error else None
        self.facts.error_kind = type(error).__name__ if error else None
        self.facts.seconds = time.perf_counter() - self._start.wall
        self.facts.cpu_seconds = time.process_time() - self._start.cpu


def _of_commit(write: StagedWrite) -> Written:
    """What of a commit belongs to one table; unchanged partitions are not written again."""
    replaced: Mapping[str, str] = write.commit.journal.replace if write.commit else {}
    files = [
        file
        for partition, manifest in replaced.items()
        if partition.startswith(f"{write.table}/")
        for file in json.loads(manifest)["files"]
    ]
    rows, size = (sum(int(file[key]) for file in files) for key in ("rows", "bytes"))
    return Written(rows, size, len(files))
