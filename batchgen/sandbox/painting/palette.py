"""Colours that go together: one hue, how it turns from dark to light, and an accent, in OKLCH (even to the eye)."""

import math
import random
from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """One picture's colours; hues in degrees."""

    hue: float
    swing: float
    """How far the hue turns between the darkest and the lightest tone."""
    chroma: float
    """0 is grey, 0.2 is vivid."""
    accent_hue: float

    def tone(self, light: float, *, chroma: float = 1.0, turn: float = 0.0) -> Colour:
        """The main colour at this lightness (0 black, 1 white); `chroma` scales, `turn` shifts the hue."""
        return oklch(light, self.chroma * chroma, _ripe(self.hue + self.swing * (light - 0.5) + turn, light))

    def accent(self, light: float, *, chroma: float = 1.0, turn: float = 0.0) -> Colour:
        """The accent colour at this lightness."""
        return oklch(light, self.chroma * chroma, _ripe(self.accent_hue - self.swing * (light - 0.5) + turn, light))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """Which palettes suit a style: each is a range to choose from; hues and turns in degrees."""

    hue: tuple[float, float] = (0, 360)
    chroma: tuple[float, float] = (0.11, 0.16)
    swing: tuple[float, float] = (25, 80)
    accent: tuple[float, float] | None = None
    """None: complementary, split, triad or analogous to the hue."""


_ACCENT_TURNS = (180.0, 150.0, -150.0, 120.0, -120.0, 75.0)


def choose_palette(mood: Mood, theme: random.Random, rng: random.Random) -> Palette:
    """The prompt (`theme`) chooses the region of the mood's hues, all parameters together (`rng`) the place in it."""
    first, last = mood.hue
    hue = first + (last - first) * ((theme.random() + rng.uniform(-0.3, 0.3)) % 1)
    accent = hue + rng.choice(_ACCENT_TURNS) if mood.accent is None else rng.uniform(*mood.accent)
    return Palette(
        hue=hue,
        swing=rng.choice((-1, 1)) * rng.uniform(*mood.swing),
        chroma=rng.uniform(*mood.chroma),
        accent_hue=accent,
    )


def oklch(light: float, chroma: float, hue: float) -> Colour:
    """The sRGB colour nearest to this one that a screen can show, giving up chroma first."""
    for step in range(8):
        linear = _linear(light, chroma * (1 - step / 8), hue)
        if all(-0.002 <= value <= 1.002 for value in linear):
            break
    red, green, blue = (_encoded(min(1.0, max(0.0, value))) for value in linear)
    return red, green, blue


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """From `one` (share 0) to `other` (share 1)."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _ripe(hue: float, light: float) -> float:
    """A dark yellow looks like mud, so it turns to orange or to green, the more the darker it is."""
    hue %= 360
    if not 72 < hue < 138 or light > 0.85:
        return hue
    goal = 58 if hue < 100 else 152
    return hue + (goal - hue) * min(1.0, (0.85 - light) / 0.2)


def _linear(light: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (light - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _encoded(value: float) -> int:
    return round(255 * (12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055))
