"""dbt's reading of any order is that of a second reading in plain Python."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
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
from tests.dbt_project.engine import KNOWN_CUSTOMERS, build, write_files
from tests.dbt_project.oracle import TYPES, judge, shown

# A difference names its row and column, so there is nothing to shrink: each try is a dbt run.
LAW = settings(max_examples=4, deadline=None, derandomize=True, phases=[Phase.generate])
# No fixture: hypothesis shows every argument of a case that fails.
SPEC = load_spec(PROJECT / "conf" / "base" / "spec.yml")
NAN, INF = float("nan"), float("inf")
digits = st.integers(0, 10**7).map(str)
signs = st.sampled_from(["", "", "", "-", "+"])
numbers = st.one_of(
    st.builds("{}{}".format, signs, digits),
    st.builds("{}{}.{}".format, signs, digits, st.from_regex(r"[0-9]{0,6}", fullmatch=True)),
    st.builds("{}{}.{}e{}".format, signs, digits, digits, st.integers(-12, 4)),
    st.sampled_from(
        ["1.005", "-0.004", "-0.005", "12.0", "12.5", "1e3", ".5", "5.", "1,5", "inf", "-Infinity",
         "9223372036854775807", "9223372036854775808", "9999999999999999.994",
         "9999999999999999.995", "00012", "1_000", "0x1f", "٣", "+", "1e400"]
    ),
)  # fmt: skip
times = st.one_of(
    st.datetimes(min_value=datetime.fromisoformat("1999-12-30")).map(str),
    st.builds(
        "{}-{:02}-{:02}{}{}{}".format,
        st.sampled_from(["2025", "2000", "0000", "1999", "20251"]),
        st.integers(0, 13),
        st.integers(0, 32),
        st.sampled_from(["", "T", " ", "  ", "t"]),
        st.sampled_from(
            ["", "10:00", "10:00:00", "23:59:59.999999", "00:00:00.1234567", "24:00:00", "9:00",
             "10:60", "10:00:60", "10:00:", "10:00:00."]
        ),
        st.sampled_from(
            ["", "", "", "Z", " Z", "z", "+02", "-0530", "+05:30", " +02:00", "+24:00", "+02:60",
             "+2", "  Z", "UTC"]
        ),
    ),
)  # fmt: skip
words = st.one_of(
    st.sampled_from(
        ["CUST-1", "CUST-2", "cust-1", "GUEST-1", "GUEST-", "GUEST-1x", "a@B.com", "a@b", "@b.c",
         "a b@c.d", "Web", "ÄRGER", "true", "No", "T", "1", "0.0", "2", "1.00", "-0.0"]
    ),
    st.text(alphabet="aB@. -é\t", max_size=6),
)  # fmt: skip
nothing = st.sampled_from(["", " ", "null", "NULL", "nan", "N/A", " none\t", None])
padded = st.builds(
    lambda a, x, b: a + x + b, st.sampled_from(["", "", " ", "\t\n"]),
    st.one_of(numbers, times, words), st.sampled_from(["", "", " ", "\r\v\f"]),
)  # fmt: skip
FITTING = {"int": numbers, "money": numbers, "timestamp": times, "text": words, "bool": words}
floats = st.one_of(
    st.floats(width=64),
    st.floats(-1e4, 1e4),
    st.decimals(-100, 10**9, places=3).map(float),
    st.sampled_from([NAN, -NAN, INF, -INF, 1.005, -0.0, -0.004, 1e15, 1e16, 5e-324, 12.0]),
)


def texts(kind: str) -> st.SearchStrategy[Any]:
    """Mostly values that could be of the kind, then anything, then nothing."""
    return st.one_of(FITTING[kind], FITTING[kind], padded, nothing)


def orders(changed: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Good orders of which a few columns are drawn anew."""
    change = st.lists(st.sampled_from(sorted(changed)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: changed[name] for name in names})
    )
    return st.lists(change, min_size=40, max_size=80)


