"""The painter: the same request gives the same bytes, and every difference that should show does."""

import io
from dataclasses import replace
from itertools import combinations

import pytest
from PIL import Image, ImageChops, ImageStat
from sandbox_client import TEXT, Client, Form, Serve, make_image

from batchgen.sandbox.catalogue import RATIOS, STYLES
from batchgen.sandbox.order import Order
from batchgen.sandbox.painting import miniature, paint
from batchgen.sandbox.painting.caption import caption
from batchgen.sandbox.painting.scenes import SCENES
from batchgen.sandbox.settings import Size

pytest_plugins = ["sandbox_fixtures"]

# How far two pictures must be apart to look different: the mean difference of their pixels, of 255.
VISIBLE = 12
CORE: Form = {**TEXT, "model": "sd-core", "seed": "7"}


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of all pixels and bands, from 0 to 255."""
    bands = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean
    return sum(bands) / len(bands)


def painted(seed: int = 7, *, prompt: str = "otters", negative: str = "", style: str = "") -> Image.Image:
    """What one order gives in small, decoded."""
    order = Order(model="sd-core", prompt=prompt, negative_prompt=negative, style_preset=style)
    return Image.open(io.BytesIO(paint(order, seed, Size.SMALL))).convert("RGB")


@pytest.mark.parametrize("style", ["", *STYLES])
def test_the_same_order_gives_the_same_bytes(style: str) -> None:
    order = Order(model="sd-core", prompt="otters", style_preset=style, aspect_ratio="3:2")
    assert paint(order, 7, Size.SMALL) == paint(order, 7, Size.SMALL)


def test_what_is_kept_of_earlier_pictures_changes_none() -> None:
    orders = [Order(model="sd-core", prompt=f"otter {number}", style_preset="anime") for number in range(20)]
    before = [paint(order, 7, Size.SMALL) for order in orders]
    miniature._composition.cache_clear()
    assert [paint(order, 7, Size.SMALL) for order in reversed(orders)] == before[::-1]


@pytest.mark.parametrize("size", Size)
def test_every_field_changes_the_bytes(size: Size) -> None:
    order = Order(model="sd-core", prompt="otters")
    others = [
        order,
        replace(order, model="sd3-large"),
        replace(order, model="sd3-large-turbo"),
        replace(order, model="one-more"),
        replace(order, prompt="otter"),
        replace(order, negative_prompt="otters"),
        replace(order, aspect_ratio="16:9"),
        replace(order, output_format="jpeg"),
        replace(order, output_format="webp"),
        replace(order, style_preset="tile-texture"),
        replace(order, blurred=True),
    ]
    pictures = [*(paint(other, 7, size) for other in others), paint(order, 8, size)]
    assert len(set(pictures)) == len(pictures)


def test_of_many_small_pictures_no_two_are_equal() -> None:
    order = Order(model="sd-core", prompt="otters", output_format="jpeg")
    assert len({paint(order, seed, Size.SMALL) for seed in range(1, 2001)}) == 2000


async def test_two_sandboxes_paint_the_same(serve: Serve) -> None:
    bodies = [(await (await serve(limits=())).post(CORE)).body for _ in range(2)]
    assert bodies[0] == bodies[1]


def test_every_style_has_its_scene_and_no_two_share_one() -> None:
    assert sorted(SCENES) == sorted(["", *STYLES])
    assert len({scene for scene, _ in SCENES.values()}) == len(SCENES)


def test_styles_look_different() -> None:
    pictures = {style: painted(style=style) for style in SCENES}
    for one, other in combinations(pictures, 2):
        assert difference(pictures[one], pictures[other]) > VISIBLE, (one, other)


@pytest.mark.parametrize("style", SCENES)
def test_seeds_look_different(style: str) -> None:
    pictures = [painted(seed, style=style) for seed in (1, 2, 3)]
    apart = [difference(one, other) for one, other in combinations(pictures, 2)]
    assert min(apart) > VISIBLE / 2, apart


def test_other_words_give_another_picture() -> None:
    for other in (painted(prompt="something else"), painted(negative="something else")):
        assert difference(painted(), other) > VISIBLE / 2


@pytest.mark.parametrize("ratio", RATIOS)
async def test_a_small_picture_has_its_ratio(client: Client, ratio: str) -> None:
    picture = (await client.post({**CORE, "aspect_ratio": ratio})).picture
    across, down = map(int, ratio.split(":"))
    assert min(picture.size) == 64
    assert picture.width / picture.height == pytest.approx(across / down, rel=0.05)


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_full_picture_has_about_a_megapixel(ratio: str) -> None:
    width, height = RATIOS[ratio]
    across, down = map(int, ratio.split(":"))
    assert width * height == pytest.approx(1024 * 1024, rel=0.08)
    assert width / height == pytest.approx(across / down, rel=0.05)


async def test_full_size_over_the_wire(serve: Serve) -> None:
    client = await serve(limits=(), size=Size.FULL)
    answer = await client.post({**TEXT, "aspect_ratio": "16:9", "output_format": "jpeg"})
    assert answer.picture.size == (1344, 768)
    assert len(answer.body) < 2_500_000


def from_image(strength: str, image: bytes, **fields: str) -> Form:
    return {**TEXT, "seed": "7", "mode": "image-to-image", "image": image, "strength": strength, **fields}


@pytest.mark.parametrize(
    ("form", "mode"), [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "L"), ("PNG", "P"), ("WEBP", "RGB")]
)
async def test_strength_0_is_the_input_to_the_pixel(client: Client, form: str, mode: str) -> None:
    image = make_image(form, size=(300, 260), mode=mode)
    given = Image.open(io.BytesIO(image))
    answer = await client.post(from_image("0", image))
    assert answer.picture.format == "PNG"
    assert answer.picture.size == given.size
    assert answer.picture.convert("RGBA").tobytes() == given.convert("RGBA").tobytes()


async def test_strength_1_is_as_if_there_were_no_image(client: Client) -> None:
    one, other = make_image(size=(96, 96)), make_image("JPEG", size=(96, 96), mode="L")
    assert (await client.post(from_image("1", one))).body == (await client.post(from_image("1", other))).body


async def test_the_stronger_the_farther_from_the_input(client: Client) -> None:
    image = make_image(size=(96, 96))
    given = Image.open(io.BytesIO(image))
    answers = [await client.post(from_image(strength, image)) for strength in ("0", "0.25", "0.5", "0.75", "1")]
    apart = [difference(given, answer.picture) for answer in answers]
    assert apart == sorted(apart)
    assert apart[0] == 0
    assert apart[-1] > VISIBLE


async def test_the_result_keeps_the_size_of_the_input(client: Client) -> None:
    answer = await client.post(from_image("0.5", make_image(size=(150, 71)), aspect_ratio="1:1", output_format="jpeg"))
    assert (answer.picture.format, answer.picture.size) == ("JPEG", (150, 71))


def test_the_caption_is_written_where_it_can_be_read() -> None:
    large, small = Image.new("RGB", (640, 480), (90, 120, 90)), Image.new("RGB", (64, 64), (90, 120, 90))
    written = caption(large.copy(), "otters", "sd-core · 4:3 · seed 1")
    changed = ImageChops.difference(large, written).getbbox()
    assert changed is not None
    assert changed[1] > 380
    assert max(high for _low, high in written.getextrema()) > 250  # type: ignore[misc]
    assert caption(small.copy(), "otters", "seed 1").tobytes() == small.tobytes()


@pytest.mark.parametrize("title", ["x" * 10_000, "naïve “café”", "一只海獭", "\n\t\x00", "W " * 4000])
def test_any_prompt_fits_into_the_caption(title: str) -> None:
    image = caption(Image.new("RGB", (320, 240)), title, "sd3-large-turbo · modeling-compound · seed 4294967294")
    edge = image.crop((image.width - 3, 0, image.width, image.height))
    assert max(high for _low, high in edge.getextrema()) < 60  # type: ignore[misc]
