"""What history, comparison and rollback need of a lake, wherever it is kept.

In an object store a state is what a run has published (`published`); on a disk, what is kept of the
states that the folders do not hold any more (`disk_states`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from medallion.lake.published import Piece, Pointer, Reference, StateManifest


class States(Protocol):
    """The states of a lake."""

    def pointer(self) -> tuple[Pointer | None, str | None]:
        """Which state is current, and the version of that; None where there is no state yet.

        Raises:
            PointerError: It is not said which state is current.
        """

    def without_state(self, pointer: Pointer | None) -> str:
        """What is said where what is current is none of the states that there are.

        Args:
            pointer: What is current; None if nothing is.
        """

    def states(self) -> list[tuple[StateManifest, str, int]]:
        """All states: manifest, its key, when it was written; newest first."""

    def piece(self, reference: Reference) -> Piece:
        """The partitions of a table in a state.

        Raises:
            LakeError: They are not what the state describes.
        """

    def bring(self, key: str, path: Path, sha256: str) -> Path:
        """A file of data on this machine.

        Args:
            key: What holds it.
            path: Where to, if it is elsewhere.
            sha256: Of its bytes, as its manifest says.

        Raises:
            LakeError: It has other bytes.
        """

    def go_back(self, pointer: Pointer, version: str | None) -> str:
        """Makes an earlier state current, if what is current is still what it was.

        Args:
            pointer: The state.
            version: The version of what is current.

        Returns:
            The version of what is current then.

        Raises:
            PublishError: Something else is current meanwhile.
            LakeError: Not all of the state is there.
        """
