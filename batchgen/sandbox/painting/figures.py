"""Small things that scenes share: pines, birds, towers of a city."""

import math
from dataclasses import dataclass

from PIL import Image, ImageDraw

from batchgen.sandbox.painting.canvas import Line, Sheet, draw_mask, height_at, scaled
from batchgen.sandbox.painting.palette import Colour


def pines(sheet: Sheet, image: Image.Image, line: Line, colour: Colour) -> None:
    """A wood along a ridge, in place."""
    trees = [_pine(sheet, line) for _ in range(sheet.many(46))]

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        for tree in trees:
            pen.polygon(scaled(tree, k), fill=255)

    image.paste(colour, mask=draw_mask(image.size, draw))


def _pine(sheet: Sheet, line: Line) -> Line:
    """One fir: three skirts, from the top down one side and up the other."""
    x = sheet.rng.gauss(sheet.width * (0.15 if sheet.motif % 2 else 0.85), sheet.width * 0.16)
    tall = sheet.px(sheet.rng.uniform(0.06, 0.15))
    foot = height_at(line, x) + tall * 0.15
    wide = tall * 0.2
    half = [(0, 1), (0.5, 0.68), (0.25, 0.68), (0.78, 0.36), (0.4, 0.36), (1, 0.05), (0.12, 0.05), (0.12, -0.2)]
    right = [(x + wide * out, foot - tall * up) for out, up in half]
    return [*right, *((2 * x - px, py) for px, py in reversed(right))]


def birds(sheet: Sheet, image: Image.Image, colour: Colour, count: int) -> None:
    """A flock in the upper half, in place."""
    middle = sheet.spot(0.25, 0.75, 0.15, 0.4)
    flock = [
        (
            sheet.rng.gauss(middle[0], sheet.px(0.11)),
            sheet.rng.gauss(middle[1], sheet.px(0.06)),
            sheet.rng.uniform(0.6, 1.2),
        )
        for _ in range(count)
    ]
    span = sheet.px(0.022)

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        for x, y, scale in flock:
            wing, width = span * scale, max(1, round(span * scale * 0.13 * k))
            left = [(x - wing * (1 - t), y - wing * 0.5 * math.sin(math.pi * t) * (1 - t * 0.3)) for t in _FIFTHS]
            right = [(2 * x - px, py) for px, py in reversed(left)]
            pen.line(scaled([*left, *right], k), fill=255, width=width, joint="curve")

    image.paste(colour, mask=draw_mask(image.size, draw))


_FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skyline:
    """A row of towers as two masks."""

    mask: Image.Image
    windows: Image.Image


def skyline(sheet: Sheet, level: float, height: float, towers: int) -> Skyline:
    """Towers side by side: roofs up to `height` above `level` (shares of the height), the lower the nearer the edge."""
    rng, x, blocks = sheet.rng, -sheet.width * 0.02, []
    while x < sheet.width:
        wide = sheet.width / towers * rng.uniform(0.5, 1.5)
        top = sheet.height * (level - height * rng.random() ** 2)
        blocks.append((x, top, x + wide, float(sheet.height), rng.random() < 0.2))
        x += wide * rng.uniform(0.85, 1.1)

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        for left, top, right, bottom, spire in blocks:
            pen.rectangle((left * k, top * k, right * k, bottom * k), fill=255)
            if spire:
                middle = (left + right) / 2
                needle = [(middle - 2, top), (middle, top - (right - left) * 0.9), (middle + 2, top)]
                pen.polygon(scaled(needle, k), fill=255)

    return Skyline(mask=draw_mask(sheet.size, draw), windows=_windows(sheet, blocks))


def _windows(sheet: Sheet, blocks: list[tuple[float, float, float, float, bool]]) -> Image.Image:
    mask = Image.new("L", sheet.size)
    pen, pane = ImageDraw.Draw(mask), max(1.0, sheet.px(0.0042))
    for left, top, right, _bottom, _spire in blocks:
        for _ in range(sheet.many(12)):
            column = left + pane * (1 + 2 * sheet.rng.randrange(max(1, int((right - left) / pane / 2 - 1))))
            row = top + pane * (2 + 3 * sheet.rng.randrange(24))
            pen.rectangle((column, row, column + pane * 0.7, row + pane), fill=150)
    return mask
