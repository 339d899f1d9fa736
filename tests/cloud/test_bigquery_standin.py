"""What the stand-in of BigQuery enforces, so that the tests that rely on it mean something."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from unittest import mock

import polars as pl
import pytest
import requests
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    GoogleAPICallError,
    InternalServerError,
    NotFound,
)
from google.cloud.bigquery import (
    Client,
    CopyJobConfig,
    Dataset,
    LoadJob,
    LoadJobConfig,
    QueryJobConfig,
    SchemaField,
    Table,
    TimePartitioning,
)
from google.cloud.storage import Client as StorageClient

from tests.cloud.conftest import Cloud
from tests.cloud.warehouse import SCHEMA, Warehouse, fields, hive
from tests.conftest import PROJECT
from tests.standins.job_accidents import (
    FailingJobs,
    looked_at,
    refusal,
    submitted,
    with_output_rows,
)
from tests.standins.proxy import Accident, Request

LOCATION = "us-central1"
ONE_DAY = {"2025-10-01": [1, 2]}


@pytest.fixture(scope="module")
def client(cloud: Cloud) -> Iterator[Client]:
    with mock.patch.dict(os.environ, cloud.environment):
        opened = Client(project="shop", location=LOCATION)
    with opened:
        yield opened


@pytest.fixture
def warehouse(cloud: Cloud, client: Client) -> Iterator[Warehouse]:
    dataset = f"d{uuid.uuid4().hex}"
    client.create_dataset(dataset)
    with mock.patch.dict(os.environ, cloud.environment):
        store = StorageClient(project="shop")
    yield Warehouse(client, dataset, store.bucket(cloud.lake))
    store.close()
    cloud.warehouse.forget()
    client.delete_dataset(dataset, delete_contents=True)


def refused(call: Callable[[], Any], message: str, kind: type[Exception] = BadRequest) -> None:
    with pytest.raises(kind, match=message):
        call()


# Loading


@pytest.mark.parametrize("prefix", ["{ingestion_dt:DATE}", ""])
@pytest.mark.parametrize("schema", [SCHEMA, {"id": "INT64"}])
def test_a_folder_gives_the_day_that_its_files_do_not_have(
    warehouse: Warehouse, prefix: str, schema: dict[str, str]
) -> None:
    said = hive(f"{warehouse.uri}/t/{prefix}", "CUSTOM" if prefix else "AUTO")
    warehouse.load_day("2025-10-01", [1, 2], hive_partitioning=said, schema=fields(schema))
    assert warehouse.days() == ONE_DAY
    assert [one.name for one in warehouse.table().schema] == ["id", "ingestion_dt"]


def test_a_load_of_a_partition_replaces_that_partition_only(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    for ids in ([3], [4, 5, 6], [4, 5, 6]):
        assert warehouse.load_day("2025-10-02", ids).output_rows == len(ids)
    assert warehouse.days() == {**ONE_DAY, "2025-10-02": [4, 5, 6]}


def test_a_file_without_rows_empties_a_partition(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    warehouse.load_day("2025-10-02", [3])
    assert warehouse.load_day("2025-10-02", []).output_rows == 0
    assert warehouse.days() == ONE_DAY


def test_days_are_loaded_together_when_the_table_is_new(warehouse: Warehouse) -> None:
    frame = pl.DataFrame({"id": [1]})
    uris = [warehouse.put(frame, f"t/ingestion_dt=2025-10-0{n}/p.parquet") for n in (1, 2, 3)]
    job = warehouse.load(uris, **warehouse.daily())
    assert (job.output_rows, job.input_files) == (3, 3)
    assert list(warehouse.days()) == ["2025-10-01", "2025-10-02", "2025-10-03"]


def test_values_keep_their_types(warehouse: Warehouse) -> None:
    naive, aware = datetime(2025, 10, 1, 1, 2, 3, 456789), datetime(2025, 10, 1, 1, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "money": [Decimal("1234567890123456.78"), Decimal("-0.01"), None],
            "exact": [Decimal("1.123456789012345678"), None, None],
            "count": [2**62, -1, None],
            "part": [0.1, float("inf"), None],
            "text": ["ü", "", None],
            "yes": [True, False, None],
            "day": [date(2025, 10, 1), None, None],
            "local": [naive, None, None],
            "moment": [aware, None, None],
        },
        schema_overrides={"money": pl.Decimal(18, 2), "exact": pl.Decimal(38, 18)},
    )
    kinds = [
        "NUMERIC",
        "BIGNUMERIC",
        "INT64",
        "FLOAT64",
        "STRING",
        "BOOL",
        "DATE",
        "DATETIME",
        "TIMESTAMP",
    ]
    schema = dict(zip(frame.columns, kinds, strict=True))
    warehouse.load(warehouse.put(frame, "all.parquet"), schema=fields(schema))
    rows = warehouse.query("select * from {t} order by count desc")
    assert rows == frame.sort("count", descending=True, nulls_last=True).rows()
    told = [one.field_type for one in warehouse.table().schema]
    legacy = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
    assert told == [legacy.get(one, one) for one in kinds]


def test_without_a_schema_a_naive_time_is_taken_for_utc(warehouse: Warehouse) -> None:
    frame = pl.DataFrame({"at": [datetime(2025, 10, 1)]})
    warehouse.load(warehouse.put(frame, "x.parquet"))
    assert warehouse.table().schema[0].field_type == "TIMESTAMP"


def test_rows_of_another_partition_are_refused_and_nothing_changes(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    uri = warehouse.put(pl.DataFrame({"id": [9]}), "t/ingestion_dt=2025-10-02/x.parquet")
    refused(
        lambda: warehouse.load(uri, "t$20251001", **warehouse.daily()),
        "Some rows belong to different partitions rather than destination partition 20251001",
    )
    refused(
        lambda: warehouse.load(
            uri, "t$20251001", **{**warehouse.daily(), "hive_partitioning": None}
        ),
        "Some rows belong to different partitions",
    )
    assert warehouse.days() == ONE_DAY


@pytest.mark.parametrize(
    ("frame", "settings", "message"),
    [
        ({"id": [1], "extra": [1]}, {}, "No such field: extra"),
        ({"extra": [1], "id": [1]}, {"schema": {"id": "INT64", "extra": "INT64"}}, "by position"),
        ({"id": ["1"]}, {}, "'id' has type .*string which does not match .* INTEGER"),
        ({"id": [1.0]}, {}, "'id' has type double which does not match .* INTEGER"),
        ({"id": [1]}, {"schema": {"id": "FLOAT64"}}, "does not match the target type FLOAT"),
        ({"id": [Decimal("0.1234567891")]}, {"schema": {"id": "NUMERIC"}}, "does not match"),
    ],
)
def test_a_file_that_does_not_fit_its_schema_is_refused(
    warehouse: Warehouse, frame: dict[str, list[Any]], settings: dict[str, Any], message: str
) -> None:
    uri = warehouse.put(pl.DataFrame(frame), "x.parquet")
    schema = fields(settings.get("schema", {"id": "INT64"}))
    refused(lambda: warehouse.load(uri, schema=schema), message)
    refused(warehouse.table, "Not found", NotFound)


def test_unknown_values_are_ignored_and_columns_found_by_name_on_request(
    warehouse: Warehouse,
) -> None:
    uri = warehouse.put(pl.DataFrame({"extra": [1], "id": [7]}), "x.parquet")
    warehouse.load(uri, schema=fields({"id": "INT64"}), ignore_unknown_values=True)
    assert warehouse.query("select * from {t}") == [(7,)]
    schema = fields({"id": "INT64", "extra": "INT64"})
    warehouse.load(uri, "u", schema=schema, source_column_match="NAME")
    assert warehouse.query(f"select * from `{warehouse.name('u')}`") == [(7, 1)]


def test_a_required_column_takes_no_null_and_no_file_without_it(warehouse: Warehouse) -> None:
    schema = [SchemaField("id", "INT64", "REQUIRED")]
    empty = warehouse.put(pl.DataFrame({"id": [None]}, schema={"id": pl.Int64}), "null.parquet")
    other = warehouse.put(pl.DataFrame({"n": [1]}), "other.parquet")
    refused(lambda: warehouse.load(empty, schema=schema), "NOT NULL constraint failed")
    refused(
        lambda: warehouse.load(other, schema=schema, ignore_unknown_values=True),
        "Required column id is missing",
    )


def test_a_column_that_a_file_lacks_is_null(warehouse: Warehouse) -> None:
    schema = fields({"id": "INT64", "new": "STRING"})
    warehouse.load(warehouse.put(pl.DataFrame({"id": [1]}), "x.parquet"), schema=schema)
    assert warehouse.query("select * from {t}") == [(1, None)]


WIDER = [*fields(SCHEMA), SchemaField("new", "STRING", description="added")]


def test_the_schema_grows_with_a_partition_when_the_job_allows_it(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    refused(
        lambda: warehouse.load_day("2025-10-02", [3], schema=WIDER),
        r"Provided Schema does not match Table .*Cannot add fields \(field: new\)",
    )
    update = ["ALLOW_FIELD_ADDITION"]
    warehouse.load_day("2025-10-02", [3], schema=WIDER, schema_update_options=update)
    assert warehouse.table().schema[-1].description == "added"
    assert warehouse.days() == {**ONE_DAY, "2025-10-02": [3]}


def test_a_required_column_is_relaxed_when_the_job_allows_it(warehouse: Warehouse) -> None:
    required = [SchemaField("id", "INT64", "REQUIRED"), SchemaField("ingestion_dt", "DATE")]
    warehouse.load_day("2025-10-01", [1, 2], schema=required)
    refused(
        lambda: warehouse.load_day("2025-10-02", [3]),
        "id has changed mode from REQUIRED to NULLABLE",
    )
    warehouse.load_day("2025-10-02", [3], schema_update_options=["ALLOW_FIELD_RELAXATION"])
    assert warehouse.table().schema[0].mode == "NULLABLE"
    refused(
        lambda: warehouse.load_day("2025-10-02", [3], schema=required),
        "id has changed mode from NULLABLE to REQUIRED",
    )


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"id": "NUMERIC", "ingestion_dt": "DATE"}, "does not match the target type"),
        ({"ingestion_dt": "DATE"}, "No such field: id"),
    ],
)
def test_a_schema_that_contradicts_the_files_is_refused(
    warehouse: Warehouse, schema: dict[str, str], message: str
) -> None:
    refused(lambda: warehouse.load_day("2025-10-01", [1], schema=fields(schema)), message)


def test_a_schema_that_contradicts_the_table_is_refused(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    text = warehouse.put(pl.DataFrame({"id": ["1"]}), "t/ingestion_dt=2025-10-02/x.parquet")
    for schema, message in [
        ({"id": "STRING", "ingestion_dt": "DATE"}, "id has changed type from INTEGER to STRING"),
        ({"ingestion_dt": "DATE"}, "id is missing in new schema"),
    ]:
        said = {**warehouse.daily(), "schema": fields(schema), "ignore_unknown_values": True}
        refused(lambda said=said: warehouse.load(text, "t$20251002", **said), message)
    assert warehouse.days() == ONE_DAY


def test_update_options_do_not_go_with_a_whole_table_that_is_replaced(
    warehouse: Warehouse,
) -> None:
    said = {**warehouse.daily(), "schema_update_options": ["ALLOW_FIELD_ADDITION"]}
    uri = warehouse.put(pl.DataFrame({"id": [1]}), "t/ingestion_dt=2025-10-01/x.parquet")
    refused(lambda: warehouse.load(uri, **said), "Schema update options")
    warehouse.load(uri, **{**said, "write_disposition": "WRITE_TRUNCATE_DATA"})
    assert warehouse.days() == {"2025-10-01": [1]}


@pytest.mark.parametrize(
    ("disposition", "partition", "left"),
    [
        ("WRITE_TRUNCATE", "", {"2025-10-02": [9]}),
        ("WRITE_TRUNCATE_DATA", "", {"2025-10-02": [9]}),
        ("WRITE_APPEND", "", {**ONE_DAY, "2025-10-02": [3, 9]}),
        ("WRITE_TRUNCATE", "$20251002", {**ONE_DAY, "2025-10-02": [9]}),
        ("WRITE_TRUNCATE_DATA", "$20251002", {**ONE_DAY, "2025-10-02": [9]}),
        ("WRITE_APPEND", "$20251002", {**ONE_DAY, "2025-10-02": [3, 9]}),
    ],
)
def test_a_disposition_concerns_the_table_or_the_partition(
    warehouse: Warehouse, disposition: str, partition: str, left: dict[str, list[int]]
) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    warehouse.load_day("2025-10-02", [3])
    uri = warehouse.put(pl.DataFrame({"id": [9]}), "t/ingestion_dt=2025-10-02/new.parquet")
    said = {**warehouse.daily(), "write_disposition": disposition}
    warehouse.load(uri, f"t{partition}", **said)
    assert warehouse.days() == left


def test_write_empty_takes_a_partition_without_rows_only(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    warehouse.load_day("2025-10-02", [3], write_disposition="WRITE_EMPTY")
    refused(
        lambda: warehouse.load_day("2025-10-02", [4], write_disposition="WRITE_EMPTY"),
        "Already Exists",
        Conflict,
    )
    assert warehouse.days() == {**ONE_DAY, "2025-10-02": [3]}


@pytest.mark.parametrize(
    ("disposition", "kept"), [("WRITE_TRUNCATE", None), ("WRITE_TRUNCATE_DATA", "an id")]
)
def test_a_table_that_is_replaced_loses_the_descriptions_of_its_columns(
    warehouse: Warehouse, disposition: str, kept: str | None
) -> None:
    uri = warehouse.put(pl.DataFrame({"id": [1]}), "x.parquet")
    warehouse.load(uri, schema=[SchemaField("id", "INT64", description="an id")])
    table = warehouse.table()
    table.description = "of the table"
    warehouse.client.update_table(table, ["description"])
    warehouse.load(uri, schema=fields({"id": "INT64"}), write_disposition=disposition)
    told = warehouse.table()
    assert (told.description, told.schema[0].description) == ("of the table", kept)


def test_a_partition_of_a_table_that_has_none_is_refused(warehouse: Warehouse) -> None:
    refused(
        lambda: warehouse.load_day("2025-10-01", [1], time_partitioning=None),
        "Partitioning specification must be provided",
    )
    warehouse.query("create table {t} (id int64, ingestion_dt date)")
    refused(
        lambda: warehouse.load_day("2025-10-01", [1], time_partitioning=None), "not partitioned"
    )


def test_a_table_keeps_its_partitions_and_clusters(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2], clustering_fields=["id"])
    for other in (
        {"clustering_fields": ["ingestion_dt"]},
        {"time_partitioning": TimePartitioning(field="ingestion_dt", type_="MONTH")},
    ):
        refused(
            lambda other=other: warehouse.load_day("2025-10-01", [1], **other),
            r"Expects partitioning specification interval\(type:day,field:ingestion_dt\) "
            r"clustering\(id\)",
        )


def test_objects_that_are_not_there_are_named(warehouse: Warehouse) -> None:
    for uri in (f"{warehouse.uri}/none.parquet", f"{warehouse.uri}/none*"):
        refused(lambda uri=uri: warehouse.load(uri), f"Not found: .*{warehouse.uri}/none", NotFound)


def test_a_pattern_stands_for_all_objects_that_fit(warehouse: Warehouse) -> None:
    for n in (1, 2):
        warehouse.put(pl.DataFrame({"id": [n]}), f"part-{n}.parquet")
    warehouse.put(pl.DataFrame({"id": [3]}), "other.parquet")
    assert warehouse.load(f"{warehouse.uri}/part-*.parquet").output_rows == 2


@pytest.mark.parametrize(
    ("prefix", "more", "message"),
    [
        ("t/{day:DATE}", {}, "are not .*day"),
        ("t/{ingestion_dt:DATE}/{hour:INTEGER}", {}, "are not .*hour"),
        ("u/{ingestion_dt:DATE}", {}, "is not below"),
        ("t/{ingestion_dt:DATE}", {"requirePartitionFilter": True}, "requirePartitionFilter"),
    ],
)
def test_folders_must_be_what_is_said_of_them(
    warehouse: Warehouse, prefix: str, more: dict[str, Any], message: str
) -> None:
    said = hive(f"{warehouse.uri}/{prefix}", **more)
    refused(lambda: warehouse.load_day("2025-10-01", [1], hive_partitioning=said), message)


def test_a_file_must_not_have_the_column_that_its_folder_gives(warehouse: Warehouse) -> None:
    frame = pl.DataFrame({"id": [1], "ingestion_dt": [date(2025, 10, 1)]})
    uri = warehouse.put(frame, "t/ingestion_dt=2025-10-01/x.parquet")
    refused(lambda: warehouse.load(uri, **warehouse.daily()), "a partition key of the folder, too")
    said = {**warehouse.daily(), "hive_partitioning": None}
    warehouse.load(uri, "t$20251001", **said)
    assert warehouse.days() == {"2025-10-01": [1]}


def test_rows_that_are_too_old_vanish_without_an_error(warehouse: Warehouse) -> None:
    dataset = warehouse.client.get_dataset(warehouse.dataset)
    dataset.default_partition_expiration_ms = 30 * 86_400_000
    warehouse.client.update_dataset(dataset, ["default_partition_expiration_ms"])
    assert warehouse.load_day("2020-01-01", [1, 2]).output_rows == 2
    assert warehouse.days() == {}
    assert warehouse.table().time_partitioning.expiration_ms == 30 * 86_400_000


def test_a_bucket_elsewhere_is_not_read(warehouse: Warehouse) -> None:
    dataset = Dataset(f"shop.{warehouse.dataset}_eu")
    dataset.location = "EU"
    warehouse.client.create_dataset(dataset)
    uri = warehouse.put(pl.DataFrame({"id": [1]}), "x.parquet")
    name, config = f"{dataset.dataset_id}.t", LoadJobConfig(source_format="PARQUET")
    job = warehouse.client.load_table_from_uri(uri, name, location="EU", job_config=config)
    refused(job.result, "source: US-CENTRAL1, destination: EU")
    warehouse.client.delete_dataset(dataset)


def test_loads_into_the_days_of_a_table_may_come_all_at_once(warehouse: Warehouse) -> None:
    days = {f"2025-10-{n:02d}": [n] for n in range(1, 17)}
    with ThreadPoolExecutor(8) as pool:
        loads = list(pool.map(warehouse.load_day, days, days.values()))
    assert [one.output_rows for one in loads] == [1] * 16
    assert warehouse.days() == days


# Jobs


def test_the_id_of_a_failed_job_is_used_up(warehouse: Warehouse) -> None:
    job_id, uri = uuid.uuid4().hex, f"{warehouse.uri}/t/ingestion_dt=2025-10-01/part-0.parquet"
    refused(lambda: warehouse.load(uri, job_id=job_id), "Not found", NotFound)
    warehouse.put(pl.DataFrame({"id": [1]}), "t/ingestion_dt=2025-10-01/part-0.parquet")
    refused(lambda: warehouse.load(uri, job_id=job_id), "Already Exists: Job", Conflict)
    failed = warehouse.client.get_job(job_id)
    assert (failed.state, failed.error_result["reason"]) == ("DONE", "notFound")


def test_of_jobs_with_one_id_one_is_accepted(warehouse: Warehouse) -> None:
    job_id = uuid.uuid4().hex

    def submit(_: int) -> bool:
        try:
            warehouse.client.query("select 1", job_id=job_id, job_retry=None)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(submit, range(8))) == 1


def test_a_job_is_found_only_where_it_works(warehouse: Warehouse) -> None:
    job = warehouse.load_day("2025-10-01", [1])
    assert job.location == LOCATION
    with mock.patch.object(warehouse.client, "_location", None):
        refused(lambda: warehouse.client.get_job(job.job_id), "Not found: Job", NotFound)
        refused(lambda: warehouse.client.cancel_job(job.job_id), "Not found: Job", NotFound)
    refused(lambda: warehouse.client.get_job(job.job_id, location="EU"), "Not found", NotFound)
    found = warehouse.client.get_job(job.job_id, location="US-CENTRAL1")
    assert found.output_rows == 1


def test_a_job_works_where_its_dataset_is(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    with mock.patch.object(warehouse.client, "_location", None):
        job = warehouse.client.query(f"select id from `{warehouse.name()}`")
        assert (job.location, len(list(job.result()))) == (LOCATION, 2)
    refused(
        lambda: warehouse.query("select id from {t}", location="EU"),
        "was not found in location EU",
        NotFound,
    )


def test_a_dataset_that_sql_makes_lies_where_the_job_works(warehouse: Warehouse) -> None:
    name = f"{warehouse.dataset}_made"
    warehouse.query(f"create schema shop.{name}")
    assert warehouse.client.get_dataset(name).location == LOCATION
    warehouse.client.delete_dataset(name)


def test_a_table_made_by_a_query_is_the_destination_of_its_job(warehouse: Warehouse) -> None:
    job = warehouse.client.query(f"create table `{warehouse.name()}` as select 1 as id")
    assert list(job.result()) == []
    assert str(job.destination) == warehouse.name()
    assert warehouse.client.get_table(job.destination).num_rows == 1


def test_a_dry_run_says_the_bytes_and_does_nothing(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    dry = QueryJobConfig(dry_run=True)
    job = warehouse.client.query(f"select * from `{warehouse.name()}`", job_config=dry)
    assert (
        job.total_bytes_processed,
        job._properties["statistics"]["query"]["totalBytesProcessedAccuracy"],
    ) == (2 * 2 * 8, "PRECISE")
    gone = warehouse.client.query(f"delete from `{warehouse.name()}` where true", job_config=dry)
    assert gone.total_bytes_processed == 2 * 2 * 8
    script = warehouse.client.query("begin transaction; select 1; commit transaction", dry)
    assert script._properties["statistics"]["query"]["totalBytesProcessedAccuracy"] == "UNKNOWN"
    refused(lambda: warehouse.query("select none from {t}", job_config=dry), "none")
    assert warehouse.days() == ONE_DAY


def test_a_query_above_its_limit_of_bytes_is_refused(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    sql = "select * from {t}"
    least = 10 * 2**20
    below = QueryJobConfig(maximum_bytes_billed=least - 1)
    message = f"{least} or higher required"
    refused(lambda: warehouse.query(sql, job_config=below), message, InternalServerError)
    assert len(warehouse.query(sql, job_config=QueryJobConfig(maximum_bytes_billed=least))) == 2


# Tables


def test_what_is_told_of_a_table_is_told_again(warehouse: Warehouse) -> None:
    made = Table(warehouse.name(), schema=[SchemaField("d", "DATE", description="a day")])
    made.time_partitioning = TimePartitioning(field="d", expiration_ms=10**12)
    made.clustering_fields = ["d"]
    made.require_partition_filter = True
    made.description, made.labels = "a table", {"layer": "silver"}
    warehouse.client.create_table(made)
    told = warehouse.table()
    for name in ("time_partitioning", "clustering_fields", "require_partition_filter", "schema"):
        assert getattr(told, name) == getattr(made, name)
    assert (told.description, told.labels, told.location) == ("a table", made.labels, LOCATION)
    told.description, told.expires = "another", datetime(2100, 1, 1, tzinfo=UTC)
    told.require_partition_filter = False
    warehouse.client.update_table(told, ["description", "expires", "require_partition_filter"])
    again = warehouse.table()
    assert (again.description, again.expires) == ("another", told.expires)
    assert (again.require_partition_filter, again.schema) == (False, made.schema)


def test_options_in_sql_are_told_and_a_table_that_is_replaced_loses_them(
    warehouse: Warehouse,
) -> None:
    sql = "create or replace table {t} (d date options (description = 'a day')) partition by d"
    options = "description = 'x', partition_expiration_days = 2, require_partition_filter = true"
    warehouse.query(f"{sql} options ({options})")
    told = warehouse.table()
    assert (told.description, told.require_partition_filter) == ("x", True)
    assert told.time_partitioning.expiration_ms == 2 * 86_400_000
    warehouse.query("create or replace table {t} partition by d as select date '2025-10-01' as d")
    again = warehouse.table()
    assert (again.description, again.require_partition_filter) == (None, None)
    assert again.schema[0].description is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"description": "x" * 16_385}, "at most 16384"),
        ({"schema": [SchemaField("id", "INT64", description="x" * 1_025)]}, "at most 1024"),
        ({"labels": {"Layer": "silver"}}, "Label Layer"),
        ({"labels": {"layer": "2025-10-01T00:00"}}, "Label layer"),
        ({"labels": {"layer": "x" * 64}}, "Label layer"),
    ],
)
def test_texts_that_are_too_long_or_no_labels_are_refused(
    warehouse: Warehouse, changes: dict[str, Any], message: str
) -> None:
    warehouse.query("create table {t} (id int64)")
    table = warehouse.table()
    for name, value in changes.items():
        setattr(table, name, value)
    refused(lambda: warehouse.client.update_table(table, list(changes)), message)


@pytest.mark.parametrize("names", [["id", "ID"], ["_PARTITION_x"], ["_table_x"], ["_FILE_x"]])
def test_names_of_columns_that_bigquery_does_not_take_are_refused(
    warehouse: Warehouse, names: list[str]
) -> None:
    made = Table(warehouse.name(), schema=fields(dict.fromkeys(names, "INT64")))
    refused(lambda: warehouse.client.create_table(made), "field name")


def test_a_partition_is_read_and_copied_and_deleted_by_its_name(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    warehouse.load_day("2025-10-02", [3])
    one = warehouse.name("t$20251001")
    assert [row["id"] for row in warehouse.client.list_rows(one)] == [1, 2]
    assert warehouse.client.get_table(one).num_rows == 2
    config = CopyJobConfig(write_disposition="WRITE_TRUNCATE")
    warehouse.query(
        "create table {t}_copy (id int64, ingestion_dt date) partition by ingestion_dt".replace(
            "{t}_copy", f"`{warehouse.name('copy')}`"
        )
    )
    warehouse.client.copy_table(one, warehouse.name("copy$20251001"), job_config=config).result()
    assert warehouse.days("copy") == ONE_DAY
    warehouse.client.delete_table(one)
    assert warehouse.days() == {"2025-10-02": [3]}
    refused(lambda: warehouse.query(f"select * from `{one}`"), "cannot include decorator")


def test_a_query_writes_to_a_partition(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    warehouse.load_day("2025-10-02", [3])
    config = QueryJobConfig(
        destination=warehouse.name("t$20251002"), write_disposition="WRITE_TRUNCATE"
    )
    warehouse.query("select 7 as id, date '2025-10-02' as ingestion_dt", job_config=config)
    assert warehouse.days() == {**ONE_DAY, "2025-10-02": [7]}
    refused(
        lambda: warehouse.query(
            "select 7 as id, date '2025-10-03' as ingestion_dt", job_config=config
        ),
        "Some rows belong to different partitions",
    )


def test_partitions_are_listed_and_those_without_rows_are_not(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    warehouse.load_day("2025-10-02", [])
    schema = f"shop.{warehouse.dataset}.INFORMATION_SCHEMA.PARTITIONS"
    sql = f"select partition_id, total_rows from {schema} where table_name = 't'"
    assert warehouse.query(sql) == [("20251001", 2)]


DAY = "date '2025-10-01'"
FILTERED = [
    f"select * from {{t}} where ingestion_dt = {DAY}",
    f"select * from {{t}} where ingestion_dt in ({DAY}, date '2025-10-02') and id > 0",
    f"select * from {{t}} where ingestion_dt between {DAY} and current_date()",
    f"select * from (select * from {{t}}) where ingestion_dt >= {DAY}",
    f"with a as (select * from {{t}}) select count(*) from a where ingestion_dt = {DAY}",
    f"select a.id from {{t}} as a join {{t}} as b on a.id = b.id and b.ingestion_dt = {DAY} "
    f"where a.ingestion_dt = {DAY}",
    f"select * from {{v}} where ingestion_dt = {DAY}",
    f"delete from {{t}} where ingestion_dt = {DAY} and id = 0",
    f"update {{t}} set id = id where ingestion_dt = {DAY}",
    f"merge {{t}} as d using (select 9 as id) as s on false "
    f"when not matched by source and d.ingestion_dt in ({DAY}) then update set id = d.id",
    "merge {t} as d using (select 9 as id) as s on d.id = s.id and "
    "(d.ingestion_dt is null or d.ingestion_dt is not null) when matched then delete",
]
UNFILTERED = [
    "select * from {t}",
    "select count(*) from {t} where id = 1",
    f"select * from {{t}} where ingestion_dt = {DAY} or id = 1",
    "select * from {t} where ingestion_dt = (select max(ingestion_dt) from {other})",
    "select * from {t} where ingestion_dt in (select ingestion_dt from {other})",
    f"select * from {{t}} where date_add(ingestion_dt, interval 1 day) = {DAY}",
    f"select a.id from {{t}} as a join {{t}} as b on a.id = b.id where a.ingestion_dt = {DAY}",
    f"select * from (select * from {{t}} limit 1) where ingestion_dt = {DAY}",
    "select * from {v}",
    "delete from {t} where id = 0",
    "update {t} set id = id where true",
    "merge {t} as d using (select 9 as id) as s on d.id = s.id when matched then delete",
]


@pytest.fixture
def guarded(warehouse: Warehouse) -> Callable[[str], list[tuple[Any, ...]]]:
    """Queries of a table that requires a filter, and of a view of it."""
    warehouse.load_day("2025-10-01", [1, 2])
    warehouse.query(f"create table `{warehouse.name('other')}` as select * from {{t}}")
    warehouse.query(f"create view `{warehouse.name('v')}` as select * from {{t}}")
    table = warehouse.table()
    table.require_partition_filter = True
    warehouse.client.update_table(table, ["require_partition_filter"])

    def query(sql: str) -> list[tuple[Any, ...]]:
        for name in ("v", "other"):
            sql = sql.replace(f"{{{name}}}", f"`{warehouse.name(name)}`")
        return warehouse.query(sql)

    return query


def test_a_table_can_require_a_filter(guarded: Callable[[str], list[tuple[Any, ...]]]) -> None:
    for sql in UNFILTERED:
        refused(lambda sql=sql: guarded(sql), "without a filter over column")
    for sql in FILTERED:
        guarded(sql)
    guarded("create or replace view {v} as select id, ingestion_dt from {t}")
    refused(lambda: guarded("select * from {v}"), "without a filter over column")
    guarded(f"create or replace table {{other}} as select * from {{t}} where ingestion_dt = {DAY}")


# Scripts


def test_variables_are_set_from_one_row(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    rows = warehouse.query(
        "declare low, high int64; declare days array<date>;"
        "set (low, high) = (select as struct min(id), max(id) from {t});"
        "set (days) = (select as struct array_agg(distinct ingestion_dt ignore nulls) from {t});"
        "select low, high, days;"
    )
    assert rows == [(1, 2, [date(2025, 10, 1)])]


def test_whole_quotients_and_large_decimals_are_exact(warehouse: Warehouse) -> None:
    assert warehouse.query("select div(2 * abs(-7) + 3, 2 * 3), mod(7 + 1, 3 + 2)") == [(2, 3)]
    number = 1612198890.0
    sql = "select sum(cast(round(x * 1) as bignumeric)) from (select * from (select {} as x))"
    assert warehouse.query(sql.format(number)) == [(Decimal(1612198890),)]
    assert warehouse.query("select cast(0.1 * 1e18 as bignumeric)") == [(Decimal(10**17),)]


def test_a_transaction_is_all_or_nothing_and_makes_no_tables(warehouse: Warehouse) -> None:
    warehouse.load_day("2025-10-01", [1, 2])
    insert = "insert into {t} (id, ingestion_dt) values (3, date '2025-10-01');"
    warehouse.query(f"begin transaction; {insert} rollback transaction;")
    refused(lambda: warehouse.query(f"begin transaction; {insert} select error('no');"), "no")
    assert warehouse.days() == ONE_DAY
    warehouse.query(f"begin transaction; {insert} commit transaction;")
    assert warehouse.days() == {"2025-10-01": [1, 2, 3]}
    refused(
        lambda: warehouse.query("begin transaction; create table {t} (id int64); commit;"),
        "DDL statements are not supported in a transaction",
    )


# A network in which something goes wrong


def test_an_answer_that_is_lost_leaves_a_job_behind(cloud: Cloud, warehouse: Warehouse) -> None:
    lost: list[str] = []

    def lose(request: Request) -> Accident:
        job_id = submitted(request)
        if job_id and not lost:
            lost.append(job_id)
            return "lost"
        return None

    cloud.warehouse.accident = lose
    with pytest.raises(Conflict):
        warehouse.load_day("2025-10-01", [1, 2], job_id="j" + warehouse.dataset)
    job = warehouse.client.get_job(lost[0])
    assert isinstance(job, LoadJob)
    assert job.result().output_rows == 2


def test_a_look_at_a_job_can_fail_after_its_id_was_refused(
    cloud: Cloud, warehouse: Warehouse
) -> None:
    job = warehouse.load_day("2025-10-01", [1, 2])
    looks: list[str | None] = []

    def hide(request: Request) -> Accident:
        looks.append(looked_at(request))
        return refusal(404, "notFound") if len(looks) == 1 else None

    cloud.warehouse.accident = hide
    refused(lambda: warehouse.client.get_job(job.job_id), "as the test wants", NotFound)
    assert warehouse.client.get_job(job.job_id).output_rows == 2
    assert looks == [job.job_id] * 2


@pytest.mark.parametrize("reason", ["rateLimitExceeded", "quotaExceeded"])
def test_a_job_can_be_accepted_and_fail_afterwards(
    cloud: Cloud, warehouse: Warehouse, reason: str
) -> None:
    cloud.warehouse.accident = failing = FailingJobs(reason)
    with pytest.raises(GoogleAPICallError) as error:
        warehouse.load_day("2025-10-01", [1, 2], job_id="a" + warehouse.dataset)
    assert error.value.errors[0]["reason"] == reason
    assert list(failing.failed) == ["a" + warehouse.dataset]
    refused(
        lambda: warehouse.load_day("2025-10-01", [1], job_id="a" + warehouse.dataset),
        "Already Exists",
        Conflict,
    )
    assert warehouse.load_day("2025-10-01", [1, 2]).output_rows == 2


def test_a_load_can_say_a_wrong_number_of_rows(cloud: Cloud, warehouse: Warehouse) -> None:
    change = with_output_rows(7)
    cloud.warehouse.accident = lambda request: change if looked_at(request) else None
    assert warehouse.client.get_job(warehouse.load_day("2025-10-01", [1]).job_id).output_rows == 7


# Its life


def test_a_server_ends_with_whoever_started_it(tmp_path: Any) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tests.standins.google import storage\n"
        f"with storage(Path({str(tmp_path)!r})) as url:\n"
        "    print(url, flush=True); time.sleep(600)"
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", program], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout
    with starter.stdout:
        url = f"{starter.stdout.readline().strip()}/storage/v1/b?project=nobody"
        assert requests.get(url, timeout=10).ok
        starter.send_signal(signal.SIGKILL)
        starter.wait()
    deadline = time.monotonic() + 60
    while is_served(url):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_served(url: str) -> bool:
    try:
        requests.get(url, timeout=10)
    except requests.ConnectionError:
        return False
    return True
