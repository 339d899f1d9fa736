"""What the warehouse shows of the lake, so that people and Gold can query it."""

from __future__ import annotations

from typing import Any

from medallion.gates.decision import GateDecision
from medallion.lake.inventory import LakeInventory
from medallion.runs.audit.trail import AuditTrail
from medallion.spec import Spec
from medallion.warehouse import Publication


def register_views(
    enriched_passed: GateDecision,  # noqa: ARG001
    published: dict[str, Any],  # noqa: ARG001
    spec: Spec,
    lake: LakeInventory,
    trail: AuditTrail,
) -> Publication:
    """The lake and the audit trail as they are, for the warehouse to show or to load.

    What is loaded is what is published, so that comes first.
    """
    return shown(spec, lake, trail)


def shown(spec: Spec, lake: LakeInventory, trail: AuditTrail) -> Publication:
    """What the warehouse is to show of the lake and of the audit trail."""
    return Publication(spec, lake, {"audit.runs": trail.view()})
