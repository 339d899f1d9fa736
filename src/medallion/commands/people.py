"""Commands that end with a message instead of a stack trace where a person can act."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from medallion.errors import MedallionError
from medallion.hooks.startup import spare_collections

_INTERRUPTED = 130
# DuckDB and Polars have errors of their own for it.
_DISK_FULL = "No space left on device"


class ForPeople(click.Command):
    """A command whose errors say what is wrong and what to do next."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a known error ends it with a message and an exit code."""
        console = Console(stderr=True, highlight=False)
        spare_collections()
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            console.print("Interrupted. Every partition is as it was before, or complete.")
            sys.exit(_INTERRUPTED)
        except Exception as error:
            known = _known(error)
            if known is None:
                raise
            kind = type(known).__name__.removesuffix("Error").replace("Medallion", "Run")
            console.print(f"[bold red]{kind} error[/bold red]: {escape(str(known))}")
            sys.exit(known.exit_code)


def _known(error: BaseException | None) -> MedallionError | None:
    """The error that a person can act on, wherever in the chain Kedro has wrapped it."""
    while error is not None:
        if isinstance(error, MedallionError):
            return error
        if isinstance(error, OSError) and error.errno is not None:
            return _no_access(f"{error.filename or 'The disk'}: {error.strerror}.")
        if _DISK_FULL in str(error):
            return _no_access(str(error).splitlines()[-1])
        error = error.__cause__ or error.__context__
    return None


def _no_access(message: str) -> MedallionError:
    hint = "make room or give access, then run again; nothing is half-written."
    return MedallionError(message, hint=hint)
