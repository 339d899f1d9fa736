"""What publishing to a bucket and loading into BigQuery cost, measured against stand-ins here.

`make bench-cloud`. Counts what a real store would charge for (calls, bytes) and times what can be
timed without one; a real network adds its own latency to every call.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from history import link_days
from processes import HERE, PROJECT, START, fresh, generate, kedro, measure, roots

sys.path.insert(0, str(PROJECT))
from tests.standins.google import bigquery, credentials, deliver, emulator, storage
from tests.standins.proxy import Network, network

MILLION_DAYS, MILLION_ORDERS = 30, 709
LAYERS = ("--pipelines", "bronze,dims,base_silver,enriched,publish")
_FILES, _FILE_BYTES = 400, 20_000
_LOADED_DAYS = 12
# A line of strace: a read, or a file that is mapped into memory, which counts whole.
_READ = re.compile(r"p?readv?(?:64)?\(\d+<([^>]+)>.* = (\d+)$")
_MAPPED = re.compile(r"mmap\([^,]+, (\d+), [^)]*\d+<([^>]+)>, ")


@dataclass(frozen=True)
class Cloud:
    """A store, and the variables of the environment `emulator`."""

    net: Network
    environment: Mapping[str, str]

    def deliver(self, bronze: Path) -> None:
        """Copies a Bronze folder into its bucket."""
        from google.cloud.storage import Client

        deliver(bronze, Client().bucket("raw"))

    def run(self, machine: Path) -> dict[str, Any]:
        """A run on a machine; with the calls and bytes that it took."""
        machine.mkdir(parents=True, exist_ok=True)
        self.net.forget()
        environment = {**self.environment, "MEDALLION_DATA_ROOT": str(machine)}
        log = machine.with_suffix(".log")
        taken = kedro(environment, log, "run", *LAYERS, "--env", "emulator")
        data = [one for one in self.net.requests if ".parquet" in one.path and one.changes]
        calls = [
            one
            for one in self.net.requests
            if ".parquet" in one.path and "/lake" in one.path and "alt=media" not in one.path
        ]
        return {
            **taken,
            "calls": len(self.net.requests),
            "bytes_read": self.net.bytes_read,
            "uploads": len(data),
            "calls_per_upload": round(len(calls) / len(data), 2) if data else 0,
        }


@contextmanager
def cloud(folder: Path, *, counted: bool) -> Iterator[Cloud]:
    """A store with two empty buckets, and a BigQuery; whoever counts calls slows them down."""
    with ExitStack() as stack:
        server = stack.enter_context(storage(fresh(folder)))
        net = stack.enter_context(network(server))
        url = net.url if counted else server
        account = stack.enter_context(credentials(folder, url))
        warehouse = stack.enter_context(bigquery(folder, server))
        environment = emulator(url, account, "raw", "lake", warehouse)
        os.environ |= environment
        from google.cloud.storage import Client

        for name in ("raw", "lake"):
            Client().create_bucket(name)
        yield Cloud(net, environment)


def million(place: Path, console: Console) -> dict[str, Any]:
    """1 M rows by the laptop and by a worker with an empty disk."""
    console.print("1 M rows on a disk ...", highlight=False)
    bronze = place / "million"
    generate(bronze, MILLION_DAYS, MILLION_ORDERS)
    laptop = place / "laptop"
    laptop.mkdir()
    on_disk = kedro(roots(bronze, laptop), place / "laptop.log", "run", *LAYERS)
    with cloud(place / "store-million", counted=False) as made:
        made.deliver(bronze)
        console.print("1 M rows in a bucket ...", highlight=False)
        return {"laptop": on_disk, "cloud": made.run(place / "worker-million")}


def one_day(place: Path, days: int, console: Console) -> dict[str, Any]:
    """A new day on top of a history: from an empty disk, and on the machine that made it."""
    console.print(f"{days} days of history in a bucket ...", highlight=False)
    bronze, delivered = place / "history", place / "delivered"
    generate(bronze, days + 1, 40)
    last = START + timedelta(days=days)
    link_days(bronze, delivered, START, last - timedelta(days=1))
    on_disk = read_on_a_disk(place, bronze, delivered, last)
    with cloud(place / "store-history", counted=True) as made:
        made.deliver(delivered)
        history = made.run(place / "worker-1")
        link_days(bronze, delivered, last, last)
        made.deliver(delivered)
        console.print("One more day, from an empty disk ...", highlight=False)
        empty = made.run(place / "worker-2")
        nothing = made.run(place / "worker-3")
        lake = sum(path.stat().st_size for path in _copy(place / "worker-1").rglob("*.parquet"))
    return {
        "history": history,
        "empty": empty,
        "nothing": nothing,
        "lake_bytes": lake,
        "read_on_a_disk": on_disk,
    }


def read_on_a_disk(place: Path, bronze: Path, delivered: Path, last: date) -> int | None:
    """Bytes that a laptop reads of Bronze and of its lake for one more day; None without strace."""
    if shutil.which("strace") is None:
        return None
    laptop, traces = fresh(place / "laptop-history"), fresh(place / "traces")
    copied = shutil.copytree(delivered, place / "laptop-bronze")
    kedro(roots(copied, laptop), place / "laptop-history.log", "run", *LAYERS)
    link_days(bronze, copied, last, last)
    calls = ("-e", "trace=read,pread64,readv,preadv,mmap")
    traced = ("strace", "-ff", "--seccomp-bpf", "-y", *calls, "-o", str(traces / "of"))
    measure(
        [*traced, sys.executable, "-m", "kedro", "run", *LAYERS],
        roots(copied, laptop),
        place / "laptop-day.log",
    )
    # What Bronze files are linked to has the name under which it was generated.
    counted = tuple(f"{folder.resolve()}/" for folder in (bronze, copied, laptop / "silver"))
    return sum(
        size
        for trace in traces.iterdir()
        for line in trace.read_text(errors="replace").splitlines()
        for path, size in _read_in(line)
        if path.startswith(counted)
    )


def _read_in(line: str) -> Iterator[tuple[str, int]]:
    if found := _READ.match(line):
        yield found[1], int(found[2])
    elif found := _MAPPED.match(line):
        yield found[2], int(found[1])


def uploads(place: Path) -> dict[int, float]:
    """Files a second with one worker and with eight."""
    from medallion.storage import parallel

    files = fresh(place / "files")
    paths = [files / f"{number}.bin" for number in range(_FILES)]
    for path in paths:
        path.write_bytes(os.urandom(_FILE_BYTES))
    rates = {}
    with cloud(place / "store-files", counted=False):
        from medallion.storage import open_storage

        store = open_storage("gs://lake")
        for workers in (1, 8):
            parallel.WORKERS = workers
            began = time.perf_counter()
            parallel.in_parallel(
                lambda path, workers=workers: store.upload(path, f"{workers}/{path.name}"), paths
            )
            rates[workers] = round(_FILES / (time.perf_counter() - began), 1)
    return rates


def loads(place: Path, console: Console) -> dict[str, Any]:
    """Loads a second with some workers, and jobs for each partition that differs or does not."""
    from medallion.lake.published import Published
    from medallion.spec import load_spec
    from medallion.warehouse.bigquery.shapes import shapes
    from medallion.warehouse.bigquery.wanted import PublishedState

    console.print(f"{_LOADED_DAYS} days into BigQuery ...", highlight=False)
    bronze = place / "loaded"
    generate(bronze, _LOADED_DAYS, 40)
    spec = load_spec(PROJECT / "conf" / "base" / "spec.yml")
    with cloud(place / "store-loaded", counted=False) as made:
        made.deliver(bronze)
        made.run(place / "worker-loaded")
        published = Published.at("gs://lake/silver", place / "cache-loaded")
        state = PublishedState.current(published)
        tables = shapes(spec).values() if state else ()
        held = {one.name: [*state.partitions(one)] for one in tables}
        # Where nothing stands, one job loads all days of a table: so the first day stays.
        days = [(name, day) for name, all_days in held.items() for day in all_days[1:]]
        server = made.environment["BIGQUERY_EMULATOR_HOST"]
        with network(server) as net:
            os.environ["BIGQUERY_EMULATOR_HOST"] = net.url
            first = _loading(published, spec, net, "counted", 8)
            second = _loading(published, spec, net, "counted", 8)
            again = _loading(published, spec, net, "counted", 8, days)
        os.environ["BIGQUERY_EMULATOR_HOST"] = server
        rates = {}
        for workers in (1, 4, 8):
            _loading(published, spec, net, f"w{workers}", workers)
            seconds = _loading(published, spec, net, f"w{workers}", workers, days)["seconds"]
            rates[workers] = round(len(days) / seconds, 1)
    return {
        "partitions": sum(map(len, held.values())),
        "rates": rates,
        "jobs_when_new": first["jobs"],
        "jobs_when_unchanged": second["jobs"],
        "jobs_for_each_changed": again["jobs"] / len(days),
        "calls_when_unchanged": second["calls"],
    }


def _loading(
    published: Any, spec: Any, net: Network, datasets: str, workers: int, again: Any = ()
) -> dict[str, float]:
    """Loads what is published; with the loads of files and the calls that it took."""
    from medallion.warehouse.bigquery.warehouse import BigQueryWarehouse

    said = {"backend": "bigquery", "project": "emulator", "location": "US-CENTRAL1"}
    warehouse = BigQueryWarehouse({**said, "datasets": datasets, "workers": workers})
    net.forget()
    began = time.perf_counter()
    warehouse.load(published, spec, again)
    jobs = sum(b'"sourceUris"' in one.body for one in net.requests if one.changes)
    return {
        "seconds": time.perf_counter() - began,
        "jobs": jobs,
        "calls": len(net.requests),
    }


def _copy(machine: Path) -> Path:
    (copy,) = machine.glob("cache/stores/*/silver")
    return copy


def to_markdown(found: Mapping[str, Any]) -> list[str]:
    """The measurements as the README has them."""
    laptop, worker = found["million"]["laptop"], found["million"]["cloud"]
    day, nothing = found["day"]["empty"], found["day"]["nothing"]
    beside = f"{worker['seconds']:.1f} s / {laptop['seconds']:.1f} s"
    ratio = worker["seconds"] / laptop["seconds"]
    read, held = day["bytes_read"] / 1e6, found["day"]["lake_bytes"] / 1e6
    on_disk = found["day"]["read_on_a_disk"]
    more = f"{read:.1f} MB (the lake holds {held:.1f} MB)"
    if on_disk:
        more = f"{read:.1f} MB / {on_disk / 1e6:.1f} MB = {day['bytes_read'] / on_disk:.2f}"
    history = f"one day on {found['days']} days, empty disk"
    rows = {
        "calls for each published file": (day["calls_per_upload"], "≤ 3"),
        "files uploaded a second, 1 worker": (found["uploads"][1], ""),
        "files uploaded a second, 8 workers": (found["uploads"][8], ""),
        "1 M rows to published Silver, beside the laptop's Silver (wall)": (
            f"{beside} = {ratio:.2f}",
            "≤ 1.3",
        ),
        f"{history}: bytes read, beside a laptop's": (more, "≤ 1.2"),
        f"{history}: calls": (f"{day['calls']:,}", ""),
        "nothing to do, empty disk: bytes read": (f"{nothing['bytes_read'] / 1e6:.1f} MB", ""),
        **_of_loads(found["loads"]),
    }
    lines = [f"| {what} | {measured} | {bound} |" for what, (measured, bound) in rows.items()]
    return ["| what | measured | bound |", "|---|---:|---:|", *lines]


def _of_loads(loads: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    new = f"{loads['jobs_when_new']} for {loads['partitions']} partitions"
    return {
        "BigQuery: load jobs when every table is new": (new, ""),
        "BigQuery: load jobs for each partition that changed": (
            loads["jobs_for_each_changed"],
            "1",
        ),
        "BigQuery: load jobs when nothing changed": (loads["jobs_when_unchanged"], "0"),
        "BigQuery: calls when nothing changed": (loads["calls_when_unchanged"], ""),
        **{
            f"BigQuery: partitions loaded a second, {workers} workers": (rate, "")
            for workers, rate in loads["rates"].items()
        },
    }


def main() -> None:
    """Measures, prints, and keeps the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=300, help="days of history (300)")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="medallion-bench-cloud-") as scratch:
        place = Path(scratch)
        found = {
            "days": options.days,
            "uploads": uploads(place),
            "loads": loads(place, console),
            "million": million(place, console),
            "day": one_day(place, options.days, console),
        }
    lines = to_markdown(found)
    stem = HERE / "results" / f"cloud-{date.today().isoformat()}"  # noqa: DTZ011
    stem.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    stem.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
