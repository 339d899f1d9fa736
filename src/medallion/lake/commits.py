"""How partitions come into a lake, whatever it is kept on.

Readers ask the lake which partitions stand; a commit changes that for a set of partitions, and is
either not begun or carried to its end, by the next run if need be. On a disk each partition is
exchanged in one step under a journal (`disk_commits`). In an object store the same promise can be
kept by a pointer that names the whole state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from medallion.lake.manifest import Origin


class Commit(Protocol):
    """A set of partitions that will replace those of the lake."""

    @property
    def run_id(self) -> str:
        """The run that made the partitions."""

    def apply(self, table: str) -> list[str]:
        """Puts the partitions of one table in place; the last table ends the commit.

        What was put in place is announced before the commit is over, so that whatever stands
        was recorded.

        Returns:
            The partitions that changed.
        """

    def apply_all(self) -> list[str]:
        """Puts everything in place; says the same as `apply`."""


class Commits(Protocol):
    """The commits of a lake."""

    def staging(self, run_id: str, step: str) -> Path:
        """An empty folder of this machine, for the new partitions of one step of a run.

        A step that is done again first completes the commit of its former try, so that it sees
        the lake as it was before or as it was to be.
        """

    def prepare(
        self,
        folder: Path,
        remove: Mapping[str, set[str]],
        origins: Mapping[str, Mapping[str, Origin]],
    ) -> Commit:
        """Notes what is to change; from now on it will be carried to its end.

        Partitions that would come out byte for byte as they are stay untouched.

        Args:
            folder: A folder made by `staging`, laid out as the lake is, its partitions complete.
            remove: Partition folders that shall go, by table.
            origins: What partitions were made from, by their path, for the record.
        """

    def note(self, partitions: Iterable[str]) -> None:
        """Notes that partitions, by their path below the root, are about to be removed.

        What is said of them elsewhere in the lake is changed afterwards: an earlier state that
        can be gone back to has it as it is now.
        """

    def remove(self, partitions: Iterable[str], *, is_damaged: bool = False) -> None:
        """Takes partitions away, by their path below the root; each goes in one step.

        Args:
            partitions: The partitions.
            is_damaged: They are not what they were, so no earlier state is kept of them.
        """

    def recover(self, *, only: str | None, living: str | None) -> list[str]:
        """Completes commits that a crash cut short and clears what never became one.

        Args:
            only: The one run to do it for; all runs if None.
            living: A run that is at work, whose staging is left alone.

        Returns:
            What was done, a line for each partition completed.
        """
