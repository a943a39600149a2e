"""What an API takes, as data: its parameters, its models and their prices; and the checks that read these tables."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a list of words."""

    name: str
    options: tuple[str, ...]
    default: str = ""
    """What the API takes where the field is not sent; empty where it has no such word."""

    def text(self, value: object) -> str:
        """`value` as it is sent; ValueError says what would be accepted."""
        if value in self.options:
            return str(value)
        raise ValueError(f"accepted: {', '.join(self.options)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A whole number from `low` to `high`."""

    name: str
    low: int
    high: int
    default: str = ""

    def text(self, value: object) -> str:
        """`value` as it is sent; ValueError says what would be accepted."""
        if isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high:
            return str(value)
        raise ValueError(f"accepted: a whole number from {self.low} to {self.high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A decimal number from `low` to `high`, sent in its shortest plain form."""

    name: str
    low: int
    high: int
    default: str = ""

    def text(self, value: object) -> str:
        """`value` as it is sent: 0.20 and 2e-1 are both `0.2`; ValueError says what would be accepted."""
        if isinstance(value, int | Decimal) and not isinstance(value, bool) and self.low <= value <= self.high:
            return plain(Decimal(value))
        raise ValueError(f"accepted: a number from {self.low} to {self.high}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Any text of 1 to `most` characters."""

    name: str
    most: int
    default: str = ""

    def text(self, value: object) -> str:
        """`value` as it is sent; ValueError says what would be accepted."""
        if isinstance(value, str) and 1 <= len(value) <= self.most:
            return value
        raise ValueError(f"accepted: text of 1 to {self.most} characters")


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file's path; its content is checked by whoever reads it."""

    name: str
    default: str = ""

    def text(self, value: object) -> str:
        """The path as the job writes it; ValueError says what would be accepted."""
        if isinstance(value, str) and value and "\0" not in value:
            return value
        raise ValueError("accepted: the path of an image file")


Parameter = Choice | Whole | Number | Text | File


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model: what a picture costs, and the parameters that it does not take."""

    name: str
    credits: Decimal | None
    """A picture's price; None where it is not known."""
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """All that can be checked about a request before it is sent."""

    parameters: Mapping[str, Parameter]
    """By name, in sending order."""
    models: Mapping[str, Model]
    usd_per_credit: Decimal
    prices_date: str
    """The month that the price table is from."""

    def takers(self, parameter: str) -> tuple[str, ...]:
        """The models that take this parameter."""
        return tuple(model.name for model in self.models.values() if parameter not in model.without)

    def price_usd(self, model: str) -> Decimal | None:
        """A picture's price in US dollars; None where it is not known."""
        amount = self.models[model].credits
        return None if amount is None else amount * self.usd_per_credit

    def misfits(self, fields: Mapping[str, str]) -> list[Misfit]:
        """Everything that keeps these fields, each right by itself, from being one request."""
        model = self.models[fields["model"]]
        found = [
            Misfit(name, f"{model.name} does not take {name}", _takers_hint(self.takers(name)))
            for name in fields
            if name in model.without
        ]
        return found + _mode_misfits(fields)


@dataclass(frozen=True, slots=True)
class Misfit:
    """A field that does not go with the others."""

    field: str
    cause: str
    accepted: str


def _takers_hint(models: tuple[str, ...]) -> str:
    return f"accepted by {', '.join(models)}" if models else "leave it out"


def _mode_misfits(fields: Mapping[str, str]) -> list[Misfit]:
    mode = fields.get("mode", "image-to-image" if "image" in fields else "text-to-image")
    if mode == "text-to-image":
        return [
            Misfit(name, f"text-to-image takes no {name}", "accepted: image and strength together, or neither")
            for name in ("image", "strength")
            if name in fields
        ]
    return [
        Misfit("image" if "image" in fields else "mode", f"image-to-image needs {name}", f"add {name}")
        for name in ("image", "strength")
        if name not in fields
    ]


def plain(number: Decimal) -> str:
    """A decimal in its shortest form without an exponent: 1.0 -> 1, 0.20 -> 0.2."""
    if number == 0:
        return "0"
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
