"""Tables of the lake: they load as LazyFrames and are saved by swapping partitions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from kedro.io import AbstractDataset
from kedro_datasets._typing import TablePreview

from medallion import foreign
from medallion.datasets.overflow import is_overflow, overflow_error
from medallion.datasets.previewing import hides_in_table, table_preview
from medallion.datasets.schema import KEYS, lake_schema, partition_day
from medallion.errors import LakeError
from medallion.lake.inventory import move_pointer, write_state
from medallion.lake.manifest import Origin
from medallion.lake.scans import scan_days
from medallion.lake.sealing import seal
from medallion.lake.store import Lake
from medallion.lake.writes import FrameWrite, StagedWrite
from medallion.spec import load_spec
from medallion.storage.layout import is_in_store

_FILE = "part-0000.parquet"


class LakeTableDataset(AbstractDataset[StagedWrite | FrameWrite, pl.LazyFrame]):
    """A table of the lake, all partitions, with its partition day as last column.

    Args:
        filepath: The lake's root.
        table: Layer and table, such as `base/orders` or `quarantine/customers`.
        spec: Path of `spec.yml`.
        newest: Load the newest snapshot of a dimension instead of all partitions.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        table: str,
        spec: str,
        newest: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._lake = Lake(filepath)
        self._table = table
        self._spec_path = spec
        self._newest = newest
        self.metadata = metadata

    @property
    def place(self) -> str:
        """The folder of the table."""
        return f"{self._lake.root}/{self._table}"

    def load(self) -> pl.LazyFrame:
        """Scans the committed partitions; nothing is read yet."""
        if self._lake.state.source:
            self._lake.state.source.refresh()
        spec = load_spec(self._spec_path)
        name = self._table.split("/")[1]
        kind = spec.tables[name].kind if name in spec.tables else "event"
        day = partition_day(self._table, kind)
        placed = self._lake.placed(self._table)
        if self._newest:
            placed = sorted(placed, key=lambda one: one.manifest.value)[-1:]
        extra = sorted({column for one in placed for column in one.manifest.columns})
        schema = lake_schema(spec, self._table, extra)
        day_column = None if self._table.startswith(f"{KEYS}/") else day
        here = [file for one in placed for file in one.files if not is_in_store(file)]
        elsewhere = [file for one in placed for file in one.files if is_in_store(file)]
        scans = [scan_days(files, schema, day_column) for files in (here, elsewhere) if files]
        return pl.concat(scans) if scans else scan_days([], schema, day_column)

    def save(self, data: StagedWrite | FrameWrite) -> None:
        """Swaps in the new partitions of this table.

        Raises:
            LakeError: The data are another table's.
        """
        if data.table != self._table:
            raise LakeError(f"{data.table} cannot be saved as {self._table}.")
        if isinstance(data, FrameWrite):
            self._save_frames(data)
            return
        if data.commit:
            data.commit.apply(self._table)
        if data.snapshot:
            move_pointer(self._lake, self._table.split("/")[1], data.snapshot)

    def preview(self, nrows: int = 8) -> TablePreview:
        """The first rows for kedro-viz, without personal data."""
        hidden = hides_in_table(load_spec(self._spec_path), self._table)
        return table_preview(lambda: self.load().head(nrows).collect(), hidden)

    def _save_frames(self, write: FrameWrite) -> None:
        if not write.batches:
            return
        staging = self._lake.staging(write.run_id, self._table.replace("/", "-"))
        for days, frame in write.batches:
            for day, rows in _split(self._collected(write, days, frame), days):
                _stage(staging / self._table, self._table, day, rows)
        wanted = {f"{partition_day(self._table)}={day}" for day in write.days}
        staged = {path.name for path in (staging / self._table).glob("*=*")}
        commit = self._lake.prepare(staging, {self._table: wanted - staged}, self._origins(write))
        commit.apply_all()
        write_state(self._lake, self._table.split("/")[1], write.made_from)

    def _origins(self, write: FrameWrite) -> dict[str, dict[str, Origin]]:
        """What each day is made from; the rows of other transforms are known only now."""
        key = partition_day(self._table)
        return {
            f"{self._table}/{key}={day}": {
                read: origin if origin.rows is not None else self._counted(read, day, origin)
                for read, origin in origins.items()
            }
            for day, origins in write.origins.items()
        }

    def _counted(self, transform: str, day: str, origin: Origin) -> Origin:
        manifest = self._lake.partitions(f"enriched/{transform}").get(day)
        return origin.model_copy(update={"rows": manifest.rows if manifest else 0})

    def _collected(
        self, write: FrameWrite, days: tuple[date, ...], frame: pl.LazyFrame
    ) -> pl.DataFrame:
        try:
            return frame.collect()
        except pl.exceptions.InvalidOperationError as error:
            if not is_overflow(error):
                raise
            raise overflow_error(write, days, load_spec(self._spec_path)) from error
        # No `Exception` of Python, so that nobody who handles errors would ever see it.
        except pl.exceptions.PanicException as error:
            span = f"{days[0]} to {days[-1]}" if len(days) > 1 else f"{days[0]}"
            raise LakeError(
                f"{self._table.replace('/', '.')} of {span} could not be computed: "
                f"{foreign.disclosed(error)}"
            ) from error

    def _exists(self) -> bool:
        return bool(self._lake.partitions(self._table))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self.place, "newest": self._newest}


def _split(
    rows_of_days: pl.DataFrame, days: tuple[date, ...]
) -> Iterator[tuple[date, pl.DataFrame]]:
    """The rows of each day; a day without rows is left out."""
    parts = rows_of_days.partition_by(
        partition_day(""), as_dict=True, include_key=False, maintain_order=True
    )
    for (day,), rows in sorted(parts.items()):
        if day not in days:
            raise LakeError(f"A transform made rows of {day}, which it was not asked for.")
        yield day, rows


def _stage(folder: Path, table: str, day: date, rows: pl.DataFrame) -> None:
    partition = folder / f"{partition_day(table)}={day}"
    partition.mkdir(parents=True)
    rows.write_parquet(partition / _FILE)
    columns = {name: str(kind) for name, kind in rows.schema.items()}
    seal(partition, table, {_FILE: rows.height}, columns)
