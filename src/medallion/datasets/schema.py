"""The spec's types as Polars types."""

from __future__ import annotations

import polars as pl

from medallion.spec import INGESTION_DAY, SNAPSHOT_DAY, Spec
from medallion.spec.types import BRONZE, DATE, SILVER, TEXT

# Every key of a dimension, in one partition without a day.
KEYS = "keys"


def bronze_schema(spec: Spec, table: str) -> pl.Schema:
    """The physical columns that the contract expects of a Bronze table."""
    contract = spec.contract(table)
    return pl.Schema({name: BRONZE[c.bronze].as_polars() for name, c in contract.items()})


def silver_schema(spec: Spec, table: str) -> pl.Schema:
    """The columns of a Base Silver table or dimension as stored, without the partition day."""
    contract = spec.contract(table)
    columns = {name: SILVER[c.silver].as_polars() for name, c in contract.items()}
    business = spec.tables[table].business_date
    if business:
        columns[business.column] = DATE.as_polars()
    return pl.Schema(columns)


def enriched_schema(spec: Spec, transform: str) -> pl.Schema:
    """The columns of an enriched table as stored, without the partition day."""
    columns = spec.transforms[transform].columns
    return pl.Schema(
        {n: SILVER[kind].as_polars() for n, kind in columns.items() if n != INGESTION_DAY}
    )


def text_schema(columns: list[str]) -> pl.Schema:
    """Columns that are all text, as in quarantine."""
    return pl.Schema(dict.fromkeys(columns, TEXT.as_polars()))


def lake_schema(spec: Spec, table: str, extra: list[str]) -> pl.Schema:
    """The stored columns of any table of the lake, such as `base/orders`.

    Args:
        spec: The tables.
        table: Layer and table.
        extra: Columns that partitions hold beyond the contract (in quarantine).
    """
    layer, name = table.split("/")
    if layer == "enriched":
        return enriched_schema(spec, name)
    if layer == "quarantine":
        known = [*spec.contract(name), "invalid_reason"]
        unknown = [column for column in extra if column not in known]
        return text_schema([*known[:-1], *unknown, "invalid_reason"])
    schema = silver_schema(spec, name)
    if layer == KEYS:
        return pl.Schema({column: schema[column] for column in spec.tables[name].key})
    return schema


def partition_day(table: str, kind: str = "event") -> str:
    """The partition column of a table of the lake."""
    return SNAPSHOT_DAY if table.startswith("dims/") or kind == "dimension" else INGESTION_DAY
