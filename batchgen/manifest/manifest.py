"""A validated job: frozen, and every task of it found by arithmetic from its index.

A prompt's tasks are the cartesian product of its axes, the first axis varying slowest, then `repeat`; a job's tasks are
its prompts' one after the other. So the n-th task is a mixed-radix number, and no list of tasks is ever held.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING

from batchgen.manifest.identity import canonical, task_id
from batchgen.manifest.paths import FIELD_TOKENS
from batchgen.manifest.seeds import DerivedSeed, derive
from batchgen.model import InputImage, Request, Task, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batchgen.errors import Problem
    from batchgen.manifest.axes import Axis, Value
    from batchgen.manifest.paths import PathTemplate
    from batchgen.providers.conversation import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """How this job talks to its provider."""

    provider: Provider
    url: str | None
    """None: a server of this kind is started for the run."""
    api_key_env: str | None
    windows: tuple[Window, ...]
    concurrency: int | None
    """Requests in flight; None: as many as the limit and the latency ask for."""
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One entry of `prompts:` with every field that its tasks send."""

    id: str
    slug: str
    text: str
    axes: tuple[Axis, ...]
    """Slowest first."""
    repeat: int
    path: PathTemplate

    @property
    def count(self) -> int:
        """How many tasks it makes."""
        return prod(len(axis.values) for axis in self.axes) * self.repeat

    @property
    def listed(self) -> int:
        """How many tasks the job lists, equal ones counted each time."""
        return prod(axis.listed for axis in self.axes) * self.repeat

    def fields_at(self, index: int) -> tuple[dict[str, Value], int]:
        """The fields of the task at `index` within this prompt, and its repeat number."""
        index, repeat = divmod(index, self.repeat)
        found: dict[str, Value] = {}
        for axis in reversed(self.axes):
            index, position = divmod(index, len(axis.values))
            found[axis.name] = axis.values[position]
        return found, repeat


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A validated job."""

    file: str
    """Where it was read, for messages."""
    name: str
    seed_root: int
    settings: ProviderSettings
    prompts: tuple[Prompt, ...]
    images: Mapping[str, InputImage]
    """Input images by the path that the job writes."""
    stamps: Mapping[str, str]
    """The `date` and `run` of a path."""
    source: bytes
    """The job file as it was read."""
    warnings: tuple[Problem, ...]

    def warning_lines(self) -> list[str]:
        """What the job's author may want to know, a line each."""
        return [warning.headline(self.file) for warning in self.warnings]

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(prompt.count for prompt in self.prompts))

    def __len__(self) -> int:
        return self._ends[-1]

    def __iter__(self) -> Iterator[Task]:
        return (self.task(index) for index in range(len(self)))

    def task(self, index: int) -> Task:
        """The task at `index`, 0 to len - 1."""
        which = bisect_right(self._ends, index)
        prompt = self.prompts[which]
        values, repeat = prompt.fields_at(index - (self._ends[which - 1] if which else 0))
        request = self._request(prompt, values)
        fields = dict(request.fields)
        identity = task_id(
            provider=self.settings.provider.kind,
            fields=fields,
            image_sha256=request.image.sha256 if request.image else None,
            repeat=repeat,
        )
        tokens = self._tokens(prompt, fields) | {"repeat": str(repeat), "index": str(index), "id": identity}
        return Task(
            id=identity,
            index=index,
            job=self.name,
            prompt_id=prompt.id,
            repeat=repeat,
            request=request,
            stem=prompt.path.stem(tokens),
            variables={},
        )

    def _request(self, prompt: Prompt, values: dict[str, Value]) -> Request:
        sent = {name: value for name, value in values.items() if value is not None}
        image = sent.pop("image", None)
        if image is not None:
            sent.setdefault("mode", "image-to-image")
        sent["prompt"] = prompt.text
        parameters = self.settings.provider.capabilities.parameters
        texts = {name: str(sent[name]) for name in parameters if name in sent}
        if isinstance(seed := sent.get("seed"), DerivedSeed):
            texts["seed"] = self._late_seed(prompt, texts, image, seed)
        found = self.images[str(image)] if image is not None else None
        return Request(fields=tuple(texts.items()), image=found)

    def _late_seed(self, prompt: Prompt, texts: dict[str, str], image: Value, seed: DerivedSeed) -> str:
        others = texts | {"seed": "", "image": image or ""}
        return str(derive(canonical([self.seed_root, "per_task", prompt.id, others]), seed.index))

    def _tokens(self, prompt: Prompt, fields: Mapping[str, str]) -> dict[str, str]:
        parameters = self.settings.provider.capabilities.parameters
        sent = {name: fields.get(name) or parameters[name].default or "none" for name in FIELD_TOKENS}
        return sent | {"name": self.name, "prompt_id": prompt.id, "prompt_slug": prompt.slug, **self.stamps}
