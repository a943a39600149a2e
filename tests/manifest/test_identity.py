"""A task's id: fixed for good, and made of the request as it will be sent and of nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from job_texts import fields, ids, job

from batchgen.manifest.identity import canonical, short_digest, task_id

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
FIELDS = st.dictionaries(TEXT, TEXT, max_size=6)

# Frozen: a change here would buy every picture again.
GOLDEN: list[tuple[str, dict[str, Any]]] = [
    (
        "akkvu6uxfmafedzme3edeqpex4",
        {
            "provider": "gateway",
            "fields": {"model": "sd3-large", "prompt": "a fox", "seed": "7"},
            "image_sha256": None,
            "repeat": 0,
        },
    ),
    (
        "fnt2okb5nhez6icpazl7trdhva",
        {
            "provider": "sandbox",
            "fields": {
                "model": "sd-core",
                "prompt": 'ein Fuchs, «rötlich» 狐 🦊 "\\\r\n',
                "seed": "4294967294",
                "aspect_ratio": "16:9",
                "style_preset": "anime",
            },
            "image_sha256": None,
            "repeat": 3,
        },
    ),
    (
        "w6bwnemgkonbo3grr3ghfuilha",
        {
            "provider": "gateway",
            "fields": {"model": "sd3-large", "prompt": "a fox", "mode": "image-to-image", "strength": "0.5"},
            "image_sha256": "cd" * 32,
            "repeat": 0,
        },
    ),
]


def by_hand(request: dict[str, Any]) -> str:
    """The id of a request, made once more from its definition."""
    named = {("image" if name == "image_sha256" else name): value for name, value in request.items()}
    text = json.dumps(named, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return base64.b32encode(hashlib.sha256(text.encode("utf-8")).digest()[:16]).decode("ascii").lower().rstrip("=")


@pytest.mark.parametrize(("identity", "request_"), GOLDEN)
def test_an_id_is_the_same_for_good(identity: str, request_: dict[str, Any]) -> None:
    assert task_id(**request_) == identity


@given(TEXT, FIELDS, st.none() | st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, 10**6))
def test_an_id_is_what_its_definition_says(provider: str, sent: dict[str, str], image: str | None, repeat: int) -> None:
    request = {"provider": provider, "fields": sent, "image_sha256": image, "repeat": repeat}
    identity = task_id(provider=provider, fields=sent, image_sha256=image, repeat=repeat)
    assert identity == by_hand(request)
    assert len(identity) == 26
    assert set(identity) <= set("abcdefghijklmnopqrstuvwxyz234567")


@given(FIELDS, st.randoms(use_true_random=False))
def test_the_order_of_fields_is_no_part_of_it(sent: dict[str, str], random: Any) -> None:
    names = list(sent)
    random.shuffle(names)
    turned = {name: sent[name] for name in names}
    one, other = (task_id(provider="p", fields=each, image_sha256=None, repeat=0) for each in (sent, turned))
    assert one == other


@given(FIELDS, FIELDS)
def test_other_fields_are_another_id(one: dict[str, str], other: dict[str, str]) -> None:
    assume(one != other)
    assert len({task_id(provider="p", fields=each, image_sha256=None, repeat=0) for each in (one, other)}) == 2


REQUEST = GOLDEN[0][1]


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "sandbox"},
        {"repeat": 1},
        {"image_sha256": "ab" * 32},
        {"fields": {**REQUEST["fields"], "model": "sd-core"}},
        {"fields": {**REQUEST["fields"], "prompt": "a fox "}},
        {"fields": {**REQUEST["fields"], "seed": "8"}},
        {"fields": {**REQUEST["fields"], "aspect_ratio": "1:1"}},
        {"fields": {"model": "sd3-large", "prompt": "a fox"}},
    ],
)
def test_each_part_of_the_request_changes_it(change: dict[str, Any]) -> None:
    assert task_id(**{**REQUEST, **change}) != task_id(**REQUEST)


def test_canonical_json_is_sorted_dense_and_keeps_its_characters() -> None:
    assert canonical({"b": [1, None], "a": "狐 🦊", "A": {}}) == '{"A":{},"a":"狐 🦊","b":[1,null]}'


def test_the_digest_of_a_text_is_the_same_for_good() -> None:
    assert short_digest("a red fox") == "mr6duzjaxb6tq7efuch2753iz4"


# In a job

JOB = "prompts: [a red fox, an owl]\nsweep: {ratios: [1:1, 16:9], seeds: 1..2}\n"
IDS = [
    "2ov6p5ra63rmci3c7gqp6alwey",
    "vjq456nqdm4myqv3lntgtrzsgu",
    "dkl65qfl4djkje4etcsf3gflle",
    "7i3g2ujd3mocxevlovfpnefiza",
    "lbi6rybcyz7te6qz5sghwrqg4m",
    "qzwp7gwzm225b6tsebj5lpttre",
    "3544zqlsnpcxgjzgo3lrcl7pum",
    "lhk7px4xcigi6fyqalscef4bgy",
]


def test_the_ids_of_a_job_are_the_same_for_good() -> None:
    assert ids(job(JOB)) == IDS


@pytest.mark.parametrize("provider", ["gateway", "sandbox"])
def test_a_task_s_id_is_that_of_what_it_sends(provider: str) -> None:
    text = "repeat: 2\nprompts: [a]\nsweep: {image: [in/a.png, in/b.png], strength: [0.50, 1]}\n"
    for task in job(text, provider=provider):
        assert task.request.image is not None
        assert task.id == by_hand(
            {
                "provider": provider,
                "fields": fields(task),
                "image_sha256": task.request.image.sha256,
                "repeat": task.repeat,
            }
        )


@pytest.mark.parametrize(
    "text",
    [
        JOB + "name: another\n",
        JOB + 'output: {path: "{model}/{id}.{ext}"}\n',
        JOB + "provider: {rate_limit: none, timeout: 10s, concurrency: 3}\n",
        JOB + "provider: {url: 'https://elsewhere.example/v1'}\n",
        JOB + "seed_root: 7\nversion: 1\n",
        "prompts: [a red fox, an owl]\nsweep: {model: sd3-large, aspect_ratio: [1:1, 16:9], seed: [1, 2]}\n",
        JOB.replace("[a red fox, an owl]", "[{prompt: a red fox, id: x}, {prompt: an owl, sweep: {seeds: 1..2}}]"),
    ],
    ids=["name", "path", "pace", "address", "seed_root", "spelling", "prompt ids"],
)
def test_names_paths_and_ways_of_writing_are_no_part_of_it(text: str) -> None:
    assert ids(job(text)) == IDS


def test_the_place_of_an_input_image_is_no_part_of_it() -> None:
    text = "prompts: [a]\nsweep: {{image: {}, strength: 0.5}}"
    one, moved, other = (ids(job(text.format(path))) for path in ("in/a.png", "moved/a.png", "in/b.png"))
    assert one == moved != other


def test_each_repeat_is_a_task_of_its_own() -> None:
    once = ids(job("prompts: [a]"))
    thrice = ids(job("prompts: [a]\nrepeat: 3"))
    assert len(set(thrice)) == 3
    assert thrice[0] == once[0]


def test_another_provider_is_another_id() -> None:
    assert not set(ids(job(JOB))) & set(ids(job(JOB, provider="sandbox")))
