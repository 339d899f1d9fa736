"""A dataset of the stand-in of BigQuery, as tests of it use it."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl
from google.cloud.bigquery import (
    Client,
    HivePartitioningOptions,
    LoadJob,
    LoadJobConfig,
    SchemaField,
    Table,
    TimePartitioning,
)
from google.cloud.storage import Bucket

SCHEMA = {"id": "INT64", "ingestion_dt": "DATE"}


def fields(schema: dict[str, str]) -> list[SchemaField]:
    """Columns by name and type."""
    return [SchemaField(name, kind) for name, kind in schema.items()]


def hive(prefix: str, mode: str = "CUSTOM", **more: Any) -> HivePartitioningOptions:
    """That folders name a column."""
    said = {"mode": mode, "sourceUriPrefix": prefix, **more}
    return HivePartitioningOptions.from_api_repr(said)


@dataclass(frozen=True)
class Warehouse:
    """A dataset, and a bucket to load from.

    Attributes:
        client: The genuine client.
        dataset: The dataset's name.
        bucket: The bucket.
    """

    client: Client
    dataset: str
    bucket: Bucket

    def put(self, frame: pl.DataFrame, name: str) -> str:
        """Puts a Parquet file into the bucket, below a folder of the dataset.

        Returns:
            Its address.
        """
        content = io.BytesIO()
        frame.write_parquet(content)
        self.bucket.blob(f"{self.dataset}/{name}").upload_from_string(content.getvalue())
        return f"{self.uri}/{name}"

    @property
    def uri(self) -> str:
        """The address of the folder."""
        return f"gs://{self.bucket.name}/{self.dataset}"

    def name(self, table: str = "t") -> str:
        """The full name of a table, or of a partition."""
        return f"{self.client.project}.{self.dataset}.{table}"

    def load(self, uris: str | list[str], table: str = "t", **settings: Any) -> LoadJob:
        """Loads Parquet files and waits."""
        job_id = settings.pop("job_id", None)
        config = LoadJobConfig(source_format="PARQUET", **settings)
        job = self.client.load_table_from_uri(
            uris, self.name(table), job_id=job_id, job_config=config
        )
        job.result()
        return job

    def load_day(self, day: str, ids: Iterable[int], **settings: Any) -> LoadJob:
        """Loads a day of a table `t` in partitions, whose files do not have the day."""
        frame = pl.DataFrame({"id": list(ids)}, schema={"id": pl.Int64})
        uri = self.put(frame, f"t/ingestion_dt={day}/part-0.parquet")
        return self.load(uri, f"t${day.replace('-', '')}", **{**self.daily(), **settings})

    def daily(self) -> dict[str, Any]:
        """What a load of a day says."""
        return {
            "schema": fields(SCHEMA),
            "write_disposition": "WRITE_TRUNCATE",
            "time_partitioning": TimePartitioning(field="ingestion_dt"),
            "hive_partitioning": hive(f"{self.uri}/t/{{ingestion_dt:DATE}}"),
        }

    def query(self, sql: str, **settings: Any) -> list[tuple[Any, ...]]:
        """The rows of a query, in which `{t}` is the table `t`."""
        job = self.client.query(sql.replace("{t}", f"`{self.name()}`"), **settings)
        return [tuple(row.values()) for row in job.result()]

    def days(self, table: str = "t") -> dict[str, list[int]]:
        """The ids of each day."""
        sql = f"select ingestion_dt, id from `{self.name(table)}` order by 1, 2"
        found: dict[str, list[int]] = {}
        for day, one in self.query(sql):
            found.setdefault(str(day), []).append(one)
        return found

    def table(self, name: str = "t") -> Table:
        """What is told of a table."""
        return self.client.get_table(self.name(name))
