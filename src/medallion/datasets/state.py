"""Small files that a run leaves for the next one, and for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import HTMLPreview, JSONPreview

from medallion.datasets.previewing import json_preview, text_preview
from medallion.datasets.read_only import ReadOnlyDataset
from medallion.errors import LakeError
from medallion.gates.reports.kept import as_text
from medallion.gates.result import GateResult
from medallion.lake.inventory import read_json, replace_text, write_json


class StateDataset(AbstractDataset[Any, Any]):
    """A JSON file that is replaced in one step.

    Args:
        filepath: The file.
        made_by: What a person runs to have it made.
        default: What it says as long as it is not there; none makes its absence an error.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        made_by: str = "kedro run",
        default: Any = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path = Path(filepath)
        self._made_by = made_by
        self._default = default
        self.metadata = metadata

    def load(self) -> Any:
        """Reads the file.

        Raises:
            LakeError: It is not there, or is no JSON.
        """
        if not self._path.is_file() and self._default is None:
            raise LakeError(f"There is no {self._path} yet.", hint=f"run `{self._made_by}` first.")
        return read_json(self._path, self._default)

    def save(self, data: Any) -> None:
        """Replaces the file; the order of keys is kept, as people read it."""
        write_json(self._path, data, sort_keys=False)

    def preview(self) -> JSONPreview:
        """The file for kedro-viz."""
        return json_preview(self.load)

    def _exists(self) -> bool:
        return self._path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}


class ReceiptDataset(StateDataset):
    """What a layer says of its work to the layers behind it, also in a later run."""

    @property
    def place(self) -> Path:
        """The file, as lineage names it."""
        return self._path


class QualityDataset(StateDataset):
    """What a gate has found: a run saves it as a `GateResult`, everybody loads plain JSON."""

    def save(self, data: GateResult) -> None:
        """Replaces the file in one step, unless it says the same already."""
        text = as_text(data)
        if not self._path.is_file() or self._path.read_bytes() != text.encode():
            replace_text(self._path, text)


class EarlierQualityDataset(ReadOnlyDataset[GateResult | None]):
    """What a gate found in the run before, for the trend that goes on from there.

    Args:
        filepath: The file.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(filepath)
        self.metadata = metadata

    def load(self) -> GateResult | None:
        """The result; None if there is none, or it is not what a gate writes."""
        try:
            return GateResult.from_json(read_json(self._path, None))
        except LakeError:
            return None

    def preview(self) -> JSONPreview:
        """The file for kedro-viz."""
        return json_preview(lambda: read_json(self._path, {}))

    def _exists(self) -> bool:
        return self._path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}


class ReportDataset(AbstractDataset[str, str]):
    """A text for people. An empty one has nothing new to say, so the former stays.

    Args:
        filepath: The file.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(filepath)
        self.metadata = metadata

    def load(self) -> str:
        """Reads the text; it is empty as long as there is none."""
        return self._path.read_text(encoding="utf-8") if self._path.is_file() else ""

    def save(self, data: str) -> None:
        """Replaces the text in one step."""
        if data:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_name(self._path.name + ".draft")
            draft.write_text(data, encoding="utf-8")
            draft.replace(self._path)

    def preview(self) -> HTMLPreview:
        """The text for kedro-viz."""
        return text_preview(self.load)

    def _exists(self) -> bool:
        return self._path.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._path)}
