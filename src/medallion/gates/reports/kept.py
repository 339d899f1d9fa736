"""The files of a gate, as it wrote them: whether they are still the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from medallion.gates.result import GateResult
from medallion.lake.manifest import file_hash
from medallion.storage.layout import REPORTS


@dataclass(frozen=True)
class KeptFile:
    """A file, as it was written.

    Attributes:
        bytes: Its size.
        sha256: The checksum of its bytes.
    """

    bytes: int
    sha256: str

    @classmethod
    def of(cls, text: str) -> Self:
        """The file that holds a text."""
        content = text.encode()
        return cls(len(content), hashlib.sha256(content).hexdigest())

    def difference(self, path: Path) -> str:
        """How a file differs from the one that was written, in words; empty if it does not."""
        if not path.is_file():
            return "is not there"
        size = path.stat().st_size
        if size != self.bytes:
            return f"has {size:,} bytes, not {self.bytes:,}"
        return "" if file_hash(path) == self.sha256 else "has another checksum"


def report_name(layer: str) -> str:
    """The report of a layer for people, below the folder of reports."""
    return REPORTS[layer]


def quality_name(layer: str) -> str:
    """The result of a layer as JSON, below the folder of reports."""
    return f"quality/{layer}.json"


def as_text(result: GateResult) -> str:
    """The JSON of a result, as it is written: the order of keys is that in which people read."""
    return json.dumps(result.as_json(), indent=2) + "\n"
