"""The context of `dbt build` when nobody has given one: the whole Bronze, into a scratch."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from medallion.dbt_project.context import Context
from medallion.dbt_project.settings import EngineSettings
from medallion.lake.bronze import BronzePartition, list_bronze
from medallion.lake.inventory import LakeInventory
from medallion.lake.store import Lake
from medallion.lake.views import lake_views
from medallion.project import resource
from medallion.spec import Spec, load_spec
from medallion.storage.layout import Layout


def standalone_context() -> Context:
    """Bronze as one window, no history; Gold over the lake as it stands, in a scratch warehouse.

    The roots are those of `conf/base/globals.yml`, by the same environment variables. What is
    written goes into a folder of this process, which goes with it, or into the one that
    `MEDALLION_DBT_SCRATCH` names.
    """
    spec = load_spec(resource("conf/base/spec.yml"))
    layout = Layout.from_environment()
    scratch = _scratch()
    bronze = _bronze(spec)
    days = [p.day for partitions in bronze.values() for p in partitions if p.day]
    return Context(
        spec=spec,
        settings=EngineSettings("4GB", 0, scratch / "spill"),
        staging=scratch,
        bronze=bronze,
        snapshot=max(days, default=None),
        # A warehouse of its own, so that the real one is neither needed nor changed.
        warehouse=scratch / layout.warehouse_file.name,
        lake=lake_views(spec, LakeInventory(Lake(layout.silver), spec, layout)),
    )


def _scratch() -> Path:
    """An empty folder: the one that `MEDALLION_DBT_SCRATCH` names, or one of this process."""
    named = os.environ.get("MEDALLION_DBT_SCRATCH")
    if named:
        shutil.rmtree(named, ignore_errors=True)
        Path(named).mkdir(parents=True)
        return Path(named)
    scratch = Path(tempfile.mkdtemp(prefix="medallion-dbt-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    return scratch


def _bronze(spec: Spec) -> dict[str, list[BronzePartition]]:
    """All of Bronze; nothing where there is none, so that models can be compiled anywhere."""
    root = Layout.from_environment().bronze
    if not Path(root).is_dir():
        return {}
    inventory = list_bronze(root, spec)
    opened, _ = inventory.open([p for found in inventory.tables.values() for p in found])
    return opened
