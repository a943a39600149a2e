"""An order: one request that the rules found good."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from PIL import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class InputImage:
    """The picture that came with a request; `pixels` is decoded in mode RGB or RGBA, None when it cannot be."""

    sha256: str
    size_bytes: int
    format: str | None = None
    width: int | None = None
    height: int | None = None
    pixels: Image.Image | None = field(default=None, repr=False)

    def facts(self) -> "InputImage":
        """The same without its pixels, to be kept for long."""
        return replace(self, pixels=None)

    def as_json(self) -> dict[str, Any]:
        """The facts for the log."""
        return {
            "sha256": self.sha256,
            "bytes": self.size_bytes,
            "format": self.format,
            "width": self.width,
            "height": self.height,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to paint. `seed` 0 means that the server picks one."""

    model: str
    prompt: str
    negative_prompt: str = ""
    seed: int = 0
    aspect_ratio: str = "1:1"
    output_format: str = "png"
    style_preset: str = ""
    image: InputImage | None = None
    strength: float = 1.0
    """How far the result leaves the input image: 0 is the input, 1 is as if there were none."""
    blurred: bool = False
    """As moderation leaves it."""


def digest_of(data: bytes) -> str:
    """The sha256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
