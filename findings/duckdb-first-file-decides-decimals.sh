#!/usr/bin/env bash
# DuckDB 2.0.0 reads a list of Parquet files with the types of the first one. A decimal that a
# later file holds with more digits behind the point is rounded, without a word: 1.2345 is read
# as 1.23. The order of the list decides the sum. `union_by_name = true` finds a common type.
# Expected by a reader of the documentation: an error, or a common type as for a UNION.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet duckdb==2.0.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import duckdb

connection = duckdb.connect()
connection.execute("copy (select 1.00::decimal(9, 2) as price) to 'two.parquet'")
connection.execute("copy (select 1.2345::decimal(9, 4) as price) to 'four.parquet'")


def total(files: str, options: str = "") -> str:
    query = f"select sum(price) from read_parquet({files}{options})"
    return str(connection.execute(query).fetchall()[0][0])


seen = {
    "two, four": total("['two.parquet', 'four.parquet']"),
    "four, two": total("['four.parquet', 'two.parquet']"),
    "by name": total("['two.parquet', 'four.parquet']", ", union_by_name = true"),
}
print("duckdb", duckdb.__version__, seen)
assert seen == {"two, four": "2.23", "four, two": "2.2345", "by name": "2.2345"}, seen
PYTHON
