"""Two of dbt's threads write partitions at the same moment, and neither is in the other's way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import duckdb

from medallion.dbt_project.context import Context
from medallion.dbt_project.plugin import PartitionWriter
from medallion.dbt_project.settings import EngineSettings
from medallion.spec import Spec

_ROUNDS = 30


def test_threads_that_write_their_first_partition_at_once_both_succeed(
    tmp_path: Path, spec: Spec
) -> None:
    for n in range(_ROUNDS):
        staging = tmp_path / str(n)
        context = Context(spec, EngineSettings("1GB", 1, tmp_path / "spill"), staging)
        both = Barrier(2)
        with duckdb.connect() as connection, ThreadPoolExecutor(2) as pool:

            def write(
                table: str,
                connection: duckdb.DuckDBPyConnection = connection,
                context: Context = context,
                both: Barrier = both,
            ) -> int:
                both.wait()
                query = "select 1 as a, 'current' as version"
                return (
                    PartitionWriter(connection, context, query).write(f"keys/{table}", ("a",)).rows
                )

            assert list(pool.map(write, ["customers", "product_catalog"])) == [1, 1]
