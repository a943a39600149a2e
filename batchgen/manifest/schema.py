"""The shape of a job: which keys stand where and of what type their values are.

pydantic checks the shape and finds all that is wrong at once; what the values mean is read in `build`. A null under a
key is as if the key were not there.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from batchgen.manifest import units
from batchgen.manifest.seeds import MOST as MOST_SEEDS
from batchgen.model import Window


class Shape(BaseModel):
    """A mapping whose keys are all known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, arbitrary_types_allowed=True)


def _wrapped(key: str) -> BeforeValidator:
    """Text in place of a mapping is its one most telling key."""
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


def _without_nulls(value: Any) -> Any:
    return {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else value


Wholes = Annotated[int, Field(ge=1, le=1_000_000)]
Fields = dict[str, Any]


class Bounds(Shape):
    """`{from, to, step}`, both ends included."""

    first: int | Decimal = Field(alias="from")
    last: int | Decimal = Field(alias="to")
    step: int | Decimal = 1


class EvenBounds(Shape):
    """`{from, to, count}`, both ends included."""

    first: int | Decimal = Field(alias="from")
    last: int | Decimal = Field(alias="to")
    count: int = Field(ge=2, le=1_000_000)


class RandomSeeds(Shape):
    """`{random: 8}`: eight derived seeds."""

    random: int = Field(ge=1, le=MOST_SEEDS)


class Range(Shape):
    """`{range: {from: 0, to: 1, step: 0.1}}`."""

    range: Bounds


class Linspace(Shape):
    """`{linspace: {from: 0, to: 1, count: 11}}`."""

    linspace: EvenBounds


GENERATED: TypeAdapter[RandomSeeds | Range | Linspace] = TypeAdapter(RandomSeeds | Range | Linspace)


class ProviderShape(Shape):
    """`provider:`; a text alone is its kind."""

    kind: str = "gateway"
    url: str | None = None
    api_key_env: str | None = None
    rate_limit: Annotated[tuple[Window, ...], BeforeValidator(units.windows)] | None = None
    concurrency: Annotated[int | None, BeforeValidator(units.concurrency)] = None
    timeout: Annotated[float, BeforeValidator(units.seconds)] = 180.0


class PromptShape(BaseModel):
    """One of `prompts:`; a text alone is its prompt. Further keys are fields of the request, pinned."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    prompt: str
    id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    repeat: Wholes | None = None
    sweep: Annotated[Fields, BeforeValidator(_without_nulls)] = {}


class OutputShape(Shape):
    """`output:`."""

    path: str | None = None


class JobShape(Shape):
    """A whole job."""

    prompts: Annotated[list[Annotated[PromptShape, _wrapped("prompt")]], Field(min_length=1)]
    version: Literal[1] = 1
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    seed_root: int = 0
    seed_mode: Literal["shared", "per_prompt", "per_task"] = "shared"
    provider: Annotated[ProviderShape, _wrapped("kind"), BeforeValidator(_without_nulls)] = ProviderShape()
    defaults: Fields = {}
    sweep: Annotated[Fields, BeforeValidator(_without_nulls)] = {}
    repeat: Wholes = 1
    output: OutputShape = OutputShape()
