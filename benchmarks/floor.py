"""The same work without a framework: Bronze to Gold in one plain DuckDB script.

It is the second, independent implementation of the reference: it shares no code with the
project, so that the pipeline's tables can be compared with its own (`compare.py`), and its
time is what the pipeline's time is measured against (`run.py`). It takes all of Bronze as one
window and starts from nothing.

    python benchmarks/floor.py data/bronze /tmp/floor --json /tmp/floor.json

writes `base/<table>`, `quarantine/<table>`, `dims/<name>`, `enriched/<transform>` (Parquet) and
`warehouse.duckdb` (schema `gold`).
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from floor_sql import ENRICHED, GOLD, MACROS, WINDOW_MACROS, Query

LINEAGE = "batch_id text, ingestion_ts timestamp, event_id text, source_file text"
CONTRACTS = {
    "orders": "order_id! text, total_items int, order_date! timestamp, customer_id! text,"
    " email text, order_channel text, is_expedited bool, customer_tier text, gross_total! money,"
    " net_total! money, total_discount_amount money, payment_method text, shipping_speed text,"
    " shipping_cost money, agent_id text, actual_shipping_cost money,"
    " payment_processing_fee money, shipping_address text, billing_address text,"
    " clv_bucket text, is_reactivated bool",
    "order_items": "order_id! text, product_id! int, product_name text, category text,"
    " quantity! int, unit_price! money, discount_amount money, cost_price money",
    "shopping_carts": "cart_id! text, customer_id! text, created_at! timestamp,"
    " updated_at timestamp, cart_total money, status text",
    "cart_items": "cart_item_id! int, cart_id! text, product_id! int, product_name text,"
    " category text, added_at! timestamp, quantity! int, unit_price! money",
    "returns": "return_id! text, order_id! text, customer_id! text, email text,"
    " return_date! date, reason text, return_type text, refunded_amount! money,"
    " return_channel text, agent_id text, refund_method text",
    "return_items": "return_item_id! int, return_id! text, order_id! text, product_id! int,"
    " product_name text, category text, quantity_returned! int, unit_price money,"
    " cost_price money, refunded_amount! money",
    "customers": "customer_id! text, first_name text, last_name text, email text,"
    " phone_number text, signup_date! date, gender text, age int, is_guest bool,"
    " customer_status text, signup_channel text, loyalty_tier text, initial_loyalty_tier text,"
    " email_verified bool, marketing_opt_in bool, mailing_address text, billing_address text,"
    " loyalty_enrollment_date date, clv_bucket text",
    "product_catalog": "product_id! int, product_name! text, category! text, unit_price! money,"
    " cost_price money, inventory_quantity int",
}
KEYS = {
    "orders": ["order_id"],
    "order_items": ["order_id", "product_id"],
    "shopping_carts": ["cart_id"],
    "cart_items": ["cart_id", "cart_item_id"],
    "returns": ["return_id"],
    "return_items": ["return_id", "return_item_id"],
    "customers": ["customer_id"],
    "product_catalog": ["product_id"],
}
# In the order of the columns; a parent comes before its children in EVENTS.
FOREIGN_KEYS = {
    "orders": {"customer_id": "customers"},
    "order_items": {"order_id": "orders", "product_id": "product_catalog"},
    "shopping_carts": {"customer_id": "customers"},
    "cart_items": {"cart_id": "shopping_carts", "product_id": "product_catalog"},
    "returns": {"order_id": "orders", "customer_id": "customers"},
    "return_items": {"return_id": "returns", "order_id": "orders", "product_id": "product_catalog"},
}
EVENTS = ["orders", "shopping_carts", "order_items", "cart_items", "returns", "return_items"]
DIMENSIONS = ["customers", "product_catalog"]
BUSINESS_DATES = {
    "orders": ("order_dt", "order_date"),
    "shopping_carts": ("cart_dt", "created_at"),
    "cart_items": ("added_dt", "added_at"),
    "returns": ("return_dt", "return_date"),
}
RULES = {
    "orders": [("rule:net_exceeds_gross", "net_total > gross_total")],
    "shopping_carts": [("rule:updated_before_created", "updated_at < created_at")],
}
LOWERED = {
    "status",
    "order_channel",
    "customer_tier",
    "payment_method",
    "shipping_speed",
    "clv_bucket",
    "reason",
    "return_type",
    "return_channel",
    "refund_method",
    "gender",
    "customer_status",
    "signup_channel",
    "loyalty_tier",
    "initial_loyalty_tier",
    "category",
    "email",
}
NAMES = {"product_name", "first_name", "last_name"}
QUANTITIES = {"quantity", "quantity_returned"}
MAX_MONEY, MAX_QUANTITY, MAX_STOCK = 10_000_000_000, 100_000, 1_000_000_000
SQL_TYPES = {
    "text": "varchar",
    "money": "decimal(18, 2)",
    "int": "bigint",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
BATCH_ROWS = 1_500_000
AMBIGUOUS = "AMBIGUOUS"
# Stands for bytes that are no text until they fail to become a value.
TEXTS = ("VARCHAR", "JSON")
NO_TEXT = "chr(1) || 'no text'"


@dataclass(frozen=True)
class Column:
    """A column of the contract."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class File:
    """A Bronze file: a number of its own, its ingest day (none in some layouts), its columns."""

    id: int
    path: str
    day: date | None
    rows: int
    columns: tuple[tuple[str, str], ...]


