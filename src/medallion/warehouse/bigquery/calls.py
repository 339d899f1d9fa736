"""Each call to BigQuery, by the genuine client: with a timeout, and without repetitions of its own.

Google's client repeats a submission whose answer was lost, and is then told 409 as if somebody
else had taken the id; so it repeats nothing here, and `Jobs` does. Calls that only read, and such
as may be done twice, are tried again as the environment says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from medallion.errors import WarehouseError
from medallion.storage.patience import trying
from medallion.warehouse.bigquery.failures import CallError, Kind, of_job, passes, translated
from medallion.warehouse.bigquery.jobs import Job, Statement, Work
from medallion.warehouse.bigquery.noting import Addition
from medallion.warehouse.bigquery.planning import Load
from medallion.warehouse.bigquery.settings import BigQuerySettings
from medallion.warehouse.bigquery.shapes import Field

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud.bigquery import Client, Dataset, LoadJobConfig, QueryJob, SchemaField, Table

_T = TypeVar("_T")
# Seconds to wait for an answer.
_ANSWER = 60.0
# How a call is made once; the client says that it takes no None for `retry`, and takes it.
_ONCE: dict[str, Any] = {"retry": None, "timeout": _ANSWER}
_NEVER_AGAIN: dict[str, Any] = {"retry": None, "job_retry": None}
#: What tables and jobs of this project are marked with.
LABELS = {"made_by": "medallion"}


@dataclass(frozen=True)
class BigQuery:
    """BigQuery, as far as it is needed here; what is raised is a `CallError`.

    Attributes:
        settings: Where it is, and what may be used.
        make_client: Makes the client; by default one with Application Default Credentials.
        sleep: How to wait, in seconds.
    """

    settings: BigQuerySettings
    make_client: Callable[[BigQuerySettings], Client] | None = None
    sleep: Callable[[float], None] = time.sleep

    @cached_property
    def client(self) -> Client:
        """The client; its pool has a connection for each worker."""
        with translated():
            return (self.make_client or _client)(self.settings)

    def begin(self, work: Work, job_id: str) -> Job:
        """Submits a load job; see `Calls.begin`."""
        if isinstance(work, Load):
            return self._begin_load(work, job_id)
        if isinstance(work, Addition):
            return self._begin_addition(work, job_id)
        if isinstance(work, Statement):
            return self._begin_statement(work, job_id)
        raise TypeError(type(work).__name__)

    def look(self, job_id: str) -> Job | None:
        """See `Calls.look`; a job is found only in its location."""
        where = self.settings.location
        try:
            with translated():
                found = self.client.get_job(job_id, location=where, **_ONCE)
        except CallError as error:
            if error.kind is Kind.ABSENT:
                return None
            raise
        return _job(found)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows that a query gives, by column.

        BigQuery refuses it if it would read more than is allowed.
        """

        def asked() -> list[dict[str, Any]]:
            job = self._asked(sql)
            return [dict(row) for row in job.result(timeout=_ANSWER, **_NEVER_AGAIN)]

        return self._again("A query", asked)

    def rows(self, sql: str) -> pa.Table:
        """The same as columns of Arrow, for queries of many rows.

        They come by the API of queries: that of storage is another service, with rights and a
        price of its own.
        """

        def asked() -> pa.Table:
            found = self._asked(sql).result(timeout=self.settings.job_seconds, **_NEVER_AGAIN)
            return found.to_arrow(create_bqstorage_client=False)

        return self._again("A query", asked)

    def scanned(self, sql: str) -> int | None:
        """The bytes that a statement would read; None if BigQuery does not know."""

        def asked() -> int | None:
            job = self._asked(sql, dry_run=True)
            said: Mapping[str, Any] = job._properties["statistics"].get("query", {})  # noqa: SLF001
            known = said.get("totalBytesProcessedAccuracy") != "UNKNOWN"
            return int(job.total_bytes_processed or 0) if known else None

        return self._again("A dry run", asked)

    def dataset(self, name: str) -> Dataset | None:
        """A dataset of the project; None if it is not there."""
        return self._if_there(
            lambda: self.client.get_dataset(f"{self.settings.project}.{name}", **_ONCE)
        )

    def create_dataset(self, name: str, description: str, life: int | None = None) -> None:
        """Makes a dataset in the project's location, unless it is there.

        Args:
            name: Its name.
            description: What it holds.
            life: How long its tables live, in milliseconds; None for ever.
        """
        from google.cloud.bigquery import Dataset as NewDataset

        wanted = NewDataset(f"{self.settings.project}.{name}")
        wanted.location = self.settings.location
        wanted.description = description
        wanted.labels = LABELS
        wanted.default_table_expiration_ms = life
        try:
            # With `exists_ok` the client (3.47) looks at the dataset without a timeout.
            self._again(
                f"Making the dataset {name}", lambda: self.client.create_dataset(wanted, **_ONCE)
            )
        except CallError as error:
            if error.kind is not Kind.TAKEN:
                raise

    def table(self, table: str) -> Table | None:
        """A table; None if it is not there."""
        return self._if_there(lambda: self.client.get_table(table, **_ONCE))

    def update(self, table: Table, fields: Sequence[str]) -> Table:
        """Changes what tells of a table, if nobody has changed it meanwhile."""
        with translated():
            return self.client.update_table(table, fields, **_ONCE)

    def empty(self, partition: str) -> None:
        """Removes the rows of a partition, such as `shop.silver.orders$20251015`."""
        self._again(
            f"Emptying {partition}",
            lambda: self.client.delete_table(partition, **_ONCE, not_found_ok=True),
        )

    def _begin_load(self, load: Load, job_id: str) -> Job:
        with translated():
            job = self.client.load_table_from_uri(
                list(load.uris),
                load.destination,
                job_id=job_id,
                location=self.settings.location,
                job_config=_load_config(load),
                **_ONCE,
            )
        return _job(job)

    def _begin_addition(self, addition: Addition, job_id: str) -> Job:
        from google.cloud.bigquery import CreateDisposition, LoadJobConfig, WriteDisposition

        config = LoadJobConfig(
            schema=schema_fields(addition.columns),
            autodetect=False,
            create_disposition=CreateDisposition.CREATE_NEVER,
            write_disposition=WriteDisposition.WRITE_APPEND,
            labels=LABELS,
        )
        with translated():
            job = self.client.load_table_from_json(
                list(addition.rows()),
                addition.destination,
                num_retries=0,
                job_id=job_id,
                location=self.settings.location,
                job_config=config,
                timeout=_ANSWER,
            )
        return _job(job)

    def _begin_statement(self, statement: Statement, job_id: str) -> Job:
        with translated():
            return _job(self._asked(statement.sql, job_id=job_id))

    def _asked(self, sql: str, *, job_id: str | None = None, dry_run: bool = False) -> QueryJob:
        from google.cloud.bigquery import QueryJobConfig

        config = QueryJobConfig(
            maximum_bytes_billed=self.settings.maximum_bytes_billed, labels=LABELS, dry_run=dry_run
        )
        return self.client.query(
            sql,
            config,
            job_id=job_id,
            location=self.settings.location,
            timeout=_ANSWER,
            **_NEVER_AGAIN,
        )

    def _if_there(self, call: Callable[[], _T]) -> _T | None:
        try:
            return self._again("A look at BigQuery", call)
        except CallError as error:
            if error.kind is Kind.ABSENT:
                return None
            raise

    def _again(self, what: str, call: Callable[[], _T]) -> _T:
        """What a call gives, tried again where its failure may pass."""

        def tried() -> _T:
            with translated():
                return call()

        return trying(what, passes, self.sleep)(tried)


