"""The toolbox: gradients, noise, light, masks, ridges. Sizes are in pixels; masks are mode L, pictures mode RGB."""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from batchgen.sandbox.painting.palette import Colour, Palette

Point = tuple[float, float]
Line = list[Point]

_BICUBIC = Image.Resampling.BICUBIC
_BILINEAR = Image.Resampling.BILINEAR
# Masks and drawings are made this much larger and reduced, which smooths their edges.
OVERSAMPLE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What a scene is painted on and with."""

    width: int
    height: int
    rng: random.Random
    palette: Palette
    motif: int
    """A number by the prompt alone, for what the picture shows."""
    detail: float
    """How rich the picture is: 1 is as rich as it gets."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def short(self) -> int:
        """The shorter side."""
        return min(self.size)

    def px(self, share: float) -> float:
        """A length as a share of the shorter side."""
        return self.short * share

    def many(self, count: int, least: int = 3) -> int:
        """A count of things, fewer where there is less room or less detail."""
        room = min(1.0, self.short / 640)
        return max(least, round(count * self.detail * math.sqrt(room)))

    def spot(self, left: float, right: float, top: float, bottom: float) -> Point:
        """A random place within these shares of width and height."""
        return self.rng.uniform(left, right) * self.width, self.rng.uniform(top, bottom) * self.height


def plain(size: tuple[int, int], colour: Colour) -> Image.Image:
    """One colour all over."""
    return Image.new("RGB", size, colour)


def gradient(size: tuple[int, int], colours: Sequence[Colour]) -> Image.Image:
    """Colours from top to bottom, evenly spread."""
    column = Image.new("RGB", (1, len(colours)))
    column.putdata(list(colours))
    return column.resize(size, _BILINEAR if len(colours) < 3 else _BICUBIC)


def curve(mask: Image.Image, shape: Callable[[float], float]) -> Image.Image:
    """Every value v of a mask, or of each band of a picture, becomes shape(v), both in 0 to 1."""
    return mask.point(_table(shape) * len(mask.getbands()))


def ramp(mask: Image.Image, zero: float, gain: float) -> Image.Image:
    """Every value v becomes (v - zero) * gain: a threshold when the gain is high, a weight when zero is 0."""
    return mask.point(_ramp_table(zero, gain) * len(mask.getbands()))


def span(mask: Image.Image, low: float, high: float) -> Image.Image:
    """Values from 0 to 1 become values from low to high."""
    return ramp(mask, low / (low - high), high - low)


@lru_cache(512)
def _ramp_table(zero: float, gain: float) -> list[int]:
    return _table(lambda v: (v - zero) * gain)


def _table(shape: Callable[[float], float]) -> list[int]:
    return [round(255 * min(1.0, max(0.0, shape(value / 255)))) for value in range(256)]


@lru_cache(64)
def _light(power: float) -> Image.Image:
    """A disc of light in a square; shared, so never drawn on."""
    # Pillow's gradient reaches its end in the corners of its square.
    return curve(Image.radial_gradient("L"), lambda v: max(0.0, 1 - v * 2**0.5) ** power)


def shine(image: Image.Image, centre: Point, radius: float, colour: Colour, power: float = 2.0) -> None:
    """Add soft light, in place; the higher the power, the closer to the centre it stays."""
    side = max(2, round(radius * 2))
    place = round(centre[0] - radius), round(centre[1] - radius)
    image.paste(colour, (*place, place[0] + side, place[1] + side), _light(power).resize((side, side), _BILINEAR))


def noise(sheet: Sheet, cells: float, octaves: int = 3, stretch: float = 1.0) -> Image.Image:
    """A mask of soft clouds, about `cells` across the shorter side; `stretch` widens them."""
    # No finer than its finest cell needs: the rest is enlarging, which is cheap.
    fine = min(1.0, cells * 2.0 ** (octaves - 1) * 3 / sheet.short / min(1.0, stretch))
    size = max(8, round(sheet.width * fine)), max(8, round(sheet.height * fine))
    total = _raster(sheet, cells, stretch, size)
    for octave in range(1, octaves):
        total = Image.blend(total, _raster(sheet, cells * 2**octave, stretch, size), 0.36)
    return total.resize(sheet.size, _BICUBIC)


def _raster(sheet: Sheet, cells: float, stretch: float, size: tuple[int, int]) -> Image.Image:
    columns = max(2, min(size[0], round(cells * sheet.width / sheet.short / stretch)))
    rows = max(2, min(size[1], round(cells * sheet.height / sheet.short)))
    return Image.frombytes("L", (columns, rows), sheet.rng.randbytes(columns * rows)).resize(size, _BICUBIC)


def draw_mask(size: tuple[int, int], draw: Callable[[ImageDraw.ImageDraw, int], None]) -> Image.Image:
    """A smooth mask; `draw` is given the pen and the factor by which to enlarge its coordinates."""
    large = Image.new("L", (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE))
    draw(ImageDraw.Draw(large), OVERSAMPLE)
    return large.reduce(OVERSAMPLE)


