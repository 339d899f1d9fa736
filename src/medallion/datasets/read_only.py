"""What the project reads and never writes."""

from __future__ import annotations

from typing import Any, Generic, Never, TypeVar

from kedro.io import AbstractDataset, DatasetError

T = TypeVar("T")


class ReadOnlyDataset(AbstractDataset[Never, T], Generic[T]):
    """A dataset that refuses to be saved."""

    def save(self, data: Any) -> None:
        """Refuses.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{self} is read-only; {type(data).__name__} was not saved.")
