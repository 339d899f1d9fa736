"""`python -m tests.parity`: Gold on DuckDB beside Gold in BigQuery's stand-in, cell by cell.

Both are built by a run of the project from the same Bronze: the laptop's, and the emulator's. Each
case is a delivery; those of one group come one after the other, so later ones build days.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pyarrow.compute as pc

from medallion.gates.declared import load_gold_models
from medallion.sample import SampleRequest, generate
from medallion.spec import load_spec
from tests.conftest import PROJECT, REAL_BRONZE
from tests.faults.bronze import cell, change
from tests.standins.google import bigquery, credentials, deliver, emulator, storage

MODELS = load_gold_models(str(PROJECT / "dbt" / "models" / "gold"))
Rows = Sequence[tuple[object, ...]]


@dataclass(frozen=True)
class Compared:
    """A mart on both engines.

    Attributes:
        mart: The mart.
        rows: Its rows on DuckDB.
        differing: Cells that differ; of a row that only one engine has, all of them.
        examples: Some of them, in words.
    """

    mart: str
    rows: int
    differing: int
    examples: tuple[str, ...] = field(default=(), repr=False)


def compare(mart: str, local: Rows, google: Rows) -> Compared:
    """Compares the rows of a mart, whose columns are in the order of its contract."""
    model = MODELS[mart]
    names = list(model.columns)
    places = [names.index(name) for name in model.grain]
    sides = [_keyed(rows, places) for rows in (local, google)]
    examples: list[str] = []
    for key in sides[0].keys() | sides[1].keys():
        rows = [side.get(key, (_ABSENT,) * len(names)) for side in sides]
        for name, *values in zip(names, *rows, strict=True):
            if values[0] != values[1]:
                examples.append(f"{mart} {key} {name}: {values[0]!r}, {values[1]!r}")
    return Compared(mart, len(local), len(examples), tuple(examples[:5]))


_ABSENT = "no such row"


def _keyed(rows: Rows, places: Sequence[int]) -> dict[object, tuple[object, ...]]:
    keyed = {tuple(row[n] for n in places): tuple(map(_comparable, row)) for row in rows}
    assert len(keyed) == len(rows), "rows are not told apart by their grain"
    return keyed


def _comparable(value: Any) -> object:
    """A value that is equal to itself on the other engine: decimals have no fixed digits there."""
    if isinstance(value, float):
        return value.hex()
    return value.normalize() if isinstance(value, Decimal) else value


def on_duckdb(file: Path) -> dict[str, Rows]:
    """The marts of a local warehouse."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return {
            mart: connection.execute(f"select {_columns(mart)} from gold.{mart}").fetchall()
            for mart in MODELS
        }


def on_bigquery(datasets: str) -> dict[str, Rows]:
    """The marts in the stand-in; the variables of the process lead there."""
    from google.cloud.bigquery import Client

    with Client(project="emulator", location="US-CENTRAL1") as client:
        return {
            mart: [
                tuple(row.values())
                for row in client.query(
                    f"select {_columns(mart)} from `emulator`.`{datasets}_gold`.`{mart}`"
                ).result()
            ]
            for mart in MODELS
        }


def _columns(mart: str) -> str:
    return ", ".join(MODELS[mart].columns)


def all_compared(file: Path, datasets: str) -> list[Compared]:
    """All marts on both engines."""
    local, google = on_duckdb(file), on_bigquery(datasets)
    return [compare(mart, local[mart], google[mart]) for mart in MODELS]


def mutate(bronze: Path) -> None:
    """Changes cells of a delivery so that marts meet nulls, halves of a cent, guests."""
    days = sorted(path.name for path in (bronze / "orders").glob("ingest_dt=*"))
    first, second, last = days[0], days[1], days[-1]
    change(
        bronze / "orders" / first,
        cell("net_total", 0, 0.005),
        cell("net_total", 1, None),
        cell("customer_id", 2, "GUEST-7"),
        cell("order_channel", 3, None),
        cell("shipping_cost", 4, 0.0),
        cell("actual_shipping_cost", 5, 12345.67),
    )
    change(bronze / "order_items" / first, cell("quantity", 0, 99_999), lambda t: t.slice(2))
    change(bronze / "shopping_carts" / second, cell("status", 0, "emptied"))
    change(bronze / "cart_items" / second, lambda t: t.filter(pc.greater(t["quantity"], 1)))
    change(bronze / "returns" / last, cell("refunded_amount", 0, 0.0))
    # A day of returns is delivered no longer, and another one without rows.
    change(bronze / "return_items" / last, lambda t: t.slice(0, 0))


