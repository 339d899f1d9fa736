"""Whether a store keeps the promises that publishing rests on."""

from __future__ import annotations

import uuid

from medallion.errors import ChangedError, ExistsError, StorageError
from medallion.storage.filesystem import Storage

#: Where it is tried, below the root; what is there was left by a process that died.
PROBES = "_probe"


def expect_preconditions(storage: Storage) -> None:
    """Makes sure that a store refuses what must be refused, by an object that goes again.

    Args:
        storage: Where to try it.

    Raises:
        StorageError: It ignores preconditions, or what is needed to publish is not allowed.
    """
    key = f"{PROBES}/{uuid.uuid4().hex}"
    version = storage.create(key, b"1")
    try:
        _expect_refusal(storage, key, version)
    finally:
        storage.delete(key)


def _expect_refusal(storage: Storage, key: str, version: str) -> None:
    try:
        storage.create(key, b"2")
    except ExistsError:
        """As it must be."""
    else:
        raise _careless(storage, "an object was made that was there already")
    now = storage.swap(key, b"3", version)
    try:
        storage.swap(key, b"4", version)
    except ChangedError:
        """As it must be."""
    else:
        raise _careless(storage, "an object was replaced that had been changed meanwhile")
    if storage.read(key).version != now:
        raise _careless(storage, "an object that was replaced has not the version that was told")


def _careless(storage: Storage, what: str) -> StorageError:
    return StorageError(
        f"The store at {storage.root} does not keep what publishing rests on: {what}.",
        hint="use Google Cloud Storage itself, and not through another interface such as that of"
        " S3, a cache or a proxy.",
    )
