"""Scenes of the drawing board: ink, halftone, neon, pixels, tiles, ribbons, flat hills."""

import math

from PIL import Image, ImageChops, ImageDraw

from batchgen.sandbox.painting.canvas import (
    OVERSAMPLE,
    Line,
    Point,
    Sheet,
    bloom,
    blur,
    disc_mask,
    down_from,
    draw_mask,
    enlarged,
    gradient,
    plain,
    polygon_mask,
    ramp,
    ridge,
    scaled,
    shine,
    vignette,
)
from batchgen.sandbox.painting.figures import skyline
from batchgen.sandbox.painting.palette import Colour


def line_art(sheet: Sheet) -> Image.Image:
    """Ink on paper: hills line behind line, a hatched sun."""
    colours, rng = sheet.palette, sheet.rng
    paper, ink = colours.tone(0.965, chroma=0.18), colours.tone(0.28, chroma=0.7)
    image = plain(enlarged(sheet), paper)
    pen, width = ImageDraw.Draw(image), max(1, round(sheet.px(0.0021) * OVERSAMPLE))
    sun, radius = sheet.spot(0.22, 0.78, 0.2, 0.34), sheet.px(rng.uniform(0.1, 0.15))
    _hatched_disc(pen, sun, radius, colours.accent(0.62, chroma=1.2), width)
    rows, focus, spread = sheet.many(46, 12), rng.uniform(0.3, 0.7), rng.uniform(0.12, 0.22)
    for row in range(rows):
        depth = row / rows
        line = ridge(sheet, 0.42 + 0.56 * depth, 0.3, 0.56, cells=5)
        base = sheet.height * (0.4 + 0.58 * depth)
        drawn = [(x, base - (base - y + sheet.height * 0.08) * _swell(x / sheet.width, focus, spread)) for x, y in line]
        pen.polygon(scaled(down_from(sheet, drawn), OVERSAMPLE), fill=paper)
        pen.line(scaled(drawn, OVERSAMPLE), fill=ink, width=width + (row % 6 == 0), joint="curve")
    edge = round(sheet.px(0.035) * OVERSAMPLE)
    pen.rectangle((0, 0, image.width, image.height), outline=paper, width=edge)
    pen.rectangle((edge, edge, image.width - edge, image.height - edge), outline=ink, width=width * 2)
    return image.reduce(OVERSAMPLE)


def _swell(share: float, focus: float, spread: float) -> float:
    return 0.12 + math.exp(-((share - focus) ** 2) / (2 * spread**2))


def _hatched_disc(pen: ImageDraw.ImageDraw, centre: Point, radius: float, colour: Colour, width: int) -> None:
    x, y, steps = centre[0] * OVERSAMPLE, centre[1] * OVERSAMPLE, 26
    reach = radius * OVERSAMPLE
    for step in range(1, steps):
        height = reach * (2 * step / steps - 1)
        half = math.sqrt(reach**2 - height**2)
        pen.line((x - half, y + height, x + half, y + height), fill=colour, width=round(width * (1 + 2 * step / steps)))


def comic_book(sheet: Sheet) -> Image.Image:
    """Rays from a burst, halftone dots, everything outlined in black."""
    colours, rng = sheet.palette, sheet.rng
    focus = sheet.spot(0.3, 0.7, 0.3, 0.5)
    ink, image = (16, 14, 22), plain(enlarged(sheet), colours.tone(0.78, chroma=1.2))
    pen, far = ImageDraw.Draw(image), (sheet.width + sheet.height) * OVERSAMPLE
    middle, turn = scaled([focus], OVERSAMPLE)[0], rng.random()
    for ray in range(0, 36, 2):
        angles = [math.tau * (ray + side + turn) / 36 for side in (0, 1)]
        tips = [(middle[0] + far * math.cos(a), middle[1] + far * math.sin(a)) for a in angles]
        pen.polygon([middle, *tips], fill=colours.tone(0.88, chroma=0.9))
    _dots(sheet, pen, colours.tone(0.6, chroma=1.3))
    outline = round(max(1, sheet.px(0.008) * OVERSAMPLE))
    for scale, colour in (
        (0.36, colours.accent(0.62, chroma=1.5)),
        (0.27, colours.accent(0.86, chroma=1.2)),
        (0.17, (255, 252, 240)),
    ):
        burst = scaled(_burst(sheet, focus, sheet.px(scale)), OVERSAMPLE)
        pen.polygon(burst, fill=colour)
        pen.line([*burst, burst[0], burst[1]], fill=ink, width=outline, joint="curve")
    for layer, light in enumerate((0.5, 0.36)):
        towers = skyline(sheet, 0.8 + 0.08 * layer, 0.2, sheet.many(13, 6))
        _outlined(image, towers.mask, colours.tone(light, chroma=1.3), ink, outline)
        image.paste(colours.accent(0.88), mask=ramp(towers.windows.resize(image.size), 0, 1.7))
    edge = outline * 3
    pen.rectangle((0, 0, image.width - 1, image.height - 1), outline=(250, 248, 240), width=edge)
    pen.rectangle((edge, edge, image.width - edge - 1, image.height - edge - 1), outline=ink, width=outline)
    return image.reduce(OVERSAMPLE)


