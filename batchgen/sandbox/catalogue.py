"""What the API offers, as the provider's page lists it: models and what each takes and costs, styles, ratios."""

from dataclasses import dataclass

ENDPOINT = "/v1/images/generations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model: its price in credits (US$0.01 each, as of August 2025) and which fields it takes."""

    credits: float
    image_to_image: bool = True
    negative_prompt: bool = True
    style_preset: bool = False


MODELS = {
    "sd3-large": Model(credits=6.5),
    "sd3-large-turbo": Model(credits=4.0, negative_prompt=False),
    "sd-core": Model(credits=3.0, image_to_image=False, style_preset=True),
}


def parse_model(text: str) -> tuple[str, Model]:
    """The model that `NAME=LIKE` adds; ValueError says what is accepted."""
    name, sign, like = text.partition("=")
    if not name or not sign or like not in MODELS:
        raise ValueError(f"{text!r} is not NAME=LIKE; LIKE is one of {', '.join(MODELS)}")
    return name, MODELS[like]


MODES = ("text-to-image", "image-to-image")

STYLES = (
    "3d-model",
    "analog-film",
    "anime",
    "cinematic",
    "comic-book",
    "digital-art",
    "enhance",
    "fantasy-art",
    "isometric",
    "line-art",
    "low-poly",
    "modeling-compound",
    "neon-punk",
    "origami",
    "photographic",
    "pixel-art",
    "tile-texture",
)

# Ratio -> width and height in pixels: about one megapixel, every side a multiple of 64.
RATIOS = {
    "16:9": (1344, 768),
    "1:1": (1024, 1024),
    "21:9": (1536, 640),
    "2:3": (832, 1216),
    "3:2": (1216, 832),
    "4:5": (896, 1088),
    "5:4": (1088, 896),
    "9:16": (768, 1344),
    "9:21": (640, 1536),
}

FORMATS = ("png", "jpeg")

MAX_PROMPT_CHARACTERS = 10_000
MAX_SEED = 4_294_967_294
MIN_SIDE_PX = 64
MAX_BODY_BYTES = 10 * 1024 * 1024
