"""Style -> scene and the colours that suit it. Each style looks like no other."""

import random
from collections.abc import Callable, Mapping

from PIL import Image

from batchgen.sandbox.painting import graphics, landscapes, paper, playful, solids
from batchgen.sandbox.painting.canvas import Sheet
from batchgen.sandbox.painting.palette import Mood, choose_palette

Scene = Callable[[Sheet], Image.Image]

SCENES: Mapping[str, tuple[Scene, Mood]] = {
    "": (paper.cut_paper, Mood()),
    "3d-model": (solids.spheres, Mood()),
    "analog-film": (landscapes.analog_film, Mood(chroma=(0.07, 0.1), accent=(40, 80))),
    "anime": (playful.anime, Mood(hue=(200, 275), chroma=(0.1, 0.14), swing=(5, 30), accent=(115, 160))),
    "cinematic": (landscapes.cinematic, Mood(hue=(190, 260), chroma=(0.07, 0.1), swing=(5, 20), accent=(35, 80))),
    "comic-book": (graphics.comic_book, Mood(chroma=(0.14, 0.18))),
    "digital-art": (graphics.digital_art, Mood(chroma=(0.13, 0.17))),
    "enhance": (landscapes.enhance, Mood(hue=(190, 300), chroma=(0.09, 0.13), swing=(10, 40), accent=(40, 90))),
    "fantasy-art": (landscapes.fantasy_art, Mood(hue=(240, 350), accent=(80, 210))),
    "isometric": (solids.cubes, Mood()),
    "line-art": (graphics.line_art, Mood()),
    "low-poly": (paper.facets, Mood()),
    "modeling-compound": (solids.clay, Mood()),
    "neon-punk": (graphics.neon_punk, Mood(hue=(260, 330), chroma=(0.13, 0.17), swing=(5, 30))),
    "origami": (paper.folded, Mood()),
    "photographic": (landscapes.photographic, Mood(hue=(180, 320), chroma=(0.05, 0.09), accent=(35, 90))),
    "pixel-art": (playful.pixel_art, Mood()),
    "tile-texture": (playful.tiles, Mood()),
}

# Model -> how rich its pictures are; the scene stays the same.
_DETAIL = {"sd3-large": 1.0, "sd3-large-turbo": 0.75, "sd-core": 0.9}


def paint_scene(style: str, model: str, size: tuple[int, int], theme: random.Random, rng: random.Random) -> Image.Image:
    """The scene of this style; `theme` chooses its motif and the region of its colours, `rng` all else."""
    motif = theme.randrange(1 << 16)
    scene, mood = SCENES[style]
    palette = choose_palette(mood, theme, rng)
    detail = _DETAIL.get(model, 1.0)
    return scene(Sheet(width=size[0], height=size[1], rng=rng, palette=palette, motif=motif, detail=detail))
