"""What reaches the terminal, and in what order."""

from __future__ import annotations

import io
import logging
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from medallion import terminal
from tests.conftest import PROJECT

_CHILD = """
import logging, time
from rich.logging import RichHandler
from medallion import terminal
logging.basicConfig(handlers=[RichHandler(show_time=False, show_path=False)])
with terminal.shared():
    terminal.start_status("bronze 1/7")
    time.sleep(0.3)
    logging.getLogger().warning("first [warning]")
    time.sleep(0.3)
    terminal.err().print("a step")
    terminal.print_error("the error")
"""


def on_a_terminal(code: str, **environment: str) -> str:
    """What a program writes to a terminal."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **environment},
    )
    os.close(theirs)
    written = b""
    try:
        while block := os.read(ours, 4096):
            written += block
    except OSError:  # how Linux says that the other end is closed
        pass
    assert child.wait() == 0, written
    os.close(ours)
    return written.decode(errors="replace")


def test_no_message_runs_into_the_spinner() -> None:
    written = on_a_terminal(_CHILD)
    shown = re.sub(r"\x1b\[[0-9;?]*m", "", written)
    for message in ("WARNING", "a step", "the error"):
        before = shown[: shown.index(message)]
        # The line was cleared, or begun, and nothing has been written into it since.
        assert re.search(r"(\x1b\[2K|\n)$", before), (message, before[-40:])
    assert "first [warning]" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is back"


def test_a_console_that_cannot_show_a_character_writes_it_out() -> None:
    code = (
        "from medallion import terminal\n"
        "with terminal.shared():\n"
        "    terminal.out().print('caf\\u00e9'); print('na\\u00efve')"
    )
    written = on_a_terminal(code, PYTHONIOENCODING="ascii")
    assert "caf\\xe9" in written
    assert "na\\xefve" in written


def _table(text: str) -> Table:
    table = Table()
    table.add_column("value")
    table.add_row(text)
    return table


@pytest.mark.parametrize("wrap", [str, Text, _table])
def test_data_cannot_command_the_terminal(
    wrap: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.out().print(wrap("a\x1b[2Jb\x9bc\x07d\u202ee\x00"), soft_wrap=True)
    shown = capsys.readouterr().out
    assert "\\x1b" in shown
    assert "\\u202e" in shown
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)


def test_log_messages_go_to_the_one_console_and_are_no_markup() -> None:
    handler = RichHandler(console=Console(file=io.StringIO()), markup=True)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with terminal.shared():
            assert handler.console is terminal.err()
            assert not handler.markup
        assert handler.console is not terminal.err()
        assert handler.markup
    finally:
        root.removeHandler(handler)


BRACKETS = "/data/[bold]/[/]/part [a-z].parquet :x:"


def shown_by(show: Callable[[Console], None]) -> str:
    """What a person reads of what is printed on one of the project's consoles."""
    console = terminal.out(soft_wrap=True)
    with console.capture() as capture:
        show(console)
    return capture.get()


def in_a_table(console: Console) -> None:
    table = Table(title=BRACKETS)
    table.add_column(BRACKETS)
    table.add_row(BRACKETS)
    console.print(table)


@pytest.mark.parametrize(
    ("show", "times"),
    [
        (lambda console: console.print(BRACKETS), 1),
        (lambda console: console.print(terminal.styled("[bold]{}[/] {}", BRACKETS, BRACKETS)), 2),
        (in_a_table, 3),
    ],
)
def test_brackets_in_data_are_printed_as_they_are(
    show: Callable[[Console], None], times: int
) -> None:
    assert shown_by(show).count(BRACKETS) == times


def test_words_are_styled_and_the_styles_are_not_read() -> None:
    assert terminal.styled("[bold]a[/] {}", "[b]").markup == r"[bold]a[/bold] \[b]"


def test_markup_is_read_at_one_place() -> None:
    """Another console, or markup read elsewhere, would take the brackets of a path for its own."""
    reads_markup = re.compile(r"(?<!_)\bConsole\(|from_markup|markup=True|rich\.markup")
    reading = {
        path.name
        for path in (PROJECT / "src").rglob("*.py")
        if reads_markup.search(path.read_text(encoding="utf-8"))
    }
    assert reading == {"terminal.py"}
