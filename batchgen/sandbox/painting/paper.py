"""Scenes of paper: cut in layers, folded, and flat facets."""

import math
from typing import cast

from PIL import Image, ImageChops, ImageDraw

from batchgen.sandbox.painting.canvas import (
    OVERSAMPLE,
    Line,
    Point,
    Sheet,
    disc_mask,
    down_from,
    draw_mask,
    enlarged,
    gradient,
    noise,
    plain,
    polygon_mask,
    ridge,
    scaled,
    shadow,
    shine,
    span,
    vignette,
)
from batchgen.sandbox.painting.palette import Colour, mix

_BICUBIC = Image.Resampling.BICUBIC


def cut_paper(sheet: Sheet) -> Image.Image:
    """Sheets of paper cut along the contours of a landscape, one above the other, each with its shadow."""
    colours, field, levels = (
        sheet.palette,
        _relief(sheet),
        max(5, round(8 * sheet.detail * min(1.0, sheet.short / 200))),
    )
    accented = sheet.rng.randrange(2, levels - 1)
    lowest, highest = cast("tuple[float, float]", field.getextrema())
    image = plain(sheet.size, colours.tone(0.32))
    for level in range(levels):
        share = level / (levels - 1)
        mask = _above(field, lowest + (highest - lowest) * (0.15 + 0.66 * share), sheet.px(0.5))
        shadow(image, mask, (0, sheet.px(0.012)), sheet.px(0.014), 0.7)
        colour = colours.accent(0.68, chroma=1.2) if level == accented else colours.tone(0.43 + 0.52 * share)
        image.paste(colour, mask=mask)
    return vignette(image, 0.18)


def _relief(sheet: Sheet) -> Image.Image:
    """Heights around 0 to 255 in floating point (mode F): contours of 8-bit heights are jagged. A basin amid hills."""
    rng, across = sheet.rng, math.hypot(*sheet.size) / sheet.short
    cells, fine = math.ceil(4 * across) + 1, 48 if sheet.short > 200 else 10
    sink = rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)
    places = [(column / (cells - 1), row / (cells - 1)) for row in range(cells) for column in range(cells)]
    heights = Image.new("F", (cells, cells))
    heights.putdata([rng.uniform(10, 150) + 120 * across * math.dist(sink, place) / 1.5 for place in places])
    # Turned, since the hills of a grid stand in its rows and columns; the sheet is cut from the middle.
    turned = heights.resize((cells * fine, cells * fine), _BICUBIC).rotate(rng.uniform(20, 70), _BICUBIC)
    margins = [(cells * fine - side / sheet.short * 4 * fine) / 2 for side in sheet.size]
    box = margins[0], margins[1], cells * fine - margins[0], cells * fine - margins[1]
    return turned.resize(sheet.size, _BICUBIC, box)


def _above(field: Image.Image, height: float, sharpness: float) -> Image.Image:
    """A mask of all that is higher; the higher the sharpness, the narrower its smooth edge."""
    return field.point(lambda value: value * sharpness + (127 - height * sharpness)).convert("L")


