"""The errors that are meant for the person who runs the pipeline."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType


class MedallionError(Exception):
    """Something the user can put right: says what, where, and what to do next.

    Args:
        message: What is wrong and where (table, partition, file, column).
        hint: What to do next.
        details: Further lines, at most a screenful; the rest is counted.
    """

    exit_code = 1
    shown_details = 12

    def __init__(self, message: str, *, hint: str = "", details: list[str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = list(details or [])

    def __str__(self) -> str:
        lines = [self.message, *(f"  - {line}" for line in self.details[: self.shown_details])]
        hidden = len(self.details) - self.shown_details
        if hidden > 0:
            lines.append(f"  ... and {hidden} more")
        if self.hint:
            lines.append(f"What to do: {self.hint}")
        return "\n".join(lines)


class SpecError(MedallionError):
    """`spec.yml` says something that cannot be."""


class SuiteError(MedallionError):
    """A suite of expectations says something that cannot be."""


class RequestError(MedallionError):
    """What was asked for on the command line cannot be."""


class UsageError(RequestError):
    """The command line names something that is not there; exit code 2, as click has it."""

    exit_code = 2


class StepError(UsageError):
    """A step of a run needs what another step has not made yet."""


class LakeError(MedallionError):
    """The lake on disk cannot be read or written as it must be."""


class LockedError(LakeError):
    """Another run holds the lake."""


class PublishError(LakeError):
    """What a run made cannot become current."""


class CollectedError(LakeError):
    """What is asked for is there no longer: it went with its state, or somebody has deleted it."""


class PointerError(LakeError):
    """The pointer to the current state does not name one.

    Attributes:
        version: The pointer's version, by which it can be replaced.
    """

    version: str = ""


class GateError(MedallionError):
    """A gate found something that must not go further."""


class DbtError(MedallionError):
    """dbt could not build a model.

    Attributes:
        models: The models that failed, with the SQL that dbt had made of each.
        texts: What the engine said of each of them; it may quote a value of the data.
        built: Seconds of those that were built all the same.
    """

    models: Mapping[str, str] = MappingProxyType({})
    texts: Mapping[str, str] = MappingProxyType({})
    built: Mapping[str, float] = MappingProxyType({})


class WarehouseError(MedallionError):
    """The warehouse cannot hold, or does not hold, what it should."""


class UnrecordedError(MedallionError):
    """What a run has done could not be written down; it is told again by whoever comes next."""


class ConfigurationError(MedallionError):
    """A configuration file says something that cannot be."""


class StorageError(MedallionError):
    """Bytes could not be read or written where they are kept."""


class AbsentError(StorageError):
    """An object that was asked for is not there."""


class DocumentError(StorageError):
    """A small object does not say what it should."""


class ExistsError(StorageError):
    """An object that was to be made is there already."""


class ChangedError(StorageError):
    """Somebody else has changed an object meanwhile."""


def meant(name: str, known: Iterable[str]) -> str:
    """A question that names what is spelled most like a name; empty if nothing is.

    >>> meant("sliver", ["silver", "gold"])
    'did you mean silver? '
    """
    names = list(known)
    near = get_close_matches(name, names, n=1) or [k for k in names if name and name in k][:1]
    return f"did you mean {near[0]}? " if near else ""


_LONGEST = 60


def shown(name: str) -> str:
    r"""A name that was given, quoted, on one line and not too long; look-alike letters are named.

    >>> print(shown("caf" + chr(233)))
    'caf\xe9' (it holds LATIN SMALL LETTER E WITH ACUTE)
    """
    text = ascii(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}...")
    odd = next((c for c in name if not c.isascii()), None)
    return f"{text} (it holds {unicodedata.name(odd, 'a letter without a name')})" if odd else text
