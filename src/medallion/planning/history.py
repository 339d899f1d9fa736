"""The partitions of a table, indexed so that planning a day does not look at all of them."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import accumulate

from medallion.lake.manifest import PartitionManifest
from medallion.spec.reach import Span

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (event times in Silver have no zone)
_MODULUS = 2**512
_NEVER = 2**80


class ContentChain:
    """Hashes of the days of a table, such that a span of days costs as much as one day.

    Each day is the SHA-512 of its date and content. They are added up from the first day on
    (modulo 2**512, the incremental set hash AdHash), so a span is the difference of two sums.
    Two sets of days have the same fingerprint if the same days have the same content. A chain
    of hashes could give "all up to a day" only; a difference of sums also gives windows.

    Args:
        contents: The content hash of each day; an empty one counts as no partition.
    """

    def __init__(self, contents: Mapping[date, str]) -> None:
        self.days = sorted(contents)
        self._sums = list(accumulate((_leaf(d, contents[d]) for d in self.days), initial=0))

    @property
    def first(self) -> date | None:
        """The first day."""
        return self.days[0] if self.days else None

    def within(self, spans: Iterable[Span]) -> list[date]:
        """The days that are in these spans; the spans must not overlap."""
        ends = (positions(self.days, first, last) for first, last in spans)
        return [day for start, end in ends for day in self.days[start:end]]

    def fingerprint(self, spans: Iterable[Span]) -> str:
        """Of what some days hold; the spans must not overlap."""
        total = 0
        for first, last in spans:
            start, end = positions(self.days, first, last)
            total += self._sums[end] - self._sums[start]
        return hashlib.sha256((total % _MODULUS).to_bytes(64)).hexdigest()


def _leaf(day: date, content: str) -> int:
    return int.from_bytes(hashlib.sha512(f"{day}:{content}".encode()).digest()) if content else 0


def positions(days: Sequence[date], first: date, last: date) -> tuple[int, int]:
    """Where the days from first to last begin and end in an ascending list."""
    return bisect_left(days, first), bisect_right(days, last)


class TableHistory:
    """The partitions of one event table of Base Silver.

    Args:
        partitions: Their manifests, by day.
        event_time: The column whose bounds are the event times, if the table has one.
    """

    def __init__(
        self, partitions: Mapping[date, PartitionManifest], event_time: str | None
    ) -> None:
        self.rows = {day: partitions[day].rows for day in sorted(partitions)}
        self.days = list(self.rows)
        self.contents = ContentChain({day: m.content_hash for day, m in partitions.items()})
        self._partitions = partitions
        self._event_time = event_time
        self._rows_before = list(accumulate(self.rows.values(), initial=0))

    def row_count(self, spans: Iterable[Span]) -> int:
        """Rows of some days; the spans must not overlap."""
        ends = (positions(self.days, first, last) for first, last in spans)
        return sum(self._rows_before[end] - self._rows_before[start] for start, end in ends)

    @cached_property
    def times(self) -> dict[date, tuple[int, int]]:
        """First and last event time of each day, in microseconds since 1970-01-01."""
        column = self._event_time
        return {
            day: (_microseconds(bounds[0]), _microseconds(bounds[1]))
            for day in self.days
            if column and (bounds := self._partitions[day].bounds.get(column))
        }

    def overlapping(self, first: int, last: int) -> list[Span]:
        """The days whose event times meet a closed interval, in microseconds since 1970-01-01."""
        runs = self._intervals.meeting(first, last)
        return [(self.days[run.start], self.days[run.stop - 1]) for run in runs]

    @cached_property
    def _intervals(self) -> IntervalTree:
        return IntervalTree([self.times.get(day) for day in self.days])

    def referred(self, parent: str, day: date) -> list[date]:
        """The days of another table that the rows of a day refer to."""
        partition = self._partitions.get(day)
        days = partition.refers.get(parent, ()) if partition else ()
        return [date.fromisoformat(other) for other in days]

    def referring(self, parent: str, day: date) -> Sequence[date]:
        """The days whose rows refer to the rows of a day of another table."""
        return self._children.get((parent, str(day)), ())

    @cached_property
    def _children(self) -> dict[tuple[str, str], list[date]]:
        """The days that refer to each day of each parent: `refers` turned round."""
        found: dict[tuple[str, str], list[date]] = defaultdict(list)
        for child in self.days:
            for parent, days in self._partitions[child].refers.items():
                for day in days:
                    found[parent, day].append(child)
        return dict(found)


def _microseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


class IntervalTree:
    """Finds the closed intervals that meet another one, in runs of neighbours.

    A run costs logarithmic time however long it is: blocks of 2, 4, 8, ... neighbours are taken
    or left as a whole where their least and greatest ends allow it.

    >>> IntervalTree([(0, 4), (5, 9), None, (5, 7), (8, 12)]).meeting(6, 7)
    [range(1, 2), range(3, 4)]

    Args:
        intervals: First and last value of each, or None for one that meets nothing.
    """

    def __init__(self, intervals: Sequence[tuple[int, int] | None]) -> None:
        firsts = [i[0] if i else _NEVER for i in intervals]
        lasts = [i[1] if i else -_NEVER for i in intervals]
        self._size = len(firsts)
        self._levels = [(firsts, firsts, lasts, lasts)]
        while len(self._levels[-1][0]) > 1:
            least_first, most_first, least_last, most_last = self._levels[-1]
            self._levels.append(
                (
                    _pairwise(min, least_first),
                    _pairwise(max, most_first),
                    _pairwise(min, least_last),
                    _pairwise(max, most_last),
                )
            )
        # Ascending both, so that they can be bisected: what ends before and begins after.
        self._last_so_far = list(accumulate(lasts, max))
        self._first_from_here = list(accumulate(reversed(firsts), min))[::-1]

    def meeting(self, first: int, last: int) -> list[range]:
        """The positions of the intervals that have a value between first and last."""
        start = bisect_left(self._last_so_far, first)
        stop = bisect_right(self._first_from_here, last)
        if start >= stop:
            return []
        level = (stop - start - 1).bit_length()
        runs: list[range] = []
        for place in range(start >> level, (stop - 1 >> level) + 1):
            self._collect(level, place, first, last, runs)
        return runs

    def _collect(self, level: int, place: int, first: int, last: int, runs: list[range]) -> None:
        """Adds what a block of neighbours has to the runs found so far."""
        least_first, most_first, least_last, most_last = self._levels[level]
        if least_first[place] > last or most_last[place] < first:
            return
        if most_first[place] <= last and least_last[place] >= first:
            start, stop = place << level, min((place + 1) << level, self._size)
            joined = runs.pop().start if runs and runs[-1].stop == start else start
            runs.append(range(joined, stop))
            return
        self._collect(level - 1, 2 * place, first, last, runs)
        if 2 * place + 1 < len(self._levels[level - 1][0]):
            self._collect(level - 1, 2 * place + 1, first, last, runs)


def _pairwise(choose: Callable[[int, int], int], values: Sequence[int]) -> list[int]:
    """One value for each pair of neighbours; the last one stays alone if their number is odd."""
    chosen = list(map(choose, values[::2], values[1::2]))
    return chosen if len(values) % 2 == 0 else [*chosen, values[-1]]
