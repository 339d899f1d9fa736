"""The log of a run: JSON lines for machines, and its warnings once more at its end."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node
from rich.console import Console
from rich.markup import escape

from medallion import events, foreign, terminal
from medallion.hooks.collecting import RunCollector, harmless, layer_of
from medallion.hooks.keeping import keep_newest
from medallion.lake.writes import FrameWrite, StagedWrite
from medallion.masking import Mask

# What goes to the file alone: people see progress and the summary instead.
_journal = logging.getLogger("medallion.journal")

# Only these, so that nobody's `extra` can carry a row into the file.
_FIELDS = ("layer", "table", "partition", "rows", "seconds", "node")
_ROOT = "root"
_SHOWN_WARNINGS = 20
_node: ContextVar[Node | None] = ContextVar("node", default=None)


class RunLogs:
    """Writes `logs/<run_id>.jsonl` and repeats the warnings of a run at its end.

    The file's levels are its own: the console goes on as `logging.yml` says.

    Args:
        collector: What is known of the run.
    """

    def __init__(self, collector: RunCollector) -> None:
        self._collector = collector
        self._reset()

    def _reset(self) -> None:
        self._handlers: list[logging.Handler] = []
        self._levels = _Levels({})
        self._console: list[tuple[logging.Handler, list[logging.Filter]]] = []
        self._unlisten: Callable[[], None] = lambda: None

    # First of all, so that what other hooks say when a run starts is in its file.
    @hook_impl(tryfirst=True)
    @harmless
    def before_pipeline_run(self) -> None:
        """Opens the file and starts to listen."""
        self._close()
        _set_journal_apart()
        settings = self._collector.settings.logs
        self._levels = _Levels(settings.levels if settings.file else {})
        self._guard_console()
        if settings.file:
            self._open_file()
            self._levels.lower()
        self._add(_Warnings(self._collector), [self._levels.as_before, disclose])
        self._unlisten = events.listen(_write_progress)
        _journal.info("The run starts.")

    def _open_file(self) -> None:
        folder = self._collector.data_root / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        keep_newest(folder, "*.jsonl", self._collector.settings.logs.keep - 1)
        file = logging.FileHandler(folder / f"{self._collector.file_name}.jsonl", encoding="utf-8")
        file.setFormatter(_AsJson(self._collector))
        self._add(file, [self._levels.for_file, disclose])
        _journal.addHandler(file)

    def _add(self, handler: logging.Handler, filters: Iterable[Callable[..., bool]]) -> None:
        for condition in filters:
            handler.addFilter(condition)
        logging.getLogger().addHandler(handler)
        self._handlers.append(handler)

    def _guard_console(self) -> None:
        """Keeps what is there as it was: its levels, and without secrets."""
        for handler in logging.getLogger().handlers:
            filters: list[Any] = [self._levels.as_before, _Masking(self._collector.mask)]
            for added in filters:
                handler.addFilter(added)
            self._console.append((handler, filters))

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Lets every line name the node that its thread works on."""
        _node.set(node)
        _journal.debug("The node starts.")

    @hook_impl
    @harmless
    def after_node_run(self, node: Node, outputs: dict[str, Any]) -> None:
        """Writes down receipts and gate results, table by table."""
        for name, output in outputs.items():
            layer, _, kind = name.partition(".")
            if kind == "receipt":
                _write_receipt(layer, output)
            elif kind == "quality":
                _write_gate(layer, output)
        _journal.debug("The node has run.", extra={"layer": layer_of(node)})

    @hook_impl
    @harmless
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Writes down what went into a table."""
        written = self._collector.written.get(dataset_name)
        if written and isinstance(data, (StagedWrite, FrameWrite)):
            table = dataset_name.partition(".")[2]
            _journal.info(
                "%s: %s rows written.",
                dataset_name,
                f"{written.rows:,}",
                extra={"table": table, "rows": written.rows},
            )
        if self._collector.has_ended(node):
            _node.set(None)

    # The last to end: what other hooks say at the end of a run is in its file.
    @hook_impl
    @harmless
    def after_pipeline_run(self) -> None:
        """Closes the file and repeats the warnings."""
        self._finish(None)

    @hook_impl
    @harmless
    def on_pipeline_error(self, error: Exception) -> None:
        """Writes the trace into the file, closes it and repeats the warnings."""
        self._finish(error)

    def _finish(self, error: Exception | None) -> None:
        _node.set(None)
        facts = self._collector.facts
        level = logging.ERROR if error else logging.INFO
        seconds = round(facts.seconds, 3)
        _journal.log(level, "The run %s.", facts.status, exc_info=error, extra={"seconds": seconds})
        self._close()
        repeat_warnings(facts.warnings, terminal.err())

    def _close(self) -> None:
        self._unlisten()
        self._levels.restore()
        for handler, filters in self._console:
            for added in filters:
                handler.removeFilter(added)
        for handler in self._handlers:
            for logger in (logging.getLogger(), _journal):
                logger.removeHandler(handler)
            handler.close()
        self._reset()


def repeat_warnings(warnings: Mapping[str, int], console: Console) -> None:
    """Prints each warning of a run once, with how often it was given."""
    if not warnings:
        return
    total = sum(warnings.values())
    console.print(f"[yellow]{total} warning{'s' if total > 1 else ''} of this run:[/yellow]")
    for message, count in list(warnings.items())[:_SHOWN_WARNINGS]:
        times = f" ({count} times)" if count > 1 else ""
        console.print(f"  - {escape(message)}{times}", soft_wrap=True)
    if len(warnings) > _SHOWN_WARNINGS:
        console.print(f"  ... and {len(warnings) - _SHOWN_WARNINGS} more in the log file")


class _Warnings(logging.Handler):
    """Counts what warned, masked, by its first line."""

    def __init__(self, collector: RunCollector) -> None:
        super().__init__(logging.WARNING)
        self._collector = collector

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:
            text = self._collector.mask(record.getMessage()).strip()
            message = text.splitlines()[0] if text else record.name
            counts = self._collector.facts.warnings
            counts[message] = counts.get(message, 0) + 1


class _AsJson(logging.Formatter):
    """One JSON object for a line."""

    def __init__(self, collector: RunCollector) -> None:
        super().__init__()
        self._collector = collector
        self._run_id = collector.facts.run_id

    def format(self, record: logging.LogRecord) -> str:
        """The line; personal data and secrets are masked."""
        mask = self._collector.mask
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": mask(record.getMessage()),
            "run_id": self._run_id,
            **self._of_node(),
        }
        for name in _FIELDS:
            value = getattr(record, name, None)
            if value is not None:
                line[name] = mask(value) if isinstance(value, str) else value
        if record.exc_text:
            line["exception"] = mask(record.exc_text)
        return json.dumps(line, ensure_ascii=False, default=str)

    def _of_node(self) -> dict[str, str]:
        node = _node.get() or self._only_one()
        return {"node": node.name, "layer": layer_of(node)} if node else {}

    def _only_one(self) -> Node | None:
        """A thread that dbt started knows no node; if one alone is at work, it is that one."""
        running = list(self._collector.running.values())
        return running[0] if len(running) == 1 else None


def disclose(record: logging.LogRecord) -> bool:
    """Takes out of a record what errors of other software quote; the record stays.

    What an engine logs is treated as what it raises. An error that is being handled is
    replaced wherever its text stands, and its trace becomes one without data.
    """
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        record.exc_text, record.exc_info = foreign.trace(error), None
    message = record.getMessage()
    said = foreign.without_values(message, error or sys.exc_info()[1])
    if record.name.partition(".")[0] in foreign.ENGINES and record.levelno >= logging.WARNING:
        said = foreign.disclosed_text(said)
    if said != message:
        record.msg, record.args = said, ()
    return True


class _Masking(logging.Filter):
    """Masks what goes to the console."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask

    def filter(self, record: logging.LogRecord) -> bool:
        disclose(record)
        message = record.getMessage()
        masked = self._mask(message)
        if masked != message:
            record.msg, record.args = masked, ()
        return True


