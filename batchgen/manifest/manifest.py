"""A validated job: frozen, every task of it found by arithmetic from its index; no list of tasks is ever held."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

from batchgen.manifest.identity import canonical, task_id
from batchgen.manifest.paths import FIELD_TOKENS, Placement
from batchgen.manifest.reading.document import RowPlace
from batchgen.manifest.seeds import derive
from batchgen.manifest.texts import BlockTexts
from batchgen.model import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from batchgen.errors import Problem
    from batchgen.manifest.axes import Column
    from batchgen.manifest.matrix import Block
    from batchgen.manifest.prompts import Combination, Prompt
    from batchgen.manifest.reading.document import Path, Place, Where
    from batchgen.manifest.reading.schema import LimitsShape, RetryShape
    from batchgen.manifest.seeds import DerivedSeed
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
    digest: str
    """Equal only where two readings gave the same tasks at the same indices."""
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
            place = self._place(prompt)
            for found in prompt:
                yield self._task(index, place, found)
                index += 1

    @cached_property
    def blocks(self) -> Mapping[Block, int]:
        """Every block, and how many times its combinations are made."""
        found: Counter[Block] = Counter()
        for prompt in self.prompts:
            found.update(dict(prompt.blocks()))
        return found

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
        return next(self.tasks((index,)))

    def tasks(self, indices: Iterable[int]) -> Iterator[Task]:
        """The tasks at these, 0 to len - 1, one at a time; neighbours of one entry share the search for it."""
        start = end = 0
        for index in indices:
            if not start <= index < end:
                which = bisect_right(self.ends, index)
                prompt, end = self.prompts[which], self.ends[which]
                start, place = end - prompt.count, self._place(prompt)
            yield self._task(index, place, prompt.combination(index - start))

    def _task(self, index: int, place: Placement, found: Combination) -> Task:
        fields, variables, path = self._texts(found.block).of(found)
        image = None if path is None else self.images[path]
        identity = task_id(
            provider=self.settings.provider.kind,
            fields=fields,
            image_sha256=None if image is None else image.sha256,
            repeat=found.repeat,
        )
        return Task(
            id=identity,
            index=index,
            job=self.name,
            prompt_id=found.pins.id,
            prompt_slug=found.pins.slug,
            repeat=found.repeat,
            fields=fields,
            image=image,
            variables=variables,
            place=place,
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

    def _place(self, prompt: Prompt) -> Placement:
        return Placement(prompt.path, self._path_tokens)

    @cached_property
    def _path_tokens(self) -> dict[str, str]:
        """What the tokens of a path mean where a task has no value of its own: the API's default."""
        parameters = self.settings.provider.capabilities.parameters
        defaults = {name: parameters[name].default or "none" for name in FIELD_TOKENS}
        return {"name": self.name, **self.stamps, **defaults}

    def _texts(self, block: Block) -> BlockTexts:
        """Puts the combinations of a block into words."""
        if (found := self._block_texts.get(block)) is None:
            parameters = self.settings.provider.capabilities.parameters
            found = self._block_texts[block] = BlockTexts(block, parameters, self._seed)
        return found

    @cached_property
    def _block_texts(self) -> dict[Block, BlockTexts]:
        return {}

    def _seed(self, seed: DerivedSeed, others: Mapping[str, str], image: str | None, prompt_id: str) -> str:
        """A derived seed, now that its task's `others`, the fields beside it, are known."""
        key: list[object] = [self.seed_root, self.seed_mode]
        if self.seed_mode != "shared":
            key.append(prompt_id)
        if self.seed_mode == "per_task":
            key.append({**others, "image": "" if image is None else self.images[image].sha256})
        return str(derive(canonical(key), seed.index))
