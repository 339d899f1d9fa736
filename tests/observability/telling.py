"""A collector as it stands when a run has started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medallion.hooks import RunCollector
from medallion.hooks.configuration import parse_observability
from medallion.masking import Mask
from tests.conftest import PROJECT


def collector_at(data_root: Path, run_id: str = "run-1", **settings: Any) -> RunCollector:
    """A collector of a run that writes below a folder of the test's own."""
    collector = RunCollector()
    collector.data_root = data_root
    collector.bronze_root = str(data_root / "bronze")
    collector.spec_path = str(PROJECT / "conf/base/spec.yml")
    collector.settings = parse_observability(settings)
    collector.mask = Mask({"SHOP_TOKEN": "tr0ub4dor"})
    collector.facts.run_id = run_id
    collector.facts.environment = "local"
    return collector
