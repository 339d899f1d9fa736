"""Building a layer with dbt: inputs in, staged partitions and counts out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.dbt_project.context import Context
from medallion.dbt_project.results import BuildResult, Counts
from medallion.dbt_project.settings import EngineSettings
from medallion.dbt_project.spec_vars import spec_vars
from medallion.errors import DbtError, MedallionError
from medallion.lake.bronze import BronzePartition
from medallion.spec import Spec

if TYPE_CHECKING:
    from medallion.dbt_project.declared import Mart

Bronze = Mapping[str, Sequence[BronzePartition]]


def build_base_silver(
    spec: Spec,
    window: Bronze,
    history: Mapping[str, str],
    dimension_keys: Mapping[str, Path],
    staging: Path,
    settings: EngineSettings,
) -> BuildResult:
    """Scores the window's event rows and stages the accepted and the quarantined ones.

    Args:
        spec: The tables.
        window: Bronze partitions per event table.
        history: SQL of the accepted rows outside the window, with which keys must not collide.
        dimension_keys: The file of all keys of each dimension.
        staging: Where to write, laid out as the lake is.
        settings: What DuckDB may use.

    Raises:
        DbtError: A model failed.
        LakeError: A Bronze file cannot be read.
    """
    context = Context(spec, settings, staging, window, history, dimension_keys)
    with _connected(context) as query:
        seconds = _run_on_bronze(context, "tag:base_silver", "base_silver")
        return _result(context, list(spec.events), seconds, query)


def build_dimensions(
    spec: Spec,
    partitions: Bronze,
    snapshot: date,
    staging: Path,
    settings: EngineSettings,
    known_keys: Mapping[str, Path] | None = None,
    forgotten: Sequence[date] = (),
) -> BuildResult:
    """Stages a snapshot of dimensions, their quarantine, and the keys that are known.

    In the `ingest_dt` layout the snapshot is made of the partitions up to its day; the keys
    are those of all partitions, and those that were known before.

    Args:
        spec: The tables.
        partitions: All Bronze partitions of the dimensions to build.
        snapshot: The snapshot's day.
        staging: Where to write, laid out as the lake is.
        settings: What DuckDB may use.
        known_keys: The file of the keys of each dimension that are known already.
        forgotten: Days whose keys are not remembered once they have left Bronze.

    Raises:
        DbtError: A model failed.
        LakeError: A Bronze file cannot be read.
    """
    names = list(partitions)
    context = Context(
        spec,
        settings,
        staging,
        partitions,
        dimension_keys=known_keys or {},
        forgotten=forgotten,
        snapshot=snapshot,
    )
    with _connected(context) as query:
        models = [f"int_{n}_scored stg_{n} quarantine_{n} keys_{n}" for n in names]
        seconds = _run_on_bronze(context, " ".join(models), "dims")
        return _result(context, names, seconds, query)


def build_gold(
    spec: Spec,
    warehouse: Path,
    lake: Mapping[str, str],
    marts: Mapping[str, Mapping[str, Any]],
    settings: EngineSettings,
) -> BuildResult:
    """Builds marts in a warehouse file.

    Args:
        spec: The tables.
        warehouse: The DuckDB file.
        lake: The tables that the marts read: name, such as `base_silver.orders`, to a SELECT.
        marts: The marts to build. Of one that is built by day the `days`, and `reads`: the days
            of each table that they are made from. Without `days` a mart is built whole.
        settings: What DuckDB may use.

    Raises:
        DbtError: A model failed. Of a sum that does not fit, it names column and rows.
    """
    context = Context(spec, settings, warehouse.parent, warehouse=warehouse, lake=lake)
    result = BuildResult()
    with _connected(context) as query:
        # dbt's threads end in any order.
        for model, seconds in sorted(_run_on_lake(context, marts, query).items()):
            rows = query(f"select count(*) from warehouse.gold.{model}")[0][0]
            result.counts[model] = Counts(accepted=int(rows), seconds=seconds)
    return result


def run_gold(
    spec: Spec,
    marts: Mapping[str, Mapping[str, Any]],
    settings: EngineSettings,
    output: str = "duckdb",
    built_in: str = "",
    read_in: str = "",
) -> dict[str, float]:
    """Lets dbt build marts where an output of its profile says.

    Args:
        spec: The tables.
        marts: The marts to build: see `build_gold`.
        settings: Where dbt keeps its own files.
        output: The output, which finds what it reads where dbt's sources say.
        built_in: The schema to build in, if it is not that of the project.
        read_in: The schema of marts that are read and not built.

    Returns:
        Seconds by mart.

    Raises:
        DbtError: A model failed.
    """
    from medallion.dbt_project.running import Target, run_models

    target = Target(settings.dbt_folder, spec_vars(spec), output, built_in, read_in)
    return run_models(" ".join(marts), "gold", target, marts)


def compile_gold(
    spec: Spec,
    marts: Mapping[str, Mapping[str, Any]],
    settings: EngineSettings,
    output: str,
    read_in: str,
) -> dict[str, str]:
    """What dbt makes of marts, by name, as if all marts were read where they stand.

    Args:
        spec: The tables.
        marts: The marts: see `build_gold`.
        settings: Where dbt keeps its own files.
        output: The output of its profile.
        read_in: The schema of marts.
    """
    from medallion.dbt_project.running import Target, compile_models

    target = Target(settings.dbt_folder, spec_vars(spec), output, read_in, read_in)
    return compile_models(" ".join(marts), target, marts)


def gold_marts(spec: Spec, settings: EngineSettings, output: str = "duckdb") -> dict[str, Mart]:
    """The marts that dbt declares, by name.

    Args:
        spec: The tables.
        settings: Where dbt keeps its own files.
        output: The output of dbt's profile that types are named for.
    """
    from medallion.dbt_project.declared import declared_marts
    from medallion.dbt_project.running import Target

    return declared_marts(Target(settings.dbt_folder, spec_vars(spec), output))


def _run_on_lake(
    context: Context, marts: Mapping[str, Mapping[str, Any]], query: Any
) -> dict[str, float]:
    from medallion.dbt_project.overflow import overflow_error

    try:
        return run_gold(context.spec, marts, context.settings)
    except DbtError as error:
        declared = gold_marts(context.spec, context.settings)
        failed = [(declared[name], sql) for name, sql in error.models.items()]
        overflow = overflow_error(failed, query, _personal(context.spec))
        if overflow:
            raise overflow from error
        raise


def _personal(spec: Spec) -> set[str]:
    tables = spec.tables.values()
    return {name for table in tables for name, one in table.columns.items() if one.personal}


@contextmanager
def _connected(context: Context) -> Iterator[Any]:
    """Lets dbt see a context; gives a function that asks the same database."""
    from medallion.dbt_project import plugin

    plugin.set_context(context)
    try:
        yield plugin.ask
    finally:
        plugin.release()


def _run_on_bronze(context: Context, select: str, layer: str) -> dict[str, float]:
    """Runs models; a second time if values that nobody can read ended them.

    Only a failure makes it worth reading all of the window to look for such files.
    """
    from medallion.dbt_project import plugin
    from medallion.dbt_project.repairing import refuse_unreadable, with_readable_copies

    try:
        return _run(select, layer, context)
    except MedallionError:
        plugin.reopen_if_closed()
        scratch = context.settings.temp_directory / "readable"
        repaired = with_readable_copies(context.bronze, scratch)
        if repaired is None:
            refuse_unreadable(context.bronze)
            raise
    _empty(context.staging)
    context.staged.clear()
    context.bronze = repaired
    plugin.apply_again()
    return _run(select, layer, context)


def _empty(staging: Path) -> None:
    for left in staging.iterdir():
        shutil.rmtree(left)


def _run(select: str, layer: str, context: Context) -> dict[str, float]:
    from medallion.dbt_project.running import Target, run_models

    target = Target(context.settings.dbt_folder, spec_vars(context.spec))
    return run_models(select, layer, target)


def _is_known(partition: BronzePartition, snapshot: date | None) -> bool:
    """A snapshot knows nothing of later days."""
    return snapshot is None or partition.day is None or partition.day <= snapshot


def _result(
    context: Context, tables: Sequence[str], seconds: Mapping[str, float], query: Any
) -> BuildResult:
    result = BuildResult(staged=dict(context.staged))
    for table in tables:
        partitions = context.bronze.get(table, ())
        if partitions or table in {p.split("/")[1] for p in context.staged}:
            result.counts[table] = _counts(context, table, seconds, query)
    return result


def _keys_left(dimension: str, query: Any) -> int:
    found = query(f"select count(*) from base_silver.keys_{dimension} where not is_in_bronze")
    return int(found[0][0])


def _counts(context: Context, table: str, seconds: Mapping[str, float], query: Any) -> Counts:
    partitions = [p for p in context.bronze.get(table, ()) if _is_known(p, context.snapshot)]
    is_event = context.spec.tables[table].kind == "event"
    scored = f"base_silver.int_{table}_scored"
    lost = query(
        f"select c, count(*) from (select unnest(nullified) as c from {scored}) group by c"
    )
    reasons = query(
        f"select r, count(*) from (select unnest(string_split(invalid_reason, '|')) as r"
        f" from {scored} where invalid_reason is not null) group by r"
    )
    superseded = query(f"select count(*) from {scored} where is_superseded")
    layer = "base" if is_event else "dims"
    return Counts(
        partitions={p.value: p.rows for p in partitions} if is_event else {},
        bronze_rows=sum(partition.rows for partition in partitions),
        accepted=context.staged[f"{layer}/{table}"].rows,
        quarantined=context.staged[f"quarantine/{table}"].rows,
        superseded=int(superseded[0][0]),
        keys_left=0 if is_event else _keys_left(table, query),
        nullified={column: int(n) for column, n in lost},
        reasons={code: int(n) for code, n in reasons},
        seconds=sum(
            seconds.get(model, 0.0)
            for model in (f"int_{table}_scored", f"stg_{table}", f"quarantine_{table}")
        ),
    )