def facets(sheet: Sheet) -> Image.Image:
    """Mountains and sky of flat triangles."""
    small = Sheet(
        width=max(24, sheet.width // 12),
        height=max(24, sheet.height // 12),
        rng=sheet.rng,
        palette=sheet.palette,
        motif=sheet.motif,
        detail=sheet.detail,
    )
    guide = _guide(small)
    step = sheet.short / max(9, 20 * sheet.detail)
    rows, columns = math.ceil(sheet.height / step) + 2, math.ceil(sheet.width / step) + 2
    knots = [
        [
            (
                (c - 0.5 + 0.5 * (r % 2) + sheet.rng.uniform(-0.36, 0.36)) * step,
                (r - 0.5 + sheet.rng.uniform(-0.36, 0.36)) * step,
            )
            for c in range(columns)
        ]
        for r in range(rows)
    ]
    image = plain(enlarged(sheet), sheet.palette.tone(0.5))
    pen = ImageDraw.Draw(image)
    for row in range(rows - 1):
        for column in range(columns - 1):
            a, b = knots[row][column], knots[row][column + 1]
            c, d = knots[row + 1][column], knots[row + 1][column + 1]
            for corners in ((a, b, c), (b, d, c)) if row % 2 == 0 else ((a, b, d), (a, d, c)):
                pen.polygon(scaled(corners, OVERSAMPLE), fill=_facet(sheet, guide, corners))
    return image.reduce(OVERSAMPLE)


def _guide(sheet: Sheet) -> Image.Image:
    """The picture that the triangles take their colours from."""
    colours, sun = sheet.palette, sheet.spot(0.25, 0.75, 0.2, 0.36)
    image = gradient(sheet.size, [colours.accent(0.6), colours.accent(0.8), colours.accent(0.93, chroma=0.7)])
    shine(image, sun, sheet.px(0.5), colours.tone(0.93), 1.8)
    image.paste(colours.tone(0.98, chroma=0.3), mask=disc_mask(sheet.size, sun, sheet.px(0.1)))
    for layer, light in enumerate((0.7, 0.54, 0.38, 0.24)):
        line = ridge(sheet, 0.5 + 0.14 * layer, 0.46 - 0.08 * layer, 0.5, cells=3 + layer)
        image.paste(
            colours.tone(light, chroma=1.2, turn=18 * layer), mask=polygon_mask(sheet.size, down_from(sheet, line))
        )
    return image


def _facet(sheet: Sheet, guide: Image.Image, corners: tuple[Point, Point, Point]) -> Colour:
    x, y = sum(p[0] for p in corners) / 3, sum(p[1] for p in corners) / 3
    place = (
        min(guide.width - 1, max(0, int(x / sheet.width * guide.width))),
        min(guide.height - 1, max(0, int(y / sheet.height * guide.height))),
    )
    colour = guide.getpixel(place)
    assert isinstance(colour, tuple)  # noqa: S101 - the guide is RGB
    tilt = sheet.rng.uniform(-1, 1) * (0.05 if y < sheet.height * 0.4 else 0.15)
    return mix((colour[0], colour[1], colour[2]), (255, 255, 255) if tilt > 0 else (16, 10, 40), abs(tilt))


def folded(sheet: Sheet) -> Image.Image:
    """Paper mountains with a crease, paper cranes above them, on textured paper."""
    colours = sheet.palette
    image = gradient(sheet.size, [colours.tone(0.93, chroma=0.4), colours.tone(0.84, chroma=0.6)])
    sun = sheet.spot(0.25, 0.75, 0.22, 0.36)
    _paper(sheet, image, _fan(sun, sheet.px(0.13), colours.accent(0.72, chroma=1.2)))
    for layer in range(4):
        near = layer / 3
        light, count = 0.78 - 0.4 * near, 4 if sheet.width > sheet.height else 3
        for place in range(count + 1):
            x = sheet.width * (place + sheet.rng.uniform(-0.3, 0.3) + (0.5 if layer % 2 else 0)) / count
            _paper(sheet, image, _peak(sheet, x, 0.62 + 0.17 * near, colours.tone(light, chroma=1.2)))
    for _ in range(sheet.rng.randint(3, 5)):
        colour = colours.accent(0.66, chroma=1.3, turn=sheet.rng.uniform(-30, 30))
        _paper(
            sheet,
            image,
            _crane(sheet, sheet.spot(0.12, 0.88, 0.12, 0.62), sheet.px(sheet.rng.uniform(0.05, 0.1)), colour),
        )
    fibres = span(noise(sheet, 120, 2), 0.94, 1.06)
    return ImageChops.multiply(image, Image.merge("RGB", [fibres] * 3))


Facets = list[tuple[Line, Colour]]


def _paper(sheet: Sheet, image: Image.Image, faces: Facets) -> None:
    """Lay one folded piece on the picture, in place, with its shadow."""

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        for face, _colour in faces:
            pen.polygon(scaled(face, k), fill=255)

    whole = draw_mask(sheet.size, draw)
    shadow(image, whole, (sheet.px(0.008), sheet.px(0.014)), sheet.px(0.014), 0.42)
    box = whole.getbbox()
    if box is None:
        return
    left, top, right, bottom = box
    large = plain(((right - left) * OVERSAMPLE, (bottom - top) * OVERSAMPLE), faces[0][1])
    pen = ImageDraw.Draw(large)
    for face, colour in faces:
        pen.polygon([((x - left) * OVERSAMPLE, (y - top) * OVERSAMPLE) for x, y in face], fill=colour)
    image.paste(large.reduce(OVERSAMPLE), (left, top), whole.crop(box))


def _fan(centre: Point, radius: float, colour: Colour) -> Facets:
    corners = [
        (centre[0] + radius * math.cos(math.tau * i / 12), centre[1] + radius * math.sin(math.tau * i / 12))
        for i in range(13)
    ]
    return [
        ([centre, corners[i], corners[i + 1]], mix(colour, (255, 255, 255), 0.16 if i % 2 else 0.0)) for i in range(12)
    ]


def _peak(sheet: Sheet, x: float, level: float, colour: Colour) -> Facets:
    wide, tall = sheet.px(sheet.rng.uniform(0.22, 0.36)), sheet.px(sheet.rng.uniform(0.18, 0.42))
    foot, base = float(sheet.height), sheet.height * level
    top, crease = (x, base - tall), (x + wide * sheet.rng.uniform(-0.25, 0.1), foot)
    slope = wide * (foot - base + tall) / tall / 1.7
    middle = (x + slope * 0.42, base + (foot - base) * 0.1)
    return [
        ([top, crease, (x - slope, foot)], mix(colour, (255, 255, 255), 0.2)),
        ([top, (x + slope, foot), crease], mix(colour, (20, 10, 50), 0.22)),
        ([top, middle, crease], mix(colour, (20, 10, 50), 0.1)),
    ]


# A crane in units of its size: (corners, how dark), the far wing first.
_CRANE: tuple[tuple[tuple[Point, ...], float], ...] = (
    (((-0.1, 0.0), (0.35, -1.15), (0.4, 0.0)), 0.3),
    (((-0.35, 0.0), (-1.3, -0.45), (-0.15, 0.28)), 0.14),
    (((0.35, 0.0), (1.0, -0.75), (0.2, 0.3)), 0.2),
    (((1.0, -0.75), (1.32, -0.52), (0.88, -0.6)), 0.05),
    (((-0.4, 0.0), (0.0, 0.42), (0.5, 0.0)), 0.1),
    (((-0.35, 0.05), (-0.35, -1.3), (0.4, 0.05)), -0.22),
    (((-0.35, 0.05), (-0.35, -1.3), (-0.05, 0.05)), -0.06),
)


def _crane(sheet: Sheet, place: Point, size: float, colour: Colour) -> Facets:
    flip, turn = sheet.rng.choice((-1, 1)), sheet.rng.uniform(-0.3, 0.3)
    cos, sin = math.cos(turn) * size, math.sin(turn) * size

    def put(point: Point) -> Point:
        x, y = point[0] * flip, point[1]
        return place[0] + x * cos - y * sin, place[1] + x * sin + y * cos

    return [
        ([put(point) for point in face], mix(colour, (20, 10, 50) if dark > 0 else (255, 255, 255), abs(dark)))
        for face, dark in _CRANE
    ]
