"""What is asked of a run, checked before anyone takes note of the run."""

from __future__ import annotations

from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline

from medallion.errors import UsageError
from medallion.planning.request import check_transforms, parse_request


class RequestCheck:
    """Refuses what cannot be, so that a mistyped command leaves no failed run behind."""

    # The first of all: nobody has opened a file or started a clock yet.
    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Checks the parameters, and that the chosen nodes find what they read.

        Raises:
            UsageError: A parameter is unknown or has a value it cannot have, or a node reads
                what only an earlier node of the same run hands over.
        """
        request = parse_request(catalog.load("parameters"))
        if request.transforms:
            check_transforms(request, catalog.load("spec"))
        _check_inputs(pipeline, catalog)


def _check_inputs(pipeline: Pipeline, catalog: DataCatalog) -> None:
    absent = sorted(name for name in pipeline.inputs() if _is_absent(catalog.get(name)))
    if not absent:
        return
    readers = [node.name for node in pipeline.nodes if {*absent} & {*node.inputs}]
    shown = ", ".join(readers[:3]) + (f" and {len(readers) - 3} more" if readers[3:] else "")
    raise UsageError(
        f"This part of the pipeline cannot run alone: {shown} cannot start without "
        f"{', '.join(absent)}, which earlier nodes of the same run hand over in memory.",
        hint="run a layer (`--pipelines enriched`), or all up to a node or a table "
        "(`--to-nodes`, `--to-outputs`); what is up to date is not made again.",
    )


def _is_absent(dataset: Any) -> bool:
    return isinstance(dataset, MemoryDataset) and not dataset.exists()
