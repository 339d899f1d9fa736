"""What a person sees of a run: progress while it goes, a summary when it ends."""

from __future__ import annotations

from collections.abc import Callable

from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node

from medallion import events, terminal
from medallion.hooks.collecting import LAYERS, RunCollector
from medallion.hooks.summary import print_summary
from medallion.lake.inventory import write_json
from medallion.lake.names import as_run_id


class RunReporter:
    """Shows progress on a terminal, prints the summary, and writes `reports/run.json`.

    Args:
        collector: What is known of the run.
    """

    def __init__(self, collector: RunCollector) -> None:
        self._collector = collector
        self._reset()

    def _reset(self) -> None:
        self._unlisten: Callable[[], None] = lambda: None

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Starts, on a terminal, the display."""
        self._reset()
        self._unlisten = events.listen(_on_progress)
        if terminal.err().is_terminal:
            terminal.share_with_log()
        terminal.start_status("planning")

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Shows which node starts."""
        layer = node.namespace or "run"
        position = f"{LAYERS.index(layer) + 1}/{len(LAYERS)}" if layer in LAYERS else ""
        terminal.update_status(f"[bold]{layer}[/bold] {position} {node.short_name}")

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Prints the summary and writes the report."""
        self._finish()
        print_summary(self._collector.facts, self._collector.data_root, terminal.out())

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Writes the report of a run that failed; the command prints the error."""
        self._finish()

    def _finish(self) -> None:
        self._unlisten()
        terminal.stop_status()
        report = self._collector.data_root / "reports" / "run.json"
        write_json(report, self._collector.facts.as_json())
        self._write_page()

    def _write_page(self) -> None:
        """Writes the page of a run that looked at something, or was stopped."""
        facts = self._collector.facts
        if facts.did_nothing and facts.status == "succeeded":
            return
        from medallion.quality.reports.page import page

        folder = self._collector.data_root / "reports" / as_run_id(facts.run_id)
        folder.mkdir(parents=True, exist_ok=True)
        content = page(facts.as_json(), facts.gates)
        (folder / "index.html").write_text(content, encoding="utf-8")


def _on_progress(progress: events.Event) -> None:
    if not isinstance(progress, events.Progress):
        return
    named = f"[bold]{progress.layer}[/bold] {progress.item}"
    if not terminal.update_status(named) or not progress.done:
        return
    rows = "" if progress.rows is None else f"{progress.rows:,} rows "
    seconds = "" if progress.seconds is None else f"{progress.seconds:.1f} s"
    terminal.err().print(
        f"  [dim]{progress.layer}[/dim] {progress.item} [dim]{rows}{seconds}[/dim]"
    )