def _outlined(image: Image.Image, mask: Image.Image, colour: Colour, ink: Colour, width: int) -> None:
    """Fill a mask and draw its edge, in place; the picture is OVERSAMPLE times as large as the mask."""
    edge = ramp(blur(mask, max(0.5, width / OVERSAMPLE / 1.6)), 0.02, 12)
    image.paste(ink, mask=edge.resize(image.size))
    image.paste(colour, mask=mask.resize(image.size))


def _dots(sheet: Sheet, pen: ImageDraw.ImageDraw, colour: Colour) -> None:
    """A halftone screen, growing towards the lower edge."""
    step = max(4.0, sheet.px(0.022)) * OVERSAMPLE
    rows, columns = int(sheet.height * OVERSAMPLE / step * 2) + 1, int(sheet.width * OVERSAMPLE / step) + 2
    for row in range(rows):
        radius = step * 0.66 * max(0.0, row / rows - 0.12)
        if radius < 0.5:
            continue
        for column in range(columns):
            pen.circle(((column + row % 2 / 2) * step, row * step / 2), radius, fill=colour)


def _burst(sheet: Sheet, centre: Point, radius: float) -> Line:
    spikes, phase = 17, sheet.rng.random()
    reaches = [sheet.rng.uniform(0.85, 1.15) if i % 2 else sheet.rng.uniform(0.58, 0.7) for i in range(spikes * 2)]
    angles = [math.tau * (i + phase) / spikes / 2 for i in range(spikes * 2)]
    return [
        (centre[0] + radius * reach * math.cos(angle), centre[1] + radius * reach * math.sin(angle))
        for reach, angle in zip(reaches, angles, strict=True)
    ]


def neon_punk(sheet: Sheet) -> Image.Image:
    """A striped sun over a glowing grid, towers outlined in light."""
    colours, rng = sheet.palette, sheet.rng
    horizon = sheet.height * rng.uniform(0.56, 0.66)
    image = gradient(
        sheet.size, [colours.tone(0.1), colours.tone(0.17), colours.tone(0.3, chroma=1.3), colours.tone(0.08)]
    )
    sun, radius = (
        (sheet.width * rng.uniform(0.3, 0.7), horizon - sheet.px(rng.uniform(0.1, 0.2))),
        sheet.px(rng.uniform(0.2, 0.28)),
    )
    shine(image, sun, radius * 2.4, colours.accent(0.55, chroma=1.5), 1.8)
    face = gradient(
        sheet.size,
        [colours.accent(0.9, chroma=1.3), colours.accent(0.8, chroma=1.4), colours.accent(0.62, chroma=1.7, turn=-40)],
    )
    image.paste(face, mask=_striped(sheet, sun, radius))
    lights = plain(sheet.size, (0, 0, 0))
    towers = skyline(sheet, horizon / sheet.height, 0.3, sheet.many(19, 7))
    above = polygon_mask(sheet.size, [(0, 0), (sheet.width, 0), (sheet.width, horizon), (0, horizon)])
    city = ImageChops.multiply(towers.mask, above)
    image.paste(colours.tone(0.1), mask=city)
    image.paste(colours.tone(0.07), (0, round(horizon), sheet.width, sheet.height))
    rim = ramp(ImageChops.difference(city, blur(city, max(0.7, sheet.px(0.0016)))), 0, 3)
    lights.paste(colours.tone(0.78, chroma=1.7, turn=30), mask=ImageChops.multiply(rim, above))
    lights.paste(colours.accent(0.85, chroma=1.3), mask=ImageChops.multiply(towers.windows, above))
    lights.paste(colours.tone(0.7, chroma=1.9), mask=_grid(sheet, horizon))
    glow = ImageChops.add(blur(lights, sheet.px(0.008)), blur(lights, sheet.px(0.03)))
    return ImageChops.screen(ImageChops.screen(image, ramp(glow, 0, 1.5)), lights)


