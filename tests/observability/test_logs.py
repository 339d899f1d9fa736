"""The log of a run: JSON lines with fields, levels of its own, and warnings once more."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kedro.pipeline import node as make_node
from rich.console import Console

from medallion import events
from medallion.dbt_project.results import Receipt
from medallion.errors import GateError
from medallion.runs.sinks import ConsoleSink, LogSink
from medallion.runs.summary import print_warnings
from tests.observability.telling import Process

ours = logging.getLogger("medallion.somewhere")


def same(orders: int) -> int:
    return orders


def fail() -> None:
    raise GateError("orders of ann@example.com with tr0ub4dor")


NODE = make_node(same, "orders", "base_silver.receipt", name="score", namespace="base_silver")


@pytest.fixture
def console() -> Iterator[io.StringIO]:
    """A console handler as `logging.yml` makes it, at warnings and what we say at INFO."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root, project = logging.getLogger(), logging.getLogger("medallion")
    before = root.level, project.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    project.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before[0])
    project.setLevel(before[1])


def lines(data_root: Path, run_id: str = "run-1") -> list[dict[str, Any]]:
    text = (data_root / "logs" / f"{run_id}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def started(data_root: Path, run_id: str = "run-1", **settings: Any) -> Process:
    return Process(data_root, LogSink(), run_id=run_id, **settings).begin()


@pytest.mark.usefixtures("console")
class TestFile:
    def test_a_line_has_time_level_logger_message_and_run(self, tmp_path: Path) -> None:
        run = started(tmp_path)
        ours.info("Hello %s.", "world")
        run.end()
        (line,) = [line for line in lines(tmp_path) if line["logger"] == ours.name]
        assert line["message"] == "Hello world."
        assert line["level"] == "INFO"
        assert line["run_id"] == "run-1"
        assert line["timestamp"].endswith("+00:00")

    def test_a_line_names_the_node_its_thread_works_on(self, tmp_path: Path) -> None:
        run = started(tmp_path)
        run.recorder.before_node_run(NODE, {"orders": 1})
        ours.warning("Careful.")
        run.end()
        ours_line = next(line for line in lines(tmp_path) if line["message"] == "Careful.")
        assert (ours_line["node"], ours_line["layer"]) == ("base_silver.score", "base_silver")
        assert "node" not in lines(tmp_path)[-1]

    def test_a_receipt_becomes_a_line_for_each_table_and_partition(self, tmp_path: Path) -> None:
        run = started(tmp_path)
        receipt = {
            "table": "orders",
            "bronze_rows": 10,
            "accepted": 8,
            "quarantined": 2,
            "partitions": {"2025-10-01": 10},
            "seconds": 0.5,
        }
        run.recorder.before_node_run(NODE, {"orders": 1})
        made = {"base_silver.receipt": Receipt("base_silver", (receipt,))}
        run.recorder.after_node_run(NODE, made)
        run.end()
        table, partition = (line for line in lines(tmp_path) if line.get("table") == "orders")
        assert (table["rows"], table["seconds"], table["layer"]) == (8, 0.5, "base_silver")
        assert (partition["partition"], partition["rows"]) == ("2025-10-01", 10)

    def test_progress_goes_to_the_file_and_not_to_the_console(
        self, tmp_path: Path, console: io.StringIO
    ) -> None:
        run = started(tmp_path)
        events.announce(
            events.Progress(layer="gold", item="fct_orders", done=True, rows=7, seconds=0.1)
        )
        run.end()
        (line,) = [line for line in lines(tmp_path) if line.get("table") == "fct_orders"]
        assert (line["layer"], line["rows"], line["seconds"]) == ("gold", 7, 0.1)
        assert console.getvalue() == ""

    def test_the_journal_is_not_on_the_console_even_if_logging_was_set_up_anew(
        self, tmp_path: Path, console: io.StringIO
    ) -> None:
        logging.getLogger("medallion.journal").propagate = True
        started(tmp_path, logs={"file": False}).end()
        assert console.getvalue() == ""

    def test_its_levels_are_its_own(self, tmp_path: Path, console: io.StringIO) -> None:
        levels = {"root": "ERROR", "medallion": "DEBUG", "kedro": "INFO"}
        run = started(tmp_path, logs={"levels": levels})
        ours.debug("for the file")
        ours.info("for both")
        logging.getLogger("kedro.runner").info("for the file too")
        logging.getLogger("library").warning("for the console")
        run.end()
        in_file = {line["message"] for line in lines(tmp_path)}
        assert {"for the file", "for both", "for the file too"} <= in_file
        assert "for the console" not in in_file
        assert console.getvalue().split("\n") == ["for both", "for the console", ""]

    def test_it_leaves_loggers_and_handlers_as_they_were(self, tmp_path: Path) -> None:
        root = logging.getLogger()
        before = list(root.handlers), [list(h.filters) for h in root.handlers], root.level
        run = started(tmp_path)
        run.end()
        after = list(root.handlers), [list(h.filters) for h in root.handlers], root.level
        assert after == before
        assert logging.getLogger("medallion").level == logging.INFO

    def test_only_known_fields_are_written(self, tmp_path: Path) -> None:
        run = started(tmp_path)
        ours.info("A row.", extra={"table": "orders", "row": {"email": "a@b.com"}})
        run.end()
        (line,) = [line for line in lines(tmp_path) if line["message"] == "A row."]
        assert line["table"] == "orders"
        assert "row" not in line

    def test_a_failure_leaves_its_trace_masked_in_the_file_alone(
        self, tmp_path: Path, console: io.StringIO
    ) -> None:
        run = started(tmp_path)
        try:
            fail()
        except GateError as error:
            run.end("failed", error)
        last = lines(tmp_path)[-1]
        assert last["level"] == "ERROR"
        assert "Traceback" in last["exception"]
        assert "orders of *** with ***" in last["exception"]
        assert console.getvalue() == ""

    def test_a_failure_that_does_not_end_a_shared_run_leaves_its_trace_too(
        self, tmp_path: Path
    ) -> None:
        run = Process(tmp_path, LogSink(), is_shared=True).begin()
        try:
            fail()
        except GateError as error:
            run.end("failed", error)
        last = lines(tmp_path)[-1]
        assert last["message"] == "This process has failed; the run goes on."
        assert "orders of *** with ***" in last["exception"]

    def test_only_the_newest_files_stay(self, tmp_path: Path) -> None:
        for n in range(4):
            started(tmp_path, f"run-{n}", logs={"keep": 2}).end()
        assert {path.stem for path in (tmp_path / "logs").iterdir()} == {"run-2", "run-3"}

    def test_it_can_be_turned_off(self, tmp_path: Path) -> None:
        started(tmp_path, logs={"file": False}).end()
        assert not (tmp_path / "logs").exists()

    def test_a_folder_that_cannot_be_written_fails_no_run(
        self, tmp_path: Path, console: io.StringIO
    ) -> None:
        (tmp_path / "logs").write_text("not a folder", encoding="utf-8")
        started(tmp_path).end()
        assert "could not record the run: FileExistsError" in console.getvalue()


def test_the_console_shows_no_secret(tmp_path: Path, console: io.StringIO) -> None:
    run = started(tmp_path)
    ours.warning("%s wrote from %s", "tr0ub4dor", "ann@example.com")
    run.end()
    assert console.getvalue() == "*** wrote from ***\n"


@pytest.mark.usefixtures("console")
def test_the_warnings_of_a_run_are_repeated_once_with_their_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Process(tmp_path, ConsoleSink(), LogSink()).begin()
    for _ in range(3):
        ours.warning("[orders] has drifted\nand more")
    logging.getLogger("library").warning("Something else")
    ours.error("not a warning")
    run.end()
    told = capsys.readouterr().err
    assert told == (
        "4 warnings of this run:\n  - [orders] has drifted (3 times)\n  - Something else\n"
    )


def test_many_warnings_are_counted_not_listed() -> None:
    stream = io.StringIO()
    print_warnings({f"warning {n}": 1 for n in range(30)}, Console(file=stream))
    assert "... and 10 more in the log file" in stream.getvalue()
