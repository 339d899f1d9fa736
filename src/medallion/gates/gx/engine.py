"""Great Expectations on DuckDB: the data stay where they are.

Great Expectations speaks to databases through SQLAlchemy and knows no DuckDB. duckdb-engine
brings the dialect; what is added here lets the two agree: a DuckDB cursor for every SQLAlchemy
cursor (Great Expectations closes connections before it has fetched), no transactions (nothing
is written), and the name of a dialect for which Great Expectations has all its expectations.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

_import_lock = threading.Lock()
# Imported by Great Expectations for expectations and pictures that nothing here uses.
_NOT_NEEDED = ("scipy.stats", "altair")


def load_great_expectations() -> Any:
    """Imports Great Expectations, silent and without what it does not need here."""
    with _import_lock:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"
        os.environ["TQDM_DISABLE"] = "1"
        for name in _NOT_NEEDED:
            _import_when_used(name)
        import great_expectations

        return great_expectations


class _Later(ModuleType):
    """Stands for a module until one of its attributes is asked for, and then becomes it.

    The standard library's LazyLoader would be executed by the import statement itself.
    """

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        parent, _, child = self.__name__.rpartition(".")
        del sys.modules[self.__name__]
        if parent:
            delattr(sys.modules[parent], child)
        module = importlib.import_module(self.__name__)
        self.__dict__.update(vars(module))
        return getattr(module, name)


def _import_when_used(name: str) -> None:
    if name in sys.modules:
        return
    module = _Later(name)
    module.__path__ = []
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(importlib.import_module(parent), child, module)


def execution_engine(connection: duckdb.DuckDBPyConnection) -> Any:
    """The engine through which Great Expectations queries an open DuckDB connection."""
    load_great_expectations()
    import sqlalchemy
    from great_expectations.execution_engine import SqlAlchemyExecutionEngine
    from sqlalchemy.dialects import registry

    registry.register("medallion_duckdb", "medallion.gates.gx.dialect", "DuckDialect")
    from medallion.gates.gx.dialect import SharedConnection

    engine = sqlalchemy.create_engine(
        "medallion_duckdb://",
        creator=lambda: SharedConnection(connection),
        poolclass=sqlalchemy.pool.StaticPool,
    )
    return SqlAlchemyExecutionEngine(engine=engine, create_temp_table=False)


@contextmanager
def spared_lookups() -> Iterator[None]:
    """Lets Great Expectations derive an expectation's configuration, and ids, at less cost.

    It derives the configuration anew at every look, about eighty times per expectation, and
    turns plain JSON into JSON before it hashes it: together half of the time of a gate.
    Nothing changes an expectation while it runs, and the ids only tell metrics apart.
    """
    from great_expectations.core.id_dict import IDDict
    from great_expectations.expectations.expectation import Expectation

    derive, identify = Expectation.configuration, IDDict.to_id
    known: dict[int, tuple[Any, Any]] = {}

    def remembered(expectation: Any) -> Any:
        if id(expectation) not in known:
            known[id(expectation)] = (expectation, derive.fget(expectation))
        return known[id(expectation)][1]

    def quick_id(self: Any, id_keys: Any = None, id_ignore_keys: Any = None) -> Any:
        try:
            wanted = set(self if id_keys is None else id_keys) - set(
                self._id_ignore_keys if id_ignore_keys is None else id_ignore_keys
            )
            return json.dumps({key: self[key] for key in wanted}, sort_keys=True) if wanted else ()
        except TypeError:
            return identify(self, id_keys, id_ignore_keys)

    Expectation.configuration, IDDict.to_id = property(remembered), quick_id
    try:
        yield
    finally:
        Expectation.configuration, IDDict.to_id = derive, identify
