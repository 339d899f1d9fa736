"""The log of a run: JSON lines for machines, and its warnings once more at its end."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from medallion import foreign
from medallion.events import (
    Event,
    GateDecided,
    LayerCounted,
    Progress,
    StepFinished,
    StepStarted,
    TableWritten,
    Warned,
    announce,
)
from medallion.gates.result import GateResult
from medallion.masking import Mask
from medallion.runs.record import RunRecord
from medallion.runs.retention import keep_newest
from medallion.runs.sinks.sink import Sink, Surroundings
from medallion.storage.process import this_process

# What goes to the file alone: people see progress and the summary instead.
_journal = logging.getLogger("medallion.journal")

# Only these, so that nobody's `extra` can carry a row into the file.
_FIELDS = ("layer", "table", "partition", "rows", "seconds", "node")
_ROOT = "root"
_node: ContextVar[str | None] = ContextVar("node", default=None)


class LogSink(Sink):
    """Writes `logs/<run_id>.jsonl`, and announces what warned.

    The file's levels are its own: the console goes on as `logging.yml` says. Processes of one
    run write into the same file, a line each.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._handlers: list[logging.Handler] = []
        self._levels = _Levels({})
        self._console: list[tuple[logging.Handler, list[logging.Filter]]] = []

    def begin(self, around: Surroundings) -> None:
        """Opens the file and starts to listen."""
        self._close()
        _set_journal_apart()
        self._at_work = _AtWork()
        settings = around.settings.logs
        self._levels = _Levels(settings.levels if settings.file else {})
        self._guard_console(around.mask)
        if settings.file:
            self._open_file(around)
            self._levels.lower()
        self._add(_Warnings(around.mask), [self._levels.as_before, disclose])
        _journal.info("The run starts.")

    def _open_file(self, around: Surroundings) -> None:
        # Machines that share a folder of logs cannot write into one file of it.
        has_its_own = around.is_shared and "logs" in around.layout.stores
        name = f"{around.file_name}~{this_process()}" if has_its_own else around.file_name
        folder, path = around.layout.logs, around.layout.log(name)
        folder.mkdir(parents=True, exist_ok=True)
        keep_newest(folder, "*.jsonl", around.settings.logs.keep - 1)
        file = logging.FileHandler(path, encoding="utf-8")
        file.setFormatter(_AsJson(around, self._at_work))
        self._add(file, [self._levels.for_file, disclose])
        _journal.addHandler(file)

    def _add(self, handler: logging.Handler, filters: Iterable[Callable[..., bool]]) -> None:
        for condition in filters:
            handler.addFilter(condition)
        logging.getLogger().addHandler(handler)
        self._handlers.append(handler)

    def _guard_console(self, mask: Mask) -> None:
        """Keeps what is there as it was: its levels, and without secrets."""
        for handler in logging.getLogger().handlers:
            filters: list[Any] = [self._levels.as_before, _Masking(mask)]
            for added in filters:
                handler.addFilter(added)
            self._console.append((handler, filters))

    def on(self, event: Event) -> None:
        """Writes down what happens, table by table."""
        match event:
            case StepStarted():
                self._at_work.begin(event.step, event.layer)
                _journal.debug("The node starts.", extra=_where(event))
            case StepFinished():
                seconds = {**_where(event), "seconds": round(event.seconds, 3)}
                told = "The node has failed." if event.error else "The node has run."
                _journal.debug(told, extra=seconds)
                self._at_work.end(event.step)
            case TableWritten():
                _write_table(event)
            case LayerCounted():
                _write_receipt(event.layer, event.receipt)
            case GateDecided():
                _write_gate(GateResult.from_json(event.result))
            case Progress():
                _write_progress(event)

    def end(self, record: RunRecord) -> None:
        """Writes down how the run ended, with the trace of the error that ended it."""
        level = logging.ERROR if record.error else logging.INFO
        seconds = {"seconds": round(record.seconds, 3)}
        _journal.log(level, "The run %s.", record.status, exc_info=_at_hand(), extra=seconds)

    def leave(self, record: RunRecord) -> None:
        """Closes the file; what failed here and did not end the run has its trace in it, too."""
        if record.ended is None and _at_hand():
            _journal.error("This process has failed; the run goes on.", exc_info=True)
        self._close()

    def _close(self) -> None:
        self._levels.restore()
        for handler, filters in self._console:
            for added in filters:
                handler.removeFilter(added)
        for handler in self._handlers:
            for logger in (logging.getLogger(), _journal):
                logger.removeHandler(handler)
            handler.close()
        self._reset()


def _at_hand() -> bool:
    """Whether an error is being handled, whose trace belongs into the file."""
    return sys.exc_info()[0] is not None


def _where(event: StepStarted | StepFinished) -> dict[str, Any]:
    return {"node": event.step, "layer": event.layer}


class _AtWork:
    """The nodes that are at work, and which of them a thread works on."""

    def __init__(self) -> None:
        self._layers: dict[str, str] = {}

    def begin(self, node: str, layer: str) -> None:
        self._layers[node] = layer
        _node.set(node)

    def end(self, node: str) -> None:
        self._layers.pop(node, None)
        _node.set(None)

    def of_thread(self) -> dict[str, str]:
        """The node of this thread; one that dbt started knows none, if one alone is at work."""
        name = _node.get()
        if name is None and len(self._layers) == 1:
            name = next(iter(self._layers))
        return {"node": name, "layer": self._layers.get(name, "")} if name else {}


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


class _Warnings(logging.Handler):
    """Announces what warned, masked, by its first line."""

    def __init__(self, mask: Mask) -> None:
        super().__init__(logging.WARNING)
        self._mask = mask

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno == logging.WARNING:
            text = self._mask(record.getMessage()).strip()
            message = text.splitlines()[0] if text else record.name
            announce(Warned(message=message, logger=record.name))


class _AsJson(logging.Formatter):
    """One JSON object for a line."""

    def __init__(self, around: Surroundings, at_work: _AtWork) -> None:
        super().__init__()
        self._mask = around.mask
        self._run_id = around.run_id
        self._at_work = at_work

    def format(self, record: logging.LogRecord) -> str:
        """The line; personal data and secrets are masked."""
        mask = self._mask
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": mask(record.getMessage()),
            "run_id": self._run_id,
            **self._at_work.of_thread(),
        }
        for name in _FIELDS:
            value = getattr(record, name, None)
            if value is not None:
                line[name] = mask(value) if isinstance(value, str) else value
        if record.exc_text:
            line["exception"] = mask(record.exc_text)
        return json.dumps(line, ensure_ascii=False, default=str)


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


def _write_table(event: TableWritten) -> None:
    layer = "base_silver" if event.layer == "base" else event.layer
    written = [one for one in event.partitions if one.status == "written"]
    rows = sum(one.rows for one in written)
    told = "%s.%s: %s rows written." if written else "%s.%s: %s rows written; nothing changed."
    extra = {"layer": layer, "table": event.table, "rows": rows}
    _journal.info(told, layer, event.table, f"{rows:,}", extra=extra)


def _write_progress(progress: Progress) -> None:
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


def _write_gate(gate: GateResult) -> None:
    _journal.info(
        "%s gate: %s of %s checks failed.",
        gate.layer,
        gate.failed,
        gate.evaluated,
        extra={"layer": gate.layer},
    )
    for failure in gate.failures:
        _journal.debug(
            "%s gate: %s failed (%s).",
            gate.layer,
            failure.name,
            failure.severity,
            extra={
                "layer": gate.layer,
                "table": failure.table,
                "partition": failure.partition or None,
            },
        )
