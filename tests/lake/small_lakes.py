"""A small lake on a disk, the runs that change it, and where a process that changes it may die."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from medallion.lake import swap
from medallion.lake.damage import find_damage
from medallion.lake.disk_states import AsOf, DiskStates
from medallion.lake.history import State, find_state, history, roll_back
from medallion.lake.state import reader_of
from medallion.lake.store import Lake
from tests.lake.test_state import put

#: What a layer's commit moves together.
STEPS = {"base_silver": ("base/orders", "quarantine/orders"), "enriched": ("enriched/carts",)}
TABLES = tuple(table for tables in STEPS.values() for table in tables)
#: What each partition holds: table, day of October, text.
Content = Mapping[tuple[str, int], str]
Bytes = dict[str, bytes]


class SmallLake:
    """A lake as one process sees it.

    Args:
        root: Its folder.
        keep: How many earlier states are kept.
    """

    def __init__(self, root: Path, keep: int = 1) -> None:
        # A process of its own has read nothing yet.
        reader_of.cache_clear()
        self.lake = Lake(root)
        self.lake.state.kept_runs = keep
        self.root = root

    def run(self, run_id: str, content: Content, *, until: str | None = None) -> None:
        """A run after which the lake holds this; it may fail after a step, and publish nothing."""
        self.lake.recover(living=run_id)
        for step in STEPS:
            self.commit(run_id, step, content)
            if step == until:
                return
        self.lake.publish(run_id, {"spec": "1"})
        # The gate of Gold comes after the lake is published.
        self._note("gold", sorted(content.values()))

    def commit(self, run_id: str, step: str, content: Content) -> None:
        """What one step of a run does: partitions first, then what is noted of them."""
        tables = STEPS[step]
        staging = self.lake.staging(run_id, step)
        for (table, day), text in content.items():
            if table in tables:
                put(staging, table, day, text)
        wanted = {
            table: {folder(day) for name, day in content if name == table} for table in tables
        }
        standing = {table: {*self.lake.state.table(table).folders} for table in tables}
        gone = {table: standing[table] - wanted[table] for table in tables}
        self.lake.prepare(staging, gone).apply_all()
        texts = {f"{t}/{d}": text for (t, d), text in content.items() if t in tables}
        self._note(step, sorted(texts.items()))

    def forget(self, table: str, day: int) -> None:
        """Takes a partition out, and first of all what is noted of it."""
        partition = f"{table}/{folder(day)}"
        self.lake.note([partition])
        self._note("forgotten", [partition])
        self.lake.remove([partition])

    def mend(self) -> None:
        """Takes what is damaged away, as every run does when it begins."""
        found = [one.path for one in find_damage(self.lake)]
        self.lake.remove(found, is_damaged=True)

    def go_to(self, run_id: str | None = None, name: str = "rollback") -> State:
        """Goes to the state of a run, or to the one before."""
        self.lake.recover()
        states = DiskStates(self.lake, name)
        found = find_state(history(states), run_id)
        if not found.is_current:
            roll_back(states, found.run_id)
        return found

    def states(self) -> list[State]:
        return history(DiskStates(self.lake))

    def runs(self) -> list[str]:
        """The runs of which there is a state, the current one first."""
        return [one.run_id for one in sorted(self.states(), key=lambda one: not one.is_current)]

    def current(self) -> str:
        return self.runs()[0]

    def read(self, run_id: str | None = None) -> dict[tuple[str, int], str]:
        """What the partitions hold, now or as of a run, read through the manifests."""
        self.lake.state.past = AsOf(self.lake, run_id) if run_id else None
        try:
            return {
                (table, int(day[-2:])): path.read_text()
                for table in TABLES
                for day in self.lake.partitions(table)
                for path in self.lake.files(table, {day})
            }
        finally:
            self.lake.state.past = None

    def data(self) -> Bytes:
        """The bytes of every file of the lake, without what is kept of earlier states."""
        return bytes_below(self.root, but="_history")

    def kept(self) -> Bytes:
        """The bytes of what is kept of earlier states."""
        return bytes_below(self.root / "_history")

    def kept_partitions(self) -> list[str]:
        """The partitions of which a version is kept, once for each."""
        found = self.lake.places.kept_partitions.glob("*/*/*/*")
        return sorted(f"{one.parts[-4]}/{one.parts[-3]}/{one.name}" for one in found)

    def _note(self, name: str, said: object) -> None:
        self.lake.document(self.lake.places.ledger_key(name)).write({"said": said})


def folder(day: int) -> str:
    return f"ingestion_dt=2025-10-{day:02d}"


def bytes_below(root: Path, but: str = "") -> Bytes:
    found = (
        Path(folder, name)
        for folder, _, names in os.walk(root, followlinks=True)
        for name in names
        if not name.startswith(".")
    )
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(found)
        if not (but and path.relative_to(root).parts[0] == but)
    }


# Every call by which a process changes what is on the disk, but for writing into drafts.
_STEPS: tuple[tuple[Any, str], ...] = (
    (Path, "rename"),
    (Path, "replace"),
    (Path, "unlink"),
    (shutil, "rmtree"),
    (swap, "_exchange"),
)


class Steps:
    """Counts the steps of a process, and ends it at one of them.

    Args:
        last: The step that is the last; none if it is not given.
        is_done: Whether the last step is done before the process dies.
    """

    def __init__(self, last: int = 0, *, is_done: bool = False) -> None:
        self.count = 0
        self._last, self._is_done = last, is_done
        self._real = [(owner, name, getattr(owner, name)) for owner, name in _STEPS]

    def __enter__(self) -> Self:
        for owner, name, call in self._real:
            setattr(owner, name, self._watched(call))
        return self

    def __exit__(self, *_: object) -> None:
        for owner, name, call in self._real:
            setattr(owner, name, call)

    def _watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            self.count += 1
            is_last = self.count == self._last
            if is_last and not self._is_done:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*arguments, **named)
            if is_last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return watched
