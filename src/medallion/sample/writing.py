"""Writing partitions as the real producer lays them out; the manifest comes last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb

from medallion.sample.request import SampleRequest
from medallion.spec import Spec
from medallion.spec.types import BRONZE
from medallion.sql import literal

_ROW_GROUP = 1_000_000
DROPPED = "dropped"
# The files that were generated, one a line after its SHA-256: `make clean` removes these while
# they are what they were, and no other.
LISTED = "_SAMPLE"
_MANIFEST, _SUCCESS = "_MANIFEST.json", "_SUCCESS"
_SCHEMA_VERSION = "0.1.0"
_NO_EVENT_DATE = ("product_catalog", "order_items", "return_items")


@dataclass
class BronzeWriter:
    """Writes the partitions of a sample.

    Attributes:
        connection: Where the working tables are.
        request: The sample.
        spec: The contract.
        rows: Rows written so far, by table.
    """

    connection: duckdb.DuckDBPyConnection
    request: SampleRequest
    spec: Spec
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def batch_id(self) -> str:
        """One id for the whole sample, from its seed."""
        return f"batch_{hashlib.sha256(f'batch {self.request.seed}'.encode()).hexdigest()[:32]}"

    def delivered_at(self) -> str:
        """When the sample claims to have been delivered: the noon after its last day."""
        noon = datetime.combine(self.request.end + timedelta(days=1), time(12), UTC)
        return noon.isoformat()

    def write(
        self,
        table: str,
        partition: str,
        query: str,
        event_day: date | None,
        types: Mapping[str, str],
    ) -> int:
        """Writes one partition.

        Args:
            table: The table.
            partition: The folder's name.
            query: The rows, with the contract's columns and perhaps more.
            event_day: The day for the manifest.
            types: Columns beyond the contract, or whose physical type shall be another than
                its; a column that is `DROPPED` is left out.

        Returns:
            Rows written.
        """
        folder = self.request.output / table / partition
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "part-0000.parquet"
        source = f"gs://medallion-sample/raw/{table}/{partition}/{file.name}"
        copied = self.connection.execute(
            f"copy ({self._delivered(table, query, source, types)}) to {literal(file)}"
            f" (format parquet, compression snappy, row_group_size {_ROW_GROUP})"
        ).fetchall()
        rows = int(copied[0][0])
        self._write_manifest(folder, table, partition, rows, event_day)
        self._list(file, folder / _MANIFEST, folder / _SUCCESS)
        self.rows[table] = self.rows.get(table, 0) + rows
        return rows

    def _list(self, *files: Path) -> None:
        with (self.request.output / LISTED).open("a", encoding="utf-8") as listed:
            for file in files:
                with file.open("rb") as content:
                    checksum = hashlib.file_digest(content, "sha256").hexdigest()
                listed.write(f"{checksum}  {file.relative_to(self.request.output)}\n")

    def _delivered(self, table: str, query: str, source: str, types: Mapping[str, str]) -> str:
        contract = self.spec.tables[table]
        kinds = {n: BRONZE[c.bronze].duckdb for n, c in contract.columns.items()} | dict(types)
        columns = [
            f"cast({name} as {kind}) as {name}" for name, kind in kinds.items() if kind != DROPPED
        ]
        key = " || '/' || ".join(f"{column}::varchar" for column in contract.key)
        lineage = {
            "batch_id": literal(self.batch_id),
            "ingestion_ts": literal(self.delivered_at()),
            "event_id": f"'evt_' || sha256('{table}/' || {key})",
            "source_file": literal(source),
        }
        described = self.connection.execute(f"describe {query}").fetchall()
        given = {name for name, *_ in described}
        for name in lineage.keys() & given:
            lineage[name] = f"coalesce({name}, {lineage[name]})"
        selected = ", ".join([*columns, *(f"{value} as {n}" for n, value in lineage.items())])
        return f"select {selected} from ({query})"

    def _write_manifest(
        self, folder: Path, table: str, partition: str, rows: int, event_day: date | None
    ) -> None:
        checksum = hashlib.sha256(f"{self.request.seed}/{table}/{partition}/{rows}".encode())
        day = None if table in _NO_EVENT_DATE or event_day is None else event_day.isoformat()
        file = {
            "checksum": checksum.hexdigest(),
            "path": f"{table}/{partition}/part-0000.parquet",
            "rows": rows,
        }
        manifest: dict[str, Any] = {
            "batch_id": self.batch_id,
            "checksums": [file["checksum"]],
            "created_at": self.delivered_at(),
            "files": [file],
            "generator_version": None,
            "max_event_dt": day,
            "min_event_dt": day,
            "partition": partition,
            "schema_version": _SCHEMA_VERSION,
            "table": table,
            "total_rows": rows,
        }
        text = json.dumps(manifest, indent=2, sort_keys=True)
        (folder / _MANIFEST).write_text(text, encoding="utf-8")
        (folder / _SUCCESS).touch()
