#!/usr/bin/env bash
# Great Expectations 1.24.1: the result of an expectation about distinct values has an
# `unexpected_count` and no `element_count`, unlike that of its sibling about values. Whoever
# computes a share of both, as a report does once something failed, meets a KeyError for one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet great-expectations==1.24.1
GX_ANALYTICS_ENABLED=false "$folder/venv/bin/python" - <<'PYTHON'
import great_expectations as gx
import pandas as pd

context = gx.get_context(mode="ephemeral")
context.variables.progress_bars = {"globally": False}
asset = context.data_sources.add_pandas("frames").add_dataframe_asset("letters")
frame = pd.DataFrame({"letter": ["x", "y"]})
batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
kinds = gx.expectations


def keys(expectation, wanted: bool) -> set[str]:
    found = batch.validate(expectation, result_format="COMPLETE")
    assert found.success is wanted
    return set(found.result)


values = keys(kinds.ExpectColumnValuesToBeInSet(column="letter", value_set=["x"]), False)
distinct = keys(kinds.ExpectColumnDistinctValuesToBeInSet(column="letter", value_set=["x"]), False)
passing = keys(
    kinds.ExpectColumnDistinctValuesToBeInSet(column="letter", value_set=["x", "y"]), True
)
counts = {"element_count", "unexpected_count"}
print("great-expectations", gx.__version__)
print("values, failed:  ", sorted(values & counts))
print("distinct, failed:", sorted(distinct & counts))
print("distinct, passed:", sorted(passing & counts))
assert values & counts == counts
assert distinct & counts == {"unexpected_count"}
assert passing & counts == {"unexpected_count"}
PYTHON
