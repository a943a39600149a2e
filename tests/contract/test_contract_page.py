"""Whatever a job may ask for reaches a server that was written from the API's page alone, right in every field."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from PIL import Image
from whole_runs import ask_page

from batchgen.events import Ending
from batchgen.providers.gateway import RATIOS, STYLES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from page_server import PageServer
    from whole_runs import Whole

ORDER = (
    "model", "prompt", "mode", "strength", "negative_prompt", "seed", "aspect_ratio", "output_format", "style_preset",
)  # fmt: skip


def _assert_accepted(page: PageServer, whole: Whole, tasks: int) -> None:
    """Every request was right, and each sidecar says exactly what one request held."""
    assert [seen.problems for seen in page.seen] == [()] * tasks
    assert (whole.ended.ending, whole.ended.made) == (Ending.COMPLETE, tasks)
    told = sorted(sorted(each["request"]["fields"].items()) for each in whole.sidecars())
    assert told == sorted(sorted(seen.fields.items()) for seen in page.seen)
    for seen in page.seen:
        assert list(seen.fields) == [name for name in ORDER if name in seen.fields]
        assert not seen.chunked
        assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
        assert seen.headers["accept"] == "image/*"


async def _accepted(folder: Path, page: PageServer, job: Mapping[str, Any], tasks: int = 1) -> Whole:
    whole = await ask_page(folder, page, job)
    _assert_accepted(page, whole, tasks)
    return whole


async def test_a_prompt_alone(tmp_path: Path, page: PageServer) -> None:
    await _accepted(tmp_path, page, {"prompts": ["A cute baby sea otter wearing a beret"]})
    fields = dict(page.seen[0].fields)
    assert int(fields.pop("seed")) > 0
    assert fields == {"model": "sd3-large", "prompt": "A cute baby sea otter wearing a beret"}


PARAMETERS: list[tuple[str, dict[str, Any], int]] = [
    ("models", {"model": ["sd3-large", "sd3-large-turbo", "sd-core"]}, 3),
    ("mode", {"mode": ["text-to-image"]}, 1),
    ("negative prompt", {"negative_prompt": ["a cat", "blur, text; \"words\"\r\nand 'more'"]}, 2),
    ("seeds", {"seed": [0, 1, 7, 4294967294]}, 4),
    ("ratios", {"aspect_ratio": list(RATIOS)}, 9),
    ("formats", {"output_format": ["png", "jpeg"]}, 2),
    ("styles", {"model": ["sd-core"], "style_preset": list(STYLES)}, 17),
]


@pytest.mark.parametrize(("sweep", "tasks"), [each[1:] for each in PARAMETERS], ids=[each[0] for each in PARAMETERS])
async def test_every_value_of_a_parameter(tmp_path: Path, page: PageServer, sweep: dict[str, Any], tasks: int) -> None:
    await _accepted(tmp_path, page, {"prompts": ["a fox"], "sweep": sweep}, tasks)
    for name, values in sweep.items():
        assert {seen.fields[name] for seen in page.seen} == {str(value) for value in values}


async def test_all_parameters_together(tmp_path: Path, page: PageServer) -> None:
    every = {
        "model": "sd-core",
        "mode": "text-to-image",
        "negative_prompt": "a cat",
        "seed": 7,
        "aspect_ratio": "21:9",
        "output_format": "jpeg",
        "style_preset": "neon-punk",
    }
    whole = await _accepted(tmp_path, page, {"prompts": ["a fox"], "defaults": every})
    assert dict(page.seen[0].fields) == {"prompt": "a fox", **{name: str(value) for name, value in every.items()}}
    (sidecar,) = whole.sidecars()
    assert sidecar["response"]["seed"] == "7"
    assert sidecar["picture"]["format"] == "jpeg"


def _image(kind: str) -> bytes:
    target = BytesIO()
    Image.linear_gradient("L").resize((96, 64)).convert("RGB").save(target, kind)
    return target.getvalue()


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("model", ["sd3-large", "sd3-large-turbo"])
async def test_image_to_image(tmp_path: Path, page: PageServer, kind: str, model: str) -> None:
    content = _image(kind)
    await anyio.Path(tmp_path / "in put.dat").write_bytes(content)
    job = {
        "prompts": ["a fox"],
        "defaults": {"model": model, "mode": "image-to-image", "image": "in put.dat"},
        "sweep": {"strength": [0, 0.35, 1]},
    }
    whole = await _accepted(tmp_path, page, job, 3)
    for seen in page.seen:
        assert (seen.image, seen.image_type) == (content, f"image/{kind}")
    assert {seen.fields["strength"] for seen in page.seen} == {"0", "0.35", "1"}
    for sidecar in whole.sidecars():
        assert sidecar["request"]["image"] == {"path": "in put.dat", "sha256": hashlib.sha256(content).hexdigest()}


PROMPTS = {
    "CRLF": 'a fox\r\nContent-Disposition: form-data; name="seed"\r\n\r\n99',
    "line feeds": "a fox\n\n\nin snow\n",
    "quotes": "a \"fox\" 'in' `snow` \\ %22",
    "emoji": "🦊 in ❄️ 👩‍👩‍👧‍👦",
    "right to left": "ثعلب \u202e في الثلج",
    "a boundary": "--batchgen-0123456789abcdef0123456789abcdef\r\n--batchgen-0123456789abcdef--\r\n----\r\n--",
    "escape": "a \x1b[31mred\x1b[0m fox\x07",
    "10,000 characters": "狐" * 10_000,
    "spaces": "  a fox  ",
    "colon": "style: a fox, 16:9 #1",
}


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS.keys())
async def test_a_prompt_arrives_as_it_is(tmp_path: Path, page: PageServer, prompt: str) -> None:
    whole = await ask_page(tmp_path, page, {"prompts": [{"prompt": prompt}]})
    _assert_accepted(page, whole, 1)
    assert page.seen[0].fields["prompt"] == prompt


async def test_many_prompts_at_once_stay_apart(tmp_path: Path, page: PageServer) -> None:
    job = {"prompts": [f"fox {number}" for number in range(40)], "sweep": {"seed": [1, 2]}}
    whole = await _accepted(tmp_path, page, job, 80)
    for sidecar in whole.sidecars():
        assert sidecar["response"]["seed"] == sidecar["request"]["fields"]["seed"]
        assert sidecar["cost"] == {"credits": 6.5, "usd": 0.065, "prices": "2025-08"}
