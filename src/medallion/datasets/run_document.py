"""What one step of a run hands to another: a small typed document, kept with the run."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import JSONPreview

from medallion.datasets.previewing import json_preview
from medallion.errors import StepError
from medallion.runs.folder import RunFolder
from medallion.storage import Document, open_storage

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_ABSENT = object()


class RunDocumentDataset(AbstractDataset[Any, Any]):
    """A document of a run, as JSON of a declared type.

    Any process that is given the run's id finds it, so any step can be run in any process.

    Args:
        filepath: The folder of all runs.
        run_id: The run.
        name: The document.
        model: Import path of its type: a dataclass, a pydantic model, or anything else that
            pydantic can read.
        made_by: The node that makes it.
        default: What it says as long as no step has made it; none makes its absence an error.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        run_id: str,
        name: str,
        model: str,
        made_by: str,
        default: Any = _ABSENT,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._folder = RunFolder(open_storage(filepath), run_id)
        self._name = name
        self._model = model
        self._made_by = made_by
        self._default = default
        self._held: Any = _ABSENT
        self.metadata = metadata

    def load(self) -> Any:
        """Reads the document.

        Raises:
            StepError: No step of the run has made it, or it cannot be read.
        """
        if self._held is not _ABSENT:
            return self._held
        text = self._folder.load(self._name)
        if text is not None:
            return self._parsed(text)
        if self._default is not _ABSENT:
            return self._adapter.validate_python(self._default)
        run_id = self._folder.run_id
        raise StepError(
            f"No step of run {run_id} has made {self._name} yet; {self._made_by} makes it.",
            hint=f"run that step first, in the same run: "
            f"`kedro run --nodes {self._made_by} --params run_id={run_id}`. "
            "A run that has made it can be joined by its id (`kedro runs list`).",
        )

    def _parsed(self, text: str) -> Any:
        from pydantic import ValidationError

        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            raise StepError(
                f"{self._name} of run {self._folder.run_id} cannot be read: "
                "it does not say what it should.",
                hint=f"do the step {self._made_by} of this run again, which makes it anew.",
            ) from error

    @property
    def made_by(self) -> str:
        """The node that makes it."""
        return self._made_by

    @property
    def place(self) -> tuple[str, str, str]:
        """What tells the document from others: where, of which run, which one."""
        return self._folder.storage.root, self._folder.run_id, self._name

    def withdraw(self) -> bool:
        """Takes the document back: what it says is being made anew.

        Returns:
            Whether there was one.
        """
        self._held = _ABSENT
        return self._folder.withdraw(self._name)

    def save(self, data: Any) -> None:
        """Leaves the document; this process goes on with the very object."""
        self._folder.save(self._name, self._adapter.dump_json(data, indent=1).decode())
        self._held = data

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        from kedro.utils import load_obj
        from pydantic import TypeAdapter

        return TypeAdapter(load_obj(self._model))

    def preview(self) -> JSONPreview:
        """The document for kedro-viz: of the newest run that has one, if this run has none."""
        return json_preview(self._shown)

    def _shown(self) -> Any:
        end = f"/documents/{self._name}.json"
        found = [e.key for e in self._folder.storage.listed() if e.key.endswith(end)]
        if not found:
            return {"made_by": self._made_by, "note": "no run has made it yet"}
        return Document(self._folder.storage, max(found)).read(object, None)

    def _exists(self) -> bool:
        return self._folder.load(self._name) is not None

    def _describe(self) -> dict[str, Any]:
        return {"run_id": self._folder.run_id, "name": self._name, "made_by": self._made_by}


class EarlierDocumentDataset(RunDocumentDataset):
    """A document as a former try of the same step has left it; None if there is none to read.

    A step that reads what it makes goes on from it, so beginning it again takes nothing back.
    """

    def load(self) -> Any:
        """Reads the document; one that cannot be read is made anew."""
        text = self._folder.load(self._name)
        try:
            return None if text is None else self._parsed(text)
        except StepError:
            return None

    def save(self, data: Any) -> None:  # noqa: ARG002
        """Refuses: it is saved by the name of the document itself."""
        raise StepError(f"{self._name} is not saved under the name of its former version.")
