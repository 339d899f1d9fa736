#!/usr/bin/env bash
# sqlglot 30.30.0 writes the NUMERIC of BigQuery, which holds 9 digits behind the point, as DECIMAL for
# DuckDB, which takes that for DECIMAL(18,3): a rate of 0.0725 becomes 0.073, and 250 times it 18.25
# instead of 18.125. BIGNUMERIC becomes DECIMAL(38,5), which would do. Expected: DECIMAL(38,9) for NUMERIC.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet sqlglot==30.30.0 duckdb==2.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb
import sqlglot

seen = {}
for kind in ("NUMERIC", "BIGNUMERIC"):
    query = f"select cast(rate as {kind}) * 250 as tax from (select \"0.0725\" as rate)"
    written = sqlglot.transpile(query, read="bigquery", write="duckdb")[0]
    seen[kind] = (written.partition(" * ")[0], str(duckdb.sql(written).fetchall()[0][0]))
print("sqlglot", sqlglot.__version__, "duckdb", duckdb.__version__, seen)
assert seen == {
    "NUMERIC": ("SELECT CAST(rate AS DECIMAL)", "18.250"),
    "BIGNUMERIC": ("SELECT CAST(rate AS DECIMAL(38, 5))", "18.12500"),
}, seen
PYTHON