TEXT = {name: texts(kind) for name, kind in TYPES.items() if name != "order_id"}
FLOAT = {
    **{name: st.one_of(st.none(), floats) for name, kind in TYPES.items() if kind == "money"},
    "total_items": st.one_of(st.none(), floats, st.integers(-(10**6), 10**6).map(float)),
    "is_expedited": st.sampled_from([0.0, 1.0, 2.0, NAN, None]),
    "agent_id": floats,
}


@given(drawn=orders(TEXT))
@LAW
def test_any_text_is_read_as_the_oracle_reads_it(drawn: list[dict[str, Any]]) -> None:
    as_text = {name: shown(value) for name, value in {**GOOD["orders"], **LINEAGE}.items()}
    rows = [{**as_text, **row, "order_id": f"ORD-{n:03}"} for n, row in enumerate(drawn)]
    agrees(rows, dict.fromkeys(TYPES, pl.String()))


@given(drawn=orders(FLOAT))
@LAW
def test_any_float_is_read_as_the_oracle_reads_it(drawn: list[dict[str, Any]]) -> None:
    good = {**GOOD["orders"], **LINEAGE, "total_items": 2.0, "is_expedited": 1.0, "agent_id": 1.0}
    rows = [{**good, **row, "order_id": f"ORD-{n:03}"} for n, row in enumerate(drawn)]
    agrees(rows, {**bronze_schema(SPEC, "orders"), **dict.fromkeys(FLOAT, pl.Float64())})


@given(text=orders(TEXT), number=orders(FLOAT))
@LAW
def test_files_of_other_types_are_read_side_by_side_as_they_are_alone(
    text: list[dict[str, Any]], number: list[dict[str, Any]]
) -> None:
    good = {**GOOD["orders"], **LINEAGE}
    as_text = {name: shown(value) for name, value in good.items()}
    first = [{**as_text, **row, "order_id": f"TEXT-{n:03}"} for n, row in enumerate(text)]
    good |= {"total_items": 2.0, "is_expedited": 1.0, "agent_id": 1.0}
    second = [{**good, **row, "order_id": f"FLOAT-{n:03}"} for n, row in enumerate(number)]
    schema = {**bronze_schema(SPEC, "orders"), **dict.fromkeys(FLOAT, pl.Float64())}
    agree(
        [
            (first, pl.DataFrame(first, schema=dict.fromkeys(TYPES, pl.String()))),
            (second, pl.DataFrame(second, schema=schema)),
        ],
    )


def agrees(rows: list[dict[str, Any]], schema: Any) -> None:
    agree([(rows, pl.DataFrame(rows, schema=schema))])


def agree(files: list[tuple[list[dict[str, Any]], pl.DataFrame]]) -> None:
    with TemporaryDirectory() as folder:
        bronze = Path(folder) / "bronze"
        write_files(bronze, "orders", ingest(0), [frame for _, frame in files])
        built = build(bronze, Path(folder) / "out", SPEC)
        accepted, put_aside = built.frame("base/orders"), built.frame("quarantine/orders")
    rows = {row["order_id"]: row for some, _ in files for row in some}
    verdicts = {key: judge(row, DAY, set(KNOWN_CUSTOMERS)) for key, row in rows.items()}
    expected: dict[str, dict[str, Any]] = {
        key: {**verdict.silver, "ingestion_dt": DAY}
        if not verdict.reasons
        else {name: shown(rows[key][name]) for name in TYPES}
        | {"invalid_reason": "|".join(verdict.reasons), "ingestion_dt": DAY}
        for key, verdict in verdicts.items()
    }
    found = {row["order_id"]: row for row in accepted.to_dicts() + put_aside.to_dicts()}
    assert found.keys() == expected.keys()
    assert accepted.height + put_aside.height == len(rows)
    differing = {
        (key, name): (rows[key].get(name), found[key].get(name), value)
        for key, row in expected.items()
        for name, value in row.items()
        if found[key].get(name) != value
    }
    assert not differing, "raw value, found, expected"
    lost = Counter(name for verdict in verdicts.values() for name in verdict.nullified)
    assert built.result.counts["orders"].nullified == dict(lost)
