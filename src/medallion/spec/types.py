"""The types of the spec, and what each engine calls them: the only such list.

Everything else that names a type (views, schemas of scans, the sample, the audit trail, dbt's
vars, BigQuery) takes the name from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class EngineTypes:
    """One type, as each engine writes it.

    Attributes:
        duckdb: In SQL.
        polars: The name of the class, and its arguments.
        arrow: In Arrow, and so in the schema of a Parquet file.
        bigquery: In GoogleSQL.
    """

    duckdb: str
    polars: tuple[str | int, ...]
    arrow: str
    bigquery: str

    def as_polars(self) -> pl.DataType:
        """The type as Polars takes it."""
        import polars as pl

        name, *arguments = self.polars
        made: pl.DataType = getattr(pl, str(name))(*arguments)
        return made


TEXT = EngineTypes("varchar", ("String",), "string", "STRING")
INT = EngineTypes("bigint", ("Int64",), "int64", "INT64")
FLOAT = EngineTypes("double", ("Float64",), "double", "FLOAT64")
MONEY = EngineTypes("decimal(18, 2)", ("Decimal", 18, 2), "decimal128(18, 2)", "NUMERIC")
BOOL = EngineTypes("boolean", ("Boolean",), "bool", "BOOL")
DATE = EngineTypes("date", ("Date",), "date32[day]", "DATE")
# UTC without a zone: to BigQuery such a time is a DATETIME.
TIMESTAMP = EngineTypes("timestamp", ("Datetime", "us"), "timestamp[us]", "DATETIME")
# A moment, such as the start of a run: the same, but for BigQuery, which knows the zone.
INSTANT = EngineTypes("timestamp", ("Datetime", "us"), "timestamp[us]", "TIMESTAMP")

# What columns of Silver and Enriched Silver may be declared as.
SILVER = {
    "text": TEXT,
    "int": INT,
    "float": FLOAT,
    "money": MONEY,
    "bool": BOOL,
    "date": DATE,
    "timestamp": TIMESTAMP,
}
# What columns of Bronze may be declared as.
BRONZE = {"string": TEXT, "int64": INT, "double": FLOAT, "bool": BOOL}
# Engines that SQL is written for, as dbt names its targets' types.
SQL_ENGINES = ("duckdb", "bigquery")


def in_sql(engine: str) -> dict[str, str]:
    """What an engine calls the types that columns may be declared as, by their names in the spec.

    Args:
        engine: One of `SQL_ENGINES`.

    >>> in_sql("bigquery")["money"]
    'NUMERIC'
    """
    return {kind: getattr(types, engine) for kind, types in SILVER.items()}
