"""Scenes of solid things: shaded spheres, pieces of clay, an island of cubes."""

import math

from PIL import Image, ImageChops, ImageDraw

from batchgen.sandbox.painting.canvas import (
    OVERSAMPLE,
    Line,
    Point,
    Sheet,
    blur,
    disc_mask,
    down_from,
    draw_mask,
    enlarged,
    gradient,
    height_at,
    moved,
    noise,
    plain,
    polygon_mask,
    ramp,
    ridge,
    shadow,
    shine,
    span,
    vignette,
)
from batchgen.sandbox.painting.palette import Colour, mix


def spheres(sheet: Sheet) -> Image.Image:
    """Glossy balls on a studio floor."""
    colours = sheet.palette
    wall, floor = colours.tone(0.86, chroma=0.5), colours.tone(0.7, chroma=0.6)
    image = gradient(
        sheet.size, [colours.tone(0.72, chroma=0.6), wall, wall, floor, floor, colours.tone(0.5, chroma=0.7)]
    )
    shine(image, (sheet.width * 0.35, sheet.height * 0.3), sheet.px(0.9), colours.tone(0.97, chroma=0.3), 1.4)
    for ball in _resting(sheet):
        _ball(sheet, image, *ball)
    return vignette(image, 0.25)


def _resting(sheet: Sheet) -> list[tuple[Point, float, Colour]]:
    """Balls that do not sink into each other, the farthest first."""
    rng, balls = sheet.rng, list[tuple[Point, float]]()
    for _ in range(sheet.many(60)):
        depth = rng.random()
        radius = sheet.px(rng.uniform(0.04, 0.22)) * (0.5 + 0.5 * depth)
        foot = sheet.height * (0.54 + 0.34 * depth)
        x = rng.uniform(0.06, 0.94) * sheet.width
        centre = (x, foot - radius)
        if all(math.dist(centre, other) > (radius + size) * 0.92 for other, size in balls):
            balls.append((centre, radius))
    balls.sort(key=lambda ball: ball[0][1] + ball[1])
    return [(centre, radius, _bright(sheet)) for centre, radius in balls]


def _bright(sheet: Sheet) -> Colour:
    pick = sheet.palette.accent if sheet.rng.random() < 0.4 else sheet.palette.tone
    return pick(sheet.rng.uniform(0.5, 0.76), chroma=1.3, turn=sheet.rng.uniform(-25, 25))


def _ball(sheet: Sheet, image: Image.Image, centre: Point, radius: float, colour: Colour) -> None:
    x, y = centre
    side, spread = round(radius * 2), radius * 3.2
    place = round(x - spread / 2), round(y)
    dark = Image.new("L", (round(spread * 1.3), round(radius * 2)))
    edge = spread / 2
    oval = (edge - radius * 0.7, radius * 0.78, edge + radius * 1.4, radius * 1.16)
    ImageDraw.Draw(dark).ellipse(oval, fill=128)
    soft = blur(dark, radius * 0.16)
    image.paste((14, 12, 26), (*place, place[0] + soft.width, place[1] + soft.height), soft)
    body = plain((side, side), mix(colour, (0, 0, 0), 0.72))
    light = (side * 0.38, side * 0.32)
    shine(body, light, side * 0.95, colour, 0.75)
    shine(body, light, side * 0.42, mix(colour, (255, 255, 255), 0.55), 1.4)
    shine(body, (side * 0.66, side * 0.94), side * 0.42, mix(colour, sheet.palette.tone(0.8), 0.6), 1.6)
    shine(body, (side * 0.36, side * 0.27), side * 0.13, (255, 255, 255), 0.7)
    image.paste(body, (round(x - radius), round(y - radius)), disc_mask((side, side), (radius, radius), radius - 0.5))


def clay(sheet: Sheet) -> Image.Image:
    """A little landscape of modelling clay: every piece rounded, lit from above, with fingerprints."""
    colours, rng = sheet.palette, sheet.rng
    image = plain(sheet.size, colours.tone(0.8, chroma=0.8))
    image = _kneaded(sheet, image, Image.new("L", sheet.size, 255), colours.tone(0.8, chroma=0.8))
    sun = sheet.spot(0.2, 0.8, 0.18, 0.34)
    image = _kneaded(
        sheet, image, disc_mask(sheet.size, sun, sheet.px(rng.uniform(0.1, 0.14))), colours.accent(0.8, chroma=1.3)
    )
    for _ in range(rng.randint(2, 4)):
        image = _kneaded(sheet, image, _cloud(sheet), colours.tone(0.96, chroma=0.3))
    for layer, light in enumerate((0.7, 0.58, 0.46)):
        line = ridge(sheet, 0.55 + 0.15 * layer, 0.26, 0.25, cells=2 + layer)
        colour = colours.tone(light, chroma=1.2, turn=30 * layer)
        image = _kneaded(sheet, image, polygon_mask(sheet.size, down_from(sheet, line)), colour)
        if layer:
            image = _kneaded(sheet, image, _bushes(sheet, line), colours.accent(0.55 + 0.1 * layer, chroma=1.3))
    return image


