"""The tables of the marts, as dbt's contracts and descriptions declare them."""

from __future__ import annotations

from collections.abc import Mapping

from medallion.dbt_project.declared import Mart
from medallion.spec import INGESTION_DAY
from medallion.warehouse.bigquery.settings import GOLD
from medallion.warehouse.bigquery.shapes import Field, TableShape

# BigQuery clusters by four columns at most.
_MOST_CLUSTERED = 4


def mart_shapes(marts: Mapping[str, Mart]) -> dict[str, TableShape]:
    """The tables of marts, by mart.

    A mart that is built by day is partitioned by it; its rows are stored together by the other
    columns that tell them apart.

    Args:
        marts: The marts, declared for BigQuery.
    """
    return {name: _shape(mart) for name, mart in marts.items()}


def _shape(mart: Mart) -> TableShape:
    others = [name for name in mart.grain if name != INGESTION_DAY]
    return TableShape(
        name=f"{GOLD}.{mart.name}",
        description=mart.description,
        columns=tuple(
            Field(name, kind, mart.meanings.get(name, "")) for name, kind in mart.columns.items()
        ),
        partitioned_by=INGESTION_DAY if mart.is_by_day else "",
        cluster_by=tuple(others[:_MOST_CLUSTERED]),
    )
