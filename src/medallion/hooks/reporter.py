"""What a person sees of a run: progress while it goes, a summary when it ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node
from rich.console import Console

from medallion import events
from medallion.hooks.summary import RunFacts, Stage, print_summary
from medallion.lake.inventory import write_json
from medallion.lake.names import as_run_id
from medallion.lake.store import Lake
from medallion.lake.writes import FrameWrite

_GATE_NODES = ("validate", "gate")
_GATES = "gates"
_LAYERS = ("bronze", "dims", "base_silver", "enriched", "warehouse", "gold", "reporting")


@dataclass
class _Clock:
    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)


class RunReporter:
    """Shows progress on a terminal, prints the summary, and writes `reports/run.json`."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._reset()

    def _reset(self) -> None:
        self._facts = RunFacts()
        self._clocks: dict[str, _Clock] = {}
        self._unlisten: Callable[[], None] = lambda: None
        self._status: Any = None
        self._start = _Clock()

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Remembers where the report goes."""
        from pathlib import Path

        self._data_root = Path(context.config_loader["globals"]["data_root"])

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Starts the clock and, on a terminal, the display."""
        self._reset()
        self._facts.run_id = str(run_params["run_id"])
        self._facts.environment = str(run_params.get("env") or "local")
        self._unlisten = events.listen(self._on_progress)
        if self._console.is_terminal:
            self._status = self._console.status("planning")
            self._status.start()

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Notes when a node starts."""
        self._clocks[node.name] = _Clock()
        self._show(node)

    @hook_impl
    def after_node_run(self, outputs: dict[str, Any]) -> None:
        """Collects the plan, receipts and gate results that nodes hand on."""
        for name, output in outputs.items():
            self._collect(name, output)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Adds the time of saving, in which transforms run, and their rows."""
        if isinstance(data, FrameWrite):
            self._facts.enriched[dataset_name.split(".")[1]] = {
                "days": len(data.days),
                "rows": self._rows_of(data),
                "seconds": round(time.perf_counter() - self._clocks[node.name].wall, 3),
            }
        self._close(node)

    def _close(self, node: Node) -> None:
        """Accounts for a node up to now; it is called again for each of its outputs."""
        clock = self._clocks[node.name]
        layer = node.namespace or _LAYERS[0]
        is_gate = node.short_name.removeprefix(f"{layer}.") in _GATE_NODES
        stage = self._facts.stages.setdefault(_GATES if is_gate else layer, Stage())
        if is_gate:
            spent = time.perf_counter() - clock.wall
            self._facts.gate_seconds[layer] = self._facts.gate_seconds.get(layer, 0.0) + spent
        stage.seconds += time.perf_counter() - clock.wall
        stage.cpu_seconds += time.process_time() - clock.cpu
        self._clocks[node.name] = _Clock()

    def _rows_of(self, write: FrameWrite) -> int:
        days = {str(day) for day in write.days}
        partitions = Lake(self._data_root / "silver").partitions(write.table)
        return sum(manifest.rows for day, manifest in partitions.items() if day in days)

    def _collect(self, name: str, output: Any) -> None:
        layer, _, kind = name.partition(".")
        if name == "run_plan":
            self._facts.plan = output
        elif kind == "receipt":
            self._facts.receipts[layer] = output
        elif kind == "quality":
            self._facts.gates[layer] = output

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Prints the summary and writes the report."""
        self._finish("succeeded")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Writes the report of a run that failed; the command prints the error."""
        self._finish("failed", error)

    def _finish(self, status: str, error: Exception | None = None) -> None:
        self._unlisten()
        if self._status:
            self._status.stop()
        self._facts.status = status
        self._facts.error = str(error) if error else None
        self._facts.seconds = time.perf_counter() - self._start.wall
        self._facts.cpu_seconds = time.process_time() - self._start.cpu
        write_json(self._data_root / "reports" / "run.json", self._facts.as_json())
        self._write_page()
        if status == "succeeded":
            print_summary(self._facts, self._data_root, Console())

    def _write_page(self) -> None:
        """Writes the page of a run that looked at something, or was stopped."""
        if self._facts.did_nothing and self._facts.status == "succeeded":
            return
        from medallion.quality.reports.page import page

        folder = self._data_root / "reports" / as_run_id(self._facts.run_id)
        folder.mkdir(parents=True, exist_ok=True)
        content = page(self._facts.as_json(), self._facts.gates)
        (folder / "index.html").write_text(content, encoding="utf-8")

    def _show(self, node: Node) -> None:
        if self._status:
            layer = node.namespace or "run"
            position = f"{_LAYERS.index(layer) + 1}/{len(_LAYERS)}" if layer in _LAYERS else ""
            self._status.update(f"[bold]{layer}[/bold] {position} {node.short_name}")

    def _on_progress(self, progress: events.Progress) -> None:
        if not self._status:
            return
        if progress.done:
            rows = "" if progress.rows is None else f"{progress.rows:,} rows "
            seconds = "" if progress.seconds is None else f"{progress.seconds:.1f} s"
            self._console.print(
                f"  [dim]{progress.layer}[/dim] {progress.step} [dim]{rows}{seconds}[/dim]"
            )
        else:
            self._status.update(f"[bold]{progress.layer}[/bold] {progress.step}")
