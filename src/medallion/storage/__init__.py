"""Where bytes are kept: a few verbs with laws, the same for a disk and for an object store."""

from medallion.storage.document import Document, open_storage
from medallion.storage.filesystem import Entry, LocalStorage, Storage, Stored

__all__ = ["Document", "Entry", "LocalStorage", "Storage", "Stored", "open_storage"]
