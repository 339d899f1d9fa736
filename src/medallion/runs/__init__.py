"""A run: its lease on the lake, its documents, and what is told of it."""
