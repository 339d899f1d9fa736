"""The same rows give the same bytes, however they lie in files and whoever works on them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from medallion.datasets.schema import bronze_schema
from medallion.spec import load_spec
from tests.bronze_writing import DAY, GOOD, LINEAGE, ingest
from tests.conftest import PROJECT
from tests.dbt_project.engine import KNOWN_CUSTOMERS, Built, build, write_files
from tests.dbt_project.oracle import TYPES, judge

SPEC = load_spec(PROJECT / "conf" / "base" / "spec.yml")
NEWEST_FIRST = ["ingestion_ts", "source_file", *TYPES]
versions = st.fixed_dictionaries(
    {
        "order_id": st.sampled_from(["A", " A", "B", "C\t"]),
        "ingestion_ts": st.sampled_from(["2025-12-01", "2025-12-01T00:00:00Z", "2025-12-02", None]),
        "source_file": st.sampled_from(["a", "b", None]),
        "total_items": st.sampled_from([1, 2, None]),
        "net_total": st.sampled_from([-1.0, 9.0, 10.0, 10.004]),
        "note": st.sampled_from(["x", "y", None]),
    }
)


@given(
    rows=st.lists(versions, min_size=10, max_size=25),
    turned=st.randoms(use_true_random=False),
    cut=st.integers(0, 10),
)
@settings(max_examples=4, deadline=None, derandomize=True, phases=[Phase.generate])
def test_the_winner_of_a_key_is_the_same_in_any_order_of_files_and_rows(
    rows: list[dict[str, Any]], turned: Any, cut: int
) -> None:
    full = [{**GOOD["orders"], **LINEAGE, **row} for row in rows]
    shuffled = turned.sample(full, len(full))
    one = made([full], threads=1)
    other = made([shuffled[:cut], shuffled[cut:]], threads=4)
    assert one[0] == other[0]
    assert one[1] == {
        "accepted": {expected_winner(full, key) for key in "ABC"} - {None},
        "rows": len(rows),
    }


def made(files: list[list[dict[str, Any]]], threads: int) -> tuple[dict[str, str], dict[str, Any]]:
    schema = {**bronze_schema(SPEC, "orders"), "note": pl.String()}
    with TemporaryDirectory() as folder:
        frames = [pl.DataFrame(rows, schema=schema) for rows in files]
        write_files(Path(folder) / "bronze", "orders", ingest(0), frames)
        built = build(Path(folder) / "bronze", Path(folder) / "out", SPEC, threads=threads)
        return built.fingerprints(), summary(built)


def summary(built: Built) -> dict[str, Any]:
    accepted = built.frame("base/orders")
    put_aside = built.frame("quarantine/orders")
    return {
        "accepted": set(accepted.select(list(TYPES)).rows()) if accepted.height else set(),
        "rows": accepted.height + put_aside.height,
    }


def expected_winner(rows: list[dict[str, Any]], key: str) -> tuple[Any, ...] | None:
    """The typed values of the newest valid version of a key."""
    verdicts = [judge(row, DAY, set(KNOWN_CUSTOMERS)) for row in rows]
    valid = [v.silver for v in verdicts if not v.reasons and v.silver["order_id"] == key]
    ranked = sorted(
        valid,
        key=lambda silver: [
            (silver[name] is not None, silver[name] or type_zero(name)) for name in NEWEST_FIRST
        ],
    )
    return tuple(ranked[-1][name] for name in TYPES) if ranked else None


def type_zero(name: str) -> Any:
    """Anything that compares with values of the column; the flag before it has decided."""
    return "" if TYPES[name] == "text" else 0


def test_the_number_of_threads_changes_no_byte(tmp_path: Path) -> None:
    schema = {**bronze_schema(SPEC, "orders"), "note": pl.String()}
    for day in range(4):
        rows = [
            {**GOOD["orders"], **LINEAGE, "order_id": f"O-{(n * 7919) % 997}", "total_items": day}
            | ({"net_total": -1.0} if n % 13 == 0 else {})
            for n in range(400)
        ]
        frame = pl.DataFrame(rows, schema=schema)
        write_files(tmp_path / "bronze", "orders", ingest(day), [frame[:150], frame[150:]])
    one, two = (
        build(tmp_path / "bronze", tmp_path / f"out-{n}", SPEC, threads=n).fingerprints()
        for n in (1, 4)
    )
    assert one == two
    # The last day has the winners, every day its own bad rows.
    assert len(one) == 1 + 4


def test_a_file_that_numbers_its_own_rows_gives_the_same_verdicts(tmp_path: Path) -> None:
    rows = [
        {**GOOD["orders"], **LINEAGE, "order_id": f"O-{n}", "net_total": -1.0 if n % 3 else 1.0}
        for n in range(3000)
    ]
    frame = pl.DataFrame(rows, schema=bronze_schema(SPEC, "orders"))
    numbered = frame.with_columns(file_row_number=pl.lit(7))
    folder = tmp_path / "bronze" / "orders" / ingest(0)
    write_files(tmp_path / "bronze", "orders", ingest(0), [numbered, numbered.clear()])
    numbered.write_parquet(folder / "part-0000.parquet", row_group_size=500)
    built = build(tmp_path / "bronze", tmp_path / "out", SPEC, threads=4)
    assert built.frame("base/orders")["order_id"].to_list() == sorted(
        f"O-{n}" for n in range(0, 3000, 3)
    )
    assert set(built.frame("quarantine/orders")["invalid_reason"]) == {"negative:net_total"}
