"""The capability tables against the API's page: each value of a table is right, and its neighbours are wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgen.providers.capabilities import plain
from batchgen.providers.gateway import CAPABILITIES

# The page's tables, written out once more.
MODELS = ["sd3-large", "sd3-large-turbo", "sd-core"]
RATIOS = ["16:9", "1:1", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21"]
STYLES = [
    "3d-model", "analog-film", "anime", "cinematic", "comic-book", "digital-art", "enhance", "fantasy-art", "isometric",
    "line-art", "low-poly", "modeling-compound", "neon-punk", "origami", "photographic", "pixel-art", "tile-texture",
]  # fmt: skip

RIGHT: dict[str, list[tuple[Any, str]]] = {
    "model": [(name, name) for name in MODELS],
    "prompt": [("x", "x"), ("x" * 10_000, "x" * 10_000), ("🦊" * 10_000, "🦊" * 10_000)],
    "mode": [("text-to-image", "text-to-image"), ("image-to-image", "image-to-image")],
    "image": [("inputs/a.png", "inputs/a.png"), ("/a b.webp", "/a b.webp")],
    "strength": [
        (0, "0"),
        (1, "1"),
        (Decimal("0.0"), "0"),
        (Decimal("-0.0"), "0"),
        (Decimal("1.000"), "1"),
        (Decimal("0.9"), "0.9"),
        (Decimal("0.20"), "0.2"),
        (Decimal("2e-1"), "0.2"),
        (Decimal("1e-7"), "0.0000001"),
        (Decimal("10e-1"), "1"),
    ],
    "negative_prompt": [("a cat", "a cat")],
    "seed": [(0, "0"), (1, "1"), (4_294_967_293, "4294967293"), (4_294_967_294, "4294967294")],
    "aspect_ratio": [(ratio, ratio) for ratio in RATIOS],
    "output_format": [("png", "png"), ("jpeg", "jpeg")],
    "style_preset": [(style, style) for style in STYLES],
}

WRONG: dict[str, list[Any]] = {
    "model": ["sd3-medium", "SD3-large", "sd3_large", "sd-core ", "", None, True, []],
    "prompt": ["", "x" * 10_001, None, 7],
    "mode": ["text_to_image", "image", "", None],
    "image": ["", "a\0b", None, 7],
    "strength": [-1, 2, Decimal("-0.01"), Decimal("1.01"), Decimal("1e9"), True, "0.5", None],
    "negative_prompt": ["", "x" * 10_001, None, 7],
    "seed": [-1, 4_294_967_295, 2**64, Decimal("7.0"), Decimal("7.5"), True, "7", None],
    "aspect_ratio": ["16:10", "16x9", "1:2", "16 : 9", "9:6", "", 969, None, True],
    "output_format": ["webp", "jpg", "PNG", "", None],
    "style_preset": ["3d", "analog film", "Anime", "photo", "none", "", None],
}


def test_the_parameters_stand_in_the_order_of_the_page() -> None:
    assert list(CAPABILITIES.parameters) == list(RIGHT)


def short(value: object) -> str:
    """A row's name that is not 10,000 characters long."""
    return ascii(value)[:30]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [(name, value, text) for name, rows in RIGHT.items() for value, text in rows],
    ids=short,
)
def test_a_right_value_is_sent_in_its_one_form(name: str, value: Any, text: str) -> None:
    assert CAPABILITIES.parameters[name].text(value) == text


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values], ids=short
)
def test_a_wrong_value_is_answered_with_what_is_accepted(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^accepted: "):
        CAPABILITIES.parameters[name].text(value)


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("model", "accepted: sd3-large, sd3-large-turbo, sd-core"),
        ("aspect_ratio", f"accepted: {', '.join(RATIOS)}"),
        ("style_preset", f"accepted: {', '.join(STYLES)}"),
        ("seed", "accepted: a whole number from 0 to 4294967294"),
        ("strength", "accepted: a number from 0 to 1"),
        ("prompt", "accepted: text of 1 to 10000 characters"),
        ("image", "accepted: the path of an image file"),
    ],
)
def test_what_is_accepted_is_told_in_full(name: str, accepted: str) -> None:
    with pytest.raises(ValueError, match="accepted") as caught:
        CAPABILITIES.parameters[name].text(None)
    assert str(caught.value) == accepted


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("model", "sd3-large"),
        ("mode", "text-to-image"),
        ("seed", "0"),
        ("aspect_ratio", "1:1"),
        ("output_format", "png"),
        ("style_preset", ""),
        ("strength", ""),
    ],
)
def test_defaults_are_those_of_the_page(name: str, default: str) -> None:
    assert CAPABILITIES.parameters[name].default == default


