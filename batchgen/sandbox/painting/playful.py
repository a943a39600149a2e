"""Scenes of flat colour: anime hills, pixels, tiles."""

import math

from PIL import Image, ImageDraw

from batchgen.sandbox.painting.canvas import (
    OVERSAMPLE,
    Line,
    Point,
    Sheet,
    down_from,
    draw_mask,
    gradient,
    height_at,
    plain,
    polygon_mask,
    ridge,
    shine,
)
from batchgen.sandbox.painting.figures import birds
from batchgen.sandbox.painting.palette import Colour, mix


def anime(sheet: Sheet) -> Image.Image:
    """A big sky with towering clouds over clean green hills."""
    colours, rng = sheet.palette, sheet.rng
    image = gradient(sheet.size, [colours.tone(0.54, chroma=1.2), colours.tone(0.72), colours.tone(0.93, chroma=0.5)])
    sun = sheet.spot(0.1, 0.9, 0.08, 0.2)
    shine(image, sun, sheet.px(0.7), (255, 252, 236), 2)
    for layer in range(3):
        for _ in range(rng.randint(1, 2)):
            _towering(
                sheet, image, sheet.spot(-0.05, 1.05, 0.34 + 0.1 * layer, 0.46 + 0.12 * layer), 0.5 + 0.25 * layer
            )
    for layer, light in enumerate((0.74, 0.68, 0.58, 0.48)):
        line = ridge(sheet, 0.66 + 0.09 * layer, 0.2, 0.26, cells=2 + layer)
        hill = gradient(
            sheet.size, [colours.accent(light + 0.12), colours.accent(light + 0.12), colours.accent(light - 0.06)]
        )
        image.paste(hill, mask=polygon_mask(sheet.size, down_from(sheet, line)))
        if layer in (1, 2):
            _trees(sheet, image, line, colours.accent(light - 0.16, turn=14), 0.5 + 0.3 * layer)
    birds(sheet, image, (252, 252, 255), sheet.many(6))
    return image


def _towering(sheet: Sheet, image: Image.Image, foot: Point, scale: float) -> None:
    """One cumulus in three flat tones: round on top, level below."""
    rng, lumps = sheet.rng, list[tuple[float, float, float]]()
    wide, tall = sheet.px(0.34) * scale, sheet.px(0.26) * scale * rng.uniform(0.7, 1.3)
    for _ in range(sheet.many(34, 10)):
        along = rng.gauss(0, 0.42)
        rise = rng.random() * max(0.0, 1 - abs(along) * 0.9)
        lumps.append(
            (
                foot[0] + along * wide,
                foot[1] - rise * tall,
                sheet.px(0.045) * scale * rng.uniform(0.6, 1.3) * (1.2 - abs(along) * 0.5),
            )
        )
    tones = (sheet.palette.tone(0.82, chroma=0.6), sheet.palette.tone(0.92, chroma=0.3), (255, 255, 255))
    for step, tone in enumerate(tones):

        def draw(pen: ImageDraw.ImageDraw, k: int, step: int = step) -> None:
            for x, y, radius in lumps:
                size = radius * (1 - 0.2 * step)
                pen.circle(((x - radius * 0.14 * step) * k, (y - radius * 0.2 * step) * k), size * k, fill=255)
            pen.rectangle((0, (foot[1] + sheet.px(0.006)) * k, sheet.width * k, sheet.height * k), fill=0)

        image.paste(tone, mask=draw_mask(sheet.size, draw))


