"""Job text -> Manifest: shape, sources, combinations; all that is wrong is said at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pydantic import ValidationError

from batchgen.errors import nearest
from batchgen.manifest.axes import Column, ColumnReader, pinned
from batchgen.manifest.checks import CombinationCheck
from batchgen.manifest.document import read
from batchgen.manifest.entries import Common, EntryReader
from batchgen.manifest.manifest import Manifest
from batchgen.manifest.overrides import effective, override
from batchgen.manifest.paths import PathTemplate, safe_name
from batchgen.manifest.problems import Problems
from batchgen.manifest.schema import JobShape, PromptShape, TaskShape
from batchgen.manifest.seeds import DerivedSeed
from batchgen.manifest.settings import provider_settings
from batchgen.manifest.sources import Source, SourceReader
from batchgen.manifest.variables import VariableReader, variable_names
from batchgen.manifest.wording import shape_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from batchgen.manifest.document import Document
    from batchgen.manifest.prompts import Prompt
    from batchgen.manifest.settings import ProviderSettings
    from batchgen.manifest.table import Lines
    from batchgen.model import InputImage


MOST_TASKS = 10**12
ENTRIES = ("prompts", "tasks")
OTHERS_NEED = (("provider", "models"), ("provider", "kind"), ("presets",), ("vars",))
"""Where one of these can't be read, what refers to it would seem wrong too."""


