#!/usr/bin/env bash
# pyarrow 26.0.1 says of `binary_type`, with which binary columns of Parquet are read: "This setting
# is ignored if a serialized Arrow schema is found in the Parquet metadata." It is not for
# dictionaries: in a file that pyarrow itself has written, with its schema in it, dictionaries come
# back as plain columns of the type that was asked for, while columns beside them that are no
# dictionaries keep theirs.
# Expected by a reader of the documentation: every column as it was written, whatever is asked for.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import pyarrow as pa
from pyarrow import parquet as pq

text = pa.array(["north", "south"])
pq.write_table(pa.table({"plain": text, "encoded": text.dictionary_encode()}), "regions.parquet")
assert b"ARROW:schema" in pq.read_metadata("regions.parquet").metadata


def types(**options: object) -> dict[str, str]:
    schema = pq.ParquetFile("regions.parquet", **options).schema_arrow
    return {field.name: str(field.type) for field in schema}


seen = {"as written": types(), "asked for": types(binary_type=pa.large_binary())}
print("pyarrow", pa.__version__, seen)
assert seen == {
    "as written": {
        "plain": "string",
        "encoded": "dictionary<values=string, indices=int32, ordered=0>",
    },
    "asked for": {"plain": "string", "encoded": "large_string"},
}, seen
PYTHON
