"""One package per layer: wiring in `pipeline.py`, small nodes in `nodes.py`."""
