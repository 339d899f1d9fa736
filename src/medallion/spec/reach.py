"""Which partitions of an input one day of a transform is computed from.

The spec writes a reach as one word or as one key, such as `day` or `{trailing: window_days}`.
Each kind is a class of its own that knows its partitions. It asks them of a `History`, which
answers from an index, so that no kind looks at every partition for every day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, ClassVar, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Column = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Parameter = Column

Span = tuple[date, date]
"""Days from the first to the last, both included; days without a partition count as empty."""

MICROSECONDS_PER_HOUR = 3_600_000_000


class History(Protocol):
    """What a reach may ask about an input and about the rows that a transform describes.

    Event times are microseconds since 1970-01-01, so that no tolerance leaves the calendar.
    """

    @property
    def first(self) -> date | None:
        """The first day of the input that has a partition."""

    def parameter(self, name: str) -> int | float:
        """A parameter of the transform."""

    def times(self, day: date) -> tuple[int, int] | None:
        """The first and last event time of the rows that the transform describes on a day."""

    def overlapping(self, first: int, last: int) -> Iterable[Span]:
        """Days of the input whose event times meet a closed interval."""

    def referring(self, day: date) -> Iterable[date]:
        """Days of the input with rows that refer to what the transform describes on a day."""

    def referred(self, by: str, day: date) -> Iterable[date]:
        """Days of the input that the rows of a day of another table refer to."""


class _Reach(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    of_dimension: ClassVar[bool] = False
    needs_events: ClassVar[bool] = False
    needs_key: ClassVar[bool] = False

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of the transform that it names."""
        return ()

    def partitions(self, history: History, day: date) -> tuple[Span, ...]:  # noqa: ARG002
        """The days of the input that a day is computed from: ascending, each day once."""
        return ()


class Day(_Reach):
    """The day itself.

    >>> Day().partitions(history, date(2025, 10, 7))
    ((datetime.date(2025, 10, 7), datetime.date(2025, 10, 7)),)
    """

    kind: Literal["day"] = "day"

    def partitions(self, history: History, day: date) -> tuple[Span, ...]:  # noqa: ARG002
        """The day."""
        return ((day, day),)


class UpTo(_Reach):
    """Every day from the first of the input to the day itself.

    >>> UpTo().partitions(history, date(2025, 10, 7))
    ((datetime.date(2025, 10, 1), datetime.date(2025, 10, 7)),)
    """

    kind: Literal["up_to"] = "up_to"

    def partitions(self, history: History, day: date) -> tuple[Span, ...]:
        """All that came before, in one span."""
        return ((history.first, day),) if history.first and history.first <= day else ()


class Trailing(_Reach):
    """The days that end at the day itself, as many as a parameter says.

    >>> Trailing(parameter="window_days").partitions(history, date(2025, 10, 7))
    ((datetime.date(2025, 10, 5), datetime.date(2025, 10, 7)),)
    """

    kind: Literal["trailing"] = "trailing"
    parameter: Parameter

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The window's length."""
        return (self.parameter,)

    def partitions(self, history: History, day: date) -> tuple[Span, ...]:
        """The window in one span; it begins no earlier than the calendar."""
        length = int(history.parameter(self.parameter))
        first = date.fromordinal(max(1, day.toordinal() - length + 1))
        return ((first, day),) if length > 0 else ()


