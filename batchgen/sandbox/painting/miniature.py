"""Small pictures: each is one of a few compositions of its style, in a colour and a light of its own.

A composition is painted once and kept, so most of what a small picture costs is its encoding. Which one it is, its
colour and its light all follow from the picture's number, so the same number gives the same bytes, kept or not.
"""

import math
import random
from functools import lru_cache

from PIL import Image, ImageChops, ImageOps

from batchgen.sandbox.painting.canvas import span
from batchgen.sandbox.painting.scenes import paint_scene

Matrix = tuple[float, ...]

_COMPOSITIONS = 16
_LIGHTS = (6, 6)
_DARKEST = 0.45


def miniature(style: str, model: str, size: tuple[int, int], number: int) -> Image.Image:
    """The picture of this number, some 64 pixels a side; two numbers give two pictures."""
    rng = random.Random(number)  # noqa: S311 - pictures, no secrets
    image = _composition(style, model, size, rng.randrange(_COMPOSITIONS))
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    image = image.convert("RGB", _turn(rng.uniform(0, math.tau)))
    light = Image.frombytes("L", _LIGHTS, rng.randbytes(_LIGHTS[0] * _LIGHTS[1])).resize(size, Image.Resampling.BICUBIC)
    light = span(light, _DARKEST, 1.0)
    return ImageChops.multiply(image, Image.merge("RGB", (light, light, light)))


@lru_cache(1024)
def _composition(style: str, model: str, size: tuple[int, int], which: int) -> Image.Image:
    """Shared, so never drawn on."""
    theme, rng = (random.Random(f"{use} {which}") for use in ("theme", "scene"))  # noqa: S311 - pictures, no secrets
    return paint_scene(style, model, size, theme, rng)


def _turn(angle: float) -> Matrix:
    """What turns all hues by an angle in radians and keeps lightness (SVG's feColorMatrix, type hueRotate)."""
    weights = (0.213, 0.715, 0.072)
    sines = ((-0.213, -0.715, 0.928), (0.143, 0.140, -0.283), (-0.787, 0.715, 0.072))
    cos, sin = math.cos(angle), math.sin(angle)
    rows = (
        tuple(
            weight + cos * ((row == column) - weight) + sin * sines[row][column]
            for column, weight in enumerate(weights)
        )
        for row in range(3)
    )
    return tuple(value for row in rows for value in (*row, 0.0))
