#!/usr/bin/env bash
# DuckDB 2.0.0 lists `parquet_metadata_cache` among its settings and takes it by SET, where it makes
# a second query over the same files ask no footer again. Given in the configuration of the
# connection, as its other settings may be, it is refused: the Parquet reader, which is built in, is
# not there yet and "could not be autoloaded". Expected: both ways set it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet duckdb==2.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb

NAME = "parquet_metadata_cache"
connection = duckdb.connect()
listed = connection.execute("select count(*) from duckdb_settings() where name = ?", [NAME])
seen = {"listed": listed.fetchall()[0][0]}
connection.execute(f"set {NAME} = true")
seen["by set"] = connection.execute(f"select current_setting('{NAME}')").fetchall()[0][0]
for other in ("preserve_insertion_order", NAME):
    try:
        duckdb.connect(config={other: True})
        seen[other] = "taken at connect"
    except duckdb.InvalidInputException as error:
        seen[other] = "refused at connect" if "autoloaded" in str(error) else str(error)
print("duckdb", duckdb.__version__, seen)
assert seen == {
    "listed": 1,
    "by set": True,
    "preserve_insertion_order": "taken at connect",
    NAME: "refused at connect",
}, seen
PYTHON