class Near(_Reach):
    """The day, and the days with event times some hours before or after those of its rows.

    The parameters say how many hours; one that is not named means none.

    >>> Near(before="tolerance_hours").partitions(history, date(2025, 10, 7))
    ((datetime.date(2025, 10, 5), datetime.date(2025, 10, 7)),)
    """

    kind: Literal["near"] = "near"
    before: Parameter | None = None
    after: Parameter | None = None

    needs_events: ClassVar[bool] = True
    needs_key: ClassVar[bool] = True

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The hours before and after."""
        return tuple(name for name in (self.before, self.after) if name)

    def partitions(self, history: History, day: date) -> tuple[Span, ...]:
        """The day and those whose event times overlap the widened ones of its rows."""
        times = history.times(day)
        if not times:
            return ((day, day),)
        first = times[0] - _microseconds(history, self.before)
        last = times[1] + _microseconds(history, self.after)
        return union([(day, day), *history.overlapping(first, last)])

    def settles(self, history: History, day: date) -> int | None:
        """The event time after which no later row can change the rows of a day."""
        times = history.times(day)
        return times[1] + _microseconds(history, self.after) if times else None


class Referred(_Reach):
    """The day, and the days of the rows that another input's rows of the day refer to.

    >>> Referred(by="returns", via="order_id").partitions(history, date(2025, 10, 7))
    ((datetime.date(2025, 10, 2), datetime.date(2025, 10, 2)),
     (datetime.date(2025, 10, 7), datetime.date(2025, 10, 7)))
    """

    kind: Literal["referred"] = "referred"
    by: Column
    via: Column

    needs_events: ClassVar[bool] = True

    def partitions(self, history: History, day: date) -> tuple[Span, ...]:
        """The day and the days referred to."""
        return union((other, other) for other in {day, *history.referred(self.by, day)})


class Referring(_Reach):
    """The days with rows that refer to the rows that the transform describes on the day.

    >>> Referring(column="cart_id").partitions(history, date(2025, 10, 6))
    ((datetime.date(2025, 10, 6), datetime.date(2025, 10, 6)),
     (datetime.date(2025, 10, 8), datetime.date(2025, 10, 8)))
    """

    kind: Literal["referring"] = "referring"
    column: Column

    needs_events: ClassVar[bool] = True
    needs_key: ClassVar[bool] = True

    def partitions(self, history: History, day: date) -> tuple[Span, ...]:
        """The days that refer to it."""
        return union((other, other) for other in history.referring(day))


class Newest(_Reach):
    """The newest snapshot of a dimension; older days keep the one they were made with.

    >>> Newest().partitions(history, date(2025, 10, 7))
    ()
    """

    kind: Literal["newest"] = "newest"

    of_dimension: ClassVar[bool] = True


class Values(_Reach):
    """Columns of the newest snapshot of a dimension; a change in them reaches every day.

    >>> Values(columns=["category"]).partitions(history, date(2025, 10, 7))
    ()
    """

    kind: Literal["values"] = "values"
    columns: tuple[Column, ...] = Field(min_length=1)

    of_dimension: ClassVar[bool] = True


_KINDS = ("day", "up_to", "trailing", "near", "referred", "referring", "newest", "values")
# The field that a value without a name of its own goes to, as in `{trailing: window_days}`.
_ONLY_FIELD = {"trailing": "parameter", "referring": "column", "values": "columns"}


def _as_fields(written: object) -> object:
    """A reach as the spec writes it, with its kind and fields named."""
    if isinstance(written, str):
        return {"kind": written}
    if not isinstance(written, Mapping) or "kind" in written:
        return written
    if len(written) != 1:
        raise ValueError(f"give exactly one of {', '.join(_KINDS)}")
    ((kind, given),) = written.items()
    if isinstance(given, Mapping):
        return {"kind": kind, **given}
    return {"kind": kind, _ONLY_FIELD.get(kind, "value"): given}


Reach = Annotated[
    Annotated[
        Day | UpTo | Trailing | Near | Referred | Referring | Newest | Values,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_as_fields),
]


def union(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same days in spans that do not overlap, ascending.

    >>> october = [date(2025, 10, n) for n in range(1, 10)]
    >>> union([(october[4], october[6]), (october[0], october[2]), (october[1], october[3])])
    ((datetime.date(2025, 10, 1), datetime.date(2025, 10, 4)),
     (datetime.date(2025, 10, 5), datetime.date(2025, 10, 7)))
    """
    merged: list[Span] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def _microseconds(history: History, parameter: Parameter | None) -> int:
    hours = history.parameter(parameter) if parameter else 0
    return round(hours * MICROSECONDS_PER_HOUR)
