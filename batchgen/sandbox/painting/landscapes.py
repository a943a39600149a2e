"""Scenes with a sky: layered mountains in mist, dusk over a city, a faded seaside, a lake, an aurora."""

from PIL import Image, ImageChops, ImageEnhance, ImageFilter

from batchgen.sandbox.painting.canvas import (
    Line,
    Sheet,
    bloom,
    blur,
    disc_mask,
    down_from,
    draw_mask,
    gradient,
    grain,
    height_at,
    noise,
    plain,
    polygon_mask,
    ramp,
    ridge,
    scaled,
    shine,
    span,
    vignette,
)
from batchgen.sandbox.painting.figures import birds, pines, skyline
from batchgen.sandbox.painting.palette import Colour, mix


def photographic(sheet: Sheet) -> Image.Image:
    """Misty mountains, one behind the other, against a low sun."""
    colours, sun = sheet.palette, sheet.spot(0.2, 0.8, 0.16, 0.36)
    image = gradient(sheet.size, [colours.tone(0.5), colours.tone(0.74), colours.tone(0.9), colours.tone(0.94)])
    clouds = ramp(noise(sheet, 3, 4, stretch=3.5), 0.5, 1.9)
    image.paste(colours.tone(0.95, chroma=0.5), mask=clouds)
    shine(image, sun, sheet.px(0.8), colours.accent(0.9, chroma=0.8), 2.2)
    image.paste(
        colours.accent(0.97, chroma=0.5), mask=disc_mask(sheet.size, sun, sheet.px(sheet.rng.uniform(0.04, 0.07)))
    )
    image = _mountains(sheet, image, far=0.44, layers=6)
    if sheet.motif % 3:
        birds(sheet, image, colours.tone(0.35), sheet.many(9))
    return vignette(image, 0.35)