@dataclass
class Floor:
    """One run: where it reads and writes, and what it has counted."""

    con: duckdb.DuckDBPyConnection
    bronze: Path
    out: Path
    counts: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    stages: list[dict[str, Any]] = field(default_factory=list)

    def sql(self, query: str) -> list[Any]:
        """Runs a statement and returns its rows."""
        return self.con.execute(query).fetchall()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times a stage in wall and CPU seconds."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        seconds = time.perf_counter() - wall
        self.stages.append(
            {
                "name": name,
                "seconds": round(seconds, 3),
                "cpu_seconds": round(time.process_time() - cpu, 3),
            }
        )


def contract(table: str) -> list[Column]:
    """The columns of a table in Bronze order, lineage last."""
    parts = [part.strip().split(" ") for part in f"{CONTRACTS[table]}, {LINEAGE}".split(",")]
    return [Column(name.rstrip("!"), kind, name.endswith("!")) for name, kind in parts]


# ---------------------------------------------------------------- Bronze files


def list_files(floor: Floor, table: str) -> list[File]:
    """The files that the manifests of a table list, with their columns."""
    found: list[tuple[str, date | None, int]] = []
    for manifest in sorted((floor.bronze / table).glob("*=*/_MANIFEST.json")):
        key, _, value = manifest.parent.name.partition("=")
        day = date.fromisoformat(value) if key == "ingest_dt" else None
        for entry in json.loads(manifest.read_text())["files"]:
            path = manifest.parent / Path(entry["path"]).name
            found.append((str(path), day, int(entry["rows"])))
    schemas = read_schemas(floor, [path for path, _, _ in found])
    return [
        File(number, path, day, rows, schemas[path])
        for number, (path, day, rows) in enumerate(found)
    ]


def read_schemas(floor: Floor, paths: list[str]) -> dict[str, tuple[tuple[str, str], ...]]:
    """Columns and DuckDB types per file, as one `describe` per distinct footer says."""
    if not paths:
        return {}
    footers = floor.con.execute(
        "select file_name, list((name, type, logical_type::varchar, converted_type::varchar,"
        " num_children, precision, scale)::varchar) from parquet_schema(?) group by file_name",
        [paths],
    ).fetchall()
    described: dict[str, tuple[tuple[str, str], ...]] = {}
    schemas = {}
    for path, footer in footers:
        signature = str(footer)
        if signature not in described:
            rows = floor.con.execute(
                "describe select * from read_parquet(?, hive_partitioning = false)", [path]
            ).fetchall()
            names = top_level_names(floor, path)
            described[signature] = tuple(
                (shown, AMBIGUOUS if names.count(shown) > 1 else kind) for shown, kind, *_ in rows
            )
        schemas[path] = described[signature]
    return schemas