class _Levels:
    """Levels of the file, beside those that loggers had before."""

    def __init__(self, wanted: Mapping[str, str]) -> None:
        numbers = logging.getLevelNamesMapping()
        self._wanted = {name: numbers[level] for name, level in wanted.items()}
        self._before: dict[str, int] = {}

    def lower(self) -> None:
        """Lets loggers pass what the file wants."""
        known = [name for name in self._wanted if name != _ROOT]
        below = [
            name
            for name, logger in logging.root.manager.loggerDict.items()
            if isinstance(logger, logging.Logger) and logger.level
        ]
        for name in (_ROOT, *sorted({*known, *below})):
            logger = logging.getLogger() if name == _ROOT else logging.getLogger(name)
            level = self._wanted_of(name)
            if level is not None and logger.getEffectiveLevel() > level:
                self._before[logger.name] = logger.level
                logger.setLevel(level)

    def restore(self) -> None:
        """Gives loggers their own levels back."""
        for name, level in self._before.items():
            logger = logging.getLogger() if name == _ROOT else logging.getLogger(name)
            logger.setLevel(level)
        self._before = {}

    def for_file(self, record: logging.LogRecord) -> bool:
        """Whether the file gets a record."""
        level = self._wanted_of(record.name)
        return record.levelno >= (logging.WARNING if level is None else level)

    def as_before(self, record: logging.LogRecord) -> bool:
        """Whether a record would have passed its logger before."""
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger:
            level = self._before.get(logger.name, logger.level)
            if level:
                return record.levelno >= level
            logger = logger.parent
        return True

    def _wanted_of(self, name: str) -> int | None:
        while name:
            if name in self._wanted:
                return self._wanted[name]
            name = name.rpartition(".")[0]
        return self._wanted.get(_ROOT)


