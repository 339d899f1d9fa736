"""The context of `dbt build` when nobody has given one: the whole Bronze, into a scratch."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from medallion.dbt_project.code import PROJECT
from medallion.dbt_project.context import Context
from medallion.dbt_project.settings import EngineSettings
from medallion.lake.bronze import BronzePartition, list_bronze
from medallion.spec import load_spec

_SCRATCH = PROJECT / "dbt" / "target" / "standalone"


def standalone_context() -> Context:
    """Bronze as one window, no history; Gold in a copy of the warehouse, if there is one.

    The roots are those of `conf/base/globals.yml`: `MEDALLION_BRONZE_ROOT` and
    `MEDALLION_DATA_ROOT`, or `data/bronze` and `data`. Nothing outside `dbt/target` is written.
    """
    spec = load_spec(PROJECT / "conf" / "base" / "spec.yml")
    shutil.rmtree(_SCRATCH, ignore_errors=True)
    _SCRATCH.mkdir(parents=True)
    inventory = list_bronze(str(_root("MEDALLION_BRONZE_ROOT", "data/bronze")), spec)
    opened, _ = inventory.open([p for found in inventory.tables.values() for p in found])
    bronze: dict[str, list[BronzePartition]] = opened
    days = inventory.days()
    return Context(
        spec=spec,
        settings=EngineSettings("4GB", 0, _SCRATCH / "spill"),
        staging=_SCRATCH,
        bronze=bronze,
        snapshot=days[-1] if days else None,
        warehouse=_copied_warehouse(),
    )


def _root(variable: str, default: str) -> Path:
    return PROJECT / Path(os.environ.get(variable) or default).expanduser()


def _copied_warehouse() -> Path:
    scratch = _SCRATCH / "medallion.duckdb"
    live = _root("MEDALLION_DATA_ROOT", "data") / "warehouse" / "medallion.duckdb"
    if live.is_file():
        shutil.copyfile(live, scratch)
    return scratch
