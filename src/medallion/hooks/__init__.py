"""Kedro hooks: the guard of a run, and what a person sees of it."""

from medallion.hooks.guard import RunGuard
from medallion.hooks.reporter import RunReporter

__all__ = ["RunGuard", "RunReporter"]