@given(st.decimals(min_value=0, max_value=1, places=9))
def test_a_strength_keeps_its_value_in_its_shortest_form(number: Decimal) -> None:
    text = plain(number)
    assert Decimal(text) == number
    assert "e" not in text.lower()
    assert text in {"0", "1"} or (text.startswith("0.") and not text.endswith("0"))


# What holds between fields

IMAGE_TO_IMAGE = {"mode": "image-to-image", "image": "a.png", "strength": "0.5"}
FITS = [
    {"model": "sd3-large"},
    {"model": "sd3-large-turbo", "seed": "7", "aspect_ratio": "16:9", "output_format": "jpeg"},
    {"model": "sd3-large", "negative_prompt": "a cat"},
    {"model": "sd-core", "negative_prompt": "a cat", "style_preset": "anime"},
    {"model": "sd-core", "mode": "text-to-image"},
    {"model": "sd3-large", **IMAGE_TO_IMAGE},
    {"model": "sd3-large-turbo", **IMAGE_TO_IMAGE},
    {"model": "sd3-large", "image": "a.png", "strength": "0"},
]
MISFITS = [
    ({"model": "sd3-large", "style_preset": "anime"}, {"style_preset": "accepted by sd-core"}),
    ({"model": "sd3-large-turbo", "style_preset": "anime"}, {"style_preset": "accepted by sd-core"}),
    (
        {"model": "sd3-large-turbo", "negative_prompt": "a cat"},
        {"negative_prompt": "accepted by sd3-large, sd-core"},
    ),
    (
        {"model": "sd-core", **IMAGE_TO_IMAGE},
        {"image": "accepted by sd3-large, sd3-large-turbo", "strength": "accepted by sd3-large, sd3-large-turbo"},
    ),
    ({"model": "sd3-large", "image": "a.png"}, {"image": "add strength"}),
    (
        {"model": "sd3-large", "strength": "0.5"},
        {"strength": "accepted: image and strength together, or neither"},
    ),
    (
        {"model": "sd3-large", **IMAGE_TO_IMAGE, "mode": "text-to-image"},
        {
            "image": "accepted: image and strength together, or neither",
            "strength": "accepted: image and strength together, or neither",
        },
    ),
    ({"model": "sd3-large", "mode": "image-to-image", "strength": "1"}, {"mode": "add image"}),
]


@pytest.mark.parametrize("fields", FITS)
def test_what_the_page_allows_together_fits(fields: dict[str, str]) -> None:
    assert CAPABILITIES.misfits(fields) == []


@pytest.mark.parametrize(("fields", "hints"), MISFITS)
def test_what_it_forbids_together_names_the_field_and_the_remedy(fields: dict[str, str], hints: dict[str, str]) -> None:
    found = CAPABILITIES.misfits(fields)
    assert {misfit.field: misfit.accepted for misfit in found} == hints


def test_every_thing_wrong_with_a_request_is_told_at_once() -> None:
    fields = {"model": "sd3-large-turbo", "style_preset": "anime", "negative_prompt": "x", "strength": "1"}
    assert {misfit.field for misfit in CAPABILITIES.misfits(fields)} == {"style_preset", "negative_prompt", "strength"}


# Prices


@pytest.mark.parametrize(
    ("model", "credits_each", "usd"),
    [("sd3-large", "6.5", "0.065"), ("sd3-large-turbo", "4", "0.04"), ("sd-core", "3", "0.03")],
)
def test_prices_are_those_of_the_dated_table(model: str, credits_each: str, usd: str) -> None:
    assert CAPABILITIES.models[model].credits == Decimal(credits_each)
    assert CAPABILITIES.price_usd(model) == Decimal(usd)


def test_the_price_table_says_its_month() -> None:
    assert CAPABILITIES.prices_date == "2025-08"


def test_every_model_of_the_table_can_be_asked_for() -> None:
    assert list(CAPABILITIES.models) == MODELS
