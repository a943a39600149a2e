"""The painter: an order in, the bytes of a picture out; the same order, seed and size give the same bytes."""

from batchgen.sandbox.painting.painter import paint

__all__ = ["paint"]
