"""A validated job: frozen, every task of it found by arithmetic from its index; no list of tasks is ever held."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from batchgen.manifest import template
from batchgen.manifest.document import RowPlace
from batchgen.manifest.identity import canonical, task_id
from batchgen.manifest.paths import FIELD_TOKENS
from batchgen.manifest.seeds import DerivedSeed, derive
from batchgen.model import Request, Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchgen.errors import Problem
    from batchgen.manifest.axes import Column, Value
    from batchgen.manifest.document import Path, Place, Where
    from batchgen.manifest.matrix import Block
    from batchgen.manifest.prompts import Combination, Prompt
    from batchgen.manifest.schema import LimitsShape, RetryShape
    from batchgen.manifest.settings import ProviderSettings
    from batchgen.model import InputImage


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A validated job."""

    file: str
    """Where it was read, for messages."""
    name: str
    seed_root: int
    seed_mode: str
    settings: ProviderSettings
    limits: LimitsShape
    retry: RetryShape
    prompts: tuple[Prompt, ...]
    """The entries of `prompts:`, then those of `tasks:`."""
    images: Mapping[str, InputImage]
    """Input images by the path that the job writes."""
    stamps: Mapping[str, str]
    """The `date` and `run` of a path."""
    source: bytes
    """The job file as it was read."""
    warnings: tuple[Problem, ...]
    places: Mapping[Path, Place]
    """Where the job says what, by path."""

    def warning_lines(self) -> list[str]:
        """What the job's author may want to know, a line each."""
        return [warning.headline(self.file) for warning in self.warnings]

    @cached_property
    def ends(self) -> list[int]:
        """The end of each entry's tasks, counted through."""
        return list(accumulate(prompt.count for prompt in self.prompts))

    def __len__(self) -> int:
        return self.ends[-1]

    def __iter__(self) -> Iterator[Task]:
        index = 0
        for prompt in self.prompts:
            for found in prompt:
                yield self._task(index, prompt, found)
                index += 1

    def start(self, prompt: Prompt) -> int:
        """The index of an entry's first task."""
        which = self.prompts.index(prompt)
        return self.ends[which - 1] if which else 0

    def find(self, index: int) -> tuple[Prompt, Combination]:
        """The entry of the task at `index`, and which of its combinations it is."""
        which = bisect_right(self.ends, index)
        prompt = self.prompts[which]
        return prompt, prompt.combination(index - (self.ends[which - 1] if which else 0))

    def task(self, index: int) -> Task:
        """The task at `index`, 0 to len - 1."""
        return self._task(index, *self.find(index))

    def _task(self, index: int, prompt: Prompt, found: Combination) -> Task:
        pins = found.pins
        values = found.block.values(found.positions, pins.values)
        fields, variables = self._texts(found.block, values, pins.id)
        image = None if (path := values.get("image")) is None else self.images[str(path)]
        identity = task_id(
            provider=self.settings.provider.kind,
            fields=fields,
            image_sha256=None if image is None else image.sha256,
            repeat=found.repeat,
        )
        tokens = {
            **self._path_tokens,
            **fields,
            "id": identity,
            "prompt_id": pins.id,
            "prompt_slug": pins.slug,
            "repeat": str(found.repeat),
            "index": str(index),
        }
        if prompt.path.variables:
            tokens |= {f"vars.{name}": variables.get(name, "none") for name in prompt.path.variables}
        return Task(
            id=identity,
            index=index,
            job=self.name,
            prompt_id=pins.id,
            repeat=found.repeat,
            request=Request(fields=tuple(fields.items()), image=image),
            stem=prompt.path.stem(tokens),
            variables=variables,
        )

    def origins(self, index: int) -> dict[str, tuple[Column, int]]:
        """For each field and variable of a task the column, and the position in it, that its value comes from."""
        prompt, found = self.find(index)
        chosen = found.block.chosen(found.positions)
        base, own = found.block.base, prompt.rows.columns(found.row)
        of_row = {name: (own[name], 0) for name in own if name in base and chosen[name][0] is base[name]}
        return chosen | of_row

    def where(self, path: Where) -> str:
        """A place as a person finds it: `job.yaml:12`; empty for what is built in."""
        if isinstance(path, RowPlace):
            return f"{path.file}:{path.line}"
        while path and path not in self.places:
            path = path[:-1]
        if not path:
            return ""
        line = self.places[path].line
        return f"{self.file}:{line}" if line else "--set"

    @cached_property
    def _path_tokens(self) -> dict[str, str]:
        """What the tokens of a path mean where a task has no value of its own: the API's default."""
        parameters = self.settings.provider.capabilities.parameters
        defaults = {name: parameters[name].default or "none" for name in FIELD_TOKENS}
        return {"name": self.name, **self.stamps, **defaults}

    @cached_property
    def _names(self) -> dict[Block, tuple[tuple[str, ...], bool]]:
        return {}

    def _names_in(self, block: Block, values: Mapping[str, Value]) -> tuple[tuple[str, ...], bool]:
        """The fields that a block's tasks may send, in sending order, and whether there are variables beside them."""
        known = self.settings.provider.capabilities.parameters
        if block not in self._names:
            possible = {*block.names, *values}
            sent = tuple(name for name in known if name in possible or name == "mode")
            self._names[block] = sent, not possible <= known.keys()
        return self._names[block]

    def _texts(self, block: Block, values: dict[str, Value], prompt_id: str) -> tuple[dict[str, str], dict[str, str]]:
        """The form fields as they are sent, and the variables, of one combination."""
        names, has_variables = self._names_in(block, values)
        image = values.get("image")
        if image is not None:
            values["mode"] = values.get("mode") or "image-to-image"
        texts = {name: value for name in names if isinstance(value := values.get(name), str) and name != "image"}
        variables: dict[str, str] = {}
        if has_variables:
            known = self.settings.provider.capabilities.parameters
            variables = {name: str(value) for name, value in values.items() if value is not None and name not in known}
            for name in ("prompt", "negative_prompt"):
                if name in texts:
                    texts[name] = template.fill(texts[name], variables)
        if isinstance(seed := values.get("seed"), DerivedSeed):
            key = self._seed_key(texts, image, prompt_id)
            texts = {name: texts.get(name, "") for name in names if name == "seed" or name in texts}
            texts["seed"] = str(derive(key, seed.index))
        return texts, variables

    def _seed_key(self, texts: Mapping[str, str], image: Value, prompt_id: str) -> str:
        match self.seed_mode:
            case "shared":
                return self._shared_seed_key
            case "per_prompt":
                return canonical([self.seed_root, "per_prompt", prompt_id])
        others = {**texts, "image": self.images[str(image)].sha256 if image is not None else ""}
        return canonical([self.seed_root, "per_task", prompt_id, others])

    @cached_property
    def _shared_seed_key(self) -> str:
        return canonical([self.seed_root, "shared"])
