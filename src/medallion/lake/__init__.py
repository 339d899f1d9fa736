"""How tables lie in a lake: layout, manifests, and partitions that are replaced whole."""
