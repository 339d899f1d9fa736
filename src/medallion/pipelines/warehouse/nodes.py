"""The local warehouse: views over the lake in a DuckDB file."""

from __future__ import annotations

from medallion.datasets.warehouse import Warehouse
from medallion.gates.decision import GateDecision
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import fingerprint
from medallion.lake.views import lake_views
from medallion.runs.audit.trail import AuditTrail
from medallion.spec import Spec


def register_views(
    enriched_passed: GateDecision,  # noqa: ARG001
    spec: Spec,
    lake: LakeInventory,
    trail: AuditTrail,
    warehouse: Warehouse,
) -> list[str]:
    """Lets the warehouse show the lake and the audit trail as they are; nothing is copied.

    Returns:
        The views.
    """
    views = {**lake_views(spec, lake), "audit.runs": trail.view()}
    stamp = fingerprint(views)
    if not warehouse.is_made_from("views", stamp):
        import duckdb

        with warehouse.replacing("views", stamp) as file, duckdb.connect(str(file)) as connection:
            for schema in sorted({name.split(".")[0] for name in views}):
                connection.execute(f"create schema if not exists {schema}")
            for name, statement in views.items():
                connection.execute(f"create or replace view {name} as {statement}")
    return sorted(views)
