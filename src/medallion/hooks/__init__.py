"""Kedro hooks: the guard of a run, and what a person sees of it."""

from medallion.hooks.audit import RunAudit
from medallion.hooks.guard import RunGuard
from medallion.hooks.reporter import RunReporter
from medallion.hooks.startup import spare_collections, spare_imports

__all__ = ["RunAudit", "RunGuard", "RunReporter", "spare_collections", "spare_imports"]
