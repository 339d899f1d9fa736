"""What dbt declares of the marts: grain, columns, what they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medallion.dbt_project.running import Target, is_mart, manifest
from medallion.spec import INGESTION_DAY

# Models of this materialization are tables that Kedro shows in the warehouse.
_PUBLISHED = "published"


@dataclass(frozen=True)
class Mart:
    """A mart as dbt declares it.

    Attributes:
        name: The model.
        columns: The columns of its contract, name to type.
        grain: The columns that tell its rows apart, as its tests say.
        reads: The tables it reads, also through other marts, such as `base_silver.orders`.
        description: What one row is.
        meanings: What columns mean, such as are described.
        days_before: From how many days before its own a row is made, where rows are of a day.
        newest_only: Whether it is made from nothing but the newest day of each table.
    """

    name: str
    columns: Mapping[str, str] = field(repr=False)
    grain: tuple[str, ...]
    reads: tuple[str, ...]
    description: str = ""
    meanings: Mapping[str, str] = field(default_factory=dict, repr=False)
    days_before: int = 0
    newest_only: bool = False

    @property
    def is_by_day(self) -> bool:
        """Whether each of its rows is of one day, so that it can be built day by day."""
        return INGESTION_DAY in self.grain


def declared_marts(target: Target) -> dict[str, Mart]:
    """The marts, by name.

    Args:
        target: For which dbt names the types.
    """
    parsed = manifest(target)
    grains = _grains(parsed)
    return {
        node.name: Mart(
            name=node.name,
            columns={name: str(column.data_type) for name, column in node.columns.items()},
            grain=grains.get(unique_id, ()),
            reads=_reads(parsed, unique_id),
            description=" ".join(str(node.description).split()),
            meanings={name: " ".join(c.description.split()) for name, c in node.columns.items()},
            days_before=int(node.config.meta.get("days_before", 0)),
            newest_only=bool(node.config.meta.get("newest_only", False)),
        )
        for unique_id, node in parsed.nodes.items()
        if is_mart(node)
    }


def _grains(parsed: Any) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for node in parsed.nodes.values():
        test = getattr(node, "test_metadata", None)
        if test and test.name == "unique":
            found[node.attached_node] = (str(test.kwargs["column_name"]),)
        elif test and test.name == "grain_is_unique":
            found[node.attached_node] = tuple(test.kwargs["columns"])
    return found


def _reads(parsed: Any, model: str) -> tuple[str, ...]:
    """Tables that Kedro publishes end the way: what they are made from is Kedro's to say."""
    nodes, sources = parsed.nodes, parsed.sources
    found: set[str] = set()
    waiting = [model]
    while waiting:
        for name in nodes[waiting.pop()].depends_on_nodes:
            if name in sources:
                found.add(f"{sources[name].source_name}.{sources[name].name}")
            elif nodes[name].config.materialized == _PUBLISHED:
                found.add(f"{nodes[name].config.schema}.{nodes[name].name}")
            else:
                waiting.append(name)
    return tuple(sorted(found))
