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
