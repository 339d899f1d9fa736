"""What has been validated already: a verdict stands as long as data and suite are the same.

Without it a run that finds nothing new would either look at everything again, or let pass
what an earlier run was stopped for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from medallion.gates.reports.kept import KeptFile
from medallion.gates.result import Due, Failure, Json, Partitions
from medallion.gates.suite import Suite
from medallion.lake.manifest import fingerprint

# Rises when something is measured in another way, so that everything is looked at again.
_MEASURED_AS = 1
# Beside the names of reports: of which verdicts they tell.
_TOLD = "verdicts"


@dataclass(frozen=True)
class Judged:
    """The verdict on a table.

    Attributes:
        suite: A fingerprint of the suite that it was given by.
        partitions: Fingerprints of the partitions that it stands on, by value.
        failures: What did not hold, with the partitions that were looked at together.
        snapshots: Of a dimension, the folders of all its snapshots and of what was put aside,
            so that the loss of one is seen; None for other tables.
        keys: Of a dimension, the fingerprint of its known keys; None for other tables.
    """

    suite: str
    partitions: Mapping[str, str]
    failures: tuple[Failure, ...] = ()
    snapshots: tuple[str, ...] | None = None
    keys: str | None = None

    def as_json(self) -> Json:
        """The verdict as it is kept."""
        content: Json = {
            "suite": self.suite,
            "partitions": dict(self.partitions),
            "failures": [failure.as_json() for failure in self.failures],
        }
        if self.snapshots is not None:
            content["snapshots"] = [*self.snapshots]
        return content if self.keys is None else content | {"keys": self.keys}

    def due(self, suite: str, current: Mapping[str, str]) -> dict[str, str]:
        """The partitions on which the verdict does not stand any more."""
        if self.suite != suite:
            return dict(current)
        changed = {v for v, stamp in current.items() if self.partitions.get(v) != stamp}
        gone = self.partitions.keys() - current.keys()
        for failure in self.failures:
            together = (failure.partitions or {}).keys()
            if together & (changed | gone):
                changed |= together & current.keys()
        return {value: current[value] for value in sorted(changed)}


@dataclass(frozen=True)
class Ledger:
    """The verdicts on the tables of a layer.

    Attributes:
        tables: By table.
        reports: The files that tell of them, as they were written, by their names below the
            folder of reports.
        told: A fingerprint of the verdicts that the reports tell of. Verdicts go back with a lake
            that is rolled back, and reports do not.
    """

    tables: Mapping[str, Judged] = field(default_factory=dict)
    reports: Mapping[str, KeptFile] = field(default_factory=dict)
    told: str = ""

    @property
    def is_told(self) -> bool:
        """Whether the reports tell of these verdicts."""
        return self.told == fingerprint(self.tables_as_json())

    def changed_reports(self, folder: Path) -> list[str]:
        """Reports that are not what was written, with what is wrong, a line each."""
        return [
            f"{name} {wrong}"
            for name, kept in self.reports.items()
            if (wrong := kept.difference(folder / name))
        ]

    def due(self, suites: Mapping[str, Suite], current: Partitions) -> list[Due]:
        """The tables with partitions on which no verdict stands.

        Args:
            suites: The suites of the layer, by table.
            current: Fingerprints of the partitions that there are now.
        """
        found = [
            Due(table, suite_hash(suite), self._due(table, suite_hash(suite), partitions))
            for table, suite in suites.items()
            for partitions in [current.get(table, {})]
        ]
        return [due for due in found if due.partitions]

    def _due(self, table: str, suite: str, partitions: Mapping[str, str]) -> Mapping[str, str]:
        judged = self.tables.get(table)
        return judged.due(suite, partitions) if judged else dict(partitions)

    def kept(self, due: Sequence[Due]) -> list[Failure]:
        """Failures of earlier runs that concern no partition which is due."""
        now = {table.table: set(table.partitions) for table in due}
        return [
            failure
            for table, judged in self.tables.items()
            for failure in judged.failures
            if not set(failure.partitions or ()) & now.get(table, set())
        ]

    def updated(
        self, due: Sequence[Due], current: Partitions, failures: Sequence[Failure]
    ) -> Ledger:
        """The ledger after a validation.

        Args:
            due: What was validated now.
            current: Fingerprints of the partitions that there are now.
            failures: What failed now.
        """
        kept, now = self.kept(due), {table.table: table for table in due}
        return replace(
            self,
            tables={
                table: Judged(
                    suite=now[table].suite if table in now else self.tables[table].suite,
                    partitions=dict(partitions),
                    failures=(
                        *(failure for failure in kept if failure.table == table),
                        *(
                            replace(failure, partitions=dict(now[table].partitions))
                            for failure in failures
                            # What a former try of the step has found there is kept already.
                            if failure.table == table and table in now and failure.matters
                        ),
                    ),
                )
                for table, partitions in current.items()
                if table in now or table in self.tables
            },
        )

    def with_snapshots(self, known: Mapping[str, Sequence[str]], keys: Mapping[str, str]) -> Ledger:
        """The ledger that also remembers what stands of dimensions, by dimension.

        Args:
            known: Their snapshots.
            keys: Fingerprints of their known keys.
        """
        tables = {
            name: replace(judged, snapshots=tuple(known.get(name, ())), keys=keys.get(name, ""))
            for name, judged in self.tables.items()
        }
        return replace(self, tables=tables)

    def tables_as_json(self) -> Json:
        """The verdicts as they are kept, in the lake."""
        return {table: judged.as_json() for table, judged in self.tables.items()}

    def reports_as_json(self) -> Json:
        """What the reports were, and of which verdicts, as it is kept beside them."""
        reports: Json = {
            name: {"bytes": kept.bytes, "sha256": kept.sha256}
            for name, kept in self.reports.items()
        }
        return {**reports, _TOLD: fingerprint(self.tables_as_json())}

    @classmethod
    def from_json(cls, tables: Mapping[str, object], reports: Mapping[str, object]) -> Self:
        """Reads what was kept in both places; what is something else says nothing."""
        try:
            files = {name: kept for name, kept in reports.items() if name != _TOLD}
            said = {"tables": tables, "reports": files, "told": reports.get(_TOLD, "")}
            ledger: Self = _adapter().validate_python(said)
        except ValidationError:
            return cls()
        return ledger


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Ledger)


def suite_hash(suite: Suite) -> str:
    """A fingerprint of all that can change a verdict besides the data."""
    return fingerprint([_MEASURED_AS, suite.identity])
