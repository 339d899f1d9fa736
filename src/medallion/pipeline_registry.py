"""The pipelines by name. Each layer can be run alone; together they are the default."""

from __future__ import annotations

import warnings

from kedro.pipeline import Pipeline

# Dataset names are `<layer>.<table>` on purpose, also where one layer reads another's.
warnings.filterwarnings("ignore", message="One or more dataset names contain")


def register_pipelines() -> dict[str, Pipeline]:
    """Makes all pipelines.

    A layer run alone plans first, asks the gate before it, and reads what the layers before
    it have left.
    """
    from medallion.pipelines.base_silver.pipeline import create_pipeline as base_silver
    from medallion.pipelines.bronze.pipeline import create_pipeline as bronze
    from medallion.pipelines.dims.pipeline import create_pipeline as dims
    from medallion.pipelines.enriched.pipeline import create_pipeline as enriched
    from medallion.pipelines.gold.pipeline import create_pipeline as gold
    from medallion.pipelines.publish.pipeline import create_pipeline as publish
    from medallion.pipelines.reporting.pipeline import create_pipeline as reporting
    from medallion.pipelines.warehouse.pipeline import create_pipeline as warehouse

    first = bronze()
    gates = {
        "dims": dims().only_nodes("dims.gate"),
        "base_silver": base_silver().only_nodes("base_silver.gate"),
        "enriched": enriched().only_nodes("enriched.gate"),
        "gold": gold().only_nodes("gold.gate"),
    }
    pipelines = {
        "bronze": first,
        "dims": first + dims(),
        "base_silver": first + gates["dims"] + base_silver(),
        "enriched": first + gates["base_silver"] + enriched(),
        "publish": gates["enriched"] + publish(),
        "warehouse": gates["enriched"] + warehouse(),
        "gold": gates["enriched"] + warehouse() + gold(),
        "reporting": first + gates["gold"] + reporting(),
    }
    return {**pipelines, "__default__": sum(pipelines.values(), Pipeline([]))}
