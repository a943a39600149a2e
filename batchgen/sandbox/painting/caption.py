"""The caption: two lines in a translucent band along the lower edge."""

import unicodedata
from functools import cache

from PIL import Image, ImageDraw, ImageEnhance, ImageFont

# Below this height a caption could not be read, so there is none.
_LEAST_HEIGHT_PX = 240
_LONGEST_TITLE = 400
_LIGHT, _DIM = (255, 255, 255), (208, 210, 218)


def caption(image: Image.Image, title: str, facts: str) -> Image.Image:
    """Write the title above the facts; the title is cut to one line, the facts made to fit."""
    if min(image.size) < _LEAST_HEIGHT_PX:
        return image
    size = max(12, round(min(image.size) * 0.024))
    margin, room = size, image.width - 2 * size
    band = round(size * 3.7)
    top = image.height - band
    below = ImageEnhance.Brightness(image.crop((0, top, image.width, image.height))).enhance(0.36)
    image.paste(below, (0, top))
    pen = ImageDraw.Draw(image)
    pen.text((margin, top + size * 0.7), _one_line(title, _font(size), room), fill=_LIGHT, font=_font(size))
    small = _font(_fitting(facts, round(size * 0.82), room))
    pen.text((margin, top + size * 2.1), facts, fill=_DIM, font=small)
    return image


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _one_line(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float) -> str:
    # No line holds more than a few hundred characters, and prompts have up to ten thousand.
    line = _plain(" ".join(text[:_LONGEST_TITLE].split()))
    if len(text) <= _LONGEST_TITLE and font.getlength(line) <= room:
        return line
    while line and font.getlength(line + "...") > room:
        line = line[: min(len(line) - 1, int(len(line) * 0.97))]
    return line.rstrip() + ("..." if line else "")


def _plain(text: str) -> str:
    """In the letters that Pillow's own font has: accents are left off, other scripts become question marks."""
    bare = unicodedata.normalize("NFKD", text.translate(_PUNCTUATION))
    return "".join(letter for letter in bare if not unicodedata.combining(letter)).encode("ascii", "replace").decode()


_PUNCTUATION = str.maketrans({"–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "„": '"'})  # noqa: RUF001


def _fitting(text: str, size: int, room: float) -> int:
    """The largest font size up to `size` at which the text fits."""
    while size > 7 and _font(size).getlength(text) > room:
        size -= 1
    return size
