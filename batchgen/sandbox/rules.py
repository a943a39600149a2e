"""The provider's table of body parameters, field by field. All problems of a request are reported together."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from batchgen.sandbox.catalogue import (
    FORMATS,
    MAX_PROMPT_CHARACTERS,
    MAX_SEED,
    MIN_SIDE_PX,
    MODELS,
    MODES,
    RATIOS,
    STYLES,
    Model,
)
from batchgen.sandbox.form import Field
from batchgen.sandbox.input_image import examine
from batchgen.sandbox.order import InputImage, Order

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"\d{1,20}", re.ASCII)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules say of one form: an order to paint, or the errors; and what was seen, for the log."""

    order: Order | None
    errors: tuple[str, ...]
    fields: Mapping[str, str]
    image: InputImage | None


def check(form: Iterable[Field], models: Mapping[str, Model] = MODELS) -> Verdict:
    """Judge a whole form. Decodes the input image, so a form that has one is worth a thread."""
    reading = _Reading(form, models)
    order = reading.order()
    return Verdict(
        order=None if reading.errors else order,
        errors=tuple(reading.errors),
        fields=reading.texts,
        image=reading.image,
    )


class _Reading:
    """One form being read: values out, errors kept."""

    def __init__(self, form: Iterable[Field], models: Mapping[str, Model]) -> None:
        self._models = models
        self.errors: list[str] = []
        self.texts: dict[str, str] = {}
        self.image: InputImage | None = None
        parts = list(form)
        for name, count in Counter(part.name for part in parts).items():
            if name not in FIELDS:
                self.errors.append(f"{name}: is not a field of this API")
            if count > 1:
                self.errors.append(f"{name}: is given {count} times")
        for part in parts:
            self._note(part)

    def _note(self, part: Field) -> None:
        if part.name == "image":
            self.image = examine(part.value)
            return
        try:
            self.texts[part.name] = part.value.decode("utf-8")
        except UnicodeDecodeError:
            self.texts[part.name] = part.value.decode("utf-8", "replace")
            self.errors.append(f"{part.name}: is not UTF-8 text")

    def order(self) -> Order:
        """Read every field; the order counts only while there are no errors."""
        order = Order(
            model=self._take("model", _one_of(tuple(self._models)), "", required=True),
            prompt=self._take("prompt", _prompt, "", required=True),
            negative_prompt=self._take("negative_prompt", str, ""),
            seed=self._take("seed", _seed, 0),
            aspect_ratio=self._take("aspect_ratio", _one_of(tuple(RATIOS)), "1:1"),
            output_format=self._take("output_format", _one_of(FORMATS), "png"),
            style_preset=self._take("style_preset", _one_of(STYLES), ""),
            strength=self._take("strength", _strength, 1.0),
            image=self.image,
        )
        mode = self._take("mode", _one_of(MODES), "")
        self._check_model(order.model, mode)
        self._check_mode(mode or ("" if "mode" in self.texts else MODES[0]))
        return order

    def _take(self, name: str, read: Callable[[str], T], default: T, *, required: bool = False) -> T:
        text = self.texts.get(name)
        if text is None:
            if required:
                self.errors.append(f"{name}: is required")
            return default
        try:
            return read(text)
        except ValueError as error:
            self.errors.append(f"{name}: {error}")
            return default

    def _check_model(self, name: str, mode: str) -> None:
        """What this model does not take; an unknown model was reported already."""
        model = self._models.get(name)
        if model is None:
            return
        if mode == "image-to-image" and not model.image_to_image:
            self.errors.append(f"mode: {name} does not support image-to-image")
        if "negative_prompt" in self.texts and not model.negative_prompt:
            self.errors.append(f"negative_prompt: {name} does not support it")
        if "style_preset" in self.texts and not model.style_preset:
            self.errors.append(f"style_preset: {name} does not support it")

    def _check_mode(self, mode: str) -> None:
        """Image and strength belong to image-to-image, both; an unknown mode ("") was reported already."""
        if self.image is not None:
            self.errors.extend(_image_errors(self.image))
        for name, given in (("image", self.image is not None), ("strength", "strength" in self.texts)):
            if mode == "image-to-image" and not given:
                self.errors.append(f"{name}: is required with mode image-to-image")
            if mode == "text-to-image" and given:
                self.errors.append(f"{name}: is only for mode image-to-image")


FIELDS = (
    "model",
    "prompt",
    "mode",
    "image",
    "strength",
    "negative_prompt",
    "seed",
    "aspect_ratio",
    "output_format",
    "style_preset",
)


def _one_of(values: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return text

    return read


def _prompt(text: str) -> str:
    if not 1 <= len(text) <= MAX_PROMPT_CHARACTERS:
        raise ValueError(f"must have 1 to {MAX_PROMPT_CHARACTERS} characters, has {len(text)}")
    return text


def _seed(text: str) -> int:
    if not _WHOLE.fullmatch(text) or int(text) > MAX_SEED:
        raise ValueError(f"must be a whole number from 0 to {MAX_SEED}")
    return int(text)


def _strength(text: str) -> float:
    if not _DECIMAL.fullmatch(text) or not 0 <= float(text) <= 1:
        raise ValueError("must be a number from 0 to 1")
    return float(text)


def _image_errors(image: InputImage) -> Iterable[str]:
    if image.width is None or image.height is None:
        yield "image: is not a whole jpeg, png or webp picture"
    elif min(image.width, image.height) < MIN_SIDE_PX:
        yield f"image: each side must be at least {MIN_SIDE_PX} pixels, it is {image.width}x{image.height}"