def polygon_mask(size: tuple[int, int], outline: Sequence[Point]) -> Image.Image:
    """A smooth mask of one polygon."""
    return draw_mask(size, lambda pen, k: pen.polygon(scaled(outline, k), fill=255))


def disc_mask(size: tuple[int, int], centre: Point, radius: float) -> Image.Image:
    """A smooth mask of one disc."""
    left, top, side = int(centre[0] - radius) - 1, int(centre[1] - radius) - 1, int(radius * 2) + 4
    middle = (centre[0] - left, centre[1] - top)
    disc = draw_mask((side, side), lambda pen, k: pen.circle(scaled([middle], k)[0], radius * k, fill=255))
    mask = Image.new("L", size)
    mask.paste(disc, (left, top))
    return mask


def enlarged(sheet: Sheet) -> tuple[int, int]:
    """The size of a drawing that is reduced in the end."""
    return sheet.width * OVERSAMPLE, sheet.height * OVERSAMPLE


def scaled(points: Iterable[Point], factor: float) -> Line:
    """The same points, larger."""
    return [(x * factor, y * factor) for x, y in points]


def ridge(sheet: Sheet, level: float, height: float, roughness: float = 0.5, cells: int = 3) -> Line:
    """A mountain line from left to right around `level` (share of the height), `height` (share) from top to bottom.

    `roughness` is how much of each finer octave is added: 0.3 is rolling hills, 0.6 is rock.
    """
    steps = max(24, min(240, sheet.width // 5))
    heights = [0.0] * (steps + 1)
    share, total = 1.0, 0.0
    while cells < steps:
        knots = [sheet.rng.random() for _ in range(cells + 2)]
        for step in range(steps + 1):
            heights[step] += share * _between(knots, step / steps * cells)
        total += share
        share *= roughness
        cells *= 2
    return [
        (sheet.width * step / steps, sheet.height * (level + height * (0.5 - value / total)))
        for step, value in enumerate(heights)
    ]


def _between(knots: Sequence[float], place: float) -> float:
    index = int(place)
    share = (1 - math.cos((place - index) * math.pi)) / 2
    return knots[index] * (1 - share) + knots[index + 1] * share


def down_from(sheet: Sheet, line: Line) -> Line:
    """The outline of all that lies below a line."""
    return [*line, (sheet.width, sheet.height), (0, sheet.height)]


def height_at(line: Line, x: float) -> float:
    """The y of an evenly spaced line at x, in pixels."""
    step = line[1][0] - line[0][0]
    return line[min(len(line) - 1, max(0, round(x / step)))][1]


def blur(image: Image.Image, radius: float) -> Image.Image:
    """A Gaussian blur; a wide one is done on a smaller picture, where it is cheap."""
    factor = max(1, int(radius / 3))
    if factor == 1:
        return image.filter(ImageFilter.GaussianBlur(radius))
    small = image.reduce(factor).filter(ImageFilter.GaussianBlur(radius / factor))
    return small.resize(image.size, _BILINEAR)


def shadow(image: Image.Image, mask: Image.Image, offset: Point, softness: float, strength: float) -> None:
    """Darken, in place, where a thing of this mask casts its shadow."""
    image.paste((8, 6, 14), mask=ramp(blur(moved(mask, offset), softness), 0, strength))


def moved(mask: Image.Image, offset: Point) -> Image.Image:
    """The same mask elsewhere; what comes in at the edges repeats them."""
    x, y = round(offset[0]), round(offset[1])
    shifted = mask.copy()
    shifted.paste(mask, (x, y))
    return shifted


def bloom(image: Image.Image, radius: float, strength: float = 1.0) -> Image.Image:
    """Let what is bright glow into its surroundings."""
    glow = blur(image, radius)
    return ImageChops.screen(image, glow if strength == 1 else ramp(glow, 0, strength))


def vignette(image: Image.Image, strength: float) -> Image.Image:
    """Darken the corners."""
    light = _lens(strength).resize(image.size, _BILINEAR)
    return ImageChops.multiply(image, Image.merge("RGB", (light, light, light)))


@lru_cache(64)
def _lens(strength: float) -> Image.Image:
    """What a lens lets through in a square; shared, so never drawn on."""
    return curve(Image.radial_gradient("L"), lambda v: 1 - strength * v**1.6)


def grain(sheet: Sheet, image: Image.Image, amount: float) -> Image.Image:
    """Film grain: the brightness of each pixel moves by up to this share of the range."""
    raw = Image.frombytes("L", image.size, sheet.rng.randbytes(image.width * image.height))
    steps = span(raw.filter(ImageFilter.BoxBlur(0.6)), 0.5 - amount, 0.5 + amount)
    return ImageChops.add(image, Image.merge("RGB", (steps, steps, steps)), 1, -128)