def _mountains(sheet: Sheet, image: Image.Image, far: float, layers: int) -> Image.Image:
    """Ridges from pale to dark, mist between them, pines on the nearest."""
    colours = sheet.palette
    for layer in range(layers):
        near = layer / (layers - 1)
        line = ridge(sheet, far + (0.94 - far) * near, 0.34 - 0.12 * near, 0.42 + 0.08 * near, cells=3 + layer // 3)
        light = 0.82 - 0.66 * near**0.8
        body = gradient(sheet.size, [colours.tone(light - 0.05), colours.tone(light), colours.tone(light + 0.16)])
        image.paste(body, mask=polygon_mask(sheet.size, down_from(sheet, line)))
        if near < 1:
            mist = ramp(noise(sheet, 4, 3, stretch=4), 0.45, 1.1)
            below = gradient(sheet.size, [(0, 0, 0)] * 4 + [(255, 255, 255)] * 2).convert("L")
            image.paste(colours.tone(min(0.95, light + 0.2), chroma=0.6), mask=ImageChops.multiply(mist, below))
        else:
            pines(sheet, image, line, colours.tone(light * 0.75))
    return image


def enhance(sheet: Sheet) -> Image.Image:
    """A mountain lake on a clear day, everything mirrored: crisp and full of contrast."""
    colours, shore = sheet.palette, sheet.rng.uniform(0.54, 0.64)
    image = gradient(sheet.size, [colours.tone(0.5), colours.tone(0.7), colours.accent(0.94, chroma=0.5)])
    clouds = ramp(noise(sheet, 4, 4, stretch=2.4), 0.5, 2.6)
    image.paste(gradient(sheet.size, [colours.tone(0.97, chroma=0.3), colours.tone(0.85, chroma=0.6)]), mask=clouds)
    for layer, light in enumerate((0.62, 0.46, 0.27)):
        line = ridge(sheet, shore - 0.2 + 0.075 * layer, 0.46 - 0.13 * layer, 0.55, cells=4 + 2 * layer)
        _snowy(sheet, image, line, light, snow=layer < 2)
    water = round(sheet.height * shore)
    image = _mirrored(sheet, image, water)
    image = ImageEnhance.Color(ImageEnhance.Contrast(image).enhance(1.18)).enhance(1.15)
    return image.filter(ImageFilter.UnsharpMask(max(1, sheet.px(0.003)), 90, 2))


def _snowy(sheet: Sheet, image: Image.Image, line: Line, light: float, *, snow: bool) -> None:
    """One rock ridge, lit from a side, white on top."""
    colours, mask = sheet.palette, polygon_mask(sheet.size, down_from(sheet, line))
    rock = noise(sheet, 26, 3, stretch=0.55)
    body = ImageChops.multiply(
        gradient(sheet.size, [colours.tone(light + 0.2, chroma=0.8), colours.tone(light - 0.08)]),
        Image.merge("RGB", [span(rock, 0.62, 1.22)] * 3),
    )
    image.paste(body, mask=mask)
    if snow:
        peak = min(y for _, y in line)
        dusted = [(x, y + (sheet.height * 0.09 - (y - peak) * 0.42)) for x, y in line]
        cap = ImageChops.subtract(mask, polygon_mask(sheet.size, down_from(sheet, dusted)))
        image.paste(colours.tone(0.97, chroma=0.15), mask=ImageChops.multiply(cap, ramp(rock, 0.25, 3.2)))


def _mirrored(sheet: Sheet, image: Image.Image, water: int) -> Image.Image:
    """All above the water line, again below it, darker and rippled."""
    deep = sheet.height - water
    above = image.crop((0, max(0, water - deep), sheet.width, water)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    mirror = above.resize((sheet.width, deep)).filter(ImageFilter.BoxBlur((max(1, sheet.px(0.006)), 0)))
    mirror = Image.blend(mirror, gradient(mirror.size, [sheet.palette.tone(0.6), sheet.palette.tone(0.14)]), 0.35)
    ripples = ramp(noise(sheet, 60, 1, stretch=14), 0.62, 1.6).crop((0, 0, sheet.width, deep))
    mirror.paste(sheet.palette.tone(0.9, chroma=0.5), mask=ripples)
    image.paste(mirror, (0, water))
    return image


def cinematic(sheet: Sheet) -> Image.Image:
    """A city at dusk between two black bars: teal shadows, amber light."""
    teal, amber = sheet.palette.tone, sheet.palette.accent
    rng, sun = sheet.rng, sheet.spot(0.2, 0.8, 0.46, 0.58)
    image = gradient(sheet.size, [teal(0.2), teal(0.34), mix(teal(0.55), amber(0.6), 0.5), amber(0.78), amber(0.8)])
    streaks = ramp(noise(sheet, 4, 4, stretch=6), 0.48, 1.8)
    image.paste(amber(0.82, chroma=1.2), mask=ImageChops.multiply(streaks, noise(sheet, 1, 1)))
    shine(image, sun, sheet.px(0.75), amber(0.86, chroma=1.3), 1.8)
    image.paste(amber(0.96, chroma=0.6), mask=disc_mask(sheet.size, sun, sheet.px(0.075)))
    for layer in range(4):
        near = layer / 3
        light = 0.46 - 0.34 * near
        towers = skyline(sheet, 0.56 + 0.12 * near, 0.2 + rng.uniform(0.02, 0.1), sheet.many(26 - 5 * layer, 8))
        tint = gradient(sheet.size, [teal(light), teal(light), mix(teal(light), amber(0.62), 0.5 - 0.3 * near)])
        image.paste(tint, mask=towers.mask)
        if layer > 1:
            image.paste(amber(0.82), mask=towers.windows)
        shine(image, sun, sheet.px(0.7 - 0.1 * layer), amber(0.7, chroma=1.2), 2.6)
    image = vignette(bloom(image, sheet.px(0.02), 0.35), 0.45)
    bar = round(sheet.height * 0.11)
    image.paste((5, 5, 7), (0, 0, sheet.width, bar))
    image.paste((5, 5, 7), (0, sheet.height - bar, sheet.width, sheet.height))
    return image


def analog_film(sheet: Sheet) -> Image.Image:
    """A print of the seaside with a white border: faded, grainy, light leaking in."""
    colours, rng = sheet.palette, sheet.rng
    image = gradient(sheet.size, [colours.tone(0.62), colours.tone(0.8), colours.accent(0.87, chroma=0.6)])
    image.paste(colours.tone(0.93, chroma=0.3), mask=ramp(noise(sheet, 3, 3, stretch=3), 0.5, 1.5))
    sun = sheet.spot(0.25, 0.75, 0.25, 0.42)
    shine(image, sun, sheet.px(0.5), colours.accent(0.93, chroma=0.6), 2)
    image.paste(colours.accent(0.96, chroma=0.4), mask=disc_mask(sheet.size, sun, sheet.px(0.07)))
    horizon = rng.uniform(0.52, 0.62)
    sea = gradient((sheet.width, sheet.height), [colours.tone(0.66), colours.tone(0.42)])
    image.paste(sea, (0, round(sheet.height * horizon)))
    glints = ramp(noise(sheet, 70, 1, stretch=9), 0.66, 4)
    column = _column(sheet, sun[0])
    below = polygon_mask(
        sheet.size, down_from(sheet, [(0, sheet.height * horizon), (sheet.width, sheet.height * horizon)])
    )
    image.paste(colours.accent(0.93, chroma=0.5), mask=ImageChops.multiply(ImageChops.multiply(glints, column), below))
    coast = rng.choice((0.0, 1.0))
    for level, light in ((horizon + 0.01, 0.52), (0.93, 0.3)):
        line = ridge(sheet, level, 0.16, 0.4)
        line = [(x, y + sheet.height * 0.3 * abs(x / sheet.width - coast)) for x, y in line]
        image.paste(colours.tone(light, chroma=0.6), mask=polygon_mask(sheet.size, down_from(sheet, line)))
    birds(sheet, image, colours.tone(0.28, chroma=0.5), sheet.many(7))
    return _developed(sheet, image)


def _column(sheet: Sheet, x: float) -> Image.Image:
    """A mask of light on water below x."""
    row = Image.new("L", (32, 1))
    row.putdata([round(255 * max(0.0, 1 - abs(i / 31 - x / sheet.width) * 3.2)) for i in range(32)])
    return row.resize(sheet.size, Image.Resampling.BILINEAR)


def _developed(sheet: Sheet, image: Image.Image) -> Image.Image:
    """Lifted blacks, a warm cast, a leak of light, grain, and the border of a print."""
    image = Image.blend(ImageEnhance.Color(image).enhance(0.72), plain(sheet.size, (226, 196, 160)), 0.2)
    image = span(image, 0.13, 0.95)
    side = sheet.rng.choice((-0.08, 1.08))
    shine(image, (sheet.width * side, sheet.height * sheet.rng.random()), sheet.px(0.62), (255, 122, 52), 1.3)
    image = grain(sheet, vignette(image, 0.42), 0.075)
    edge = round(sheet.px(0.045))
    paper = plain(sheet.size, (244, 240, 230))
    paper.paste(image.crop((edge, edge, sheet.width - edge, sheet.height - edge)), (edge, edge))
    return paper


def fantasy_art(sheet: Sheet) -> Image.Image:
    """A great moon and an aurora over jagged peaks and a castle."""
    colours, rng = sheet.palette, sheet.rng
    image = gradient(sheet.size, [colours.tone(0.13), colours.tone(0.24), colours.tone(0.45), colours.tone(0.6)])
    image = ImageChops.screen(image, _stars(sheet))
    image = ImageChops.screen(image, _aurora(sheet))
    moon, radius = sheet.spot(0.22, 0.78, 0.2, 0.36), sheet.px(rng.uniform(0.1, 0.18))
    shine(image, moon, radius * 4, colours.accent(0.75), 2.4)
    craters = gradient(sheet.size, [colours.accent(0.97, chroma=0.35), colours.accent(0.9, chroma=0.5)])
    craters.paste(colours.accent(0.82, chroma=0.6), mask=ramp(noise(sheet, 11, 3), 0.5, 2.4))
    image.paste(craters, mask=disc_mask(sheet.size, moon, radius))
    for layer, light in enumerate((0.46, 0.33, 0.22, 0.12)):
        line = ridge(sheet, 0.56 + 0.12 * layer, 0.5 - 0.08 * layer, 0.52, cells=5 + layer)
        if layer == 2:
            _castle(sheet, image, line, colours.tone(light))
        mask = polygon_mask(sheet.size, down_from(sheet, line))
        image.paste(
            gradient(sheet.size, [colours.tone(light), colours.tone(light), colours.tone(light + 0.2)]), mask=mask
        )
    return vignette(bloom(image, sheet.px(0.03), 0.4), 0.4)


def _stars(sheet: Sheet) -> Image.Image:
    sky = plain(sheet.size, (0, 0, 0))
    for _ in range(sheet.many(160)):
        centre, colour = sheet.spot(0, 1, 0, 0.6), sheet.palette.tone(sheet.rng.uniform(0.5, 0.98), chroma=0.3)
        radius = sheet.px(0.0012) * sheet.rng.choice((0.6, 1, 1, 2))
        box = (round(centre[0]), round(centre[1]), round(centre[0] + radius + 1), round(centre[1] + radius + 1))
        sky.paste(colour, box)
    return bloom(sky, max(0.6, sheet.px(0.003)))


def _aurora(sheet: Sheet) -> Image.Image:
    """Curtains of light: noise drawn out upwards, in two colours."""
    curtain = plain(sheet.size, (0, 0, 0))
    for turn in (0, 70):
        folds = ramp(noise(sheet, 14, 2, stretch=0.25), 0.4, 2.2)
        streaks = folds.crop((0, 0, sheet.width, max(2, sheet.height // 24))).resize(
            sheet.size, Image.Resampling.BICUBIC
        )
        line = ridge(sheet, 0.3, 0.4, 0.35)
        band = draw_mask(sheet.size, lambda pen, k, line=line: pen.polygon(_band(sheet, line, k), fill=255))  # type: ignore[misc]
        lit = ImageChops.multiply(streaks, blur(band, sheet.px(0.05)))
        curtain.paste(sheet.palette.accent(0.78, turn=turn), mask=ramp(lit, 0, 0.85))
    return curtain


def _band(sheet: Sheet, line: Line, factor: int) -> Line:
    drop = sheet.height * 0.24
    return scaled([*line, *((x, y - drop) for x, y in reversed(line))], factor)


def _castle(sheet: Sheet, image: Image.Image, line: Line, colour: Colour) -> None:
    """Towers with pointed roofs and lit windows on the highest peak; of one colour with it."""
    lit, unit = sheet.palette.accent(0.88), sheet.px(0.015)
    inner = line[len(line) // 5 : -len(line) // 5]
    middle, ground = min(inner, key=lambda point: point[1])
    for offset in range(-3, 4):
        x, tall = middle + offset * unit * 1.9, unit * (sheet.rng.uniform(2, 5) + 1.4 * (4 - abs(offset)))
        foot, top = height_at(line, x) + unit * 3, ground - tall
        left = [(x - unit, foot), (x - unit, top), (x - unit * 1.3, top), (x, top - unit * 2.6)]
        tower = [*left, (x + unit * 1.3, top), (x + unit, top), (x + unit, foot)]
        image.paste(colour, mask=polygon_mask(sheet.size, tower))
        if offset % 2:
            image.paste(lit, mask=disc_mask(sheet.size, (x, top + unit), unit * 0.32))
