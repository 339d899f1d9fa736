"""Which partitions a day is computed from, found the plain way: every day against every day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from medallion.lake.manifest import PartitionManifest
from medallion.spec import Spec, Transform
from medallion.spec.reach import Day, Near, Referred, Referring, Trailing, UpTo

Tables = Mapping[str, Mapping[date, PartitionManifest]]


def reached(
    spec: Spec, transform: Transform, read: str, tables: Tables, day: date
) -> set[date] | None:
    """The partitions of an event table that a day is computed from; None for other inputs."""
    if read not in tables:
        return None
    return {other for other in tables[read] if _reaches(spec, transform, read, tables, day, other)}


def _reaches(
    spec: Spec, transform: Transform, read: str, tables: Tables, day: date, other: date
) -> bool:
    reach, parameters = transform.reads[read], transform.parameters
    grain = next((name for name, table in spec.events.items() if table.key == transform.grain), "")
    match reach:
        case Day():
            return other == day
        case UpTo():
            return other <= day
        case Trailing():
            return 0 <= (day - other).days < parameters[reach.parameter]
        case Near():
            before = timedelta(hours=parameters[reach.before] if reach.before else 0)
            after = timedelta(hours=parameters[reach.after] if reach.after else 0)
            here, there = times(spec, grain, tables, day), times(spec, read, tables, other)
            meets = here and there and there[0] <= here[1] + after and there[1] >= here[0] - before
            return other == day or bool(meets)
        case Referred():
            child = tables[reach.by].get(day)
            return other == day or (child is not None and str(other) in child.refers.get(read, ()))
        case Referring():
            return str(day) in tables[read][other].refers.get(grain, ())
    raise AssertionError(reach)


def times(spec: Spec, table: str, tables: Tables, day: date) -> tuple[datetime, datetime] | None:
    """The first and last event time of a partition."""
    business, manifest = spec.tables[table].business_date, tables[table].get(day)
    if not business or not manifest or business.source not in manifest.bounds:
        return None
    low, high = manifest.bounds[business.source]
    return datetime.fromisoformat(low), datetime.fromisoformat(high)
