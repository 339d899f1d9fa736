"""The spec as typed, frozen models.

Everything the project knows about its tables is read from `conf/base/spec.yml` into these
classes; nothing else in the project states a key, a type, a threshold or a lookback.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from medallion.spec.reach import Reach, Referred, Referring

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
BronzeType = Literal["string", "int64", "double", "bool"]
SilverType = Literal["text", "int", "money", "bool", "date", "timestamp"]
EnrichedType = Literal["text", "int", "float", "money", "bool", "date", "timestamp"]
Share = Annotated[float, Field(ge=0, le=1)]
# As long as BigQuery takes them: of a table, and of a column.
TableText = Annotated[str, StringConstraints(max_length=16_384)]
ColumnText = Annotated[str, StringConstraints(max_length=1_024)]
_MOST_CLUSTERED = 4

INGESTION_DAY = "ingestion_dt"
SNAPSHOT_DAY = "snapshot_dt"
BRONZE_DAY = "ingest_dt"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Stored(_Model):
    """What a warehouse with tables of its own needs to know of one.

    Attributes:
        description: What one row is.
        descriptions: What columns mean in this table, where the spec does not say it for all.
        cluster_by: Columns by which the rows of a day are stored together.
        require_partition_filter: Whether a query must name its days.
    """

    description: TableText = ""
    descriptions: Mapping[Identifier, ColumnText] = Field(default_factory=dict)
    cluster_by: tuple[Identifier, ...] = Field(default=(), max_length=_MOST_CLUSTERED)
    require_partition_filter: bool = False


class Bounds(_Model):
    """The closed range outside of which a number becomes null."""

    below: int | None = None
    above: int | None = None


class Column(_Model):
    """One column of a Bronze table and what Silver promises of it."""

    bronze: BronzeType
    silver: SilverType
    required: bool = False
    clean: Literal["lower", "title"] | None = None
    is_name: bool = False
    check: Literal["negative", "not_positive"] | None = None
    nullify: Literal["email"] | Bounds | None = None
    plausible: bool = False
    accepted: tuple[str, ...] = ()
    personal: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Column:
        if self.silver != "text" and (self.clean or self.accepted or self.is_name):
            raise ValueError("clean, accepted and is_name are for text columns")
        if self.check and self.silver not in ("money", "int"):
            raise ValueError("check is for money and int columns")
        if self.plausible and self.silver not in ("date", "timestamp"):
            raise ValueError("plausible is for date and timestamp columns")
        return self


class ForeignKey(_Model):
    """A column whose value must stand in the parent's key."""

    columns: tuple[Identifier, ...] = Field(min_length=1, max_length=1)
    parent: Identifier
    guests: bool = False

    @property
    def column(self) -> str:
        """The referring column."""
        return self.columns[0]


class BusinessDate(_Model):
    """A date column that Silver derives from an event time."""

    column: Identifier
    source: Identifier


