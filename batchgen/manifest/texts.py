"""What the tasks of a block send, as text: what is the same in all of them is worked out once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from batchgen.manifest.seeds import DerivedSeed
from batchgen.manifest.template import fill

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from batchgen.manifest.axes import Value
    from batchgen.manifest.matrix import Block
    from batchgen.manifest.prompts import Combination

FILLED = ("prompt", "negative_prompt")
"""Fields in which variables are named."""


class Texts(NamedTuple):
    """One combination in words."""

    fields: dict[str, str]
    """The form fields in sending order."""
    variables: dict[str, str]
    image: str | None
    """The input image's path, as the job writes it."""


class Seeding(Protocol):
    """Works out a derived seed."""

    def __call__(self, seed: DerivedSeed, others: Mapping[str, str], image: str | None, prompt_id: str) -> str:
        """The seed as it is sent, once the `others`, the fields beside it, are known."""


class BlockTexts:
    """Puts the combinations of one block into words; `parameters` are the API's fields in sending order."""

    def __init__(self, block: Block, parameters: Collection[str], seeding: Seeding) -> None:
        self._block = block
        self._seeding = seeding
        self._has_image = "image" in block.names
        sent = [name for name in parameters if name in block.names or (name == "mode" and self._has_image)]
        self._variables = [name for name in block.names if name not in parameters]
        self._start = {
            name: block.constants.get(name)
            for name in (*sent, *self._variables)
            if name == "mode" or name in block.chosen_names or block.constants.get(name) is not None
        }

    def of(self, found: Combination) -> Texts:
        """What the task of this combination sends."""
        values = {**self._start, **found.pins.values}
        self._block.choose(values, found.positions)
        image = values.pop("image", None) if self._has_image else None
        if image is not None:
            values["mode"] = values["mode"] or "image-to-image"
        variables = self._taken_out(values) if self._variables else {}
        path = None if image is None else str(image)
        seed = values.get("seed")
        if None not in values.values() and not isinstance(seed, DerivedSeed):
            return Texts(values, variables, path)  # type: ignore[arg-type]  # every value is text then
        fields = {name: value for name, value in values.items() if isinstance(value, str)}
        if isinstance(seed, DerivedSeed):
            fields = {name: fields.get(name, "") for name in values if name == "seed" or name in fields}
            others = {name: value for name, value in fields.items() if name != "seed"}
            fields["seed"] = self._seeding(seed, others, path, found.pins.id)
        return Texts(fields, variables, path)

    def _taken_out(self, values: dict[str, Value]) -> dict[str, str]:
        """The variables, which are not sent but stand in the texts that name them."""
        taken = ((name, values.pop(name, None)) for name in self._variables)
        variables = {name: str(value) for name, value in taken if value is not None}
        for name in FILLED:
            if isinstance(text := values.get(name), str):
                values[name] = fill(text, variables)
        return variables