def _trees(sheet: Sheet, image: Image.Image, line: Line, colour: Colour, scale: float) -> None:
    """Round trees along a hill, in place, each with a lit side."""
    rng, trees = sheet.rng, list[tuple[float, float, float]]()
    middle = rng.uniform(0.1, 0.9) * sheet.width
    for _ in range(sheet.many(15)):
        x, size = rng.gauss(middle, sheet.width * 0.2), sheet.px(0.032) * scale * rng.uniform(0.6, 1.2)
        trees.append((x, height_at(line, x) - size * 0.5, size))
    for part, tone in enumerate((colour, mix(colour, (255, 255, 220), 0.22))):

        def draw(pen: ImageDraw.ImageDraw, k: int, part: int = part) -> None:
            for x, y, size in trees:
                for dx, dy, share in ((-0.6, 0.25, 0.75), (0.6, 0.25, 0.75), (0, -0.3, 0.95)):
                    shift = size * 0.16 * part
                    pen.circle(
                        ((x + dx * size - shift) * k, (y + dy * size - shift) * k),
                        size * share * (1 - 0.25 * part) * k,
                        fill=255,
                    )

        image.paste(tone, mask=draw_mask(sheet.size, draw))


def pixel_art(sheet: Sheet) -> Image.Image:
    """A landscape of big pixels in a few colours, dithered."""
    side = max(16, round(132 * sheet.detail)) if sheet.short > 200 else 32
    block = sheet.short / side
    small = Sheet(
        width=round(sheet.width / block),
        height=round(sheet.height / block),
        rng=sheet.rng,
        palette=sheet.palette,
        motif=sheet.motif,
        detail=sheet.detail,
    )
    colours = sheet.palette
    image = gradient(small.size, [colours.tone(0.4), colours.tone(0.6), colours.tone(0.82), colours.accent(0.9)])
    tones = [colours.tone(0.16 + 0.075 * i) for i in range(10)] + [colours.accent(0.5 + 0.11 * i) for i in range(5)]
    image = _few_colours(image, tones, dither=True)
    _pixel_land(small, image)
    return image.resize(sheet.size, Image.Resampling.NEAREST)


def _few_colours(image: Image.Image, tones: list[Colour], *, dither: bool) -> Image.Image:
    """The same picture in these colours alone."""
    table = Image.new("P", (1, 1))
    table.putpalette([value for tone in tones for value in tone])
    method = Image.Dither.FLOYDSTEINBERG if dither else Image.Dither.NONE
    return image.quantize(palette=table, dither=method).convert("RGB")


def _pixel_land(sheet: Sheet, image: Image.Image) -> None:
    """Sun, clouds, mountains, a wood and a lake, without any smoothing, in place."""
    colours, pen = sheet.palette, ImageDraw.Draw(image)
    sun, radius = sheet.spot(0.2, 0.8, 0.2, 0.36), sheet.short * 0.1
    pen.circle(sun, radius, fill=colours.accent(0.94, chroma=0.7))
    _pixel_clouds(sheet, pen)
    for layer, light in enumerate((0.66, 0.5, 0.35)):
        line = ridge(sheet, 0.5 + 0.11 * layer, 0.42 - 0.1 * layer, 0.5, cells=3 + layer)
        pen.polygon(down_from(sheet, line), fill=colours.tone(light))
        pen.line(line, fill=colours.tone(light + 0.14), width=1)
    shore = round(sheet.height * sheet.rng.uniform(0.74, 0.82))
    _pixel_wood(sheet, pen, shore)
    pen.rectangle((0, shore, sheet.width, sheet.height), fill=colours.tone(0.44, turn=-25))
    for row in range(shore, sheet.height):
        for _ in range(4):
            left, wide = sheet.rng.uniform(0, sheet.width), sheet.rng.uniform(2, 9)
            lit = abs(left - sun[0]) < radius * 1.3
            colour = colours.accent(0.85) if lit else colours.tone(0.55, turn=-25)
            pen.line((left, row, left + wide, row), fill=colour)


def _pixel_clouds(sheet: Sheet, pen: ImageDraw.ImageDraw) -> None:
    rng, white = sheet.rng, sheet.palette.tone(0.95, chroma=0.3)
    for _ in range(6):
        x, y = sheet.spot(0, 1, 0.08, 0.4)
        for row, wide in enumerate((5, 9, 14)):
            box = (x - wide * rng.uniform(0.5, 1), y + row, x + wide * rng.uniform(0.5, 1), y + row)
            pen.rectangle(box, fill=white)