def _cloud(sheet: Sheet) -> Image.Image:
    x, y = sheet.spot(0.1, 0.9, 0.1, 0.42)
    unit = sheet.px(0.045)
    lumps = [
        (x + unit * step * 0.95, y - unit * sheet.rng.uniform(-0.2, 0.5), unit * sheet.rng.uniform(0.7, 1.2))
        for step in range(4)
    ]

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        for left, top, radius in lumps:
            pen.circle((left * k, top * k), radius * k, fill=255)

    return draw_mask(sheet.size, draw)


def _bushes(sheet: Sheet, line: Line) -> Image.Image:
    places = [sheet.rng.uniform(0, 1) * sheet.width for _ in range(sheet.many(6))]
    balls = [(x, height_at(line, x) + sheet.px(0.03), sheet.px(sheet.rng.uniform(0.022, 0.055))) for x in places]

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        for x, y, radius in balls:
            pen.circle((x * k, y * k), radius * k, fill=255)

    return draw_mask(sheet.size, draw)


def _kneaded(sheet: Sheet, image: Image.Image, mask: Image.Image, colour: Colour) -> Image.Image:
    """Lay one piece of clay on the picture: its shadow, its rounded edge, its uneven surface."""
    shadow(image, mask, (sheet.px(0.006), sheet.px(0.014)), sheet.px(0.014), 0.5)
    swell = blur(mask, sheet.px(0.014))
    prints = span(noise(sheet, 30, 2), 0.78, 0.98)
    height = ImageChops.multiply(swell, prints)
    lit = ImageChops.subtract(moved(height, (0, -_bevel(sheet))), moved(height, (0, _bevel(sheet))), 1, 128)
    lit = ramp(lit, 0.1667, 1.5)
    piece = ImageChops.add(plain(sheet.size, colour), Image.merge("RGB", [lit] * 3), 1, -128)
    image.paste(piece, mask=mask)
    return image


def _bevel(sheet: Sheet) -> int:
    return max(1, round(sheet.px(0.006)))


def cubes(sheet: Sheet) -> Image.Image:
    """An island of cubes, seen from above and the side."""
    colours = sheet.palette
    image = gradient(enlarged(sheet), [colours.accent(0.9, chroma=0.4), colours.accent(0.76, chroma=0.6)])
    pen, across = ImageDraw.Draw(image), max(7, round(17 * sheet.detail))
    half = min(sheet.width / across / 2.2, sheet.height / across / 1.6) * OVERSAMPLE
    heights = noise(sheet, 3.2, 2).resize((across, across))
    middle, top = image.width / 2, image.height / 2 - half * 0.58 * across + half * 2.2
    for row in range(across):
        for column in range(across):
            value = float(heights.getpixel((column, row)) or 0) / 255  # type: ignore[arg-type]
            edge = 1 - math.hypot(row - across / 2 + 0.5, column - across / 2 + 0.5) / across * 1.7
            level = max(0, round((value * 1.5 - 0.25 + edge * 0.5) * 6))
            place = (middle + (column - row) * half, top + (column + row) * half * 0.58)
            _cube(
                pen,
                place,
                half,
                level,
                colours.tone(0.4 + 0.075 * level, turn=level * 9 - 30) if level else colours.accent(0.6),
            )
    return image.reduce(OVERSAMPLE)


def _cube(pen: ImageDraw.ImageDraw, place: Point, half: float, level: int, colour: Colour) -> None:
    """A column of cubes: its top, left and right faces."""
    x, y = place
    lift, slope = half * 0.62 * level, half * 0.58
    base = y + slope + half * 0.9
    top = y - lift
    left = [(x - half, top), (x, top + slope), (x, base), (x - half, base - slope)]
    right = [(x + half, top), (x, top + slope), (x, base), (x + half, base - slope)]
    pen.polygon(left, fill=mix(colour, (20, 14, 40), 0.26))
    pen.polygon(right, fill=mix(colour, (20, 14, 40), 0.5))
    pen.polygon(
        [(x, top - slope), (x + half, top), (x, top + slope), (x - half, top)], fill=mix(colour, (255, 255, 255), 0.12)
    )
    for step in range(1, level):
        down = half * 0.62 * step
        seam = [(x - half, top + down), (x, top + slope + down), (x + half, top + down)]
        pen.line(seam, fill=mix(colour, (20, 14, 40), 0.42), width=max(1, round(half * 0.03)))
