"""The shape of a job: which keys stand where and of what type their values are.

pydantic checks the shape and finds all that is wrong at once; what the values mean is read in `build`. A null under a
key is as if the key were not there. Where a function reads a value, `WithJsonSchema` tells editors what it takes.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    WithJsonSchema,
    model_validator,
)

from batchgen.manifest.reading import units
from batchgen.model import RateLimit


class _Nulls(BaseModel):
    """A null under a key that is known is as if the key were not there."""

    model_config = ConfigDict(strict=True, frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None or key not in cls.model_fields}


class Shape(_Nulls):
    """A mapping whose keys are all known."""

    model_config = ConfigDict(extra="forbid")


class OpenShape(_Nulls):
    """A mapping whose further keys are looked at by whoever knows them."""

    model_config = ConfigDict(extra="allow")


def _wrapped(key: str) -> BeforeValidator:
    """Text in place of a mapping is its one most telling key."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


def _no_bool(value: Any) -> Any:
    """Python holds that True is 1; a job does not."""
    if isinstance(value, bool):
        raise ValueError("not a number; accepted: 1")  # noqa: TRY004 - pydantic hears ValueError only
    return value


def _texts(pattern: str) -> dict[str, str]:
    """The JSON Schema of text that is one of these forms as a whole."""
    return {"type": "string", "pattern": rf"^\s*(?:{pattern})\s*$"}


def _formed(pattern: str, said: str) -> AfterValidator:
    """Text of one form; of any other it is said what is wrong and what is accepted."""

    def formed(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise ValueError(said)
        return value

    return AfterValidator(formed)


Wholes = Annotated[int, Field(ge=1, le=1_000_000)]
Exact = Annotated[int | Decimal, WithJsonSchema({"type": "number"})]
Amount = Annotated[Decimal, BeforeValidator(units.amount), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
Seconds = Annotated[float, BeforeValidator(units.seconds), WithJsonSchema(_texts(units.DURATION))]
Limit = Annotated[
    RateLimit,
    BeforeValidator(units.rate_limit),
    WithJsonSchema(
        {
            "anyOf": [
                {"enum": ["none", "unknown"]},
                _texts(units.WINDOW),
                {"type": "array", "minItems": 1, "items": _texts(units.WINDOW)},
            ]
        }
    ),
]
Concurrency = Annotated[
    int | None,
    BeforeValidator(units.concurrency),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "auto"},
                {"type": "integer", "minimum": 1, "maximum": units.MOST_CONCURRENCY},
                {"type": "string", "pattern": "^0*[1-9][0-9]{0,4}$"},
            ]
        }
    ),
]
Label = Annotated[str, Field(min_length=1, max_length=100)]
Presets = Annotated[
    list[str],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
_MONTH, _NAME = r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?", "[A-Za-z_][A-Za-z0-9_]*"
Month = Annotated[
    str,
    _formed(_MONTH, "not a month; accepted: such as 2025-08"),
    WithJsonSchema({"type": "string", "pattern": f"^{_MONTH}$"}),
]
KeyName = Annotated[
    str,
    _formed(_NAME, "not a variable's name; accepted: such as GATEWAY_API_KEY, never a key"),
    WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"}),
]
Cron = Annotated[str, AfterValidator(units.cron), WithJsonSchema(_texts(r"[0-9A-Za-z*,/-]+(?:\s+[0-9A-Za-z*,/-]+){4}"))]
Zone = Annotated[str, AfterValidator(units.time_zone)]
Fields = dict[str, Any]


MOST_EVEN = 1_000_000


class Bounds(Shape):
    """`{from, to, step}`, both ends included."""

    first: Exact = Field(alias="from")
    last: Exact = Field(alias="to")
    step: Exact = 1


class EvenBounds(Shape):
    """`{from, to, count}`, both ends included."""

    first: Exact = Field(alias="from")
    last: Exact = Field(alias="to")
    count: int = Field(ge=2, le=MOST_EVEN)


class RandomSeeds(Shape):
    """`{random: 8}`: eight derived seeds."""

    random: int = Field(ge=1, le=units.MOST_SEEDS)


class Range(Shape):
    """`{range: {from: 0, to: 1, step: 0.1}}`."""

    range: Bounds


class Linspace(Shape):
    """`{linspace: {from: 0, to: 1, count: 11}}`."""

    linspace: EvenBounds


GENERATED: TypeAdapter[RandomSeeds | Range | Linspace] = TypeAdapter(RandomSeeds | Range | Linspace)


class ModelShape(Shape):
    """A model that the provider's table does not have yet: it takes what another one takes."""

    like: str


class PriceShape(Shape):
    """What a picture costs, in one of two units."""

    credits: Amount | None = None
    usd: Amount | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if (self.credits is None) == (self.usd is None):
            raise ValueError("a price is given in one unit; accepted: {credits: 3.5} or {usd: 0.035}")
        return self


class PricesShape(OpenShape):
    """`prices:`: their month, and a price by model."""

    __pydantic_extra__: dict[str, PriceShape]

    date: Month


class ProviderShape(Shape):
    """`provider:`; a text alone is its kind."""

    kind: str = "gateway"
    url: str | None = None
    api_key_env: KeyName | None = None
    rate_limit: Limit | None = None
    margin: Seconds | None = None
    concurrency: Concurrency = None
    timeout: Seconds = 180.0
    models: dict[str, ModelShape] = {}
    prices: PricesShape | None = None


class TaskShape(OpenShape):
    """One of `tasks:`, a single request. Further keys are its fields."""

    prompt: str
    id: Label | None = None
    preset: Presets = []
    repeat: Wholes | None = None


class PromptShape(OpenShape):
    """One of `prompts:`; a text alone is its prompt. Further keys are fields of the request, pinned."""

    prompt: str | None = None
    file: str | None = None
    id: Label | None = None
    preset: Presets = []
    repeat: Wholes | None = None
    zip: list[Fields] = []
    sweep: Fields = {}


class OutputShape(Shape):
    """`output:`."""

    path: str | None = None


class LimitsShape(Shape):
    """`limits:`, for the life of an output folder."""

    max_images: Annotated[int, Field(ge=1)] | None = None
    max_cost: Amount | None = None


class RetryShape(Shape):
    """`retry:`."""

    attempts: Annotated[int, Field(ge=1, le=1000)] = 6
    within: Seconds = 900.0
    ambiguous: Literal["retry", "skip"] = "retry"
    paid: Annotated[int, Field(ge=0, le=100)] = 1


class ScheduleShape(Shape):
    """`schedule:`."""

    cron: Cron
    timezone: Zone = "UTC"
    catch_up: Literal["once", "none"] = "once"
    overlap: Literal["skip", "wait"] = "skip"


class JobShape(Shape):
    """A whole job."""

    version: Annotated[Literal[1], BeforeValidator(_no_bool)] = 1
    name: Label | None = None
    seed_root: int = 0
    seed_mode: Literal["shared", "per_prompt", "per_task"] = "shared"
    provider: Annotated[ProviderShape, _wrapped("kind")] = ProviderShape()
    limits: LimitsShape = LimitsShape()
    retry: RetryShape = RetryShape()
    defaults: Fields = {}
    presets: dict[str, Fields] = {}
    vars: Fields = {}
    sweep: Fields = {}
    repeat: Wholes = 1
    skip_invalid: bool = False
    prompts: Annotated[list[Annotated[PromptShape, _wrapped("prompt")]], Field(min_length=1)] = []
    tasks: Annotated[list[TaskShape], Field(min_length=1)] = []
    output: OutputShape = OutputShape()
    schedule: ScheduleShape | None = None
