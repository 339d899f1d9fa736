"""`--params` as Kedro reads it, except for what is a name and not a number."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any

import click
from kedro.framework.cli.utils import _split_params

_RUN_ID = "run_id"


def split_params(ctx: click.Context, param: click.Parameter, value: Any) -> dict[str, Any]:
    """Reads `--params`; a run id is taken as it is written.

    Kedro reads a value as YAML, to which `007` and `20251003_1` are numbers: the run would have
    another name than the one that was given.

    Args:
        ctx: Click's context.
        param: The option.
        value: What was given; a dictionary has been read already.

    Returns:
        The parameters, nested where a name holds dots.
    """
    found: dict[str, Any] = _split_params(ctx, param, value)
    if not isinstance(value, str):
        return found
    for item in value.split(","):
        name, _, written = item.partition("=")
        if name.strip() == _RUN_ID:
            found[_RUN_ID] = written
    return found


params_option = click.option(
    "--params", default="", callback=split_params, help="As for `kedro run`."
)


def with_params(options: Iterable[click.Parameter]) -> list[click.Parameter]:
    """Kedro's options of a command, with `--params` read as here."""
    found = [copy(option) for option in options]
    for option in found:
        if option.name == "params":
            option.callback = split_params
    return found
