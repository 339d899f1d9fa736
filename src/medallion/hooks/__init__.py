"""The two Kedro hooks: the guard of a run, and the recorder that tells the sinks of it."""

from medallion.hooks.current import Current
from medallion.hooks.guard import RunGuard
from medallion.hooks.recorder import RunRecorder
from medallion.hooks.startup import spare_collections, spare_imports

__all__ = ["Current", "RunGuard", "RunRecorder", "spare_collections", "spare_imports"]
