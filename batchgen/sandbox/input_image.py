"""What an uploaded image is, by its bytes."""

from io import BytesIO

from PIL import Image

from batchgen.sandbox.order import InputImage, digest_of

_FORMATS = ("JPEG", "PNG", "WEBP")
# All that Pillow raises for bytes that are no whole picture, or one too large to hold.
_UNREADABLE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning)


def examine(data: bytes) -> InputImage:
    """Decode it whole; an image that is not jpeg, png or webp, or is damaged, comes back without format or pixels."""
    sha256 = digest_of(data)
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            pixels = image.convert("RGBA" if image.has_transparency_data else "RGB")
            return InputImage(
                sha256=sha256,
                size_bytes=len(data),
                format=str(image.format).lower(),
                width=image.width,
                height=image.height,
                pixels=pixels,
            )
    except _UNREADABLE:
        return InputImage(sha256=sha256, size_bytes=len(data))
