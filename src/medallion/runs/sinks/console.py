"""What a person sees of a run: progress while it goes, a summary when it ends."""

from __future__ import annotations

from medallion import terminal
from medallion.events import Event, Progress, StepStarted
from medallion.runs.record import RunRecord
from medallion.runs.sinks.sink import Sink, Surroundings
from medallion.runs.summary import print_summary, print_warnings

LAYERS = ("bronze", "dims", "base_silver", "enriched", "warehouse", "gold", "reporting")


class ConsoleSink(Sink):
    """Shows progress on a terminal, then prints the summary and the warnings."""

    def begin(self, around: Surroundings) -> None:
        """Starts, on a terminal, the display."""
        self._around = around
        if terminal.err().is_terminal:
            terminal.share_with_log()
        terminal.start_status("planning")

    def on(self, event: Event) -> None:
        """Shows which step, model or transform is at work."""
        if isinstance(event, StepStarted):
            layer, step = event.layer, event.step.rpartition(".")[2]
            position = f"{LAYERS.index(layer) + 1}/{len(LAYERS)}" if layer in LAYERS else ""
            terminal.update_status(terminal.styled("[bold]{}[/] {} {}", layer, position, step))
        elif isinstance(event, Progress):
            _show(event)

    def leave(self, record: RunRecord) -> None:
        """Prints what happened; the command prints the error of a run that failed."""
        terminal.stop_status()
        failed = any(step.error for step in record.steps.values())
        if record.status == "succeeded" or (record.status == "running" and not failed):
            print_summary(record, self._around, terminal.out())
        print_warnings(record.warnings, terminal.err())


def _show(progress: Progress) -> None:
    named = terminal.styled("[bold]{}[/] {}", progress.layer, progress.item)
    if not terminal.update_status(named) or not progress.done:
        return
    rows = "" if progress.rows is None else f"{progress.rows:,} rows "
    seconds = "" if progress.seconds is None else f"{progress.seconds:.1f} s"
    terminal.err().print(
        terminal.styled("  [dim]{}[/] {} [dim]{}[/]", progress.layer, progress.item, rows + seconds)
    )
