"""Kedro hooks: the guard of a run, and all who tell of it."""

from medallion.hooks.alerts import RunAlerts
from medallion.hooks.audit import RunAudit
from medallion.hooks.audit_copy import RunAuditCopy
from medallion.hooks.checking import RequestCheck
from medallion.hooks.collecting import RunCollector
from medallion.hooks.guard import RunGuard
from medallion.hooks.lineage import RunLineage
from medallion.hooks.logs import RunLogs
from medallion.hooks.metrics import RunMetrics
from medallion.hooks.reporter import RunReporter
from medallion.hooks.startup import spare_collections, spare_imports

__all__ = [
    "RequestCheck",
    "RunAlerts",
    "RunAudit",
    "RunAuditCopy",
    "RunCollector",
    "RunGuard",
    "RunLineage",
    "RunLogs",
    "RunMetrics",
    "RunReporter",
    "spare_collections",
    "spare_imports",
]