class Table(_Stored):
    """One Bronze table: its contract, its keys, its thresholds."""

    kind: Literal["event", "dimension"]
    key: tuple[Identifier, ...] = Field(min_length=1)
    partition_keys: tuple[Identifier, ...] = Field(min_length=1)
    sla: Share
    columns: Mapping[Identifier, Column]
    business_date: BusinessDate | None = None
    foreign_keys: tuple[ForeignKey, ...] = ()
    rules: Mapping[Identifier, str] = Field(default_factory=dict)
    may_be_absent: bool = False
    freshness_hours: Annotated[int, Field(ge=1, le=8760)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Table:
        named = {
            "key": self.key,
            "foreign_keys": tuple(fk.column for fk in self.foreign_keys),
            "business_date": (self.business_date.source,) if self.business_date else (),
            "cluster_by": self.cluster_by,
        }
        for where, columns in named.items():
            for column in columns:
                if column not in self.columns:
                    raise ValueError(
                        f"{where} names the unknown column '{column}'; "
                        f"known are {', '.join(sorted(self.columns))}"
                    )
        if (self.kind == "dimension") != (self.freshness_hours is not None):
            raise ValueError("freshness_hours belongs to a dimension, and every dimension has it")
        if self.kind == "event" and self.partition_keys != (BRONZE_DAY,):
            raise ValueError(f"an event table is partitioned by [{BRONZE_DAY}]")
        return self

    @property
    def required(self) -> tuple[str, ...]:
        """The required columns, in Bronze order."""
        return tuple(name for name, column in self.columns.items() if column.required)


class Transform(_Stored):
    """One table of Enriched Silver: grain, inputs, parameters."""

    kind: Literal["event", "daily", "snapshot"]
    grain: tuple[Identifier, ...]
    reads: Mapping[Identifier, Reach] = Field(min_length=1)
    parameters: Mapping[Identifier, int | float] = Field(default_factory=dict)
    columns: Mapping[Identifier, EnrichedType] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Transform:
        for read, reach in self.reads.items():
            for parameter in reach.parameters:
                if parameter not in self.parameters:
                    raise ValueError(
                        f"reads.{read} names the unknown parameter '{parameter}'; "
                        f"known are {', '.join(sorted(self.parameters)) or 'none'}"
                    )
        for column in self.cluster_by:
            if self.columns.get(column, "float") == "float":
                fit = sorted(name for name, kind in self.columns.items() if kind != "float")
                raise ValueError(
                    f"cluster_by names '{column}', which rows cannot be stored by; "
                    f"allowed are {', '.join(fit) or 'none'}"
                )
        return self


class Cleaning(_Model):
    """What all columns of a type share.

    Attributes:
        null_words: Text that means nothing, in lower case.
        email_pattern: What an e-mail address looks like.
        guest_pattern: What the id of a customer without a row of their own looks like.
        earliest_date: No event happened before it.
        max_money: No amount is larger.
        max_quantity: No quantity of a line is larger.
    """

    null_words: tuple[str, ...]
    email_pattern: str
    guest_pattern: str
    earliest_date: date
    max_money: Annotated[int, Field(ge=1, le=10**15)]
    # Within it, no sum of quantities can leave the range of 64-bit integers.
    max_quantity: Annotated[int, Field(ge=1, le=10**9)]


class Volume(_Model):
    """How many rows a day may have, over the median of the days before it.

    Attributes:
        trailing_days: How many delivered days before are looked at.
        min_rows: A median below says nothing.
        warn: Least and greatest ratio that is not reported.
        stop: Least and greatest ratio that does not stop a strict run.
    """

    trailing_days: Annotated[int, Field(ge=1, le=366)]
    min_rows: Annotated[int, Field(ge=1)]
    warn: tuple[float, float]
    stop: tuple[float, float]

    @model_validator(mode="after")
    def _consistent(self) -> Volume:
        ratios = (0.0, self.stop[0], self.warn[0], 1.0, self.warn[1], self.stop[1])
        if list(ratios) != sorted(ratios):
            raise ValueError("0 <= stop[0] <= warn[0] <= 1 <= warn[1] <= stop[1] must hold")
        return self


class Thresholds(_Model):
    """What the gates hold against every table.

    Attributes:
        max_lost_share: Bronze rows that ended nowhere.
        max_quarantine_share: Bronze rows that were put aside.
        min_found_share: Foreign keys that have their parent, guests apart.
        sla_warns_within: Share of a table's sla by which its pass rate may fall short.
        max_snapshot_shrink: Share of its rows that a dimension may lose between snapshots.
        volume: Rows of a day.
    """

    max_lost_share: Share
    max_quarantine_share: Share
    min_found_share: Share
    sla_warns_within: Share
    max_snapshot_shrink: Share
    volume: Volume


class Spec(_Model):
    """All that is known about the tables."""

    version: Literal[1]
    snapshots: Literal["last", "all"] = "last"
    max_day_gap: Annotated[int, Field(ge=1)] = 31
    cleaning: Cleaning
    quality: Thresholds
    lineage: Mapping[Identifier, Column]
    tables: Mapping[Identifier, Table]
    transforms: Mapping[Identifier, Transform]
    descriptions: Mapping[Identifier, ColumnText] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Spec:
        for name, table in self.tables.items():
            for fk in table.foreign_keys:
                parent = self.tables.get(fk.parent)
                if parent is None or len(parent.key) != 1:
                    raise ValueError(
                        f"tables.{name}.foreign_keys: parent '{fk.parent}' is no table with a "
                        f"single key; allowed are {', '.join(self._single_key_tables())}"
                    )
        inputs = sorted({*self.tables, *self.transforms})
        for name, transform in self.transforms.items():
            for read in transform.reads:
                if read not in inputs:
                    raise ValueError(
                        f"transforms.{name}.reads: '{read}' is unknown; "
                        f"allowed are {', '.join(inputs)}"
                    )
            self._check_reaches(name, transform)
        return self

    def _check_reaches(self, name: str, transform: Transform) -> None:
        """Refuses a reach that its input cannot answer."""
        for read, reach in transform.reads.items():
            where = f"transforms.{name}.reads.{read}: '{reach.kind}'"
            is_dimension = read in self.dimensions
            if reach.of_dimension != is_dimension:
                wanted = "newest or values" if is_dimension else "day, up_to, trailing or another"
                raise ValueError(
                    f"{where} is not how {'a dimension' if is_dimension else 'this input'} "
                    f"is read; give {wanted}"
                )
            by = (reach.by,) if isinstance(reach, Referred) else ()
            for table in (read, *by) if reach.needs_events else ():
                if table not in self.events:
                    raise ValueError(
                        f"{where} needs an event table, and '{table}' is none; "
                        f"event tables are {', '.join(sorted(self.events))}"
                    )
            if reach.needs_key and not self.described_by(transform):
                raise ValueError(
                    f"{where} needs a grain that is the key of an event table, "
                    f"and [{', '.join(transform.grain)}] is none"
                )

    def _single_key_tables(self) -> list[str]:
        return sorted(name for name, table in self.tables.items() if len(table.key) == 1)

    @property
    def events(self) -> dict[str, Table]:
        """The event tables, parents before their children."""
        return {
            name: self.tables[name]
            for name in self._parents_first()
            if self.tables[name].kind == "event"
        }

    @property
    def dimensions(self) -> dict[str, Table]:
        """The dimension tables."""
        return {name: table for name, table in self.tables.items() if table.kind == "dimension"}

    @property
    def names(self) -> frozenset[str]:
        """The names of all tables, transforms and columns."""
        held = {column for table in self.tables.values() for column in table.columns}
        made = {column for one in self.transforms.values() for column in one.columns}
        return frozenset({*self.tables, *self.transforms, *self.lineage, *held, *made})

    def contract(self, table: str) -> dict[str, Column]:
        """The columns of a table in Bronze order, lineage last."""
        return {**self.tables[table].columns, **self.lineage}

    def meaning(self, table: str, column: str) -> str:
        """What a column means in a table or a transform; empty if nobody says it."""
        declared: _Stored = self.tables.get(table) or self.transforms[table]
        return declared.descriptions.get(column) or self.descriptions.get(column, "")

    def followed_parents(self, child: str) -> dict[str, str]:
        """The parents whose days a transform follows from this table's rows, with the key."""
        followed: dict[str, str] = {}
        for transform in self.transforms.values():
            for read, reach in transform.reads.items():
                described = self.described_by(transform)
                if isinstance(reach, Referring) and read == child and described:
                    followed[described] = reach.column
                if isinstance(reach, Referred) and reach.by == child:
                    followed[read] = reach.via
        return followed

    def described_by(self, transform: Transform) -> str | None:
        """The event table whose key is the transform's grain, if there is one."""
        tables = self.events.items()
        return next((name for name, table in tables if table.key == transform.grain), None)

    def _parents_first(self) -> list[str]:
        ordered: list[str] = []

        def visit(name: str) -> None:
            if name not in ordered:
                for fk in self.tables[name].foreign_keys:
                    visit(fk.parent)
                ordered.append(name)

        for name in self.tables:
            visit(name)
        return ordered
