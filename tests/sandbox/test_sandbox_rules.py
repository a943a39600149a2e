"""Every row of the page's tables: what it allows is accepted, everything else gets the documented error."""

import json

import pytest
from sandbox_client import TEXT, Answer, Client, Fields, Form, make_image

pytest_plugins = ["sandbox_fixtures"]

RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
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
CORE: Form = {"model": "sd-core"}
BOTH: Form = {"mode": "image-to-image", "image": make_image(), "strength": "0.9"}

BAD_IMAGES = (b"no picture", b"", make_image("GIF", mode="P"), make_image()[:-200])


def each(field: str, *values: str, **others: str) -> list[Form]:
    """One form for each value of a field."""
    return [{**others, field: value} for value in values]


ACCEPTED: list[Form] = [
    *each("model", "sd3-large", "sd3-large-turbo", "sd-core"),
    *each("prompt", "x", "é" * 10_000, "一只戴着贝雷帽的小海獭"),
    *each("mode", "text-to-image"),
    *each("negative_prompt", "a cat"),
    *each("negative_prompt", "a cat", model="sd-core"),
    *each("seed", "0", "1", "4294967294"),
    *each("aspect_ratio", *RATIOS),
    *each("output_format", "jpeg", "png"),
    *each("style_preset", *STYLES, model="sd-core"),
    *({**BOTH, "image": make_image(form)} for form in ("PNG", "JPEG", "WEBP")),
    *({**BOTH, **strength} for strength in each("strength", "0", "1", "0.0", "1.0", "0.35", ".5", "5e-1")),
    {**BOTH, "image": make_image(size=(64, 64))},
    {**BOTH, "aspect_ratio": "16:9"},
    {**BOTH, "model": "sd3-large-turbo"},
]

REFUSED: list[tuple[str, list[Form]]] = [
    ("model: must be one of", each("model", "sd3", "", "SD3-large")),
    ("prompt: must have 1 to 10000", each("prompt", "", "x" * 10_001)),
    ("prompt: is not UTF-8", [{"prompt": b"\xff\xfe"}]),
    ("mode: must be one of", each("mode", "image", "")),
    ("mode: sd-core does not support", [{**BOTH, **CORE}]),
    ("image: is required", [{"mode": "image-to-image", "strength": "0.5"}]),
    ("image: is only for", [{"image": make_image()}, {**BOTH, "mode": "text-to-image"}]),
    ("image: is not a whole", [{**BOTH, "image": image} for image in BAD_IMAGES]),
    ("image: each side", [{**BOTH, "image": make_image(size=size)} for size in ((63, 200), (200, 63))]),
    ("strength: is required", [{"mode": "image-to-image", "image": make_image()}]),
    ("strength: is only for", [{"strength": "0.5"}, {**BOTH, "mode": "text-to-image"}]),
    ("strength: must be", [{**BOTH, **bad} for bad in each("strength", "-0.1", "1.1", "", "nan", "1_0", "half")]),
    ("negative_prompt: sd3-large-turbo", each("negative_prompt", "a cat", model="sd3-large-turbo")),
    ("seed: must be", each("seed", "-1", "4294967295", "1.5", "7.0", "", "seven", "\N{ARABIC-INDIC DIGIT ONE}")),
    ("aspect_ratio: must be", each("aspect_ratio", "4:3", "16x9", "", "969")),
    ("output_format: must be", each("output_format", "webp", "jpg", "PNG", "")),
    ("style_preset: must be", each("style_preset", "oil", "", "Anime", model="sd-core")),
    ("style_preset: sd3-large does", each("style_preset", "anime", model="sd3-large")),
    ("style_preset: sd3-large-turbo does", each("style_preset", "anime", model="sd3-large-turbo")),
    ("cfg_scale: is not a field", each("cfg_scale", "7")),
]


def errors(answer: Answer) -> list[str]:
    """The documented error body of a 400, checked."""
    assert answer.status == 400
    assert answer.headers["Content-Type"].startswith("application/json")
    body = json.loads(answer.body)
    assert sorted(body) == ["errors", "id", "name"]
    assert body["name"] == "bad_request"
    assert body["id"]
    told: list[str] = body["errors"]
    return told


async def test_every_value_of_the_tables_is_accepted(client: Client) -> None:
    for fields in ACCEPTED:
        answer = await client.post({**TEXT, **fields})
        assert answer.status == 200, (fields, answer.body)
    log = await client.log()
    assert log["summary"]["pictures"] == len(ACCEPTED)


@pytest.mark.parametrize(("error", "forms"), REFUSED, ids=[error for error, _ in REFUSED])
async def test_a_wrong_value_is_refused(client: Client, error: str, forms: list[Form]) -> None:
    for fields in forms:
        answer = await client.post({**TEXT, **fields})
        assert any(told.startswith(error) for told in errors(answer)), (fields, answer.body)
        entry = (await client.log())["requests"][-1]
        assert (entry["errors"], entry["billed"]) == (errors(answer), False)


@pytest.mark.parametrize("missing", ["model", "prompt"])
async def test_a_required_field_is_required(client: Client, missing: str) -> None:
    answer = await client.post({name: value for name, value in TEXT.items() if name != missing})
    assert errors(answer) == [f"{missing}: is required"]


async def test_a_field_comes_once(client: Client) -> None:
    twice: Fields = [*TEXT.items(), ("prompt", "another")]
    assert errors(await client.post(twice)) == ["prompt: is given 2 times"]


async def test_all_errors_are_told_together(client: Client) -> None:
    told = errors(await client.post({"prompt": "", "seed": "x", "aspect_ratio": "x", "colour": "red"}))
    assert [error.split(":")[0] for error in told] == ["colour", "model", "prompt", "seed", "aspect_ratio"]


async def test_an_unknown_mode_is_one_error(client: Client) -> None:
    assert len(errors(await client.post({**TEXT, "mode": "x", "image": make_image(), "strength": "1"}))) == 1
