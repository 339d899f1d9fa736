"""The tables as they shall be: made where they are absent, described as the spec says, never cut.

What a table has is changed by its description alone, never by making it anew: that would drop its
grants and its filters. What cannot be changed so is an error that shows both sides.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from medallion.errors import WarehouseError
from medallion.sql import google_name
from medallion.storage.parallel import in_parallel
from medallion.warehouse.bigquery import statements
from medallion.warehouse.bigquery.calls import BigQuery, schema_fields
from medallion.warehouse.bigquery.ledger import LOADS
from medallion.warehouse.bigquery.settings import AUDIT, DRAFTS, GOLD, BigQuerySettings
from medallion.warehouse.bigquery.shapes import Shape, Stored, expect_same, kinds

if TYPE_CHECKING:
    from google.cloud.bigquery import Dataset, SchemaField, Table

logger = logging.getLogger(__name__)

#: The datasets that are loaded, and what they hold.
DATASETS = {
    "base_silver": "Accepted rows of the shop's events, typed and cleaned, by day.",
    "dims": "Snapshots of customers and products.",
    "enriched": "What is computed from the shop's events, by day.",
    GOLD: "The marts, all of the same run.",
    DRAFTS: "Marts that dbt has built, until they take the place of those in the dataset of Gold.",
    AUDIT: "What runs have done, what was loaded, and what the marts are made from.",
}
# Drafts that a run has left go by themselves, in milliseconds.
_LIFE_OF_DRAFTS = 3 * 86_400_000


@dataclass(frozen=True)
class Tables:
    """The tables of an environment.

    Attributes:
        calls: How BigQuery is reached.
    """

    calls: BigQuery

    @property
    def settings(self) -> BigQuerySettings:
        """Where they are."""
        return self.calls.settings

    def prepare(self, shapes: Iterable[Shape]) -> dict[str, int]:
        """Makes sure that tables are there, and as they shall be.

        Returns:
            When each was made, in milliseconds, by name; that of the table of loads, too.

        Raises:
            CallError: BigQuery does not do it.
            WarehouseError: A dataset or a table is what cannot be changed.
        """
        wanted = list(shapes)
        schemas = sorted({AUDIT, *(shape.name.partition(".")[0] for shape in wanted)})
        in_parallel(self._expect_dataset, schemas)
        found = in_parallel(self.prepare_table, wanted)
        made = {shape.name: one for shape, one in zip(wanted, map(_made, found), strict=True)}
        return {**made, LOADS: _made(self._loads())}

    def prepare_marts(self, shapes: Iterable[Stored]) -> dict[str, int]:
        """The same for the marts and what tells of them, and for where they are built."""
        wanted = list(shapes)
        in_parallel(self._expect_dataset, (AUDIT, DRAFTS, GOLD))
        found = in_parallel(self.prepare_table, wanted)
        return {shape.name: one for shape, one in zip(wanted, map(_made, found), strict=True)}

    def made(self, names: Iterable[str]) -> dict[str, int]:
        """When those tables that are there were made, in milliseconds, by name."""
        named = list(names)
        found = in_parallel(lambda name: self.calls.table(self.settings.table(name)), named)
        return {name: _made(one) for name, one in zip(named, found, strict=True) if one}

    def show_newest(self, shape: Shape, newest: date | None) -> None:
        """Lets the view of the newest day show that day."""
        view, table = (self.settings.table(name) for name in (shape.newest, shape.name))
        tells = statements.newest_tells(shape, newest)
        found = self._made_if_absent(view, statements.create_view(view, table, shape, newest))
        wanted = schema_fields(shape.columns)
        if found.description != tells or _said(found.schema) != _said(wanted):
            found.view_query = statements.newest_rows(table, shape, newest)
            found.description = tells
            found.schema = wanted
            self.calls.update(found, ["view_query", "description", "schema"])

    def _expect_dataset(self, schema: str) -> None:
        name = self.settings.dataset(schema)
        found = self.calls.dataset(name)
        if found is None:
            life = _LIFE_OF_DRAFTS if schema == DRAFTS else None
            self.calls.create_dataset(name, DATASETS[schema], life)
            found = self.calls.dataset(name)
        if found is None:
            raise _not_made(name)
        expect_dataset(found, self.settings, is_kept=schema != DRAFTS)

    def _loads(self) -> Table:
        table = self.settings.table(LOADS)
        return self._made_if_absent(table, statements.create_loads(table))

    def prepare_table(self, shape: Stored) -> Table:
        """Makes sure that a table is there, and as it shall be.

        Raises:
            CallError: BigQuery does not do it.
            WarehouseError: It is what cannot be changed.
        """
        name = self.settings.table(shape.name)
        table = self._made_if_absent(name, statements.create_table(name, shape))
        _expect_partitions(table, shape)
        _expect_types(table, shape)
        changes = dict(_changes(table, shape))
        for attribute, value in changes.items():
            setattr(table, attribute, value)
        return self.calls.update(table, list(changes)) if changes else table

    def _made_if_absent(self, name: str, statement: str) -> Table:
        found = self.calls.table(name)
        if found is None:
            self.calls.query(statement)
            found = self.calls.table(name)
            logger.debug("Made %s.", name)
        if found is None:
            raise _not_made(name)
        return found


def _not_made(name: str) -> WarehouseError:
    return WarehouseError(f"{name} is not there, although BigQuery has made it.", hint="run again.")


def expect_dataset(dataset: Dataset, settings: BigQuerySettings, *, is_kept: bool = True) -> None:
    """Makes sure that a dataset is where loads are allowed, and lets no row expire.

    Args:
        dataset: The dataset.
        settings: Where it shall be.
        is_kept: Whether what it holds must stay.

    Raises:
        WarehouseError: It is elsewhere, or has a default expiration.
    """
    name, where = dataset.dataset_id, str(dataset.location)
    if where.lower() != settings.location.lower():
        raise WarehouseError(
            f"The dataset {name} is in {where}, and the environment says {settings.location}.",
            hint="a dataset cannot be moved: put the location right, or use another name for the"
            " datasets.",
        )
    if is_kept and (dataset.default_partition_expiration_ms or dataset.default_table_expiration_ms):
        raise WarehouseError(
            f"The dataset {name} has a default expiration: rows of old days would vanish from new"
            " tables without an error.",
            hint="take it off: `bq update --default_partition_expiration 0"
            f" --default_table_expiration 0 {settings.project}:{name}`.",
        )


def _expect_partitions(table: Table, shape: Stored) -> None:
    parted: Any = table.time_partitioning
    held = (parted.type_, parted.field) if parted else None
    if held != (("DAY", shape.partitioned_by) if shape.partitioned_by else None):
        by_day = f"is not partitioned by day of {shape.partitioned_by}"
        raise WarehouseError(
            f"{_named(table)} {by_day if shape.partitioned_by else 'is partitioned'}.",
            hint="partitions cannot be changed: move the table away; the next run makes it anew"
            " and fills it.",
        )
    if (parted and parted.expiration_ms) or table.expires:
        raise WarehouseError(
            f"{_named(table)} has an expiration: rows of old days would vanish without an error.",
            hint=f"take it off: `alter table {google_name(_named(table))} set options"
            " (expiration_timestamp = null, partition_expiration_days = null)`.",
        )


def _expect_types(table: Table, shape: Stored) -> None:
    """That the columns are those of the spec; such as are absent are added."""
    wanted = kinds(shape.columns)
    held = kinds_held(table)
    expect_same(
        _named(table),
        {name: held.get(name, kind) for name, kind in {**wanted, **held}.items()},
        wanted,
        ("table", "spec"),
        "a type cannot be changed in place: move the table away; the next run makes it anew and"
        " fills it.",
    )


def kinds_held(table: Table) -> dict[str, str]:
    """The type of each column that a table has, in GoogleSQL."""
    return {field.name: _kind(field) for field in table.schema}


def _changes(table: Table, shape: Stored) -> Iterable[tuple[str, Any]]:
    """What of a table is not as it shall be, and how it shall be."""
    held: Mapping[str, SchemaField] = {field.name: field for field in table.schema}
    tells = {field.name: field.description for field in shape.columns}
    if any(
        name not in held or (held[name].description or "") != said for name, said in tells.items()
    ):
        added = [field for field in shape.columns if field.name not in held]
        yield "schema", [*(_telling(one, tells) for one in table.schema), *schema_fields(added)]
    if (table.description or "") != shape.description:
        yield "description", shape.description
    if bool(table.require_partition_filter) != shape.require_partition_filter:
        yield "require_partition_filter", shape.require_partition_filter
    if tuple(table.clustering_fields or ()) != shape.cluster_by:
        yield "clustering_fields", list(shape.cluster_by) or None


def _telling(field: SchemaField, tells: Mapping[str, str]) -> SchemaField:
    """A column with its description; whatever else it has stays."""
    said = {**field.to_api_repr(), "description": tells[field.name]}
    return type(field).from_api_repr(said)


def _kind(field: SchemaField) -> str:
    """The type of a column in GoogleSQL; one that is required says so."""
    from google.cloud.bigquery.schema import LEGACY_TO_STANDARD_TYPES

    known = LEGACY_TO_STANDARD_TYPES.get(field.field_type)
    kind = str(known.value if known else field.field_type)
    return kind if field.mode == "NULLABLE" else f"{kind} {field.mode}"


def _said(fields: Iterable[SchemaField]) -> list[tuple[str, str]]:
    return [(field.name, field.description or "") for field in fields]


def _made(table: Table) -> int:
    return round(table.created.timestamp() * 1_000) if table.created else 0


def _named(table: Table) -> str:
    return f"{table.project}.{table.dataset_id}.{table.table_id}"
