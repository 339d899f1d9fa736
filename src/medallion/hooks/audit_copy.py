"""Keeps a copy of the audit trail where all who run the pipeline can ask it."""

from __future__ import annotations

import logging
from importlib.util import find_spec

from kedro.framework.hooks import hook_impl

from medallion.audit.bigquery import BigQueryCopy
from medallion.audit.delivery import RejectedError, deliver
from medallion.errors import ConfigurationError
from medallion.foreign import disclosed
from medallion.hooks.collecting import RunCollector

logger = logging.getLogger(__name__)


class RunAuditCopy:
    """Adds the records of the run, and of those whose copy failed, to a table of BigQuery.

    Args:
        collector: What is known of the run.
    """

    def __init__(self, collector: RunCollector) -> None:
        self._collector = collector

    # Before the lock is taken: who asks for a copy shall know at once that there would be none.
    @hook_impl(tryfirst=True)
    def before_pipeline_run(self) -> None:
        """Makes sure that what the copy needs is installed.

        Raises:
            ConfigurationError: It is not.
        """
        if self._collector.settings.audit.bigquery_table and not _is_installed():
            raise ConfigurationError(
                "observability.yml names a table of BigQuery for the audit trail, and "
                "google-cloud-bigquery is not installed.",
                hint="install it (`uv sync --extra gcp`, or `pip install '.[gcp]'`), or set "
                "bigquery_table to null.",
            )

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Copies the trail."""
        self._copy()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Copies the trail of a run that failed."""
        self._copy()

    def _copy(self) -> None:
        settings = self._collector.settings.audit
        if not settings.bigquery_table:
            return
        copy = BigQueryCopy(
            settings.bigquery_table, settings.location, timeout=settings.timeout_seconds
        )
        try:
            runs = deliver(self._collector.trail, copy)
        # google-auth, requests and BigQuery raise what they do; the data are not concerned.
        except Exception as error:
            logger.warning(
                "The audit trail was not copied to %s; the next run tries again (%s)",
                copy.name,
                self._collector.mask(_reason(error)),
            )
            logger.debug("The trace of it", exc_info=error)
        else:
            logger.debug("Copied the audit records of %d runs to %s.", runs, copy.name)


def _reason(error: Exception) -> str:
    if isinstance(error, RejectedError):
        return str(error)
    return disclosed(error)


def _is_installed() -> bool:
    try:
        return find_spec("google.cloud.bigquery") is not None
    except ModuleNotFoundError:
        return False
