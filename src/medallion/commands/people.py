"""Commands that end with a message instead of a stack trace where a person can act."""

from __future__ import annotations

import sys
from typing import Any

import click
from kedro.config import MissingConfigException
from omegaconf.errors import OmegaConfBaseException
from rich.markup import escape
from yaml.error import MarkedYAMLError

from medallion import terminal
from medallion.commands.choices import check_environment
from medallion.errors import ConfigurationError, MedallionError
from medallion.hooks.startup import spare_collections

_INTERRUPTED = 130
# What Kedro's loader says of a file below `conf/`: where, and what is wrong with it.
_CONFIGURATION = (MissingConfigException, MarkedYAMLError, OmegaConfBaseException)
# DuckDB and Polars have errors of their own for it.
_DISK_FULL = "No space left on device"


class ForPeople(click.Command):
    """A command whose errors say what is wrong and what to do next."""

    def prepare(self, ctx: click.Context) -> None:
        """Checks what the command is asked for, before it begins."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a known error ends it with a message and an exit code."""
        spare_collections()
        with terminal.shared():
            return self._explained(ctx)

    def _explained(self, ctx: click.Context) -> Any:
        try:
            check_environment(ctx.params.get("env"), ctx.params.get("conf_source"))
            self.prepare(ctx)
            return super().invoke(ctx)
        except KeyboardInterrupt:
            terminal.print_error("Interrupted. Every partition is as it was before, or complete.")
            sys.exit(_INTERRUPTED)
        except Exception as error:
            known = _known(error)
            if known is None:
                raise
            kind = type(known).__name__.removesuffix("Error").replace("Medallion", "Run")
            terminal.print_error(f"[bold red]{kind} error[/bold red]: {escape(str(known))}")
            sys.exit(known.exit_code)


def _known(error: BaseException | None) -> MedallionError | None:
    """The error that a person can act on, wherever in the chain Kedro has wrapped it."""
    while error is not None:
        if isinstance(error, MedallionError):
            return error
        if isinstance(error, OSError) and error.errno is not None:
            return _no_access(f"{error.filename or 'The disk'}: {error.strerror}.")
        if isinstance(error, _CONFIGURATION):
            return ConfigurationError(
                f"The configuration cannot be read: {error}", hint="see the folder conf/."
            )
        if _DISK_FULL in str(error):
            return _no_access(str(error).splitlines()[-1])
        error = error.__cause__ or error.__context__
    return None


def _no_access(message: str) -> MedallionError:
    hint = "make room or give access, then run again; nothing is half-written."
    return MedallionError(message, hint=hint)