def top_level_names(floor: Floor, path: str) -> list[str]:
    """The names of a file's columns as its footer has them; one can stand twice."""
    elements = floor.con.execute(
        "select name, coalesce(num_children, 0) from parquet_schema(?)", [path]
    ).fetchall()
    names: list[str] = []
    inside = 0
    for name, children in elements[1:]:
        if inside:
            inside += children - 1
        else:
            names.append(name)
            inside = children
    return names


def by_schema(files: Iterable[File]) -> list[list[File]]:
    """Files of equal columns together: one scan each."""
    groups: dict[tuple[tuple[str, str], ...], list[File]] = defaultdict(list)
    for file in files:
        groups[file.columns].append(file)
    return list(groups.values())


def batches(files: Sequence[File]) -> Iterator[list[File]]:
    """Whole days of files, about BATCH_ROWS rows at a time, so that memory is bounded."""
    batch: list[File] = []
    for file in sorted(files, key=lambda file: (str(file.day), file.path)):
        full = sum(other.rows for other in batch) >= BATCH_ROWS
        if full and batch[-1].day != file.day:
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


def scan(files: Sequence[File], columns: str) -> str:
    """A scan of files of equal columns, with file_id, rn and ingestion_dt first."""
    ids = ", ".join(str(file.id) for file in files)
    days = ", ".join(f"date '{file.day}'" if file.day else "null::date" for file in files)
    paths = ", ".join(quote(file.path) for file in files)
    return (
        f"select [{ids}][file_index::bigint + 1] as file_id, file_row_number as rn,"
        f" [{days}][file_index::bigint + 1] as ingestion_dt, {columns}"
        f" from read_parquet([{paths}], hive_partitioning = false)"
    )


