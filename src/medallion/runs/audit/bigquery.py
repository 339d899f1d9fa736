"""The copy of the trail in BigQuery: one table for all who run the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from medallion.runs.audit.delivery import RejectedError, Rows
from medallion.runs.audit.record import TYPES, kinds
from medallion.spec.types import TEXT

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, LoadJob, LoadJobConfig, SchemaField

_INPUTS = ("input", "fingerprint")


class BigQueryCopy:
    """Adds records by load jobs, which are free, take all rows or none, and know their id.

    The table is made with the first records, by month of `started_at`, clustered by `layer`
    and `table_name`; the dataset must be there. Credentials are Application Default Credentials.

    Args:
        table: Project, dataset and table, joined by dots.
        location: Where the dataset is; None for where BigQuery finds it.
        timeout: How long a job may take, in seconds.
    """

    def __init__(self, table: str, location: str | None, timeout: float) -> None:
        self.name = table
        self._location = location
        self._timeout = timeout

    def load(self, job_id: str, rows: Rows) -> None:
        """Adds rows, unless a job of that id has done so already.

        Raises:
            RejectedError: BigQuery took none of them.
        """
        from google.api_core.exceptions import GoogleAPICallError
        from google.cloud.bigquery import Client
        from google.cloud.bigquery.retry import DEFAULT_RETRY

        project = self.name.split(".", maxsplit=1)[0]
        with Client(project=project, location=self._location) as client:
            job = self._begin(client, job_id, rows)
            try:
                job.result(timeout=self._timeout, retry=DEFAULT_RETRY.with_timeout(self._timeout))
            except GoogleAPICallError as error:
                if job.error_result is None:
                    raise
                raise RejectedError(str(job.error_result.get("message"))) from error

    def _begin(self, client: Client, job_id: str, rows: Rows) -> LoadJob:
        """The job, begun now or earlier."""
        from google.api_core.exceptions import Conflict

        try:
            return client.load_table_from_json(
                [_row(row) for row in rows],
                self.name,
                job_id=job_id,
                job_config=_job_config(),
                num_retries=1,
                timeout=self._timeout,
            )
        except Conflict:
            return cast("LoadJob", client.get_job(job_id, timeout=self._timeout))


def schema() -> list[SchemaField]:
    """The columns of the table: the fields of a record."""
    from google.cloud.bigquery import SchemaField

    inputs = tuple(SchemaField(name, TEXT.bigquery) for name in _INPUTS)
    return [
        SchemaField(name, "RECORD", mode="REPEATED", fields=inputs)
        if kind not in TYPES
        else SchemaField(name, TYPES[kind].bigquery)
        for name, kind in kinds().items()
    ]


def _job_config() -> LoadJobConfig:
    from google.cloud.bigquery import (
        CreateDisposition,
        LoadJobConfig,
        SchemaUpdateOption,
        TimePartitioning,
        WriteDisposition,
    )

    return LoadJobConfig(
        schema=schema(),
        create_disposition=CreateDisposition.CREATE_IF_NEEDED,
        write_disposition=WriteDisposition.WRITE_APPEND,
        schema_update_options=[SchemaUpdateOption.ALLOW_FIELD_ADDITION],
        time_partitioning=TimePartitioning(type_="MONTH", field="started_at"),
        clustering_fields=["layer", "table_name"],
        labels={"made_by": "medallion"},
    )


def _row(record: dict[str, Any]) -> dict[str, Any]:
    """A record as a row: BigQuery has no maps."""
    inputs = sorted(record["input_manifests"].items())
    return {**record, "input_manifests": [dict(zip(_INPUTS, one, strict=True)) for one in inputs]}