def no_files(path: str) -> Iterator[str]:
    """For a job that names no data file."""
    raise ValueError(f"{path} can't be read here; no files are given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All that a job takes from outside its text."""

    environment: Mapping[str, str]
    inspect_image: Callable[[str], InputImage]
    """Reads the input image at a path of the job; ValueError says why it can't be used."""
    stamps: Mapping[str, str]
    """The `date` and `run` of a path."""
    lines: Lines = no_files
    """Reads the data file at a path of the job, line by line."""
    provider: str | None = None
    """A kind of provider in place of the job's."""
    overrides: Sequence[str] = ()
    """`key=value` in place of the job's own values."""


def build(data: bytes, file: str, surroundings: Surroundings) -> Manifest:
    """The manifest of a job's bytes; ManifestError says everything that is wrong with them."""
    document = read(data, file, surroundings.environment)
    override(document, surroundings.overrides)
    problems = Problems(document)
    job = _shape(document, problems)
    return _Builder(document, job, surroundings, problems).manifest(data)


def _shape(document: Document, problems: Problems) -> JobShape:
    """The job's shape; what is wrong with it is noted and left out, so that the rest can be looked at too."""
    values = dict(document.values) if isinstance(document.values, dict) else document.values
    try:
        return JobShape.model_validate(values)
    except ValidationError as error:
        for problem in shape_problems(error, document):
            problems.note(problem)
        places = [each["loc"] for each in error.errors(include_url=False, include_input=False)]
    if not all(places) or any(place[: len(needed)] == needed for place in places for needed in OTHERS_NEED):
        problems.check()
    wrong = {place[:2] for place in places}
    for key in {place[0] for place in places}:
        if key in ENTRIES and (key,) not in wrong:
            entries = enumerate(values[key])
            values[key] = [{"prompt": "left out"} if (key, number) in wrong else entry for number, entry in entries]
        else:
            values.pop(key, None)
    return JobShape.model_validate(values)


class _Builder:
    """Reads one job, collecting problems as it goes."""

    def __init__(self, document: Document, job: JobShape, surroundings: Surroundings, problems: Problems) -> None:
        self._document = document
        self._job = job
        self._surroundings = surroundings
        self._problems = problems
        self._images: dict[str, InputImage] = {}

    def manifest(self, data: bytes) -> Manifest:
        settings = provider_settings(self._job.provider, self._surroundings.provider, self._problems)
        prompts = self._prompts(settings)
        self._check_ids()
        total = sum(prompt.count for prompt in prompts)
        if total > MOST_TASKS:
            self._problems.add((), f"the job makes {total:,} tasks", f"accepted: up to {MOST_TASKS:,}")
        if all(self._document.values.get(name) is None for name in ENTRIES):
            self._problems.add((), "no prompts", "add prompts: with a list of texts")
        elif total == 0 and not self._problems.found:
            self._problems.add((), "nothing is left to make", "exclude less")
        self._problems.check()
        return Manifest(
            file=self._document.file,
            name=safe_name(self._job.name or PurePosixPath(self._document.file).stem),
            seed_root=self._job.seed_root,
            seed_mode=self._job.seed_mode,
            settings=settings,
            limits=self._job.limits,
            retry=self._job.retry,
            prompts=tuple(prompts),
            images=self._images,
            stamps=self._surroundings.stamps,
            source=effective(self._document, data, self._surroundings.provider, self._surroundings.overrides),
            warnings=tuple(self._document.warnings),
            places=self._document.places,
        )

    def _prompts(self, settings: ProviderSettings) -> list[Prompt]:
        common = self._common(settings)
        reader = EntryReader(common, self._problems)
        found = [reader.prompt(("prompts", number), shape) for number, shape in enumerate(self._job.prompts)]
        found += [reader.task(("tasks", number), shape) for number, shape in enumerate(self._job.tasks)]
        self._check_path([prompt for prompt in found if prompt is not None], common.path)
        for entry in (*common.sweep.excludes, *common.own_excludes):
            if entry.path not in common.matched:
                self._problems.warn(entry.path, "this exclude matches no combination", "remove or mend it")
        return [prompt for prompt in found if prompt is not None]

    def _common(self, settings: ProviderSettings) -> Common:
        job, capabilities = self._job, settings.provider.capabilities
        columns = ColumnReader(self._problems)
        reader = SourceReader(self._problems, capabilities.parameters, variable_names(job), columns)
        variables = VariableReader(self._problems, columns, self._surroundings.lines)
        built_in = Source()
        built_in.pin(pinned("model", capabilities.parameters["model"].default, "built-in", ()))
        built_in.pin(pinned("seed", DerivedSeed(0), "built-in", ()))
        return Common(
            parameters=capabilities.parameters,
            reader=reader,
            built_in=built_in,
            defaults=reader.pins("defaults", ("defaults",), job.defaults),
            vars=variables.read(job.vars, capabilities.parameters),
            sweep=reader.sweep("sweep", ("sweep",), job.sweep),
            presets={
                name: reader.pins(f"preset {name}", ("presets", name), fields) for name, fields in job.presets.items()
            },
            repeat=job.repeat,
            path=self._path(),
            check=CombinationCheck(capabilities, self._problems, job.vars, skip_invalid=job.skip_invalid),
            lines=self._surroundings.lines,
            read_images=self._read_images,
            own_excludes=[],
            matched=set(),
        )

    def _path(self) -> PathTemplate | None:
        if self._job.output.path is None:
            return None
        try:
            return PathTemplate.read(self._job.output.path)
        except ValueError as error:
            self._problems.add_said(("output", "path"), error)
            return None

    def _read_images(self, column: Column) -> None:
        for position, value in enumerate(column.values):
            if not isinstance(value, str) or value in self._images:
                continue
            try:
                self._images[value] = self._surroundings.inspect_image(value)
            except ValueError as error:
                self._problems.add_said(column.place(position), error)

    def _check_path(self, prompts: Sequence[Prompt], path: PathTemplate | None) -> None:
        known = {*self._job.vars, *(name for prompt in prompts for block, _ in prompt.blocks() for name in block.names)}
        for name in path.variables if path else ():
            if name not in known:
                hint = nearest(name, known)
                accepted = f"{hint} define it under vars".strip()
                self._problems.add(("output", "path"), f"{{vars.{name}}} names no variable of the job", accepted)

    def _check_ids(self) -> None:
        first: dict[str, str] = {}
        entries: tuple[tuple[str, list[PromptShape | TaskShape]], ...]
        entries = (("prompts", [*self._job.prompts]), ("tasks", [*self._job.tasks]))
        for base, shapes in entries:
            for number, shape in enumerate(shapes):
                if (
                    shape.id is not None
                    and (other := first.setdefault(shape.id, f"{base}[{number}]")) != f"{base}[{number}]"
                ):
                    self._problems.add(
                        (base, number, "id"), f"the id {shape.id!r} stands at {other} too", "ids are unique"
                    )
