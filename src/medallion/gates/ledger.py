"""What has been validated already: a verdict stands as long as data and suite are the same.

Without it a run that finds nothing new would either look at everything again, or let pass
what an earlier run was stopped for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medallion.gates.gate import Due, Failure
from medallion.gates.suites import Suite
from medallion.lake.manifest import fingerprint

# Rises when facts are measured in another way, so that everything is looked at again.
_MEASURED_AS = 1

Ledger = Mapping[str, Mapping[str, Any]]
Partitions = Mapping[str, Mapping[str, str]]


def due_tables(ledger: Ledger, suites: Mapping[str, Suite], standing: Partitions) -> list[Due]:
    """The tables with partitions on which no verdict stands.

    Args:
        ledger: What has been validated, by table.
        suites: The suites of the layer.
        standing: Fingerprints of the partitions that stand, by table and value.
    """
    found = [
        Due(table, suite_hash(suite), _due(ledger.get(table, {}), suite_hash(suite), partitions))
        for table, suite in suites.items()
        for partitions in [standing.get(table, {})]
    ]
    return [due for due in found if due.partitions]


def standing_failures(ledger: Ledger, due: Sequence[Due]) -> list[Failure]:
    """Failures of earlier runs that concern partitions on which the verdict stands."""
    now = {table.table: set(table.partitions) for table in due}
    return [
        failure
        for table, entry in ledger.items()
        for failure in entry["failures"]
        if not set(failure["partitions"]) & now.get(table, set())
    ]


def updated(
    ledger: Ledger, due: Sequence[Due], standing: Partitions, failures: Sequence[Failure]
) -> dict[str, Any]:
    """The ledger after a validation.

    Args:
        ledger: What was validated before.
        due: What was validated now.
        standing: Fingerprints of the partitions that stand.
        failures: What failed now.
    """
    kept = standing_failures(ledger, due)
    now = {table.table: table for table in due}
    return {
        table: {
            "suite": now[table].suite if table in now else ledger[table]["suite"],
            "partitions": dict(partitions),
            "failures": [failure for failure in kept if failure["table"] == table]
            + [
                {**failure, "partitions": dict(now[table].partitions)}
                for failure in failures
                if failure["table"] == table and failure["severity"] != "info"
            ],
        }
        for table, partitions in standing.items()
        if table in now or table in ledger
    }


def suite_hash(suite: Suite) -> str:
    """A fingerprint of all that can change a verdict besides the data."""
    return fingerprint([_MEASURED_AS, suite.facts])


def _due(entry: Mapping[str, Any], suite: str, partitions: Mapping[str, str]) -> dict[str, str]:
    if entry.get("suite") != suite:
        return dict(partitions)
    known: Mapping[str, str] = entry["partitions"]
    changed = {value for value, stamp in partitions.items() if known.get(value) != stamp}
    gone = known.keys() - partitions.keys()
    for failure in entry["failures"]:
        if failure["partitions"].keys() & (changed | gone):
            changed |= failure["partitions"].keys() & partitions.keys()
    return {value: partitions[value] for value in sorted(changed)}
