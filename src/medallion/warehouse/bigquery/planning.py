"""What is to be loaded: the difference between what is published and what is known to stand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from medallion.errors import WarehouseError
from medallion.lake.manifest import fingerprint
from medallion.terminal import counted
from medallion.warehouse.bigquery.ledger import Known
from medallion.warehouse.bigquery.shapes import Field, Shape
from medallion.warehouse.bigquery.wanted import Wanted

# Limits of BigQuery (docs.cloud.google.com/bigquery/quotas).
MOST_PARTITIONS_OF_A_TABLE = 10_000
MOST_PARTITIONS_OF_A_JOB = 4_000
MOST_FILES_OF_A_JOB = 10_000
#: Changes of partitions of one table in a day, each partition of each job counted.
CHANGES_OF_A_DAY = 30_000
Disposition = Literal["WRITE_TRUNCATE", "WRITE_TRUNCATE_DATA", "WRITE_APPEND"]
Why = Literal["new", "changed", "removed", "unknown", "failed"]
_NOTHING = Known()


@dataclass(frozen=True)
class Load:
    """A load job that is to be done.

    Attributes:
        shape: The table.
        destination: Project, dataset, table, and `$` with the day if it is one partition.
        partitions: What it loads.
        disposition: What becomes of what stands there.
        stem: The id of its job, without the number of the attempt.
        attempt: The number of the first attempt.
    """

    shape: Shape
    destination: str
    partitions: tuple[Wanted, ...]
    disposition: Disposition
    stem: str
    attempt: int

    @property
    def uris(self) -> tuple[str, ...]:
        """The files."""
        return tuple(uri for one in self.partitions for uri in one.uris)

    @property
    def rows(self) -> int:
        """The rows that its manifests promise."""
        return sum(one.rows for one in self.partitions)

    @property
    def prefix(self) -> str:
        """The URL of all files up to the folder that names the day."""
        return self.partitions[0].prefix

    @property
    def what(self) -> str:
        """What it is, for people."""
        days = [one.day for one in self.partitions]
        span = f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"
        return f"{self.shape.name} of {span}"

    @property
    def schema(self) -> tuple[Field, ...]:
        """The columns of the files in their order, then those that they lack."""
        held = self.partitions[0].columns
        lacking = [one for one in self.shape.fields if one.name not in held]
        return (*(one for one in self.shape.fields if one.name in held), *lacking)


@dataclass(frozen=True)
class TablePlan:
    """What is to be done for a table.

    Attributes:
        shape: The table.
        why: The partitions that differ, and why.
        whole: A job that replaces all rows; it is done before the others.
        loads: The others.
        emptied: The partitions that are no longer published; a job that replaces all rows has
            emptied them already.
    """

    shape: Shape
    why: Mapping[date, Why] = field(default_factory=dict)
    whole: Load | None = None
    loads: tuple[Load, ...] = ()
    emptied: tuple[date, ...] = ()

    @property
    def all_loads(self) -> tuple[Load, ...]:
        """All jobs."""
        return (*([self.whole] if self.whole else []), *self.loads)

    @property
    def rows(self) -> int:
        """Rows that are loaded."""
        return sum(load.rows for load in self.all_loads)

    def __str__(self) -> str:
        return f"{self.shape.name}: {self.reasons}; {counted(len(self.all_loads), 'load job')}"

    @property
    def reasons(self) -> str:
        """Why partitions differ, counted, such as `2 new, 1 changed`."""
        found = Counter(self.why.values())
        return ", ".join(f"{count:,} {why}" for why, count in found.most_common())


def plan_table(
    shape: Shape,
    table: str,
    wanted: Mapping[date, Wanted],
    known: Mapping[date, Known],
    birth: int,
) -> TablePlan:
    """What is to be done for a table.

    Args:
        shape: The table.
        table: Project, dataset and table.
        wanted: What is published.
        known: What is known of BigQuery's partitions, with no job left open.
        birth: When the table of loads was made: a new one knows nothing of older jobs, so that
            its jobs have other ids.

    Raises:
        WarehouseError: There are more days than a table of BigQuery can hold.
    """
    if len(wanted) > MOST_PARTITIONS_OF_A_TABLE:
        raise WarehouseError(
            f"{shape.name} has {len(wanted):,} days, and a table of BigQuery holds at most"
            f" {MOST_PARTITIONS_OF_A_TABLE:,} partitions.",
            hint="take the oldest days out of the lake (`kedro lake forget`).",
        )
    why = dict(_differences(wanted, known))
    emptied = tuple(day for day in why if day not in wanted)
    differing = [wanted[day] for day in why if day in wanted]
    maker = _Maker(shape, table, known, birth)
    whole, loads = None, [maker.of_day(one) for one in differing]
    if len(differing) > 1 and not any(one.content for one in known.values()):
        whole, loads = maker.of_table(differing)
    return TablePlan(shape, why, whole, tuple(loads), emptied)


def _differences(
    wanted: Mapping[date, Wanted], known: Mapping[date, Known]
) -> Iterator[tuple[date, Why]]:
    """The partitions that do not stand as they are published, ascending, and why."""
    for day in sorted({*wanted, *known}):
        shall = wanted[day].content if day in wanted else ""
        here = known.get(day, _NOTHING)
        if here.content != shall:
            yield day, _why(shall, here)


def _why(shall: str, here: Known) -> Why:
    if here.content is None:
        return "unknown"
    if here.failed:
        return "failed"
    if not shall:
        return "removed"
    return "changed" if here.content else "new"


@dataclass(frozen=True)
class _Maker:
    """Makes the jobs of a table."""

    shape: Shape
    table: str
    known: Mapping[date, Known]
    birth: int

    def of_day(self, one: Wanted) -> Load:
        """The job that replaces a partition."""
        before = self.known.get(one.day, _NOTHING).attempts
        digits = f"{one.day:%Y%m%d}"
        return self._load([one], f"${digits}", digits, "WRITE_TRUNCATE", before)

    def of_table(self, differing: Sequence[Wanted]) -> tuple[Load | None, list[Load]]:
        """The jobs that load a table in which nothing stands.

        The first one replaces all rows, so that what stands there of somebody else goes; the
        others add partitions. Files of one job have their folders below one folder, so the days
        that different runs have published are loaded by different jobs.
        """
        pieces = [piece for group in _groups(differing) for piece in _pieces(group)]
        many = [piece for piece in pieces if len(piece) > 1]
        single = [self.of_day(piece[0]) for piece in pieces if len(piece) == 1]
        if not many:
            return None, single
        before = max((one.attempts for one in self.known.values()), default=0)
        made: list[Load] = []
        for piece in many:
            how: Disposition = "WRITE_APPEND" if made else "WRITE_TRUNCATE_DATA"
            made.append(self._load(piece, "", _span(piece), how, before))
        return made[0], [*made[1:], *single]

    def _load(
        self,
        partitions: Sequence[Wanted],
        decorator: str,
        named: str,
        disposition: Disposition,
        before: int,
    ) -> Load:
        files = [[uri, one.content] for one in partitions for uri in one.uris]
        digest = fingerprint([self.birth, self.table, disposition, files])[:16]
        return Load(
            self.shape,
            f"{self.table}{decorator}",
            tuple(partitions),
            disposition,
            f"medallion-{self.shape.name.replace('.', '-')}-{named}-{digest}",
            before + 1,
        )


def _groups(partitions: Iterable[Wanted]) -> list[list[Wanted]]:
    """Partitions that one job can load, the largest group first."""
    groups: dict[tuple[str, tuple[str, ...]], list[Wanted]] = defaultdict(list)
    for one in partitions:
        groups[one.prefix, one.columns].append(one)
    return [groups[key] for key in sorted(groups, key=lambda key: (-len(groups[key]), key))]


def _pieces(group: Sequence[Wanted]) -> Iterator[list[Wanted]]:
    """A group in pieces that are not too large for a job."""
    piece: list[Wanted] = []
    files = 0
    for one in group:
        full = len(piece) == MOST_PARTITIONS_OF_A_JOB
        if piece and (full or files + len(one.uris) > MOST_FILES_OF_A_JOB):
            yield piece
            piece, files = [], 0
        piece.append(one)
        files += len(one.uris)
    yield piece


def _span(piece: Sequence[Wanted]) -> str:
    return f"{piece[0].day:%Y%m%d}to{piece[-1].day:%Y%m%d}"
