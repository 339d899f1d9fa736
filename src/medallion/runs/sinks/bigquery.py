"""Keeps a copy of the audit trail where all who run the pipeline can ask it."""

from __future__ import annotations

import logging
from importlib.util import find_spec

from medallion.errors import ConfigurationError
from medallion.foreign import disclosed
from medallion.runs.audit.bigquery import BigQueryCopy
from medallion.runs.audit.delivery import RejectedError, deliver
from medallion.runs.record import RunRecord
from medallion.runs.sinks.sink import Sink, Surroundings

logger = logging.getLogger(__name__)


class BigQuerySink(Sink):
    """Adds the records of the run, and of those whose copy failed, to a table of BigQuery."""

    def check(self, around: Surroundings) -> None:
        """Makes sure that what the copy needs is installed.

        Raises:
            ConfigurationError: It is not.
        """
        if around.settings.audit.bigquery_table and not _is_installed():
            raise ConfigurationError(
                "observability.yml names a table of BigQuery for the audit trail, and "
                "google-cloud-bigquery is not installed.",
                hint="install it (`uv sync --extra gcp`, or `pip install '.[gcp]'`), or set "
                "bigquery_table to null.",
            )

    def begin(self, around: Surroundings) -> None:
        """Remembers where the trail is, and where the copy goes."""
        self._around = around

    def end(self, record: RunRecord) -> None:  # noqa: ARG002
        """Copies the trail."""
        settings = self._around.settings.audit
        if not settings.bigquery_table:
            return
        copy = BigQueryCopy(
            settings.bigquery_table, settings.location, timeout=settings.timeout_seconds
        )
        try:
            runs = deliver(self._around.trail, copy)
        # google-auth, requests and BigQuery raise what they do; the data are not concerned.
        except Exception as error:
            logger.warning(
                "The audit trail was not copied to %s; the next run tries again (%s)",
                copy.name,
                self._around.mask(_reason(error)),
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
