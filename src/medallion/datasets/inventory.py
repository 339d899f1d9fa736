"""The lake's manifests, the spec and the suites, as Kedro datasets."""

from __future__ import annotations

from typing import Any

from medallion.datasets.read_only import ReadOnlyDataset
from medallion.gates.suites import Suites, load_suites
from medallion.lake.inventory import LakeInventory
from medallion.lake.store import Lake
from medallion.spec import Spec, load_spec
from medallion.storage.layout import Layout


class LakeInventoryDataset(ReadOnlyDataset[LakeInventory]):
    """What stands in the lake: read when it is asked, so always as it is now.

    Args:
        filepath: The lake's root.
        spec: Path of `spec.yml`.
        roots: The roots beside it, as `globals.yml` names them.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        spec: str,
        roots: dict[str, str],
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._layout = Layout.of({**roots, "silver_root": filepath})
        self._lake = Lake(filepath)
        self._spec_path = spec
        self.metadata = metadata

    def load(self) -> LakeInventory:
        """A view of the lake's manifests."""
        if self._lake.state.source:
            self._lake.state.source.refresh()
        return LakeInventory(self._lake, load_spec(self._spec_path), self._layout)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._lake.root)}


class SpecDataset(ReadOnlyDataset[Spec]):
    """The tables.

    Args:
        filepath: Path of `spec.yml`.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = filepath
        self.metadata = metadata

    def load(self) -> Spec:
        """Reads and checks the spec."""
        return load_spec(self._path)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}


class SuitesDataset(ReadOnlyDataset[Suites]):
    """What the gates expect of every table.

    Args:
        filepath: The folder of the suites.
        spec: Path of `spec.yml`.
        models: The folder in which dbt describes the marts.
        metadata: For kedro-viz.
    """

    def __init__(
        self, *, filepath: str, spec: str, models: str, metadata: dict[str, Any] | None = None
    ) -> None:
        self._path = filepath
        self._spec_path = spec
        self._models = models
        self.metadata = metadata

    def load(self) -> Suites:
        """Reads and checks the suites."""
        return load_suites(self._path, load_spec(self._spec_path), self._models)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}
