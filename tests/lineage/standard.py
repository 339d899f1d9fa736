"""The standard as JSON Schema, made from the classes that its authors generate from it.

OpenLineage's schema files are in no package that can be installed, and the official client's
classes are generated from them: field names, types, which are required, and the version each
facet names. Here they become a strict schema: a field that the standard does not have fails.
"""

from __future__ import annotations

import enum
import sys
import types
from datetime import datetime
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import attr
from jsonschema import Draft202012Validator, FormatChecker

from medallion.runs.lineage import client
from medallion.runs.lineage.client import base

FACETS: dict[str, dict[str, type]] = {
    "RunFacet": {
        "parent": client.ParentFacet,
        "errorMessage": client.ErrorFacet,
        "processing_engine": client.EngineFacet,
        "tags": client.TagsFacet,
    },
    "JobFacet": {"sourceCodeLocation": client.SourceFacet, "jobType": client.JobTypeFacet},
    "DatasetFacet": {"schema": client.SchemaFacet},
    "InputDatasetFacet": {"dataQualityAssertions": client.AssertionsFacet},
    "OutputDatasetFacet": {"outputStatistics": client.StatisticsFacet},
}
_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Any: {},
}
_FORMATS = {
    "url": "uri",
    "runId": "uuid",
    "eventTime": "date-time",
    "producer": "uri",
    "_producer": "uri",
}


def problems(event: dict[str, Any]) -> list[str]:
    """Where an event does not keep to the standard."""
    return [f"{error.json_path}: {error.message}" for error in _validator().iter_errors(event)]


@cache
def _validator() -> Draft202012Validator:
    schema = {**_of_class(base.RunEvent), "$defs": {}}
    schema["required"] = sorted({*schema["required"], "eventType"})
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=_checker)


_checker = FormatChecker(["uuid"])


@_checker.checks("date-time", ValueError)
def _is_moment(value: object) -> bool:
    return datetime.fromisoformat(str(value)).tzinfo is not None


@_checker.checks("uri", ValueError)
def _is_uri(value: object) -> bool:
    return bool(urlsplit(str(value)).scheme)


def _of_class(cls: type) -> dict[str, Any]:
    known = {name: kind for module in _modules(cls) for name, kind in vars(module).items()}
    hints = get_type_hints(cls, known)
    properties = {}
    required = []
    for field in attr.fields(cls):
        properties[field.name] = _of_field(cls, field.name, hints[field.name])
        always = field.name in ("producer", "schemaURL", "_producer", "_schemaURL")
        if field.default is attr.NOTHING or always:
            required.append(field.name)
    closed = {"type": "object", "additionalProperties": False}
    return {**closed, "properties": properties, "required": required}


def _modules(cls: type) -> list[types.ModuleType]:
    return [sys.modules[kind.__module__] for kind in reversed(cls.__mro__) if kind is not object]


def _of_field(cls: type, name: str, kind: Any) -> dict[str, Any]:
    if name in ("schemaURL", "_schemaURL"):
        return {"const": cls._get_schema()}
    found = _of_type(cls, kind)
    return {**found, "format": _FORMATS[name]} if name in _FORMATS else found


def _of_type(cls: type, kind: Any) -> dict[str, Any]:
    if kind in _PLAIN:
        return _PLAIN[kind]
    if get_origin(kind) in (Union, types.UnionType):
        (given,) = [one for one in get_args(kind) if one is not type(None)]
        return _of_type(cls, given)
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        # Fields of a column are columns again; none of ours has any.
        return {"type": "array", "maxItems": 0} if item is cls else _array(cls, item)
    if get_origin(kind) is dict:
        # Facets of a parent may be repeated in its child; ours has none of them.
        is_parents = cls.__module__ == client.ParentFacet.__module__
        return {"maxProperties": 0} if is_parents else _of_facets(get_args(kind)[1])
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {"enum": [member.value for member in kind]}
    return _of_class(kind)


def _array(cls: type, item: Any) -> dict[str, Any]:
    return {"type": "array", "items": _of_type(cls, item)}


def _of_facets(kind: Any) -> dict[str, Any]:
    known = FACETS.get(getattr(kind, "__name__", ""), {})
    facets = {name: _of_class(facet) for name, facet in known.items()}
    return {"type": "object", "properties": facets, "additionalProperties": kind is Any}
