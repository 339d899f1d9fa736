#!/usr/bin/env bash
# sqlglot 30.30.0 leaves EXTRACT(DAYOFWEEK ...) and EXTRACT(WEEK ...) as they are between BigQuery and
# DuckDB, which mean other numbers by them: for BigQuery Sunday is day 1 and weeks begin with the
# first Sunday of a year; for DuckDB Sunday is day 0 and weeks are those of ISO. DATE_DIFF by weeks is
# rewritten. So a dashboard by weekday is off by one day, and days of January move to another week.
# Expected (BigQuery, of 2025-01-05, the first Sunday of its year): day 1, week 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet sqlglot==30.30.0 duckdb==2.0.0
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb
import sqlglot

query = "select extract({0} from date \"2025-01-05\")"
seen = {}
for part in ("DAYOFWEEK", "WEEK"):
    written = sqlglot.transpile(query.format(part), read="bigquery", write="duckdb")[0]
    seen[part] = duckdb.sql(written).fetchall()[0][0]
saturday = sqlglot.transpile(
    "select extract(WEEK from date \"2025-01-04\")", read="bigquery", write="duckdb"
)[0]
seen["WEEK of the day before"] = duckdb.sql(saturday).fetchall()[0][0]
print("sqlglot", sqlglot.__version__, "duckdb", duckdb.__version__, seen)
# BigQuery: 1, 1 and 0.
assert seen == {"DAYOFWEEK": 0, "WEEK": 1, "WEEK of the day before": 1}, seen
PYTHON
