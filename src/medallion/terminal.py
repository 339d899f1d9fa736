"""The terminal: one console for all that is printed while a run is at work.

A spinner redraws its line; whatever another console writes meanwhile lands in the middle of
it. So progress, log messages, warnings and errors share the console that `err()` returns.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Literal

from rich.console import Console, ConsoleOptions, RenderableType
from rich.logging import RichHandler
from rich.markup import escape
from rich.segment import Segment
from rich.status import Status
from rich.table import Table
from rich.text import Text

# Data are printed too: a control character in them must not command the terminal, nor turn
# the direction of the text.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""A text with its control characters written out, such as `\x1b`."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def styled(template: str, *data: object) -> Text:
    """Words with rich's markup and, in place of each `{}`, data, whose brackets are its own.

    Only here is anything read as markup: the consoles print every other text as it is.
    """
    return Text.from_markup(template.format(*(escape(str(one)) for one in data)), emoji=False)


def table(*columns: str, numbers: Collection[str] = (), fixed: Collection[str] = ()) -> Table:
    """A table without lines, whose cells are folded where the terminal is narrow.

    Args:
        columns: Their titles.
        numbers: Those that end at the right.
        fixed: Those that are never folded.
    """
    made = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        justify: Literal["right", "left"] = "right" if column in numbers else "left"
        made.add_column(column, justify=justify, overflow="fold", no_wrap=column in fixed)
    return made


def counted(number: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "table"), counted(2_000, "row")
    ('1 table', '2,000 rows')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


class _Console(Console):
    """A console on which data cannot command the terminal, nor be taken for markup."""

    def __init__(self, **how: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **how)

    def render_str(self, text: str, **how: Any) -> Text:
        """A text with data made visible before it is measured."""
        return super().render_str(visible(text), **how)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """What rich prints, its own control sequences apart, with data made visible."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield segment._replace(text=visible(segment.text))


class _Terminal:
    """What is open now."""

    console: Console | None = None
    status: Status | None = None


def out(*, soft_wrap: bool = False) -> Console:
    """A console for results, on standard output.

    Args:
        soft_wrap: Leave it to the terminal to break lines that are too long.
    """
    return _Console(soft_wrap=soft_wrap)


def err() -> Console:
    """The one console for progress, log messages and errors, on standard error."""
    if _Terminal.console is None:
        _Terminal.console = _Console(stderr=True)
    return _Terminal.console


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Makes the console of a command anew, and sends log messages there while it is at work.

    A stream that cannot show a character writes it out instead of failing.
    """
    stop_status()
    _Terminal.console = None
    before = [(handler, handler.console, handler.markup) for handler in _handlers()]
    _write_out_what_cannot_be_shown()
    share_with_log()
    try:
        yield
    finally:
        stop_status()
        for handler, console, markup in before:
            handler.console, handler.markup = console, markup


def _write_out_what_cannot_be_shown() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            with contextlib.suppress(io.UnsupportedOperation):
                stream.reconfigure(errors="backslashreplace")


def share_with_log() -> None:
    """Sends what the log shows on a terminal to the one console; brackets stay brackets."""
    for handler in _handlers():
        handler.console = err()
        handler.markup = False


def _handlers() -> list[RichHandler]:
    return [one for one in logging.getLogger().handlers if isinstance(one, RichHandler)]


def start_status(text: str) -> None:
    """Starts the spinner, on a terminal."""
    stop_status()
    console = err()
    if console.is_terminal:
        spinner = "line" if console.options.ascii_only else "dots"
        _Terminal.status = console.status(text, spinner=spinner)
        _Terminal.status.start()


def update_status(text: str | Text) -> bool:
    """Changes what stands beside the spinner; tells whether there is one."""
    if _Terminal.status is None:
        return False
    _Terminal.status.update(text)
    return True


def stop_status() -> None:
    """Takes the spinner away and gives the cursor back; safe to call again."""
    status, _Terminal.status = _Terminal.status, None
    if status:
        status.stop()


def print_error(*parts: Any) -> None:
    """Prints to the one console, below the spinner's last line."""
    stop_status()
    err().print(*parts, soft_wrap=True)