def quote(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def ident(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


# ---------------------------------------------------------------- cleaning and casts


def trimmed(column: Column, physical: str | None) -> str:
    """The value without blanks around it; null where the file has no such column."""
    name = ident(column.name)
    if physical is None:
        return "null::varchar"
    if physical == AMBIGUOUS:
        return NO_TEXT
    if physical == "BLOB":
        text = f"coalesce(trimmed(try(decode({name}))), {NO_TEXT})"
        return f"case when {name} is not null then {text} end"
    return f"trimmed(cast({name} as varchar))" if physical in TEXTS else name


def cleaned(column: Column, physical: str | None) -> str:
    """The trimmed value without the words that mean nothing; null means missing."""
    if physical not in (*TEXTS, "BLOB"):
        return column.name
    return f"nullif({column.name}, '')" if column.name in NAMES else f"no_null_word({column.name})"


def typed(column: Column, physical: str | None) -> str:
    """The cleaned value `c_<column>` as its Silver type; null where it does not cast."""
    value = ident(f"c_{column.name}")
    kind = physical_kind(physical)
    if column.type == "text":
        return typed_text(column, value, kind)
    native = {
        "int": {"int": "try_cast({0} as bigint)", "float": "float_to_int({0})"},
        "money": {"int": "try_cast({0} as decimal(18, 2))", "float": "float_to_money({0})"},
        "bool": {"bool": "{0}"},
        "date": {"time": "cast({0} as date)"},
        "timestamp": {"time": "cast({0} as timestamp)"},
    }[column.type].get(kind)
    value = native.format(value) if native else f"text_to_{column.type}(cast({value} as varchar))"
    if column.name == "age":
        return f"case when {value} between 0 and 130 then {value} end"
    if column.name == "inventory_quantity":
        return f"case when {value} between 0 and {MAX_STOCK} then {value} end"
    return value


def typed_text(column: Column, value: str, kind: str) -> str:
    """Text as Silver keeps it: lower or title case, no broken e-mail, no number that is none."""
    if kind == "float":
        value = f"plain_number(finite_text({value}))"
    elif kind != "text":
        value = f"cast({value} as varchar)"
        value = f"plain_number({value})" if kind == "decimal" else value
    else:
        value = f"nullif({value}, {NO_TEXT})"
    if column.name in LOWERED:
        value = f"lower({value})"
    if column.name == "product_name":
        value = f"title({value})"
    if column.name == "email":
        value = f"valid_email({value})"
    return value


def physical_kind(physical: str | None) -> str:
    """The family of a DuckDB type: text, int, float, bool, time or other."""
    name = (physical or "VARCHAR").split("(")[0]
    families = {
        "text": {*TEXTS, "BLOB", AMBIGUOUS},
        "float": {"FLOAT", "DOUBLE"},
        "bool": {"BOOLEAN"},
    }
    for family, members in families.items():
        if name in members:
            return family
    if name.startswith(("DATE", "TIMESTAMP")):
        return "time"
    if name == "DECIMAL":
        return "decimal"
    return "int" if name.endswith("INT") or name == "INTEGER" else "other"


def typed_scan(table: str, files: Sequence[File]) -> str:
    """All contract columns typed, with `m_<column>`: nothing was there after cleaning."""
    selects = []
    for group in by_schema(files):
        physical = dict(group[0].columns)
        kinds = [(c, physical.get(c.name)) for c in contract(table)]
        # One level each, so that no step is computed more than once.
        levels = [
            ", ".join(f"{trimmed(c, kind)} as {c.name}" for c, kind in kinds),
            ", ".join(f"{cleaned(c, kind)} as c_{c.name}" for c, kind in kinds),
            ", ".join(
                f"{typed(c, kind)} as {c.name}, c_{c.name} is null as m_{c.name},"
                f" {str(kind == AMBIGUOUS).lower()} as a_{c.name}"
                for c, kind in kinds
            ),
        ]
        query = scan(group, levels[0])
        for level in levels[1:]:
            query = f"select file_id, rn, ingestion_dt, {level} from ({query})"
        selects.append(query)
    return " union all ".join(selects)


# ---------------------------------------------------------------- reasons


def reasons(table: str) -> list[tuple[str, str]]:
    """Every reason code of a table with its condition, in the order of the codes."""
    columns = contract(table)
    required = [c for c in columns if c.required]
    found = [
        code
        for c in required
        for code in ((f"missing:{c.name}", f"m_{c.name}"), (f"ambiguous:{c.name}", f"a_{c.name}"))
    ]
    found += [
        (f"unparseable:{c.name}", f"(not m_{c.name} and not a_{c.name} and t.{c.name} is null)")
        for c in required
    ]
    for c in columns:
        if c.type == "money":
            found.append((f"negative:{c.name}", f"t.{c.name} < 0"))
            found.append((f"too_large:{c.name}", f"t.{c.name} > {MAX_MONEY}"))
        elif c.name in QUANTITIES:
            found.append((f"not_positive:{c.name}", f"t.{c.name} <= 0"))
            found.append((f"too_large:{c.name}", f"t.{c.name} > {MAX_QUANTITY}"))
    found += RULES.get(table, [])
    if table in BUSINESS_DATES:
        source = BUSINESS_DATES[table][1]
        late = f"cast(t.{source} as date) > t.ingestion_dt + 1"
        early = f"cast(t.{source} as date) < date '2000-01-01'"
        found.append((f"rule:implausible_date:{source}", f"({late} or {early})"))
    for column in FOREIGN_KEYS.get(table, {}):
        orphan = f"(t.{column} is not null and p_{column}.key is null"
        if column == "customer_id":
            orphan += f" and not is_guest_id(t.{column})"
        found.append((f"fk:{column}", orphan + ")"))
    return found


def scored(table: str, files: Sequence[File]) -> str:
    """Typed rows with `invalid_reason` and `n_<column>` where a value was nullified."""
    columns = contract(table)
    codes = reasons(table)
    any_reason = " or ".join(condition for _, condition in codes)
    cases = ", ".join(f"case when {condition} then '{code}' end" for code, condition in codes)
    business = BUSINESS_DATES.get(table)
    extra = f", cast(t.{business[1]} as date) as {business[0]}" if business else ""
    parents = " ".join(
        f"left join parent_{parent} as p_{column} on t.{column} = p_{column}.key"
        for column, parent in FOREIGN_KEYS.get(table, {}).items()
    )
    nullified = ", ".join(
        f"(not m_{c.name} and t.{c.name} is null) as n_{c.name}" for c in columns if not c.required
    )
    kept = ", ".join(f"t.{c.name}" for c in columns)
    return (
        f"select t.file_id, t.rn, {kept}, t.ingestion_dt{extra}, {nullified},"
        f" case when {any_reason} then concat_ws('|', {cases}) end as invalid_reason"
        f" from ({typed_scan(table, files)}) as t {parents}"
    )


def silver_columns(table: str) -> str:
    """The columns of Base Silver."""
    names = [c.name for c in contract(table)]
    if table in EVENTS:
        names.append("ingestion_dt")
    if table in BUSINESS_DATES:
        names.append(BUSINESS_DATES[table][0])
    return ", ".join(names)


# ---------------------------------------------------------------- Base Silver


def build_base(floor: Floor, table: str) -> None:
    """One event table: score, deduplicate, write the accepted rows and the quarantine."""
    files = list_files(floor, table)
    start_scoring(floor, table, files)
    losers: set[date] = set()
    for batch in batches(files):
        score_batch(floor, table, batch)
        write_accepted(floor, table, "invalid_reason is null")
    if mark_duplicates(floor, table, files):
        losers = {row[0] for row in floor.sql("select distinct ingestion_dt from losers")}
    rewrite_days(floor, table, files, losers)
    write_quarantine(floor, table, files, f"{floor.out}/quarantine/{table}", "ingestion_dt")
    keep_parent_keys(floor, table)
    count_rows(floor, table, files)


def start_scoring(floor: Floor, table: str, files: Sequence[File]) -> None:
    """Empty tables for the keys of good rows, for bad rows and for nullified values."""
    kinds = {c.name: SQL_TYPES[c.type] for c in contract(table)}
    keys = ", ".join(f"{key} {kinds[key]}" for key in KEYS[table])
    floor.sql(f"create or replace table good (file_id int, rn bigint, {keys})")
    floor.sql("create or replace table bad (file_id int, rn bigint, invalid_reason varchar)")
    floor.sql("create or replace table losers (file_id int, rn bigint, ingestion_dt date)")
    floor.counts[table] = {"bronze": sum(file.rows for file in files), "nullified": {}}


def score_batch(floor: Floor, table: str, batch: Sequence[File]) -> None:
    """Scores files into `batch`, notes keys and bad rows, counts nullified values."""
    floor.sql(f"create or replace temp table batch as {scored(table, batch)}")
    keys = ", ".join(KEYS[table])
    floor.sql(
        f"insert into good select file_id, rn, {keys} from batch where invalid_reason is null"
    )
    floor.sql(
        "insert into bad select file_id, rn, invalid_reason from batch"
        " where invalid_reason is not null"
    )
    optional = [c.name for c in contract(table) if not c.required]
    counted = floor.sql(
        f"select {', '.join(f'count_if(n_{name})' for name in optional)} from batch"
    )
    nullified = floor.counts[table]["nullified"]
    for name, count in zip(optional, counted[0], strict=True):
        if count:
            nullified[name] = nullified.get(name, 0) + count


def write_accepted(floor: Floor, table: str, condition: str) -> None:
    """Appends the accepted rows of `batch` to Base Silver."""
    target = floor.out / "base" / table
    target.mkdir(parents=True, exist_ok=True)
    floor.sql(
        f"copy (select {silver_columns(table)} from batch where {condition}) to '{target}'"
        " (format parquet, partition_by (ingestion_dt), overwrite_or_ignore)"
    )


def mark_duplicates(floor: Floor, table: str, files: Sequence[File]) -> bool:
    """Ranks the rows of repeated keys; fills `losers`. Returns whether there are any."""
    keys = ", ".join(KEYS[table])
    floor.sql(
        "create or replace temp table suspects as select file_id, rn from good semi join"
        f" (select {keys} from good group by all having count(*) > 1) using ({keys})"
    )
    involved = chosen(floor, files, "suspects")
    if not involved:
        return False
    raw, unknown = raw_scan(table, involved)
    tie_breakers = [c.name for c in contract(table)] + [f"raw.{ident(name)}" for name in unknown]
    # Rows that differ in nothing but blanks and case are told apart by their raw text.
    tie_breakers += [f"raw.{ident(c.name)}" for c in contract(table)]
    ranked = ", ".join(
        f"{name if name.startswith('raw.') else 't.' + name} desc nulls last"
        for name in ["ingestion_ts", "ingestion_dt", "source_file", *tie_breakers]
    )
    partition = ", ".join(f"t.{key}" for key in KEYS[table])
    floor.sql(
        "insert into losers select t.file_id, t.rn, t.ingestion_dt from"
        f" ({scored(table, involved)}) as t"
        " semi join suspects as s on t.file_id = s.file_id and t.rn = s.rn"
        f" join ({raw}) as raw on t.file_id = raw.file_id and t.rn = raw.rn"
        f" qualify row_number() over (partition by {partition}"
        f" order by {ranked}, t.file_id, t.rn) > 1"
    )
    if table in EVENTS:
        code = f"duplicate:{'+'.join(KEYS[table])}"
        floor.sql(f"insert into bad select file_id, rn, '{code}' from losers")
    return True


def chosen(floor: Floor, files: Sequence[File], rows: str) -> list[File]:
    """The files that hold any of the rows in a table of (file_id, rn)."""
    ids = {row[0] for row in floor.sql(f"select distinct file_id from {rows}")}
    return [file for file in files if file.id in ids]


def rewrite_days(floor: Floor, table: str, files: Sequence[File], days: set[date]) -> None:
    """Writes the days that lost rows to deduplication once more, without them."""
    for day in days:
        shutil.rmtree(floor.out / "base" / table / f"ingestion_dt={day}")
    for batch in batches([file for file in files if file.day in days]):
        floor.sql(
            f"create or replace temp table batch as select t.* from ({scored(table, batch)}) as t"
            " anti join losers as l on t.file_id = l.file_id and t.rn = l.rn"
        )
        write_accepted(floor, table, "invalid_reason is null")


def raw_scan(table: str, files: Sequence[File]) -> tuple[str, list[str]]:
    """Every Bronze column as text, under its own name, and the names the contract lacks."""
    known = [c.name for c in contract(table)]
    unknown = sorted({name for file in files for name, _ in file.columns if name not in known})
    selects = []
    for group in by_schema(files):
        columns = ", ".join(
            f"{as_text(name, dict(group[0].columns).get(name))} as {ident(kept_name(name, known))}"
            for name in [*known, *unknown]
        )
        selects.append(scan(group, columns))
    return " union all ".join(selects), [kept_name(name, known) for name in unknown]


def as_text(name: str, physical: str | None) -> str:
    """A Bronze value as quarantine keeps it; of two columns of one name neither."""
    if physical in (None, AMBIGUOUS):
        return "null::varchar"
    if physical == "BLOB":
        return f"coalesce(try(decode({ident(name)})), cast({ident(name)} as varchar))"
    return f"cast({ident(name)} as varchar)"


def kept_name(name: str, known: Sequence[str]) -> str:
    """The name of a column in quarantine; DuckDB does not tell case apart."""
    return f"{name}__bronze" if name not in known and name.lower() in known else name


def write_quarantine(
    floor: Floor, table: str, files: Sequence[File], target: str, day: str
) -> None:
    """Writes the bad rows as they were, with their reasons."""
    involved = chosen(floor, files, "bad")
    if not involved:
        return
    Path(target).mkdir(parents=True, exist_ok=True)
    raw, _ = raw_scan(table, involved)
    stamp = "ingestion_dt" if day == "ingestion_dt" else f"date '{last_day(floor)}'"
    floor.sql(
        f"copy (select raw.* exclude (file_id, rn, ingestion_dt), b.invalid_reason,"
        f" {stamp} as {day} from ({raw}) as raw join bad as b"
        f" on raw.file_id = b.file_id and raw.rn = b.rn) to '{target}'"
        f" (format parquet, partition_by ({day}), overwrite_or_ignore)"
    )


def keep_parent_keys(floor: Floor, table: str) -> None:
    """The accepted keys of a table that others refer to."""
    if any(table in parents.values() for parents in FOREIGN_KEYS.values()):
        floor.sql(
            f"create or replace table parent_{table} as select distinct {KEYS[table][0]} as key"
            " from good"
        )


def count_rows(floor: Floor, table: str, files: Sequence[File]) -> None:
    """Where every row ended, checked."""
    counts = floor.counts[table]
    good, lost = floor.sql("select (select count(*) from good), (select count(*) from losers)")[0]
    counts["quarantine"] = floor.sql("select count(*) from bad")[0][0]
    if table in EVENTS:
        counts["silver"] = good - lost
        ends = counts["silver"] + counts["quarantine"]
    else:
        counts |= {"silver": good - lost, "superseded": lost}
        ends = good + counts["quarantine"]
    if ends != counts["bronze"]:
        raise SystemExit(f"{table}: {counts['bronze']} rows in {len(files)} files, {ends} out")


# ---------------------------------------------------------------- dimensions


def build_dimension(floor: Floor, table: str) -> None:
    """The snapshot of the last day, the quarantine, and every key that stands in Bronze."""
    files = list_files(floor, table)
    start_scoring(floor, table, files)
    score_batch(floor, table, files)
    mark_duplicates(floor, table, files)
    day = last_day(floor)
    target = floor.out / "dims" / table / f"snapshot_dt={day}"
    target.mkdir(parents=True, exist_ok=True)
    floor.sql(
        f"copy (select {silver_columns(table)} from batch as t anti join losers as l"
        " on t.file_id = l.file_id and t.rn = l.rn where t.invalid_reason is null)"
        f" to '{target}/snapshot.parquet' (format parquet)"
    )
    write_quarantine(floor, table, files, f"{floor.out}/quarantine/{table}", "snapshot_dt")
    key = KEYS[table][0]
    floor.sql(
        f"create or replace table parent_{table} as select distinct {key} as key from batch"
        f" where {key} is not null"
    )
    count_rows(floor, table, files)


def bronze_days(floor: Floor) -> list[date]:
    """The ingest days with a completed partition in any table."""
    manifests = floor.bronze.glob("*/ingest_dt=*/_MANIFEST.json")
    return sorted({date.fromisoformat(path.parent.name.split("=")[1]) for path in manifests})


def last_day(floor: Floor) -> date:
    """The last day of the window."""
    return bronze_days(floor)[-1]


# ---------------------------------------------------------------- Enriched and Gold


def open_silver(floor: Floor) -> None:
    """Views on the tables written so far; an empty table has its columns all the same."""
    for table in EVENTS:
        files = list((floor.out / "base" / table).glob("*/*.parquet"))
        if files:
            source = (
                f"select * from read_parquet('{floor.out}/base/{table}/*/*.parquet',"
                " hive_types = {'ingestion_dt': date})"
            )
        else:
            source = f"select {silver_columns(table)} from ({scored_nothing(table)})"
        floor.sql(f"create or replace view {table} as {source}")
    for table in DIMENSIONS:
        path = floor.out / "dims" / table / "*" / "snapshot.parquet"
        floor.sql(
            f"create or replace view {table} as select * from"
            f" read_parquet('{path}', hive_partitioning = false)"
        )


def scored_nothing(table: str) -> str:
    """No rows, with the columns of a Base Silver table."""
    columns = [f"null::{SQL_TYPES[c.type]} as {c.name}" for c in contract(table)]
    columns.append("null::date as ingestion_dt")
    if table in BUSINESS_DATES:
        columns.append(f"null::date as {BUSINESS_DATES[table][0]}")
    return f"select {', '.join(columns)} where false"


def define_window(floor: Floor) -> None:
    """Macros for the window's bounds, which the queries of `floor_sql` use."""
    days = bronze_days(floor)
    floor.sql(f"create or replace macro window_start() as date '{days[0]}'")
    floor.sql(f"create or replace macro window_end() as date '{days[-1]}'")
    floor.sql(
        "create or replace table days as select d::date as ingestion_dt"
        " from range(window_start(), window_end() + 1, interval 1 day) as r(d)"
    )
    for macro in WINDOW_MACROS:
        floor.sql(f"create or replace macro {macro}")


def build_enriched(floor: Floor, query: Query) -> None:
    """One transform: computed, kept for the next ones, written by day."""
    floor.sql(f"create or replace table {query.name} as {query.sql}")
    target = floor.out / "enriched" / query.name
    target.mkdir(parents=True, exist_ok=True)
    floor.sql(
        f"copy {query.name} to '{target}'"
        " (format parquet, partition_by (ingestion_dt), overwrite_or_ignore)"
    )


def build_gold(floor: Floor, queries: Sequence[Query]) -> None:
    """The marts, in a DuckDB file of their own."""
    floor.sql(f"attach '{floor.out}/warehouse.duckdb' as warehouse")
    floor.sql("create schema warehouse.gold")
    for query in queries:
        floor.sql(f"create table warehouse.gold.{query.name} as {query.sql}")
    floor.sql("detach warehouse")


# ---------------------------------------------------------------- the run


def connect(out: Path, memory: str, threads: int | None) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that spills beside the output."""
    con = duckdb.connect()
    con.execute(f"set temp_directory = '{out}/_spill'")
    con.execute(f"set memory_limit = '{memory}'")
    if threads:
        con.execute(f"set threads = {threads}")
    con.execute("set timezone = 'UTC'")
    con.execute("set preserve_insertion_order = false")
    # Parquet statistics leave NaN out; a check for NaN must look at the values.
    con.execute("set disabled_optimizers = 'statistics_propagation'")
    for macro in MACROS:
        con.execute(f"create macro {macro}")
    return con


def run(
    bronze: Path, out: Path, *, memory: str = "4GB", threads: int | None = None
) -> dict[str, Any]:
    """Builds every layer from a Bronze root.

    Args:
        bronze: Where Bronze is.
        out: An empty or new folder for the results.
        memory: DuckDB's memory limit.
        threads: DuckDB's threads; its own choice when None.

    Returns:
        Stages with wall and CPU seconds and rows, row counts per table, totals.
    """
    out.mkdir(parents=True, exist_ok=True)
    floor = Floor(connect(out, memory, threads), bronze, out)
    with floor.stage("dims"):
        for table in DIMENSIONS:
            build_dimension(floor, table)
    with floor.stage("base_silver"):
        for table in EVENTS:
            build_base(floor, table)
        for name in ("good", "bad", "losers", "batch", "suspects"):
            floor.sql(f"drop table if exists {name}")
    floor.sql("set disabled_optimizers = ''")
    with floor.stage("enriched"):
        open_silver(floor)
        define_window(floor)
        for query in ENRICHED:
            build_enriched(floor, query)
    with floor.stage("gold"):
        build_gold(floor, GOLD)
    floor.con.close()
    shutil.rmtree(out / "_spill", ignore_errors=True)
    return report(floor)


def report(floor: Floor) -> dict[str, Any]:
    """What the run did, in the shape that `run.py` reads."""
    rows = sum(counts["bronze"] for counts in floor.counts.values())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "rows": rows,
        "stages": [stage | {"rows": rows} for stage in floor.stages],
        "seconds": round(sum(stage["seconds"] for stage in floor.stages), 3),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_rss_bytes": usage.ru_maxrss * 1024,
        "tables": dict(floor.counts),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Bronze to Gold without a framework")
    parser.add_argument("bronze", type=Path, help="where Bronze is")
    parser.add_argument("out", type=Path, help="a folder for the results")
    parser.add_argument("--json", type=Path, help="also write the report to this file")
    parser.add_argument("--memory", default="4GB", help="DuckDB's memory limit")
    parser.add_argument("--threads", type=int, help="DuckDB's threads")
    options = parser.parse_args()
    if not re.match(r"^\d+(\.\d+)?\s*[KMGT]i?B$", options.memory):
        parser.error("--memory is a size such as 4GB")
    if options.out.exists() and any(options.out.iterdir()):
        parser.error(f"{options.out} is not empty")
    result = run(options.bronze, options.out, memory=options.memory, threads=options.threads)
    text = json.dumps(result, indent=2, default=str)
    if options.json:
        options.json.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