def _striped(sheet: Sheet, sun: Point, radius: float) -> Image.Image:
    mask = disc_mask(sheet.size, sun, radius)
    pen = ImageDraw.Draw(mask)
    for stripe in range(7):
        y = sun[1] + radius * (stripe * 0.15 - 0.02)
        pen.rectangle((0, y, sheet.width, y + radius * 0.018 * (stripe + 1)), fill=0)
    return mask


def _grid(sheet: Sheet, horizon: float) -> Image.Image:
    """A floor of squares running to the horizon."""
    vanish = sheet.width * sheet.rng.uniform(0.4, 0.6)
    deep = sheet.height - horizon

    def draw(pen: ImageDraw.ImageDraw, k: int) -> None:
        width = max(1, round(sheet.px(0.0022) * k))
        for step in range(14):
            y = (horizon + deep * (step / 13) ** 2.2) * k
            pen.line((0, y, sheet.width * k, y), fill=255, width=width)
        for step in range(-22, 23):
            x = vanish + step * sheet.width * 0.014
            pen.line(
                (x * k, horizon * k, (vanish + step * sheet.width * 0.16) * k, sheet.height * k), fill=255, width=width
            )

    return draw_mask(sheet.size, draw)


def digital_art(sheet: Sheet) -> Image.Image:
    """Ribbons of light flowing across a dark ground."""
    colours, rng = sheet.palette, sheet.rng
    image = gradient(sheet.size, [colours.tone(0.13), colours.tone(0.22), colours.tone(0.12, turn=60)])
    for _ in range(3):
        shine(
            image,
            sheet.spot(0, 1, 0, 1),
            sheet.px(rng.uniform(0.4, 0.8)),
            colours.tone(0.36, turn=rng.uniform(-60, 60)),
            1.6,
        )
    lights = plain(enlarged(sheet), (0, 0, 0))
    pen = ImageDraw.Draw(lights)
    for ribbon in range(4):
        _ribbon(sheet, pen, ribbon)
    strands = lights.reduce(OVERSAMPLE)
    image = ImageChops.screen(image, blur(strands, sheet.px(0.03)))
    return vignette(ImageChops.screen(bloom(image, sheet.px(0.1), 0.3), strands), 0.35)


def _ribbon(sheet: Sheet, pen: ImageDraw.ImageDraw, number: int) -> None:
    """Strands between two waves, their colour turning from one side to the other."""
    rng, strands = sheet.rng, sheet.many(46, 10)
    waves = [
        (
            rng.uniform(0.15, 0.85),
            [(rng.uniform(0.03, 0.2) / (i + 1), rng.uniform(0.4, 1.2) * (i + 1), rng.random()) for i in range(3)],
        )
        for _ in range(2)
    ]
    pick = sheet.palette.accent if number % 2 else sheet.palette.tone
    for strand in range(strands):
        share, points = strand / strands, Line()
        for step in range(49):
            x = step / 48
            ends = [
                level + sum(tall * math.sin(math.tau * (often * x + phase)) for tall, often, phase in parts)
                for level, parts in waves
            ]
            y = ends[0] + (ends[1] - ends[0]) * share
            points.append((x * sheet.width * OVERSAMPLE, y * sheet.height * OVERSAMPLE))
        colour = pick(0.4 + 0.42 * math.sin(math.pi * share), chroma=1.3, turn=70 * (share - 0.5))
        pen.line(points, fill=colour, width=max(1, round(sheet.px(0.0016) * OVERSAMPLE)), joint="curve")
