"""Publishing: what the gates have passed becomes current, all of it in one step."""

from __future__ import annotations

from medallion.gates.decision import GateDecision
from medallion.lake.manifest import fingerprint
from medallion.lake.writes import PublishRequest
from medallion.planning.request import RunRequest
from medallion.spec import Spec

# What is asked for anew in every run is no reason for other rows.
_OF_A_RUN = {"run_id", "ingest_dt", "start", "end", "replay", "forget", "quality", "engine"}


def publish(
    enriched_passed: GateDecision,  # noqa: ARG001
    request: RunRequest,
    spec: Spec,
) -> PublishRequest:
    """What is to be published, and what tells of it: saving it publishes it."""
    parameters = request.model_dump(mode="json", exclude=_OF_A_RUN)
    told = {
        "spec": fingerprint(spec.model_dump(mode="json")),
        "parameters": fingerprint(parameters),
    }
    return PublishRequest(request.run_id, told)
