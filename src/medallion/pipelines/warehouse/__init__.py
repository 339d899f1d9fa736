"""The local warehouse."""
