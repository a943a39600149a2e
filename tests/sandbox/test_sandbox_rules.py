"""Every row of the page's tables: what it allows is accepted, everything else gets the documented error."""

import json

import pytest
from sandbox_client import TEXT, Answer, Client, Fields, make_image

RATIOS = ("16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
STYLES = ["3d-model", "analog-film", "anime", "cinematic", "comic-book", "digital-art", "enhance", "fantasy-art", "isometric", "line-art", "low-poly", "modeling-compound", "neon-punk", "origami", "photographic", "pixel-art", "tile-texture"]
CORE = {"model": "sd-core"}
BOTH = {"mode": "image-to-image", "image": make_image(), "strength": "0.9"}

ACCEPTED: list[dict[str, str | bytes]] = [
    *({"model": model} for model in ("sd3-large", "sd3-large-turbo", "sd-core")),
    {"prompt": "x"},
    {"prompt": "é" * 10_000},
    {"prompt": "一只戴着贝雷帽的小海獭"},
    {"mode": "text-to-image"},
    *({**BOTH, "image": make_image(form)} for form in ("PNG", "JPEG", "WEBP")),
    {**BOTH, "image": make_image(size=(64, 64))},
    *({**BOTH, "strength": strength} for strength in ("0", "1", "0.0", "1.0", "0.35", ".5", "5e-1")),
    {**BOTH, "aspect_ratio": "16:9"},
    {**BOTH, "model": "sd3-large-turbo"},
    {"negative_prompt": "a cat"},
    {**CORE, "negative_prompt": "a cat"},
    *({"seed": seed} for seed in ("0", "1", "4294967294")),
    *({"aspect_ratio": ratio} for ratio in RATIOS),
    *({"output_format": form} for form in ("jpeg", "png")),
    *({**CORE, "style_preset": style} for style in STYLES),
]

REFUSED: list[tuple[dict[str, str | bytes], str]] = [
    ({"model": "sd3"}, "model: must be one of"),
    ({"model": ""}, "model: must be one of"),
    ({"model": "SD3-large"}, "model: must be one of"),
    ({"prompt": ""}, "prompt: must have 1 to 10000"),
    ({"prompt": "x" * 10_001}, "prompt: must have 1 to 10000"),
    ({"prompt": b"\xff\xfe"}, "prompt: is not UTF-8"),
    ({"mode": "image"}, "mode: must be one of"),
    ({**BOTH, **CORE}, "mode: sd-core does not support"),
    ({"mode": "image-to-image", "strength": "0.5"}, "image: is required"),
    ({"mode": "image-to-image", "image": make_image()}, "strength: is required"),
    ({"image": make_image()}, "image: is only for"),
    ({"strength": "0.5"}, "strength: is only for"),
    ({**BOTH, "mode": "text-to-image"}, "image: is only for"),
    ({**BOTH, "image": b"no picture"}, "image: is not a whole"),
    ({**BOTH, "image": make_image("GIF", mode="P")}, "image: is not a whole"),
    ({**BOTH, "image": make_image()[:-200]}, "image: is not a whole"),
    ({**BOTH, "image": make_image(size=(63, 200))}, "image: each side"),
    ({**BOTH, "image": make_image(size=(200, 63))}, "image: each side"),
    *(({**BOTH, "strength": strength}, "strength: must be") for strength in ("-0.1", "1.1", "", "nan", "1_0", "half")),
    ({"model": "sd3-large-turbo", "negative_prompt": "a cat"}, "negative_prompt: sd3-large-turbo"),
    *(({"seed": seed}, "seed: must be") for seed in ("-1", "4294967295", "1.5", "7.0", "", "seven", "١")),
    *(({"aspect_ratio": ratio}, "aspect_ratio: must be") for ratio in ("4:3", "16x9", "", "969")),
    *(({"output_format": form}, "output_format: must be") for form in ("webp", "jpg", "PNG", "")),
    *(({**CORE, "style_preset": style}, "style_preset: must be") for style in ("oil", "", "Anime")),
    *(
        ({"model": model, "style_preset": "anime"}, f"style_preset: {model}")
        for model in ("sd3-large", "sd3-large-turbo")
    ),
    ({"cfg_scale": "7"}, "cfg_scale: is not a field"),
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


@pytest.mark.parametrize(("fields", "error"), REFUSED, ids=lambda value: repr(value)[:60])
async def test_a_wrong_value_is_refused(client: Client, fields: dict[str, str | bytes], error: str) -> None:
    answer = await client.post({**TEXT, **fields})
    assert any(told.startswith(error) for told in errors(answer)), answer.body
    log = await client.log()
    assert log["requests"][0]["errors"] == errors(answer)
    assert not log["requests"][0]["billed"]


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
