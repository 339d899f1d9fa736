"""What a person asks for with `--params`, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from medallion.errors import UsageError, meant
from medallion.lake.names import as_day, as_identifier, as_reason, as_run_id
from medallion.masking import MASKED, is_secret_name
from medallion.spec import Spec

# Beyond it a number of days leaves the calendar.
_LONGEST = 100_000
_LARGEST = 1_000_000_000_000


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quality(_Model):
    """How gates answer: `warn` reports and goes on, `strict` stops."""

    mode: Literal["warn", "strict"] = "warn"


class Engine(_Model):
    """What DuckDB may use.

    Attributes:
        memory_limit: As DuckDB writes it, such as `4GB`; beyond it, work spills to disk.
        threads: Worker threads; 0 is one per core.
    """

    memory_limit: str = Field(default="4GB", pattern=r"^\d+(\.\d+)?\s?[KMGT]i?B$")
    threads: int = Field(default=0, ge=0, le=256)


class Replay(_Model):
    """Quarantined rows whose Bronze partitions are scored again.

    Attributes:
        tables: Tables; none means all.
        reasons: Reason codes, or classes of them such as `fk`; none means all.
    """

    tables: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    @field_validator("tables", "reasons", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("tables")
    @classmethod
    def _tables(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(as_identifier(table, "table") for table in value)

    @field_validator("reasons")
    @classmethod
    def _reasons(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(as_reason(reason) for reason in value)


class RunRequest(_Model):
    """The parameters of a run.

    Attributes:
        run_id: The run; one that is given can be joined by other processes.
        ingest_dt: One ingest day.
        start: First ingest day of a window.
        end: Last ingest day of a window.
        replay: Score the partitions of quarantined rows again, and nothing else; of the
            window's days if one is given.
        forget: Days that Bronze no longer holds, to be taken out of the lake; nothing else is
            processed.
        snapshots: Which days the customer snapshots describe; the spec's choice if None.
        quality: How gates answer.
        engine: What DuckDB may use.
        transforms: Parameters of transforms that differ from the spec for this run.
        as_of: The run whose state of the lake is read; for notebooks, not for runs.
    """

    run_id: str = "none"
    as_of: str | None = None
    ingest_dt: date | None = None
    start: date | None = None
    end: date | None = None
    replay: Replay | None = None
    forget: tuple[date, ...] = ()
    snapshots: Literal["last", "all"] | None = None
    quality: Quality = Quality()
    engine: Engine = Engine()
    transforms: Mapping[str, Mapping[str, int | float]] = Field(default_factory=dict)

    @field_validator("run_id", "as_of", mode="before")
    @classmethod
    def _run_id(cls, value: object, info: Any) -> object:
        if value is None and info.field_name == "as_of":
            return value
        if not isinstance(value, str):
            raise UsageError(
                f"{info.field_name} {value!r} is no text.",
                hint="a run's id is its name: in a file or in Python, write it in quotes.",
            )
        return as_run_id(value)

    @field_validator("ingest_dt", "start", "end", mode="before")
    @classmethod
    def _day(cls, value: object, info: Any) -> object:
        return value if value is None or isinstance(value, date) else as_day(value, info.field_name)

    @field_validator("forget", mode="before")
    @classmethod
    def _days(cls, value: object) -> object:
        days = value if isinstance(value, (list, tuple)) else [value] if value else []
        return tuple(day if isinstance(day, date) else as_day(day, "forget") for day in days)

    @model_validator(mode="after")
    def _one_window(self) -> RunRequest:
        if self.forget and (self.ingest_dt or self.start or self.end or self.replay):
            raise UsageError("Days that are forgotten are given alone, without other days.")
        if self.ingest_dt and (self.start or self.end):
            raise UsageError("Give either ingest_dt or start and end, not both.")
        if bool(self.start) != bool(self.end):
            raise UsageError("A window needs both start and end.")
        if self.start and self.end and self.start > self.end:
            raise UsageError(f"The window starts ({self.start}) after its end ({self.end}).")
        return self

    @property
    def window(self) -> tuple[date, date] | None:
        """First and last day asked for, or None for everything pending."""
        if self.ingest_dt:
            return self.ingest_dt, self.ingest_dt
        return (self.start, self.end) if self.start and self.end else None


def parse_request(parameters: Mapping[str, Any]) -> RunRequest:
    """Reads the parameters of a run.

    Raises:
        UsageError: A parameter is unknown or has a value it cannot have.
    """
    try:
        return RunRequest.model_validate(parameters)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        raise UsageError(
            "These parameters cannot be:",
            details=[_told(problem) for problem in problems],
            hint=f"allowed are {', '.join(sorted(RunRequest.model_fields))} "
            "(see conf/base/parameters.yml).",
        ) from error


def check_transforms(request: RunRequest, spec: Spec) -> None:
    """Checks which parameters of which transforms shall differ from the spec.

    Raises:
        UsageError: There is no such transform, or it has no such parameter.
    """
    for name, parameters in request.transforms.items():
        if name not in spec.transforms:
            raise UsageError(
                f"transforms.{name}: there is no such transform.",
                hint=f"{meant(name, spec.transforms)}there are {', '.join(spec.transforms)}.",
            )
        known = spec.transforms[name].parameters
        for parameter in parameters:
            if parameter not in known:
                raise UsageError(
                    f"transforms.{name}.{parameter}: the transform has no such parameter.",
                    hint=f"{meant(parameter, known)}it has {', '.join(known) or 'none'}.",
                )
            _check_value(f"transforms.{name}.{parameter}", parameters[parameter], known[parameter])


def _check_value(name: str, value: float, usual: float) -> None:
    """Refuses what no parameter of a transform can be: they are counts, spans and amounts."""
    largest = _LONGEST if name.endswith(("_days", "_hours")) else _LARGEST
    if not 0 < value <= largest or (isinstance(usual, int) and value != int(value)):
        kind = "a whole number" if isinstance(usual, int) else "a number"
        raise UsageError(
            f"{name} must be {kind} above 0 and at most {largest:,}.",
            hint=f"spec.yml says {usual}.",
        )


def _told(problem: Any) -> str:
    """What is wrong with a parameter; for an unknown one, what may have been meant."""
    place = [str(part) for part in problem["loc"]]
    name = ".".join(place)
    value = MASKED if any(map(is_secret_name, place)) else repr(problem["input"])
    if problem["type"] != "extra_forbidden":
        return f"{name}={value}: {problem['msg']}"
    # Without its value: nobody knows what it is, and it may be a secret.
    known = _allowed(place[:-1])
    return f"{name}: there is no such parameter; {meant(place[-1], known)}".rstrip("; ")


def _allowed(place: list[str]) -> list[str]:
    """The parameters below a place, such as those of `quality`."""
    sections: dict[str, type[BaseModel]] = {"quality": Quality, "engine": Engine, "replay": Replay}
    model = sections.get(place[0], RunRequest) if place else RunRequest
    return sorted(model.model_fields)
