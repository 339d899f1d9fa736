"""Limits of names and texts, and options of tables that local-bigquery does not know."""

from __future__ import annotations

import re
from typing import Any

from local_bigquery.catalog import ddl, metadata, names, tables
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import runner
from local_bigquery.models import Dataset, Job, JobConfiguration, Table, TableFieldSchema
from sqlglot import exp

from tests.standins.bigquery.databases import Name
from tests.standins.bigquery.mending import Function, instead_of

_DESCRIPTION = 16_384
_COLUMN_DESCRIPTION = 1_024
_RESERVED = ("_partition", "_table_", "_file_", "_row_timestamp", "__root__", "_colidentifier")
_LABEL = re.compile(r"[\w-]{0,63}")
_DAY = 86_400_000


@instead_of(tables, "create")
def create(original: Function, project: str, dataset: str, body: Table, *rest: Any) -> Table:
    _check(body)
    return original(project, dataset, body, *rest)


@instead_of(tables, "update")
def update(
    original: Function, project: str, dataset: str, table: str, body: Table, *rest: Any
) -> Table:
    _check(body)
    return original(project, dataset, table, body, *rest)


@instead_of(tables, "record")
def record(original: Function, *arguments: Any) -> None:
    """Notes what is told of a table; a new one inherits how long its partitions live."""
    table: Name = arguments[:3]
    resource: Table = arguments[3]
    _check(resource)
    timing = resource.timePartitioning
    dataset = metadata.load(Dataset, *table[:2])
    default = dataset and dataset.defaultPartitionExpirationMs
    is_new = metadata.load(Table, *table) is None
    if timing and default and is_new and timing.expirationMs is None:
        resource = resource.replace(timePartitioning=timing.replace(expirationMs=default))
    original(*table, resource)


def _check(resource: Table) -> None:
    """Refuses what is said of a table.

    Raises:
        BigQueryError: A description is too long, or a label is none.
    """
    _check_length(resource.description, _DESCRIPTION, "Description")
    for field in tables.fields(resource):
        _check_length(field.description, _COLUMN_DESCRIPTION, f"Description of {field.name}")
    _check_labels(resource.labels)


def _check_length(text: str | None, most: int, what: str) -> None:
    if text and len(text) > most:
        raise BigQueryError("invalid", f"{what} is too long: at most {most} characters.")


def _check_labels(labels: dict[str, str | None] | None) -> None:
    for key, value in (labels or {}).items():
        is_name = key[:1].isalpha() and _LABEL.fullmatch(key) and _LABEL.fullmatch(value or "")
        if not is_name or key != key.lower() or (value or "") != (value or "").lower():
            raise BigQueryError("invalid", f"Label {key} with value {value} is not allowed.")


@instead_of(runner, "submit")
def submit(
    original: Function, project: str, job_id: str, configuration: JobConfiguration, *rest: Any
) -> Job:
    _check_labels(configuration.labels)
    return original(project, job_id, configuration, *rest)


@instead_of(names, "fields")
def fields(original: Function, schema: list[TableFieldSchema]) -> None:
    original(schema)
    seen: set[str] = set()
    for field in schema:
        name = (field.name or "").casefold()
        if name.startswith(_RESERVED):
            raise BigQueryError("invalid", f'Invalid field name "{field.name}".')
        if name in seen:
            raise BigQueryError("invalid", f"Duplicate field name {field.name}.")
        seen.add(name)


@instead_of(ddl, "_table")
def described(original: Function, tree: exp.Create, *arguments: Any) -> dict[str, Any]:
    """`partition_expiration_days` among the options."""
    resource: dict[str, Any] = original(tree, *arguments)
    properties = tree.args.get("properties")
    for one in properties.find_all(exp.Property) if properties else []:
        if one.name.lower() == "partition_expiration_days" and "timePartitioning" in resource:
            life = str(int(float(one.args["value"].name) * _DAY))
            resource["timePartitioning"]["expirationMs"] = life
    return resource
