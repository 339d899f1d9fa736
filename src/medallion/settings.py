"""Kedro's settings of the project."""

from __future__ import annotations

import os

from medallion.configuring import ProjectConfigLoader
from medallion.hooks import Current, RunGuard, RunRecorder, spare_imports
from medallion.project import CONF, IS_CHECKOUT, WORK, resource
from medallion.runs.sinks import all_sinks
from medallion.storage.layout import root_path


def _root(variable: str, default: str = "") -> str:
    """A root named by an environment variable, or its default; empty if there is neither."""
    root = os.environ.get(variable) or default
    return root_path(root, WORK) if root else ""


spare_imports()
#: The run that this process takes part in.
current = Current()
HOOKS = (RunGuard(current), RunRecorder(current, all_sinks()))
# Kedro looks for `conf` where it is called; an installed package brings its own.
CONF_SOURCE = "conf" if IS_CHECKOUT else str(CONF)
CONFIG_LOADER_CLASS = ProjectConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "custom_resolvers": {"root": _root, "project": resource},
    "config_patterns": {
        "catalog": ["catalog*", "catalog*/**"],
        "observability": ["observability*", "observability*/**"],
    },
}
