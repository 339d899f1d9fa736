"""The state of the lake that everybody reads, as a Kedro dataset: saving it publishes."""

from __future__ import annotations

import logging
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import JSONPreview

from medallion.datasets.previewing import json_preview
from medallion.events import StatePublished, announce
from medallion.lake.store import Lake
from medallion.lake.writes import PublishRequest
from medallion.runs.audit.code import code_version, git_sha

logger = logging.getLogger(__name__)


class PublishedStateDataset(AbstractDataset[PublishRequest, dict[str, Any]]):
    """Which state is current; on a disk, what the folders hold is, and it gets the run's name.

    Args:
        filepath: The lake's root.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._lake = Lake(filepath)
        self.metadata = metadata

    def load(self) -> dict[str, Any]:
        """Which run's state is current, and what its tables come to; empty if there is none."""
        return (self._lake.state.source or self._lake.history).described()

    def save(self, data: PublishRequest) -> None:
        """Publishes what the run has committed; on a disk, notes that it is a state.

        Raises:
            PublishError: Another run has published meanwhile.
            StorageError: Something cannot be uploaded; nothing has changed then.
        """
        code = {"code_version": code_version(), "git_sha": git_sha()}
        done = self._lake.publish(data.run_id, {**code, **data.told})
        if self._lake.state.source is None:
            return
        announce(StatePublished(current=done.run_id))
        if done.is_new:
            logger.info(
                "Published: %d partitions in %d files (%s bytes) became current.",
                done.partitions,
                done.objects,
                f"{done.bytes:,}",
            )
        else:
            logger.info("Nothing to publish: run %s is current.", done.run_id)

    def preview(self) -> JSONPreview:
        """What is current, for kedro-viz."""
        return json_preview(self.load)

    def _exists(self) -> bool:
        return bool(self.load())

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._lake.root)}
