"""Kedro's settings of the project."""

from __future__ import annotations

import os
from pathlib import Path

from medallion.configuring import ProjectConfigLoader
from medallion.hooks import (
    RequestCheck,
    RunAlerts,
    RunAudit,
    RunAuditCopy,
    RunCollector,
    RunGuard,
    RunLineage,
    RunLogs,
    RunMetrics,
    RunReporter,
    spare_imports,
)
from medallion.lake.names import root_path

_PROJECT = Path(__file__).resolve().parents[2]


def _project_path(path: str) -> str:
    """A path of the project, absolute; `gs://` roots stay as they are."""
    return root_path(path, _PROJECT)


def _root(variable: str, default: str) -> str:
    """A root named by an environment variable, or its default inside the project."""
    return _project_path(os.environ.get(variable) or default)


spare_imports()
_collector = RunCollector()
# The last is called first: facts are collected before they are told, the summary stands
# before the warnings, and the lake is free when all is told.
HOOKS = (
    RunGuard(),
    RunLogs(_collector),
    RunAlerts(_collector),
    RunLineage(_collector),
    RunAuditCopy(_collector),
    RunAudit(_collector),
    RunMetrics(_collector),
    RunReporter(_collector),
    _collector,
    RequestCheck(),
)
CONFIG_LOADER_CLASS = ProjectConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "custom_resolvers": {"root": _root, "project": _project_path},
    "config_patterns": {
        "catalog": ["catalog*", "catalog*/**"],
        "observability": ["observability*", "observability*/**"],
    },
}
