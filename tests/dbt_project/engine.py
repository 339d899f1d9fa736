"""Base Silver built straight from files a test has written, without the pipeline around it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from medallion.dbt_project import BuildResult, EngineSettings, build_base_silver
from medallion.lake.bronze import list_bronze
from medallion.spec import Spec

KNOWN_CUSTOMERS = ("CUST-1", "CUST-2")
KNOWN_PRODUCTS = (1, 2)


@dataclass(frozen=True)
class Built:
    """What one build wrote and counted."""

    staging: Path
    result: BuildResult

    def frame(self, table: str) -> pl.DataFrame:
        """The rows of a staged table such as `base/orders`; no rows, no columns."""
        files = [file for p in self.result.staged[table].partitions for file in p.files]
        frames = [pl.read_parquet(file, hive_partitioning=True) for file in files]
        return pl.concat(frames) if frames else pl.DataFrame()

    def fingerprints(self) -> dict[str, str]:
        """The bytes of every staged file, as hashes."""
        return {
            path.relative_to(self.staging).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.staging.rglob("*.parquet"))
        }


def write_files(root: Path, table: str, partition: str, frames: Sequence[pl.DataFrame]) -> None:
    """Delivers a partition of several files."""
    folder = root / table / partition
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for n, frame in enumerate(frames):
        name = f"part-{n:04}.parquet"
        frame.write_parquet(folder / name)
        listed.append({"path": f"{table}/{partition}/{name}", "rows": frame.height})
    manifest = {"files": listed, "total_rows": sum(frame.height for frame in frames)}
    (folder / "_MANIFEST.json").write_text(json.dumps(manifest), encoding="utf-8")


def build(
    bronze: Path,
    out: Path,
    spec: Spec,
    *,
    threads: int = 2,
    history: Mapping[str, Sequence[Path]] | None = None,
) -> Built:
    """Scores all event partitions of a Bronze folder; two customers and two products are known."""
    out.mkdir(parents=True)
    keys = {"customers": out / "customers.parquet", "product_catalog": out / "products.parquet"}
    pl.DataFrame({"customer_id": KNOWN_CUSTOMERS}).write_parquet(keys["customers"])
    pl.DataFrame({"product_id": KNOWN_PRODUCTS}).write_parquet(keys["product_catalog"])
    inventory = list_bronze(str(bronze), spec)
    opened, _ = inventory.open([p for name in spec.events for p in inventory.tables[name]])
    window = {name: opened.get(name, []) for name in spec.events}
    staging = out / "staging"
    staging.mkdir()
    settings = EngineSettings("1GB", threads, out / "spill")
    result = build_base_silver(spec, window, history or {}, keys, staging, settings)
    return Built(staging, result)
