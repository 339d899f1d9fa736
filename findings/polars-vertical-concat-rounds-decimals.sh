#!/usr/bin/env bash
# Polars 2.1.0: `pl.concat(how="vertical")`, which refuses frames of different types otherwise
# (Int64 and Int32: SchemaError), takes decimals of different precision and scale and gives all
# of them the type of the first frame: 1.2345 becomes 1.23, and a number with too many digits
# before the point becomes null. No error, no warning. `vertical_relaxed` finds a common type.
# It meets Parquet partitions whose writer lets the scale follow the data.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet polars==2.1.0
"$folder/venv/bin/python" - <<'PYTHON'
from decimal import Decimal

import polars as pl


def prices(value: str, precision: int, scale: int) -> pl.DataFrame:
    return pl.DataFrame({"price": [Decimal(value)]}, schema={"price": pl.Decimal(precision, scale)})


def together(*frames: pl.DataFrame, how: str = "vertical") -> list[Decimal | None]:
    return pl.concat(frames, how=how)["price"].to_list()


cents, fine, large = prices("1.00", 9, 2), prices("1.2345", 5, 4), prices("12345.67", 7, 2)
seen = {
    "cents, fine": together(cents, fine),
    "fine, large": together(fine, large),
    "fine, large, relaxed": together(fine, large, how="vertical_relaxed"),
}
try:
    pl.concat([pl.DataFrame({"n": [1]}), pl.DataFrame({"n": pl.Series([1], dtype=pl.Int32)})])
    integers = "accepted"
except pl.exceptions.SchemaError:
    integers = "SchemaError"
print("polars", pl.__version__, seen, "integers of two sizes:", integers)
assert integers == "SchemaError"
assert seen == {
    "cents, fine": [Decimal("1.00"), Decimal("1.23")],
    "fine, large": [Decimal("1.2345"), None],
    "fine, large, relaxed": [Decimal("1.2345"), Decimal("12345.67")],
}, seen
PYTHON