def schema_fields(fields: Iterable[Field]) -> list[SchemaField]:
    """Columns as the client takes them; none is required: files hold optional columns."""
    from google.cloud.bigquery import SchemaField

    return [
        SchemaField(field.name, field.kind, mode="NULLABLE", description=field.description)
        for field in fields
    ]


def _load_config(load: Load) -> LoadJobConfig:
    """How files become rows: as declared, and the day from the folder of each file."""
    from google.cloud.bigquery import CreateDisposition, LoadJobConfig, SourceFormat
    from google.cloud.bigquery.enums import DecimalTargetType
    from google.cloud.bigquery.external_config import HivePartitioningOptions

    day = load.shape.day
    folders = HivePartitioningOptions()
    folders.mode = "CUSTOM"
    folders.source_uri_prefix = f"{load.prefix}/{{{day.name}:{day.kind}}}"
    return LoadJobConfig(
        source_format=SourceFormat.PARQUET,
        schema=schema_fields(load.schema),
        autodetect=False,
        hive_partitioning=folders,
        decimal_target_types=[DecimalTargetType.NUMERIC],
        create_disposition=CreateDisposition.CREATE_NEVER,
        write_disposition=load.disposition,
        labels=LABELS,
    )


def _job(job: Any) -> Job:
    """A job of the client; of others than loads only its id and state are told."""
    error = job.error_result
    is_load = job.job_type == "load"
    return Job(
        job_id=str(job.job_id),
        location=str(job.location or ""),
        state=str(job.state),
        error=of_job(str(error.get("reason")), str(error.get("message"))) if error else None,
        destination=_named(job.destination) if is_load else "",
        uris=tuple(job.source_uris or ()) if is_load else (),
        rows=job.output_rows if is_load else None,
        ended=job.ended,
    )


def _named(table: Any) -> str:
    return f"{table.project}.{table.dataset_id}.{table.table_id}"


def _client(settings: BigQuerySettings) -> Client:
    try:
        from google.cloud.bigquery import Client as GoogleClient
    except ImportError as error:
        raise WarehouseError(
            "Google's clients are not installed.",
            hint="install the extra gcp: `uv sync --extra gcp`, or `pip install '.[gcp]'` in the"
            " project's folder.",
        ) from error
    return GoogleClient(project=settings.project, location=settings.location)