def _set_journal_apart() -> None:
    """Keeps the journal from the console, for each run: `logging.yml` may be read after it."""
    _journal.propagate = False
    _journal.setLevel(logging.DEBUG)
    if not _journal.handlers:
        # Without a file nobody listens, and Python would print to the console then.
        _journal.addHandler(logging.NullHandler())


def _write_progress(progress: events.Event) -> None:
    if not isinstance(progress, events.Progress):
        return
    extra = {"layer": progress.layer, "table": progress.item}
    if not progress.done:
        _journal.debug("%s.%s starts.", progress.layer, progress.item, extra=extra)
        return
    measured = {"rows": progress.rows, "seconds": progress.seconds}
    _journal.info("%s.%s is done.", progress.layer, progress.item, extra={**extra, **measured})


def _write_receipt(layer: str, receipt: Iterable[Mapping[str, Any]]) -> None:
    for row in receipt:
        about = {"layer": layer, "table": row["table"]}
        accepted, quarantined = int(row["accepted"]), int(row.get("quarantined", 0))
        counts = f"{accepted:,} rows accepted, {quarantined:,} quarantined"
        extra = {**about, "rows": accepted, "seconds": row.get("seconds")}
        _journal.info("%s.%s: %s.", layer, row["table"], counts, extra=extra)
        for partition, rows in row.get("partitions", {}).items():
            _journal.debug(
                "%s.%s: %s Bronze rows of %s.",
                layer,
                row["table"],
                f"{rows:,}",
                partition,
                extra={**about, "partition": partition, "rows": rows},
            )


def _write_gate(layer: str, result: Mapping[str, Any]) -> None:
    failed, evaluated = result.get("failed", 0), result.get("evaluated", 0)
    _journal.info(
        "%s gate: %s of %s checks failed.", layer, failed, evaluated, extra={"layer": layer}
    )
    for failure in result.get("failures", []):
        extra = {"layer": layer, "table": failure.get("table")}
        partition = failure.get("partition") or None
        _journal.debug(
            "%s gate: %s failed (%s).",
            layer,
            failure.get("name"),
            failure.get("severity"),
            extra={**extra, "partition": partition},
        )
