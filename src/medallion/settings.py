"""Kedro's settings of the project."""

from __future__ import annotations

import os

from medallion.configuring import ProjectConfigLoader
from medallion.hooks import Current, RunGuard, RunRecorder, spare_imports
from medallion.project import CONF, WORK, resource
from medallion.runs.sinks import all_sinks
from medallion.storage.layout import root_path


def _root(variable: str, default: str = "") -> str:
    """A root named by an environment variable, or its default; empty if there is neither."""
    root = os.environ.get(variable) or default
    return root_path(root, WORK) if root else ""


# Kedro's telemetry is on unless it is told otherwise, and the file that tells it (`.telemetry`)
# is looked for where Kedro is called: an installed package would not have it.
os.environ.setdefault("KEDRO_DISABLE_TELEMETRY", "1")
spare_imports()
#: The run that this process takes part in.
current = Current()
HOOKS = (RunGuard(current), RunRecorder(current, all_sinks()))
# Kedro would look for `conf` where it is called.
CONF_SOURCE = str(CONF)
CONFIG_LOADER_CLASS = ProjectConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # A file of parameters says what differs; what else a run is asked for stays what it is.
    "merge_strategy": {"parameters": "soft"},
    "custom_resolvers": {"root": _root, "project": resource},
    "config_patterns": {
        "catalog": ["catalog*", "catalog*/**"],
        "observability": ["observability*", "observability*/**"],
    },
}
