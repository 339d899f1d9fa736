"""Small files that a run leaves for the next one, and for people."""

from __future__ import annotations

from typing import Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import HTMLPreview, JSONPreview

from medallion.datasets.previewing import json_preview, text_preview
from medallion.datasets.read_only import ReadOnlyDataset
from medallion.errors import LakeError
from medallion.gates.ledger import Ledger
from medallion.gates.reports.kept import as_text
from medallion.gates.result import GateResult
from medallion.storage import Document


class StateDataset(AbstractDataset[Any, Any]):
    """A JSON object that is replaced in one step.

    Args:
        filepath: The file.
        made_by: What a person runs to have it made.
        default: What it says as long as it is not there; none makes its absence an error.
        metadata: For kedro-viz.
    """

    _shape: Any = dict[str, Any]

    def __init__(
        self,
        *,
        filepath: str,
        made_by: str = "kedro run",
        default: Any = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._document = Document.at(filepath)
        self._made_by = made_by
        self._default = default
        self.metadata = metadata

    def load(self) -> Any:
        """Reads the file.

        Raises:
            LakeError: It is not there.
            DocumentError: It cannot be read.
        """
        found = self._document.read(self._shape, self._default)
        if found is None:
            raise LakeError(
                f"There is no {self._document} yet.", hint=f"run `{self._made_by}` first."
            )
        return found

    def save(self, data: Any) -> None:
        """Replaces the file; the order of keys is kept, as people read it."""
        self._document.write(data, sort_keys=False)

    def preview(self) -> JSONPreview:
        """The file for kedro-viz."""
        return json_preview(self.load)

    def _exists(self) -> bool:
        return self._document.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._document)}


class ReceiptDataset(StateDataset):
    """Names of what a layer has made, for the layers behind it, also in a later run."""

    _shape = list[str]

    @property
    def place(self) -> str:
        """The file, as lineage names it."""
        return str(self._document)


class LedgerDataset(StateDataset):
    """On what the verdicts of a gate stand: in the lake, and for its reports beside them.

    Reports tell of runs and differ from one to the next; what is in the lake follows from data.

    Args:
        filepath: The file in the lake.
        reports: The file beside the reports.
        metadata: For kedro-viz.
    """

    def __init__(
        self, *, filepath: str, reports: str, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, default={}, metadata=metadata)
        self._reports = Document.at(reports)

    def load(self) -> Ledger:
        """Reads both files."""
        return Ledger.from_json(super().load(), self._reports.read_or(dict[str, Any], {}))

    def save(self, data: Ledger) -> None:
        """Replaces both files; a ledger without tables is none."""
        verdicts = data.tables_as_json()
        if verdicts or self._exists():
            super().save(verdicts)
        self._reports.write(data.reports_as_json())

    def preview(self) -> JSONPreview:
        """The verdicts for kedro-viz."""
        return json_preview(super().load)


class QualityDataset(StateDataset):
    """What a gate has found: a run saves it as a `GateResult`, everybody loads plain JSON."""

    def save(self, data: GateResult) -> None:
        """Replaces the file in one step, unless it says the same already."""
        self._document.write_text(as_text(data))


class EarlierQualityDataset(ReadOnlyDataset[GateResult | None]):
    """What a gate found in the run before, for the trend that goes on from there.

    Args:
        filepath: The file.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._document = Document.at(filepath)
        self.metadata = metadata

    def load(self) -> GateResult | None:
        """The result; None if there is none, or it is not what a gate writes."""
        try:
            return GateResult.from_json(self._document.read_or(dict[str, Any], {}))
        except LakeError:
            return None

    def preview(self) -> JSONPreview:
        """The file for kedro-viz."""
        return json_preview(lambda: self._document.read_or(dict[str, Any], {}))

    def _exists(self) -> bool:
        return self._document.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._document)}


class ReportDataset(AbstractDataset[str, str]):
    """A text for people. An empty one has nothing new to say, so the former stays.

    Args:
        filepath: The file.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._document = Document.at(filepath)
        self.metadata = metadata

    def load(self) -> str:
        """Reads the text; it is empty as long as there is none."""
        return (self._document.content() or b"").decode(errors="replace")

    def save(self, data: str) -> None:
        """Replaces the text in one step."""
        if data:
            self._document.write_text(data)

    def preview(self) -> HTMLPreview:
        """The text for kedro-viz."""
        return text_preview(self.load)

    def _exists(self) -> bool:
        return self._document.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._document)}
