"""A quicker start of every run."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

from kedro.io import memory_dataset
from pluggy import PluginManager
from pydantic import BaseModel

_infer = memory_dataset._infer_copy_mode  # noqa: SLF001


def spare_imports() -> None:
    """Keeps Kedro from importing pandas and ibis to look at plain parameters.

    To decide how to copy a value, Kedro imports both and asks whether the value is one of
    theirs, for each of the run's parameters. A number, a text, a list, a dictionary or a model
    is not, and importing them costs more than all the rest of a start (2.7 of 4.5 CPU seconds).
    """
    memory_dataset._infer_copy_mode = _inferred  # noqa: SLF001


def spare_collections() -> None:
    """Lets Python look for circular garbage less often.

    Importing dbt and Great Expectations makes millions of objects that stay; looking through
    them again and again costs a run some three seconds, and finds nothing.
    """
    gc.set_threshold(100_000, 50, 50)


def spare_viz_statistics(hooks: PluginManager) -> None:
    """Takes kedro-viz's dataset statistics out of a run.

    They are made for pandas frames, of which this project has none, and import pandas at the
    first dataset. Kedro's own switch would also take out the run status that kedro-viz shows.
    """
    if hooks.has_plugin("kedro-dataset-stats"):
        hooks.unregister(name="kedro-dataset-stats")


def spare_viz_events(hooks: PluginManager, project: Path) -> None:
    """Takes kedro-viz's record of the run out where the project's folder cannot be written.

    It goes into `.viz/` of the project; without this, each run from a read-only checkout warns.
    """
    if hooks.has_plugin("pipeline-run-hook") and not os.access(project, os.W_OK):
        hooks.unregister(name="pipeline-run-hook")


def _inferred(data: Any) -> Any:
    plain = data is None or isinstance(data, (str, int, float, list, dict, tuple, BaseModel))
    return "deepcopy" if plain else _infer(data)
