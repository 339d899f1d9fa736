"""Commands that end with a message instead of a stack trace where a person can act."""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from medallion import foreign
from medallion.hooks.startup import spare_collections

_INTERRUPTED = 130


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
            if isinstance(error, (click.ClickException, click.exceptions.Exit, click.Abort)):
                raise
            known = foreign.known(error)
            kind = type(known).__name__.removesuffix("Error").replace("Medallion", "Run")
            console.print(f"[bold red]{kind} error[/bold red]: {escape(str(known))}")
            sys.exit(known.exit_code)
