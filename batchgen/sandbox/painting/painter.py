"""From an order to a file: scene, blending with the input image, caption, encoding."""

import hashlib
import random
import zlib
from io import BytesIO

from PIL import Image, ImageFilter

from batchgen.sandbox.catalogue import MIN_SIDE_PX, RATIOS
from batchgen.sandbox.order import Order
from batchgen.sandbox.painting.caption import caption
from batchgen.sandbox.painting.miniature import miniature
from batchgen.sandbox.painting.scenes import paint_scene
from batchgen.sandbox.settings import Size

# The shorter side of a small picture: just enough to be an input image in its turn.
_SMALL_SHORT_PX = MIN_SIDE_PX
_MEGAPIXEL = 1024 * 1024
# A light compression: a hard one takes longer than the painting.
_LARGE_PNG = {"compress_level": 3}
_SMALL_PNG = {"compress_level": 1, "compress_type": zlib.Z_RLE}
_LOSSY_QUALITY = 90


def paint(order: Order, seed: int, size: Size) -> bytes:
    """The whole file. `seed` is the one really used. Takes some 0.3 s of CPU at full size."""
    image = _image(order, seed, size)
    if order.blurred:
        image = image.filter(ImageFilter.GaussianBlur(min(image.size) / 12))
    return _encoded(image, order)


def _image(order: Order, seed: int, size: Size) -> Image.Image:
    if order.image is not None and order.image.pixels is not None:
        return _from_image(order.image.pixels, order, seed)
    if size is Size.SMALL:
        number = _number(order.model, order.prompt, order.negative_prompt, str(seed))
        return miniature(order.style_preset, order.model, _size_of(order.aspect_ratio, size), number)
    return _captioned(_scene(order, seed, _size_of(order.aspect_ratio, size)), order, seed)


def _from_image(given: Image.Image, order: Order, seed: int) -> Image.Image:
    """Between the given image (strength 0, to the pixel) and a scene of its size (strength 1)."""
    if order.strength == 0:
        return given
    scene = _scene(order, seed, given.size).convert(given.mode)
    return _captioned(Image.blend(given, scene, order.strength), order, seed)


def _size_of(aspect_ratio: str, size: Size) -> tuple[int, int]:
    width, height = RATIOS[aspect_ratio]
    if size is Size.FULL:
        return width, height
    shrink = _SMALL_SHORT_PX / min(width, height)
    return round(width * shrink), round(height * shrink)


def _scene(order: Order, seed: int, size: tuple[int, int]) -> Image.Image:
    theme = random.Random(_number(order.prompt))  # noqa: S311 - pictures, no secrets
    rng = random.Random(_number(order.prompt, order.negative_prompt, order.style_preset, str(seed)))  # noqa: S311
    # A huge input image is painted at about a megapixel and enlarged: the cost stays the same.
    shrink = min(1.0, (_MEGAPIXEL * 1.5 / (size[0] * size[1])) ** 0.5)
    painted = max(16, round(size[0] * shrink)), max(16, round(size[1] * shrink))
    scene = paint_scene(order.style_preset, order.model, painted, theme, rng)
    return scene if scene.size == size else scene.resize(size, Image.Resampling.BICUBIC)


def _number(*texts: str) -> int:
    """A number by all of the texts, each told apart from its neighbours."""
    return int.from_bytes(hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).digest()[:16])


def _captioned(image: Image.Image, order: Order, seed: int) -> Image.Image:
    facts = [order.model, order.style_preset or "no style", f"{image.width}x{image.height}", f"seed {seed}"]
    if order.image is None:
        facts[2] = order.aspect_ratio
    else:
        facts.append(f"strength {order.strength:g}")
    return caption(image, order.prompt, " · ".join(facts))


def _encoded(image: Image.Image, order: Order) -> bytes:
    out = BytesIO()
    match order.output_format:
        case "jpeg":
            image.convert("RGB").save(out, "JPEG", quality=_LOSSY_QUALITY)
        case "webp":
            image.save(out, "WEBP", quality=_LOSSY_QUALITY)
        case _:
            small = min(image.size) <= 2 * _SMALL_SHORT_PX
            image.save(out, "PNG", **(_SMALL_PNG if small else _LARGE_PNG))
    return out.getvalue()
