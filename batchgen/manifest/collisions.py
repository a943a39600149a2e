"""No two tasks may want one path.

A path that holds enough of the id rules that out by itself. Otherwise up to a million tasks are compared one by one;
beyond that the template itself must show it: a token for every axis, each standing where it can be told from its
neighbours.
"""

from __future__ import annotations

from array import array
from itertools import pairwise
from typing import TYPE_CHECKING

from batchgen.errors import ManifestError, Problem
from batchgen.manifest.paths import folded
from batchgen.manifest.reading.document import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchgen.manifest.manifest import Manifest
    from batchgen.manifest.paths import PathTemplate
    from batchgen.manifest.prompts import Prompt

MOST_COMPARED = 1_000_000
OF_DIGITS = {"seed", "strength", "aspect_ratio", "repeat", "index"}
"""Tokens whose values hold no letter but the x of 16x9, so that any other literal ends them."""


def check_paths(manifest: Manifest) -> None:
    """ManifestError at the path's place where two different tasks want one path, or may."""
    prompts = [prompt for prompt in manifest.prompts if prompt.count]
    if all(prompt.path.tells_apart for prompt in prompts):
        return
    if len(manifest) <= MOST_COMPARED:
        _compare(manifest)
    elif not all(_names_every_axis(prompt) for prompt in prompts) or not _tells_prompts_apart(prompts):
        cause = f"{len(manifest):,} tasks, and the path does not show that each has one of its own"
        raise _error(manifest, cause, "add {id:12} or {index}")


def _compare(manifest: Manifest) -> None:
    hashes = array("q", (hash(folded(task.stem)) for task in manifest))
    twice = {first for first, second in pairwise(sorted(hashes)) if first == second}
    places: dict[str, tuple[str, int]] = {}
    for index, number in enumerate(hashes if twice else ()):
        if number in twice:
            task = manifest.task(index)
            identity, first = places.setdefault(folded(task.stem), (task.id, index))
            if identity != task.id:
                cause = f"tasks {first} and {index} both go to {task.stem}"
                raise _error(manifest, cause, "name what tells them apart, such as {seed} or {id:12}")


def _names_every_axis(prompt: Prompt) -> bool:
    """Has every axis, and the repeat, a token that stands where it can be told from its neighbours?"""
    told = set(_told(prompt.path))
    if "index" in told:
        return True
    if prompt.repeat > 1 and "repeat" not in told:
        return False
    return all(
        len(axis) == 1 or any(column.name in told for column in axis.columns)
        for block, _ in prompt.blocks()
        for axis in block.axes
    )


def _tells_prompts_apart(prompts: list[Prompt]) -> bool:
    if all("index" in _told(prompt.path) for prompt in prompts):
        return True
    if any(len(prompt.rows) > 1 or len(list(prompt.blocks())) > 1 for prompt in prompts):
        return False
    labels = {folded(prompt.label) for prompt in prompts}
    return len(prompts) == 1 or (
        len(labels) == len(prompts) and all("prompt_id" in _told(each.path) for each in prompts)
    )


def _told(path: PathTemplate) -> Iterator[str]:
    """The tokens, in full, that are alone in their part or stand there between literals, all of them of digits."""
    for part in path.parts:
        tokens = [piece for piece in part if isinstance(piece, tuple)]
        apart = all(isinstance(first, str) != isinstance(second, str) for first, second in pairwise(part))
        if len(tokens) == 1 or (apart and all(name in OF_DIGITS for name, _ in tokens)):
            yield from (name for name, width in tokens if width is None)


def _error(manifest: Manifest, cause: str, accepted: str) -> ManifestError:
    place = manifest.places.get(("output", "path")) or Place(1, 1)
    problem = Problem(line=place.line, column=place.column, path="output.path", cause=cause, accepted=accepted)
    return ManifestError(manifest.file, manifest.source.decode(errors="replace"), [problem])
