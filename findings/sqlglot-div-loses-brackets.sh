#!/usr/bin/env bash
# sqlglot 30.30.0 writes the DIV of BigQuery as the operator // of DuckDB and puts no brackets around
# what is divided: DIV(a + 1, 2 * n) becomes a + 1 // 2 * n. With 9 and 2 that is 9, and 2 in BigQuery
# (10 divided by 4). MOD of the same arguments keeps them apart. No error and no warning tells of it.
# Expected: (a + 1) // (2 * n).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet sqlglot==30.30.0 duckdb==2.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb
import sqlglot

query = "select {0}(a + 1, 2 * n) as x from (select 9 as a, 2 as n)"
seen = {}
for function in ("DIV", "MOD"):
    written = sqlglot.transpile(query.format(function), read="bigquery", write="duckdb")[0]
    seen[function] = (written.partition(" AS x")[0], duckdb.sql(written).fetchall()[0][0])
print("sqlglot", sqlglot.__version__, "duckdb", duckdb.__version__, seen)
assert seen == {
    "DIV": ("SELECT a + 1 // 2 * n", 9),
    "MOD": ("SELECT (a + 1) % (2 * n)", 2),
}, seen
PYTHON