@dataclass(frozen=True)
class Pair:
    """The project on this machine and in the stand-ins, fed with the same Bronze.

    Attributes:
        folder: Where the laptop and the worker keep what is theirs.
        bronze: The laptop's Bronze.
    """

    folder: Path
    bronze: Path

    def run(self) -> list[Compared]:
        """Delivers what the folder of Bronze holds, runs both, and compares the marts."""
        from google.cloud.storage import Client

        deliver(self.bronze, Client().bucket("raw"))
        mode = ("--params", "quality.mode=warn")
        _kedro(self._data("worker"), "run", "--env", "emulator", *mode)
        local = {**self._data("laptop"), "MEDALLION_BRONZE_ROOT": str(self.bronze)}
        _kedro(local, "run", *mode)
        return all_compared(self.folder / "laptop" / "warehouse" / "medallion.duckdb", "shop")

    def _data(self, name: str) -> dict[str, str]:
        return {"MEDALLION_DATA_ROOT": str(self.folder / name)}


@contextmanager
def pair(bronze: Path) -> Iterator[Pair]:
    """A laptop and stand-ins of Google Cloud that are empty, for a copy of this Bronze."""
    from google.cloud.storage import Client

    with tempfile.TemporaryDirectory(prefix="medallion-parity-") as scratch:
        folder = Path(scratch)
        shutil.copytree(bronze, folder / "bronze")
        with (
            storage(folder) as url,
            bigquery(folder, url) as warehouse,
            credentials(folder, url) as account,
            mock.patch.dict(os.environ, emulator(url, account, "raw", "lake", warehouse)),
        ):
            for name in ("raw", "lake"):
                Client().create_bucket(name)
            yield Pair(folder, folder / "bronze")


def _kedro(variables: Mapping[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=PROJECT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def table(cases: Mapping[str, Iterable[Compared]]) -> str:
    """What was compared, as a table of Markdown: a line for each mart."""
    marts = {name: {one.mart: one for one in found} for name, found in cases.items()}
    head = " | ".join(f"{name}: rows | differing cells" for name in marts)
    lines = [f"| mart | {head} |", f"|---|{'---:|---:|' * len(marts)}"]
    for mart in MODELS:
        cells = [f"{found[mart].rows:,} | {found[mart].differing:,}" for found in marts.values()]
        lines.append(f"| `{mart}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def defective(folder: Path) -> Path:
    """A sample with all defects that the generator knows; returns its Bronze."""
    request = SampleRequest(
        output=folder, start=date(2025, 10, 1), days=3, orders_per_day=100, seed=1, defects=True
    )
    generate(request, spec=load_spec(PROJECT / "conf" / "base" / "spec.yml"))
    return folder


def main(real: Path) -> int:
    """Compares the cases and prints the table; the result is the exit code.

    Args:
        real: A week of the producer's Bronze.
    """
    cases: dict[str, list[Compared]] = {}
    groups: list[tuple[Path, Mapping[str, Callable[[Path], None]]]] = [
        (real, {"real week": lambda _: None, "the same, mutated": mutate}),
    ]
    with tempfile.TemporaryDirectory() as scratch:
        groups.append((defective(Path(scratch) / "bronze"), {"sample's defects": lambda _: None}))
        for bronze, steps in groups:
            with pair(bronze) as both:
                for name, step in steps.items():
                    step(both.bronze)
                    cases[name] = both.run()
    print(table(cases))  # noqa: T201
    differing = [example for found in cases.values() for one in found for example in one.examples]
    print("\n".join(differing))  # noqa: T201
    return bool(differing)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--bronze", type=Path, default=REAL_BRONZE, help="a week of the producer's Bronze"
    )
    sys.exit(main(parser.parse_args().bronze))
