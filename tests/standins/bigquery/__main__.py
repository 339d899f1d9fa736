"""`python -m tests.standins.bigquery PORT FOLDER [STORAGE]`: serves until it is stopped."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from local_bigquery.app import app
from local_bigquery.settings import settings

# Each mends something when it is imported.
from tests.standins.bigquery import (  # noqa: F401
    databases,
    jobs,
    limits,
    loads,
    numbers,
    partitions,
    places,
    reading,
    scripts,
)


def main(port: str, folder: str, storage: str = "") -> None:
    """Serves.

    Args:
        port: The port, at 127.0.0.1.
        folder: Where it may write.
        storage: The address of the storage from which it loads.
    """
    settings.data_dir = Path(folder)
    settings.storage_emulator_host = storage or None
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