def _pixel_wood(sheet: Sheet, pen: ImageDraw.ImageDraw, shore: int) -> None:
    needles = sheet.palette.tone(0.26), sheet.palette.tone(0.19)
    for _ in range(sheet.width // 4):
        middle, tall = sheet.rng.uniform(0, sheet.width), sheet.rng.randint(4, 10)
        for row in range(tall):
            y = shore - tall + row
            pen.line((middle - row / 2.4, y, middle + row / 2.4, y), fill=needles[row % 2])


def tiles(sheet: Sheet) -> Image.Image:
    """One glazed tile, symmetrical in every way, over and over: it has no seam."""
    across, down = (max(3, round(side / sheet.short * 5)) for side in sheet.size)
    side = max(12, round(sheet.short / 5))
    tile = _tile(sheet, side).reduce(OVERSAMPLE)
    wall = Image.new("RGB", (across * side, down * side))
    for row in range(down):
        for column in range(across):
            wall.paste(tile, (column * side, row * side))
    return wall.resize(sheet.size, Image.Resampling.BICUBIC)


def _tile(sheet: Sheet, side: int) -> Image.Image:
    """A quarter drawn at random, mirrored along its diagonal and both axes."""
    colours, rng, half = sheet.palette, sheet.rng, side
    ground = colours.tone(0.9, chroma=0.35)
    inks = [
        colours.tone(0.34),
        colours.tone(0.56),
        colours.accent(0.62, chroma=1.2),
        colours.accent(0.82),
        colours.tone(0.78),
    ]
    quarter = plain((half, half), ground)
    pen = ImageDraw.Draw(quarter)
    pen.rectangle((0, 0, half, half * 0.035), fill=inks[0])
    for _ in range(rng.randint(6, 9)):
        _motif(sheet, pen, half, rng.choice(inks))
    for corner, radius in (((half, half), rng.uniform(0.14, 0.24)), ((0, 0), rng.uniform(0.2, 0.36))):
        for ring, share in enumerate((1.0, 0.72, 0.4)):
            pen.circle(corner, half * radius * share, fill=inks[(ring * 2 + 3) % 5])
    lower = Image.new("L", (half, half))
    ImageDraw.Draw(lower).polygon([(0, 0), (0, half), (half, half)], fill=255)
    quarter.paste(quarter.transpose(Image.Transpose.TRANSPOSE), mask=lower)
    tile = plain((2 * half, 2 * half), ground)
    flipped = quarter.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for place, part in (((0, 0), quarter), ((half, 0), flipped)):
        tile.paste(part, place)
        tile.paste(part.transpose(Image.Transpose.FLIP_TOP_BOTTOM), (place[0], half))
    return tile


def _motif(sheet: Sheet, pen: ImageDraw.ImageDraw, half: int, colour: Colour) -> None:
    """A petal, a ring or a leaf somewhere in the quarter."""
    rng, x, y = sheet.rng, sheet.rng.uniform(0.2, 1) * half, sheet.rng.uniform(0, 0.8) * half
    size = half * rng.uniform(0.12, 0.34)
    match rng.randrange(3):
        case 0:
            turn = rng.uniform(0, math.tau)
            petal = [
                (t, math.sin(math.pi * t) * side)
                for side in (0.3, -0.3)
                for t in ((0, 0.25, 0.5, 0.75, 1) if side > 0 else (0.75, 0.5, 0.25))
            ]
            cos, sin = math.cos(turn) * size * 2, math.sin(turn) * size * 2
            pen.polygon([(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in petal], fill=colour)
        case 1:
            pen.circle((x, y), size, outline=colour, width=max(1, round(half * 0.035)))
        case _:
            pen.polygon([(x - size, y), (x, y - size), (x + size, y), (x, y + size)], fill=colour)
