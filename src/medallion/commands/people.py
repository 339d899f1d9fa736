"""Commands that end with a message instead of a stack trace where a person can act."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.utils import KedroCliError
from omegaconf.errors import OmegaConfBaseException
from yaml.error import MarkedYAMLError

from medallion import foreign, terminal
from medallion.commands.choices import check_environment, check_given
from medallion.errors import ConfigurationError, MedallionError
from medallion.hooks.startup import spare_collections

_INTERRUPTED = 130
# Seconds until a command is interrupted again.
_A_MOMENT = 0.05
# What Kedro's loader says of a file below `conf/`: where, and what is wrong with it.
_CONFIGURATION = (MissingConfigException, MarkedYAMLError, OmegaConfBaseException)


class ForPeople(click.Command):
    """A command whose errors say what is wrong and what to do next."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Reads the options, and the file of `--config`, which Kedro does as it meets it."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except KedroCliError as error:  # it would show its class, and point to a trace
            raise click.UsageError(" ".join(error.message.split())) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort, MedallionError):
            raise
        except Exception as error:
            raise click.UsageError(
                f"--config: the file cannot be read ({type(error).__name__}).\n"
                f"What to do: give a file in YAML with a section `{info_name}:` and, below it,"
                " options by name, such as `pipelines: [bronze]`."
            ) from error

    def prepare(self, ctx: click.Context) -> None:
        """Checks what the command is asked for, before it begins."""

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; a known error ends it with a message and an exit code."""
        spare_collections()
        with terminal.shared(), _interrupted_once():
            return self._explained(ctx)

    def _explained(self, ctx: click.Context) -> Any:
        try:
            check_given(ctx)
            check_environment(ctx.params.get("env"), ctx.params.get("conf_source"))
            self.prepare(ctx)
            return super().invoke(ctx)
        except KeyboardInterrupt:
            terminal.print_error("Interrupted. Every partition is as it was before, or complete.")
            sys.exit(_INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort, SystemExit):
            raise
        # Polars panics with what is no `Exception` of Python.
        except BaseException as error:  # noqa: BLE001
            known = _of_configuration(error) or foreign.known(error)
            kind = type(known).__name__.removesuffix("Error").replace("Medallion", "Run")
            terminal.print_error(terminal.styled("[bold red]{} error[/]: {}", kind, known))
            sys.exit(known.exit_code)


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Lets the first Ctrl-C end a command; another one waits until it has tidied up.

    What is interrupted again while it tidies up, or while Python ends, ends in a trace. Where
    Python lets no exception out, as of a finalizer, the command is interrupted a moment later.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or (
        before is not signal.default_int_handler
    ):
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.default_int_handler(number, frame)

    def again(lost: sys.UnraisableHookArgs) -> None:
        if lost.exc_type is not KeyboardInterrupt:
            told(lost)
            return
        signal.signal(signal.SIGINT, end)
        later.append(threading.Timer(_A_MOMENT, _thread.interrupt_main))
        later[-1].start()

    later: list[threading.Timer] = []
    told, sys.unraisablehook = sys.unraisablehook, again
    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        sys.unraisablehook = told
        for timer in later:  # whatever comes behind the command is not to be interrupted
            timer.cancel()
        if signal.getsignal(signal.SIGINT) is end:
            signal.signal(signal.SIGINT, before)


def _of_configuration(error: BaseException) -> MedallionError | None:
    """An error of a file below `conf/`, wherever in the chain Kedro has wrapped it."""
    for one in foreign.chain(error):
        if isinstance(one, MedallionError):
            return None
        if isinstance(one, _CONFIGURATION):
            return ConfigurationError(
                f"The configuration cannot be read: {one}", hint="see the folder conf/."
            )
    return None
