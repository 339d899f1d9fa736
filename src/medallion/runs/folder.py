"""The folder of a run: small documents that its processes share.

Any process that is given the run's id finds there what was asked for, the plans, what gates
decided and which steps are done. A document is replaced whole, so a step that is repeated
leaves what it would have left at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medallion.errors import (
    AbsentError,
    ChangedError,
    DocumentError,
    ExistsError,
    LockedError,
    RequestError,
)
from medallion.lake.names import as_run_id, is_run_id
from medallion.storage import Document, Storage

REQUEST = "request.json"
PLACES = "places.json"
ENDED = "ended.json"
_DOCUMENTS = "documents"
_STEPS = "steps"
_TAKEN = "taken"
_Facts = dict[str, Any]


@dataclass(frozen=True)
class RunFolder:
    """The documents of one run.

    Attributes:
        storage: Where the folders of all runs are.
        run_id: The run.
    """

    storage: Storage
    run_id: str

    def open(
        self, request: Mapping[str, Any], places: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Notes what the run is asked for, or joins the run that is there.

        Args:
            request: What is asked for; of a run that is joined, only what differs from the
                defaults is compared.
            places: What it reads and writes, by name.

        Returns:
            What the run was asked for when it began.

        Raises:
            RequestError: The run was asked for something else, or has ended.
        """
        try:
            self.storage.create(self._key(REQUEST), _encoded(request))
        except ExistsError:
            return self._join(request)
        if places:
            self.storage.write(self._key(PLACES), _encoded(places))
        return dict(request)

    def places(self) -> dict[str, str]:
        """What the run reads and writes, by name; nothing where nobody has noted it."""
        return Document(self.storage, self._key(PLACES)).read_or(dict[str, str], {})

    def expect(self, places: Mapping[str, str]) -> None:
        """Makes sure that a process which joins the run reads and writes what the run does.

        Raises:
            RequestError: It would go on with another lake, or with another Bronze.
        """
        began = self.places()
        differing = [
            f"{name}: {place} now, {began[name]} when it began"
            for name, place in places.items()
            if began.get(name, place) != place
        ]
        if differing:
            raise RequestError(
                f"Run {self.run_id} works on other data:",
                details=differing,
                hint="set the roots as they were when the run began, or give another run id.",
            )

    def has_begun(self) -> bool:
        """Whether a process has noted what the run is asked for."""
        return Document(self.storage, self._key(REQUEST)).exists()

    def is_there(self) -> bool:
        """Whether anything of the run is there, whatever of it is gone."""
        return any(True for _ in self.storage.listed(f"{as_run_id(self.run_id)}/"))

    def restore(self) -> None:
        """Lets a run be ended of which nobody knows any more what it was asked for."""
        try:
            is_known = self.request() is not None
        except RequestError:
            is_known = False
        if not is_known:
            self.storage.write(self._key(REQUEST), _encoded({}))

    def request(self) -> dict[str, Any] | None:
        """What the run was asked for; None while there is no such run.

        Raises:
            RequestError: What is noted of it cannot be read.
        """
        document = Document(self.storage, self._key(REQUEST))
        if not document.exists():
            return None
        try:
            return document.read(_Facts, {})
        except DocumentError as error:
            raise RequestError(
                f"Run {self.run_id} cannot be joined. {error.message}",
                hint=f"end it by `kedro runs close {self.run_id}`, then give another run id, or"
                " none.",
            ) from error

    def save(self, document: str, text: str) -> None:
        """Leaves a document, as JSON text."""
        self.storage.write(self._key(f"{_DOCUMENTS}/{document}.json"), text.encode())

    def load(self, document: str) -> str | None:
        """The JSON text of a document; None while no step has left it."""
        try:
            stored = self.storage.read(self._key(f"{_DOCUMENTS}/{document}.json"))
        except AbsentError:
            return None
        return stored.data.decode(errors="replace")

    def withdraw(self, document: str) -> bool:
        """Takes a document back; whether there was one."""
        key = self._key(f"{_DOCUMENTS}/{document}.json")
        if not Document(self.storage, key).exists():
            return False
        self.storage.delete(key)
        return True

    def take_step(self, step: str, process: str, lives: Callable[[str], bool]) -> None:
        """Takes a step for a process, whatever machine others are on.

        Args:
            step: The step.
            process: Who takes it.
            lives: Whether a process that has taken it is still there.

        Raises:
            LockedError: Another process is at it.
        """
        key = self._key(f"{_TAKEN}/{step}.json")
        mine = _encoded({"process": process})
        try:
            taken = self.storage.read(key)
        except AbsentError:
            taken = None
        holder = str(json.loads(taken.data)["process"]) if taken else ""
        if holder not in ("", process) and lives(holder):
            raise step_locked(step, self.run_id, holder)
        try:
            if taken:
                self.storage.swap(key, mine, taken.version)
            else:
                self.storage.create(key, mine)
        except (ChangedError, ExistsError):
            raise step_locked(step, self.run_id, "it has just begun") from None

    def let_go(self, step: str) -> None:
        """Lets a step go that a process has taken."""
        self.storage.delete(self._key(f"{_TAKEN}/{step}.json"))

    def begin_step(self, step: str) -> None:
        """Takes back that a step is done: it is being done again."""
        self.storage.delete(self._key(f"{_STEPS}/{step}.json"))

    def finish_step(self, step: str, content: Mapping[str, Any]) -> None:
        """Notes that a step is done; done again, the last word counts."""
        self.storage.write(self._key(f"{_STEPS}/{step}.json"), _encoded(content))

    def steps(self) -> dict[str, dict[str, Any]]:
        """What is noted of the steps that are done, by step."""
        prefix = self._key(f"{_STEPS}/")
        found = {
            entry.key.removeprefix(prefix).removesuffix(".json"): Document(
                self.storage, entry.key
            ).read_or(_Facts, {})
            for entry in self.storage.listed(prefix)
        }
        # A step whose note cannot be read is done again.
        return {step: content for step, content in found.items() if content}

    def end(self, content: Mapping[str, Any]) -> bool:
        """Ends the run, unless it has ended.

        Returns:
            Whether this call ended it: what closes a run is done by that one process.
        """
        try:
            self.storage.create(self._key(ENDED), _encoded(content))
        except ExistsError:
            return False
        return True

    def ended(self) -> dict[str, Any] | None:
        """How the run ended; None while it has not."""
        document = Document(self.storage, self._key(ENDED))
        return document.read_or(_Facts, {}) if document.exists() else None

    def _join(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if self.ended() is not None:
            raise RequestError(
                f"Run {self.run_id} has ended.",
                hint="give another run id, or none; `kedro runs list` shows the runs.",
            )
        began = self.request() or {}
        differing = [
            f"{name}: {value!r} now, {began.get(name)!r} when it began"
            for name, value in sorted(request.items())
            if value != began.get(name)
        ]
        if differing:
            raise RequestError(
                f"Run {self.run_id} was asked for something else:",
                details=differing,
                hint="a step that joins a run needs only its run id.",
            )
        return began

    def _key(self, name: str) -> str:
        return f"{as_run_id(self.run_id)}/{name}"


def step_locked(step: str, run_id: str, holder: str) -> LockedError:
    """That another process is at a step."""
    return LockedError(
        f"Another process does {step} of run {run_id} ({holder}).",
        hint="wait for it; a step that has failed or was killed can be done again.",
    )


def unfinished(storage: Storage) -> Iterable[RunFolder]:
    """The runs that have begun and not ended, in the order of their ids."""
    # Somebody's copy of a run's folder is no run.
    runs = (RunFolder(storage, name) for name in storage.folders() if is_run_id(name))
    return [run for run in runs if run.ended() is None and run.has_begun()]


def _encoded(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, default=str) + "\n").encode()
