"""The gates of the five layers, each in a module of its own and all of one shape."""

from collections.abc import Mapping

from medallion.gates.layers import base_silver, bronze, dims, enriched, gold
from medallion.gates.layers.shape import Layer, LayerGate

#: In the order of the data.
LAYERS: Mapping[str, Layer] = {
    "bronze": bronze,
    "dims": dims,
    "base_silver": base_silver,
    "enriched": enriched,
    "gold": gold,
}

__all__ = ["LAYERS", "Layer", "LayerGate"]
